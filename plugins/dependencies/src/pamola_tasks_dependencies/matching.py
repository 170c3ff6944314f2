"""Files beneath a folder whose names match a pattern."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterator
from pathlib import PurePosixPath, PureWindowsPath
from typing import TYPE_CHECKING

from pamola_tasks.errors import PathSecurityError
from pamola_tasks.storage.files import is_temporary

if TYPE_CHECKING:
    from pamola_tasks.protocols import Files


def matching(files: Files, folder: str, pattern: str) -> list[str]:
    """Names of the files beneath a folder that match, sorted.

    Args:
        pattern: As in a shell: `*.csv`, `part-?.csv`, `by_year/*.csv`, `**/*.json`. Hidden files match only a part
            that begins with a dot; links are not files here.

    Raises:
        PathSecurityError: The pattern is absolute or has `..`.
    """
    parts = PurePosixPath(pattern).parts
    windows = PureWindowsPath(pattern)
    if not parts or ".." in parts or ".." in windows.parts or pattern.startswith("/") or windows.anchor:
        raise PathSecurityError(
            f"the pattern {pattern!r} is refused: it has to name files beneath the folder, without `..` and root"
        )
    return sorted(set(_found(files, folder, parts)))


def _found(files: Files, folder: str, parts: tuple[str, ...]) -> Iterator[str]:
    head, rest = parts[0], parts[1:]
    if head == "**" and rest:
        yield from _found(files, folder, rest)
    for name, stat in files.iter(folder):
        path = f"{folder}/{name}"
        if name.startswith(".") and (not head.startswith(".") or is_temporary(name)):
            continue
        if head == "**":
            if stat.kind == "directory":
                yield from _found(files, path, parts)
            elif stat.kind == "file" and not rest:
                yield path
        elif fnmatch.fnmatchcase(name, head):
            if rest and stat.kind == "directory":
                yield from _found(files, path, rest)
            elif not rest and stat.kind == "file":
                yield path
