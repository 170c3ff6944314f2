"""`DataWriter` with the methods of the forerunner, which write below a task's directory."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import attrs

from pamola_tasks.errors import DataWriteError
from pamola_tasks.protocols import Files
from pamola_tasks.storage.files import check_name
from pamola_tasks_compat.owners import owned


@attrs.frozen
class WriterResult:
    """What was written.

    Attributes:
        path: Where it is, absolute.
        size_bytes: Bytes on the disk.
        timestamp: When it was written, UTC.
        format: `csv`, `json` …
        sha256: Hash of the bytes on the disk (hex).
    """

    path: Path
    size_bytes: int
    timestamp: datetime
    format: str
    sha256: str = ""


class DataWriter:
    """Writes frames and JSON below a task's directory; what is not here is the data plugin's own.

    Args:
        files: How files are written.
        task_dir: The task's directory.
        options: As the plugin's class takes them.
    """

    def __init__(self, files: Files, *, task_dir: str | os.PathLike[str] | None = None, **options: Any) -> None:
        self._writer: Any = owned("data_writer", "pamola_tasks_data", "DataWriter")(files, **options)
        self._files = files
        self._task_dir = None if task_dir is None else Path(task_dir)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._writer, name)

    def write_dataframe(self, df: Any, name: str, format: str = "csv", subdir: str = "output") -> WriterResult:
        """Write a frame into a folder of the task's directory; a file of that name is replaced."""
        folder = self._folder(name, subdir)
        record = self._writer.write_dataset(df, f"{folder}/", name=name, format=format)
        path = folder / Path(record.path).name
        return WriterResult(path, record.bytes or 0, datetime.now(UTC), record.format, record.sha256)

    def write_json(self, data: Any, name: str, subdir: str = "output") -> WriterResult:
        """Write JSON into a folder of the task's directory; a file of that name is replaced."""
        path = self._folder(name, subdir) / f"{name}.json"
        file = self._files.write(path, _json(data, name), "artifact")
        return WriterResult(path, file.size, datetime.now(UTC), "json", file.sha256)

    def _folder(self, name: str, subdir: str) -> Path:
        if self._task_dir is None:
            raise DataWriteError(f"{name}: this writer belongs to no task, so it has no directory to write to")
        check_name(name, "the file name")
        for part in Path(subdir).parts:
            check_name(part, "the subdirectory")
        return self._task_dir / subdir


def _json(data: Any, name: str) -> bytes:
    try:
        return (json.dumps(data, ensure_ascii=False, indent=2, default=_plain) + "\n").encode()
    except (TypeError, ValueError) as problem:
        raise DataWriteError(f"{name}: cannot be written as JSON: {type(problem).__name__}") from None


def _plain(value: Any) -> Any:
    """Values that JSON does not know: those of numpy and pandas, sets, dates, paths."""
    if hasattr(value, "tolist"):
        return value.tolist()
    if hasattr(value, "isoformat"):
        return value.isoformat()
    if isinstance(value, (set, frozenset)):
        return sorted(value, key=str)
    if attrs.has(type(value)):
        return attrs.asdict(value)
    return str(value)
