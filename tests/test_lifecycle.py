"""The four phases, as a task's author and caller see them."""

from __future__ import annotations

from typing import Any, ClassVar

import pytest
from kernel_kit import (
    Add,
    Count,
    Draw,
    Fail,
    Interrupted,
    Nothing,
    Reports,
    Steps,
    Watcher,
    kernel_of,
    statuses,
)

from pamola_tasks import Artifact, BaseTask, Kernel, Operation, OperationResult, hookimpl, protocols
from pamola_tasks.errors import ConfigurationError, PlanError, UsageError
from pamola_tasks.nulls import NoProgress
from pamola_tasks.operation import operation_seed
from pamola_tasks.plan import Selection
from pamola_tasks.protocols import RunOptions


def run(task: BaseTask, kernel: Kernel, **options: Any) -> bool:
    task.kernel = kernel
    return task.run(**options)


# ---------------------------------------------------------------- success


def test_a_task_of_two_good_operations_succeeds_and_runs_them_in_the_order_added() -> None:
    task = Steps((Add, {"input_dataset": "numbers"}), (Count, {"input_dataset": "numbers_more"}))
    outcome = kernel_of().run(task, datasets={"numbers": [1, 2, 3]})
    assert outcome.success
    assert outcome.status == task.status == "success"
    assert outcome.exit_code == 0
    assert statuses(outcome.results) == {"Add": "success", "Count": "success"}
    assert outcome.datasets["numbers_more"] == [2, 3, 4]
    assert outcome.error is None
    assert task.error_info is None


def test_run_is_true_for_success_and_the_task_holds_what_happened() -> None:
    class Counting(Steps):
        def initialize(self, *args: Any, **options: Any) -> bool:
            return super().initialize(*args, **options) and self.data_source.add_dataframe("numbers", [1, 2]) is None

    task = Counting((Count, {"input_dataset": "numbers"}))
    assert run(task, kernel_of()) is True
    assert (task.status, task.error_info) == ("success", None)
    assert task.metrics == {"Count": {"count": 2}}
    assert [artifact.name for artifact in task.artifacts] == ["count_numbers"]
    assert list(task.results) == ["Count"]
    assert task.execution_time is not None
    assert task.encryption_manager.get_encryption_info()["enabled"] is False


def test_the_events_of_a_run_come_in_order_and_each_once() -> None:
    watcher = Watcher()
    task = Steps((Add, {"input_dataset": "numbers"}), (Count, {"input_dataset": "numbers_more"}))
    kernel_of(watcher).run(task, datasets={"numbers": [1]})
    assert watcher.heard == [
        "run_started",
        "step_started Add",
        "dataset_read numbers",
        "dataset_written numbers_more output",
        "step_finished Add success",
        "step_started Count",
        "dataset_read numbers_more",
        "artifact count_numbers_more",
        "step_finished Count success",
        "run_finished success",
    ]


def test_a_warning_is_a_success_that_is_told() -> None:
    class Doubtful(Operation):
        def execute(self, ctx: Any) -> OperationResult:
            ctx.warn("three values look odd")
            return OperationResult.warning("look at it")

    outcome = kernel_of().run(Steps(Doubtful))
    assert outcome.success
    assert statuses(outcome.results) == {"Doubtful": "warning"}
    assert outcome.record.warnings == ["three values look odd"]
    assert outcome.record.steps[0].warnings == ["three values look odd"]


def test_a_task_can_be_run_again_and_begins_anew() -> None:
    kernel = kernel_of()
    task = Steps(Fail)
    assert not kernel.run(task).success
    task.steps = (Nothing,)
    outcome = kernel.run(task)
    assert outcome.success
    assert task.error_info is None
    assert list(task.results) == ["Nothing"]


def test_a_task_class_without_arguments_can_be_run_by_itself() -> None:
    class Whole(BaseTask):
        def __init__(self) -> None:
            super().__init__("t_whole")

        def configure_operations(self) -> None:
            self.add_operation(Nothing)

    outcome = kernel_of().run(Whole)
    assert (outcome.task_id, outcome.status) == ("t_whole", "success")


def test_overrides_reach_the_configuration_of_this_run_only() -> None:
    kernel = kernel_of(seed=1)
    task = Steps(Draw)
    assert kernel.run(task, overrides={"seed": 7}).record.seed == 7
    assert kernel.run(task).record.seed == 1


