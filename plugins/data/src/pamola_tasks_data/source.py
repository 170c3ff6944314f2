"""`DataSource`: datasets by name, with the names that scripts use beside those that the kernel asks for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pamola_tasks.errors import DataError, PamolaTaskError, UsageError
from pamola_tasks.storage.files import FileEncryption
from pamola_tasks_data.datasets import Datasets
from pamola_tasks_data.expanding import is_compressed
from pamola_tasks_data.reading import error_of

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd

    from pamola_tasks.storage.files import Files

_SAMPLE_ROWS = 10_000


class DataSource(Datasets):
    """Datasets by name; arguments as for `Datasets`."""

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

    def get_schema(self, name: str) -> dict[str, Any]:
        """`columns`, `dtypes`, `num_cols` and, where it is known, `num_rows`."""
        schema = self.schema(name)
        return {
            "columns": list(schema),
            "dtypes": schema,
            "num_cols": len(schema),
            "num_rows": self._dataset(name).rows,
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
        first = looks[0] if looks else FileEncryption()
        return {
            "encrypted": bool(looks) and all(look.encrypted for look in looks),
            "mode": first.mode,
            "key_id": first.key_id,
        }

    def estimate_memory_usage(self, name: str) -> int:
        """Bytes that the whole frame takes in memory; for a file that was not read, projected from its first rows."""
        from pamola_tasks_data.frames import memory_of

        dataset = self._dataset(name)
        if dataset.frame is not None and dataset.complete:
            return memory_of(dataset.frame)
        if any(is_compressed(path) for path in dataset.paths):  # their size tells nothing
            return sum(memory_of(piece) for piece in self.chunks(name, _SAMPLE_ROWS))
        sample = next(iter(self.chunks(name, _SAMPLE_ROWS)), None)
        if sample is None or len(sample) < _SAMPLE_ROWS:
            return 0 if sample is None else memory_of(sample)
        counted = _Counted()
        self._format_of(dataset).write([sample], counted, {})  # type: ignore[arg-type]
        size = sum(self._reader.files.stat(path).size for path in dataset.paths)
        return int(memory_of(sample) * size / max(counted.size, 1))

    # ------------------------------------------------------------ memory

    def analyze_dataframe(self, name: str) -> dict[str, Any]:
        """Rows, bytes and, for each column, dtype, bytes, missing, distinct and a smaller dtype (see `analysis`)."""
        from pamola_tasks_data.analysis import analyzed

        return analyzed(self.frame(name))

    def suggest_engine(self, name: str, memory_limit: int | None = None) -> str:
        """`pandas` where the whole table goes into memory, else `chunks`: read it with `get_dataframe_chunks`.

        Args:
            name: The dataset.
            memory_limit: Bytes that it may take; a quarter of the machine's memory unless given, because operations
                make copies.
        """
        from pamola_tasks_data.analysis import memory_of_the_machine

        limit = memory_of_the_machine() // 4 if memory_limit is None else memory_limit
        return "pandas" if self.estimate_memory_usage(name) <= limit else "chunks"

    def optimize_memory(self, threshold_percent: float = 80.0) -> dict[str, Any]:
        """Drop frames that can be read again, the largest first, until the others take less of the machine's memory.

        Args:
            threshold_percent: Share of the machine's memory that frames may take, 0 to 100.

        Returns:
            `released` (names), `bytes_before`, `bytes_after`.
        """
        from pamola_tasks_data.analysis import memory_of_the_machine
        from pamola_tasks_data.frames import memory_of

        if not 0 <= threshold_percent <= 100:
            raise UsageError(f"threshold_percent lies between 0 and 100, not at {threshold_percent}")
        held = {d.name: memory_of(d.frame) for d in self._datasets.values() if d.frame is not None}
        before = after = sum(held.values())
        released = []
        for name in sorted(held, key=lambda name: -held[name]):
            if after > threshold_percent / 100 * memory_of_the_machine() and self._datasets[name].paths:
                self.release(name)
                released.append(name)
                after -= held[name]
        return {"released": released, "bytes_before": before, "bytes_after": after}

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
            if not load_if_path and not dataset.has(columns):
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
        from pamola_tasks_data.frames import joined

        found: list[pd.DataFrame] = []
        seen = 0
        for piece in self.chunks(name, _SAMPLE_ROWS, columns):
            start, stop = max(skip - seen, 0), len(piece) if count is None else skip + count - seen
            found.append(piece.iloc[start : max(stop, start)])
            seen += len(piece)
            if count is not None and seen >= skip + count:
                break
        return joined(found)

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
            self.add_dataframe(sample_name, sample)
        return sample


def prepare_data_source_from_paths(file_paths: Mapping[str, str | Path], *, files: Files, **options: Any) -> DataSource:
    """A source for files, each under its name. Options as for `DataSource.add_file_path`."""
    source = DataSource(files=files)
    for name, path in file_paths.items():
        source.add_file_path(name, path, **options)
    return source


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
