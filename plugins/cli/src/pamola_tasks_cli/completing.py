"""Completion of the ids of tasks, steps and runs, in the arguments and options of any command that are called so."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import click
from click.shell_completion import CompletionItem

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pamola_tasks.kernel import Kernel


def completing(command: click.Command, kernel: Callable[[], Kernel], words: Sequence[str]) -> click.Command:
    """The command, of which parameters complete: `task`, `tasks`, `run_id`, `runs`, and options whose metavar is STEP.

    Args:
        command: Any command.
        kernel: Gives that of the project.
        words: What was typed.
    """
    command = copy.copy(command)
    command.params = [_completing(parameter, kernel, words) for parameter in command.params]
    return command


def _completing(parameter: click.Parameter, kernel: Callable[[], Kernel], words: Sequence[str]) -> click.Parameter:
    find: Callable[[click.Context], Iterable[str]]

    def tasks_named() -> list[str]:
        # click leaves out arguments where the last option has no value yet
        return [word for word in words if word in kernel().tasks.known()]

    if isinstance(parameter, click.Argument) and parameter.name in ("task", "tasks"):

        def find(ctx: click.Context) -> Iterable[str]:
            return kernel().tasks.known()

    elif parameter.metavar == "STEP":

        def find(ctx: click.Context) -> Iterable[str]:
            return [step.id for task in tasks_named() for step in kernel().plan(task).plan]

    elif parameter.name in ("run_id", "runs"):

        def find(ctx: click.Context) -> Iterable[str]:
            records: Any = getattr(kernel().services(None, upto="history").history, "records", list)
            named = tasks_named()
            return [str(record["task_run_id"]) for record in records() if record.get("task_id") in named]

    else:
        return parameter
    parameter = copy.copy(parameter)

    def complete(ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        found: Iterable[str] = ()
        with contextlib.suppress(Exception):  # a shell that completes has no place for errors
            found = find(ctx)
        given: Any = ctx.params.get(parameter.name or "") or ()
        return [
            CompletionItem(each) for each in sorted(set(found)) if each.startswith(incomplete) and each not in given
        ]

    parameter.shell_complete = complete  # type: ignore[method-assign]
    return parameter
