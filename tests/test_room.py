"""Whether there is room is estimated before a dataset is written, from the sizes of what is read."""

from __future__ import annotations

import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest
from disk_kit import disk_kernel
from kernel_kit import Add, Count, Steps, dataset

from pamola_tasks import Kernel, hookimpl
from pamola_tasks.errors import DataWriteError
from pamola_tasks.plan import Plan
from pamola_tasks.protocols import RunServices
from pamola_tasks_data.provider import RECORDS, check_room


def task(root: Path) -> Steps:
    """Two steps that write a table as large as the input, one that leaves an artifact only."""
    return Steps(
        (Add, {"input_dataset": "numbers", "output_dataset": "a", "step": {"id": "first"}}),
        (Add, {"input_dataset": "a", "output_dataset": "b", "step": {"id": "second"}}),
        (Count, {"input_dataset": "b"}),
        input_datasets={"numbers": dataset(root, "numbers", range(10_000))},
    )


class Checks:
    """The check of the data plugin, without its services."""

    PAMOLA_PLUGIN_NAME = "checks-room"

    @hookimpl
    def pamola_check_plan(self, run: RunServices, plan: Plan) -> None:
        """Room on the disk."""
        check_room(run, plan)


def checked_kernel(root: Path, **configuration: bool) -> Kernel:
    return disk_kernel(root, Checks(), **configuration)


def leave_free(monkeypatch: pytest.MonkeyPatch, free: int) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=free))


def test_a_run_without_room_for_its_datasets_is_refused_with_the_numbers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    needed = 2 * len((tmp_path / task(tmp_path).input_datasets["numbers"]).read_bytes()) + RECORDS
    leave_free(monkeypatch, needed - 1)
    outcome = checked_kernel(tmp_path).run(task(tmp_path))
    assert not outcome.success
    assert isinstance(outcome.error, DataWriteError)
    assert f"about {needed:,} bytes are needed" in str(outcome.error)
    assert f"{needed - 1:,} bytes are free" in str(outcome.error)
    assert str(tmp_path) in str(outcome.error)
    assert outcome.results == {}
    leave_free(monkeypatch, needed)
    assert checked_kernel(tmp_path).run(task(tmp_path)).success


def test_who_knows_better_switches_the_check_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    leave_free(monkeypatch, 0)
    assert checked_kernel(tmp_path, check_free_space=False).run(task(tmp_path)).success


def test_what_finished_steps_left_needs_no_room_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert checked_kernel(tmp_path).run(task(tmp_path)).success
    leave_free(monkeypatch, RECORDS)
    assert checked_kernel(tmp_path).run(task(tmp_path)).success


def test_an_input_that_is_not_there_is_left_to_the_step_that_reads_it(tmp_path: Path) -> None:
    missing = Steps((Count, {"input_dataset": "absent"}), input_datasets={"absent": "absent.json"})
    outcome = checked_kernel(tmp_path).run(missing)
    assert outcome.record.error is not None
    assert outcome.record.error["step"] == "Count"
