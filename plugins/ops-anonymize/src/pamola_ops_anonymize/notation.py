"""How generalized values are written: one notation, so that anyone can check a release.

A single value is unchanged; numbers and dates become `[20,40)`, which holds 20 and not 40, `<20` or `>=75`, or
`[17,24]`, a closed interval; categories become `{Divorced|Separated}`, sorted, with `|`, `{`, `}` and `\\` inside a
value escaped by `\\`. A suppressed cell is `*`. A missing value that is kept stays missing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

SUPPRESSED = "*"
#: Complete dates and times of ISO 8601; pandas also takes `now`, `today` and parts of dates.
ISO_MOMENT = re.compile(
    r"[0-9]{8}|[0-9]{4}-[0-9]{2}-[0-9]{2}"
    r"(?:[T ][0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,6})?)?(?:Z|[+-][0-9]{2}(?::?[0-9]{2})?)?)?"
)

INTERVAL = re.compile(r"\[([^,\[\]]+),([^,\[\]]+)([\])])|(<|>=)([^,\[\]]+)")
"""An interval: both ends and whether it holds the upper one, or its one end."""

_MEMBER = re.compile(r"((?:[^\\|]|\\.)*)(?:\||$)", re.S)

_ESCAPES = str.maketrans({character: f"\\{character}" for character in "\\|{}"})


def interval(low: str, high: str) -> str:
    """The closed interval between two values that are already written as text."""
    return f"[{low},{high}]"


def category_set(values: Iterable[str]) -> str:
    """The set of these categories, sorted by their text."""
    return "{" + "|".join(value.translate(_ESCAPES) for value in sorted(values)) + "}"


def members(cell: str) -> list[str] | None:
    """The categories of a set; None where the cell is none."""
    if not (cell.startswith("{") and cell.endswith("}")):
        return None
    if "\\" not in cell:
        return cell[1:-1].split("|")
    found = [re.sub(r"\\(.)", r"\1", each[1], flags=re.S) for each in _MEMBER.finditer(cell[1:-1])]
    if len(found) > 1 and not re.sub(r"\\.", "", cell[1:-1], flags=re.S).endswith("|"):
        found.pop()  # the empty match at the end of the text
    return found
