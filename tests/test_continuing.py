"""Nothing that was finished is done twice or lost: steps that stand, steps that are run again, and why."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from disk_kit import Disk, Kept, disk_kernel
from kernel_kit import (
    Add,
    Count,
    Draw,
    Fail,
    Interrupted,
    Nothing,
    Steps,
    Watcher,
    dataset,
    files_below,
    statuses,
)

from pamola_tasks import Operation, OperationResult, Secret, hookimpl
from pamola_tasks.protocols import RunServices
from pamola_tasks.storage.files import temporary_name
from pamola_tasks_orchestration.dry_run import dry_run


@pytest.fixture
def numbers(tmp_path: Path) -> str:
    return dataset(tmp_path, "numbers", [1, 2, 3])


def chain(numbers: str, *, number: int = 1, more: int = 10, extra: tuple[Any, ...] = ()) -> Steps:
    return Steps(
        (Add, {"input_dataset": "numbers", "output_dataset": "a", "number": number, "step": {"id": "first"}}),
        (Add, {"input_dataset": "a", "output_dataset": "b", "number": more, "step": {"id": "second"}}),
        (Count, {"input_dataset": "b"}),
        *extra,
        input_datasets={"numbers": numbers},
    )


def test_a_second_run_skips_what_is_done_and_keeps_metrics_artifacts_and_outputs(tmp_path: Path, numbers: str) -> None:
    first = disk_kernel(tmp_path, seed=1).run(chain(numbers))
    assert first.success, first.record.error
    before = files_below(tmp_path / "DATA" / "processed" / "t_1" / "output")
    watcher = Watcher()
    task = chain(numbers)
    second = disk_kernel(tmp_path, watcher, seed=1).run(task)
    assert second.success
    assert statuses(second.results) == {"first": "skipped", "second": "skipped", "Count": "skipped"}
    assert re.fullmatch(r"nothing changed since \d{4}-\d\d-\d\d \d\d:\d\d UTC", second.results["Count"].reason)
    assert [step.made_by for step in second.record.steps] == [first.run_id] * len(second.record.steps)
    assert second.results["Count"].attempts == 0
    assert second.record.metrics == first.record.metrics == task.metrics
    assert [a.path for a in second.record.artifacts] == [a.path for a in first.record.artifacts]
    assert [(d.name, d.sha256) for d in second.record.outputs] == [(d.name, d.sha256) for d in first.record.outputs]
    assert second.record.resumed_from == first.run_id
    assert files_below(tmp_path / "DATA" / "processed" / "t_1" / "output") == before
    assert list(second.datasets["b"]) == [12, 13, 14]
    assert list(second.datasets["a"]) == [2, 3, 4]
    assert sorted(second.datasets) == ["a", "b"]
    assert len(second.datasets) == 2
    assert [event.split(":")[0] for event in watcher.heard] == [
        "run_started",
        "step_skipped first",
        "step_skipped second",
        "step_skipped Count",
        "run_finished success",
    ]


def test_a_changed_parameter_reruns_its_step_and_what_depends_on_it_and_says_why(tmp_path: Path, numbers: str) -> None:
    disk_kernel(tmp_path).run(chain(numbers))
    outcome = disk_kernel(tmp_path).run(chain(numbers, more=20))
    assert statuses(outcome.results) == {"first": "skipped", "second": "success", "Count": "success"}
    reasons = {step.step: step.reason for step in outcome.record.steps}
    assert reasons["second"] == "`number` changed from 10 to 20"
    assert reasons["Count"] == "input b changed"
    assert list(outcome.datasets["b"]) == [22, 23, 24]


def test_a_changed_input_reruns_all_that_follows(tmp_path: Path, numbers: str) -> None:
    disk_kernel(tmp_path).run(chain(numbers))
    dataset(tmp_path, "numbers", [5])
    outcome = disk_kernel(tmp_path).run(chain(numbers))
    assert [step.reason for step in outcome.record.steps] == [
        "input numbers changed",
        "input a changed",
        "input b changed",
    ]
    assert list(outcome.datasets["b"]) == [16]


def test_a_step_that_gives_the_same_again_lets_what_follows_stand(tmp_path: Path, numbers: str) -> None:
    disk_kernel(tmp_path).run(chain(numbers))
    (tmp_path / "DATA" / "processed" / "t_1" / ".state" / "steps" / "first" / "a.json").unlink()
    outcome = disk_kernel(tmp_path).run(chain(numbers))
    assert statuses(outcome.results) == {"first": "success", "second": "skipped", "Count": "skipped"}
    assert outcome.record.steps[0].reason == "output a is not as it was left"


def test_an_output_that_was_altered_is_made_again(tmp_path: Path, numbers: str) -> None:
    disk_kernel(tmp_path).run(chain(numbers))
    output = tmp_path / "DATA" / "processed" / "t_1" / "output" / "b.json"
    output.write_text("[0]")
    outcome = disk_kernel(tmp_path).run(chain(numbers))
    assert statuses(outcome.results)["second"] == "success"
    assert json.loads(output.read_text()) == [12, 13, 14]


def test_an_inserted_step_moves_nobody_elses_seed_and_runs_alone(tmp_path: Path, numbers: str) -> None:
    first = disk_kernel(tmp_path).run(Steps(Draw, (Draw, {"step": {"id": "other"}})))
    second = disk_kernel(tmp_path).run(Steps(Nothing, Draw, (Draw, {"step": {"id": "other"}})))
    assert statuses(second.results) == {"Nothing": "success", "Draw": "skipped", "other": "skipped"}
    assert second.record.seed == first.record.seed, "the seed of the run that is continued"
    assert second.record.metrics == first.record.metrics


def test_another_seed_reruns_the_steps(tmp_path: Path) -> None:
    disk_kernel(tmp_path, seed=1).run(Steps(Draw))
    outcome = disk_kernel(tmp_path, seed=2).run(Steps(Draw))
    assert statuses(outcome.results) == {"Draw": "success"}
    assert outcome.record.steps[0].reason.startswith("seed changed")


def test_a_restart_does_everything_again(tmp_path: Path, numbers: str) -> None:
    disk_kernel(tmp_path).run(chain(numbers))
    outcome = disk_kernel(tmp_path).run(chain(numbers), restart=True)
    assert set(statuses(outcome.results).values()) == {"success"}
    assert outcome.record.resumed_from is None
    again = disk_kernel(tmp_path)
    task = chain(numbers)
    task.kernel = again
    assert task.run(force_restart=True)
    assert set(statuses(task.results).values()) == {"success"}


@pytest.mark.parametrize("break_off", [Fail, Interrupted])
def test_a_run_that_broke_off_is_continued_at_the_first_unfinished_step(
    tmp_path: Path, numbers: str, break_off: type[Operation]
) -> None:
    broken = chain(numbers)
    broken.steps = (*broken.steps[:2], break_off, broken.steps[2])
    assert not disk_kernel(tmp_path).run(broken).success
    outcome = disk_kernel(tmp_path).run(chain(numbers))
    assert statuses(outcome.results) == {"first": "skipped", "second": "skipped", "Count": "success"}
    assert outcome.success


def test_a_failed_step_is_not_taken_for_done_even_when_the_run_went_on(tmp_path: Path) -> None:
    task = Steps(Fail, Nothing)
    disk_kernel(tmp_path, continue_on_error=True).run(task)
    outcome = disk_kernel(tmp_path, continue_on_error=True).run(task)
    assert statuses(outcome.results) == {"Fail": "error", "Nothing": "skipped"}


def test_a_step_that_raises_what_is_no_exception_has_failed_and_is_not_taken_for_done(tmp_path: Path) -> None:
    class Cancelled(BaseException):
        """As asyncio and debuggers raise."""

    class Breaks(Operation):
        def execute(self, ctx: Any) -> OperationResult:
            raise Cancelled("away")

    for _ in range(2):
        outcome = disk_kernel(tmp_path).run(Steps(Nothing, Breaks, (Nothing, {"step": {"id": "last"}})))
        assert not outcome.success
        assert outcome.record.error is not None
        assert "raised Cancelled" in outcome.record.error["message"]
        assert "last" not in outcome.results
    assert statuses(outcome.results)["Nothing"] == "skipped"
    outcome = disk_kernel(tmp_path).run(Steps(Nothing, (Nothing, {"step": {"id": "Breaks"}})))
    assert statuses(outcome.results) == {"Nothing": "skipped", "Breaks": "success"}


def test_a_shorter_or_other_pipeline_runs_on_what_is_its_own(tmp_path: Path, numbers: str) -> None:
    disk_kernel(tmp_path).run(chain(numbers))
    shorter = chain(numbers)
    shorter.steps = shorter.steps[:1]
    outcome = disk_kernel(tmp_path).run(shorter)
    assert outcome.success
    assert list(outcome.datasets["a"]) == [2, 3, 4]
    assert outcome.record.outputs[0].name == "a", "the last dataset of a chain is its output"
    assert outcome.record.outputs[0].path == "DATA/processed/t_1/output/a.json"


def test_plugins_add_parts_to_the_fingerprint(tmp_path: Path, numbers: str) -> None:
    class Policy:
        PAMOLA_PLUGIN_NAME = "policy"

        def __init__(self, version: int) -> None:
            self.version = version

        @hookimpl
        def pamola_add_fingerprint_parts(self, run: RunServices, step: Any) -> dict[str, Any] | None:
            return {"version": self.version} if step.id == "second" else None

    disk_kernel(tmp_path, Policy(1)).run(chain(numbers))
    outcome = disk_kernel(tmp_path, Policy(2)).run(chain(numbers))
    assert statuses(outcome.results) == {"first": "skipped", "second": "success", "Count": "skipped"}
    assert outcome.record.steps[1].reason == "version changed from 1 to 2"


def test_warnings_of_a_step_that_stands_are_told_again(tmp_path: Path) -> None:
    class Warns(Operation):
        def execute(self, ctx: Any) -> OperationResult:
            ctx.warn("look at column zip")
            return OperationResult.success()

    disk_kernel(tmp_path).run(Steps(Warns))
    outcome = disk_kernel(tmp_path).run(Steps(Warns))
    assert statuses(outcome.results) == {"Warns": "skipped"}
    assert outcome.record.warnings == ["look at column zip"]


def test_secret_parameters_are_not_in_any_file_and_a_changed_one_reruns_the_step(tmp_path: Path) -> None:
    class Salted(Operation):
        salt: Secret
        password: str = ""

        def execute(self, ctx: Any) -> OperationResult:
            return OperationResult.success({"password": self.password})

    def task(salt: str) -> Steps:
        return Steps((Salted, {"salt": salt, "password": "hunter22hunter22"}))

    assert disk_kernel(tmp_path).run(task("correct horse")).success
    assert statuses(disk_kernel(tmp_path).run(task("correct horse")).results) == {"Salted": "skipped"}
    outcome = disk_kernel(tmp_path).run(task("battery staple"))
    assert statuses(outcome.results) == {"Salted": "success"}
    assert outcome.record.steps[0].reason == "`salt` changed"
    assert outcome.record.steps[0].settings == {"salt": "***", "password": "***"}
    assert outcome.record.metrics == {"Salted": {"password": "***"}}
    everything = b"".join(files_below(tmp_path).values())
    for secret in (b"correct horse", b"battery staple", b"hunter22hunter22"):
        assert secret not in everything


# ---------------------------------------------------------------- what lies where


def test_intermediate_datasets_lie_in_the_state_outputs_in_the_output_and_nothing_else_is_left(
    tmp_path: Path, numbers: str
) -> None:
    outcome = disk_kernel(tmp_path).run(chain(numbers))
    found = sorted(files_below(tmp_path / "DATA" / "processed" / "t_1"))
    assert found == [
        ".state/checkpoints",
        ".state/lock",
        ".state/steps/first/a.json",
        "output/b.json",
        "output/count_b.json",
    ]
    assert [(d.name, d.kind) for d in outcome.record.outputs] == [("b", "output")]
    assert [(d.name, d.kind) for d in outcome.record.intermediates] == [("a", "intermediate")]
    assert [(d.name, d.path) for d in outcome.record.inputs] == [("numbers", "numbers.json")]


def test_datasets_that_the_configuration_lists_are_outputs_too(tmp_path: Path, numbers: str) -> None:
    outcome = disk_kernel(tmp_path, outputs=["a"]).run(chain(numbers))
    assert sorted(d.name for d in outcome.record.outputs) == ["a", "b"]


def test_an_operation_learns_the_format_that_a_dataset_will_have(tmp_path: Path, numbers: str) -> None:
    class Asks(Add):
        output_format: str | None = None

        def execute(self, ctx: Any) -> OperationResult:
            done = super().execute(ctx)
            done.metrics["format"] = ctx.data.format_of(self.output_dataset)
            return done

    task = Steps(
        (Asks, {"input_dataset": "numbers", "output_dataset": "a", "number": 1, "step": {"id": "between"}}),
        (Asks, {"input_dataset": "a", "output_dataset": "b", "number": 1, "step": {"id": "by_task"}}),
        (
            Asks,
            {"input_dataset": "a", "output_dataset": "c", "output_format": "csv", "number": 1, "step": {"id": "own"}},
        ),
        input_datasets={"numbers": numbers},
    )
    outcome = disk_kernel(tmp_path, output_format="jsonl").run(task)
    assert outcome.success, outcome.record.error
    assert {step: result.metrics["format"] for step, result in outcome.results.items()} == {
        "between": "parquet",
        "by_task": "jsonl",
        "own": "csv",
    }


def test_without_checkpoints_intermediate_datasets_are_temporary(tmp_path: Path, numbers: str) -> None:
    class Off(Kept):
        enabled = False

        def load(self) -> dict[str, Any]:
            return {}

        def save(self, saved: Any) -> None:
            """Not recorded."""

    class NoCheckpoints(Disk):
        checkpoints = Off

    from kernel_kit import kernel_of

    outcome = kernel_of(NoCheckpoints(tmp_path)).run(chain(numbers))
    assert outcome.success, outcome.record.error
    assert sorted(files_below(tmp_path / "DATA" / "processed" / "t_1")) == [
        ".state/lock",
        "output/b.json",
        "output/count_b.json",
    ]


def test_a_failed_step_leaves_no_file_and_the_output_of_the_run_before_stays(tmp_path: Path, numbers: str) -> None:
    good = Steps((Add, {"input_dataset": "numbers", "output_dataset": "b"}), input_datasets={"numbers": numbers})
    bad = Steps((Fail, {"input_dataset": "numbers", "output_dataset": "b"}), input_datasets={"numbers": numbers})
    disk_kernel(tmp_path).run(good)
    before = files_below(tmp_path / "DATA" / "processed" / "t_1" / "output")
    assert not disk_kernel(tmp_path).run(bad).success
    assert files_below(tmp_path / "DATA" / "processed" / "t_1" / "output") == before
    assert not list(tmp_path.rglob("*.new"))


def test_what_a_killed_run_had_begun_to_write_is_removed_by_the_next_one(tmp_path: Path, numbers: str) -> None:
    home = tmp_path / "DATA" / "processed" / "t_1"
    stale = home / ".state" / "steps" / "of-another-plan.new"
    stale.mkdir(parents=True)
    (stale / "a.json").write_text("[half")
    unpublished = home / "output" / temporary_name("b.json")
    unpublished.parent.mkdir()
    unpublished.touch()
    lock = home / ".state" / "lock"
    lock.write_text('{"pid": 1, "host": "h", "since": "s"}')  # nobody let go of it
    assert disk_kernel(tmp_path).run(chain(numbers)).success
    assert not stale.exists()
    assert not unpublished.exists()
    assert lock.read_text() == "", "this run did let go of it"


def test_an_artifact_can_be_found_from_any_folder(
    tmp_path: Path, numbers: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    for _ in range(2):
        outcome = disk_kernel(tmp_path).run(chain(numbers))
        [artifact] = outcome.results["Count"].artifacts
        assert artifact.path == "DATA/processed/t_1/output/count_b.json"
        assert artifact.exists()
    journal = (tmp_path / "DATA" / "processed" / "t_1" / ".state" / "checkpoints").read_text()
    assert str(tmp_path) not in journal, "a project can be moved"


def test_an_input_that_is_not_there_fails_its_step_by_name_and_others_run(tmp_path: Path, numbers: str) -> None:
    task = Steps(
        (Count, {"input_dataset": "absent"}),
        (Count, {"input_dataset": "numbers"}),
        input_datasets={"absent": "absent.json", "numbers": numbers},
    )
    outcome = disk_kernel(tmp_path, continue_on_error=True).run(task)
    assert statuses(outcome.results) == {"Count": "error", "Count-2": "success"}
    assert "absent.json" in (outcome.results["Count"].error_message or "")


@pytest.mark.parametrize("method", ["save", "verify"])
def test_checkpoints_that_cannot_be_kept_fail_the_step_and_so_the_run(
    tmp_path: Path, numbers: str, method: str
) -> None:
    def broken(self: Any, saved: Any) -> Any:
        raise OSError("disk full")

    class Broken(Disk):
        checkpoints = type("BrokenKept", (Kept,), {method: broken})

    from kernel_kit import kernel_of

    if method == "verify":
        disk_kernel(tmp_path).run(chain(numbers))
    outcome = kernel_of(Broken(tmp_path)).run(chain(numbers))
    assert not outcome.success
    assert outcome.record.error is not None
    assert (outcome.record.error["message"], outcome.record.error["step"]) == ("disk full", "first")
    assert statuses(outcome.results) == {"first": "error"}


# ---------------------------------------------------------------- one run at a time


def test_a_task_that_is_running_is_not_run_a_second_time(tmp_path: Path) -> None:
    from pamola_tasks.errors import AlreadyRunning

    met: list[BaseException] = []

    class Again(Operation):
        def execute(self, ctx: Any) -> OperationResult:
            try:
                disk_kernel(tmp_path).run(Steps(Nothing))
            except AlreadyRunning as error:
                met.append(error)
            return OperationResult.success()

    assert disk_kernel(tmp_path).run(Steps(Again)).success
    [error] = met
    assert isinstance(error, AlreadyRunning)
    assert error.exit_code == 75
    import os

    assert f"task t_1 is running already (process {os.getpid()} on " in str(error)
    assert "--wait" in str(error)
    assert disk_kernel(tmp_path).run(Steps(Nothing)).success, "the lock was let go"


def test_a_lock_that_tells_nothing_is_a_lock_all_the_same(tmp_path: Path) -> None:
    from pamola_tasks.errors import AlreadyRunning
    from pamola_tasks.storage import system

    lock = tmp_path / "DATA" / "processed" / "t_1" / ".state" / "lock"
    lock.parent.mkdir(parents=True)
    with open(lock, "a+b", buffering=0) as file:
        assert system.lock(file.fileno())
        with pytest.raises(AlreadyRunning, match="is locked by process"):
            disk_kernel(tmp_path).run(Steps(Nothing))


# ---------------------------------------------------------------- looking ahead


def test_what_a_run_would_do_can_be_seen_without_doing_it(tmp_path: Path, numbers: str) -> None:
    run_id = ""

    def ahead(task: Steps) -> list[tuple[str, str, str]]:
        found = dry_run(disk_kernel(tmp_path, seed=1).plan(task))
        assert {f.made_by for f in found if f.action == "skip"} <= {run_id}
        return [(f.step.id, f.action, re.sub(r" \d{4}-.*", "", f.reason)) for f in found]

    assert ahead(chain(numbers)) == [
        ("first", "run", "never finished"),
        ("second", "run", "it reads the output of step first, which runs again"),
        ("Count", "run", "it reads the output of step second, which runs again"),
    ]
    run_id = disk_kernel(tmp_path, seed=1).run(chain(numbers)).run_id
    before = files_below(tmp_path)
    assert ahead(chain(numbers, more=20)) == [
        ("first", "skip", "nothing changed since"),
        ("second", "run", "`number` changed from 10 to 20"),
        ("Count", "run", "it reads the output of step second, which runs again"),
    ]
    (tmp_path / numbers).unlink()
    assert ahead(chain("absent.json"))[0][1:] == (
        "run",
        "its input cannot be used: dataset 'numbers': there is no absent.json",
    )
    before.pop(numbers)
    assert files_below(tmp_path) == before
