"""What the kernel's tests run: operations on plain lists, and services with real files of their own."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from pamola_tasks import BaseTask, Kernel, Operation, OperationResult, hookimpl, reads, writes
from pamola_tasks.errors import DataError, EncryptionError, PathSecurityError
from pamola_tasks.protocols import Files, Project, Reporter, RunServices, Stat
from pamola_tasks.protocols.files import ContentHash
from pamola_tasks.record import DatasetRecord
from pamola_tasks.storage.files import temporary_name
from pamola_tasks.storage.leftovers import entries
from pamola_tasks.testing import memory_plugins
from pamola_tasks.testing.places import MemoryPlaces
from pamola_tasks_directories.task_lock import TaskLock

# ---------------------------------------------------------------- operations


class Add(Operation):
    """Add a number to every value."""

    input_dataset: str = reads()
    output_dataset: str = writes("{input}_more")
    number: int = 1

    def execute(self, ctx: Any) -> OperationResult:
        """Add."""
        values = ctx.data.frame(self.input_dataset)
        ctx.data.write(self.output_dataset, [value + self.number for value in values])
        return OperationResult.success({"values": len(values)})


class Count(Operation):
    """Count the values, and leave the number as an artifact."""

    input_dataset: str = reads()

    def execute(self, ctx: Any) -> OperationResult:
        """Count."""
        number = len(ctx.data.frame(self.input_dataset))
        with ctx.artifact(f"count_{self.input_dataset}", "json", "How many values") as file:
            file.write(json.dumps(number).encode())
        return OperationResult.success({"count": number})


class Nothing(Operation):
    """Do nothing."""

    def execute(self, ctx: Any) -> OperationResult:
        """Nothing is done."""
        return OperationResult.success()


class Fail(Operation):
    """Fail with a message, after writing what it declares."""

    input_dataset: str | None = reads(None)
    output_dataset: str | None = writes(None)
    message: str = "it broke"

    def execute(self, ctx: Any) -> OperationResult:
        """Fail."""
        if self.output_dataset:
            ctx.data.write(self.output_dataset, [0])
        raise ValueError(self.message)


class Interrupted(Operation):
    """What Ctrl-C does while a step runs."""

    def execute(self, ctx: Any) -> OperationResult:
        """Be interrupted."""
        raise KeyboardInterrupt


class Draw(Operation):
    """Draw a random number from the step's own seed."""

    def execute(self, ctx: Any) -> OperationResult:
        """Tell the seed."""
        return OperationResult.success({"seed": ctx.seed})


# ---------------------------------------------------------------- tasks and kernels


class Steps(BaseTask):
    """A task whose steps are given: classes, names, or (class, parameters)."""

    def __init__(self, *steps: Any, task_id: str = "t_1", **more: Any) -> None:
        super().__init__(task_id, "test", "A task of the tests.", **more)
        self.steps = steps
        self.added: list[bool] = []

    def configure_operations(self) -> None:
        """Add the steps."""
        for step in self.steps:
            operation, parameters = step if isinstance(step, tuple) else (step, {})
            self.added.append(self.add_operation(operation, **parameters))


def kernel_of(*plugins: Any, **configuration: Any) -> Kernel:
    """A kernel in memory with these plugins beside; keywords are configuration."""
    return Kernel(autoload=False, plugins=[*memory_plugins(configuration), *plugins])


class Watcher:
    """An observer that notes the events it hears."""

    PAMOLA_PLUGIN_NAME = "watcher"

    def __init__(self) -> None:
        self.heard: list[str] = []

    @hookimpl
    def pamola_on_run_started(self, run: RunServices) -> None:
        """The run began."""
        self.heard.append("run_started")

    @hookimpl
    def pamola_on_step_started(self, run: RunServices, step: Any) -> None:
        """A step began."""
        self.heard.append(f"step_started {step.id}")

    @hookimpl
    def pamola_on_step_progress(self, run: RunServices, step: Any, done: float, total: float, unit: str) -> None:
        """A step made progress."""
        self.heard.append(f"step_progress {step.id} {done:g}/{total} {unit}")

    @hookimpl
    def pamola_on_step_stage(self, run: RunServices, step: Any, stage: str) -> None:
        """A step began a stage."""
        self.heard.append(f"step_stage {step.id} {stage}")

    @hookimpl
    def pamola_on_step_finished(self, run: RunServices, step: Any, result: OperationResult) -> None:
        """A step ended."""
        self.heard.append(f"step_finished {step.id} {result.status.value}")

    @hookimpl
    def pamola_on_step_skipped(self, run: RunServices, step: Any, reason: str) -> None:
        """A step was skipped."""
        self.heard.append(f"step_skipped {step.id}: {reason}")

    @hookimpl
    def pamola_on_dataset_read(self, run: RunServices, step: Any, dataset: DatasetRecord) -> None:
        """A dataset was read."""
        self.heard.append(f"dataset_read {dataset.name}")

    @hookimpl
    def pamola_on_dataset_written(self, run: RunServices, step: Any, dataset: DatasetRecord) -> None:
        """A dataset was written."""
        self.heard.append(f"dataset_written {dataset.name} {dataset.kind}")

    @hookimpl
    def pamola_on_artifact(self, run: RunServices, step: Any, artifact: Any) -> None:
        """An artifact was made."""
        self.heard.append(f"artifact {artifact.name}")

    @hookimpl
    def pamola_on_run_finished(self, run: RunServices) -> None:
        """The run ended."""
        self.heard.append(f"run_finished {run.record.status}")


