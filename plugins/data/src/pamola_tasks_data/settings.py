"""The plugin's own section of the configuration: `data`."""

from __future__ import annotations

import attrs


@attrs.frozen(kw_only=True)
class DataSettings:
    """How datasets are read and written.

    Attributes:
        missing_values: Unquoted CSV cells that mean "no value". Only the empty cell unless set: `NA` may be a
            country, and `None` a name.
        csv_for_spreadsheets: Whether an apostrophe is put before texts in CSV files that a spreadsheet would take for a
            formula (those that begin with `=`, `+`, `-`, `@`, a tab or a line end). Without it, texts are written
            byte for byte.
        expansion_limit: How many times as large as itself the content of a compressed file (`.gz`, `.zst`, `.zip`,
            `.xlsx`) may be. A file that holds more is refused, unless that is less than 64 MiB.
    """

    missing_values: list[str] = attrs.Factory(lambda: [""])
    csv_for_spreadsheets: bool = False
    expansion_limit: float = attrs.field(default=200.0, validator=attrs.validators.ge(1))
