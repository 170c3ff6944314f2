"""How a run is executed and recorded in memory: an executor without retries, time limits or threads; the history."""

from __future__ import annotations

import traceback
from typing import TYPE_CHECKING, Any

from pamola_tasks.hookspecs import hookimpl
from pamola_tasks.protocols import RunServices
from pamola_tasks.record import OperationResult, rfc3339

if TYPE_CHECKING:
    from pamola_tasks.plan import Plan
    from pamola_tasks.protocols import StepDriver


class SequentialExecutor:
    """Runs steps one after the other, each once."""

    def run_plan(self, plan: Plan, driver: StepDriver) -> None:
        for step in plan:
            if driver.stopped:
                return
            if driver.prepare(step):
                try:
                    result = driver.attempt(step)
                except Exception as error:
                    result = OperationResult.failure(error, "".join(traceback.format_exception(error)))
                driver.complete(step, result)


class SequentialExecutorPlugin:
    """The plainest executor."""

    PAMOLA_PLUGIN_NAME = "memory-executor"

    @hookimpl(trylast=True)
    def pamola_provide_executor(self, run: RunServices) -> SequentialExecutor:
        return SequentialExecutor()


class MemoryHistory:
    """The execution history as a list.

    Args:
        records: The list, newest last.
    """

    def __init__(self, records: list[dict[str, Any]]) -> None:
        self.records = records

    def run_started(self, run: RunServices) -> None:
        self.records.append(
            {
                "task_id": run.record.task_id,
                "task_run_id": run.id,
                "timestamp": rfc3339(run.record.started),
                "success": None,
                "status": "running",
                "steps": {},
            }
        )

    def step_finished(self, run: RunServices, step: str, status: str, seconds: float) -> None:
        self._of(run)["steps"][step] = status

    def run_finished(self, run: RunServices) -> None:
        record = run.record
        self._of(run).update(success=record.success, status=record.status, execution_time=record.seconds)

    def _of(self, run: RunServices) -> dict[str, Any]:
        return next(record for record in reversed(self.records) if record["task_run_id"] == run.id)

    def find_latest_execution(self, task_id: str, success_only: bool = True) -> dict[str, Any] | None:
        record: dict[str, Any]
        for record in reversed(self.records):
            if record["task_id"] == task_id and (record["success"] or not success_only):
                return record
        return None


class MemoryHistoryPlugin:
    """History in memory.

    Attributes:
        records: All runs of the kernel, newest last.
    """

    PAMOLA_PLUGIN_NAME = "memory-history"

    def __init__(self) -> None:
        self.records: list[dict[str, Any]] = []

    @hookimpl(trylast=True)
    def pamola_provide_history(self, run: RunServices) -> MemoryHistory:
        return MemoryHistory(self.records)