class Reports:
    """A reporter that keeps every report it was asked to save."""

    PAMOLA_PLUGIN_NAME = "kept-reports"

    def __init__(self) -> None:
        self.saved: list[dict[str, Any]] = []

    @hookimpl
    def pamola_provide_reporter(self, run: RunServices) -> KeptReporter:
        """One for the run."""
        return KeptReporter(run, self.saved)


class KeptReporter(Reporter):
    """See `Reports`."""

    def __init__(self, run: RunServices, saved: list[dict[str, Any]]) -> None:
        self.run = run
        self.saved = saved
        self.summary: dict[str, Any] = {}

    def add_operation(self, name: str, status: str = "success", details: Any = None) -> None:
        """Not kept."""

    def add_task_summary(self, success: bool, **facts: Any) -> None:
        """Kept."""
        self.summary = {"success": success, **facts}

    def save_report(self) -> Path:
        """Keep a copy of how things stand."""
        record = self.run.record
        self.saved.append(
            {
                **self.summary,
                "status": record.status,
                "errors": [dict(error) for error in record.errors],
                "observers": [dict(failure) for failure in record.observer_failures],
                "steps": {step.step: step.status for step in record.steps},
            }
        )
        return Path("report.json")


# ---------------------------------------------------------------- services with real files


class OsGuard:
    """A path guard that a test can see through: real files under one folder, nothing outside."""

    def __init__(self, root: Path, more: Sequence[Path] = ()) -> None:
        self.root = root.resolve()
        self.more = [path.resolve() for path in more]

    def extended(self, roots: Iterable[Path]) -> OsGuard:
        """Further roots to read from."""
        return OsGuard(self.root, [*self.more, *roots])

    def _path(self, name: Any, *, read: bool = False) -> Path:
        path: Path = (self.root / name).resolve()
        roots = [self.root, *self.more] if read else [self.root]
        if not any(path == root or root in path.parents for root in roots):
            raise PathSecurityError(f"{name} is outside")
        return path

    @contextlib.contextmanager
    def open(self, name: str, mode: str = "rb") -> Iterator[IO[bytes]]:
        """Open a file."""
        path = self._path(name, read=mode == "rb")
        if mode == "ab":
            path.parent.mkdir(parents=True, exist_ok=True)
            mode = "a+b"
        with open(path, mode, buffering=0) as file:
            yield file

    @contextlib.contextmanager
    def create(
        self, name: str, *, exclusive: bool = False, parents: bool = True, mode: int = 0o600
    ) -> Iterator[IO[bytes]]:
        """Write a file that appears when the block ends."""
        path = self._path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.parent / temporary_name(path.name)
        try:
            with open(temporary, "wb", buffering=0) as file:
                os.chmod(temporary, mode)
                yield file
            if exclusive:
                os.link(temporary, path)
            else:
                os.replace(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)

    def mkdirs(self, name: str, mode: int = 0o777) -> None:
        """Make a directory."""
        self._path(name).mkdir(parents=True, exist_ok=True)

    def replace(self, source: str, target: str) -> None:
        """Rename."""
        path = self._path(target)
        path.parent.mkdir(parents=True, exist_ok=True)
        os.replace(self._path(source), path)

    def unlink(self, name: str, *, missing_ok: bool = False) -> None:
        """Delete a file."""
        self._path(name).unlink(missing_ok=missing_ok)

    def remove_tree(self, name: str, *, missing_ok: bool = False) -> None:
        """Delete a directory."""
        shutil.rmtree(self._path(name), ignore_errors=missing_ok)

    def iter(self, name: str = ".") -> Iterator[tuple[str, Stat]]:
        """The entries of a directory."""
        for path in sorted(self._path(name).iterdir()):
            yield path.name, self.stat(str(path))

    def stat(self, name: str) -> Stat:
        """What is there."""
        path = self._path(name, read=True)
        found = path.stat()
        return Stat("directory" if path.is_dir() else "file", found.st_size, found.st_mtime_ns)

    def exists(self, name: str) -> bool:
        """Whether something is there."""
        return self._path(name, read=True).exists()


