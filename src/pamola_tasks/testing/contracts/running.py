"""The contracts of executor, dependencies and scheduler: what runs, in which order, and what it may rely on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pamola_tasks.errors import (
    DependencyFailedError,
    DependencyMissingError,
    MaxRetriesExceededError,
    StepTimeout,
    TaskCycleError,
    UnknownTaskError,
)
from pamola_tasks.hookspecs import hookimpl
from pamola_tasks.testing.contracts.base import ServiceContract
from pamola_tasks.testing.contracts.steps import Break, ContractTask, Copy, Interrupt, Slow, Unsteady

if TYPE_CHECKING:
    from pamola_tasks.kernel import Kernel
    from pamola_tasks.outcome import Outcome
    from pamola_tasks.testing.contracts.faults import Events

SECOND = (Copy, {"input_dataset": "copy", "output_dataset": "second", "number": 2})
APART = (Copy, {"output_dataset": "apart", "number": 3})


class ExecutorContract(ServiceContract):
    """What `Executor` promises."""

    service = "executor"

    def test_every_step_runs_once_behind_those_it_needs(self, kernel: Kernel, events: Events) -> None:
        """Each step of the plan runs once, after the steps whose datasets it reads."""
        outcome = self.run(kernel, Copy, SECOND, APART)
        ended = events.steps("step_finished")
        assert sorted(ended) == ["Copy", "Copy-2", "Copy-3"]
        writes = {facts["step"].id: facts["step"].writes for facts in events.of("step_finished")}
        first = next(step for step, names in writes.items() if "copy" in names)
        assert ended.index(first) < ended.index(next(step for step, names in writes.items() if "second" in names))
        assert {name: result.attempts for name, result in outcome.results.items()} == dict.fromkeys(ended, 1)

    def test_results_are_those_of_the_steps(self, kernel: Kernel) -> None:
        """The result of each step has its metrics."""
        outcome = self.run(kernel, Copy, SECOND)
        assert {name: dict(result.metrics) for name, result in outcome.results.items()} == {
            "Copy": {"number": 1},
            "Copy-2": {"number": 2},
        }

    def test_after_a_failure_nothing_begins(self, kernel: Kernel, events: Events) -> None:
        """After a step has failed no further one begins, and the run has failed with its error."""
        outcome = self.run(kernel, Break, APART, success=False)
        assert events.steps("step_started") == ["Break"]
        assert isinstance(outcome.error, ValueError)
        assert outcome.results["Break"].failed

    def test_independent_steps_go_on_when_asked(self, kernel: Kernel, events: Events) -> None:
        """With `continue_on_error` steps that need nothing of the failed one run, and those that do are not begun."""
        self.run(kernel, Break, SECOND, APART, success=False, overrides={"continue_on_error": True})
        assert events.steps("step_started") == ["Break", "Copy-2"]

    def test_what_is_unchanged_is_not_attempted(self, new_kernel: Callable[..., Kernel], events: Events) -> None:
        """A step that checkpoints say may be skipped is not attempted."""
        for _ in range(2):
            events.seen.clear()
            outcome = self.run(new_kernel(), overrides={"enable_checkpoints": True})
        assert outcome.results["Copy"].attempts == 0
        assert events.steps("step_started") == []
        assert events.steps("step_skipped") == ["Copy"]

    def unsteady(self, kernel: Kernel, failures: int, retries: int) -> Outcome:
        """A run of a step that fails so many times, which may be retried so often."""
        step = Unsteady, {"attempts": str(Path(kernel.project.root, f"attempts_{failures}")), "failures": failures}
        retry = {"retry.max_retries": retries, "retry.initial_wait": 0.001}
        return self.run(kernel, step, success=failures <= retries, overrides=retry)

    def test_what_may_pass_is_attempted_again(self, kernel: Kernel, events: Events) -> None:
        """A step that fails with a ConnectionError is attempted again, `retry.max_retries` times at most, and each time
        said before."""
        outcome = self.unsteady(kernel, failures=2, retries=2)
        assert outcome.results["Unsteady"].attempts == 3
        assert dict(outcome.results["Unsteady"].metrics) == {"made": 3}
        said = events.of("step_retried")
        assert [(facts["attempt"], type(facts["error"])) for facts in said] == [(n, ConnectionError) for n in (1, 2)]
        outcome = self.unsteady(kernel, failures=9, retries=1)
        assert isinstance(outcome.error, MaxRetriesExceededError)
        assert outcome.results["Unsteady"].attempts == 2

    def test_what_lasts_is_not_attempted_again(self, kernel: Kernel, events: Events) -> None:
        """A step that fails with a ValueError is not."""
        outcome = self.run(kernel, Break, success=False, overrides={"retry.max_retries": 3})
        assert outcome.results["Break"].attempts == 1
        assert events.of("step_retried") == []

    def test_a_step_over_its_time_limit_is_stopped(self, kernel: Kernel, events: Events) -> None:
        """A step that takes longer than `timeout` is stopped and has failed with a StepTimeout; it is not retried."""
        outcome = self.run(kernel, Slow, APART, success=False, overrides={"timeout": 0.2, "retry.max_retries": 1})
        assert isinstance(outcome.error, StepTimeout), f"it ended with {outcome.error!r}"
        assert events.steps("step_started") == ["Slow"]
        assert events.of("step_retried") == []

    def test_an_interrupt_ends_the_run(self, kernel: Kernel, events: Events) -> None:
        """Ctrl-C in a step ends the run at once, as an interrupt and not as a failure of the step."""
        outcome = self.run(kernel, Interrupt, APART, success=False)
        assert (outcome.status, type(outcome.error)) == ("interrupted", KeyboardInterrupt)
        assert "Copy" not in events.steps("step_started")


class DependenciesContract(ServiceContract):
    """What `Dependencies` promises."""

    service = "dependencies"

    def second(self, **more: Any) -> ContractTask:
        """A task that depends on the first."""
        return ContractTask(Copy, task_id="second", configuration={"dependencies": ["contract"], **more})

    def test_a_dependency_that_never_ran_stops(self, kernel: Kernel) -> None:
        """A task that depends on one that never ran is refused with DependencyMissingError, which names it."""
        outcome = self.run(kernel, task=self.second(), success=False)
        assert isinstance(outcome.error, DependencyMissingError)
        assert "contract" in str(outcome.error)

    def test_a_dependency_that_failed_stops(self, new_kernel: Callable[..., Kernel]) -> None:
        """A task that depends on one whose newest run failed is refused with DependencyFailedError."""
        self.run(new_kernel())
        self.run(new_kernel(), Break, success=False)
        outcome = self.run(new_kernel(), task=self.second(), success=False)
        assert isinstance(outcome.error, DependencyFailedError)
        assert "contract" in str(outcome.error)

    def test_a_dependency_that_went_well_does_not(self, new_kernel: Callable[..., Kernel], events: Events) -> None:
        """Behind a task that went well the next one runs, and a task without dependencies always does."""
        self.run(new_kernel())
        events.seen.clear()
        self.run(new_kernel(), task=self.second())
        assert events.steps("step_finished") == ["Copy"]

    def test_its_output_is_found(self, new_kernel: Callable[..., Kernel]) -> None:
        """The output directory of a dependency is given, or the files in it that match a pattern."""
        outcome = self.run(new_kernel())
        left = Path(outcome.project_root, outcome.record.outputs[0].path)
        found = self.look(new_kernel(), self.second()).dependencies
        assert found.get_dependency_output("contract") == left.parent
        assert found.get_dependency_output("contract", "copy.*") == [left]

    def test_errors_are_warnings_when_asked(self, kernel: Kernel) -> None:
        """With `continue_on_error` what is missing is a warning, which names the task, and the task runs."""
        outcome = self.run(kernel, task=self.second(), overrides={"continue_on_error": True})
        assert [warning for warning in outcome.record.warnings if "contract" in warning]


def task_named(task_id: str, *needs: str, step: Any = Copy) -> type[ContractTask]:
    """A task of the project."""

    class Named(ContractTask):
        def __init__(self) -> None:
            super().__init__(step, task_id=task_id, configuration={"dependencies": list(needs)})

    return Named


class ProjectTasks:
    """A plugin with tasks: `c` needs `b`, which needs `a`; `z` needs none; more where they are given."""

    PAMOLA_PLUGIN_NAME = "kit-tasks"

    def __init__(self) -> None:
        self.tasks: dict[str, type[ContractTask]] = {
            "c": task_named("c", "b"),
            "b": task_named("b", "a"),
            "a": task_named("a"),
            "z": task_named("z"),
        }

    @hookimpl
    def pamola_add_tasks(self) -> Mapping[str, Any]:
        """The tasks."""
        return self.tasks


class SchedulerContract(ServiceContract):
    """What `Scheduler` promises."""

    service = "scheduler"

    @pytest.fixture(autouse=True)
    def project_tasks(self) -> ProjectTasks:
        """The tasks of the project."""
        self.named = ProjectTasks()
        return self.named

    def extras(self) -> list[Any]:
        """The tasks of the project."""
        return [self.named]

    def provided(self, kernel: Kernel) -> Any:
        """The scheduler, which is the kernel's."""
        return kernel.scheduler

    def statuses(self, kernel: Kernel, *names: str, **more: Any) -> dict[str, str]:
        """Run tasks; what became of each, in order."""
        return {each.task_id: each.status for each in kernel.scheduler.run(names, options=self.options(), **more)}

    def test_it_knows_the_tasks(self, kernel: Kernel) -> None:
        """`tasks` gives every task of the project, sorted, with those that each needs."""
        found = kernel.scheduler.tasks()
        assert list(found) == ["a", "b", "c", "z"]
        assert {name: list(node.needs) for name, node in found.items()} == {"a": [], "b": ["a"], "c": ["b"], "z": []}

    def test_tasks_come_behind_those_they_need(self, kernel: Kernel) -> None:
        """`order` gives each task behind those that it needs: all, or what was named, alone or with what it needs."""
        everything = list(kernel.scheduler.order())
        assert sorted(everything) == ["a", "b", "c", "z"]
        assert everything.index("a") < everything.index("b") < everything.index("c")
        assert list(kernel.scheduler.order(["c"], with_dependencies=True)) == ["a", "b", "c"]
        assert list(kernel.scheduler.order(["c"])) == ["c"]

    def test_a_circle_is_an_error(self, kernel: Kernel) -> None:
        """Tasks that need each other are a TaskCycleError."""
        self.named.tasks["a"] = task_named("a", "c")
        with pytest.raises(TaskCycleError):
            kernel.scheduler.order(["c"], with_dependencies=True)

    def test_an_unknown_task_is_an_error(self, kernel: Kernel) -> None:
        """A task that is named and not there is an UnknownTaskError; nothing is run."""
        with pytest.raises(UnknownTaskError):
            kernel.scheduler.order(["never"])

    def test_it_runs_them_in_order(self, kernel: Kernel, events: Events) -> None:
        """`run` runs the tasks and gives what became of each, in order."""
        assert self.statuses(kernel, "c", with_dependencies=True) == {"a": "run", "b": "run", "c": "run"}
        assert len(events.of("run_finished")) == 3

    def test_what_needs_a_failed_task_is_not_run(self, kernel: Kernel, events: Events) -> None:
        """After a failure no task runs that needs the failed one; with `continue_on_error` the others do."""
        self.named.tasks["a"] = task_named("a", step=Break)
        found = self.statuses(kernel, "c", with_dependencies=True)
        assert found["a"] == "run"
        assert {found.get("b", "not_run"), found.get("c", "not_run")} == {"not_run"}
        assert len(events.of("run_finished")) == 1

    def test_a_dry_run_runs_nothing(self, kernel: Kernel, events: Events) -> None:
        """`dry_run` says of each task, in order, what would be done, and does nothing."""
        planned = list(kernel.scheduler.dry_run(["a"], options=self.options()))
        assert [(each.task_id, each.action) for each in planned] == [("a", "run")]
        assert [step.action for step in planned[0].steps] == ["run"]
        assert events.seen == []
