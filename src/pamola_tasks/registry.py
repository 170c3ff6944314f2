"""Names of operations and tasks, and what they mean, resolved when they are used."""

from __future__ import annotations

import os
import re
from pathlib import Path, PurePath
from types import ModuleType
from typing import TYPE_CHECKING, Any

import attrs

from pamola_tasks.errors import (
    PamolaTaskError,
    PathSecurityError,
    PluginError,
    TaskRegistryError,
    UnknownOperationError,
    UnknownTaskError,
    UntrustedError,
)
from pamola_tasks.operation import Operation
from pamola_tasks.parameters import closest, unknown_name
from pamola_tasks.plugins.contributions import Contributions
from pamola_tasks.plugins.discovery import module_from, resolve
from pamola_tasks.task import Task

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pamola_tasks.plugins.manager import Plugins
    from pamola_tasks.protocols import Project


_SCRIPT = re.compile(r"(.+\.py)(?::(\w+))?")


@attrs.frozen
class RegisteredOperation:
    """An operation: the name it goes by, its class, and `name version` of the distribution it comes from."""

    name: str
    cls: type[Operation]  #: its class
    distribution: str = ""
    plugin: str = ""  #: what brings it


class Operations:
    """The operations that `pamola_add_operations` of the plugins add to one kernel, by name."""

    def __init__(self, plugins: Plugins) -> None:
        self._added = Contributions(plugins, "pamola_add_operations", "an operation")
        self._resolved: dict[str, RegisteredOperation] = {}

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self._added))

    def __contains__(self, name: object) -> bool:
        return name in self._added

    def get(self, operation: str | type[Operation]) -> RegisteredOperation:
        """An operation by its name or class.

        Raises:
            UnknownOperationError: No plugin offers it; with what was probably meant.
            PluginError: What the name means cannot be imported or is not an operation.
        """
        if isinstance(operation, type):
            return self._of_class(operation)
        if operation not in self._added:
            raise UnknownOperationError(unknown_name(operation, self, "operation"))
        if operation not in self._resolved:
            cls, record = self._added[operation], self._added.owner(operation)
            if not (isinstance(cls, type) and issubclass(cls, Operation)):
                raise PluginError(f"operation {operation!r} of {record.label} is not a subclass of Operation")
            label = f"{record.distribution} {record.version}".strip()
            self._resolved[operation] = RegisteredOperation(operation, cls, label, record.name)
        return self._resolved[operation]

    def _of_class(self, cls: type[Any]) -> RegisteredOperation:
        if not issubclass(cls, Operation):
            raise UnknownOperationError(f"{cls.__name__} is not an operation: it must be a subclass of Operation")
        for name in self._added:
            if self._added.target(name) in (cls, f"{cls.__module__}:{cls.__qualname__}"):
                return self.get(name)
        return RegisteredOperation(cls.__name__, cls)


@attrs.frozen(kw_only=True)
class TaskFile:
    """A task found in a configuration file.

    Attributes:
        path: The file, relative to the project or absolute.
        task_class: `module:Class` or `file.py:Class`, relative to the project; empty when the file declares the task's
            operations itself.
    """

    path: str
    task_id: str
    task_type: str = ""
    description: str = ""
    task_class: str = ""


