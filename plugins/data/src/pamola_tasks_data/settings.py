"""What the configuration says of data: the plugin's own section `data`. Types of columns are in `column_types`."""

from __future__ import annotations

import attrs


@attrs.frozen(kw_only=True)
class DatasetSettings:
    """How one dataset is written; whatever is unset holds as for all datasets.

    Attributes:
        delimiter: The column separator of its CSV files.
        quotechar: The quote character of its CSV files.
        encoding: The encoding of its CSV files.
        sheet: The sheet of its workbooks: the first one that is not hidden unless set.
        missing_values: As `data.missing_values`.
        decimal: As `data.decimal`.
        thousands: As `data.thousands`.
        date_format: As `data.date_format`.
        datetime_format: As `data.datetime_format`.
        trim: As `data.trim`.
    """

    delimiter: str | None = None
    quotechar: str | None = None
    encoding: str | None = None
    sheet: str | None = None
    missing_values: list[str] | None = None
    decimal: str | None = None
    thousands: str | None = None
    date_format: str | None = None
    datetime_format: str | None = None
    trim: bool | None = None


@attrs.frozen(kw_only=True)
class DataSettings:
    """How datasets are read and written.

    Attributes:
        missing_values: Unquoted CSV cells that mean "no value". Only the empty cell unless set: `NA` may be a
            country, and `None` a name.
        decimal: The mark before the fraction of numbers that are text in their file, such as `","`. Files that a task
            writes have `.`, and are read so.
        thousands: The mark between groups of three digits, such as `"."`; none unless set.
        date_format: How dates are written, in directives of strptime, such as `"%d.%m.%Y"`; ISO 8601 unless set. A CSV
            column of which all values fit it becomes one of dates. Files that a task writes have ISO 8601.
        datetime_format: The same for dates with a time, such as `"%d.%m.%Y %H:%M"`.
        trim: Whether blanks around the cells and column names of CSV files and workbooks are dropped.
        datasets: Where single datasets differ: by name, the same keys and `delimiter`, `quotechar`, `encoding` and
            `sheet`.
        type_share: The share of a text column's values that must be numbers, dates or truth values for profiles,
            reports and warnings to name it as such. Only a column that fits as a whole, or that `data_types` states,
            is converted.
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
    decimal: str = "."
    thousands: str = ""
    date_format: str = ""
    datetime_format: str = ""
    trim: bool = False
    datasets: dict[str, DatasetSettings] = attrs.Factory(dict)
    type_share: float = attrs.field(default=0.9, validator=[attrs.validators.gt(0), attrs.validators.le(1)])
    csv_for_spreadsheets: bool = False
    expansion_limit: float = attrs.field(default=200.0, validator=attrs.validators.ge(1))
    column_limit: int = attrs.field(default=100_000, validator=attrs.validators.ge(1))
    key_limit: int = attrs.field(default=10_000, validator=attrs.validators.ge(1))
    unverified_inputs: list[str] = attrs.Factory(list)
