"""`DataWriter`: datasets, and the small JSON files beside them, written whole or not at all."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, cast

import attrs

from pamola_tasks.errors import DataError, DataWriteError
from pamola_tasks.operation import timestamp
from pamola_tasks.record import DatasetRecord, now, rfc3339
from pamola_tasks.storage.files import check_name
from pamola_tasks_data.formats import Formats
from pamola_tasks_data.reading import CsvOptions

if TYPE_CHECKING:
    import os

    import pandas as pd

    from pamola_tasks.protocols import Role
    from pamola_tasks.storage.files import Files, OutputFile
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
        self._lock = threading.Lock()

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
        """Write a frame, or an iterable of frames with the same columns, to this very file.

        Args:
            frame: A DataFrame, or DataFrames that are written one after the other.
            path: Relative to the project's root, or absolute and inside it.
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
            format=writer.extension,
            sha256=file.sha256,
            bytes=file.size,
            rows=rows,
            columns=frames.columns,
            encrypted=file.encrypted,
            key_id=key_id,
            step=step,
        )

    def extension(self, format: str) -> str:
        """The extension of a format's files, without dot; an unknown format raises `DataError` with what is known."""
        return self._formats[format].extension

    def write_dataframe(
        self,
        df: pd.DataFrame,
        name: str,
        format: str = "csv",
        subdir: str = "output",
        timestamp_in_name: bool = False,
        overwrite: bool = True,
    ) -> WriterResult:
        """Write a frame into the task's directory.

        Args:
            df: The frame.
            name: File name without extension.
            format: A known format.
            subdir: Folder below the task's directory.
            timestamp_in_name: Begin the file's name with the time.
            overwrite: Replace a file of that name; else it is an error.
        """
        path = self._place(name, self.extension(format), subdir, timestamp_in_name, overwrite)
        record = self.write_dataset(df, str(path), name=name, format=format)
        return WriterResult(path, record.bytes or 0, datetime.now(UTC), record.format, record.sha256)

    # ------------------------------------------------------------ JSON

    def write_json(
        self,
        data: Any,
        name: str,
        subdir: str = "output",
        timestamp_in_name: bool = False,
        overwrite: bool = True,
    ) -> WriterResult:
        """Write JSON into the task's directory."""
        path = self._place(name, "json", subdir, timestamp_in_name, overwrite)
        return self._publish(path, _json(data, name), "json")

    def append_to_json_array(self, item: Any, name: str, subdir: str = "output") -> WriterResult:
        """Add an item to the array in a JSON file, which is made when missing."""
        with self._lock:
            path = self._place(name, "json", subdir, False, True)
            there = self._read_json(path, list)
            return self._publish(path, _json([*there, item], name), "json")

    def merge_json_objects(
        self, data: Mapping[str, Any], name: str, subdir: str = "output", recursive: bool = True
    ) -> WriterResult:
        """Put keys into the object in a JSON file, which is made when missing.

        Args:
            data: Keys to set.
            name: File name without extension.
            subdir: Folder below the task's directory.
            recursive: Merge objects within objects, instead of replacing them.
        """
        with self._lock:
            path = self._place(name, "json", subdir, False, True)
            there = self._read_json(path, dict)
            merged = _merged(there, data) if recursive else {**there, **data}
            return self._publish(path, _json(merged, name), "json")

    def write_dictionary(
        self,
        data: Mapping[str, Any] | pd.DataFrame,
        name: str,
        format: str = "json",
        timestamp_in_name: bool = False,
        overwrite: bool = True,
    ) -> WriterResult:
        """Write a dictionary (codes and what they stand for) into `dictionaries/`.

        Args:
            data: A mapping for `json`; for `csv` a frame, or a mapping that becomes the columns `key` and `value`.
            name: File name without extension.
            format: `json`, or a format of datasets.
            timestamp_in_name: Begin the file's name with the time.
            overwrite: Replace a file of that name.
        """
        import pandas as pd

        if format == "json" and not isinstance(data, pd.DataFrame):
            return self.write_json(dict(data), name, "dictionaries", timestamp_in_name, overwrite)
        frame = (
            data if isinstance(data, pd.DataFrame) else pd.DataFrame({"key": list(data), "value": list(data.values())})
        )
        return self.write_dataframe(frame, name, format, "dictionaries", timestamp_in_name, overwrite)

    def write_metrics(
        self, metrics: Mapping[str, Any], name: str, operation: Mapping[str, Any] | None = None
    ) -> WriterResult:
        """Write metrics into `metrics/`, under a name with the time, with `metadata` beside them."""
        wrapped = {
            "metadata": {"timestamp": rfc3339(now()), "operation": dict(operation or {})},
            "metrics": dict(metrics),
        }
        path = self._place(name, "json", "metrics", True, True)
        return self._publish(path, _json(wrapped, name), "json")

    def write_visualization(
        self,
        figure: Any,
        name: str,
        format: str = "png",
        subdir: str = "visualizations",
        timestamp_in_name: bool = False,
        overwrite: bool = True,
    ) -> WriterResult:
        """Write a picture: a figure that has `savefig`, or the text or bytes of one that is drawn already."""
        path = self._place(name, format, subdir, timestamp_in_name, overwrite)
        if not isinstance(figure, (str, bytes)) and not hasattr(figure, "savefig"):
            raise DataWriteError(
                f"{name}: a picture is a figure with savefig, text or bytes, not {type(figure).__name__}"
            )
        with self._files.create(path, "artifact") as file:
            if isinstance(figure, (str, bytes)):
                file.write(figure.encode() if isinstance(figure, str) else figure)
            else:
                figure.savefig(file, format=format)
        return _result(path, file, format)

    def _place(self, name: str, extension: str, subdir: str, stamped: bool, overwrite: bool) -> Path:
        if self._task_dir is None:
            raise DataWriteError(f"{name}: this writer belongs to no task, so it has no directory to write to")
        check_name(name, "the file name")
        check_name(extension, "the format")
        for part in Path(subdir).parts:
            check_name(part, "the subdirectory")
        path = self._task_dir / subdir / f"{f'{timestamp()}_' if stamped else ''}{name}.{extension}"
        if not overwrite and self._files.exists(path):
            raise DataWriteError(f"{self._files.name(path)} is there already, and overwrite is off")
        return path

    def _publish(self, path: Path, data: bytes, format: str) -> WriterResult:
        return _result(path, self._files.write(path, data, "artifact"), format)

    def _read_json(self, path: Path, kind: type) -> Any:
        if not self._files.exists(path):
            return kind()
        try:
            there = json.loads(self._files.read(path, "artifact"))
        except (json.JSONDecodeError, UnicodeDecodeError):
            raise DataWriteError(f"{self._files.name(path)} is not JSON: nothing was added to it") from None
        if not isinstance(there, kind):
            wanted = "an array" if kind is list else "an object"
            raise DataWriteError(f"{self._files.name(path)} does not hold {wanted}: nothing was added to it")
        return there


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


def _result(path: Path, file: OutputFile, format: str) -> WriterResult:
    return WriterResult(path, file.size, datetime.now(UTC), format, file.sha256)


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


def _merged(there: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(there)
    for key, value in new.items():
        before = merged.get(key)
        if isinstance(before, Mapping) and isinstance(value, Mapping):
            merged[key] = _merged(before, value)
        else:
            merged[key] = value
    return merged