def test_what_the_class_states_is_configuration_and_its_identity_comes_back_from_there() -> None:
    class Stated(Steps):
        dependencies = ("t_0",)

        def get_default_config(self) -> dict[str, Any]:
            return {"seed": 5, "description": "from the defaults"}

    task = Stated(Nothing, version="2.1", data_types={"a": {"zip": "string"}})
    assert task.stated_configuration() == {
        "task_type": "test",
        "description": "from the defaults",
        "version": "2.1",
        "data_types": {"a": {"zip": "string"}},
        "dependencies": ["t_0"],
        "seed": 5,
    }
    outcome = kernel_of(dependencies=[]).run(task)
    assert outcome.record.seed == 5
    assert (task.description, task.version) == ("from the defaults", "2.1")


# ---------------------------------------------------------------- what goes wrong before a step


def test_a_task_without_configure_operations_fails_as_a_configuration_error() -> None:
    reports = Reports()
    task = BaseTask("t_1")
    assert run(task, kernel_of(reports)) is False
    assert task.error_info is not None
    assert task.error_info["type"] == "configuration_error"
    assert "configure_operations" in task.error_info["message"]
    assert reports.saved[-1]["success"] is False


def test_a_task_that_adds_no_operation_fails_as_a_configuration_error() -> None:
    task = Steps()
    task.kernel = kernel_of()
    assert task.initialize()
    task.configure_operations()
    assert task.execute() is False
    assert task.status == "configuration_error"
    assert task.finalize(False) is False
    assert task.status == "configuration_error"


def test_an_exception_in_configure_operations_fails_the_run_and_a_report_is_still_written() -> None:
    class Broken(BaseTask):
        def configure_operations(self) -> None:
            raise RuntimeError("no such table")

    reports, watcher = Reports(), Watcher()
    task = Broken("t_1")
    assert run(task, kernel_of(reports, watcher)) is False
    assert task.status == "configuration_error"
    assert reports.saved[-1]["error_info"]["message"] == "no such table"
    assert "Traceback" in reports.saved[-1]["error_info"]["traceback"]
    assert watcher.heard == ["run_started", "run_finished configuration_error"]


@pytest.mark.parametrize(
    ("step", "words"),
    [
        ("Anonymise", "unknown operation 'Anonymise'"),
        ((Add, {"input_dataset": "numbers", "numbr": 3}), "did you mean 'number'?"),
        ((Add, {"input_dataset": "numbers", "number": "three"}), "number: expected a whole number, got text"),
        ((Add, {}), "'input_dataset' (text) is missing"),
        (int, "int is not an operation"),
    ],
)
def test_a_step_that_cannot_be_added_makes_the_run_fail_and_no_other_step_runs(step: Any, words: str) -> None:
    watcher = Watcher()
    task = Steps(step, Nothing)
    outcome = kernel_of(watcher).run(task, datasets={"numbers": [1]})
    assert task.added == [False, True]
    assert not outcome.success
    assert outcome.status == "configuration_error"
    assert words in outcome.record.errors[0]["message"]
    assert outcome.exit_code == 2
    assert not any(event.startswith("step_started") for event in watcher.heard)


def test_a_failed_addition_counts_even_when_execute_is_overridden() -> None:
    class Careless(Steps):
        def execute(self) -> bool:
            return True

    assert not kernel_of().run(Careless("Unknown")).success


def test_every_step_that_cannot_be_added_is_told() -> None:
    outcome = kernel_of().run(Steps("One", "Two"))
    assert [error["message"].split("'")[1] for error in outcome.record.errors] == ["One", "Two"]


def test_an_initialize_that_gives_false_ends_the_run_with_its_reason() -> None:
    class Reluctant(Steps):
        def initialize(self, *args: Any, **options: Any) -> bool:
            super().initialize(*args, **options)
            return False

    task = Reluctant(Nothing)
    outcome = kernel_of().run(task)
    assert outcome.status == "initialization_error"
    assert "initialize() gave False" in outcome.record.errors[0]["message"]


def test_an_initialize_that_does_not_call_super_is_told() -> None:
    class Forgetful(Steps):
        def initialize(self, *args: Any, **options: Any) -> bool:
            return True

    with pytest.raises(Exception, match=r"super\(\).initialize"):
        kernel_of().run(Forgetful(Nothing))


