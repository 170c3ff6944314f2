"""The services of a run, kept in memory."""

from __future__ import annotations

import contextlib
import copy
import io
import posixpath
import sys
import traceback
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import attrs

from pamola_tasks.errors import DataError, DirectoryManagerError, PathSecurityError
from pamola_tasks.fingerprint import canonical
from pamola_tasks.hookspecs import hookimpl
from pamola_tasks.operation import OperationResult
from pamola_tasks.protocols import ConfigLayer, Origin, Project, RetrySettings, RunServices, Stat
from pamola_tasks.record import DatasetRecord, rfc3339

if TYPE_CHECKING:
    from pamola_tasks.plan import Plan
    from pamola_tasks.protocols import StepDriver
    from pamola_tasks.task import BaseTask

ROOT = Path("/memory")


# ---------------------------------------------------------------- configuration


@attrs.define(kw_only=True, slots=False)
class MemoryConfig:
    """A configuration from values; every key of the schema has its default."""

    task_id: str = ""
    task_type: str = ""
    description: str = ""
    version: str = "1.0.0"
    dependencies: list[str] = attrs.Factory(list)
    input_datasets: dict[str, str] = attrs.Factory(dict)
    auxiliary_datasets: dict[str, str] = attrs.Factory(dict)
    data_types: dict[str, Any] = attrs.Factory(dict)
    operations: list[Any] = attrs.Factory(list)
    outputs: list[str] = attrs.Factory(list)
    output_format: str = "csv"
    continue_on_error: bool = False
    use_encryption: bool = False
    encryption_mode: str = "none"
    encryption_key_path: str | None = None
    use_vectorization: bool = False
    parallel_processes: int = 1
    use_dask: bool = False
    npartitions: int = 4
    chunk_size: int = 100_000
    memory_limit_mb: int = 1000
    seed: int | None = None
    log_level: str = "INFO"
    timeout: float | None = None
    allow_external: bool = False
    allowed_external_paths: list[str] = attrs.Factory(list)
    data_repository: str = "DATA"
    enable_checkpoints: bool = False
    clean_temp_on_exit: bool = True
    check_free_space: bool = True
    default_encoding: str = "utf-8"
    default_delimiter: str = ","
    default_quotechar: str = '"'
    retry: RetrySettings = attrs.Factory(lambda: RetrySettings(max_retries=0))
    more: dict[str, Any] = attrs.Factory(dict)
    settings: dict[str, type] = attrs.Factory(dict)

    def __getattr__(self, name: str) -> Any:
        more = self.__dict__.get("more", {})
        if name in more:
            return more[name]
        raise AttributeError(f"the configuration has no {name!r}")

    def get(self, key: str, default: Any = None) -> Any:
        """The value of a dotted key, or the default."""
        first, *rest = key.split(".")
        value = getattr(self, first, default)
        for part in rest:
            value = value.get(part, default) if isinstance(value, Mapping) else getattr(value, part, default)
        return value

    def plugin(self, name: str) -> Any:
        """A plugin's own section."""
        from pamola_tasks.parameters import build

        section = self.more.get(name, {})
        return build(self.settings[name], section, what=name) if name in self.settings else section

    def problem_at(self, path: Sequence[str | int], message: str, *, at_key: bool = False) -> str:
        """The message after the path; values in memory are in no line."""
        return f"{'.'.join(map(str, path))}: {message}"

    def origins(self) -> Mapping[str, Origin]:
        """Everything comes from memory."""
        return {key: Origin(value=value, layer="memory", place="memory") for key, value in self._values().items()}

    def to_dict(self) -> dict[str, Any]:
        """All values."""
        return self._values()

    def _values(self) -> dict[str, Any]:
        values = {
            f.name: getattr(self, f.name) for f in attrs.fields(MemoryConfig) if f.name not in ("more", "settings")
        }
        return {**values, "retry": attrs.asdict(self.retry), **self.more}


