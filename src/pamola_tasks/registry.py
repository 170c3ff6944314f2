"""Names of operations and tasks, and what they means, resolved when they are used."""

from __future__ import annotations

import inspect
import os
import re
from functools import cached_property
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any

import attrs

from pamola_tasks.errors import PamolaTaskError, PluginError, TaskRegistryError, UnknownOperationError, UnknownTaskError
from pamola_tasks.operation import Operation
from pamola_tasks.parameters import build, closest, unknown_name
from pamola_tasks.plugins.contributions import Contributions
from pamola_tasks.plugins.discovery import module_from, resolve
from pamola_tasks.task import Task

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pamola_tasks.plugins.manager import Plugins
    from pamola_tasks.protocols import Project


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


# ---------------------------------------------------------------- operations


@attrs.frozen
class RegisteredOperation:
    """An operation: the name it goes by, its class, and `name version` of the distribution it comes from."""

    name: str
    cls: type[Operation]
    distribution: str = ""
    plugin: str = ""

    def build(self, parameters: Mapping[str, Any]) -> Operation:
        """The operation with these parameters.

        Raises:
            ParameterError: All that is wrong with them.
        """
        return build(self.cls, parameters)


class Operations:
    """The operations of one kernel, by name.

    Args:
        plugins: Whose `pamola_add_operations` are asked, once.
    """

    def __init__(self, plugins: Plugins) -> None:
        self._plugins = plugins
        self._own: dict[str, type[Operation]] = {}
        self._resolved: dict[str, RegisteredOperation] = {}

    @cached_property
    def _added(self) -> Contributions:
        return Contributions(self._plugins, "pamola_add_operations", "an operation")

    def __iter__(self) -> Iterator[str]:
        return iter(sorted({*self._added, *self._own}))

    def __contains__(self, name: object) -> bool:
        return name in self._own or name in self._added

    def register(self, cls: type[Operation], name: str = "") -> None:
        """Add an operation to this kernel alone.

        Raises:
            PluginError: The name is taken by another class.
        """
        name = name or cls.__name__
        if self._own.get(name, cls) is not cls or name in self._added:
            raise PluginError(f"there is an operation {name!r} already")
        self._own[name] = cls

    def get(self, operation: str | type[Operation]) -> RegisteredOperation:
        """An operation by its name or class.

        Raises:
            UnknownOperationError: No plugin offers it; with what was probably meant.
            PluginError: What the name means cannot be imported or is not an operation.
        """
        if isinstance(operation, type):
            return self._of_class(operation)
        if operation not in self._resolved:
            if operation in self._own:
                self._resolved[operation] = RegisteredOperation(operation, self._own[operation])
            elif operation in self._added:
                self._resolved[operation] = self._imported(operation)
            else:
                raise UnknownOperationError(unknown_name(operation, self, "operation"))
        return self._resolved[operation]

    def _of_class(self, cls: type[Any]) -> RegisteredOperation:
        if not issubclass(cls, Operation):
            raise UnknownOperationError(f"{cls.__name__} is not an operation: it must be a subclass of Operation")
        for name in self._added:
            if self._added.target(name) in (cls, f"{cls.__module__}:{cls.__qualname__}"):
                return self.get(name)
        return RegisteredOperation(cls.__name__, cls)

    def _imported(self, name: str) -> RegisteredOperation:
        cls, record = self._added[name], self._added.owner(name)
        if not (isinstance(cls, type) and issubclass(cls, Operation)):
            raise PluginError(f"operation {name!r} of {record.label} is not a subclass of Operation")
        label = f"{record.distribution} {record.version}" if record.distribution else ""
        return RegisteredOperation(name, cls, label, record.name)


# ---------------------------------------------------------------- tasks


