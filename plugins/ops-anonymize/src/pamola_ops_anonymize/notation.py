"""How generalized values are written: one notation, so that anyone can check a release.

A single value is unchanged; numbers and dates become `[17,24]`, a closed interval; categories become
`{Divorced|Separated}`, sorted, with `|`, `{`, `}` and `\\` inside a value escaped by `\\`. A suppressed cell is `*`. A
missing value that is kept stays missing.
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

_ESCAPES = str.maketrans({character: f"\\{character}" for character in "\\|{}"})


def interval(low: str, high: str) -> str:
    """The closed interval between two values that are already written as text."""
    return f"[{low},{high}]"


def category_set(values: Iterable[str]) -> str:
    """The set of these categories, sorted by their text."""
    return "{" + "|".join(value.translate(_ESCAPES) for value in sorted(values)) + "}"
