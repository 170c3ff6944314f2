"""Tasks one after the other, each behind those that it names."""

from pamola_tasks.errors import PamolaTaskError, TaskCycleError, UnknownTaskError
from pamola_tasks.protocols import PlannedStep, PlannedTask, TaskNode, TaskOutcome
from pamola_tasks.record import SavedStep
from pamola_tasks.steps import unchanged_since


class Scheduler:
    def __init__(self, kernel):
        self.kernel = kernel

    def tasks(self):
        return {name: self.node(name) for name in sorted(self.kernel.tasks.known())}

    def node(self, name):
        try:
            needs = self.kernel.services(name, upto="config").config.dependencies
        except PamolaTaskError as error:
            return TaskNode(task_id=name, problem=error)
        return TaskNode(task_id=name, needs=dict.fromkeys(needs, ()))

    def order(self, names=(), *, with_dependencies=False):
        known, found = self.tasks(), {}

        def add(name, below=()):
            if name in below:
                raise TaskCycleError(f"tasks need each other: {', '.join(below)}")
            if name not in known:
                raise UnknownTaskError(f"there is no task {name!r}")
            for needed in known[name].needs if with_dependencies or not names else ():
                add(needed, (*below, name))
            found.setdefault(name, known[name])

        for name in names or known:
            add(name)
        return found

    def run(
        self,
        names=(),
        *,
        with_dependencies=False,
        options=None,
        jobs=1,
        continue_on_error=False,
        on_line=lambda task, line: None,
    ):
        failed = False
        for name in self.order(names, with_dependencies=with_dependencies):
            if failed and not continue_on_error:
                yield TaskOutcome(task_id=name, name=name, status="not_run", reason="another one failed")
                continue
            outcome = self.kernel.run(name, options=options)
            failed = failed or not outcome.success
            yield TaskOutcome(task_id=name, name=name, status="run", outcome=outcome)

    def dry_run(self, names=(), *, with_dependencies=False, options=None):
        for name in self.order(names, with_dependencies=with_dependencies):
            run = self.kernel.plan(name, options)
            yield PlannedTask(task_id=name, action="run", run=run, steps=[planned(run, step) for step in run.plan])


def planned(run, step):
    verdict = run.checkpoints.stands(step)
    if isinstance(verdict, SavedStep):
        return PlannedStep(step=step, action="skip", reason=unchanged_since(verdict), made_by=verdict.run_id)
    return PlannedStep(step=step, action="run", reason=verdict)
