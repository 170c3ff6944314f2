"""How generalized values are written: one notation, so that anyone can check a release.

A single value is unchanged; numbers and dates become `[17,24]`, a closed interval; categories become
`{Divorced|Separated}`, sorted, with `|`, `{`, `}` and `\\` inside a value escaped by `\\`. A suppressed cell is `*`. A
missing value that is kept stays missing.
"""

from __future__ import annotations

from collections.abc import Iterable

SUPPRESSED = "*"

_ESCAPES = str.maketrans({character: f"\\{character}" for character in "\\|{}"})


def interval(low: str, high: str) -> str:
    """The closed interval between two values that are already written as text."""
    return f"[{low},{high}]"


def category_set(values: Iterable[str]) -> str:
    """The set of these categories, sorted by their text."""
    return "{" + "|".join(value.translate(_ESCAPES) for value in sorted(values)) + "}"
