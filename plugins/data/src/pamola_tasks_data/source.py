"""`DataSource`: datasets by name, read when first asked for, kept until released."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from pamola_tasks.errors import DataError, PamolaTaskError, UsageError
from pamola_tasks.record import DatasetRecord
from pamola_tasks_data.reading import DataReader, error_of

if TYPE_CHECKING:
    from types import TracebackType

    import pandas as pd

    from pamola_tasks.files import Files
    from pamola_tasks.protocols import RunServices

_OPTIONS = frozenset({"role", "format", "task_id", "delimiter", "quotechar", "encoding"})
_SAMPLE_ROWS = 10_000


@attrs.define(eq=False)
class _Dataset:
    """A dataset: its files, or a frame; and what is known of it so far."""

    name: str
    paths: tuple[str, ...] = ()
    format: str = "memory"
    role: Any = "data"
    task_id: str = ""
    stated: Mapping[str, Any] = attrs.Factory(dict)
    frame: pd.DataFrame | None = None  # the dataset itself, or the columns that were read
    complete: bool = False  # the frame has all columns
    schema: dict[str, str] | None = None
    fingerprint: str = ""
    notes: dict[str, dict[str, Any]] = attrs.Factory(dict)  # what was found out about each file while reading it
    lock: Any = attrs.field(factory=threading.RLock, repr=False)

    @property
    def what(self) -> str:
        """What messages call it."""
        return f"dataset {self.name!r}" + (f" ({', '.join(self.paths)})" if self.paths else "")


class DataSource:
    """Datasets by name. Safe to use from several threads.

    Args:
        dataframes: Frames in memory.
        file_paths: Files, read when first asked for.
        data_types: The type that columns must have (see `stated_types`).
        files: How files are opened (`run.files`); without it only frames in memory can be used.
        reader: Reads files; made from `files` unless given.
        run: The run it belongs to, for operations that are run alone on its datasets.
    """

    def __init__(
        self,
        dataframes: Mapping[str, pd.DataFrame] | None = None,
        file_paths: Mapping[str, str | Path] | None = None,
        *,
        data_types: Mapping[str, Any] | None = None,
        files: Files | None = None,
        reader: DataReader | None = None,
        run: RunServices | None = None,
    ) -> None:
        self.run = run
        self._reader = reader or DataReader(files)
        self._data_types = dict(data_types or {})
        self._datasets: dict[str, _Dataset] = {}
        for name, path in (file_paths or {}).items():
            self.add_file_path(name, path)
        for name, frame in (dataframes or {}).items():
            self.add_dataframe(name, frame)

    @classmethod
    def from_dataframe(cls, frame: pd.DataFrame, name: str = "main") -> DataSource:
        """A source with one frame."""
        return cls({name: frame})

    @classmethod
    def from_file_path(cls, path: str | Path, name: str = "main", *, files: Files, **options: Any) -> DataSource:
        """A source with one file."""
        source = cls(files=files)
        source.add_file_path(name, path, **options)
        return source

    @classmethod
    def from_multi_file_dataset(
        cls, paths: Sequence[str | Path], name: str = "main", *, files: Files, **options: Any
    ) -> DataSource:
        """A source with one dataset in several files."""
        source = cls(files=files)
        source.add_multi_file_dataset(name, paths, **options)
        return source

    def __enter__(self) -> DataSource:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for name in self.names():
            self.release(name)

    # ------------------------------------------------------------ names

    def names(self) -> list[str]:
        """All names, in the order added."""
        return list(self._datasets)

    def has_dataset(self, name: str) -> bool:
        """Whether there is a dataset of this name and, for files, whether they are there."""
        dataset = self._datasets.get(name)
        return dataset is not None and all(self._reader.files.exists(path) for path in dataset.paths)

    def add_file_path(self, name: str, path: str | Path, **options: Any) -> None:
        """A name for a file.

        Args:
            name: Replaces a dataset of that name.
            path: Relative to the project's root, or absolute.
            **options: `role` (default `data`), `format` (else the extension tells), `task_id` of the task that wrote
                it, and for CSV `delimiter`, `quotechar`, `encoding`.
        """
        self.add_multi_file_dataset(name, [path], **options)

    def add_multi_file_dataset(self, name: str, paths: Sequence[str | Path], **options: Any) -> None:
        """A name for several files with the same columns, one table after the other. Options as for one file."""
        unknown = sorted(set(options) - _OPTIONS)
        if unknown:
            raise UsageError(f"a file has no option {unknown[0]!r}: there are {', '.join(sorted(_OPTIONS))}")
        if not paths:
            raise DataError(f"dataset {name!r} has no files")
        files = tuple(str(path) for path in paths)
        stated = {key: options[key] for key in ("delimiter", "quotechar", "encoding") if options.get(key)}
        self._datasets[name] = _Dataset(
            name,
            files,
            format=self._reader.formats.name_for(files[0], options.get("format")),
            role=options.get("role") or "data",
            task_id=options.get("task_id") or "",
            stated=stated,
        )

    def add_dataframe(self, name: str, frame: pd.DataFrame) -> None:
        """A name for a frame in memory, as it is now."""
        import pandas as pd

        if not isinstance(frame, pd.DataFrame):
            raise DataError(f"dataset {name!r} must be a DataFrame, not a {type(frame).__name__}")
        typed = self._typed(name, _copied(frame), None)
        self._datasets[name] = _Dataset(name, frame=typed, complete=True)

    @property
    def file_paths(self) -> dict[str, list[Path]]:
        """The files of every dataset that has some."""
        return self.get_file_paths()

    def get_file_paths(self) -> dict[str, list[Path]]:
        """The files of every dataset that has some."""
        return {name: [Path(path) for path in d.paths] for name, d in self._datasets.items() if d.paths}

    # ------------------------------------------------------------ reading

    def frame(self, name: str, columns: Sequence[str] | None = None) -> pd.DataFrame:
        """The whole table, or some columns of it: a frame that the caller may change.

        Raises:
            DataError: Not there, not readable, a column missing, or values that are not of the type stated for them.
        """
        dataset = self._dataset(name)
        with dataset.lock:
            return _copied(self._loaded(dataset, columns))

    def chunks(self, name: str, size: int, columns: Sequence[str] | None = None) -> Iterator[pd.DataFrame]:
        """The table in pieces of at most `size` rows; read whole only where the format knows no other way."""
        if size < 1:
            raise UsageError(f"chunks need a size of at least 1, not {size}")
        dataset = self._dataset(name)
        piecewise = dataset.paths and self._reader.formats[dataset.format].chunks is not None
        if self._has(dataset, columns) or not piecewise:
            frame = self.frame(name, columns)
            for start in range(0, max(len(frame), 1), size):
                yield frame.iloc[start : start + size].reset_index(drop=True)
            return
        known = self.schema(name)
        _check(dataset, known if columns is None else columns, known)
        read_as = {key: value for key, value in known.items() if key not in self._kinds(dataset, known)}
        for path, options in self._files_of(dataset, read_as):
            for piece in self._reader.chunks(path, size, columns=columns, **options):
                yield self._typed(name, piece, known)

    def schema(self, name: str) -> dict[str, str]:
        """Names of the columns and the dtypes that they have once read, without making the whole frame."""
        from pamola_tasks_data.stated_types import DTYPES

        dataset = self._dataset(name)
        with dataset.lock:
            if dataset.schema is None:
                seen = None if dataset.complete else self._looked_up(dataset)
                if seen is None:
                    frame = self._loaded(dataset, None)
                    seen = {str(column): str(dtype) for column, dtype in frame.dtypes.items()}
                kinds = self._kinds(dataset, seen)
                dataset.schema = {c: DTYPES[kinds[c]] if c in kinds else dtype for c, dtype in seen.items()}
            return dict(dataset.schema)

    def release(self, name: str) -> None:
        """Drop the frame from memory; a dataset that has no file is forgotten."""
        dataset = self._datasets.get(name)
        if dataset is None:
            return
        if not dataset.paths:
            del self._datasets[name]
            return
        with dataset.lock:
            dataset.frame, dataset.complete = None, False

    release_dataframe = release

    def _dataset(self, name: str) -> _Dataset:
        try:
            return self._datasets[name]
        except KeyError:
            known = ", ".join(self._datasets) or "none"
            raise DataError(f"there is no dataset {name!r}: there are {known}") from None

    def _has(self, dataset: _Dataset, columns: Sequence[str] | None) -> bool:
        frame = dataset.frame
        if frame is None or (columns is None and not dataset.complete):
            return False
        return dataset.complete or set(columns or ()) <= set(frame.columns)

    def _loaded(self, dataset: _Dataset, columns: Sequence[str] | None) -> pd.DataFrame:
        """The kept frame, read first where columns are missing in it."""
        if not self._has(dataset, columns):
            before = [] if dataset.frame is None else [str(c) for c in dataset.frame.columns]
            wanted = None if columns is None else list(dict.fromkeys([*before, *columns]))
            dataset.frame = self._read(dataset, wanted)
            dataset.complete = wanted is None
        assert dataset.frame is not None
        if columns is None:
            return dataset.frame
        _check(dataset, columns, [str(c) for c in dataset.frame.columns])
        return dataset.frame[list(columns)]

    def _read(self, dataset: _Dataset, columns: Sequence[str] | None) -> pd.DataFrame:
        dtypes = self._common_schema(dataset) if len(dataset.paths) > 1 else None
        frames = [
            self._typed(dataset.name, self._reader.read(path, columns=columns, **options), columns)
            for path, options in self._files_of(dataset, dtypes)
        ]
        if len(frames) == 1:
            return frames[0]
        return _joined(frames)

    def _files_of(self, dataset: _Dataset, dtypes: Mapping[str, str] | None) -> Iterator[tuple[str, dict[str, Any]]]:
        """Every file, with what is to be said to the reader."""
        kinds = self._kinds(dataset, None)
        for path in dataset.paths:
            options = {"format": dataset.format, "role": dataset.role, "what": f"dataset {dataset.name!r} ({path})"}
            options["notes"] = dataset.notes.setdefault(path, {})
            yield path, {**options, **dataset.stated, "text_columns": tuple(kinds), "dtypes": dtypes}

    # ------------------------------------------------------------ types

    def apply_data_types(self, frame: pd.DataFrame, name: str) -> pd.DataFrame:
        """A copy of the frame with the types that `data_types` states for this dataset.

        Raises:
            DataError: Values do not fit.
        """
        return self._typed(name, _copied(frame), frame.columns)

    def _kinds(self, dataset: _Dataset, there: Any) -> dict[str, str]:
        from pamola_tasks_data.stated_types import stated_for

        kinds, required = stated_for(self._data_types, dataset.name)
        if there is not None:
            absent = [column for column in required if column not in there]
            if absent:
                raise DataError(f"{dataset.what}: data_types names column {absent[0]!r}, which it does not have")
        return kinds

    def _typed(self, name: str, frame: pd.DataFrame, wanted: Any) -> pd.DataFrame:
        from pamola_tasks_data.stated_types import apply_types, stated_for

        kinds, required = stated_for(self._data_types, name)
        what = self._datasets[name].what if name in self._datasets else f"dataset {name!r}"
        absent = [column for column in required if column not in frame.columns]
        if absent and wanted is None:
            raise DataError(f"{what}: data_types names column {absent[0]!r}, which it does not have")
        try:
            return apply_types(frame, kinds)
        except DataError as problem:
            raise DataError(f"{what}: {problem}") from None

    def _looked_up(self, dataset: _Dataset) -> dict[str, str] | None:
        """Columns and dtypes from the files, None where the format cannot tell; those of all files together."""
        if not dataset.paths:
            return None
        return self._common_schema(dataset)

    def _common_schema(self, dataset: _Dataset) -> dict[str, str] | None:
        common: dict[str, str] | None = None
        for path, options in self._files_of(dataset, None):
            options.pop("dtypes")
            seen = self._reader.schema(path, **options)
            if seen is None:
                return None
            if common is None:
                common = seen
            elif list(seen) != list(common):
                raise DataError(f"{dataset.what}: {path} has other columns than {dataset.paths[0]}")
            else:
                common = {c: _common_dtype(dataset, c, common[c], seen[c]) for c in common}
        return common

    def get_schema(self, name: str) -> dict[str, Any]:
        """`columns`, `dtypes`, `num_cols` and, where it is known, `num_rows`."""
        schema = self.schema(name)
        return {
            "columns": list(schema),
            "dtypes": schema,
            "num_cols": len(schema),
            "num_rows": self._rows(self._dataset(name)),
        }

    def validate_schema(self, name: str, expected: Mapping[str, str]) -> tuple[bool, list[str]]:
        """Whether a dataset has these columns with these dtypes (an empty text: any), and what is wrong."""
        schema = self.schema(name)
        problems = []
        for column, dtype in expected.items():
            if column not in schema:
                problems.append(f"column {column!r} is missing")
            elif dtype and schema[column].lower() != dtype.lower():
                problems.append(f"column {column!r} is {schema[column]}, not {dtype}")
        return not problems, problems

    # ------------------------------------------------------------ facts

    def fingerprint(self, name: str) -> str:
        """The hash of what the dataset is: sha256 (hex) of the bytes on disk, or of a frame's content.

        Made once for each name; whether a file changed is never judged by its time.
        """
        dataset = self._dataset(name)
        if dataset.fingerprint:  # known: nobody who only asks waits for somebody who reads
            return dataset.fingerprint
        with dataset.lock:
            if not dataset.fingerprint:
                if not dataset.paths:
                    assert dataset.frame is not None
                    dataset.fingerprint = frame_hash(dataset.frame)
                else:
                    try:
                        hashes = [self._reader.files.sha256(path) for path in dataset.paths]
                    except FileNotFoundError:
                        raise DataError(f"{dataset.what}: there is no such file") from None
                    joined = hashlib.sha256("\n".join(hashes).encode()).hexdigest()
                    dataset.fingerprint = hashes[0] if len(hashes) == 1 else joined
            return dataset.fingerprint

    def describe(self, name: str) -> DatasetRecord:
        """What is known of a dataset without reading more of it, but for its hash."""
        dataset = self._dataset(name)
        encrypted, key_id, size, path = False, "", None, ""
        if dataset.paths:
            files = self._reader.files
            digest = self.fingerprint(name)
            size = sum(files.stat(file).size for file in dataset.paths)
            looks = [files.encryption_of(file) for file in dataset.paths]
            encrypted = all(look[0] for look in looks)
            key_id = looks[0][1]
            path = ", ".join(files.name(file) for file in dataset.paths)
        else:
            digest = self.fingerprint(name)
        frame = dataset.frame  # another thread may release it meanwhile
        columns = frame.columns if dataset.complete and frame is not None else dataset.schema
        return DatasetRecord(
            name=name,
            kind="input",
            path=path,
            format=dataset.format,
            sha256=digest,
            bytes=size,
            rows=self._rows(dataset),
            columns=None if columns is None else tuple(str(column) for column in columns),
            encrypted=encrypted,
            key_id=key_id,
        )

    def _rows(self, dataset: _Dataset) -> int | None:
        frame = dataset.frame
        return None if frame is None else len(frame)

    def get_file_metadata(self, name: str) -> dict[str, Any]:
        """`paths`, `format`, `size_bytes`, `exists`, `task_id` and `encrypted` of a dataset's files."""
        dataset = self._dataset(name)
        there = bool(dataset.paths) and self.has_dataset(name)
        files = self._reader.files if dataset.paths else None
        return {
            "paths": list(dataset.paths),
            "format": dataset.format,
            "exists": there,
            "size_bytes": sum(files.stat(p).size for p in dataset.paths) if files and there else None,
            "task_id": dataset.task_id,
            "encrypted": self.get_encryption_info(name)["encrypted"] if there else False,
        }

    def get_encryption_info(self, name: str) -> dict[str, Any]:
        """Whether the bytes on the disk are encrypted, and with which key: found by looking at them."""
        dataset = self._dataset(name)
        looks = [self._reader.files.encryption_of(path) for path in dataset.paths]
        return {"encrypted": bool(looks) and all(look[0] for look in looks), "key_id": looks[0][1] if looks else ""}

    def estimate_memory_usage(self, name: str) -> int:
        """Bytes that the whole frame takes in memory; for a file that was not read, projected from its first rows."""
        dataset = self._dataset(name)
        if dataset.frame is not None and dataset.complete:
            return _memory(dataset.frame)
        sample = next(iter(self.chunks(name, _SAMPLE_ROWS)), None)
        if sample is None or len(sample) < _SAMPLE_ROWS:
            return 0 if sample is None else _memory(sample)
        counted = _Counted()
        self._reader.formats[dataset.format].write([sample], counted, {})  # type: ignore[arg-type]
        size = sum(self._reader.files.stat(path).size for path in dataset.paths)
        return int(_memory(sample) * size / max(counted.size, 1))

    # ------------------------------------------------------------ the other door: errors are returned

    def get_dataframe(
        self,
        name: str,
        load_if_path: bool = True,
        columns: Sequence[str] | None = None,
        nrows: int | None = None,
        skiprows: int | None = None,
        validate_schema: Mapping[str, str] | None = None,
    ) -> tuple[pd.DataFrame | None, dict[str, Any] | None]:
        """A frame; a failure is returned, not raised.

        Args:
            name: The dataset.
            load_if_path: Read the file where that was not done yet.
            columns: Only these columns.
            nrows: At most so many rows.
            skiprows: Leave out so many rows first.
            validate_schema: Columns and dtypes that the dataset must have.

        Returns:
            The frame and None, or None and a dict of `error_type`, `message` and `file_path`.
        """
        path = ", ".join(self._datasets[name].paths) if name in self._datasets else ""
        try:
            dataset = self._dataset(name)
            if not load_if_path and not self._has(dataset, columns):
                raise DataError(f"{dataset.what} was not read yet, and must not be read now (load_if_path=False)")
            if validate_schema is not None:
                problems = self.validate_schema(name, validate_schema)[1]
                if problems:
                    raise DataError(f"{dataset.what}: {'; '.join(problems)}")
            if nrows is None and not skiprows:
                return self.frame(name, columns), None
            return self._some_rows(name, columns, skiprows or 0, nrows), None
        except PamolaTaskError as problem:
            return None, error_of(problem, path)

    def _some_rows(self, name: str, columns: Sequence[str] | None, skip: int, count: int | None) -> pd.DataFrame:
        found: list[pd.DataFrame] = []
        seen = 0
        for piece in self.chunks(name, _SAMPLE_ROWS, columns):
            start, stop = max(skip - seen, 0), len(piece) if count is None else skip + count - seen
            found.append(piece.iloc[start : max(stop, start)])
            seen += len(piece)
            if count is not None and seen >= skip + count:
                break
        return _joined(found)

    def get_dataframe_chunks(
        self, name: str, chunk_size: int = 10_000, columns: Sequence[str] | None = None
    ) -> Iterator[pd.DataFrame]:
        """The table in pieces."""
        yield from self.chunks(name, chunk_size, columns)

    def create_sample(
        self, name: str, size: int = 1000, seed: int | None = None, sample_name: str | None = None
    ) -> pd.DataFrame:
        """Rows drawn without replacement, in their order; all where there are fewer.

        Args:
            seed: The same seed gives the same rows.
            sample_name: Keep the sample as a dataset of this name too.
        """
        frame = self.frame(name)
        sample = frame if len(frame) <= size else frame.sample(size, random_state=seed).sort_index()
        sample = sample.reset_index(drop=True)
        if sample_name is not None:
            self._datasets[sample_name] = _Dataset(sample_name, frame=_copied(sample), complete=True)
        return sample


