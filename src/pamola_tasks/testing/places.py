"""Files and directories in memory."""

from __future__ import annotations

import contextlib
import io
import posixpath
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import IO, ClassVar

from pamola_tasks.errors import DirectoryManagerError, PathSecurityError
from pamola_tasks.hookspecs import hookimpl
from pamola_tasks.protocols import Config, Project, RunServices, Stat, TaskPlace
from pamola_tasks.record import now

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
        return self

    def _name(self, name: str) -> str:
        text = name.removeprefix(f"{ROOT}/") if name.startswith(f"{ROOT}") else name
        clean = posixpath.normpath(text)
        if posixpath.isabs(clean) or clean.startswith(".."):
            raise PathSecurityError(f"{name!r} is refused: it leaves the project in memory")
        return clean

    @contextlib.contextmanager
    def open(self, name: str, mode: str = "rb") -> Iterator[IO[bytes]]:
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
        self, name: str, *, exclusive: bool = False, parents: bool = True, mode: int | None = None
    ) -> Iterator[IO[bytes]]:
        key = self._name(name)
        if exclusive and key in self.files:
            raise FileExistsError(f"there is a {key} already")
        file = io.BytesIO()
        yield file
        self.files[key] = file.getvalue()

    def mkdirs(self, name: str, mode: int = 0o700) -> None:
        self._name(name)

    def replace(self, source: str, target: str) -> None:
        self.files[self._name(target)] = self.files.pop(self._name(source))

    def unlink(self, name: str, *, missing_ok: bool = False) -> None:
        if self.files.pop(self._name(name), None) is None and not missing_ok:
            raise FileNotFoundError(f"there is no {name}")

    def remove_tree(self, name: str, *, missing_ok: bool = False) -> None:
        prefix = f"{self._name(name)}/"
        for key in [key for key in self.files if key.startswith(prefix)]:
            del self.files[key]

    def iter(self, name: str = ".") -> Iterator[tuple[str, Stat]]:
        prefix = "" if self._name(name) == "." else f"{self._name(name)}/"
        below = {key.removeprefix(prefix).partition("/")[0] for key in self.files if key.startswith(prefix)}
        for entry in sorted(below):
            yield entry, self.stat(f"{prefix}{entry}")

    def stat(self, name: str) -> Stat:
        key = self._name(name)
        if key in self.files:
            return Stat("file", len(self.files[key]), 0)
        if any(other.startswith(f"{key}/") for other in self.files):
            return Stat("directory", 0, 0)
        raise FileNotFoundError(f"there is no {key}")

    def exists(self, name: str) -> bool:
        try:
            self.stat(name)
        except FileNotFoundError:
            return False
        return True


class MemoryPlaces:
    """The layout of a project, without a disk under it.

    Args:
        files: All files, by name relative to the project.
    """

    folders: ClassVar[dict[str, str]] = {
        **{name: f"DATA/{name}" for name in ("raw", "processed", "reports")},
        "configs": "configs",
        "project_logs": "logs",
        "releases": "releases",
    }

    def __init__(self, files: Mapping[str, bytes]) -> None:
        self._files = files

    def of(self, task_id: str) -> TaskPlace:
        home = f"DATA/processed/{task_id}"
        kinds = ("input", "output", "internal", "dictionaries", "temp", "logs")
        return TaskPlace(
            task_id=task_id,
            directories={"task": home, "state": f"{home}/.state", **{kind: f"{home}/{kind}" for kind in kinds}},
            lock=f"{home}/.state/lock",
            manifest=f"{home}/manifest.json",
            newest_report=f"DATA/reports/{task_id}_report",
            run_reports=f"DATA/reports/{task_id}",
        )

    def left(self) -> list[str]:
        return sorted({owner for name in self._files if (owner := self.owner_of(name))})

    def runs(self, task_id: str) -> list[str]:
        names = (Path(name) for name in self._files)
        return sorted(name.stem for name in names if str(name.parent) == self.of(task_id).run_reports)

    def owner_of(self, path: str | Path) -> str:
        home, _, name = str(path).removeprefix(f"{ROOT}/").removeprefix("DATA/processed/").partition("/")
        return home if name and "DATA/processed/" in str(path) else ""


class MemoryDirectories:
    """The directories of a task, without a disk under them."""

    def __init__(self, task_id: str) -> None:
        places = MemoryPlaces({})
        names = {**places.of(task_id).directories, **places.folders}
        self._places = {kind: ROOT / name for kind, name in names.items()}

    def ensure_directories(self) -> dict[str, Path]:
        return dict(self._places)

    def get_directory(self, dir_type: str) -> Path:
        if dir_type not in self._places:
            raise DirectoryManagerError(f"there is no directory type {dir_type!r}: there are {', '.join(self._places)}")
        return self._places[dir_type]

    def get_artifact_path(
        self, artifact_name: str, artifact_type: str = "json", subdir: str = "output", include_timestamp: bool = True
    ) -> Path:
        stamp = f"_{now():%Y%m%d_%H%M%S}" if include_timestamp else ""
        return self.get_directory(subdir) / f"{artifact_name}{stamp}.{artifact_type}"

    def clean_temp_directory(self) -> bool:
        return True


class MemoryLock:
    """Locks nothing, since no other process sees files in memory; there is the file that a lock would be held on."""

    held = after_a_crash = False

    def __init__(self, run: RunServices | None = None) -> None:
        self._run = run

    def take(self, *, wait: bool = False) -> None:
        if self._run is not None:
            self._run.files.write(self._run.places.of(self._run.record.task_id).lock, b"", "state")

    def tell(self, steps: Iterable[str]) -> None: ...

    def release(self) -> None: ...

    def holder(self, task_id: str) -> None: ...

    def is_running(self, task_id: str) -> bool:
        return False

    def keeping_out(self, task_id: str) -> contextlib.AbstractContextManager[None]:
        return contextlib.nullcontext()


class MemoryPlacesPlugin:
    """Path guard, layout and directories in memory.

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
        return MemoryGuard(self.files)

    @hookimpl(trylast=True)
    def pamola_provide_places(self, project: Project, config: Config) -> MemoryPlaces:
        return MemoryPlaces(self.files)

    @hookimpl(trylast=True)
    def pamola_provide_directories(self, run: RunServices) -> MemoryDirectories:
        return MemoryDirectories(run.record.task_id)

    @hookimpl(trylast=True)
    def pamola_provide_lock(self, run: RunServices) -> MemoryLock:
        return MemoryLock(run)
