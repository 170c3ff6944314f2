"""`DataReader`: one file into a frame, whatever its format, with errors that tell no values."""

from __future__ import annotations

import contextlib
import json
import zipfile
import zlib
from typing import IO, TYPE_CHECKING, Any

import attrs

from pamola_tasks.errors import DataError, PamolaTaskError
from pamola_tasks_data.dataset import check_columns
from pamola_tasks_data.expanding import expanded
from pamola_tasks_data.formats import Formats

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterator, Mapping, Sequence

    import pandas as pd

    from pamola_tasks.protocols import Role
    from pamola_tasks.storage.files import Files


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
        expansion_limit: How many times as large as itself the content of a compressed file may be.
    """

    def __init__(
        self,
        files: Files | None = None,
        *,
        formats: Formats | None = None,
        csv: CsvOptions | None = None,
        warn: Callable[[str], None] | None = None,
        expansion_limit: float = 200.0,
    ) -> None:
        self._files = files
        self._expansion_limit = expansion_limit
        self.formats = formats or Formats()
        self.csv = csv or CsvOptions()
        self._warn = warn

    @property
    def files(self) -> Files:
        """How files are opened."""
        if self._files is None:
            raise DataError("files cannot be read here: a DataSource or DataReader made by hand needs `files=`")
        return self._files

    def options(self, what: str, stated: Mapping[str, Any]) -> dict[str, Any]:
        """The options of a format's functions: those of this reader, overruled by those stated for the dataset."""

        def warn(message: str) -> None:
            if self._warn is not None:
                self._warn(f"{what}: {message}")

        known = {key: value for key, value in stated.items() if value is not None}
        return {**attrs.asdict(self.csv), "expansion_limit": self._expansion_limit, "warn": warn, **known}

    def read(
        self,
        path: str,
        *,
        format: str,
        role: Role = "data",
        columns: Sequence[str] | None = None,
        what: str = "",
        **stated: Any,
    ) -> pd.DataFrame:
        """The whole table, or some columns of it.

        Args:
            path: Where it lies.
            format: Name of its format.
            role: What it was written as, where it is encrypted.
            columns: Only these, in this order.
            what: What messages call it.
            **stated: `delimiter`, `quotechar`, `encoding`, `text_columns`, `dtypes`: for this file.

        Raises:
            DataError: It is not there, cannot be read, or has no such column.
        """
        what = what or path
        with self._opened(path, role, what) as file:
            frame = self.formats[format].read(file, columns, self.options(what, stated))
            return _checked(frame, columns)

    def chunks(
        self,
        path: str,
        size: int,
        *,
        format: str,
        role: Role = "data",
        columns: Sequence[str] | None = None,
        what: str = "",
        **stated: Any,
    ) -> Iterator[pd.DataFrame]:
        """The table in pieces of at most `size` rows; the format must be one that can."""
        what = what or path
        pieces = self.formats[format].chunks
        if pieces is None:
            raise DataError(f"{what}: a dataset in {format} can only be read whole")
        with self._opened(path, role, what) as file:
            for frame in pieces(file, size, columns, self.options(what, stated)):
                yield _checked(frame, columns)

    def schema(
        self, path: str, *, format: str, role: Role = "data", what: str = "", **stated: Any
    ) -> dict[str, str] | None:
        """Columns and their dtypes without making a frame; None where the format has no way to tell."""
        look = self.formats[format].schema
        if look is None:
            return None
        with self._opened(path, role, what or path) as file:
            return look(file, self.options(what or path, stated))

    def columns(
        self, path: str, *, format: str, role: Role = "data", what: str = "", **stated: Any
    ) -> list[str] | None:
        """Names of the columns, without a look at the rows; None where the format has no way to tell."""
        look = self.formats[format].columns
        if look is None:
            return None
        with self._opened(path, role, what or path) as file:
            return look(file, self.options(what or path, stated))

    def read_dataframe(
        self,
        source: str | os.PathLike[str],
        file_format: str | None = None,
        columns: Sequence[str] | None = None,
        encoding: str | None = None,
        delimiter: str | None = None,
        quotechar: str | None = None,
    ) -> tuple[pd.DataFrame | None, dict[str, Any] | None]:
        """Read a file; a failure is returned, not raised.

        Returns:
            The frame and None, or None and a dict of `error_type`, `message` and `file_path`.
        """
        path = str(source)
        try:
            name = self.formats.name_for(path, file_format)
            stated: dict[str, Any] = {"encoding": encoding, "delimiter": delimiter, "quotechar": quotechar}
            return self.read(path, format=name, columns=columns, **stated), None
        except PamolaTaskError as problem:
            return None, error_of(problem, path)

    @contextlib.contextmanager
    def _opened(self, path: str, role: Role, what: str) -> Iterator[IO[bytes]]:
        with (
            explained(what),
            self.files.open(path, role) as file,
            expanded(file, path, self._expansion_limit) as content,
        ):
            yield content


_DAMAGED = (EOFError, zlib.error, zipfile.BadZipFile)


def error_of(problem: PamolaTaskError, path: str = "") -> dict[str, Any]:
    """An error as the dict that `get_dataframe` and `read_dataframe` return."""
    return {"error_type": type(problem).__name__, "message": str(problem), "file_path": path}


@contextlib.contextmanager
def explained(what: str) -> Iterator[None]:
    """Turn what libraries raise into errors that name the dataset, and none of its values.

    Errors of the disk that may pass (`OSError` with a number) are left as they are: they may be tried again.
    """
    try:
        yield
    except DataError as problem:
        raise DataError(f"{what}: {problem}", **problem.details) from None
    except FileNotFoundError:
        raise DataError(f"{what}: there is no such file") from None
    except (PermissionError, IsADirectoryError, NotADirectoryError) as problem:
        raise DataError(f"{what}: cannot be opened: {problem.strerror}") from None
    except OSError as problem:
        if problem.errno is not None:
            raise
        raise DataError(f"{what}: cannot be read: it is damaged, or not of the format that its name says") from None
    except Exception as problem:
        import pyarrow as pa

        if not isinstance(problem, (pa.ArrowException, json.JSONDecodeError, UnicodeError, *_DAMAGED)):
            raise
        raise DataError(f"{what}: cannot be read: it is damaged, or not of the format that its name says") from None


def _checked(frame: pd.DataFrame, columns: Sequence[str] | None) -> pd.DataFrame:
    if columns is None:
        return frame
    check_columns(columns, [str(name) for name in frame.columns])
    return frame if list(frame.columns) == list(columns) else frame[list(columns)]
