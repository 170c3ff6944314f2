"""An executor without retries, time limits or threads."""

from __future__ import annotations

import traceback
from typing import TYPE_CHECKING

from pamola_tasks.hookspecs import hookimpl
from pamola_tasks.protocols import RunServices
from pamola_tasks.record import OperationResult

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