def test_a_failure_before_the_run_began_is_raised_by_the_kernel_and_kept_by_the_task() -> None:
    class Objecting:
        @hookimpl
        def pamola_check_config(self, config: Any) -> str:
            return "k is too small"

    kernel = kernel_of(Objecting())
    with pytest.raises(ConfigurationError, match="k is too small"):
        kernel.run(Steps(Nothing))
    task = Steps(Nothing)
    assert run(task, kernel) is False
    assert task.status == "configuration_error"
    assert task.error_info is not None
    assert "k is too small" in task.error_info["message"]


@pytest.mark.parametrize("selection", [Selection(only=("Nothin",)), Selection(first="Nothing", skip=("Nothing",))])
def test_steps_that_are_not_in_the_plan_are_refused_by_the_kernel_and_nobody_hears_of_a_run(selection: Any) -> None:
    reports, watcher = Reports(), Watcher()
    task = Steps(Nothing)
    with pytest.raises(PlanError, match=r"did you mean 'Nothing'\?|leaves no step"):
        kernel_of(reports, watcher).run(task, options=RunOptions(selection=selection))
    assert task.status == "configuration_error"
    assert (reports.saved, watcher.heard) == ([], [])


def test_a_run_of_some_steps_that_fails_before_its_plan_is_known_is_told_and_reported() -> None:
    class Broken(Steps):
        def configure_operations(self) -> None:
            raise ValueError("no plan")

    reports, watcher = Reports(), Watcher()
    outcome = kernel_of(reports, watcher).run(Broken(), options=RunOptions(selection=Selection(only=("Nothing",))))
    assert outcome.status == "configuration_error"
    assert reports.saved[-1]["success"] is False
    assert watcher.heard == ["run_started", "run_finished configuration_error"]


def test_a_failure_of_a_service_that_comes_up_after_the_start_is_reported_under_its_own_name() -> None:
    class Broken:
        PAMOLA_PLUGIN_NAME = "broken-executor"

        @hookimpl
        def pamola_provide_executor(self, run: Any) -> Any:
            raise OSError("no cluster")

    reports, watcher = Reports(), Watcher()
    task = Steps(Nothing)
    outcome = kernel_of(Broken(), reports, watcher).run(task)
    assert outcome.status == "initialization_error"
    assert outcome.record.error is not None
    assert "broken-executor failed to provide 'executor': OSError: no cluster" in outcome.record.error["message"]
    assert reports.saved[-1]["success"] is False
    assert watcher.heard == ["run_started", "run_finished initialization_error"]


def test_a_report_of_a_failure_is_written_even_if_the_reporter_was_not_up_yet() -> None:
    class NoSource:
        @hookimpl
        def pamola_provide_data_source(self, run: Any) -> Any:
            raise OSError("no disk")

    reports = Reports()
    kernel_of(NoSource(), reports).run(Steps(Nothing))
    assert "no disk" in reports.saved[-1]["error_info"]["message"]


def test_a_task_that_states_a_dependency_nobody_can_check_does_not_run() -> None:
    outcome = kernel_of(dependencies=["t_0"]).run(Steps(Nothing))
    assert outcome.record.error is not None
    assert "pamola-tasks-dependencies" in outcome.record.error["message"]


def test_a_missing_dependency_is_a_dependency_error_with_its_exit_code() -> None:
    class Objecting:
        @hookimpl
        def pamola_check_dependencies(self, run: Any) -> list[str]:
            return ["t_0 has not run", "t_9 failed"]

    outcome = kernel_of(Objecting()).run(Steps(Nothing))
    assert (outcome.status, outcome.exit_code) == ("dependency_error", 3)
    assert outcome.record.error is not None
    assert "t_0 has not run" in outcome.record.error["message"]
    assert "t_9 failed" in outcome.record.error["message"]


def test_methods_called_before_initialize_say_so_instead_of_failing_on_none() -> None:
    task = Steps(Nothing)
    assert task.execute() is False
    assert task.error_info is not None
    assert "not initialized" in task.error_info["message"]
    assert task.add_operation(Nothing) is False
    assert task.finalize(True) is False
    assert task.encryption_manager is None


# ---------------------------------------------------------------- failing steps


def test_after_a_failed_step_no_other_step_runs_and_the_run_is_a_failure() -> None:
    reports = Reports()
    task = Steps(Fail, Nothing)
    outcome = kernel_of(reports).run(task)
    assert not outcome.success
    assert (outcome.status, outcome.exit_code) == ("operation_error", 1)
    assert statuses(outcome.results) == {"Fail": "error"}
    assert reports.saved[-1]["status"] == "operation_error"
    assert task.error_info is not None
    assert (task.error_info["type"], task.error_info["operation"]) == ("operation_error", "Fail")
    assert task.error_info["message"] == "it broke"


