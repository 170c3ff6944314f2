"""Where plugins are: entry points of installed distributions, modules by name, and files."""

from __future__ import annotations

import importlib
import importlib.util
import os
import re
import sys
import zlib
from importlib.machinery import SourceFileLoader
from typing import TYPE_CHECKING, Any

from pamola_tasks.errors import PluginError
from pamola_tasks.plugins.records import PluginRecord

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from importlib.metadata import Distribution
    from pathlib import Path
    from types import CodeType

GROUP = "pamola_tasks"


def installed() -> list[PluginRecord]:
    """All entry points of the group `pamola_tasks`, by distribution and name.

    Reads the `entry_points.txt` of installed distributions directly: `importlib.metadata` would do the same in three
    times the time, which every start of the command line would pay. What is not a folder on `sys.path` (a zip file) is
    left to `importlib.metadata`.
    """
    found: list[PluginRecord] = []
    for distribution, version, place in _distributions():
        if not isinstance(place, str):
            points = place.entry_points.select(group=GROUP)
            found += [PluginRecord(p.name, p.value, distribution, version) for p in points]
            continue
        try:
            with open(f"{place}/entry_points.txt", encoding="utf-8") as file:
                text = file.read()
        except (OSError, UnicodeDecodeError):
            continue
        if f"[{GROUP}]" in text:
            found += [PluginRecord(point, target, distribution, version) for point, target in _entry_points(text)]
    return sorted(found, key=lambda record: (record.distribution, record.name))


def versions(names: Iterable[str]) -> dict[str, str]:
    """The versions of distributions, of those that are installed, without importing them."""
    wanted = {normalized(name): name for name in names}
    return {wanted[name]: version for name, version, _ in _distributions() if name in wanted}


def _distributions() -> Iterator[tuple[str, str, str | Distribution]]:
    """Name, version and place of each distribution on `sys.path`, the first of each name."""
    seen: set[str] = set()
    for entry in dict.fromkeys(sys.path):
        folder = entry or "."
        if os.path.isfile(folder):
            from importlib import metadata

            for found in metadata.distributions(path=[folder]):
                if (name := normalized(found.name)) not in seen:
                    seen.add(name)
                    yield name, found.version, found
            continue
        try:
            names = os.listdir(folder)
        except OSError:
            continue
        for info in names:
            stem, dot, kind = info.rpartition(".")
            if not dot or kind not in ("dist-info", "egg-info"):
                continue
            name, _, version = stem.partition("-")
            name = normalized(name)
            if name not in seen:
                seen.add(name)
                yield name, version.partition("-")[0], f"{folder}/{info}"


def _entry_points(text: str) -> Iterator[tuple[str, str]]:
    """Names and targets in the group's section of an `entry_points.txt`."""
    section = ""
    for raw in text.splitlines():
        line = raw.strip()
        if line.startswith("["):
            section = line.strip("[]").strip()
        elif section == GROUP and "=" in line and not line.startswith(("#", ";")):
            name, _, target = line.partition("=")
            yield name.strip(), target.partition("[")[0].strip()


def normalized(name: str) -> str:
    """A distribution's name as PEP 503 compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def resolve(target: str) -> Any:
    """The object that `"module"` or `"module:object.attribute"` names, imported."""
    module, _, path = target.partition(":")
    found: Any = importlib.import_module(module)
    for attribute in filter(None, path.split(".")):
        found = getattr(found, attribute)
    return found


class _CompiledAnew(SourceFileLoader):
    """Loads what a file holds now, and leaves nothing beside it.

    Bytecode that Python keeps is judged by the size of the file and the second of its last change: an edit may leave
    both as they were.
    """

    def get_code(self, fullname: str) -> CodeType:
        path = self.get_filename(fullname)
        code: CodeType = self.source_to_code(self.get_data(path), path)
        return code


def module_from(path: Path) -> Any:
    """A Python file as a module of its own; it is named after the file and can be imported from then on.

    Raises:
        PluginError: There is no such file, or it is not a Python file.
    """
    path = path.resolve()
    # The same name in every process, so that what is defined there can be named to another one.
    name = f"pamola_file_{re.sub(r'[^0-9A-Za-z_]', '_', path.stem)}_{zlib.crc32(os.fsencode(path)):08x}"
    spec = importlib.util.spec_from_file_location(name, path)
    if not path.is_file() or spec is None or spec.loader is None:
        raise PluginError(f"there is no Python file {path}")
    if isinstance(spec.loader, SourceFileLoader):
        spec.loader = _CompiledAnew(name, str(path))
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module
