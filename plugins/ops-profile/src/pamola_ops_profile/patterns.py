"""How texts are written, without what is written: `a+.a+@a+.a+` for e-mail addresses, `AA-9999` for codes.

A digit becomes `9`, a capital `A`, any other letter `a`; several letters of one case in a row are one letter
with `+`, since words differ in length and numbers of documents do not. Everything else is unchanged.
"""

from __future__ import annotations

import re
from typing import Any

import attrs
import pandas as pd

MOST_VALUES = 20_000
LONGEST_VALUE = 200

_BETWEEN = "\n"
_RUNS = re.compile(r"A{3,}|a{2,}")


@attrs.frozen
class Pattern:
    """A way of writing that at least `min_count` records have."""

    pattern: str
    count: int


def patterns_of(counts: pd.Series[int], min_count: int, top: int) -> list[Pattern]:
    """The most frequent patterns, most frequent first; none where more than 20,000 different values would be read.

    Args:
        counts: Records by value; values that are not text, or longer than 200 characters, have no pattern.
        min_count: Least number of records of a pattern that is published.
        top: How many are listed.
    """
    if len(counts) > MOST_VALUES or not len(counts):
        return []
    texts = [
        value.replace(_BETWEEN, " ") if isinstance(value, str) and len(value) <= LONGEST_VALUE else ""
        for value in counts.index
    ]
    # all at once: one pass over one long text is several times faster than one over each value
    written = _RUNS.sub(lambda run: f"{run[0][0]}+", _BETWEEN.join(texts).translate(_CLASSES)).split(_BETWEEN)
    records = pd.Series(counts.to_numpy(), index=written).groupby(level=0).sum()
    told = records[(records >= min_count) & (records.index != "")]
    in_order = sorted(told.items(), key=lambda one: (-int(one[1]), str(one[0])))
    return [Pattern(str(pattern), int(count)) for pattern, count in in_order[:top]]


class _Classes(dict[int, Any]):
    """The class of each character, found out when it first occurs."""

    def __missing__(self, code: int) -> int:
        character = chr(code)
        kind = character
        if character.isdigit():
            kind = "9"
        elif character.isalpha():
            kind = "A" if character.isupper() else "a"
        self[code] = ord(kind)
        return ord(kind)


_CLASSES = _Classes()