def test_a_failed_step_that_is_let_pass_is_followed_by_the_others_and_the_run_still_fails() -> None:
    outcome = kernel_of(continue_on_error=True).run(Steps(Fail, Nothing))
    assert statuses(outcome.results) == {"Fail": "error", "Nothing": "success"}
    assert not outcome.success
    assert outcome.record.errors[0]["message"] == "it broke"
    assert outcome.results["Fail"].error_message == "it broke"
    assert "ValueError: it broke" in (outcome.results["Fail"].error_trace or "")


def test_continue_on_error_of_a_step_overrides_that_of_the_task_both_ways() -> None:
    passing = (Fail, {"step": {"continue_on_error": True}})
    stopping = (Fail, {"step": {"continue_on_error": False}})
    assert list(kernel_of().run(Steps(passing, Nothing)).results) == ["Fail", "Nothing"]
    assert list(kernel_of(continue_on_error=True).run(Steps(stopping, Nothing)).results) == ["Fail"]


def test_a_step_that_needs_what_a_failed_one_did_not_give_is_not_run_and_says_why() -> None:
    watcher = Watcher()
    task = Steps(
        (Fail, {"output_dataset": "lost"}),
        (Add, {"input_dataset": "lost", "output_dataset": "later"}),
        (Count, {"input_dataset": "later"}),
        Nothing,
    )
    outcome = kernel_of(watcher, continue_on_error=True).run(task)
    assert statuses(outcome.results) == {"Fail": "error", "Add": "skipped", "Count": "skipped", "Nothing": "success"}
    assert outcome.results["Add"].reason == "needs what step Fail did not give"
    assert outcome.results["Count"].reason == "needs what step Add did not give"
    assert "step_skipped Add: needs what step Fail did not give" in watcher.heard
    assert not outcome.success


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (OperationResult.failure("the table is empty"), "the table is empty"),
        (OperationResult.failure(OSError("disk full")), "disk full"),
        (None, "returned NoneType instead of an OperationResult"),
        (True, "returned bool instead of an OperationResult"),
    ],
)
def test_what_an_operation_gives_decides_not_that_it_returned(answer: Any, words: str) -> None:
    class Answers(Operation):
        def execute(self, ctx: Any) -> Any:
            return answer

    outcome = kernel_of().run(Steps(Answers))
    assert statuses(outcome.results) == {"Answers": "error"}
    assert words in (outcome.results["Answers"].error_message or "")


def test_an_operation_that_ends_pending_has_not_done_its_work() -> None:
    from pamola_tasks import OperationStatus

    class Unfinished(Operation):
        def execute(self, ctx: Any) -> OperationResult:
            return OperationResult(OperationStatus.PENDING)

    outcome = kernel_of().run(Steps(Unfinished))
    assert "ended with status pending" in (outcome.results["Unfinished"].error_message or "")


def test_an_operation_that_calls_sys_exit_fails_its_step_and_the_report_is_written() -> None:
    class Leaving(Operation):
        def execute(self, ctx: Any) -> OperationResult:
            raise SystemExit(3)

    reports = Reports()
    outcome = kernel_of(reports).run(Steps(Leaving))
    assert outcome.results["Leaving"].error_message == "step Leaving called sys.exit(3)"
    assert reports.saved[-1]["success"] is False


def test_an_operation_without_execute_fails_its_step_saying_so() -> None:
    class Empty(Operation):
        pass

    outcome = kernel_of().run(Steps(Empty))
    assert outcome.results["Empty"].error_message == "Empty has no execute(self, ctx)"


def test_a_step_must_write_what_it_declares_and_declare_what_it_writes_and_reads() -> None:
    from pamola_tasks import reads, writes

    class Silent(Operation):
        output_dataset: str = writes("promised")

        def execute(self, ctx: Any) -> OperationResult:
            return OperationResult.success()

    class Secretive(Operation):
        def execute(self, ctx: Any) -> OperationResult:
            ctx.data.write("hidden", [1])
            return OperationResult.success()

    class Curious(Operation):
        input_dataset: str = reads()

        def execute(self, ctx: Any) -> OperationResult:
            assert ctx.data.names() == ["numbers"]
            assert ctx.data.has_dataset("other")
            ctx.data.frame("other")
            return OperationResult.success()

    kernel = kernel_of(continue_on_error=True)
    outcome = kernel.run(
        Steps(Silent, Secretive, (Curious, {"input_dataset": "numbers"}), (Count, {"input_dataset": "other"})),
        datasets={"numbers": [1], "other": [2]},
    )
    messages = [result.error_message or "" for result in outcome.results.values()]
    assert "ended without writing 'promised'" in messages[0]
    assert "writes 'hidden', which it does not declare" in messages[1]
    assert "reads 'other', which it does not declare" in messages[2]


