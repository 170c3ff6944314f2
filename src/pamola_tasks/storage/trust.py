"""Which folder is a project's root, and which files are trusted: those that only the user and root can write.

A project decides what Python runs, so that of another user is not used unless the user's own `.pamola.toml`, in the
folder of their settings, lists its folder under `[trust] folders`. Windows has no owners and modes to judge by.
"""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pamola_tasks.errors import PluginError, ProjectError, UntrustedError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

SETTINGS = ".pamola.toml"
MARKERS = (SETTINGS, ".pamolaProject", *(f"configs/prj_config.{form}" for form in ("yaml", "yml", "toml", "json")))
DEFAULT_DEPTH = 20
_TOML_LIMIT = 8 * 1024  # bytes of a `.pamola.toml`


def root_of(start: Path, environ: Mapping[str, str] | None = None, *, asked: bool = False) -> tuple[Path, str]:
    """The root of the project that a folder belongs to, and the marker in it; the folder and nothing without one.

    Args:
        start: Where to look from, upwards unless it is `asked` for.
        environ: The environment; the process's own unless given. PAMOLA_PROJECT_ROOT is the root whatever the folder
            is; PAMOLA_MAX_SEARCH_DEPTH limits how many folders are searched (20).
        asked: The folder itself is the root, marked or not.

    Raises:
        ProjectError: One of the two variables cannot be used.
        PluginError: `.pamola.toml` is something else than a file.
        UntrustedError: The project is another user's, or others can change it.
    """
    environ = os.environ if environ is None else environ
    start = start.resolve()
    if asked:
        return start, marker_in(start)
    explicit = environ.get("PAMOLA_PROJECT_ROOT", "")
    if explicit:
        root = Path(explicit).expanduser()
        if not root.is_dir():
            raise ProjectError(f"PAMOLA_PROJECT_ROOT names {explicit!r}, which is not a folder: correct it or unset it")
        return root.resolve(), marker_in(root.resolve())
    for folder in [start, *start.parents][: _depth(environ)]:
        if marker := marker_in(folder):
            return folder, marker
    return start, ""


def _depth(environ: Mapping[str, str]) -> int:
    text = environ.get("PAMOLA_MAX_SEARCH_DEPTH", "").strip() or str(DEFAULT_DEPTH)
    if not (text.isascii() and text.isdigit() and 1 <= int(text[:9]) <= 10_000):
        raise ProjectError("PAMOLA_MAX_SEARCH_DEPTH must be a whole number of 1 or more: how many folders to look at")
    return int(text)


def marker_in(folder: Path) -> str:
    """The marker that makes a folder a project's root, or empty; errors as of `root_of`."""
    settings = folder / SETTINGS
    if os.path.lexists(settings) and not settings.is_file():  # to pass it over would lose what it requires
        raise PluginError(f"{settings}: not a regular file, or a broken link")
    marker = next((marker for marker in MARKERS if os.path.isfile(folder / marker)), "")
    if marker:
        believe(folder / marker, folder)
    return marker


def believe(path: Path, root: Path | None = None, found: os.stat_result | None = None) -> None:
    """Refuse a file that others could have written, or where they can put another in its place.

    Args:
        path: The file.
        root: The project's root, judged with the folders between it and the file; only the file without.
        found: The status of the file that was opened.

    Raises:
        UntrustedError: With the file, its owner and mode, and what allows it.
    """
    doubts = list(_doubts(path, root, found))
    allowed = [Path(os.path.realpath(folder)) for folder in (_allowed() if doubts else ())]
    doubts = [doubt for doubt in doubts if not {doubt[0], *doubt[0].parents} & {*allowed}]
    if doubts:
        import json

        suspect, doubt = doubts[0]
        folder = json.dumps(os.path.realpath(suspect.parent if root is None else root), ensure_ascii=False)
        raise UntrustedError(
            f"{doubt}: it could make you run what others wrote, and is not used."
            f" If you trust it, say so in {user_file()}:\n  [trust]\n  folders = [{folder}]"
            + ("\nor name a project of your own: --project DIR" if root is not None else "")
        )


def doubt_about(path: Path, root: Path | None = None, found: os.stat_result | None = None) -> str:
    """The file or folder that others could have written, and how; arguments of `believe`. Empty where there is none."""
    return next((doubt for _, doubt in _doubts(path, root, found)), "")


