"""Random tables of every dtype that a data source gives, and what pure Python counts in them."""

from __future__ import annotations

import datetime as dt
import os
from collections import Counter
from decimal import Decimal
from typing import Any

import pandas as pd
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st

MANY = "PAMOLA_FUZZ" in os.environ
EXAMPLES = settings(
    max_examples=int(os.environ.get("PAMOLA_FUZZ", "6")),
    derandomize=not MANY,
    database=None,
    phases=list(Phase) if MANY else [Phase.generate],
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
DAYS = [pd.Timestamp("1969-12-31 23:59:59.999999"), pd.Timestamp("2024-10-27 02:30"), pd.Timestamp("2020-01-01")]
ZONED = [day.tz_localize("Europe/Berlin", ambiguous=True) for day in DAYS]
TEXTS = ["", " ", "a", "B", "ä", "\U0001f600", "￿", "10", "9"]

# dtype -> values; each may be missing where the dtype can say so
KINDS: dict[str, list[Any]] = {
    "int64": [-(2**63), 0, 5, 2**63 - 1],
    "uint8": [0, 255, 7],
    "Int64": [None, 2**62 + 1, 2**62, -3],
    "float64": [None, 0.0, -0.0, 1.5, -1e300, float("inf"), 5e-324],
    "Float64": [None, 0.25, -0.0, 0.0],
    "bool": [True, False],
    "boolean": [None, True, False],
    "str": [None, *TEXTS],
    "text categories": [None, "x", "a", "B", ""],
    "number categories": [None, 10, 9, 100],
    "ordered": [None, "low", "high", "mid"],
    "datetime64[us]": [None, *DAYS],
    "datetime64[us, Europe/Berlin]": [None, *ZONED],
    "timedelta64[us]": [None, pd.Timedelta("1D"), pd.Timedelta("-1us")],
    "dates": [None, dt.date(2020, 1, 1), dt.date(1, 1, 1), dt.date(9999, 12, 31)],
    "decimals": [None, Decimal("1.25"), Decimal("-3.00"), Decimal("100.10")],
}


def series(kind: str, values: list[Any]) -> pd.Series[Any]:
    """A column of this kind."""
    if kind.endswith("categories"):
        return pd.Series(pd.Categorical(values, categories=KINDS[kind][1:]))
    if kind == "ordered":
        return pd.Series(pd.Categorical(values, categories=["low", "mid", "high"], ordered=True))
    if kind == "str":
        return pd.Series(values, dtype=pd.Series(["a"]).dtype)
    return pd.Series(values, dtype="object" if kind in ("dates", "decimals") else kind)


@st.composite
def tables(draw: Any) -> pd.DataFrame:
    """Up to five columns of any kinds, and up to 60 rows, of which many are the same."""
    kinds = draw(st.lists(st.sampled_from(list(KINDS)), min_size=1, max_size=5))
    rows = draw(st.integers(0, 60))
    drawn = {}
    for number, kind in enumerate(kinds):
        values = draw(st.lists(st.sampled_from(KINDS[kind]), min_size=rows, max_size=rows))
        drawn[f"{kind} {number}"] = series(kind, values)
    return pd.DataFrame(drawn)


def cells(column: pd.Series[Any]) -> list[Any]:
    """A column as values that can be compared: missing ones are None, and zero has no sign."""
    there = column.notna().tolist()
    listed = [value if known else None for value, known in zip(column.tolist(), there, strict=True)]
    return [value + 0.0 if isinstance(value, float) else value for value in listed]


def place(column: pd.Series[Any], cell: Any) -> Any:
    """Where a cell comes in the canonical order."""
    if cell is None:
        return (0,)
    return (1, str(cell) if isinstance(column.dtype, pd.CategoricalDtype) else cell)


def counted(frame: pd.DataFrame, columns: list[str], entity: list[str] | None = None) -> list[tuple[Any, ...]]:
    """The distinct combinations with their weights, in the canonical order."""
    rows = list(zip(*(cells(frame[name]) for name in columns), strict=True))
    if entity:
        people = zip(*(cells(frame[name]) for name in entity), strict=True)
        rows = [row for row, _ in set(zip(rows, people, strict=True))]
    found = Counter(rows)
    order = sorted(found, key=lambda row: [place(frame[n], cell) for n, cell in zip(columns, row, strict=True)])
    return [(*row, found[row]) for row in order]