class MemoryConfigPlugin:
    """Configuration from a dict, over what the task's class states, under what the caller asks for.

    Args:
        values: Configuration values, for every task.
    """

    PAMOLA_PLUGIN_NAME = "memory-config"

    def __init__(self, values: Mapping[str, Any]) -> None:
        self._values = dict(values)

    @hookimpl(trylast=True)
    def pamola_provide_project(self, start: Path) -> Project:
        """A project that is nowhere."""
        return Project(ROOT, marker="memory")

    @hookimpl
    def pamola_add_config_layers(
        self, project: Project, task: BaseTask | None, overrides: Mapping[str, Any]
    ) -> list[ConfigLayer]:
        """What the caller asked for, the values, and what the task states."""
        stated = task.stated_configuration() if task is not None else {}
        return [
            ConfigLayer(name="command line", rank=500, origin="overrides", values=overrides),
            ConfigLayer(name="memory", rank=400, origin="memory", values=self._values),
            ConfigLayer(name="task class", rank=200, origin="task", values=stated),
        ]

    @hookimpl(trylast=True)
    def pamola_provide_config(
        self, project: Project, task: BaseTask | None, layers: Iterable[ConfigLayer], settings: Mapping[str, type]
    ) -> MemoryConfig:
        """The layers in one."""
        merged: dict[str, Any] = {}
        for layer in reversed(list(layers)):
            merged.update(layer.values)
        known = {f.name for f in attrs.fields(MemoryConfig)} - {"more", "settings"}
        if isinstance(merged.get("retry"), Mapping):
            merged["retry"] = RetrySettings(**merged["retry"])
        merged.setdefault("task_id", task.task_id if task is not None else "")
        return MemoryConfig(
            **{key: value for key, value in merged.items() if key in known},
            more={key: value for key, value in merged.items() if key not in known},
            settings=dict(settings),
        )


# ---------------------------------------------------------------- files and directories


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


# ---------------------------------------------------------------- data


class MemoryDataSource:
    """Datasets as Python objects: DataFrames, or anything else that operations understand."""

    def __init__(self) -> None:
        self._frames: dict[str, Any] = {}
        self._paths: dict[str, str] = {}

    def has_dataset(self, name: str) -> bool:
        """Whether there is one."""
        return name in self._frames

    def names(self) -> list[str]:
        """All names."""
        return [*self._paths, *(name for name in self._frames if name not in self._paths)]

    def add_file_path(self, name: str, path: str | Path, **options: Any) -> None:
        """A name for a file, which memory has only when `datasets` gives it."""
        self._paths[name] = str(path)

    def add_dataframe(self, name: str, frame: Any) -> None:
        """A name for an object."""
        self._frames[name] = frame

    def frame(self, name: str, columns: Sequence[str] | None = None) -> Any:
        """A copy of the object."""
        if name not in self._frames:
            raise DataError(f"dataset {name!r} is not in memory: give it to the kernel as `datasets`")
        found = copy.copy(self._frames[name])
        if columns is None:
            return found
        try:
            return found[list(columns)]
        except KeyError as error:
            raise DataError(f"dataset {name!r} has no such column: {error}") from error

    def chunks(self, name: str, size: int, columns: Sequence[str] | None = None) -> Iterator[Any]:
        """The object in slices."""
        frame = self.frame(name, columns)
        rows = frame.iloc if hasattr(frame, "iloc") else frame
        for start in range(0, len(frame), size):
            yield rows[start : start + size]

    def columns(self, name: str) -> list[str]:
        """Columns of a DataFrame."""
        return list(self.schema(name))

    def schema(self, name: str) -> dict[str, str]:
        """Columns and dtypes of a DataFrame."""
        return {str(column): str(dtype) for column, dtype in self.frame(name).dtypes.items()}

    @contextlib.contextmanager
    def open_raw(self, name: str) -> Iterator[IO[bytes]]:
        """Bytes that were given as a dataset."""
        content = self.frame(name)
        if not isinstance(content, bytes):
            raise DataError(f"dataset {name!r} is no bytes: give the content of its file to the kernel")
        yield io.BytesIO(content)

    def fingerprint(self, name: str) -> str:
        """Text that is equal for equal content, as far as `repr` tells."""
        return canonical(repr(self.frame(name)))

    def describe(self, name: str) -> DatasetRecord:
        """Rows and columns, where the object has them."""
        frame = self.frame(name)
        columns = tuple(map(str, frame.columns)) if hasattr(frame, "columns") else None
        rows = len(frame) if hasattr(frame, "__len__") else None
        return DatasetRecord(name=name, kind="input", rows=rows, columns=columns, sha256=self.fingerprint(name))

    def release(self, name: str) -> None:
        """Memory is where things are: nothing is dropped."""