def _doubts(path: Path, root: Path | None, found: os.stat_result | None) -> Iterator[tuple[Path, str]]:
    """What others could have written, by its real path, and how; the root first. Arguments of `believe`."""
    if not hasattr(os, "geteuid"):
        return
    judged: list[tuple[Path, os.stat_result]] = []
    if root is not None:
        top, real = Path(os.path.realpath(root)), Path(os.path.realpath(path))
        places = (real.parent, Path(os.path.realpath(path.parent)))  # of the file, and of a link to it
        folders = {folder for place in places for folder in (place, *place.parents) if top in folder.parents}
        judged = [(folder, os.stat(folder)) for folder in (top, *sorted(folders))]
    for suspect, status in [*judged, (path, os.stat(path) if found is None else found)]:
        if objection := _objection(suspect, status):
            yield Path(os.path.realpath(suspect)), f"{suspect} {objection}"


def _objection(path: Path, found: os.stat_result) -> str:
    """Whose word a file is, unless it is the user's own or root's."""
    mode = f"mode {stat.S_IMODE(found.st_mode):04o}"
    if found.st_uid not in (os.geteuid(), 0):
        return f"belongs to {_name(found.st_uid)}, {mode}, and you are {_name(os.geteuid())}"
    if found.st_mode & stat.S_IWOTH:
        return f"can be changed by every user ({mode}; `chmod o-w` ends that)"
    if found.st_mode & stat.S_IWGRP and not _is_private(path, found):
        return f"can be changed by its group {found.st_gid} ({mode}; `chmod g-w` ends that)"
    return ""


def _name(user: int) -> str:
    import pwd

    try:
        return f"{pwd.getpwuid(user).pw_name} (uid {user})"
    except KeyError:
        return f"uid {user}"


def _is_private(path: Path, found: os.stat_result) -> bool:
    """Whether a file's group is that of its owner alone, of the same name, and no access list lets others in."""
    import grp
    import pwd

    try:
        if "system.posix_acl_access" in getattr(os, "listxattr", lambda path: ())(path):
            return False
        owner, group = pwd.getpwuid(found.st_uid), grp.getgrgid(found.st_gid)
    except (KeyError, OSError):
        return False
    return (owner.pw_gid, owner.pw_name) == (group.gr_gid, group.gr_name) and {*group.gr_mem} <= {owner.pw_name}


def user_file() -> Path:
    """The user's own `.pamola.toml`, which says what they trust; no project can write it."""
    base = os.environ.get("XDG_CONFIG_HOME", "")
    return Path(base if os.path.isabs(base) else os.path.expanduser("~/.config"), "pamola-tasks", SETTINGS)


def _allowed() -> list[str]:
    path = user_file()
    if not path.is_absolute() or not path.is_file():  # who has no home has no settings
        return []
    if objection := _objection(path, path.stat()):
        raise UntrustedError(f"{path} {objection}: what it trusts counts only where other users cannot write it")
    content = read_toml(path)
    section = content.pop("trust", {})
    folders = section.pop("folders", []) if isinstance(section, dict) else None
    if content or section or not isinstance(folders, list):
        raise PluginError(f'{path}: it holds [trust] with folders = ["/folder", …] and nothing else')
    wrong = [folder for folder in folders if not isinstance(folder, str) or not os.path.isabs(folder)]
    if wrong:
        raise PluginError(f"{path}: trust.folders: expected paths from the root (/…), not {wrong[0]!r}")
    return folders


def read_toml(path: Path) -> dict[str, Any]:
    """What a `.pamola.toml` says; PluginError where it is none, with its place."""
    try:
        with path.open("rb") as file:
            text = file.read(_TOML_LIMIT + 1).decode("utf-8")
    except OSError as error:
        raise PluginError(f"{path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise PluginError(f"{path}: not UTF-8") from error
    if len(text) > _TOML_LIMIT:
        raise PluginError(f"{path}: larger than {_TOML_LIMIT // 1024} KiB; it holds [plugins] and nothing else")
    if not text.strip():  # a project's mark, as most of these files are
        return {}
    import tomllib

    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        said, _, place = str(error).rstrip(")").partition(" (at ")
        line_and_column = re.findall(r"\d+", place)
        where = ":".join([str(path), *line_and_column])
        raise PluginError(f"{where}: {said}{f' at its {place}' if place and not line_and_column else ''}") from error
    except (ValueError, RecursionError) as error:  # a number of thousands of digits; lists in lists in lists
        raise PluginError(f"{path}: it cannot be read as TOML: {type(error).__name__}") from error
