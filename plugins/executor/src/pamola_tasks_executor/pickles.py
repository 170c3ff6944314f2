"""Values as bytes for another process of the same run: pickles, also of definitions in files that cannot be imported.

They are exchanged by processes that started each other, or that a place of the user's own has brought together.
"""

from __future__ import annotations

import io
import pickle
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

from pamola_tasks.errors import OperationError
from pamola_tasks.plugins.discovery import module_from

_FROM_FILE = "pamola_file_"  # what `module_from` names the modules that it makes of files


class _Pickler(pickle.Pickler):
    """Sends modules by name; those made of a file, which nobody else can import, with the file's path."""

    def reducer_override(self, obj: Any) -> Any:
        if isinstance(obj, ModuleType):
            return _module, (obj.__name__, _file_of(obj))
        return NotImplemented


class _Unpickler(pickle.Unpickler):
    """Finds classes in modules that were made of files too."""

    def __init__(self, data: bytes, files: dict[str, str]) -> None:
        super().__init__(io.BytesIO(data))
        self._files = files

    def find_class(self, module: str, name: str) -> Any:
        if module in self._files:
            _module(module, self._files[module])
        return super().find_class(module, name)


def _file_of(module: ModuleType) -> str:
    return str(module.__file__) if module.__name__.startswith(_FROM_FILE) else ""


def _module(name: str, file: str) -> ModuleType:
    if name not in sys.modules and file:
        module_from(Path(file))
    __import__(name)
    return sys.modules[name]


def dumps(value: Any, what: str) -> bytes:
    """A value in bytes for another process; an OperationError says what cannot be sent, and why."""
    buffer = io.BytesIO()
    try:
        _Pickler(buffer, pickle.HIGHEST_PROTOCOL).dump(value)
    except Exception as error:
        raise OperationError(
            f"{what} cannot be sent to another process: {error or type(error).__name__} (define classes and functions"
            f" at module level; or run the steps on threads, without timeout and memory limit, and tasks one at a time)"
        ) from error
    files = {name: _file_of(module) for name, module in list(sys.modules.items()) if name.startswith(_FROM_FILE)}
    return pickle.dumps((files, buffer.getvalue()), pickle.HIGHEST_PROTOCOL)


def loads(data: bytes) -> Any:
    """What `dumps` made bytes of."""
    files, inner = pickle.loads(data)
    return _Unpickler(inner, files).load()
