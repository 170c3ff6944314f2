"""What a profile of 1,000,000 rows of 15 columns costs, beside what polars and pandas ask for to tell much less.

    python benchmarks/bench_profile.py [ROWS] [ROUNDS]

Seconds by the clock and of the processor, in turn; the least of each. pandas: `describe(include="all")`, missing values
and duplicates; polars, where it is installed: `describe`, the count of each value, missing values and duplicates.
"""

from __future__ import annotations

import contextlib
import os
import platform
import sys
import time
from collections.abc import Callable
from typing import Any

import pandas as pd
from bench_pipeline import people

from pamola_ops_profile.profile import profile_table


def ours(table: pd.DataFrame) -> Any:
    """Types, missing, distinct, common values, quantiles, histograms, likely identifiers, classes, duplicates."""
    return profile_table(table)


def plain_pandas(table: pd.DataFrame) -> Any:
    """What one asks for first."""
    return table.describe(include="all"), table.isna().sum(), table.duplicated().sum()


def main() -> None:
    """Measure and print."""
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 3
    table = people(rows)
    ways: dict[str, Callable[[], Any]] = {"ours": lambda: ours(table), "pandas": lambda: plain_pandas(table)}
    with contextlib.suppress(ImportError):
        import polars

        native = polars.DataFrame({name: table[name].tolist() for name in table})

        def plain_polars() -> Any:
            counts = [native[name].value_counts() for name in native.columns]
            return native.describe(), counts, native.null_count(), native.is_duplicated().sum()

        ways["polars"] = plain_polars
    least = {name: (float("inf"), float("inf")) for name in ways}
    for _ in range(rounds):
        for name, way in ways.items():
            before = time.perf_counter(), time.process_time()
            way()
            spent = time.perf_counter() - before[0], time.process_time() - before[1]
            least[name] = min(least[name][0], spent[0]), min(least[name][1], spent[1])
    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, pandas {pd.__version__}")
    print(f"{rows:,} rows of {table.shape[1]} columns")
    for name, (clock, processor) in least.items():
        print(f"  {name:8}{clock:6.2f} s  {processor:6.2f} s of the processor")


if __name__ == "__main__":
    main()
