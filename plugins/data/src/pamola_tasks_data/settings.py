"""The plugin's own section of the configuration: `data`."""

from __future__ import annotations

import attrs


@attrs.frozen(kw_only=True)
class DataSettings:
    """How datasets are read.

    Attributes:
        missing_values: Unquoted CSV cells that mean "no value". Only the empty cell unless set: `NA` may be a
            country, and `None` a name.
    """

    missing_values: list[str] = attrs.Factory(lambda: [""])
