"""Several tasks: which needs which, and in which order they run.

A task needs those that its `dependencies` name, and those whose published files it reads.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from pamola_tasks.errors import PamolaTaskError, TaskCycleError, UnknownTaskError
from pamola_tasks.parameters import unknown_name
from pamola_tasks.protocols import RunOptions, TaskNode

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterable, Mapping, Sequence

    from pamola_tasks.kernel import Kernel
    from pamola_tasks.protocols import RunServices

_PUBLISHED = ("output", "dictionaries")  # the folders beside `internal` of a task that others may read from


# ---------------------------------------------------------------- order


def in_order(
    wanted: Iterable[str], look_up: Callable[[str], TaskNode | None], *, within: Container[str] | None = None
) -> dict[str, TaskNode]:
    """Tasks in the order in which they run: each behind all that it needs, else in the order given.

    Needs outside of `within` are not followed.

    Raises:
        TaskCycleError: Tasks need each other, directly or through others.
        UnknownTaskError: One is needed that is not there.
    """
    done: dict[str, TaskNode] = {}
    for start in wanted:
        if start in done:
            continue
        nodes = {start: _looked_up(start, look_up, [])}
        trail = {start: iter(nodes[start].needs)}
        while trail:
            current = next(reversed(trail))
            following = next(trail[current], None)
            if following is None:
                del trail[current]
                done[current] = nodes[current]
            elif following in trail:
                circle = list(trail)[list(trail).index(following) :]
                raise TaskCycleError(_circle(circle, nodes), tasks=circle)
            elif following not in done and (within is None or following in within):
                nodes[following] = _looked_up(following, look_up, [nodes[name] for name in trail])
                trail[following] = iter(nodes[following].needs)
    return done


def _looked_up(task_id: str, look_up: Callable[[str], TaskNode | None], trail: list[TaskNode]) -> TaskNode:
    node = look_up(task_id)
    if node is not None:
        return node
    path = " → ".join([*(before.task_id for before in trail), task_id])
    why = f", which {_why(trail[-1], task_id)}" if trail else ""
    raise UnknownTaskError(f"{path}: there is no task {task_id!r}{why}; `pamola-task list` shows those of the project")


def _why(node: TaskNode, needed: str) -> str:
    datasets = node.needs[needed]
    return f"should write {', '.join(datasets)} for {node.task_id}" if datasets else f"{node.task_id} depends on"


def _circle(circle: list[str], nodes: Mapping[str, TaskNode]) -> str:
    links = []
    for name, following in zip(circle, [*circle[1:], circle[0]], strict=True):
        datasets = nodes[name].needs[following]
        how = f"reads {', '.join(datasets)} of" if datasets else "names as a dependency"
        links.append(f"{name} {how} {following}")
    return f"tasks need each other in a circle: {' → '.join([*circle, circle[0]])} ({'; '.join(links)})"


# ---------------------------------------------------------------- the tasks of a project


class TaskGraph:
    """The tasks of a project as nodes, each looked at when it is first asked for."""

    def __init__(self, kernel: Kernel, options: RunOptions | None = None) -> None:
        self._kernel = kernel
        self._options = options or RunOptions(console=False, quiet=True)
        self._nodes: dict[str, TaskNode | None] = {}

    def all(self) -> dict[str, TaskNode]:
        """Every task of the project, sorted by id."""
        found = {task_id: self.look_up(task_id) for task_id in sorted(self._kernel.tasks.known())}
        return {task_id: node for task_id, node in found.items() if node is not None}

    def order(self, names: Sequence[str] = (), *, with_dependencies: bool = False) -> dict[str, TaskNode]:
        """The named tasks, or all, in the order in which they run."""
        if not names:
            return in_order(self.all(), self.look_up)
        named = [self.named(name).task_id for name in names]
        return in_order(named, self.look_up, within=None if with_dependencies else set(named))

    def named(self, name: str) -> TaskNode:
        """A task as it is named on the command line, or an UnknownTaskError."""
        if name in self._nodes:
            node = self._nodes[name]
        else:
            node = self._node(name)
            self._nodes.setdefault(node.task_id, node)
        if node is None:
            raise UnknownTaskError(unknown_name(name, self._kernel.tasks.known(), "task"))
        return node

    def look_up(self, task_id: str) -> TaskNode | None:
        """A task by its id; None where there is none and none has left what others could use."""
        if task_id not in self._nodes:
            known = task_id in self._kernel.tasks.known()
            self._nodes[task_id] = self._node(task_id) if known else self._left(task_id)
        return self._nodes[task_id]

    def _node(self, name: str) -> TaskNode:
        try:
            run = self._kernel.services(name, upto="directories", options=self._options)
        except UnknownTaskError as error:
            if name not in self._kernel.tasks.known():
                raise
            return TaskNode(task_id=name, problem=error)
        except PamolaTaskError as error:
            return TaskNode(task_id=name, problem=error)
        return TaskNode(task_id=run.record.task_id, name=name, needs=self._needs(run))

    def _needs(self, run: RunServices) -> dict[str, tuple[str, ...]]:
        config, found = run.config, dict[str, tuple[str, ...]]()
        for dependency in config.dependencies:
            if not any(mark in dependency for mark in ("/", ":", os.sep)):
                found.setdefault(dependency, ())
            elif writer := self._writer(run, dependency):
                found.setdefault(writer, ())
        for name, path in {**config.auxiliary_datasets, **config.input_datasets}.items():
            if writer := self._writer(run, str(path)):
                found[writer] = (*found.get(writer, ()), name)
        return found

    def _writer(self, run: RunServices, path: str) -> str | None:
        """The other task that has to be asked for a file: not when there is the file, and no such task to make it."""
        writer = writer_of(run, path)
        if not writer or writer == run.record.task_id:
            return None
        places = (path, f"{run.config.data_repository}/{path}")
        made = writer in self._kernel.tasks.known() or not any(run.files.exists(place) for place in places)
        return writer if made else None

    def _left(self, task_id: str) -> TaskNode | None:
        """A task that is not one of the project, but has run well in it."""
        history = self._kernel.services(None, upto="history").history
        latest = history.find_latest_execution(task_id)
        if latest is None:
            return None
        when = str(latest.get("timestamp", ""))
        kept = f"not a task of this project; its results of {when[:10]} {when[11:16]} UTC are used"
        return TaskNode(task_id=task_id, kept=kept)


def writer_of(run: RunServices, path: str) -> str | None:
    """The task in whose published files a path is, judged by the path alone; None for all others."""
    for candidate in (path, f"{run.config.data_repository}/{path}"):
        # Lexical on purpose: nothing is opened here, and the file need not be there yet.
        absolute = os.path.normpath(run.files.root / candidate)
        writer = run.places.owner_of(absolute)
        place = run.places.of(writer) if writer else None
        folders = (place.internal, *(place.directories[kind] for kind in _PUBLISHED)) if place else ()
        if any(run.files.name(absolute).startswith(f"{folder}/") for folder in folders):
            return writer
    return None
