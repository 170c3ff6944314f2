"""The contract of the history: every run is in it from its first moment, as it ended, and stays there."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Any

from pamola_tasks.testing.contracts.base import ServiceContract
from pamola_tasks.testing.contracts.steps import MARKER, Break, ContractTask, Copy

if TYPE_CHECKING:
    from pathlib import Path

    from pamola_tasks.kernel import Kernel
    from pamola_tasks.testing.contracts.faults import Events, Faults


class HistoryContract(ServiceContract):
    """What `History` promises."""

    service = "history"

    def newest(self, kernel: Kernel, task_id: str = "contract", *, success_only: bool = False) -> Any:
        """The newest record of a task."""
        return self.provided(kernel).find_latest_execution(task_id, success_only)

    def test_a_run_is_recorded_while_it_runs(self, new_kernel: Callable[[], Kernel], events: Events) -> None:
        """From the run's start on there is a record with status `running`, not yet a success."""
        during: list[Any] = []
        kernel = new_kernel()
        events.asked["step_started"] = lambda run: during.append(
            dict(run.history.find_latest_execution("contract", success_only=False) or {})
        )
        outcome = self.run(kernel)
        assert during, "the step did not start"
        assert during[0].get("task_run_id") == outcome.run_id
        assert during[0].get("status") == "running"
        assert not during[0].get("success")

    def test_a_run_that_ended_is_recorded_whole(self, new_kernel: Callable[[], Kernel], project: Path) -> None:
        """The record of a success has ids, moment, status and seconds, and its files with path, hash and bytes."""
        outcome = self.run(new_kernel())
        record = self.newest(new_kernel())
        assert (record["task_id"], record["task_run_id"]) == ("contract", outcome.run_id)
        assert datetime.fromisoformat(record["timestamp"]).utcoffset() is not None, "the moment has no time zone"
        assert (record["success"], record["status"], record["error"]) == (True, "success", None)
        assert record["execution_time"] >= 0
        for kind, name in (("input_files", "people.json"), ("output_files", "copy.")):
            found = next(file for file in record[kind] if name in file["path"])
            content = (project / found["path"]).read_bytes()
            assert found["sha256"] == hashlib.sha256(content).hexdigest(), f"the hash of {found['path']} is another"
            assert found["bytes"] == len(content)

    def test_a_failure_is_recorded_with_its_error(self, new_kernel: Callable[[], Kernel]) -> None:
        """The record of a failure has no success, and says what went wrong without a cell of the table."""
        self.run(new_kernel(), Break, success=False)
        record = self.newest(new_kernel())
        assert not record["success"]
        assert record["status"] not in ("success", "running")
        assert record["error"]["message"]
        assert MARKER not in repr(record), "the record holds a cell"

    def test_a_success_is_found_behind_a_failure(self, new_kernel: Callable[[], Kernel]) -> None:
        """`find_latest_execution` gives the newest success, or with `success_only=False` the newest of all."""
        good = self.run(new_kernel())
        bad = self.run(new_kernel(), Break, success=False)
        kernel = new_kernel()
        assert self.newest(kernel, success_only=True)["task_run_id"] == good.run_id
        assert self.newest(kernel)["task_run_id"] == bad.run_id

    def test_the_newest_run_counts(self, new_kernel: Callable[[], Kernel]) -> None:
        """Of several successes the last one is given."""
        runs = [self.run(new_kernel()).run_id for _ in range(3)]
        assert self.newest(new_kernel(), success_only=True)["task_run_id"] == runs[-1]

    def test_tasks_do_not_mix(self, new_kernel: Callable[[], Kernel]) -> None:
        """A task has its own runs only; one that never ran has none."""
        mine = self.run(new_kernel())
        self.run(new_kernel(), task=ContractTask(Copy, task_id="other"))
        kernel = new_kernel()
        assert self.newest(kernel)["task_run_id"] == mine.run_id
        assert self.newest(kernel, "never") is None

    def test_a_killed_run_is_no_success(self, new_kernel: Callable[[], Kernel], faults: Faults) -> None:
        """Of a process that was killed a record without success is left."""
        self.run(new_kernel())
        act = lambda: self.run(new_kernel(), (Copy, {"number": 2}))  # noqa: E731
        assert faults.killed(act, "replace", "output/copy"), "nothing was published"
        kernel = new_kernel()
        record = self.newest(kernel)
        assert not record["success"]
        assert record["task_run_id"] != self.newest(kernel, success_only=True)["task_run_id"]

    def test_records_are_newest_first(self, new_kernel: Callable[[], Kernel]) -> None:
        """Where there is a method `records`, it gives every run once, the newest first."""
        runs = [self.run(new_kernel()).run_id for _ in range(3)]
        history = self.provided(new_kernel())
        if hasattr(history, "records"):
            assert [record["task_run_id"] for record in history.records()] == runs[::-1]