class Tasks:
    """The tasks of one kernel and project, by id.

    Args:
        plugins: Whose `pamola_add_tasks` are asked, once.
        project: The project.
    """

    def __init__(self, plugins: Plugins, project: Project) -> None:
        self._plugins = plugins
        self._project = project
        self._registered: dict[str, Any] = {}

    @cached_property
    def _added(self) -> Contributions:
        return Contributions(self._plugins, "pamola_add_tasks", "a task", project=self._project)

    def known(self) -> dict[str, Any]:
        """Ids, and what they means: a class, `module:Class` or a `TaskFile`."""
        found = {name: self._added.target(name) for name in self._added if not name.startswith("*.")}
        return {**found, **self._registered}

    def register(self, task_id: str, target: Any) -> None:
        """Add a task to this kernel alone: a class, `module:Class` or a `TaskFile`.

        Raises:
            TaskRegistryError: The id is taken.
        """
        if self.known().get(task_id, target) is not target:
            raise TaskRegistryError(f"there is a task {task_id!r} already")
        self._registered[task_id] = target

    def get(self, name: str) -> Task:
        """A task by id, `module:Class`, `path/to/script.py[:Class]`, or the path of a task file.

        Raises:
            UnknownTaskError: There is none; with what was probably meant.
        """
        if name in self.known():
            return self._make(self.known()[name], name)
        script, _, attribute = name.rpartition(":") if re.search(r"\.py:\w+$", name) else (name, "", "")
        if script.endswith(".py"):
            return self._instance(self._class_in(self._path(script), attribute), name)
        if f"*{PurePath(name).suffix}" in self._added:
            return self._of_file(self._name_of(self._path(name)))
        if ":" in name:
            return self._make(name, name)
        meant = closest(name, self.known())
        hint = f"did you mean {meant!r}?" if meant else f"`pamola-task list` shows the tasks of {self._project.root}"
        raise UnknownTaskError(f"there is no task {name!r}: {hint}")

    def _make(self, target: Any, name: str) -> Task:
        if isinstance(target, Task):
            return target
        if isinstance(target, type):
            return self._instance(target, name)
        if isinstance(target, TaskFile):
            if not target.task_class:
                return self._of_file(target.path, target.task_id)
            task = self._by_class_name(target.task_class, name)
            task.task_id = target.task_id
            return task
        return self._by_class_name(str(target), name)

    def _of_file(self, file: str, *task_id: str) -> Task:
        """The task that a file declares, made by the class that a plugin brings for files of this ending."""
        ending = f"*{PurePath(file).suffix}"
        if ending not in self._added:
            raise UnknownTaskError(f"no installed plugin makes a task of {file}")
        task: Task = self._added[ending](file, *task_id)
        return task

    def _by_class_name(self, target: str, name: str) -> Task:
        path, _, attribute = target.partition(":")
        if path.endswith(".py"):
            return self._instance(self._class_in(self._path(path), attribute), name)
        try:
            cls = resolve(target)
        except (ImportError, AttributeError, ValueError) as error:
            raise UnknownTaskError(f"task {name!r}: {target} cannot be imported: {error}") from error
        if inspect.ismodule(cls):
            cls = _only_task_class(vars(cls), target, "")
        return self._instance(cls, name)

    def _class_in(self, path: Path, attribute: str) -> Any:
        try:
            module = module_from(path)
        except PamolaTaskError as error:
            raise UnknownTaskError(str(error)) from error
        except Exception as error:
            raise UnknownTaskError(f"{path} cannot be loaded: {type(error).__name__}: {error}") from error
        return _only_task_class(vars(module), str(path), attribute)

    def _instance(self, cls: Any, name: str) -> Task:
        if not (isinstance(cls, type) and issubclass(cls, Task)):
            raise TaskRegistryError(f"{name}: {cls!r} is not a subclass of BaseTask")
        try:
            return cls()  # type: ignore[call-arg]  # a task that can be run by name takes no arguments
        except TypeError as error:
            raise TaskRegistryError(f"{name}: {cls.__name__} cannot be made without arguments: {error}") from error

    def _path(self, name: str) -> Path:
        """A path from the command line: as it stands from where the user is, else under the project."""
        here = Path(os.path.abspath(name))
        return here if here.exists() else self._project.root / name

    def _name_of(self, path: Path) -> str:
        if not path.is_file():
            raise UnknownTaskError(f"there is no task file {path}")
        return self._project.files.name(path.resolve())


def _only_task_class(names: Mapping[str, Any], place: str, attribute: str) -> Any:
    """The class that was named, or the only task class defined in a module."""
    if attribute:
        if attribute not in names:
            raise UnknownTaskError(f"{place} has no {attribute!r}")
        return names[attribute]
    module = names.get("__name__")
    classes = [
        c
        for c in names.values()
        if isinstance(c, type) and issubclass(c, Task) and c.__module__ == module and not c.__name__.startswith("_")
    ]
    if len(classes) != 1:
        found = ", ".join(c.__name__ for c in classes) or "none"
        raise UnknownTaskError(f"{place} should hold one task class, and has {found}: name one as {place}:CLASS")
    return classes[0]