def test_two_steps_of_one_operation_keep_results_and_metrics_apart() -> None:
    task = Steps(
        (Count, {"input_dataset": "a"}),
        (Count, {"input_dataset": "b"}),
        (Count, {"input_dataset": "c", "step": {"id": "last"}}),
    )
    outcome = kernel_of().run(task, datasets={"a": [1], "b": [1, 2], "c": []})
    assert task.metrics == {"Count": {"count": 1}, "Count-2": {"count": 2}, "last": {"count": 0}}
    assert list(outcome.results) == ["Count", "Count-2", "last"]


def test_two_steps_of_one_operation_have_seeds_of_their_own_that_follow_from_their_ids() -> None:
    outcome = kernel_of(seed=42).run(Steps(Draw, Draw, (Draw, {"step": {"id": "A"}})))
    seeds = [result.metrics["seed"] for result in outcome.results.values()]
    assert len(set(seeds)) == 3
    assert seeds == [operation_seed(42, "Draw"), operation_seed(42, "Draw-2"), 156262425]


def test_without_a_seed_a_run_draws_one_and_records_it() -> None:
    first, second = (kernel_of().run(Steps(Draw)).record.seed for _ in range(2))
    assert first is not None
    assert first != second


def test_an_artifact_that_an_operation_also_reports_is_listed_once() -> None:
    class Twice(Operation):
        def execute(self, ctx: Any) -> OperationResult:
            with ctx.artifact("facts", "json") as file:
                file.write(b"{}")
            result = OperationResult.success()
            result.artifacts.append(Artifact("json", "DATA/processed/t_1/output/facts.json"))
            result.artifacts.append(Artifact("txt", "elsewhere.txt", "by its own means"))
            return result

    outcome = kernel_of().run(Steps(Twice))
    assert [artifact.path for artifact in outcome.record.artifacts] == [
        "DATA/processed/t_1/output/facts.json",
        "elsewhere.txt",
    ]
    assert {artifact.step for artifact in outcome.record.artifacts} == {"Twice"}


def test_two_steps_must_not_write_one_artifact() -> None:
    class Facts(Operation):
        def execute(self, ctx: Any) -> OperationResult:
            with ctx.artifact("facts", "json") as file:
                file.write(b"{}")
            return OperationResult.success()

    outcome = kernel_of(continue_on_error=True).run(Steps(Facts, Facts))
    assert statuses(outcome.results) == {"Facts": "success", "Facts-2": "error"}
    assert "which step Facts wrote in this run" in (outcome.results["Facts-2"].error_message or "")


# ---------------------------------------------------------------- interruption


def test_ctrl_c_in_a_step_is_recorded_reported_and_raised_again_by_the_task() -> None:
    reports, watcher = Reports(), Watcher()
    task = Steps(Nothing, Interrupted, Nothing)
    with pytest.raises(KeyboardInterrupt):
        run(task, kernel_of(reports, watcher))
    assert task.status == "interrupted"
    assert reports.saved[-1]["status"] == "interrupted"
    assert watcher.heard.count("run_finished interrupted") == 1
    assert list(task.results) == ["Nothing"]


def test_ctrl_c_in_a_step_is_in_the_outcome_of_the_kernel_and_in_the_history() -> None:
    kernel = kernel_of()
    outcome = kernel.run(Steps(Interrupted))
    assert (outcome.status, outcome.exit_code) == ("interrupted", 130)
    assert isinstance(outcome.error, KeyboardInterrupt)
    assert kernel.plugins["memory-history"].object.records[-1]["status"] == "interrupted"