class DiskPlaces(MemoryPlaces):
    """The layout of memory, on a disk."""

    def __init__(self, files: Files) -> None:
        super().__init__({})
        self._disk = files

    def left(self) -> list[str]:
        """The tasks with a directory."""
        return [name for name, kind in entries(self._disk, "DATA/processed") if kind == "directory"]

    def owner_of(self, path: str | Path) -> str:
        """The task in whose directory a path lies."""
        return super().owner_of(self._disk.name(path))


class Folders:
    """A task's directories under a folder."""

    def __init__(self, run: RunServices) -> None:
        self.run = run

    def get_directory(self, dir_type: str) -> Path:
        """One of them."""
        place = self.run.places.of(self.run.record.task_id)
        names = {**self.run.places.folders, **place.directories}
        return self.run.files.root / names.get(dir_type, f"{place.home}/{dir_type}")

    def ensure_directories(self) -> dict[str, Path]:
        """All of them, made."""
        found = {name: self.get_directory(name) for name in ("task", "state", "output", "temp", "processed")}
        for path in found.values():
            self.run.files.mkdirs(path)
        return found

    def get_artifact_path(
        self, artifact_name: str, artifact_type: str = "json", subdir: str = "output", include_timestamp: bool = True
    ) -> Path:
        """A path for an artifact."""
        return self.get_directory(subdir) / f"{artifact_name}.{artifact_type}"

    def clean_temp_directory(self) -> bool:
        """Empty the temp directory."""
        self.run.files.remove_tree(self.get_directory("temp"), missing_ok=True)
        self.run.files.mkdirs(self.get_directory("temp"))
        return True


class JsonData:
    """Datasets as lists in JSON files: source and writer."""

    intermediate_format = "parquet"  # the name alone: the file is JSON

    def __init__(self, run: RunServices) -> None:
        self.run = run
        self.files: dict[str, tuple[str, str]] = {}
        self.frames: dict[str, Any] = {}
        if run.task is not None:
            for name, path in {**run.config.auxiliary_datasets, **run.config.input_datasets}.items():
                self.add_file_path(name, path)

    def has_dataset(self, name: str) -> bool:
        """Whether it is there."""
        return name in self.frames or (name in self.files and self.run.files.exists(self.files[name][0]))

    def names(self) -> list[str]:
        """All names."""
        return list({**self.files, **self.frames})

    def add_file_path(self, name: str, path: str | Path, **options: Any) -> None:
        """A name for a file."""
        self.files[name] = (str(path), options.get("role", "data"))

    def add_dataframe(self, name: str, frame: Any) -> None:
        """A name for a list."""
        self.frames[name] = frame

    def frame(self, name: str, columns: Any = None) -> Any:
        """The list."""
        if name in self.frames:
            return list(self.frames[name])
        if name not in self.files:
            raise DataError(f"there is no dataset {name!r}")
        path, role = self.files[name]
        try:
            return json.loads(self.run.files.read(path, role))  # type: ignore[arg-type]
        except FileNotFoundError as error:
            raise DataError(f"dataset {name!r}: there is no {path}") from error

    def chunks(self, name: str, size: int, columns: Any = None) -> Iterator[Any]:
        """The list in pieces."""
        values = self.frame(name)
        for start in range(0, len(values), size):
            yield values[start : start + size]

    def columns(self, name: str) -> list[str]:
        """One column."""
        return list(self.schema(name))

    def schema(self, name: str) -> dict[str, str]:
        """One column."""
        return {"value": "int64"}

    def open_raw(self, name: str) -> Any:
        """The file."""
        path, role = self.files[name]
        return self.run.files.open(path, role)  # type: ignore[arg-type]

    def fingerprint(self, name: str) -> str:
        """The hash of the bytes."""
        if name in self.frames:
            return hashlib.sha256(json.dumps(self.frames[name]).encode()).hexdigest()
        try:
            return self.run.files.sha256(self.files[name][0])
        except FileNotFoundError as error:
            raise DataError(f"dataset {name!r}: there is no {self.files[name][0]}") from error

    def describe(self, name: str) -> DatasetRecord:
        """What is known of it."""
        path = self.run.files.name(self.files[name][0]) if name in self.files else ""
        return DatasetRecord(name=name, kind="input", path=path, sha256=self.fingerprint(name))

    def release(self, name: str) -> None:
        """Nothing is kept."""

    def write_dataset(
        self, frame: Any, path: str, *, name: str, format: str, role: str = "data", step: str = "", kind: str = "output"
    ) -> DatasetRecord:
        """Write a list."""
        values = list(frame)
        if path.endswith("/"):
            path += f"{name}.json"
        file = self.run.files.write(path, json.dumps(values), role)  # type: ignore[arg-type]
        return DatasetRecord(
            name=name,
            kind=kind,
            path=path,
            format="json",
            sha256=file.sha256,
            bytes=file.size,
            rows=len(values),
            step=step,
            encrypted=file.encrypted,
        )


