"""Which plugins a project wants: `.pamola.toml` and the environment, read before any plugin is loaded."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pamola_tasks.errors import PluginError
from pamola_tasks.storage.trust import SETTINGS, believe, read_toml, root_of, user_file

if TYPE_CHECKING:
    from collections.abc import Mapping

_KEYS = {
    **dict.fromkeys(("disable", "only", "require"), "a list of names"),
    "local": "a list of Python files",
    "prefer": "a table of services and plugin names",
}


class PluginSettings:
    """What the `.pamola.toml` of a folder's project and PAMOLA_NO_PLUGINS say about plugins.

    Arguments and errors are those of `root_of`.

    Raises:
        PluginError: The file is not valid; it names file and key.
    """

    def __init__(self, folder: Path, *, asked: bool = False) -> None:
        root, marker = root_of(folder, asked=asked)
        self.path = root / SETTINGS if marker == SETTINGS else None
        section = _section(self.path) if self.path is not None else {}
        environment = [name.strip() for name in os.environ.get("PAMOLA_NO_PLUGINS", "").split(",")]
        self.disable: tuple[str, ...] = (*section.get("disable", ()), *filter(None, environment))
        self.require: tuple[str, ...] = tuple(section.get("require", ()))
        self.only: tuple[str, ...] | None = tuple(section["only"]) if "only" in section else None
        self.prefer: dict[str, str] = section.get("prefer", {})
        self._root, self._local = root, section.get("local", ())

    def local_files(self) -> list[Path]:
        """The files that `local` names, in which `*` is any text that does not begin with `_`.

        Raises:
            PluginError: One is not in the project.
            UntrustedError: Others could have written it.
        """
        found: list[Path] = []
        for pattern in self._local:
            inside = pattern.endswith(".py") and not os.path.isabs(pattern)
            matching = sorted(path for path in self._root.glob(pattern) if path.name[0] != "_") if inside else ()
            for path in matching or [self._root / pattern]:  # one that is not there fails to load
                if not inside or self._root not in path.resolve().parents:
                    raise PluginError(f"{self.path}: plugins.local: {pattern}: expected .py files of the project")
                if path.exists():
                    believe(path, self._root)
                found.append(path)
        return found


def _section(path: Path) -> Mapping[str, Any]:
    content = read_toml(path)
    section = content.pop("plugins", {})
    for key in content:
        place = f"what you trust, in your own {user_file()}" if key == "trust" else "settings belong in configs/"
        raise PluginError(f"{path}: {key}: this file holds [plugins] and nothing else; {place}")
    if not isinstance(section, dict):
        raise PluginError(f"{path}: plugins: expected a table, written [plugins]")
    for key, value in section.items():
        if key not in _KEYS:
            from pamola_tasks.parameters import closest

            meant = closest(key, _KEYS)
            raise PluginError(f"{path}: plugins.{key}: unknown" + (f", did you mean {meant!r}?" if meant else ""))
        names = value.values() if isinstance(value, dict) else value
        if not isinstance(value, dict if key == "prefer" else list) or not all(isinstance(name, str) for name in names):
            raise PluginError(f"{path}: plugins.{key}: expected {_KEYS[key]}")
    return section