def prepare_data_source_from_paths(file_paths: Mapping[str, str | Path], *, files: Files, **options: Any) -> DataSource:
    """A source for files, each under its name. Options as for `DataSource.add_file_path`."""
    source = DataSource(files=files)
    for name, path in file_paths.items():
        source.add_file_path(name, path, **options)
    return source


def frame_hash(frame: pd.DataFrame) -> str:
    """SHA-256 (hex) of a frame's column names, dtypes and values, in their order; the index takes no part."""
    import pandas as pd

    digest = hashlib.sha256()
    for position, (name, dtype) in enumerate(frame.dtypes.items()):
        column = frame.iloc[:, position]
        digest.update(f"{name!r} {dtype}\n".encode())
        try:
            hashes = pd.util.hash_pandas_object(column, index=False)
        except TypeError:
            # Lists and dicts have no hash, but a text that tells them apart.
            hashes = pd.util.hash_pandas_object(column.map(repr), index=False)
        digest.update(hashes.to_numpy().tobytes())
    return digest.hexdigest()


def _copied(frame: pd.DataFrame) -> pd.DataFrame:
    from pamola_tasks_data.arrow import own_copy

    return own_copy(frame)


def _joined(frames: list[pd.DataFrame]) -> pd.DataFrame:
    import pandas as pd

    return pd.concat(frames, ignore_index=True)


