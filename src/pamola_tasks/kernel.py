"""`Kernel`: plugins and one project, put together to run tasks. The embedding API; there is no global state."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from pamola_tasks import nulls
from pamola_tasks.display import of_kernel
from pamola_tasks.errors import PamolaTaskError, PathSecurityError, PluginError, ProjectError, UsageError
from pamola_tasks.hookspecs import hookimpl
from pamola_tasks.lifecycle import RunSession
from pamola_tasks.outcome import Outcome, OutcomeDatasets
from pamola_tasks.plugins.contributions import Contributions, Sections
from pamola_tasks.plugins.discovery import KERNEL
from pamola_tasks.plugins.manager import Plugins, assemble
from pamola_tasks.protocols import Project, RunOptions, RunServices
from pamola_tasks.record import OperationResult
from pamola_tasks.registry import Operations, Tasks
from pamola_tasks.secret import Secret
from pamola_tasks.storage.files import Files
from pamola_tasks.storage.hashing import Containers
from pamola_tasks.task import Task

if TYPE_CHECKING:
    from collections.abc import Callable

    from pamola_tasks.handle import RunHandle
    from pamola_tasks.plan import Step
    from pamola_tasks.protocols import (
        Config,
        ContainerFormat,
        DatasetFormat,
        KernelView,
        ReportSection,
        ReportWriter,
        Scheduler,
    )


class _PlainSteps:
    """The only plain implementation of `pamola_run_step`."""

    @hookimpl
    def pamola_run_step(self, run: RunServices, step: Step) -> OperationResult:
        """One attempt at one step."""
        return run.perform(step)


class Kernel:
    """Plugins and one project.

    Args:
        project: The project's root; found upwards from the current folder unless given.
        autoload: Load installed plugins (entry-point group `pamola_tasks`).
        plugins: Plugin objects to register as well: modules, classes or instances.
        modules: Names of modules, or paths of Python files, to register as well.
        disable: Names of entry points or distributions to leave out.
        prefer: For services, the plugin or distribution that answers.
        script: Folder of the script that runs, the root where no marker is found.
        loaded: Plugins that are loaded already, instead of all that is said of plugins here.

    Raises:
        UntrustedError: The project is another user's, or others can change it.
        PluginError: `.pamola.toml` is not valid. Plugins that cannot be loaded do not raise here; see `plugins`.
    """

    def __init__(
        self,
        project: str | Path | None = None,
        *,
        autoload: bool = True,
        plugins: Iterable[Any] = (),
        modules: Iterable[str] = (),
        disable: Iterable[str] = (),
        prefer: Mapping[str, str] | None = None,
        script: Path | None = None,
        loaded: Plugins | None = None,
    ) -> None:
        self._asked = Path(project).absolute() if project is not None else None
        self._script = script
        if loaded is None:
            loaded = assemble(
                self._asked,
                autoload=autoload,
                plugins=plugins,
                modules=modules,
                disable=disable,
                prefer=prefer,
                script=script,
            )
        self.plugins = loaded
        if not self.plugins.manager.has_plugin(KERNEL):
            self.plugins.manager.register(_PlainSteps(), KERNEL)

    def __repr__(self) -> str:
        return f"<Kernel of project {self.project.root} with {len(self.plugins.records)} plugins>"

    def _repr_html_(self) -> str:
        return of_kernel(self)

    @classmethod
    def discover(cls, project: str | Path | None = None, **options: Any) -> Kernel:
        """A kernel with the installed plugins, for the project that a folder belongs to."""
        return cls(project, autoload=True, **options)

    @cached_property
    def project(self) -> Project:
        """The project, its files guarded; `ProjectError` where the folder does not exist."""
        project = self._find_project()
        guard = self.plugins.provide("path_guard", project=project) or nulls.DenyingGuard(project.root)

        def containers() -> dict[str, Callable[[], ContainerFormat]]:
            added = self.contributions("pamola_add_container_formats", "the container format", project=project)
            return {mark: lambda mark=mark: added[mark](project) for mark in added}  # type: ignore[misc]

        def find_secret(name: str) -> Secret | None:
            answer = self.plugins.first("pamola_find_secret", name=name, project=project)
            return answer if answer is None or isinstance(answer, Secret) else Secret(answer, name)

        project._files = Files(guard, self._veto(project, None), Containers(containers))
        project._redactor = lambda: self.plugins.redactor
        project.find_secret = find_secret
        return project

    def _find_project(self) -> Project:
        if self._asked is not None:
            if not self._asked.is_dir():
                raise ProjectError(f"there is no folder {self._asked}")
            root = self._asked.resolve()
            found = self._project_at(root, asked=True)
            return found if found.root == root else Project(root)
        here = self._project_at(Path.cwd())
        if here.marker or self._script in (None, here.root):
            return here
        of_script = self._project_at(self._script)
        return of_script if of_script.marker else _without_marker(self._script)

    def _project_at(self, start: Path, *, asked: bool = False) -> Project:
        found: Project | None = self.plugins.provide("project", start=start, asked=asked)
        return found if found is not None else _without_marker(start)

    def veto(self, config: Config | None) -> Callable[[str, str], None] | None:
        """What asks the plugins before a path is used; None where no plugin checks paths."""
        return self._veto(self.project, config)

    def _veto(self, project: Project, config: Config | None) -> Callable[[str, str], None] | None:
        hook = "pamola_check_path"
        if not self.plugins.implementations(hook):
            return None

        def veto(path: str, purpose: str) -> None:
            try:
                problems = self.plugins.objections(hook, project=project, path=path, purpose=purpose, config=config)
            except PluginError as error:
                raise PathSecurityError(f"{path} is refused, because asking about it failed: {error}") from error
            if problems:
                raise PathSecurityError(f"{path} is refused for {purpose}: {'; '.join(problems)}")

        return veto

    @cached_property
    def operations(self) -> Operations:
        """The operations that plugins bring, by name."""
        return Operations(self.plugins)

    @cached_property
    def tasks(self) -> Tasks:
        """The tasks of the project, by id."""
        return Tasks(self.plugins, self.project)

    def settings(self) -> Sections:
        """For plugins with a section of their own in the configuration, the class that it must fit."""
        return Sections(self.plugins)

    def contributions(self, hook: str, what: str, **arguments: Any) -> Contributions:
        """What plugins contribute to a hook by name, imported when it is used; for hooks of plugins too.

        `what` is contributed, for messages, with an article: `a task`, `the dataset format`.
        """
        return Contributions(self.plugins, hook, what, **arguments)

    def dataset_formats(self) -> Mapping[str, DatasetFormat]:
        """File formats for datasets, by extension."""
        return self.contributions("pamola_add_dataset_formats", "the dataset format")

    def report_writers(self) -> Mapping[str, ReportWriter]:
        """Formats of the report, by extension."""
        return self.contributions("pamola_add_report_writers", "the report format")

    def report_sections(self, run: RunServices, reserved: Collection[str] = ()) -> list[ReportSection]:
        """Sections that plugins add to the report of a run, each with a key of its own that is none of `reserved`."""
        from pamola_tasks.protocols import ReportSection

        found: dict[str, tuple[str, ReportSection]] = {}
        for record, section in self.plugins.items("pamola_add_report_sections", ReportSection, "sections", run=run):
            adds = f"the report section {section.key!r}"
            if section.key in reserved:
                raise PluginError(f"{record.label} adds {adds}, which is a part of every report: name it otherwise")
            if section.key in found:
                raise PluginError(f"{found[section.key][0]} and {record.label} both add {adds}")
            found[section.key] = record.label, section
        return [section for _, section in found.values()]

    @cached_property
    def scheduler(self) -> Scheduler:
        """What runs several tasks; `ServiceMissing` where no plugin provides it."""
        scheduler: Scheduler | None = self.plugins.provide("scheduler", kernel=self)
        if scheduler is None:
            raise self.plugins.missing("scheduler")
        return scheduler

    def task(self, task: str | Task | type[Task]) -> Task:
        """A task by name, class or itself, belonging to this kernel; `UnknownTaskError` where there is none."""
        if isinstance(task, str):
            task = self.tasks.get(task)
        elif isinstance(task, type) and issubclass(task, Task):
            task = self.tasks._make(task, task.__qualname__)
        if not isinstance(task, Task):
            raise UsageError(f"{task!r} is not a task: pass a task's name, a subclass of Task or an instance of one")
        task.kernel = self
        return task

    def services(self, task: str | Task | None = None, *, upto: str, options: RunOptions | None = None) -> RunServices:
        """Bring services up, to this one, without running anything: no lock, no history, no events.

        Without a task only services that need none come up.
        """
        return self._look(self.task(task) if task is not None else None, options).bring_up(upto)

    def _look(self, task: Task | None, options: RunOptions | None = None) -> RunSession:
        return RunSession(self, task, options or RunOptions(console=False, quiet=True), runs=False)

    def task_ids(self) -> list[str]:
        """The tasks that the project has, and those that have left something in it."""
        return sorted({*self.tasks.known(), *self.services(None, upto="places").places.left()})

    def inspect(self, task: str, *, upto: str = "lock") -> RunServices:
        """Services to look at what a task left, without its code: also of a task that is gone or cannot be configured.

        Its configuration is the project's where the task has none that can be used; its id is in `record`.

        Raises:
            UnknownTaskError: There is no such task, and none of that id has left anything.
        """
        run = self.services(None, upto=upto)
        if task not in self.tasks.known() and task not in run.places.left():
            return self.services(task, upto=upto)
        made = Task(task)
        made.kernel = self
        try:
            return self._look(made).bring_up(upto)
        except PamolaTaskError:
            run.record.task_id = task
            return run

    def plan(self, task: str | Task, options: RunOptions | None = None) -> RunServices:
        """Configure a task without running it; the plan is in `run.plan`. `PamolaTaskError` where that fails."""
        made = self.task(task)
        made._clear()
        made._session = session = self._look(made, options)
        made.logger = session.run.logger
        session.bring_up()
        made._take_services(session)
        made.configure_operations()
        if session.error is not None:
            raise session.error
        session.settle_plan()
        return session.run

    def run(
        self,
        task: str | Task | type[Task],
        *,
        overrides: Mapping[str, Any] | None = None,
        datasets: Mapping[str, Any] | None = None,
        restart: bool = False,
        enable_checkpoints: bool | None = None,
        options: RunOptions | None = None,
    ) -> Outcome:
        """Run a task.

        Args:
            task: Its name, an instance or a class.
            overrides: Configuration that overrides all other, by dotted key.
            datasets: Frames used as input datasets.
            restart: Ignore and replace checkpoints.
            enable_checkpoints: Overrides the configuration unless None.
            options: All of these and more in one; instead of them.

        Returns:
            How it ended: all that happens once the run has begun is in the outcome.

        Raises:
            PamolaTaskError: There is no such task; the project, its configuration or its plugins cannot be used; the
                steps that were asked for are not there; or another process runs the task: nothing was begun.
        """
        self.plugins.refuse_if_broken()
        asked = _options(options, overrides, datasets, restart=restart, enable_checkpoints=enable_checkpoints)
        made = self.task(task)
        made._clear()
        made._run_for(asked)
        session = made._session
        if session is None:
            info = made.error_info
            if info and info["type"] == "interrupted":
                raise KeyboardInterrupt
            raised = f": {info['exception_type']}: {info['message']}" if info else ""
            raise PamolaTaskError(f"{made.origin} did not call super().initialize(){raised}")
        if not session.started and session.error is not None:
            raise session.error
        record = session.run.record
        return Outcome(
            task_id=record.task_id,
            run_id=record.run_id,
            project_root=self.project.root,
            status="success" if record.success else made.status,
            results=session.run.results,
            report=session.report,
            error=session.error,
            datasets=OutcomeDatasets(session),
            record=record,
            internal=session.run.places.of(record.task_id).internal,
        )

    def start(self, task: str | Task | type[Task], **arguments: Any) -> RunHandle:
        """Run a task in a thread of its own, with the arguments of `run`, and return at once.

        Raises:
            UsageError: There is no such task. What else `run` raises, `result()` raises.
        """
        from pamola_tasks.handle import RunHandle

        made = self.task(task)
        options = _options(**arguments)
        return RunHandle(made.task_id, lambda handle: self.run(made, options=attrs.evolve(options, handle=handle)))

    async def arun(self, task: str | Task | type[Task], **arguments: Any) -> Outcome:
        """`run` for asyncio. Cancelling the asyncio task cancels the run and waits for its end."""
        from pamola_tasks.handle import finished

        return await finished(self.start(task, **arguments))


def _options(
    options: RunOptions | None = None,
    overrides: Mapping[str, Any] | None = None,
    datasets: Mapping[str, Any] | None = None,
    **more: bool | None,
) -> RunOptions:
    """What a caller of `Kernel.run` asks for."""
    if overrides is not None and not isinstance(overrides, Mapping):
        raise UsageError(f"overrides: expected configuration by key, got {type(overrides).__name__}")
    return options or RunOptions(overrides=dict(overrides or {}), datasets=dict(datasets or {}), **more)  # type: ignore[arg-type]


def _without_marker(folder: Path) -> Project:
    said = f"no project was found from {folder} upwards; using this folder as its root"
    return Project(folder.resolve(), warnings=(f"{said} (`pamola-task init` makes a project)",))


class BaseTask(Task):
    __doc__ = Task.__doc__

    def _own_kernel(self) -> KernelView:
        start = None
        if self._given_task_dir is not None:
            kernel = Kernel.discover()
            folder = self._given_task_dir.absolute()
            if kernel.project.root in (folder, *folder.parents):
                return kernel
            folder.mkdir(0o700, parents=True, exist_ok=True)
            start = folder
        return Kernel.discover(project=start, script=_script_of(type(self)))


def _script_of(cls: type) -> Path | None:
    """The folder of the script that a class is written in."""
    import sys

    module = sys.modules.get(cls.__module__)
    file = getattr(module, "__file__", None)
    return Path(os.path.abspath(file)).parent if cls.__module__ == "__main__" and file else None
