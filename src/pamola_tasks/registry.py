"""Names of operations and tasks, and what they stand for, resolved when they are used."""

from __future__ import annotations

import difflib
import inspect
import os
import re
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any

import attrs

from pamola_tasks.errors import PamolaTaskError, PluginError, TaskRegistryError, UnknownOperationError, UnknownTaskError
from pamola_tasks.operation import Operation
from pamola_tasks.parameters import build, unknown_name
from pamola_tasks.plugins.discovery import module_from, resolve
from pamola_tasks.task import Task

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pamola_tasks.plugins.manager import Plugins
    from pamola_tasks.plugins.records import PluginRecord
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
        self._targets: dict[str, tuple[str | type[Operation], PluginRecord]] | None = None
        self._own: dict[str, type[Operation]] = {}
        self._resolved: dict[str, RegisteredOperation] = {}

    def _known(self) -> dict[str, tuple[str | type[Operation], PluginRecord]]:
        if self._targets is None:
            found: dict[str, tuple[str | type[Operation], PluginRecord]] = {}
            for record, answer in self._plugins.each("pamola_add_operations"):
                for name, target in (answer or {}).items():
                    if name in found:
                        raise PluginError(
                            f"{found[name][1].label} and {record.label} both bring an operation {name!r}:"
                            f" leave one of them out with --no-plugin"
                        )
                    found[name] = (target, record)
            self._targets = found
        return self._targets

    def __iter__(self) -> Iterator[str]:
        return iter(sorted({*self._known(), *self._own}))

    def __contains__(self, name: object) -> bool:
        return name in self._own or name in self._known()

    def register(self, cls: type[Operation], name: str = "") -> None:
        """Add an operation to this kernel alone.

        Raises:
            PluginError: The name is taken by another class.
        """
        name = name or cls.__name__
        if self._own.get(name, cls) is not cls or name in self._known():
            raise PluginError(f"there is an operation {name!r} already")
        self._own[name] = cls

    def get(self, operation: str | type[Operation]) -> RegisteredOperation:
        """An operation by its name or class.

        Raises:
            UnknownOperationError: Nobody offers it; with what was probably meant.
            PluginError: What the name stands for cannot be imported or is no operation.
        """
        if isinstance(operation, type):
            return self._of_class(operation)
        if operation in self._resolved:
            return self._resolved[operation]
        if operation in self._own:
            found = RegisteredOperation(operation, self._own[operation])
        elif operation in self._known():
            target, record = self._known()[operation]
            cls = self._import(operation, target, record)
            label = f"{record.distribution} {record.version}" if record.distribution else ""
            found = RegisteredOperation(operation, cls, label, record.name)
        else:
            raise UnknownOperationError(unknown_name(operation, self, "operation"))
        self._resolved[operation] = found
        return found

    def _of_class(self, cls: type[Any]) -> RegisteredOperation:
        if not issubclass(cls, Operation):
            raise UnknownOperationError(f"{cls.__name__} is no operation: it has to be a subclass of Operation")
        for name, (target, record) in self._known().items():
            if target is cls or target == f"{cls.__module__}:{cls.__qualname__}":
                return self.get(name) if record else RegisteredOperation(name, cls)
        return RegisteredOperation(cls.__name__, cls)

    def _import(self, name: str, target: str | type[Operation], record: PluginRecord) -> type[Operation]:
        try:
            cls = resolve(target) if isinstance(target, str) else target
        except PamolaTaskError:
            raise
        except Exception as error:
            raise PluginError(
                f"operation {name!r} of {record.label} cannot be imported from {target}:"
                f" {type(error).__name__}: {error}"
            ) from error
        if not (isinstance(cls, type) and issubclass(cls, Operation)):
            raise PluginError(f"operation {name!r} of {record.label} is no subclass of Operation")
        return cls


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
        self._found: dict[str, Any] | None = None
        self._file_classes: dict[str, str | type[Task]] = {}  # by ending, such as `.yaml`

    def known(self) -> dict[str, Any]:
        """Ids, and what they stand for: a class, `module:Class` or a `TaskFile`."""
        if self._found is None:
            found: dict[str, Any] = {}
            owner: dict[str, str] = {}
            for record, answer in self._plugins.each("pamola_add_tasks", project=self._project):
                for task_id, target in (answer or {}).items():
                    if task_id in found:
                        raise PluginError(f"{owner[task_id]} and {record.label} both bring a task {task_id!r}")
                    found[task_id], owner[task_id] = target, record.label
            self._file_classes = {key[1:]: found.pop(key) for key in list(found) if key.startswith("*.")}
            self._found = found
        return self._found

    def register(self, task_id: str, target: Any) -> None:
        """Add a task to this kernel alone: a class, `module:Class` or a `TaskFile`.

        Raises:
            TaskRegistryError: The id is taken.
        """
        if self.known().get(task_id, target) is not target:
            raise TaskRegistryError(f"there is a task {task_id!r} already")
        self.known()[task_id] = target

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
        if PurePath(name).suffix in self._file_classes:
            return self._of_file(self._name_of(self._path(name)))
        if ":" in name:
            return self._make(name, name)
        close = difflib.get_close_matches(name, self.known(), n=1)
        hint = (
            f": did you mean {close[0]!r}?"
            if close
            else f": `pamola-task list` shows the tasks of {self._project.root}"
        )
        raise UnknownTaskError(f"there is no task {name!r}{hint}")

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
        target = self._file_classes.get(PurePath(file).suffix)
        if target is None:
            raise UnknownTaskError(f"no installed plugin makes a task of {file}")
        cls: Any = resolve(target) if isinstance(target, str) else target
        task: Task = cls(file, *task_id)
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
            raise TaskRegistryError(f"{name}: {cls!r} is no subclass of BaseTask")
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
