"""Which plugins a project wants: the defaults, `.pamola.toml` and the environment, read before any plugin is loaded."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

from pamola_tasks.errors import PluginError

if TYPE_CHECKING:
    from collections.abc import Sequence

_SETTINGS_LIMIT = 8 * 1024  # bytes of a `.pamola.toml`
_OTHER_MARKERS = (".pamolaProject", "configs/prj_config.yaml", "configs/prj_config.json", "configs/prj_config.toml")


class PluginSettings:
    """What `.pamola.toml` and the environment say about plugins, read before any of them is loaded."""

    __slots__ = ("disable", "path", "prefer", "require")

    def __init__(
        self,
        disable: Sequence[str] = (),
        prefer: dict[str, str] | None = None,
        require: Sequence[str] = (),
        path: Path | None = None,
    ) -> None:
        self.disable = tuple(disable)
        self.prefer = dict(prefer or {})
        self.require = tuple(require)
        self.path = path


def settings_of(start: Path) -> PluginSettings:
    """The plugin settings that hold in a folder: the nearest `.pamola.toml` upwards, and PAMOLA_NO_PLUGINS.

    Raises:
        PluginError: The file is not valid; it names file and key.
    """
    environment = [name.strip() for name in os.environ.get("PAMOLA_NO_PLUGINS", "").split(",") if name.strip()]
    path = _settings_file(start)
    if path is None:
        return PluginSettings(environment)
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
        return PluginSettings(environment, path=path)
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
    for key in content:
        if key != "plugins":
            raise PluginError(f"{path}: {key}: this file holds [plugins] and nothing else; settings belong in configs/")
    section = content.get("plugins", {})
    if not isinstance(section, dict):
        raise PluginError(f"{path}: plugins: expected a table, written [plugins]")
    known = ("disable", "prefer", "require")
    for key in section:
        if key not in known:
            from pamola_tasks.parameters import closest

            meant = closest(key, known)
            raise PluginError(f"{path}: plugins.{key}: unknown" + (f", did you mean {meant!r}?" if meant else ""))
    for key in ("disable", "require"):
        if not isinstance(section.get(key, []), list) or not all(isinstance(n, str) for n in section.get(key, [])):
            raise PluginError(f"{path}: plugins.{key}: expected a list of names")
    prefer = section.get("prefer", {})
    if not isinstance(prefer, dict) or not all(isinstance(name, str) for name in prefer.values()):
        raise PluginError(f"{path}: plugins.prefer: expected a table of services and plugin names")
    return PluginSettings([*section.get("disable", []), *environment], prefer, section.get("require", []), path)


def _settings_file(start: Path) -> Path | None:
    root = os.environ.get("PAMOLA_PROJECT_ROOT")
    folders = [Path(root)] if root else [start, *start.parents]
    for folder in folders:
        path = folder / ".pamola.toml"
        if path.is_file():
            return path
        if os.path.lexists(path):  # to pass it over would lose what it requires
            raise PluginError(f"{path}: not a regular file, or a broken link")
        if any((folder / marker).exists() for marker in _OTHER_MARKERS):
            return None
    return None