def test_ctrl_c_after_a_failure_that_was_let_pass_is_still_an_interruption() -> None:
    task = Steps(Fail, Interrupted)
    outcome = kernel_of(continue_on_error=True).run(task)
    assert (outcome.status, outcome.exit_code) == ("interrupted", 130)
    assert [error["type"] for error in outcome.record.errors] == ["operation_error", "interrupted"]
    with pytest.raises(KeyboardInterrupt):
        run(Steps(Fail, Interrupted), kernel_of(continue_on_error=True))


def test_ctrl_c_while_a_service_comes_up_still_ends_the_run_properly() -> None:
    class Slow:
        @hookimpl
        def pamola_provide_executor(self, run: Any) -> Any:
            raise KeyboardInterrupt

    watcher = Watcher()
    outcome = kernel_of(Slow(), watcher).run(Steps(Nothing))
    assert outcome.status == "interrupted"
    assert watcher.heard == ["run_started", "run_finished interrupted"]


@pytest.mark.parametrize("where", ["configure_operations", "execute"])
def test_sys_exit_in_a_task_ends_in_a_report_not_in_the_end_of_the_process(where: str) -> None:
    def leave(self: Any) -> Any:
        raise SystemExit("enough")

    reports, watcher = Reports(), Watcher()
    task = type("Leaving", (Steps,), {where: leave})(Nothing)
    outcome = kernel_of(reports, watcher).run(task)
    assert not outcome.success
    assert "sys.exit('enough')" in outcome.record.errors[0]["message"]
    assert reports.saved[-1]["success"] is False
    assert watcher.heard[-1].startswith("run_finished")


def test_sys_exit_in_a_provider_is_the_failure_of_that_plugin() -> None:
    class Leaving:
        PAMOLA_PLUGIN_NAME = "leaving"

        @hookimpl
        def pamola_provide_executor(self, run: Any) -> Any:
            raise SystemExit(1)

    outcome = kernel_of(Leaving()).run(Steps(Nothing))
    assert outcome.record.error is not None
    assert "plugin leaving failed to provide 'executor': it called sys.exit(1)" in outcome.record.error["message"]


# ---------------------------------------------------------------- finalize


def test_finalize_does_everything_else_when_one_thing_fails() -> None:
    class NoReport:
        PAMOLA_PLUGIN_NAME = "no-report"

        @hookimpl
        def pamola_provide_reporter(self, run: Any) -> Any:
            class Reporter(protocols.Reporter):
                def add_task_summary(self, success: bool, **facts: Any) -> None:
                    raise OSError("disk full")

            return Reporter()

    watcher = Watcher()
    kernel = kernel_of(NoReport(), watcher)
    task = Steps(Nothing)
    outcome = kernel.run(task)
    assert (outcome.status, outcome.success) == ("report_error", False)
    assert watcher.heard[-1] == "run_finished report_error"
    assert kernel.plugins["memory-history"].object.records[-1]["success"] is False
    assert [error["message"] for error in outcome.record.errors] == ["the report could not be written: disk full"]
    assert task.status == "report_error"


def test_a_history_that_cannot_be_written_fails_the_run_and_the_report_says_so() -> None:
    class NoHistory:
        @hookimpl
        def pamola_provide_history(self, run: Any) -> Any:
            class History(protocols.History):
                def run_started(self, run: Any) -> None: ...
                def step_finished(self, run: Any, step: str, status: str, seconds: float) -> None: ...
                def run_finished(self, run: Any) -> None:
                    raise OSError("read-only file system")

            return History()

    reports = Reports()
    outcome = kernel_of(NoHistory(), reports).run(Steps(Nothing))
    assert outcome.status == "log_error"
    assert [error["type"] for error in reports.saved[-1]["errors"]] == ["log_error"]
    assert reports.saved[-1]["status"] == "log_error"


def test_observers_hear_of_the_end_only_if_they_heard_of_the_beginning() -> None:
    class NoHistory:
        @hookimpl
        def pamola_provide_history(self, run: Any) -> Any:
            class History(protocols.History):
                def run_started(self, run: Any) -> None:
                    raise OSError("read-only file system")

                def run_finished(self, run: Any) -> None: ...

            return History()

    watcher = Watcher()
    outcome = kernel_of(NoHistory(), watcher).run(Steps(Nothing))
    assert outcome.status == "initialization_error"
    assert watcher.heard == []


def test_a_finalize_of_the_users_own_that_raises_still_ends_the_run() -> None:
    class Broken(Steps):
        def finalize(self, success: bool) -> bool:
            raise RuntimeError("my own mistake")

    watcher = Watcher()
    task = Broken(Nothing)
    outcome = kernel_of(watcher).run(task)
    assert outcome.status == "finalization_error"
    assert watcher.heard[-1] == "run_finished finalization_error"


