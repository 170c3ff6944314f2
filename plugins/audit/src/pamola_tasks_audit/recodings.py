"""How columns of a released table are recoded: which values, groups and cut points occur in it.

Counted in the released table itself, so that nothing is said that a recipient does not see there.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

_SHOWN = 40  # values, or cut points, that are listed
_COUNTED = 10_000  # different cells of a column that are looked at
_SUPPRESSED = "*"
_INTERVAL = re.compile(r"[\[(]\s*([^,\[\](){}|]+)\s*,\s*([^,\[\](){}|]+)\s*[\])]|(?:<=?|>=?|≤|≥)\s*([^,|]+)")
_NUMBER = re.compile(r"[-+]?\d+(?:\.\d+)?")


def recodings(pieces: Iterable[Any], columns: Sequence[str]) -> dict[str, dict[str, Any]]:
    """What occurs in each of these columns.

    Args:
        pieces: The released table, as DataFrames.
        columns: Columns of it.

    Returns:
        For each column `cells`, how many different ones there are (None where there are more than are counted);
        `values`, where they are few; else `cut_points`, the ends of intervals, where there are some and they are few.
    """
    found: dict[str, dict[str, None]] = {name: {} for name in columns}
    for piece in pieces:
        for name in columns:
            if len(found[name]) <= _COUNTED:
                found[name] |= dict.fromkeys(piece[name].dropna().astype(str).unique().tolist())
    return {name: _told(list(cells)) for name, cells in found.items()}


def _told(cells: Sequence[str]) -> dict[str, Any]:
    if len(cells) > _COUNTED:
        return {"cells": None}
    told: dict[str, Any] = {"cells": len(cells)}
    if len(cells) <= _SHOWN:
        return told | {"values": _in_order(cells)}
    ends = _in_order({end.strip() for cell in cells for match in _INTERVAL.findall(cell) for end in match if end})
    if ends:
        told |= {"cut_points": ends} if len(ends) <= _SHOWN else {"cut_points_from": ends[0], "cut_points_to": ends[-1]}
    return told


def _in_order(texts: Iterable[str]) -> list[str]:
    """By the first number in them, then as texts; what is suppressed last."""

    def place(text: str) -> tuple[bool, bool, float, str]:
        number = _NUMBER.search(text)
        return text == _SUPPRESSED, number is None, float(number[0]) if number else 0.0, text

    return sorted(texts, key=place)


def in_words(told: Mapping[str, Any]) -> str:
    """The same as one line."""
    if not told:
        return ""
    if told["cells"] is None:
        return f"more than {_COUNTED:,} different cells"
    if "values" in told:
        return f"{told['cells']} different cells: {'; '.join(told['values'])}"
    ends = ""
    if "cut_points" in told:
        ends = f"; cut points: {'; '.join(told['cut_points'])}"
    elif "cut_points_from" in told:
        ends = f"; cut points from {told['cut_points_from']} to {told['cut_points_to']}"
    return f"{told['cells']:,} different cells{ends}"
