"""What a data source says of the columns that it reads: to commands, profiles, warnings and reports."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import attrs

from pamola_tasks.errors import DataError, PamolaTaskError
from pamola_tasks_data.expanding import check_sparse, is_compressed
from pamola_tasks_data.origin import is_output

if TYPE_CHECKING:
    import pandas as pd

    from pamola_tasks.plan import Plan
    from pamola_tasks.protocols import RunServices
    from pamola_tasks_data.dataset import Dataset
    from pamola_tasks_data.description import ColumnDescription
    from pamola_tasks_data.reading import DataReader

_WHOLE = ("json", "jsonl", "xlsx")  # formats of which no header can be read without the rest
_SMALL = 1 << 21  # bytes of such a file


@attrs.frozen
class _Glanced:
    """A file of which a few bytes are read, and that is neither kept nor hashed for that."""

    path: str
    open: Callable[[Any], Any]


@contextlib.contextmanager
def _opened(files: Any, path: str, limit: float, role: Any) -> Iterator[Any]:
    """A file to glance at, refused if nearly all of it is holes."""
    with files.open(path, role) as file:
        check_sparse(file, files.stat(path).size, limit)
        yield file


class DescribesColumns:
    """The part of a data source that describes columns."""

    run: RunServices | None
    _datasets: Mapping[str, Dataset]
    _dataset: Callable[[str], Dataset]
    _reader: DataReader
    _format_of: Callable[[Dataset], str]
    chunks: Callable[..., Iterator[pd.DataFrame]]
    headers: dict[str, list[str]]
    unreadable: dict[str, str]  #: why the beginning of a dataset cannot be read, where `header` found that

    def describe_columns(
        self, name: str, columns: Sequence[str] | None = None, *, show_data: bool = False, least: int = 1
    ) -> list[ColumnDescription]:
        """What columns are taken for, how many values fit, and what is ambiguous, from all rows, a piece at a time.

        Args:
            name: The dataset.
            columns: Some of its columns; all unless given.
            show_data: Whether to show also other words than the usual ones for missing values, where 10 records have
                them.
            least: How many records have to have a word that is shown.
        """
        from pamola_tasks_data.describing import ROWS, ColumnsSeen

        dataset = self._dataset(name)
        seen = ColumnsSeen(name, stated=dataset.kinds, share=self._share, csv=dataset.format in ("csv", ""))
        for piece in self.chunks(name, ROWS, columns):
            seen.add(piece)
        seen.spelled = dataset.decimals()
        return seen.described(show_data=show_data, least=least)

    def header(self, name: str) -> list[str] | None:
        """Names of the columns as the first bytes of its first file show them, when first asked for.

        Formats that show them nowhere but in the rows, as JSON, and workbooks are read whole if they are small. None
        where it takes more, the file is not there or cannot be read now, or another task will have written it.
        """
        if name not in self.headers and name not in self.unreadable:
            try:
                found = self._header(self._datasets.get(name))
            except DataError as error:
                self.unreadable[name] = str(error)
            else:
                self.headers |= {} if found is None else {name: found}
        return self.headers.get(name)

    def _header(self, dataset: Dataset | None) -> list[str] | None:
        if dataset is None or not dataset.files:
            frame = None if dataset is None else dataset.frame
            return None if frame is None else [str(column) for column in frame.columns]
        path = dataset.paths[0]
        if self.run is not None and self.run.dry and is_output(self.run, path):
            return None
        files = self._reader.files
        try:
            format = self._format_of(dataset)
            if not files.exists(path) or (format in _WHOLE and (is_compressed(path) or files.stat(path).size > _SMALL)):
                return None
            file: Any = dataset.files[0]
            dry, at_its_end = self.run is not None and self.run.dry, format == "parquet"
            if dry or file.waits:  # it is not read now, nor its hash begun
                limit = {**self._reader.limits, **dataset.stated}["expansion_limit"]
                if at_its_end and (not dry or file.encryption.encrypted):  # all of it would be read on the way there
                    return None
                file = _Glanced(path, partial(_opened, files, path, limit))
            table = self._reader.table(file, format, role=dataset.role, what=path, notes={}, **dataset.stated)
            quiet = attrs.evolve(table, options={**table.options, "warn": str})
            if format == "json":
                return [str(column) for column in quiet.read(None).columns]
            return list(quiet.schema() or ()) if at_its_end or format == "jsonl" else quiet.columns()
        except DataError as error:
            if isinstance(error.__cause__ or error.__context__, FileNotFoundError):
                return None
            raise
        except (PamolaTaskError, OSError):  # who reads it says why
            return None

    def plan_problems(self, plan: Plan) -> list[str]:
        """Files and columns that the steps of a plan name and will not have, each with its place.

        For a plan that is not checked, as some of its steps are refused already.
        """
        from pamola_tasks_data.plan_problems import plan_problems

        return [] if self.run is None else plan_problems(self.run, plan)

    def columns_seen(self, name: str) -> list[ColumnDescription]:
        """The same from the first rows of what was read of a file; empty where nothing was."""
        return self._datasets[name].columns_seen(self._share) if name in self._datasets else []

    def how_read(self, name: str) -> dict[str, Any]:
        """Files, format and size of a dataset, and once it was read, how: delimiter, quote character, encoding."""
        return self._dataset(name).how_read()

    @property
    def _share(self) -> float:
        from pamola_tasks_data.settings import DataSettings

        share: float = (DataSettings() if self.run is None else self.run.config.plugin("data")).type_share
        return share