def test_an_execute_of_the_users_own_that_raises_is_recorded() -> None:
    class Broken(Steps):
        def execute(self) -> bool:
            raise RuntimeError("my own mistake")

    outcome = kernel_of().run(Broken(Nothing))
    assert outcome.status == "unhandled_exception"
    assert outcome.record.errors[0]["message"] == "my own mistake"


def test_an_executor_that_raises_fails_the_run_as_an_exception() -> None:
    class Executors:
        @hookimpl
        def pamola_provide_executor(self, run: Any) -> Any:
            class Executor:
                def run_plan(self, plan: Any, driver: Any) -> None:
                    raise MemoryError("no more")

            return Executor()

    outcome = kernel_of(Executors()).run(Steps(Nothing))
    assert outcome.status == "exception"


def test_finalize_twice_gives_the_same_answer_and_tells_nobody_again() -> None:
    watcher = Watcher()
    task = Steps(Fail)
    kernel_of(watcher).run(task)
    assert task.finalize(True) is False
    assert task.status == "operation_error"
    assert sum(event.startswith("run_finished") for event in watcher.heard) == 1


def test_without_a_logging_service_nothing_is_written_to_the_terminal(capfd: pytest.CaptureFixture[str]) -> None:
    outcome = kernel_of().run(Steps(Fail))
    assert not outcome.success
    assert capfd.readouterr() == ("", "")


# ---------------------------------------------------------------- as a context manager


def _begin_and_raise(task: BaseTask, error: BaseException) -> None:
    assert task.initialize()
    raise error


def test_an_exception_in_a_with_block_finalizes_the_run_and_propagates() -> None:
    reports, watcher = Reports(), Watcher()
    task = Steps(Nothing)
    task.kernel = kernel_of(reports, watcher)
    with pytest.raises(LookupError, match="mine"), task:
        _begin_and_raise(task, LookupError("mine"))
    assert task.status == "context_exception"
    assert reports.saved[-1]["status"] == "context_exception"
    assert watcher.heard == ["run_started", "run_finished context_exception"]


def test_an_exception_in_a_with_block_before_initialize_stays_that_exception() -> None:
    task = Steps(Nothing)
    with pytest.raises(LookupError, match="mine"), task:
        raise LookupError("mine")
    assert task.status == "context_exception"
    assert task.error_info == {"type": "context_exception", "message": "mine"}


def test_ctrl_c_in_a_with_block_is_an_interruption() -> None:
    task = Steps(Nothing)
    task.kernel = kernel_of()
    with pytest.raises(KeyboardInterrupt), task:
        _begin_and_raise(task, KeyboardInterrupt())
    assert task.status == "interrupted"


def test_a_with_block_that_ends_well_finalizes_what_it_left_open() -> None:
    watcher = Watcher()
    task = Steps(Nothing)
    task.kernel = kernel_of(watcher)
    with task:
        task.initialize()
        task.configure_operations()
        assert task.execute()
    assert task.status == "success"
    assert watcher.heard[-1] == "run_finished success"


def test_a_with_block_around_run_finalizes_once() -> None:
    watcher = Watcher()
    task = Steps(Nothing)
    task.kernel = kernel_of(watcher)
    with task:
        assert task.run()
    assert sum(event.startswith("run_finished") for event in watcher.heard) == 1


# ---------------------------------------------------------------- what the task hands to operations


class Knows(Operation):
    """An operation with parameters that belong to the task."""

    chunk_size: int = 1
    use_encryption: bool = True
    use_cache: bool = True
    save_output: bool = True
    encryption_mode: str = "?"

    def execute(self, ctx: Any) -> OperationResult:
        return OperationResult.success(self.parameters())


def test_the_tasks_values_reach_operations_that_have_a_parameter_for_them() -> None:
    outcome = kernel_of(chunk_size=77).run(Steps(Knows))
    assert outcome.results["Knows"].metrics == {
        "chunk_size": 77,
        "use_encryption": False,
        "use_cache": False,
        "save_output": True,
        "encryption_mode": "none",
    }


@pytest.mark.parametrize("key", ["chunk_size", "dataset_name", "reporter", "npartitions", "task_dir", "save_output"])
def test_reserved_keys_do_not_reach_an_operation_and_a_warning_says_so(key: str) -> None:
    outcome = kernel_of().run(Steps((Nothing, {key: 5})))
    assert outcome.success
    assert [key in warning for warning in outcome.record.warnings] == [True]


