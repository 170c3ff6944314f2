"""Completion of the ids of tasks and steps, in the arguments and options of any command that are called so."""

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
    """The command, of which parameters complete: arguments `task` and `tasks`, options whose metavar is STEP.

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
    if isinstance(parameter, click.Argument) and parameter.name in ("task", "tasks"):

        def find(ctx: click.Context) -> Iterable[str]:
            return kernel().tasks.known()

    elif parameter.metavar == "STEP":

        def find(ctx: click.Context) -> Iterable[str]:
            # click leaves out arguments where the last option has no value yet
            tasks = [word for word in words if word in kernel().tasks.known()]
            return [step.id for task in tasks for step in kernel().plan(task).plan]

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
