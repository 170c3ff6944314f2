"""Task classes: found in folders and packages, and what they say of themselves."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import pkgutil
import re
from typing import TYPE_CHECKING, Any

from pamola_tasks import BaseTask
from pamola_tasks.errors import TaskRegistryError
from pamola_tasks.plugins.discovery import module_from

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path
    from types import ModuleType

    from pamola_tasks.kernel import Kernel

_TAG = re.compile(r"^\s*@(\w+):\s*(.+?)\s*$", re.MULTILINE)


def discover_task_classes(
    package_paths: Sequence[str] | None = None, recursive: bool = True, kernel: Kernel | None = None
) -> dict[str, type[BaseTask]]:
    """The task classes in folders of a project and in packages, by the id of their tasks. The modules are imported.

    A class counts where it is defined, when it takes no arguments that have to be given (it is a base for others
    otherwise) and has no leading underscore.

    Args:
        package_paths: Folders relative to the project's root, or names of packages and modules.
        recursive: Look into folders and packages below.
        kernel: Whose project; that of the current folder unless given.

    Raises:
        TaskRegistryError: A place is neither folder nor package, a module cannot be imported, a class cannot be made,
            or two classes have one id.
    """
    from pamola_tasks.kernel import Kernel

    root = (kernel or Kernel.discover()).project.root
    found: dict[str, type[BaseTask]] = {}
    for place in package_paths if package_paths is not None else ["scripts"]:
        for module in _modules_of(place, root, recursive):
            for cls in _task_classes_of(module):
                task_id = _made(cls).task_id
                if found.setdefault(task_id, cls) is not cls:
                    raise TaskRegistryError(
                        f"two classes have the task id {task_id!r}: {found[task_id].__module__}."
                        f"{found[task_id].__qualname__} and {cls.__module__}.{cls.__qualname__}"
                    )
    return found


def register_discovered_tasks(
    package_paths: Sequence[str] | None = None, recursive: bool = True, *, kernel: Kernel
) -> int:
    """Add what `discover_task_classes` finds to a kernel; how many there are.

    Raises:
        TaskRegistryError: As there; or one of the ids is taken by another task.
    """
    found = discover_task_classes(package_paths, recursive, kernel)
    for task_id, cls in found.items():
        kernel.tasks.register(task_id, cls)
    return len(found)


def get_task_metadata(task_class: type[BaseTask]) -> dict[str, Any]:
    """What a task class says of itself.

    Returns:
        `task_id, task_type, description, version, class_name, module, dependencies, author` (the module's
        `__author__`, or empty), and the lines `@tag: value` of the class's docstring by their tags.
    """
    task = _made(task_class)
    tags = dict(_TAG.findall(inspect.getdoc(task_class) or ""))
    module = inspect.getmodule(task_class)
    return {
        **tags,
        "task_id": task.task_id,
        "task_type": task.task_type,
        "description": task.description,
        "version": task.version,
        "class_name": task_class.__name__,
        "module": task_class.__module__,
        "dependencies": list(task.dependencies),
        "author": tags.get("author") or getattr(module, "__author__", ""),
    }


def _made(cls: type[BaseTask]) -> BaseTask:
    try:
        return cls()  # type: ignore[call-arg]  # a task that is found by its class takes no arguments
    except Exception as error:
        raise TaskRegistryError(f"{cls.__name__} cannot be made without arguments: {error}") from error


def _task_classes_of(module: ModuleType) -> Iterator[type[BaseTask]]:
    for value in list(vars(module).values()):
        if (
            isinstance(value, type)
            and issubclass(value, BaseTask)
            and value.__module__ == module.__name__
            and not value.__name__.startswith("_")
            and all(
                parameter.default is not parameter.empty
                or parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
                for parameter in inspect.signature(value).parameters.values()
            )
        ):
            yield value


def _modules_of(place: str, root: Path, recursive: bool) -> Iterator[ModuleType]:
    """The modules in a folder of the project, or in a package."""
    folder = root / place
    try:
        if folder.is_dir():
            for path in sorted(folder.rglob("*.py") if recursive else folder.glob("*.py")):
                yield module_from(path)
        elif importlib.util.find_spec(place) is not None:
            module = importlib.import_module(place)
            yield module
            search = getattr(module, "__path__", None)
            if search is not None:
                walk = pkgutil.walk_packages if recursive else pkgutil.iter_modules
                for found in walk(search, f"{place}."):
                    yield importlib.import_module(found.name)
        else:
            raise ModuleNotFoundError(f"neither a folder of {root} nor a package")
    except TaskRegistryError:
        raise
    except Exception as error:
        raise TaskRegistryError(f"tasks in {place!r}: {type(error).__name__}: {error}") from error
