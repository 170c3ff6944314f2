"""`DataReader`: one file into a frame, whatever its format, with errors that show no values."""

from __future__ import annotations

import contextlib
from typing import IO, TYPE_CHECKING, Any

import attrs

from pamola_tasks.errors import DataError
from pamola_tasks_data.dataset import check_columns, explained
from pamola_tasks_data.expanding import EXPANSION, content_size, expanded
from pamola_tasks_data.formats import OWN, Formats
from pamola_tasks_data.signatures import check_kind

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    import pandas as pd

    from pamola_tasks.protocols import DatasetFormat, Files, Role
    from pamola_tasks_data.verified import VerifiedFile


LIMITS = {"expansion_limit": EXPANSION, "column_limit": 100_000, "key_limit": 10_000}  # the settings of this name


@attrs.frozen(kw_only=True)
class CsvOptions:
    """What is known of CSV files before they are read; None is found out from each file."""

    delimiter: str | None = None
    quotechar: str | None = None
    encoding: str | None = None
    missing_values: tuple[str, ...] = ("",)
    for_spreadsheets: bool = False


class DataReader:
    """Reads files into frames.

    Args:
        files: How files are opened: those that are encrypted are decrypted on the way.
        formats: The formats that are known.
        csv: What is known of CSV files.
        warn: Called with a sentence when something had to be guessed.
        limits: What a file may hold at most, where that differs from `LIMITS`.
    """

    def __init__(
        self,
        files: Files | None = None,
        *,
        formats: Formats | None = None,
        csv: CsvOptions | None = None,
        warn: Callable[[str], None] | None = None,
        limits: Mapping[str, float] | None = None,
    ) -> None:
        self._files = files
        self.limits = {**LIMITS, **(limits or {})}
        self.formats = formats or Formats()
        self.csv = csv or CsvOptions()
        self.warn: Callable[[str], object] = warn or str  # outside a run there is nobody to warn

    @property
    def files(self) -> Files:
        """How files are opened."""
        if self._files is None:
            raise DataError("files cannot be read here: pass `files=` to DataSource or DataReader")
        return self._files

    def options(self, stated: Mapping[str, Any]) -> dict[str, Any]:
        """All options that a format gets to read a dataset of which these are stated."""
        known = {key: value for key, value in stated.items() if value is not None}
        return {**attrs.asdict(self.csv), **self.limits, **known}

    def table(self, file: VerifiedFile, format: str, *, role: Role, what: str, **stated: Any) -> Table:
        """A file as a table, which messages call `what`; `stated` are options of its format that are not None."""

        def warn(message: str) -> None:
            self.warn(f"{what}: {message}")

        options = {**self.options(stated), "warn": warn}
        return Table(file=file, format=self.formats[format], role=role, what=what, options=options)


@attrs.frozen(kw_only=True)
class Table:
    """One file of a dataset, and what its format has to know to read it."""

    file: VerifiedFile
    format: DatasetFormat
    role: Role
    what: str
    options: Mapping[str, Any]

    def read(self, columns: Sequence[str] | None) -> pd.DataFrame:
        """The whole table, or some columns of it, in this order."""
        with self._opened() as file:
            return _checked(self.format.read(file, columns, self.options), columns)

    def chunks(self, size: int, columns: Sequence[str] | None) -> Iterator[pd.DataFrame]:
        """The table in pieces of at most `size` rows; the format must be one that can."""
        assert self.format.chunks is not None
        with self._opened() as file:
            for frame in self.format.chunks(file, size, columns, self.options):
                yield _checked(frame, columns)

    def schema(self, columns: Sequence[str] | None = None) -> dict[str, str] | None:
        """Columns and their dtypes without making a frame; None where the format cannot know."""
        found: dict[str, str] | None = self._told(self.format.schema, {**self.options, "columns": columns})
        return found

    def columns(self) -> list[str] | None:
        """Names of the columns, without a look at the rows; None where the format cannot know."""
        found: list[str] | None = self._told(self.format.columns, self.options)
        return found

    def sample(self, columns: Sequence[str] | None) -> tuple[pd.DataFrame, float] | None:
        """Some of the rows, and about how many there are; None where the format cannot know."""
        ask, notes = self.format.sample, self.options.get("notes") or {}
        known = {key: notes[key] for key in ("encoding", "delimiter") if key in notes}  # it notes nothing itself
        options = {**self.options, "notes": known, "dtypes": None, "warn": str}
        if ask is None:
            return None
        with self._opened(options) as content:
            frame, rows = ask(content, columns, options)
        return _checked(frame, columns), rows

    def _told(self, ask: Callable[..., Any] | None, options: Mapping[str, Any]) -> Any:
        if ask is None:
            return None
        with self._opened() as file:
            return ask(file, options)

    @contextlib.contextmanager
    def _opened(self, sized: dict[str, Any] | None = None) -> Iterator[IO[bytes]]:
        """The content; `sized` is told how many bytes it has, or about how many where it is compressed."""
        limit = float(self.options["expansion_limit"])
        with explained(self.what), self.file.open(self.role) as file, expanded(file, self.file.path, limit) as content:
            if self.format in OWN.values():
                check_kind(content, self.format.extension)
            if sized is not None:
                sized["size"] = content_size(file, content, self.file.path)
            yield content


def _checked(frame: pd.DataFrame, columns: Sequence[str] | None) -> pd.DataFrame:
    if columns is None:
        return frame
    check_columns(columns, [str(name) for name in frame.columns])
    return frame if list(frame.columns) == list(columns) else frame[list(columns)]
