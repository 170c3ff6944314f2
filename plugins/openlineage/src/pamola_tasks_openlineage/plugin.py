"""What pamola-tasks-openlineage adds: it watches runs, and says what happens as OpenLineage events."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pamola_tasks import hookimpl
from pamola_tasks.configuration import is_stated

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pamola_tasks.plan import Step
    from pamola_tasks.protocols import Config, RunServices
    from pamola_tasks.record import OperationResult

PAMOLA_HOOK_API = 1


def _asked(config: Config) -> bool:
    return is_stated(config, "openlineage") and config.plugin("openlineage").enabled


@hookimpl
def pamola_add_settings() -> str:
    """The section `openlineage` of the configuration."""
    return "pamola_tasks_openlineage.settings:OpenLineageSettings"


@hookimpl
def pamola_check_config(config: Config) -> Iterable[str]:
    """Refuse an address that events must not be sent to."""
    if not is_stated(config, "openlineage"):
        return []
    from pamola_tasks_openlineage.settings import problems

    return list(problems(config))


@hookimpl
def pamola_on_run_started(run: RunServices) -> None:
    """Emit START of the task's run, where events are asked for."""
    if _asked(run.config):
        from pamola_tasks_openlineage.emission import begin

        begin(run)


@hookimpl
def pamola_on_step_started(run: RunServices, step: Step) -> None:
    """Emit START of the step's run."""
    if _asked(run.config):
        from pamola_tasks_openlineage.emission import emission_of

        emission_of(run).step_started(step)


@hookimpl
def pamola_on_step_finished(run: RunServices, step: Step, result: OperationResult) -> None:
    """Emit COMPLETE or FAIL of the step's run, with its datasets, columns and tests."""
    if _asked(run.config):
        from pamola_tasks_openlineage.emission import emission_of

        emission_of(run).step_finished(step, result)


@hookimpl
def pamola_on_step_skipped(run: RunServices, step: Step) -> None:
    """Emit both for a step whose earlier results are used, with their datasets."""
    if _asked(run.config):
        from pamola_tasks_openlineage.emission import emission_of

        emission_of(run).step_skipped(step)


@hookimpl
def pamola_on_run_finished(run: RunServices) -> None:
    """Emit COMPLETE, FAIL or ABORT of the task's run."""
    if _asked(run.config):
        from pamola_tasks_openlineage.emission import end

        end(run)
