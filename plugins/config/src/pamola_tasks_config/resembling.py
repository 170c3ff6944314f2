"""Which known name somebody may have meant.

Two uses with different stakes. A *suggestion* for a name that is wrong anyway may be generous. A *likeness* turns a
name that could be a task's own parameter into an error, so it must not catch honest ones (`custom_parameter`,
`score` beside `scope`, `seed_2` beside `seed`).
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from functools import lru_cache


def suggestion(name: str, known: Iterable[str]) -> str:
    """The known name that is nearest, or empty."""
    names = {_folded(candidate): candidate for candidate in known}
    near = difflib.get_close_matches(_folded(name), names, n=1, cutoff=0.6)
    return names[near[0]] if near else ""


def likeness(name: str, known: Iterable[str]) -> str:
    """The known name that this one is almost certainly a slip of, or empty."""
    folded, letters = _folded(name), set(_folded(name))
    best, best_distance = "", 3
    for candidate in known:
        if candidate == name:
            return ""
        other = _folded(candidate)
        if other == folded:
            return candidate
        # Two slips change the length by two at most, and put in or take away four letters: that is fast to see.
        if abs(len(folded) - len(other)) > 2 or len(letters.symmetric_difference(other)) > 4:
            continue
        if _extends(name, candidate):
            continue
        distance = _distance(folded, other)
        if distance < best_distance and distance <= _allowed(name, candidate):
            best, best_distance = candidate, distance
    return best


def hint(name: str, known: Iterable[str]) -> str:
    """` (did you mean 'x'?)`, or nothing."""
    near = suggestion(name, known)
    return f" (did you mean {near!r}?)" if near else ""


@lru_cache(maxsize=1024)
def _folded(name: str) -> str:
    return re.sub(r"[-_ ]", "", name).lower()


def _extends(name: str, candidate: str) -> bool:
    """Whether a name is a known one with further words: `seed_2`, `my_chunk_size`."""
    words, known = name.lower().split("_"), candidate.lower().split("_")
    return len(words) > len(known) and set(known) <= set(words)


def _allowed(name: str, candidate: str) -> int:
    """How many slips a name of this length may have."""
    length = len(_folded(candidate))
    if length >= 10:
        return 2
    if length >= 8:
        return 1
    # Short words have honest neighbours (`score`, `output`): only letters swapped, lost or doubled within count.
    same_letters = sorted(name.lower()) == sorted(candidate)
    same_ends = name[:1].lower() == candidate[:1] and name[-1:].lower() == candidate[-1:]
    return 1 if length >= 5 and (same_letters or (same_ends and len(name) != len(candidate))) else 0


def _distance(left: str, right: str) -> int:
    """Optimal string alignment distance: insertions, deletions, substitutions and swaps of neighbours.

    Damerau (1964), "A technique for computer detection and correction of spelling errors", CACM 7(3).
    """
    before: list[int] = []
    row = list(range(len(right) + 1))
    for i, a in enumerate(left, 1):
        older, before, row = before, row, [i]
        for j, b in enumerate(right, 1):
            cost = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (a != b))
            if i > 1 and j > 1 and a == right[j - 2] and left[i - 2] == b:
                cost = min(cost, older[j - 2] + 1)
            row.append(cost)
    return row[-1]
