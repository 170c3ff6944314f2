"""What the configuration says of data: the plugin's own section `data`, and `data_types` (see `stated_types`).

data_types:
  customers: {zipcode: text, age: integer, born: date}     # of one dataset
  income: float                                            # wherever a column has this name
"""

from __future__ import annotations

import codecs
from collections.abc import Mapping
from encodings import aliases
from typing import Any

import attrs

from pamola_tasks.errors import ConfigurationError

_SYNONYMS = {
    "text": ("text", "str", "string", "object"),
    "integer": ("integer", "int", "int64", "int32", "int16", "int8", "whole number"),
    "float": ("float", "float64", "float32", "double", "number"),
    "boolean": ("boolean", "bool"),
    "date": ("date",),
    "datetime": ("datetime", "timestamp", "datetime64", "datetime64[ns]", "datetime64[us]"),
    "category": ("category", "categorical"),
}
_KINDS = {synonym: kind for kind, synonyms in _SYNONYMS.items() for synonym in synonyms}


@attrs.frozen(kw_only=True)
class DataSettings:
    """How datasets are read and written.

    Attributes:
        missing_values: Unquoted CSV cells that mean "no value". Only the empty cell unless set: `NA` may be a
            country, and `None` a name.
        csv_for_spreadsheets: Whether an apostrophe is put before texts in CSV files that a spreadsheet would take for a
            formula (those that begin with `=`, `+`, `-`, `@`, a tab or a line end). Without it, texts are written
            byte for byte.
        expansion_limit: How many times as large as itself the content of a file may be: expanded (`.gz`, `.zst`,
            `.zip`), as a table of 8 bytes a cell (`.xlsx`, `.jsonl`, `.json`, `.parquet`), or as long as a sparse file
            says it is. A file that holds more is refused, unless that is less than 64 MiB.
        column_limit: How many columns a table may have.
        key_limit: How many distinct keys the objects of a JSON or JSON Lines file may have, all together: each is a
            column, with a cell in every row.
        unverified_inputs: Datasets that are read although they are outputs of other tasks and differ from what these
            recorded, or are not encrypted in a run that encrypts.
    """

    missing_values: list[str] = attrs.Factory(lambda: [""])
    csv_for_spreadsheets: bool = False
    expansion_limit: float = attrs.field(default=200.0, validator=attrs.validators.ge(1))
    column_limit: int = attrs.field(default=100_000, validator=attrs.validators.ge(1))
    key_limit: int = attrs.field(default=10_000, validator=attrs.validators.ge(1))
    unverified_inputs: list[str] = attrs.Factory(list)


def stated_for(data_types: Mapping[str, Any], dataset: str) -> tuple[dict[str, str], frozenset[str]]:
    """The kind that holds for each column of a dataset, and the columns that it must have: those stated for it."""
    anywhere = {name: value for name, value in data_types.items() if isinstance(value, str)}
    own = data_types.get(dataset)
    own = own if isinstance(own, Mapping) else {}
    return {column: _kind(column, value) for column, value in {**anywhere, **own}.items()}, frozenset(own)


def check_data_types(data_types: Mapping[str, Any]) -> None:
    """Refuse types that are not known, before anything is read."""
    for name, value in data_types.items():
        for column, kind in value.items() if isinstance(value, Mapping) else [(name, value)]:
            _kind(column, kind)


def check_encoding(name: Any) -> None:
    """Refuse an encoding that Python does not know, before anything is read; the nearest that it knows is named."""
    try:
        codecs.lookup(str(name))
    except LookupError:
        import difflib

        spelled = str(name).lower().replace("-", "_")
        near = difflib.get_close_matches(spelled, {*aliases.aliases, *aliases.aliases.values()}, 1)
        hint = f": do you mean {near[0]}?" if near else ": use a name like utf-8, cp1252 or iso8859-2"
        raise ConfigurationError(f"default_encoding: there is no encoding {name!r}{hint}") from None


def _kind(column: str, value: Any) -> str:
    kind = _KINDS.get(value.lower().strip()) if isinstance(value, str) else None
    if kind is None:
        raise ConfigurationError(
            f"data_types: unknown type {value!r} for column {column!r}: use one of {', '.join(_SYNONYMS)}"
        )
    return kind
