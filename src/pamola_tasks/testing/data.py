"""Datasets in memory: tables, or any other objects."""

from __future__ import annotations

import contextlib
import copy
import hashlib
import io
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Any

import attrs

from pamola_tasks.errors import DataError
from pamola_tasks.hookspecs import hookimpl
from pamola_tasks.protocols import RunServices
from pamola_tasks.record import DatasetRecord


class MemoryDataSource:
    """Datasets as Python objects: DataFrames, or anything else that operations understand."""

    def __init__(self) -> None:
        self._frames: dict[str, Any] = {}
        self._paths: dict[str, str] = {}

    def has_dataset(self, name: str) -> bool:
        return name in self._frames

    def names(self) -> list[str]:
        return [*self._paths, *(name for name in self._frames if name not in self._paths)]

    def add_file_path(self, name: str, path: str | Path, **options: Any) -> None:
        """A name for a file, which memory has only when `datasets` gives it."""
        self._paths[name] = str(path)

    def add_dataframe(self, name: str, frame: Any) -> None:
        self._frames[name] = frame

    def frame(self, name: str, columns: Sequence[str] | None = None) -> Any:
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
        frame = self.frame(name, columns)
        rows = frame.iloc if hasattr(frame, "iloc") else frame
        for start in range(0, len(frame), size):
            yield rows[start : start + size]

    def columns(self, name: str) -> list[str]:
        return list(self.schema(name))

    def schema(self, name: str) -> dict[str, str]:
        return {str(column): str(dtype) for column, dtype in self.frame(name).dtypes.items()}

    @contextlib.contextmanager
    def open_raw(self, name: str) -> Iterator[IO[bytes]]:
        content = self.frame(name)
        if not isinstance(content, bytes):
            raise DataError(f"dataset {name!r} is not bytes: pass the content of its file to the kernel")
        yield io.BytesIO(content)

    def fingerprint(self, name: str) -> str:
        """Text that is equal for equal content, as far as `repr` shows."""
        return hashlib.sha256(repr(self.frame(name)).encode()).hexdigest()

    def describe(self, name: str) -> DatasetRecord:
        frame = self.frame(name)
        columns = tuple(map(str, frame.columns)) if hasattr(frame, "columns") else None
        rows = len(frame) if hasattr(frame, "__len__") else None
        return DatasetRecord(name=name, kind="input", rows=rows, columns=columns, sha256=self.fingerprint(name))

    def release(self, name: str) -> None: ...


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
        source = MemoryDataSource()
        if run.task is not None:
            for name, path in {**run.config.auxiliary_datasets, **run.config.input_datasets}.items():
                source.add_file_path(name, path)
        return source

    @hookimpl(trylast=True)
    def pamola_provide_data_writer(self, run: RunServices) -> MemoryDataWriter:
        source = run.data_source
        if not isinstance(source, MemoryDataSource):
            raise DataError("memory-data can write only where it is the data source too")
        return MemoryDataWriter(source)
