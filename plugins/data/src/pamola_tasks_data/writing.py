"""`DataWriter`: datasets, and the small JSON files beside them, written whole or not at all."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, cast

import attrs

from pamola_tasks.errors import DataError, DataWriteError
from pamola_tasks.record import DatasetRecord
from pamola_tasks.storage.files import check_name
from pamola_tasks_data.formats import Formats
from pamola_tasks_data.reading import CsvOptions

if TYPE_CHECKING:
    import os

    import pandas as pd

    from pamola_tasks.protocols import Files, Role
    from pamola_tasks_data.handover import Handover


@attrs.frozen
class WriterResult:
    """What was written.

    Attributes:
        path: Where it lies, absolute.
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
    """Writes through the run's files: published when complete, encrypted where the run encrypts.

    Args:
        files: How files are written.
        task_dir: The task's directory, below which the methods named after the spec write.
        formats: The formats that are known.
        csv: The dialect of CSV files; `,`, `"` and UTF-8 where nothing is stated.
        handover: Where frames are left for later steps of the run.
    """

    intermediate_format = "parquet"  # keeps types, and is read and written fastest

    def __init__(
        self,
        files: Files,
        *,
        task_dir: str | os.PathLike[str] | None = None,
        formats: Formats | None = None,
        csv: CsvOptions | None = None,
        handover: Handover | None = None,
    ) -> None:
        self._files = files
        self._task_dir = None if task_dir is None else Path(task_dir)
        self._formats = formats or Formats()
        self._options = attrs.asdict(csv or CsvOptions())
        self._handover = handover

    # ------------------------------------------------------------ datasets

    def write_dataset(
        self,
        frame: Any,
        path: str,
        *,
        name: str,
        format: str,
        role: str = "data",
        step: str = "",
        kind: str = "output",
    ) -> DatasetRecord:
        """Write a frame, or an iterable of frames with the same columns, to one file.

        Args:
            frame: A DataFrame, or DataFrames that are written one after the other.
            path: The file, relative to the project's root or absolute and inside it; or a folder, with a `/` at its
                end, in which the file gets the dataset's name and the extension of the format.
            name: The dataset's name.
            format: A known format.
            role: What the file is.
            step: The step that writes it.
            kind: `output` or `intermediate`.

        Returns:
            What was written, with the hash made while writing.

        Raises:
            DataWriteError: The frame cannot be written in this format. No file appears.
        """
        writer = self._formats[format]
        if path.endswith("/"):
            path += f"{name}.{writer.extension}"
        frames = _Watched(frame)
        try:
            with self._files.create(path, cast("Role", role)) as file:
                rows = writer.write(frames, cast("IO[bytes]", file), self._options)
        except DataError as problem:
            raise DataWriteError(f"dataset {name!r} ({self._files.name(path)}): {problem}") from None
        if self._handover is not None and writer.as_read is not None and frames.whole:
            self._handover.offer(name, step, file.sha256, frame)
        key_id = self._files.encryption_of(path).key_id if file.encrypted else ""
        return DatasetRecord(
            name=name,
            kind=kind,
            path=self._files.name(path),
            format=self._formats.key(format),
            sha256=file.sha256,
            bytes=file.size,
            rows=rows,
            columns=frames.columns,
            encrypted=file.encrypted,
            key_id=key_id,
            step=step,
        )

    def write_dataframe(self, df: pd.DataFrame, name: str, format: str = "csv", subdir: str = "output") -> WriterResult:
        """Write a frame into a folder of the task's directory; a file of that name is replaced."""
        path = self._place(name, self._formats[format].extension, subdir)
        record = self.write_dataset(df, str(path), name=name, format=format)
        return WriterResult(path, record.bytes or 0, datetime.now(UTC), record.format, record.sha256)

    def write_json(self, data: Any, name: str, subdir: str = "output") -> WriterResult:
        """Write JSON into a folder of the task's directory; a file of that name is replaced."""
        path = self._place(name, "json", subdir)
        file = self._files.write(path, _json(data, name), "artifact")
        return WriterResult(path, file.size, datetime.now(UTC), "json", file.sha256)

    def _place(self, name: str, extension: str, subdir: str) -> Path:
        if self._task_dir is None:
            raise DataWriteError(f"{name}: this writer belongs to no task, so it has no directory to write to")
        check_name(name, "the file name")
        for part in Path(subdir).parts:
            check_name(part, "the subdirectory")
        return self._task_dir / subdir / f"{name}.{extension}"


class _Watched:
    """Frames on their way to a format, of which the columns are noted."""

    def __init__(self, frames: Any) -> None:
        import pandas as pd

        self._frame_type = pd.DataFrame
        self.whole = isinstance(frames, pd.DataFrame)
        self._frames: Iterable[Any] = [frames] if self.whole else frames
        self.columns: tuple[str, ...] | None = None

    def __iter__(self) -> Iterator[Any]:
        try:
            frames = iter(self._frames)
        except TypeError:
            raise DataError(
                f"only a DataFrame, or an iterable of DataFrames, can be written, not {type(self._frames).__name__}"
            ) from None
        for frame in frames:
            if self.columns is None and isinstance(frame, self._frame_type):
                levels = [name for name in frame.index.names if name is not None]
                self.columns = tuple(str(name) for name in (*levels, *frame.columns))
            yield frame


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
