"""Datasets: reading them, writing them, and the formats of their files."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Protocol

import attrs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from pamola_tasks.record import DatasetRecord


class DataSource(Protocol):
    """Reads datasets (`DataSource` of the data plugin); frames are of the library that the provider uses.

    A name means a file (read when first asked for) or a frame in memory. The provider adds the files that the
    configuration names in `input_datasets` and `auxiliary_datasets`, reads with the formats of
    `run.kernel.dataset_formats()`, and gives columns the types that `data_types` states.

    A source may have further methods. `generator(seed)`: what operations get as `ctx.rng`, so that random numbers come
    from the library that its frames are of; without it they get a `random.Random`. `memory_mb(name, columns)`: what the
    frame of a dataset would take in memory, in MiB, without reading all of it. `rows_at_a_time(name, columns)`: rows of
    a piece where the operation does not say how many; without it `chunk_size`.

    Raises:
        DataError: A dataset is not there, not readable, lacks a column, or is no longer what it was when it was read:
            named with file and column, never with values.
    """

    def names(self) -> list[str]: ...  #: all, in the order added
    def add_dataframe(self, name: str, frame: Any) -> None: ...  #: a name for a frame in memory

    def has_dataset(self, name: str) -> bool:
        """Whether there is a dataset of this name and, for a file, whether the file is there."""

    def add_file_path(self, name: str, path: str | Path, **options: Any) -> None:
        """Options: `role` (default `data`), `format`, `sha256` of its bytes where that was made while writing.

        `original`, of a copy of something elsewhere: what records name, with `address`, `version`, `sha256`, `bytes`,
        `columns` where they are known, and `copy()`, which makes the copy where it is not there and gives the hash of
        its bytes.
        """

    def frame(self, name: str, columns: Sequence[str] | None = None) -> Any:
        """The whole table, or some columns of it: a frame that the caller may change."""

    def chunks(self, name: str, size: int, columns: Sequence[str] | None = None) -> Iterator[Any]:
        """The table in pieces of at most `size` rows."""

    def columns(self, name: str) -> list[str]:
        """Names of the columns, without a look at the rows where the format knows a way."""

    def schema(self, name: str) -> dict[str, str]:
        """Names of the columns, and their dtypes as text, without reading the whole table where possible."""

    def open_raw(self, name: str) -> AbstractContextManager[IO[bytes]]:
        """The one file of a dataset that is not a table, decrypted: interpreted by the caller."""

    def describe(self, name: str) -> DatasetRecord:
        """What is known of a dataset without reading more than was read already; hash included.

        The hash is that of what is read under this name: sha256 (hex) of the bytes on disk, or of a frame's content. It
        is asked for before a step is decided, and again when the step has ended. The first time, a source may leave out
        a hash that no finished step is compared with, and make it while the step reads the dataset.
        """

    def release(self, name: str) -> None:
        """Drop the frame from memory; a dataset that has no file is forgotten."""


class DataWriter(Protocol):
    """Writes datasets (`DataWriter` of the data plugin).

    A writer may have an attribute `intermediate_format`: the format of datasets that only later steps read. Without it
    they are written in the task's `output_format`.
    """

    def write_dataset(
        self, frame: Any, path: str, *, name: str, format: str, role: str = "data", step: str = "", kind: str = "output"
    ) -> DatasetRecord:
        """Write a frame, or an iterable of frames with the same columns, to one file, through `run.files`.

        Args:
            frame: A DataFrame, or an iterable of DataFrames (written piece by piece).
            path: The file, relative to the project's root or absolute; or a folder, with a `/` at its end, in which the
                file gets the dataset's name and the extension of the format.
            format: `csv`, `parquet` or another known format.

        Returns:
            What was written, with the hash made while writing.
        """


@attrs.frozen(kw_only=True)
class ReleaseTable:
    """A table that is about to be released, as checks see it."""

    name: str  #: the dataset's name
    operation: str  #: the name of the operation that wrote it
    settings: Mapping[str, Any]  #: that operation's parameters
    metrics: Mapping[str, Any]  #: what it measured
    columns: tuple[str, ...]  #: names of the columns
    frame: Callable[[Sequence[str] | None], Any]  #: reads the table, or some columns of it, as a data frame


@attrs.frozen(kw_only=True)
class DatasetFormat:
    """A file format for datasets."""

    extension: str  #: without dot
    #: `(file, columns, options) -> DataFrame`
    read: Callable[[IO[bytes], Sequence[str] | None, Mapping[str, Any]], Any]
    #: `(frames, file, options) -> rows`: writes an iterable of DataFrames to a binary file
    write: Callable[[Iterable[Any], IO[bytes], Mapping[str, Any]], int]
    #: `(file, size, columns, options) -> Iterator[DataFrame]`, or None when it can only be read whole
    chunks: Callable[[IO[bytes], int, Sequence[str] | None, Mapping[str, Any]], Iterator[Any]] | None = None
    #: `(file, options) -> {column: dtype}`, or None when it must be read for that; `columns` in the options says which
    #: columns are meant, where not all are
    schema: Callable[[IO[bytes], Mapping[str, Any]], dict[str, str]] | None = None
    #: `(file, options) -> names`: the columns without a look at the rows, where `schema` needs one
    columns: Callable[[IO[bytes], Mapping[str, Any]], list[str]] | None = None
    #: `DataFrame -> DataFrame`: what reading would give once the frame is written, so that later steps need not read
    #: it; None where only reading tells
    as_read: Callable[[Any], Any] | None = None
    #: `(file, columns, options) -> (DataFrame, rows)`: some of the rows, and about how many there are in all; `size` in
    #: the options is how many bytes the file has. None where only reading tells
    sample: Callable[[IO[bytes], Sequence[str] | None, Mapping[str, Any]], tuple[Any, float]] | None = None
    keeps_names: bool = True  #: whether a table without rows has the names of its columns in the file
