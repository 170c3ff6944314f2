"""The formats that this plugin brings, and how a format is found.

What reads and writes them is imported when it is first called: pandas and Arrow take longer than many runs.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import PurePath
from typing import Any

from pamola_tasks.errors import DataError
from pamola_tasks.protocols import DatasetFormat
from pamola_tasks_data.expanding import inner_name, is_compressed


def _format(
    extension: str, read: str, write: str, sample: str, *others: str, keeps_names: bool = True
) -> DatasetFormat:
    """A format whose functions are `module.function` of this package: to read, to write, and the others it has."""

    def called(target: str) -> Callable[..., Any]:
        module, _, function = target.partition(".")
        return lambda *arguments: getattr(import_module(f"pamola_tasks_data.{module}"), function)(*arguments)

    more: dict[str, Any] = {target.partition(".")[2]: called(target) for target in others}
    return DatasetFormat(
        extension=extension,
        read=called(read),
        write=called(write),
        sample=called(sample),
        keeps_names=keeps_names,
        **more,
    )


CSV = _format(
    "csv",
    "csv_reading.read",
    "csv_writing.write",
    "sampling.csv",
    "csv_reading.chunks",
    "csv_reading.schema",
    "csv_reading.columns",
)
PARQUET = _format(
    "parquet", "parquet.read", "parquet.write", "parquet.sample", "parquet.chunks", "parquet.schema", "parquet.as_read"
)
# In JSON the names of columns are in the rows only.
JSON = _format("json", "json_files.read_array", "json_files.write_array", "sampling.array", keeps_names=False)
JSON_LINES = _format(
    "jsonl",
    "json_files.read_lines",
    "json_files.write_lines",
    "sampling.lines",
    "json_files.chunks",
    "json_files.schema",
    keeps_names=False,
)
EXCEL = _format("xlsx", "excel.read", "excel.write", "excel.sample", "excel.chunks", "excel.schema", "excel.columns")

# What these formats do not look at: it changes nothing of what is read from them or written to them.
_OF_CSV = ("delimiter", "quotechar", "encoding", "missing_values", "for_spreadsheets")
_OF_TYPES = (
    "decimal",
    "thousands",
    "date_format",
    "datetime_format",
    "iso_dates",
)  # of which types of columns say what counts
UNUSED: dict[str, tuple[str, ...]] = {
    "xlsx": (*_OF_CSV, *_OF_TYPES),
    **dict.fromkeys(("parquet", "json", "jsonl"), (*_OF_CSV, *_OF_TYPES, "trim", "sheet")),
}


def shown(value: Any) -> str:
    """The value of an option as text, empty where it says nothing: where nothing is stated, or there is no limit."""
    if value is None or value == sys.maxsize:
        return ""
    return ", ".join(map(repr, value)) if isinstance(value, (tuple, list)) else repr(value)


OWN = {known.extension: known for known in (CSV, PARQUET, JSON, JSON_LINES, EXCEL)}

# Other usual endings of the same formats.
_SYNONYMS = {"tsv": "csv", "txt": "csv", "pq": "parquet", "ndjson": "jsonl", "excel": "xlsx"}
_COMPRESSED_INSIDE = ("parquet", "xlsx")


class Formats:
    """The known formats by name: those that plugins bring, each imported when it is first asked for."""

    def __init__(self, known: Mapping[str, DatasetFormat] = OWN) -> None:
        self.known = known

    def __getitem__(self, name: str) -> DatasetFormat:
        key = self.key(name)
        found = self.known[key]
        if not isinstance(found, DatasetFormat):
            raise DataError(f"the format {key!r} is {found!r}, not a DatasetFormat")
        return found

    def key(self, name: str) -> str:
        """The name that a format is known by: `csv` for `.TSV`. Imports nothing."""
        key = name.lower().lstrip(".")
        if key not in self.known:
            key = _SYNONYMS.get(key, key)
        if key not in self.known:
            raise DataError(f"unknown dataset format {name!r}: use one of {', '.join(sorted(self.known))}")
        return key

    def name_for(self, path: str, stated: str | None = None) -> str:
        """The name of a file's format: the stated one, else what its extension says."""
        name = stated or PurePath(inner_name(path)).suffix.lstrip(".")
        if not name:
            raise DataError(f"{path} has no file extension: use one of {', '.join(sorted(self.known))}")
        key = self.key(name)
        if key in _COMPRESSED_INSIDE and is_compressed(path):
            raise DataError(f"{path}: {key} files are compressed internally: unpack it")
        return key

    def told_by(self, path: str, stated: str | None) -> str:
        """The same, but empty where the file's name does not show it: it may be no table."""
        if stated:
            return self.key(stated)
        inner = PurePath(inner_name(path)).suffix.lstrip(".").lower()
        return self.name_for(path) if _SYNONYMS.get(inner, inner) in self.known else ""