def _check(dataset: _Dataset, wanted: Any, there: Any) -> None:
    from pamola_tasks_data.csv_reading import check_columns

    try:
        check_columns(list(wanted), list(there))
    except DataError as problem:
        raise DataError(f"{dataset.what}: {problem}") from None


def _common_dtype(dataset: _Dataset, column: str, one: str, two: str) -> str:
    """The dtype that holds the values of two files without loss."""
    if one == two:
        return one
    for wider, narrower in (("Int64", {"int64"}), ("boolean", {"bool"}), ("float64", {"int64", "Int64"})):
        if {one, two} - {wider} <= narrower:
            return wider
    if dataset.format == "csv":
        return "text"
    raise DataError(f"{dataset.what}: column {column!r} is {one} in one file and {two} in another")


def _memory(frame: pd.DataFrame) -> int:
    return int(frame.memory_usage(deep=True).sum())


class _Counted:
    """A file that only counts what is written to it."""

    closed = False

    def __init__(self) -> None:
        self.size = 0

    def write(self, data: Any) -> int:
        self.size += len(memoryview(data).cast("B"))
        return len(data)

    def writable(self) -> bool:
        return True

    def tell(self) -> int:
        return self.size

    def flush(self) -> None:
        """Nothing is kept."""

    def close(self) -> None:
        """Nothing is open."""
