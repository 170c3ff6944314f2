"""The code that an operation is made of: the file of its class, and every module of ours that it and its bases import.

Ours is what belongs neither to the standard library nor to an installed distribution: the files of the project, and
distributions that were installed as editable. Of what is installed the version counts.
"""

from __future__ import annotations

import contextlib
import hashlib
import inspect
import os
import re
import sys
import types
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pamola_tasks.plugins.discovery import normalized

if TYPE_CHECKING:
    from collections.abc import Mapping

KERNEL = "pamola_tasks"
_STDLIB = os.path.dirname(os.__file__) + os.sep
_SITES = {"site-packages", "dist-packages"}
# What looks like an import in a docstring counts as well: that a step runs once too often is no harm.
_IMPORT = re.compile(
    r"\bfrom[\s\\]+(\.*)[\s\\]*([\w.]*?)[\s\\]*\bimport\b[\s\\]*(\([^)]*\)|(?:\\\r?\n|[^\n;#])*)"
    r"|\bimport[ \t\\]+((?:\\\r?\n|[^\n;#])*)"
    r"|(?:import_module|__import__)\(\s*[\"'](\.*)([\w.]+)"
)


@cache
def code_hash(cls: type) -> str:
    """Hash of the file that a class is defined in, or of what can be seen of it where there is no file."""
    with contextlib.suppress(TypeError, OSError):
        return hashlib.sha256(Path(inspect.getfile(cls)).read_bytes()).hexdigest()
    with contextlib.suppress(TypeError, OSError):
        return hashlib.sha256(inspect.getsource(cls).encode()).hexdigest()
    seen = sorted((name, _seen(value)) for name, value in vars(cls).items() if not name.startswith("__attrs"))
    return hashlib.sha256(repr(seen).encode()).hexdigest()


def _seen(value: Any) -> str:
    """What can be seen of a class's attribute: a function's code with its constants and names, or a plain value."""
    function = getattr(value, "fget", None) or getattr(value, "__func__", value)
    code = function if isinstance(function, types.CodeType) else getattr(function, "__code__", None)
    if code is not None:
        return repr((code.co_code, code.co_names, [_seen(constant) for constant in code.co_consts]))
    if isinstance(value, frozenset):
        return repr(sorted(map(repr, value)))
    return repr(value) if value is None or isinstance(value, (bool, int, float, str, bytes, tuple)) else ""


@cache
def imported(cls: type) -> dict[str, str]:
    """What a class and its bases import, at whatever distance: `module NAME` of ours by hash, `version NAME` else."""
    own, _ = _place(cls.__module__, {})
    home = cls.__module__.partition(".")[0]
    hashes: dict[str, list[str]] = {}
    parts: dict[str, str] = {}
    hidden: dict[str, types.ModuleType] = {}  # made from a file by the module that uses them, and told to nobody
    seen: set[str] = set()
    waiting = [base.__module__ for base in cls.__mro__]
    while waiting:
        name = waiting.pop()
        top, _, rest = name.partition(".")
        if name in seen or top == KERNEL:  # the kernel's version is a part of its own
            continue
        seen.add(name)
        waiting += [name.rpartition(".")[0]] if rest else []
        path, _ = _place(name, hidden)
        if not path:
            if name == "__main__":  # a notebook: its statements are gone, what they imported is there
                values = list(vars(sys.modules[name]).values())
                waiting += [
                    str(getattr(value, "__module__", None) or getattr(value, "__name__", "")) for value in values
                ]
            continue
        folder = str(Path(path).parents[name.count(".") + (Path(path).stem == "__init__")])
        if _SITES.intersection(Path(folder).parts) or top in _recorded(folder):
            if top != home and (owner := _owner(folder, top)):
                parts[f"version {owner[0]}"] = owner[1]
        elif not path.startswith(_STDLIB):
            digest, names = _read(name, path)
            waiting += names
            if path != own:
                # The name of what was loaded from a file says where the file was.
                shown = Path(path).stem if top.startswith("pamola_file_") else name
                hashes.setdefault(shown.partition(".")[0], []).append(f"{shown} {digest}")
            for value in list(vars(hidden.get(name) or sys.modules.get(name) or types).values()):
                if isinstance(value, types.ModuleType) and value.__name__ not in sys.modules:
                    hidden[value.__name__] = value
                    waiting.append(value.__name__)
    texts = {group: "\n".join(sorted(found)) for group, found in hashes.items()}
    return parts | {f"module {group}": hashlib.sha256(text.encode()).hexdigest() for group, text in texts.items()}


def _place(name: str, hidden: Mapping[str, types.ModuleType]) -> tuple[str, Any]:
    """The file of a module, empty without one, and where the modules of a package lie. Nothing is imported for it."""
    module = hidden.get(name) or sys.modules.get(name)
    if module is not None:
        file = getattr(module, "__file__", None)
        return os.path.abspath(file) if file else "", getattr(module, "__path__", None)
    parent, path = name.rpartition(".")[0], None
    if parent and (path := _place(parent, hidden)[1]) is None:
        return "", None
    for finder in sys.meta_path:
        with contextlib.suppress(Exception):  # a finder of another's that fails finds nothing
            if spec := finder.find_spec(name, path):
                inner = spec.submodule_search_locations
                return (spec.origin or "") if spec.has_location else "", getattr(inner, "_path", inner)
    return "", None


@cache
def _read(name: str, path: str) -> tuple[str, list[str]]:
    """A hash of a module's file, and the names of all that it may import, in functions too."""
    try:
        content = Path(path).read_bytes()
    except OSError:  # in an archive, or nowhere: what was piped to Python
        try:
            content = getattr(sys.modules.get(name), "__loader__", None).get_data(path)  # type: ignore[union-attr]
        except (AttributeError, OSError):
            return "", []
    names: list[str] = []
    if path.endswith(".py"):
        package = name if Path(path).stem == "__init__" else name.rpartition(".")[0]
        for dots, base, listed, plain, more, called in _IMPORT.findall(content.decode("utf-8", "replace")):
            names += re.findall(r"[\w.]+", plain)
            level = len(dots or more)
            above = package.split(".")[: max(0, package.count(".") + 2 - level)] if level else []
            if start := ".".join([*above, *filter(None, (base or called,))]):
                names += [start, *(f"{start}.{word}" for word in re.findall(r"\w+", listed))]
    return hashlib.sha256(content).hexdigest(), names


def _owner(folder: str, top: str) -> tuple[str, str] | None:
    """Name and version of the distribution that a package was installed with."""
    named = {name: (name, version) for _, name, version in _infos(folder)}
    return named.get(normalized(top)) or _recorded(folder).get(top)


@cache
def _infos(folder: str) -> list[tuple[str, str, str]]:
    """The distributions that were installed into a folder: where facts of it are, its name and its version."""
    found = []
    with contextlib.suppress(OSError):
        for info in sorted(os.listdir(folder)):
            if info.endswith(".dist-info"):
                name, _, version = info.removesuffix(".dist-info").partition("-")
                found.append((f"{folder}/{info}", normalized(name), version))
    return found


@cache
def _recorded(folder: str) -> dict[str, tuple[str, str]]:
    """The distribution of each package in a folder, as the lists of installed files tell."""
    found: dict[str, tuple[str, str]] = {}
    for info, name, version in _infos(folder):
        with contextlib.suppress(OSError):
            record = Path(info, "RECORD").read_text(encoding="utf-8", errors="replace")
            found |= dict.fromkeys(re.findall(r"^(\w+)[/.]", record, re.M), (name, version))
    return found
