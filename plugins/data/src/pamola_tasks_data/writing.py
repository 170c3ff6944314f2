"""`DataWriter`: datasets, written whole or not at all."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import IO, TYPE_CHECKING, Any, cast

import attrs

from pamola_tasks.errors import DataError, DataWriteError
from pamola_tasks.record import DatasetRecord
from pamola_tasks_data.formats import Formats
from pamola_tasks_data.reading import CsvOptions

if TYPE_CHECKING:
    from pamola_tasks.protocols import Files, Role
    from pamola_tasks_data.dataset import Handover


class DataWriter:
    """Writes through the run's files: published when complete, encrypted where the run encrypts.

    Args:
        files: How files are written.
        formats: The formats that are known.
        csv: The dialect of CSV files; `,`, `"` and UTF-8 where nothing is stated.
        handover: Takes frames for later steps of the run.
    """

    intermediate_format = "parquet"  # keeps types, and is read and written fastest

    def __init__(
        self,
        files: Files,
        *,
        formats: Formats | None = None,
        csv: CsvOptions | None = None,
        handover: Handover | None = None,
    ) -> None:
        self._files = files
        self._formats = formats or Formats()
        self._options = attrs.asdict(csv or CsvOptions())
        self._handover = handover

    def write_dataset(
        self, frame: Any, path: str, *, name: str, format: str, role: str = "data", step: str = "", kind: str = "output"
    ) -> DatasetRecord:
        """Write a dataset to one file.

        Args:
            frame: A DataFrame, or an iterable of DataFrames or of Arrow tables with the same columns, written one after
                the other. What Arrow has types for is stored in Parquet as it is.
            path: The file, relative to the project's root or absolute and inside it; or a folder, with a `/` at its
                end, in which the file gets the dataset's name and the extension of the format.
            role: What the file is.
            step: The step that writes it.
            kind: `output` or `intermediate`.

        Returns:
            What was written, with the hash made while writing.

        Raises:
            DataWriteError: The frame cannot be written in this format. No file appears, nor does one where the iterable
                raises: its errors are left as they are.
        """
        writer = self._formats[format]
        if path.endswith("/"):
            path += f"{name}.{writer.extension}"
        frames = _Watched(frame, as_frames=self._formats.key(format) != "parquet")
        try:
            with self._files.create(path, cast("Role", role)) as file:
                rows = writer.write(frames, cast("IO[bytes]", file), self._options)
        except DataError as problem:
            if problem is frames.problem:  # of what makes the pieces, such as a column that is not as it should be
                raise
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


class _Watched:
    """Frames on their way to a format: at least one, and all with the same columns, which are noted."""

    def __init__(self, frames: Any, as_frames: bool) -> None:
        import pandas as pd

        self._as_frames = as_frames
        self._frame_type = pd.DataFrame
        self.whole = isinstance(frames, pd.DataFrame)
        self._frames: Iterable[Any] = [frames] if self.whole or not isinstance(frames, Iterable) else frames
        self.columns: tuple[str, ...] | None = None
        self.problem: DataError | None = None  #: what the iterable raised

    def _pieces(self) -> Iterator[Any]:
        try:
            yield from self._frames
        except DataError as problem:
            self.problem = problem
            raise

    def __iter__(self) -> Iterator[Any]:
        frame = None
        for frame in self._pieces():
            if hasattr(frame, "column_names"):  # a table of Arrow
                self._check_columns(tuple(frame.column_names))
                if self._as_frames:
                    from pamola_tasks_data.parquet import flat_frame

                    frame = flat_frame(frame)
            elif isinstance(frame, self._frame_type):
                levels = [name for name in frame.index.names if name is not None]
                columns = tuple(str(name) for name in (*levels, *frame.columns))
                self._check_columns(columns)
            yield frame
        if frame is None:
            raise DataError("nothing to write: pass at least an empty frame")

    def _check_columns(self, columns: tuple[str, ...]) -> None:
        if self.columns not in (None, columns):
            raise DataError("pieces of one dataset have different columns: they must be the same, in the same order")
        self.columns = columns
