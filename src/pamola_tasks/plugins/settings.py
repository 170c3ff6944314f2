"""Which plugins a project wants: `.pamola.toml` and the environment, read before any plugin is loaded."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pamola_tasks.errors import PluginError

if TYPE_CHECKING:
    from collections.abc import Mapping

_SETTINGS_LIMIT = 8 * 1024  # bytes of a `.pamola.toml`
_KEYS = {
    **dict.fromkeys(("disable", "only", "require"), "a list of names"),
    "prefer": "a table of services and plugin names",
}
_OTHER_MARKERS = (".pamolaProject", "configs/prj_config.yaml", "configs/prj_config.json", "configs/prj_config.toml")


class PluginSettings:
    """What the nearest `.pamola.toml` upwards of a folder and PAMOLA_NO_PLUGINS say about plugins.

    Raises:
        PluginError: The file is not valid; it names file and key.
    """

    def __init__(self, folder: Path) -> None:
        self.path = _settings_file(folder)
        section = _section(self.path) if self.path is not None else {}
        environment = [name.strip() for name in os.environ.get("PAMOLA_NO_PLUGINS", "").split(",")]
        self.disable: tuple[str, ...] = (*section.get("disable", ()), *filter(None, environment))
        self.require: tuple[str, ...] = tuple(section.get("require", ()))
        self.only: tuple[str, ...] | None = tuple(section["only"]) if "only" in section else None
        self.prefer: dict[str, str] = section.get("prefer", {})


def _section(path: Path) -> Mapping[str, Any]:
    try:
        with path.open("rb") as file:
            text = file.read(_SETTINGS_LIMIT + 1).decode("utf-8")
    except OSError as error:
        raise PluginError(f"{path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise PluginError(f"{path}: not UTF-8") from error
    if len(text) > _SETTINGS_LIMIT:
        raise PluginError(f"{path}: larger than {_SETTINGS_LIMIT // 1024} KiB; it holds [plugins] and nothing else")
    if not text.strip():  # a project's mark, as most of these files are
        return {}
    import tomllib

    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        said, _, place = str(error).rstrip(")").partition(" (at ")
        line_and_column = re.findall(r"\d+", place)
        where = ":".join([str(path), *line_and_column])
        raise PluginError(f"{where}: {said}{f' at its {place}' if place and not line_and_column else ''}") from error
    except (ValueError, RecursionError) as error:  # a number of thousands of digits; lists in lists in lists
        raise PluginError(f"{path}: it cannot be read as TOML: {type(error).__name__}") from error
    section = content.pop("plugins", {})
    for key in content:
        raise PluginError(f"{path}: {key}: this file holds [plugins] and nothing else; settings belong in configs/")
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


def _settings_file(start: Path) -> Path | None:
    root = os.environ.get("PAMOLA_PROJECT_ROOT")
    for folder in [Path(root)] if root else [start, *start.parents]:
        path = folder / ".pamola.toml"
        if path.is_file():
            return path
        if os.path.lexists(path):  # to pass it over would lose what it requires
            raise PluginError(f"{path}: not a regular file, or a broken link")
        if any((folder / marker).exists() for marker in _OTHER_MARKERS):
            return None
    return None
