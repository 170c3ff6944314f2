"""What this plugin adds: the executor, and objections to what it cannot do."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from pamola_tasks import hookimpl

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pamola_tasks import Kernel, Operation, OperationResult
    from pamola_tasks.plan import Plan
    from pamola_tasks.protocols import Config, Executor, RunServices

PAMOLA_HOOK_API = 1


@hookimpl
def pamola_add_settings() -> str:
    return "pamola_tasks_executor.settings:ExecutorSettings"


@hookimpl
def pamola_check_config(config: Config) -> list[str]:
    """A process that performs steps imports the script that runs the task: that must not run it again."""
    process = sys.modules.get("multiprocessing.process")
    if process is None or not getattr(process.current_process(), "_inheriting", False):
        return []
    said = "the script runs a task while a worker process imports it: run the task only under"
    return [f"{said} `if __name__ == '__main__':`"]


@hookimpl(trylast=True)
def pamola_provide_executor(run: RunServices) -> Executor:
    from pamola_tasks_executor.executor import TaskOperationExecutor

    settings, owned = run.config.plugin("executor"), run.options.owns_process
    return TaskOperationExecutor(run.config, run.logger, run.reporter, settings=settings, owns_process=owned)


@hookimpl
def pamola_check_plan(run: RunServices, plan: Plan) -> Iterable[str]:
    from pamola_tasks_executor.executor import TaskOperationExecutor

    return run.executor.objections(plan) if isinstance(run.executor, TaskOperationExecutor) else ()


@hookimpl(trylast=True)
def pamola_run_operation(kernel: Kernel, operation: Operation, arguments: Mapping[str, Any]) -> OperationResult:
    from pamola_tasks_executor.single_operation import run_operation

    return run_operation(kernel, operation, **arguments)
