"""`TaskScheduler`: which tasks run, in which order, and what a run of them would do."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from pamola_tasks.errors import PamolaTaskError
from pamola_tasks.plan import Selection
from pamola_tasks.protocols import PlannedTask, RunOptions
from pamola_tasks_orchestration.dry_run import dry_run
from pamola_tasks_orchestration.run_queue import (
    Request,
    refuse_unknown_steps,
    refuse_wrong_plans,
    run_in_order,
    why_unchanged,
)
from pamola_tasks_orchestration.task_graph import TaskGraph

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from pamola_tasks.kernel import Kernel
    from pamola_tasks.protocols import TaskNode, TaskOutcome


class TaskScheduler:
    """Runs several tasks of a project: see `pamola_tasks.protocols.Scheduler`."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel

    def tasks(self) -> Mapping[str, TaskNode]:
        return TaskGraph(self._kernel).all()

    def order(self, names: Sequence[str] = (), *, with_dependencies: bool = False) -> Mapping[str, TaskNode]:
        return TaskGraph(self._kernel).order(names, with_dependencies=with_dependencies)

    def run(
        self,
        names: Sequence[str] = (),
        *,
        with_dependencies: bool = False,
        options: RunOptions | None = None,
        jobs: int = 1,
        continue_on_error: bool = False,
        on_line: Callable[[str, str], None] = lambda task_id, line: None,
    ) -> Iterator[TaskOutcome]:
        self._kernel.plugins.refuse_if_broken()
        request = self._request(names, with_dependencies, options, continue_on_error)
        for node in request.nodes.values():
            if node.problem is not None and not continue_on_error:
                raise node.problem
            refuse_unknown_steps(request, node)
        if len(request.nodes) > 1 and not continue_on_error:
            refuse_wrong_plans(request)
        if jobs == 1 or len(request.nodes) == 1:
            return run_in_order(request)
        from pamola_tasks_orchestration.parallel import Parallel

        return Parallel(request, jobs, on_line).run()

    def dry_run(
        self, names: Sequence[str] = (), *, with_dependencies: bool = False, options: RunOptions | None = None
    ) -> Iterator[PlannedTask]:
        request = self._request(names, with_dependencies, options)
        for node in request.nodes.values():
            refuse_unknown_steps(request, node)
        running: set[str] = set()
        for node in request.nodes.values():
            planned = _planned(request, node, {name: sets for name, sets in node.needs.items() if name in running})
            if planned.action == "run":
                running.add(node.task_id)
            yield planned

    def _request(
        self, names: Sequence[str], with_dependencies: bool, options: RunOptions | None, continue_on_error: bool = False
    ) -> Request:
        options = options or RunOptions(console=False, quiet=True)
        graph = TaskGraph(self._kernel, options)
        nodes = graph.order(names, with_dependencies=with_dependencies)
        named = {graph.named(name).task_id for name in names}
        others = attrs.evolve(options, selection=Selection())
        chosen = {task_id: options if task_id in named else others for task_id in nodes}
        may_skip = with_dependencies or not names
        return Request(
            kernel=self._kernel, nodes=nodes, options=chosen, may_skip=may_skip, continue_on_error=continue_on_error
        )


def _planned(request: Request, node: TaskNode, needs: Mapping[str, Sequence[str]]) -> PlannedTask:
    """What a run would do with one task; `needs` are the tasks before it that would run, and what it reads of each."""
    if node.kept:
        return PlannedTask(task_id=node.task_id, action="skip", reason=node.kept)
    remade = {dataset: f"task {name}" for name, datasets in needs.items() for dataset in datasets}
    try:
        run = request.kernel.plan(node.name, request.options[node.task_id])
        steps = dry_run(run, remade)
    except PamolaTaskError as error:
        if not needs:
            raise
        reason = f"its steps are known once {next(iter(needs))} has run ({error})"
        return PlannedTask(task_id=node.task_id, action="run", reason=reason)
    reason = "" if remade or not request.may_skip else why_unchanged(run, steps)
    return PlannedTask(task_id=node.task_id, action="skip" if reason else "run", reason=reason, run=run, steps=steps)
