"""What the progress plugin adds: the progress service, and the live file of each run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pamola_tasks import hookimpl

if TYPE_CHECKING:
    from pamola_tasks.plan import Step
    from pamola_tasks.protocols import Progress, RunServices
    from pamola_tasks.record import Artifact, DatasetRecord, OperationResult

PAMOLA_HOOK_API = 1


@hookimpl
def pamola_add_settings() -> str:
    """The section `progress` of the configuration."""
    return "pamola_tasks_progress.settings:ProgressSettings"


@hookimpl(trylast=True)
def pamola_provide_progress(run: RunServices) -> Progress:
    """Show bars on stderr, on a terminal."""
    from pamola_tasks_progress.manager import TaskProgressManager, nobody_looks

    quiet = run.options.quiet or nobody_looks()
    return TaskProgressManager(run.record.task_id, quiet=quiet, redact=run.redact)


@hookimpl
def pamola_on_run_started(run: RunServices) -> None:
    """Begin the live file of the run, and lines or bars that show it."""
    from pamola_tasks_progress.watching import begin

    begin(run)


@hookimpl
def pamola_on_step_started(run: RunServices, step: Step) -> None:
    """Add that a step begins to the live file, and show it."""
    _say(run, "step_started", step=step)


@hookimpl
def pamola_on_step_stage(run: RunServices, step: Step, stage: str) -> None:
    """Add the stage that a step begins, and show it."""
    _say(run, "step_stage", step=step, stage=stage)


@hookimpl
def pamola_on_step_progress(run: RunServices, step: Step, done: float, total: float | None, unit: str) -> None:
    """Add how far a step is, now and then."""
    _say(run, "step_progress", step=step, done=done, total=total, unit=unit)


@hookimpl
def pamola_on_step_retried(run: RunServices, step: Step, attempt: int, error: BaseException, wait: float) -> None:
    """Add that a step is retried."""
    _say(run, "step_retried", step=step, attempt=attempt, error=error, wait=wait)


@hookimpl
def pamola_on_step_finished(run: RunServices, step: Step, result: OperationResult) -> None:
    """Add how a step ended."""
    _say(run, "step_finished", step=step, result=result)


@hookimpl
def pamola_on_step_skipped(run: RunServices, step: Step, reason: str) -> None:
    """Add that a step is skipped."""
    _say(run, "step_skipped", step=step, reason=reason)


@hookimpl
def pamola_on_dataset_read(run: RunServices, step: Step, dataset: DatasetRecord) -> None:
    """Add what a step reads."""
    _say(run, "dataset_read", step=step, dataset=dataset)


@hookimpl
def pamola_on_dataset_written(run: RunServices, step: Step, dataset: DatasetRecord) -> None:
    """Add what a step has written."""
    _say(run, "dataset_written", step=step, dataset=dataset)


@hookimpl
def pamola_on_artifact(run: RunServices, step: Step, artifact: Artifact) -> None:
    """Add a file that a step has left."""
    _say(run, "artifact", step=step, artifact=artifact)


@hookimpl
def pamola_on_run_finished(run: RunServices) -> None:
    """Add how the run ended, and close the live file."""
    from pamola_tasks_progress.watching import end

    end(run)


def _say(run: RunServices, event: str, **arguments: Any) -> None:
    from pamola_tasks_progress.watching import watched

    watched(run).say(event, **arguments)