class Xor:
    """Encryption that a test can see through: every byte flipped, behind a head that names role and task."""

    enabled = True
    mode = "simple"
    key_id = "k1"

    def writer(self, raw: IO[bytes], *, role: str, task_id: str) -> IO[bytes]:
        """Flip."""
        raw.write(f"ptask/1 {role} {task_id}\n".encode())

        class Writer(io.BytesIO):
            def write(self, data: Any) -> int:
                return raw.write(bytes(byte ^ 255 for byte in data))

        return Writer()

    @contextlib.contextmanager
    def reader(self, raw: IO[bytes], *, role: str, task_id: str) -> Iterator[IO[bytes]]:
        """Flip back."""
        head, _, body = raw.read().partition(b"\n")
        if head != f"ptask/1 {role} {task_id}".encode():
            raise EncryptionError(f"written as {head!r}")
        yield io.BytesIO(bytes(byte ^ 255 for byte in body))

    def is_encrypted(self, head: bytes) -> bool:
        """By its head."""
        return head.startswith(b"ptask/1")

    def file_key_id(self, head: bytes) -> str:
        """Always one."""
        return "k1"

    def refusal(self, head: bytes) -> str:
        """Everything can be read."""
        return ""

    def record_key(self, purpose: str) -> None:
        """None."""


class XorFormat:
    """Says that files of `Xor` are encrypted.

    Args:
        project: Whose files; it does not matter.
    """

    encryption = "simple"

    def __init__(self, project: Project) -> None:
        pass

    def stable_header(self, head: bytes) -> bytes:
        """All of it."""
        return head

    def recognised(self, sha256: str) -> ContentHash:
        """The hash as it is."""
        return ContentHash(sha256)


class Disk:
    """Project, guard, directories and data with real files under one folder."""

    PAMOLA_PLUGIN_NAME = "disk"

    def __init__(self, root: Path) -> None:
        self.root = root

    @hookimpl
    def pamola_provide_project(self, start: Path) -> Project:
        """The folder."""
        return Project(self.root.resolve(), marker="test")

    @hookimpl
    def pamola_provide_path_guard(self, project: Project) -> OsGuard:
        """A guard for it."""
        return OsGuard(project.root)

    @hookimpl
    def pamola_add_container_formats(self, project: Project) -> dict[str, type]:
        """That of `Xor`."""
        return {"ptask/1 ": XorFormat}

    @hookimpl
    def pamola_provide_places(self, project: Project, config: Any) -> DiskPlaces:
        """Under it."""
        return DiskPlaces(project.files)

    @hookimpl
    def pamola_provide_directories(self, run: RunServices) -> Folders:
        """Under it."""
        return Folders(run)

    @hookimpl
    def pamola_provide_lock(self, run: RunServices) -> TaskLock:
        """The operating system's."""
        return TaskLock(run)

    @hookimpl
    def pamola_provide_data_source(self, run: RunServices) -> JsonData:
        """JSON files."""
        return JsonData(run)

    @hookimpl
    def pamola_provide_data_writer(self, run: RunServices) -> Any:
        """JSON files."""
        return run.data_source


def disk_kernel(root: Path, *plugins: Any, **configuration: Any) -> Kernel:
    """A kernel with real files under a folder."""
    return kernel_of(Disk(root), *plugins, **configuration)


def dataset(root: Path, name: str, values: Sequence[int]) -> str:
    """Write a dataset; its path relative to the project."""
    path = root / f"{name}.json"
    path.write_text(json.dumps(list(values)))
    return path.name


def files_below(folder: Path) -> dict[str, bytes]:
    """All files below a folder with their contents."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def statuses(results: Mapping[str, OperationResult]) -> dict[str, str]:
    """How each step ended."""
    return {name: result.status.value for name, result in results.items()}
