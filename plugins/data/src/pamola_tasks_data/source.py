"""`DataSource`: tables by name, read when first asked for, kept until released."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import attrs

from pamola_tasks.errors import DataError, UsageError
from pamola_tasks_data.as_written import ReadsAsWritten
from pamola_tasks_data.column_facts import DescribesColumns
from pamola_tasks_data.column_types import check_data_types, stated_for
from pamola_tasks_data.dataset import Dataset, Handover, check_columns, explained
from pamola_tasks_data.dataset_facts import DescribesDatasets
from pamola_tasks_data.memory import KeepsToMemory
from pamola_tasks_data.origin import check_origin, is_output
from pamola_tasks_data.reading import LIMITS, DataReader, Table
from pamola_tasks_data.settings import DatasetSettings
from pamola_tasks_data.verified import Original, VerifiedFile

if TYPE_CHECKING:
    import numpy
    import pandas as pd

    from pamola_tasks.protocols import Files, RunServices

_OPTIONS_OF_FORMATS = tuple(field.name for field in attrs.fields(DatasetSettings))
_OPTIONS = frozenset({"role", "format", "sha256", "original", *_OPTIONS_OF_FORMATS})
KEPT = 64 << 20  # bytes of input files, all together, that stay in memory between hashing and reading them


class DataSource(DescribesColumns, DescribesDatasets, KeepsToMemory, ReadsAsWritten):
    """Datasets by name. Safe to use from several threads.

    Args:
        dataframes: Frames in memory.
        file_paths: Files, read when first asked for.
        data_types: The type that columns must have (see `column_types`).
        files: How files are opened (`run.files`); without it only frames in memory can be used.
        reader: Reads files; made from `files` unless given.
        run: The run it belongs to.
        written: How datasets are written, by name, where that is not found out (see `provider.reading_options`).
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
        written: Callable[[str, bool], Mapping[str, Any]] = lambda name, made_here: {},
    ) -> None:
        self.run = run
        self._written = written
        self._reader = reader or DataReader(files)
        self._data_types = dict(data_types or {})
        check_data_types(self._data_types)
        self._datasets: dict[str, Dataset] = {}
        self.handover = Handover()
        self.headers, self.unreadable = {}, {}
        for name, path in (file_paths or {}).items():
            self.add_file_path(name, path)
        for name, frame in (dataframes or {}).items():
            self.add_dataframe(name, frame)

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
            **options: `role` (default `data`), `format` (else the extension says it), `sha256` of its bytes where it is
                known, the `Original` that it is a copy of, and the keys of `DatasetSettings`.
        """
        self.add_multi_file_dataset(name, [path], **options)

    def add_multi_file_dataset(self, name: str, paths: Sequence[str | Path], **options: Any) -> None:
        """A name for several files with the same columns, one table after the other. Options as for one file."""
        unknown = sorted(set(options) - _OPTIONS)
        if unknown:
            raise UsageError(f"a file has no option {unknown[0]!r}: there are {', '.join(sorted(_OPTIONS))}")
        if not paths:
            raise DataError(f"dataset {name!r} has no files")
        sha256 = options.get("sha256") or "" if len(paths) == 1 else ""
        role = options.get("role") or "data"
        ours = bool(sha256) or role == "state"  # a step made it: however small a file, it held the table once
        limits = dict.fromkeys(LIMITS, sys.maxsize) if ours else {}
        made_here = ours or is_output(self.run, str(paths[0]))
        given = {key: options[key] for key in _OPTIONS_OF_FORMATS if options.get(key)}
        stated = {**self._written(name, made_here), **given}
        limit = float({**self._reader.limits, **limits}["expansion_limit"])
        original: Original | None = options.get("original")
        self._datasets[name] = self._new(
            name,
            files=tuple(
                VerifiedFile(self._reader.files, str(path), sha256, self._room, limit, original) for path in paths
            ),
            format=self._reader.formats.told_by(str(paths[0]), options.get("format")),
            role=role,
            made_here=made_here,
            stated=stated | limits,
            written=self.handover.taken(name, sha256),
        )
        if original is not None and original.columns is not None:
            self.headers[name] = list(original.columns)

    def _room(self) -> int:
        return KEPT - sum(file.kept for dataset in list(self._datasets.values()) for file in dataset.files)

    def add_dataframe(self, name: str, frame: pd.DataFrame) -> None:
        """A name for a frame in memory, as it is now."""
        from pamola_tasks_data.arrow import own_copy, with_text_names

        frame = with_text_names(name, frame)
        dataset = self._new(name, stated=self._written(name, False))
        dataset.frame, dataset.complete = dataset.typed(own_copy(frame), None), True
        self._datasets[name] = dataset

    # ------------------------------------------------------------ reading

    def frame(self, name: str, columns: Sequence[str] | None = None) -> pd.DataFrame:
        """The whole table, or some columns of it: a frame that the caller may change.

        Raises:
            DataError: Not there, not readable, a column missing, or values that are not of the type stated for them; or
                it takes more memory than `memory_limit_mb` allows.
        """
        return self._whole(name, columns, refuses=True)

    def chunks(self, name: str, size: int, columns: Sequence[str] | None = None) -> Iterator[pd.DataFrame]:
        """The table in pieces of at most `size` rows; read whole only where the format knows no other way."""
        if size < 1:
            raise UsageError(f"chunks need a size of at least 1, not {size}")
        dataset = self._dataset(name)
        in_pieces = bool(dataset.files) and self._reader.formats[self._format_of(dataset)].chunks is not None
        if dataset.has(columns) or dataset.written is not None or not in_pieces or size == sys.maxsize:
            frame = self._whole(name, columns, refuses=False)
            for start in range(0, max(len(frame), 1), size):
                yield frame.iloc[start : start + size].reset_index(drop=True)
            return
        there = self.columns(name)
        wanted = list(there if columns is None else columns)
        with explained(dataset.what):
            check_columns(wanted, there)
        self._learn(dataset, wanted)
        kinds = dataset.kinds_in(there)
        # of a column of CSV, the types that are found are not those that it is converted from
        found = [key for key in wanted if key not in kinds or dataset.format != "csv"]
        known: Mapping[str, str] = dataset.found or {}
        if found and not set(found) <= set(known):
            known = dataset.found = {**known, **(self._common_schema(dataset, found) or {})}
        read = 0
        for table in self._tables(dataset, {key: known[key] for key in found}):
            rows = 0
            for piece in table.chunks(size, wanted):
                typed = dataset.typed(piece, wanted, rows)
                rows, read = rows + len(typed), read + len(typed)
                yield typed
        dataset.rows = read

    def columns(self, name: str) -> list[str]:
        """Names of the columns, without a look at the rows where the format knows a way."""
        dataset = self._dataset(name)
        with dataset.lock:
            if dataset.files and dataset.schema is None and not dataset.complete and dataset.written is None:
                names = self.headers.get(name) or next(self._tables(dataset)).columns()
                if names is not None:
                    return names
            return list(self.schema(name))

    def schema(self, name: str) -> dict[str, str]:
        """Names of the columns and the dtypes that they have once read, without making the whole frame."""
        from pamola_tasks_data.stated_types import dtype_of

        dataset = self._dataset(name)
        with dataset.lock:
            if dataset.schema is None:
                in_memory = dataset.complete or dataset.written is not None or not dataset.files
                seen = None if in_memory else self._common_schema(dataset)
                dataset.found = self._common_schema(dataset) if seen and self._learn(dataset, list(seen)) else seen
                seen = dataset.found
                if seen is None:
                    frame = self._loaded(dataset, None)
                    seen = {str(column): str(dtype) for column, dtype in frame.dtypes.items()}
                kinds = dataset.kinds_in(seen)
                zones = dataset.zones
                typed = {c: dtype_of(kinds[c].kind, zones.get(c), seen[c]) for c in seen if c in kinds}
                dataset.schema = {**seen, **typed}
            return dict(dataset.schema)

    @contextlib.contextmanager
    def open_raw(self, name: str) -> Iterator[IO[bytes]]:
        """The one file of a dataset that is not a table, decrypted.

        Raises:
            DataError: It has no file, or several, or the file is not there.
        """
        dataset = self._dataset(name)
        if len(dataset.files) != 1:
            where = "is in memory" if not dataset.files else f"has {len(dataset.files)} files"
            raise DataError(f"dataset {name!r} {where}: only one file can be read as it is")
        with explained(dataset.what), dataset.files[0].open(dataset.role) as file:
            yield file

    def generator(self, seed: int | None) -> numpy.random.Generator:
        """Random numbers for operations: `ctx.rng`."""
        import numpy as np

        return np.random.default_rng(seed)

    def release(self, name: str) -> None:
        """Drop the frame from memory; a dataset that has no file is forgotten."""
        dataset = self._datasets.get(name)
        if dataset is None or not dataset.files:
            self._datasets.pop(name, None)
            return
        with dataset.lock:
            dataset.frame, dataset.complete, dataset.written = None, False, None
            for file in dataset.files:
                file.drop()

    def _new(
        self, name: str, *, made_here: bool = False, stated: Mapping[str, Any] | None = None, **known: Any
    ) -> Dataset:
        self.headers.pop(name, None), self.unreadable.pop(name, None)
        kinds, required = stated_for(self._data_types, name, made_here=made_here)
        stated = stated or {}
        completed = {column: kind.completed(stated) for column, kind in kinds.items()}
        known |= {"loose": set(kinds) - required if made_here else set(), "warn": self._reader.warn}
        return Dataset(name, kinds=completed, required=required, stated=stated, **known)

    def _dataset(self, name: str) -> Dataset:
        if name not in self._datasets:
            raise DataError(f"there is no dataset {name!r}: there are {', '.join(self._datasets) or 'none'}")
        dataset = self._datasets[name]
        if dataset.format == "csv" and self.run is not None:
            dataset.read_as_text(vars(self.run).get("plan") or ())
        if not dataset.checked and self.run is not None and "places" in vars(self.run):
            with dataset.lock, explained(dataset.what):
                for file in dataset.files:
                    check_origin(self.run, name, file)
                dataset.checked = True
        return dataset

    def _loaded(self, dataset: Dataset, columns: Sequence[str] | None) -> pd.DataFrame:
        """The kept frame, read first where columns are missing in it."""
        if not dataset.has(columns):
            wanted = None
            if columns is not None and dataset.written is None:
                before = () if dataset.frame is None else map(str, dataset.frame.columns)
                wanted = list(dict.fromkeys([*before, *columns]))
            dataset.frame = self._read(dataset, wanted)
            dataset.complete = wanted is None
            if dataset.complete:  # nobody needs the bytes any more
                for file in dataset.files:
                    file.drop()
        assert dataset.frame is not None
        if columns is None:
            return dataset.frame
        with explained(dataset.what):
            check_columns(columns, [str(c) for c in dataset.frame.columns])
        return dataset.frame[list(columns)]

    def _read(self, dataset: Dataset, columns: Sequence[str] | None) -> pd.DataFrame:
        import pandas as pd

        as_read = self._reader.formats[self._format_of(dataset)].as_read if dataset.written is not None else None
        if as_read is not None:
            return dataset.typed(as_read(dataset.written), None)
        dtypes = self._common_schema(dataset, columns) if len(dataset.files) > 1 else None
        if dtypes is not None or dataset.loose:
            self._learn(dataset, list(dtypes or columns or self.columns(dataset.name)))
        frames = [dataset.typed(table.read(columns), columns) for table in self._tables(dataset, dtypes)]
        return frames[0] if len(frames) == 1 else pd.concat(frames, ignore_index=True)

    def _tables(self, dataset: Dataset, dtypes: Mapping[str, str] | None = None) -> Iterator[Table]:
        """Every file, ready to be read as columns of these dtypes."""
        format = self._format_of(dataset)
        for file in dataset.files:
            yield self._reader.table(
                file,
                format,
                role=dataset.role,
                what=f"dataset {dataset.name!r} ({file.path})",
                notes=dataset.notes.setdefault(file.path, {}),
                text_columns=tuple(dataset.kinds),
                dtypes=dtypes,
                **dataset.stated,
            )

    def _learn(self, dataset: Dataset, columns: Sequence[str]) -> bool:
        in_pieces = self._reader.formats[self._format_of(dataset)].chunks is not None
        return in_pieces and dataset.learn(columns, lambda: self._tables(dataset, {}))

    def _format_of(self, dataset: Dataset) -> str:
        """What its files are read as; an error where nothing says it, which does not matter until a table is read."""
        return self._reader.formats.name_for(dataset.paths[0], dataset.format)

    # ------------------------------------------------------------ types

    def _common_schema(self, dataset: Dataset, columns: Sequence[str] | None = None) -> dict[str, str] | None:
        """Columns and dtypes of all files together, None where the format cannot tell."""
        common: dict[str, str] | None = None
        for table in self._tables(dataset):
            seen = table.schema(columns)
            if seen is None:
                return None
            if common is None:
                common = seen
            elif list(seen) != list(common):
                raise DataError(f"{dataset.what}: {table.file.path} has other columns than {dataset.paths[0]}")
            else:
                common = {c: dataset.common_dtype(c, common[c], seen[c]) for c in common}
        kinds = [dataset.notes[path].get("kinds", {}) for path in dataset.paths]
        if common and all(kinds):
            from pamola_tasks_data.csv_reading import merged_in_all

            common.update(merged_in_all(list(common), kinds, lambda dtypes: self._tables(dataset, dtypes)))
        return common
