"""The path guard of a run: the project's root to read and write, further roots to read from."""

from __future__ import annotations

import copy
import os
import stat
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import IO, Any

from pamola_tasks.errors import PathSecurityError
from pamola_tasks.protocols import Diagnosis, Project, Stat
from pamola_tasks_paths.names import shown, system_directory_of
from pamola_tasks_paths.saferoot import SafeRoot


class ProjectGuard:
    """`pamola_tasks.protocols.PathGuard`, on `SafeRoot`."""

    def __init__(self, root: str | Path) -> None:
        self._inside = SafeRoot(root)
        self._outside: tuple[_ReadOnlyRoot, ...] = ()

    @property
    def root(self) -> Path:
        return self._inside.root

    def extended(self, roots: Iterable[Path]) -> ProjectGuard:
        """The same guard with further roots, folders or single files; each is opened when it is first used.

        Raises:
            PathSecurityError: A root is a system directory, or holds them all (`/`).
        """
        guard = copy.copy(self)
        added = [_ReadOnlyRoot(os.path.join(self.root, os.fspath(root))) for root in roots]
        guard._outside = (*self._outside, *added)
        return guard

    def open(self, name: str, mode: str = "rb") -> AbstractContextManager[IO[Any]]:
        if mode not in ("r", "rt", "rb", "ab"):
            raise ValueError(f"mode {mode!r} is not for a path guard: it reads (rb, r) and appends (ab)")
        if mode == "ab":
            return self._inside.open(self._own(name), "a+b", buffering=0)  # the journal reads what it appends to
        safe, inside = self._find(name)
        return safe.open(inside, mode)

    def create(
        self, name: str, *, exclusive: bool = False, parents: bool = True, mode: int | None = None
    ) -> AbstractContextManager[IO[bytes]]:
        return self._inside.create(self._own(name), exclusive=exclusive, parents=parents, mode=mode)

    def mkdirs(self, name: str, mode: int = 0o700) -> None:
        self._inside.mkdirs(self._own(name), mode)

    def replace(self, source: str, target: str) -> None:
        self._inside.replace(self._own(source), self._own(target))

    def unlink(self, name: str, *, missing_ok: bool = False) -> None:
        self._inside.unlink(self._own(name), missing_ok=missing_ok)

    def remove_tree(self, name: str, *, missing_ok: bool = False) -> None:
        self._inside.remove_tree(self._own(name), missing_ok=missing_ok)

    def iter(self, name: str = ".") -> Iterator[tuple[str, Stat]]:
        safe, inside = self._find(name)
        return ((entry, _told(status)) for entry, status in safe.entries(inside))

    def stat(self, name: str) -> Stat:
        safe, inside = self._find(name)
        return _told(safe.stat(inside))

    def exists(self, name: str) -> bool:
        try:
            self.stat(name)
        except (FileNotFoundError, PathSecurityError):
            return False
        return True

    def _find(self, name: str) -> tuple[SafeRoot, str]:
        """The root that gives access to a name for reading, and the name within it."""
        if isinstance(name, str) and os.path.isabs(name) and self._inside.beneath(name) is None:
            for outside in self._outside:
                if found := outside.find(name):
                    return found
        return self._inside, self._own(name)

    def _own(self, name: str) -> str:
        """A name for the project's root; an absolute one elsewhere is refused with what would allow it."""
        if isinstance(name, str) and os.path.isabs(name) and self._inside.beneath(name) is None:
            raise PathSecurityError(
                f"{shown(name)} is refused: it is outside the project {self.root}; to read inputs from elsewhere,"
                " list their folder in `allowed_external_paths` and set `allow_external: true`"
            )
        return name


class _ReadOnlyRoot:
    """A folder or a file outside the project, opened when first used."""

    def __init__(self, path: str) -> None:
        given = os.path.abspath(path)
        for spelling in {given, os.path.realpath(given)}:
            system = system_directory_of(spelling)
            if system is not None or os.path.dirname(spelling) == spelling:
                raise PathSecurityError(
                    f"{shown(path)} cannot be an allowed external path: it is, or is in, the system folder"
                    f" {system or spelling}"
                )
        self._given = given
        self._safe: SafeRoot | None = None
        self._only: str | None = None

    def find(self, name: str) -> tuple[SafeRoot, str] | None:
        """An absolute name within this root; None when it lies elsewhere, or nothing is there yet."""
        if self._safe is None and os.path.isdir(self._given):
            self._safe = SafeRoot(self._given)
        elif self._safe is None and os.path.exists(self._given):
            folder, self._only = os.path.split(self._given)
            self._safe = SafeRoot(folder)
        if self._safe is None:
            return None
        inside = self._safe.beneath(name)
        return None if inside is None or self._only not in (None, inside) else (self._safe, inside)


def _told(status: os.stat_result) -> Stat:
    mode = status.st_mode
    kind = "file" if stat.S_ISREG(mode) else "directory" if stat.S_ISDIR(mode) else "other"
    return Stat(kind, status.st_size, status.st_mtime_ns, status.st_ctime_ns, stat.S_IMODE(mode))


# Level, subject, finding and advice for each way in which leaving the project is prevented.
_HOW = {
    "openat2": ("ok", "path guard", "the kernel keeps files beneath the project (openat2)"),
    "walk": ("ok", "path guard", "each folder is opened in turn"),
    "final path": (
        "note",
        "path guard",
        "this system has no folder handles: names are checked, then the final path is compared",
        "give no other user write access to the project's folder while a task runs",
    ),
}


def diagnose(project: Project | None, raw: str = "") -> list[Diagnosis]:
    """How leaving the project is prevented here, and which inputs in this folder of it others can read."""
    if project is None:
        return []
    with SafeRoot(project.root) as safe:
        found = [Diagnosis(*_HOW[safe.protection])]
    if names := _open_to_others(project, raw) if raw and os.name != "nt" else []:
        said = f"other users can read {len(names)} of the inputs in {raw}: {', '.join(map(shown, names[:5]))}"
        advice = f"if they hold personal data: chmod -R go= {raw}"
        found.append(Diagnosis("note", "inputs", f"{said}{' …' if len(names) > 5 else ''}", advice))
    return found


def _open_to_others(project: Project, folder: str) -> list[str]:
    """The unencrypted files in a folder that others may read, and may reach."""
    files, parts = project.files, folder.split("/")
    try:
        readable = 0o044
        for length in range(len(parts) + 1):
            mode = files.stat("/".join(parts[:length]) or ".").mode
            readable &= mode << 2  # who may enter
        entries = [name for name, found in files.iter(folder) if found.kind == "file" and found.mode & readable]
        return [name for name in entries if not files.encryption_of(f"{folder}/{name}").encrypted]
    except (OSError, PathSecurityError):
        return []