class Tasks:
    """The tasks that `pamola_add_tasks` of the plugins add to one kernel and project, by id."""

    def __init__(self, plugins: Plugins, project: Project) -> None:
        self._added = Contributions(plugins, "pamola_add_tasks", "a task", project=project)
        self._project, self._plugins = project, plugins
        self._known = {name: self._added.target(name) for name in self._added if not name.startswith("*.")}

    def known(self) -> dict[str, Any]:
        """Ids, and what they mean: a class, `module:Class` or a `TaskFile`."""
        return dict(self._known)

    def register(self, task_id: str, target: Any) -> None:
        """Add a task to this kernel alone: a class, `module:Class` or a `TaskFile`.

        Raises:
            TaskRegistryError: The id is taken.
        """
        if self._known.setdefault(task_id, target) is not target:
            raise TaskRegistryError(f"there is a task {task_id!r} already")

    def get(self, name: str) -> Task:
        """A task by id, `module:Class`, `path/to/script.py[:Class]`, or the path of a task file.

        Raises:
            UnknownTaskError: There is none; with what was probably meant.
        """
        if name in self._known:
            return self._make(self._known[name], name)
        if f"*{PurePath(name).suffix}" in self._added:
            path = self._path(name)
            if not path.is_file():
                raise UnknownTaskError(f"there is no task file {path}")
            return self._of_file(self._project.files.name(path.resolve()))
        if name.endswith(".py") or ":" in name:
            return self._make(name, name)
        meant = closest(name, self._known)
        hint = f"did you mean {meant!r}?" if meant else f"`pamola-task list` shows the tasks of {self._project.root}"
        raise UnknownTaskError("; ".join([f"there is no task {name!r}: {hint}", *self._plugins.left_out()]))

    def _make(self, target: Any, name: str) -> Task:
        if isinstance(target, Task):
            return target
        if isinstance(target, TaskFile):
            if not target.task_class:
                return self._of_file(target.path, target.task_id)
            task = self._make(self._guarded(target), name)
            task.task_id = target.task_id
            return task
        cls = target if isinstance(target, type) else self._class_named(str(target), name)
        if not (isinstance(cls, type) and issubclass(cls, Task)):
            raise TaskRegistryError(f"{name}: {cls!r} is not a subclass of BaseTask")
        try:
            task = cls()  # type: ignore[call-arg]  # a task that can be run by name takes no arguments
        except PamolaTaskError:
            raise
        except (Exception, SystemExit) as error:
            reason = f"{type(error).__name__}: {error}"
            raise TaskRegistryError(f"{name}: {cls.__name__} cannot be made without arguments: {reason}") from error
        if "task_id" not in vars(task):
            raise TaskRegistryError(f"{name}: {cls.__name__}.__init__ does not call super().__init__(task_id=…)")
        return task

    def _of_file(self, file: str, *task_id: str) -> Task:
        """The task that a file declares, made by the class that a plugin brings for files of this ending."""
        ending = f"*{PurePath(file).suffix}"
        if ending not in self._added:
            raise UnknownTaskError(f"no installed plugin makes a task of {file}")
        task: Task = self._added[ending](file, *task_id)
        return task

    def _guarded(self, declared: TaskFile) -> str:
        """The class that a task file names, its Python file found in the project; one that is elsewhere is refused."""
        if (script := _SCRIPT.fullmatch(declared.task_class)) is None:
            return declared.task_class
        place, files = f"{declared.path}: task_class", self._project.files
        try:
            with files.open(script[1], "config"):
                return str(self._project.root / declared.task_class)
        except UntrustedError:
            raise
        except PathSecurityError as error:
            raise PathSecurityError(
                f"{place}: {script[1]} is not in the project, and is not run: put it there, or install it and name it"
                f" as module:Class ({error.code})"
            ) from error
        except OSError as error:
            raise UnknownTaskError(f"{place}: {script[1]} cannot be read: {error.strerror}") from error

    def _class_named(self, target: str, name: str) -> Any:
        script = _SCRIPT.fullmatch(target)
        try:
            found = module_from(self._path(script[1])) if script else resolve(target)
        except UntrustedError:
            raise
        except PamolaTaskError as error:
            raise UnknownTaskError(str(error)) from error
        except Exception as error:
            reason = f"{type(error).__name__}: {error}"
            raise UnknownTaskError(f"task {name!r}: {target} cannot be imported: {reason}") from error
        if script and script[2]:
            if not hasattr(found, script[2]):
                raise UnknownTaskError(f"{script[1]} has no {script[2]!r}")
            return getattr(found, script[2])
        return _only_task_class(found, target) if isinstance(found, ModuleType) else found

    def _path(self, name: str) -> Path:
        """A path from the command line: as it stands from where the user is, else under the project."""
        here = Path(os.path.abspath(name))
        return here if here.exists() else self._project.root / name


def _only_task_class(module: ModuleType, place: str) -> type[Task]:
    """The only public task class that a module defines."""
    every = [value for value in vars(module).values() if isinstance(value, type) and issubclass(value, Task)]
    own = [cls for cls in every if cls.__module__ == module.__name__ and not cls.__name__.startswith("_")]
    if len(own) != 1:
        found = ", ".join(cls.__name__ for cls in own) or "none"
        raise UnknownTaskError(f"{place} should hold one task class, and has {found}: name one as {place}:CLASS")
    return own[0]
