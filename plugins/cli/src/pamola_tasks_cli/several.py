"""`pamola-task run` for several tasks: what is said of each."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import click

from pamola_tasks.errors import EXIT_OK
from pamola_tasks_cli.outcome import print_outcome
from pamola_tasks_cli.output import note, print_json, visible
from pamola_tasks_cli.show import plan_document, print_plan

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from pamola_tasks.protocols import PlannedTask, RunOptions, TaskOutcome
    from pamola_tasks_cli.app import Invocation


def line_printer(options: RunOptions) -> Callable[[str, str], None]:
    """What prints the lines of several tasks; in JSON each names its task already."""
    if options.log_format == "json":
        return lambda task_id, line: click.echo(line, err=True)
    return lambda task_id, line: click.echo(f"{click.style(task_id, bold=True)} | {line}", err=True)


def print_ends(cli: Invocation, outcomes: Iterable[TaskOutcome], *, as_json: bool) -> int:
    """Print what became of each task; the exit code of an interrupt, else of the first task that failed."""
    code = EXIT_OK
    shown: list[dict[str, Any]] = []
    counted: Counter[str] = Counter()
    for ended in outcomes:
        if not ended.success and (code == EXIT_OK or ended.interrupt is not None):
            code = ended.exit_code
        counted[_word(ended)] += 1
        shown.append(ended.outcome.to_dict() if ended.outcome is not None else _document(ended))
        if as_json:
            continue
        if ended.outcome is not None:
            print_outcome(ended.outcome, ended.name)
        else:
            _print_end(ended)
    if not shown:
        note(f"no tasks in {cli.kernel.project.root}/configs: `pamola-task new task NAME` creates one")
    if as_json:
        print_json(shown)
    elif len(shown) > 1:
        click.echo(f"{len(shown)} tasks: {', '.join(f'{many} {word}' for word, many in counted.items())}")
    return code


def _word(ended: TaskOutcome) -> str:
    if ended.outcome is not None:
        return "succeeded" if ended.success else "interrupted" if ended.outcome.status == "interrupted" else "failed"
    return {"skipped": "skipped", "not_run": "not run"}.get(ended.status, "failed")


def _document(ended: TaskOutcome) -> dict[str, Any]:
    """A task that was not run, for machines."""
    error = None if ended.error is None else {"type": ended.error.code, "message": str(ended.error)}
    return {
        "task": ended.task_id,
        "run": None,
        "status": ended.status,
        "success": ended.success,
        "reason": ended.reason,
        "steps": [],
        "error": error,
    }


def _print_end(ended: TaskOutcome) -> None:
    word = click.style(_word(ended), fg={"skipped": "green", "not_run": "yellow"}.get(ended.status, "red"))
    why = visible(str(ended.error) if ended.error is not None else ended.reason)
    click.echo(f"{click.style(ended.task_id, bold=True)} {word}: {why}")


def print_previews(tasks: Iterable[PlannedTask], *, as_json: bool) -> int:
    """Print what would be done with each task."""
    documents = []
    for planned in tasks:
        documents.append(_planned(planned))
        if not as_json:
            _print_planned(planned, documents[-1])
    if as_json:
        print_json(documents)
    return EXIT_OK


def _planned(planned: PlannedTask) -> dict[str, Any]:
    document: dict[str, Any] = {"task": planned.task_id, "steps": []}
    if planned.run is not None:
        document = plan_document(planned.run, planned.steps)
    return {**document, "would": planned.action, "reason": planned.reason}


def _print_planned(planned: PlannedTask, document: dict[str, Any]) -> None:
    if planned.run is not None:
        print_plan(document)
    else:
        click.secho(planned.task_id, bold=True)
    why = f": {visible(planned.reason)}" if planned.reason else ""
    click.echo(f"\n{planned.task_id} would be {'run' if planned.action == 'run' else 'skipped'}{why}\n")
