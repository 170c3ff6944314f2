"""`pamola-task run` for several tasks: in which order, what becomes of each, and what is said of it."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import attrs
import click

from pamola_tasks.errors import EXIT_OK, PamolaTaskError, UsageError
from pamola_tasks.plan import Selection
from pamola_tasks_cli.output import note, print_json, program
from pamola_tasks_orchestration.run_queue import TaskEnd, refuse_unknown_steps, run_at_once, run_in_order, unchanged
from pamola_tasks_orchestration.task_graph import Survey, TaskNode, in_order

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

    from pamola_tasks.kernel import Kernel
    from pamola_tasks.protocols import RunOptions
    from pamola_tasks_cli.app import State


@attrs.frozen(kw_only=True)
class Wanted:
    """Which tasks were asked for: those named, with what they need or alone, or all of the project."""

    names: Sequence[str] = ()
    with_dependencies: bool = False
    all: bool = False

    def check(self, selection: Selection) -> None:
        """Refuse what does not make sense together.

        Raises:
            UsageError: No task, tasks beside `--all`, or steps of more than one task.
        """
        if self.all and self.names:
            raise UsageError("--all runs every task of the project: name none beside it")
        if not self.all and not self.names:
            raise UsageError("name a TASK to run, or give --all; `pamola-task list` shows the tasks")
        if selection and (self.all or len(self.names) > 1):
            raise UsageError("--from, --to, --only and --skip choose steps of one task: name only that one")

    @property
    def several(self) -> bool:
        """Whether it can be more than one task."""
        return self.all or self.with_dependencies or len(self.names) > 1

    def nodes(self, survey: Survey) -> dict[str, TaskNode]:
        """The tasks, in the order in which they run."""
        if self.all:
            return in_order(survey.all(), survey.look_up)
        named = [survey.named(name).task_id for name in self.names]
        return in_order(named, survey.look_up, within=None if self.with_dependencies else set(named))


def run_many(
    state: State, wanted: Wanted, options: RunOptions, *, jobs: int, continue_on_error: bool, as_json: bool
) -> int:
    """Run several tasks, and say what became of each.

    Args:
        jobs: With more than one, tasks that do not need each other run at the same time.

    Returns:
        The exit code: that of an interrupt, else that of the first task that failed.
    """
    from pamola_tasks_cli.run import as_document, print_outcome

    kernel = state.kernel
    kernel.plugins.refuse_if_broken()
    survey = Survey(kernel, options)
    nodes = wanted.nodes(survey)
    if not nodes:
        note(f"no tasks in {kernel.project.root}/configs: `pamola-task new task NAME` writes one")
    code = EXIT_OK
    shown: list[dict[str, Any]] = []
    counted: Counter[str] = Counter()
    skips = set(nodes) if wanted.all or wanted.with_dependencies else set()
    for end in _running(kernel, nodes, _options_of(wanted, survey, options), skips, continue_on_error, jobs):
        if not end.success and (code == EXIT_OK or end.interrupt is not None):
            code = end.exit_code
        counted[_word(end)] += 1
        shown.append(as_document(end.outcome) if end.outcome is not None else _document(end))
        if as_json:
            continue
        if end.outcome is not None:
            print_outcome(end.outcome, f"{program()} run {end.name}")
        else:
            _print_end(end)
    if as_json:
        print_json(shown)
    elif len(nodes) > 1:
        click.echo(f"{len(nodes)} tasks: {', '.join(f'{many} {word}' for word, many in counted.items())}")
    return code


def _running(
    kernel: Kernel,
    nodes: Mapping[str, TaskNode],
    options_of: Callable[[TaskNode], RunOptions],
    skips: Collection[str],
    continue_on_error: bool,
    jobs: int,
) -> Iterator[TaskEnd]:
    if jobs == 1 or len(nodes) == 1:
        return run_in_order(kernel, nodes, options_of, skips=skips, continue_on_error=continue_on_error)

    def tell(task_id: str, line: str) -> None:
        as_it_is = options_of(nodes[task_id]).log_format == "json"  # where every line names its task already
        click.echo(line if as_it_is else f"{click.style(task_id, bold=True)} | {line}", err=True)

    return run_at_once(
        kernel, nodes, options_of, jobs=jobs, tell=tell, skips=skips, continue_on_error=continue_on_error
    )


def _options_of(wanted: Wanted, survey: Survey, options: RunOptions) -> Callable[[TaskNode], RunOptions]:
    """Steps are chosen of the task that was named, not of those that it needs."""
    named = {survey.named(name).task_id for name in wanted.names}

    def options_of(node: TaskNode) -> RunOptions:
        return options if node.task_id in named else attrs.evolve(options, selection=Selection())

    return options_of


def _word(end: TaskEnd) -> str:
    if end.outcome is not None:
        return "succeeded" if end.success else "interrupted" if end.outcome.status == "interrupted" else "failed"
    return {"skipped": "skipped", "refused": "failed", "died": "failed", "not_run": "not run"}[end.status]


def _document(end: TaskEnd) -> dict[str, Any]:
    """A task that was not run, for machines."""
    error = None if end.error is None else {"type": end.error.code, "message": str(end.error)}
    return {
        "task": end.task_id,
        "run": None,
        "status": end.status,
        "success": end.success,
        "reason": end.reason,
        "steps": [],
        "error": error,
    }


def _print_end(end: TaskEnd) -> None:
    colour = {"skipped": "green", "not_run": "yellow"}.get(end.status, "red")
    word = click.style(_word(end), fg=colour)
    click.echo(f"{click.style(end.task_id, bold=True)} {word}: {end.error if end.error is not None else end.reason}")


def preview_many(state: State, wanted: Wanted, options: RunOptions, *, as_json: bool) -> int:
    """Show what would be done with each task, and do nothing."""
    from pamola_tasks_cli.show import print_plan

    kernel = state.kernel
    survey = Survey(kernel, options)
    options_of = _options_of(wanted, survey, options)
    nodes = wanted.nodes(survey)
    would: dict[str, str] = {}
    documents = []
    for node in nodes.values():
        if node.problem is None and options_of(node).selection:
            refuse_unknown_steps(kernel, node, options_of(node))
    for node in nodes.values():
        remade = {
            dataset: f"task {name}"
            for name, datasets in node.needs.items()
            if would.get(name) == "run"
            for dataset in datasets
        }
        document = _plan_of(state, node, options_of(node), remade, [n for n in node.needs if would.get(n) == "run"])
        if document["would"] == "skip" and not (wanted.all or wanted.with_dependencies):
            document["would"], document["reason"] = "run", ""
        would[node.task_id] = document["would"]
        documents.append(document)
        if as_json:
            continue
        if "inputs" in document:
            print_plan(document)
        else:
            click.secho(document["task"], bold=True)
        why = f": {document['reason']}" if document["reason"] else ""
        click.echo(f"\n{document['task']} would be {'run' if document['would'] == 'run' else 'skipped'}{why}\n")
    if as_json:
        print_json(documents)
    return EXIT_OK


def _plan_of(
    state: State, node: TaskNode, options: RunOptions, remade: Mapping[str, str], behind: Sequence[str]
) -> dict[str, Any]:
    from pamola_tasks_cli.show import plan_document

    if node.stands:
        return {"task": node.task_id, "steps": [], "would": "skip", "reason": node.stands}
    try:
        document = plan_document(state.kernel, node.name, options, remade)
    except PamolaTaskError as error:
        if not behind:
            raise
        reason = f"what it does is known when {behind[0]} has run ({error})"
        return {"task": node.task_id, "steps": [], "would": "run", "reason": reason}
    reason = "" if behind and remade else unchanged(state.kernel, node.name, options)
    return {**document, "would": "skip" if reason else "run", "reason": reason}
