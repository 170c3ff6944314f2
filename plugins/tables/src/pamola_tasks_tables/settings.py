"""What the configuration says of tables: the plugin's own section `tables`."""

from __future__ import annotations

from typing import Literal

import attrs


@attrs.frozen(kw_only=True)
class TablesSettings:
    """How tables are counted that steps do not read whole.

    Attributes:
        engine: `pieces` counts with pandas, `duckdb` with DuckDB (extra `duckdb`), which writes to the disk what memory
            has no room for, unless the run encrypts. `auto` takes DuckDB where it is installed, the run does not
            encrypt, the columns that are counted take more than `memory_limit_mb`, and their first 100,000 rows show
            that at least half as many combinations as rows are to be expected: of fewer, `pieces` takes less CPU.
            Results are the same.
    """

    engine: Literal["auto", "pieces", "duckdb"] = "auto"