class MemoryDataWriter:
    """Keeps what is written as a dataset of the source."""

    def __init__(self, source: MemoryDataSource) -> None:
        self._source = source

    def write_dataset(
        self, frame: Any, path: str, *, name: str, format: str, role: str = "data", step: str = "", kind: str = "output"
    ) -> DatasetRecord:
        """Keep a frame, or all pieces of an iterable in one."""
        if isinstance(frame, Iterator):
            frame = _joined(list(frame))
        self._source.add_dataframe(name, frame)
        return attrs.evolve(self._source.describe(name), kind=kind, step=step)

    def extension(self, format: str) -> str:
        """Any format will do where nothing is written."""
        return format


def _joined(pieces: list[Any]) -> Any:
    """Pieces of a table in one, by the library that they come from; a list of anything else."""
    library = sys.modules.get(type(pieces[0]).__module__.partition(".")[0]) if pieces else None
    concatenate = getattr(library, "concat", None)
    return concatenate(pieces) if concatenate is not None else pieces


class MemoryDataPlugin:
    """Data source and writer in memory."""

    PAMOLA_PLUGIN_NAME = "memory-data"

    @hookimpl(trylast=True)
    def pamola_provide_data_source(self, run: RunServices) -> MemoryDataSource:
        """An empty source."""
        return MemoryDataSource()

    @hookimpl(trylast=True)
    def pamola_provide_data_writer(self, run: RunServices) -> MemoryDataWriter:
        """A writer into it."""
        source = run.data_source
        if not isinstance(source, MemoryDataSource):
            raise DataError("memory-data can write only where it is the data source too")
        return MemoryDataWriter(source)


# ---------------------------------------------------------------- history


class MemoryHistory:
    """The execution history as a list.

    Args:
        records: The list, newest last.
    """

    def __init__(self, records: list[dict[str, Any]]) -> None:
        self.records = records

    def run_started(self, run: RunServices) -> None:
        """Add a record."""
        self.records.append(
            {
                "task_id": run.record.task_id,
                "task_run_id": run.id,
                "timestamp": rfc3339(run.record.started),
                "success": None,
                "status": "running",
                "steps": {},
            }
        )

    def step_finished(self, run: RunServices, step: str, status: str, seconds: float) -> None:
        """Note a step."""
        self._of(run)["steps"][step] = status

    def run_finished(self, run: RunServices) -> None:
        """Note the end."""
        record = run.record
        self._of(run).update(success=record.success, status=record.status, execution_time=record.seconds)

    def _of(self, run: RunServices) -> dict[str, Any]:
        return next(record for record in reversed(self.records) if record["task_run_id"] == run.id)

    def find_latest_execution(self, task_id: str, success_only: bool = True) -> dict[str, Any] | None:
        """The newest record of a task."""
        record: dict[str, Any]
        for record in reversed(self.records):
            if record["task_id"] == task_id and (record["success"] or not success_only):
                return record
        return None


class MemoryHistoryPlugin:
    """History in memory.

    Attributes:
        records: All runs of the kernel, newest last.
    """

    PAMOLA_PLUGIN_NAME = "memory-history"

    def __init__(self) -> None:
        self.records: list[dict[str, Any]] = []

    @hookimpl(trylast=True)
    def pamola_provide_history(self, run: RunServices) -> MemoryHistory:
        """The list."""
        return MemoryHistory(self.records)


# ---------------------------------------------------------------- execution


class SequentialExecutor:
    """Runs steps one after the other, each once."""

    def run_plan(self, plan: Plan, driver: StepDriver) -> None:
        """Run every step that has to be."""
        for step in plan:
            if driver.stopped:
                return
            if driver.prepare(step):
                try:
                    result = driver.attempt(step)
                except Exception as error:
                    result = OperationResult.failure(error, "".join(traceback.format_exception(error)))
                driver.complete(step, result)


class SequentialExecutorPlugin:
    """The plainest executor."""

    PAMOLA_PLUGIN_NAME = "memory-executor"

    @hookimpl(trylast=True)
    def pamola_provide_executor(self, run: RunServices) -> SequentialExecutor:
        """It."""
        return SequentialExecutor()
