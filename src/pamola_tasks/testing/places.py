"""Files and directories in memory."""

from __future__ import annotations

import contextlib
import io
import posixpath
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import IO

from pamola_tasks.errors import DirectoryManagerError, PathSecurityError
from pamola_tasks.hookspecs import hookimpl
from pamola_tasks.protocols import Project, RunServices, Stat

ROOT = Path("/memory")


class MemoryGuard:
    """A path guard over a dict of files.

    Args:
        files: Names relative to the root, and contents.
    """

    def __init__(self, files: dict[str, bytes]) -> None:
        self.root = ROOT
        self.files = files

    def extended(self, roots: Iterable[Path]) -> MemoryGuard:
        """There is nothing outside."""
        return self

    def _name(self, name: str) -> str:
        text = name.removeprefix(f"{ROOT}/") if name.startswith(f"{ROOT}") else name
        clean = posixpath.normpath(text)
        if posixpath.isabs(clean) or clean.startswith(".."):
            raise PathSecurityError(f"{name!r} is refused: it leaves the project in memory")
        return clean

    @contextlib.contextmanager
    def open(self, name: str, mode: str = "rb") -> Iterator[IO[bytes]]:
        """Open a file; `ab` adds to it."""
        key = self._name(name)
        if mode == "ab":
            file = io.BytesIO()
            yield file
            self.files[key] = self.files.get(key, b"") + file.getvalue()
            return
        if key not in self.files:
            raise FileNotFoundError(f"there is no {key}")
        yield io.BytesIO(self.files[key])

    @contextlib.contextmanager
    def create(
        self, name: str, *, exclusive: bool = False, parents: bool = True, mode: int = 0o666
    ) -> Iterator[IO[bytes]]:
        """Write a file."""
        key = self._name(name)
        if exclusive and key in self.files:
            raise FileExistsError(f"there is a {key} already")
        file = io.BytesIO()
        yield file
        self.files[key] = file.getvalue()

    def mkdirs(self, name: str, mode: int = 0o777) -> None:
        """Directories are there when files are."""
        self._name(name)

    def replace(self, source: str, target: str) -> None:
        """Rename a file."""
        self.files[self._name(target)] = self.files.pop(self._name(source))

    def unlink(self, name: str, *, missing_ok: bool = False) -> None:
        """Delete a file."""
        if self.files.pop(self._name(name), None) is None and not missing_ok:
            raise FileNotFoundError(f"there is no {name}")

    def remove_tree(self, name: str, *, missing_ok: bool = False) -> None:
        """Delete all files below a name."""
        prefix = f"{self._name(name)}/"
        for key in [key for key in self.files if key.startswith(prefix)]:
            del self.files[key]

    def iter(self, name: str = ".") -> Iterator[tuple[str, Stat]]:
        """Files and directories directly below a name."""
        prefix = "" if self._name(name) == "." else f"{self._name(name)}/"
        below = {key.removeprefix(prefix).partition("/")[0] for key in self.files if key.startswith(prefix)}
        for entry in sorted(below):
            yield entry, self.stat(f"{prefix}{entry}")

    def stat(self, name: str) -> Stat:
        """What is there."""
        key = self._name(name)
        if key in self.files:
            return Stat("file", len(self.files[key]), 0)
        if any(other.startswith(f"{key}/") for other in self.files):
            return Stat("directory", 0, 0)
        raise FileNotFoundError(f"there is no {key}")

    def exists(self, name: str) -> bool:
        """Whether something is there."""
        try:
            self.stat(name)
        except FileNotFoundError:
            return False
        return True


class MemoryDirectories:
    """The layout of a project, without a disk under it."""

    def __init__(self, task_id: str) -> None:
        task = ROOT / "DATA" / "processed" / task_id
        self._places = {
            "task": task,
            "state": task / ".state",
            **{name: task / name for name in ("input", "output", "dictionaries", "temp", "logs")},
            **{name: ROOT / "DATA" / name for name in ("raw", "processed", "reports")},
            "configs": ROOT / "configs",
            "project_logs": ROOT / "logs",
        }

    def ensure_directories(self) -> dict[str, Path]:
        """All of them."""
        return dict(self._places)

    def get_directory(self, dir_type: str) -> Path:
        """One of them."""
        if dir_type not in self._places:
            raise DirectoryManagerError(f"there is no directory type {dir_type!r}: there are {', '.join(self._places)}")
        return self._places[dir_type]

    def get_artifact_path(
        self, artifact_name: str, artifact_type: str = "json", subdir: str = "output", include_timestamp: bool = True
    ) -> Path:
        """A path for an artifact."""
        from pamola_tasks.operation import timestamp

        stamp = f"_{timestamp()}" if include_timestamp else ""
        return self.get_directory(subdir) / f"{artifact_name}{stamp}.{artifact_type}"

    def clean_temp_directory(self) -> bool:
        """Nothing is left over."""
        return True


class MemoryPlacesPlugin:
    """Path guard and directories in memory.

    Args:
        files: Files that are there from the beginning.

    Attributes:
        files: All files, by name relative to the project.
    """

    PAMOLA_PLUGIN_NAME = "memory-places"

    def __init__(self, files: Mapping[str, bytes]) -> None:
        self.files = dict(files)

    @hookimpl(trylast=True)
    def pamola_provide_path_guard(self, project: Project) -> MemoryGuard:
        """A guard over the dict."""
        return MemoryGuard(self.files)

    @hookimpl(trylast=True)
    def pamola_provide_directories(self, run: RunServices) -> MemoryDirectories:
        """The layout."""
        return MemoryDirectories(run.record.task_id)