def test_a_switch_that_an_operation_does_have_is_passed_on() -> None:
    outcome = kernel_of().run(Steps((Knows, {"save_output": False, "chunk_size": 3})))
    assert outcome.results["Knows"].metrics["save_output"] is False
    assert outcome.results["Knows"].metrics["chunk_size"] == 100_000, "the task's value, not the caller's"


def test_progress_of_a_step_reaches_observers_at_most_ten_times_a_second_and_at_its_end() -> None:
    class Busy(Operation):
        def execute(self, ctx: Any) -> OperationResult:
            for done in range(1001):
                ctx.progress(done, 1000, "rows")
            return OperationResult.success()

    watcher = Watcher()
    kernel_of(watcher).run(Steps(Busy))
    told = [event for event in watcher.heard if event.startswith("step_progress")]
    assert told[-1] == "step_progress Busy 1000/1000 rows"
    assert len(told) < 20


def test_stages_reach_observers_and_progress_counts_anew_in_each() -> None:
    class Staged(Operation):
        def execute(self, ctx: Any) -> OperationResult:
            for stage in ("reading", "measuring"):
                ctx.stage(stage)
                ctx.progress(1, 2, "rows")
            return OperationResult.success()

    class Shown(NoProgress):  # type: ignore[misc]
        came: ClassVar[list[float]] = []

        def update_operation(self, name: str, steps: float = 1, postfix: Any = None) -> None:
            self.came.append(steps)

    class ShownPlugin:
        @hookimpl
        def pamola_provide_progress(self, run: Any) -> Any:
            return Shown()

    watcher = Watcher()
    kernel_of(watcher, ShownPlugin()).run(Steps(Staged))
    told = [event for event in watcher.heard if event.startswith(("step_stage", "step_progress"))]
    assert told == [
        "step_stage Staged reading",
        "step_progress Staged 1/2 rows",
        "step_stage Staged measuring",
        "step_progress Staged 1/2 rows",
    ]
    assert Shown.came == [1, 1]


def test_a_context_gives_logger_directories_reporter_and_random_numbers() -> None:
    pytest.importorskip("numpy")

    class Looks(Operation):
        def execute(self, ctx: Any) -> OperationResult:
            ctx.logger.info("looking")
            assert ctx.rng is ctx.rng
            return OperationResult.success(
                {
                    "number": float(ctx.rng.random()),
                    "output": str(ctx.directories.get_directory("output")),
                    "reporter": ctx.reporter is ctx.run.reporter,
                }
            )

    one, two = (kernel_of(seed=3).run(Steps(Looks)).results["Looks"].metrics for _ in range(2))
    assert one == two
    assert one["output"].endswith("t_1/output")
    assert one["reporter"] is True


def test_without_keys_an_operation_that_needs_one_fails_with_what_to_install() -> None:
    class NeedsKey(Operation):
        def execute(self, ctx: Any) -> OperationResult:
            ctx.derive_key("pseudonyms")
            return OperationResult.success()

    outcome = kernel_of().run(Steps(NeedsKey))
    assert "pamola-tasks-encryption" in (outcome.results["NeedsKey"].error_message or "")


def test_a_task_that_is_to_be_encrypted_does_not_run_when_nobody_encrypts() -> None:
    outcome = kernel_of(use_encryption=True).run(Steps(Nothing))
    assert (outcome.status, outcome.exit_code) == ("initialization_error", 4)
    assert outcome.record.error is not None
    assert "use_encryption is on" in outcome.record.error["message"]


def test_a_task_that_is_to_be_encrypted_does_not_run_when_the_service_would_not_encrypt() -> None:
    from pamola_tasks.nulls import NoEncryption

    class Pretends:
        @hookimpl
        def pamola_provide_encryption(self, run: Any) -> Any:
            return NoEncryption()

    outcome = kernel_of(Pretends(), use_encryption=True).run(Steps(Nothing))
    assert outcome.record.error is not None
    assert "does not encrypt" in outcome.record.error["message"]


def test_a_task_that_is_finished_takes_no_more_operations() -> None:
    task = Steps(Nothing)
    kernel_of().run(task)
    with pytest.raises(UsageError, match="add_operation"):
        task._running("add_operation")
    assert task.add_operation(Nothing) is False
