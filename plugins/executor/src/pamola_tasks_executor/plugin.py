"""What this plugin adds: the executor, and objections to what it cannot do."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from pamola_tasks import hookimpl, hookspec

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from pamola_tasks import Kernel, Operation, OperationResult
    from pamola_tasks.plan import Plan, Step
    from pamola_tasks.protocols import Config, Executor, ReportSection, RunServices
    from pamola_tasks_executor.elsewhere import Elsewhere

PAMOLA_HOOK_API = 1


class _Hooks:
    """The hook that this plugin adds, for plugins with a place of their own."""

    @hookspec(firstresult=True)
    def pamola_execute_elsewhere(self, run: RunServices, place: Elsewhere) -> Executor:  # type: ignore[empty-body]
        """Make the executor that runs the steps of plans in a place: for `pamola_provide_executor` of its plugin."""


@hookimpl
def pamola_add_hooks(add: Callable[[Any], None]) -> None:
    add(_Hooks)


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
    from pamola_tasks_executor.choosing import asks_for_dask, dask_executor

    return dask_executor(run) if asks_for_dask(run) else _executor(run)


@hookimpl
def pamola_execute_elsewhere(run: RunServices, place: Elsewhere) -> Executor:
    return _executor(run, place)


def _executor(run: RunServices, place: Elsewhere | None = None) -> Executor:
    from pamola_tasks_executor.executor import TaskOperationExecutor

    return TaskOperationExecutor(
        run.config,
        run.logger,
        run.reporter,
        settings=run.config.plugin("executor"),
        elsewhere=place,
        owns_process=run.options.owns_process,
    )


@hookimpl
def pamola_check_plan(run: RunServices, plan: Plan) -> Iterable[str]:
    from pamola_tasks_executor.choosing import contradictions
    from pamola_tasks_executor.executor import TaskOperationExecutor

    yield from contradictions(run)
    if isinstance(run.executor, TaskOperationExecutor):
        yield from run.executor.objections(plan)
    named = [step for step in plan if _interpreter(run, step)]
    if not named:
        return
    if not isinstance(run.executor, TaskOperationExecutor):
        yield f"step {named[0].id} names another interpreter (python), which {type(run.executor).__name__} cannot use"
        return
    from pamola_tasks_executor.interpreters import objections

    yield from objections(run, plan)


def _interpreter(run: RunServices, step: Step) -> str | None:
    """The other interpreter of a step, if it has one."""
    return step.options.python or getattr(run.config.plugin("executor"), "python", None)


@hookimpl
def pamola_add_fingerprint_parts(run: RunServices, step: Step) -> dict[str, str]:
    if not _interpreter(run, step):
        return {}
    from pamola_tasks_executor.interpreters import fingerprint_parts

    return fingerprint_parts(run, step)


@hookimpl
def pamola_add_report_sections(run: RunServices) -> list[ReportSection]:
    if not any(_interpreter(run, step) for step in vars(run).get("plan", ())):
        return []
    from pamola_tasks.protocols import ReportSection
    from pamola_tasks_executor.interpreters import facts

    return [ReportSection(title="Other interpreters", key="interpreters", facts=facts(run))]


@hookimpl(trylast=True)
def pamola_run_operation(kernel: Kernel, operation: Operation, arguments: Mapping[str, Any]) -> OperationResult:
    from pamola_tasks_executor.single_operation import run_operation

    return run_operation(kernel, operation, **arguments)
