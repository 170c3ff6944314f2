"""A second opinion on a release: reads published cells as the notation describes them; shares no code with the pack."""

from __future__ import annotations

import os
from collections import Counter
from decimal import Decimal
from pathlib import Path

import pandas as pd

MANY = 250 if "PAMOLA_FUZZ" in os.environ else 50  # random tables for what holds of any


def with_row_ids(released: pd.DataFrame, folder: Path) -> pd.DataFrame:
    """A release beside the numbers of its records in the input, in the input's order."""
    (path,) = folder.rglob("*_row_ids.csv")
    assert path.parent.name == "internal"
    numbers = pd.read_csv(path)["row_id"].tolist()
    return released.assign(row_id=numbers).sort_values("row_id").reset_index(drop=True)


def read_set(cell: str) -> list[str]:
    members, current, escaped = [], "", False
    for character in cell[1:-1]:
        if escaped:
            current, escaped = current + character, False
        elif character == "\\":
            escaped = True
        elif character == "|":
            members.append(current)
            current = ""
        else:
            current += character
    return [*members, current]


def covers(cell: object, value: object) -> bool:
    """Whether a published cell is true of a value."""
    if pd.isna(value):
        return pd.isna(cell) or cell == "*"
    if pd.isna(cell):
        return False
    text = str(cell)
    if text == "*" or text == str(value):
        return True
    if isinstance(value, str | bool):
        return text.startswith("{") and str(value) in read_set(text)
    read = pd.Timestamp if isinstance(value, pd.Timestamp) else lambda number: Decimal(str(number))
    low, high, closed = ends(text)
    below = high is None or read(value) < read(high) or (closed and read(value) == read(high))
    return below and (low is None or read(low) <= read(value))


def ends(cell: str) -> tuple[str | None, str | None, bool]:
    """The ends of an interval or value, None for an open one; and whether the upper one is in it."""
    if cell.startswith("["):
        low, high = cell[1:-1].split(",")
        return low, high, cell.endswith("]")
    if cell.startswith("<"):
        return None, cell[1:], False
    return (cell.removeprefix(">="), None, False) if cell.startswith(">=") else (cell, cell, True)


def smallest_class(released: pd.DataFrame, columns: list[str]) -> int | None:
    """k, counted with a dictionary: a missing cell is a value."""
    cells = released[columns].astype(object)
    cells = cells.where(cells.notna(), None)
    counts = Counter(cells.itertuples(index=False, name=None))
    return min(counts.values(), default=None)


def faults(original: pd.DataFrame, released: pd.DataFrame, columns: list[str], k: int) -> list[str]:
    """Everything that is wrong with a release; its index are the positions of its records in the original."""
    found = []
    measured = smallest_class(released, columns)
    if measured is not None and measured < k:
        found.append(f"k is {measured}")
    if len(released) < len(original) and len(original) >= k:
        found.append("records are missing")
    if not released.index.is_unique or not released.index.isin(range(len(original))).all():
        found.append("records were invented")
        return found
    for column in columns:
        pairs = zip(released[column], original[column].iloc[released.index], strict=True)
        wrong = sum(1 for cell, value in pairs if not covers(cell, value))
        if wrong:
            found.append(f"{wrong} cells of {column} do not cover their value")
    others = released.columns.difference(columns)
    changed = [c for c in others if not released[c].equals(original[c].iloc[released.index])]
    return found + [f"{column} was changed" for column in changed]
