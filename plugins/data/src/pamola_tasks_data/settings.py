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
    """

    missing_values: list[str] = attrs.Factory(lambda: [""])
    csv_for_spreadsheets: bool = False
