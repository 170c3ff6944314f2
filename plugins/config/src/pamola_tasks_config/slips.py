"""Whether an unknown key is a slip of a known one, which turns what could be a task's own parameter into an error.

So honest names must not be caught: `custom_parameter`, `score` beside `scope`, `seed_2` beside `seed`.
"""

from __future__ import annotations

from collections.abc import Iterable

from pamola_tasks.parameters import folded


def likeness(name: str, known: Iterable[str]) -> str:
    """The known name that this one is almost certainly a slip of, or empty."""
    from difflib import SequenceMatcher  # only where a name is not known

    key, words = folded(name), set(name.lower().split("_"))
    matcher = SequenceMatcher(b=key, autojunk=False)
    best, best_ratio = "", 0.0
    for candidate in known:
        if candidate == name:
            return ""
        other = folded(candidate)
        if other == key:
            return candidate
        if set(candidate.split("_")) < words or abs(len(other) - len(key)) > 2:
            continue  # a known name with further words, or too long or short for two slips
        if len(set(key).symmetric_difference(other)) > 4:
            continue
        matcher.set_seq1(other)
        ratio = matcher.ratio()
        if ratio > best_ratio and ratio >= _least(key, other):
            best, best_ratio = candidate, ratio
    return best


def _least(key: str, other: str) -> float:
    """How like a known name another one must be. Short words have honest neighbours (`score`, `output`)."""
    if len(other) >= 8:
        return 0.88
    swapped = sorted(key) == sorted(other)
    lost_or_doubled = key[:1] == other[:1] and key[-1:] == other[-1:] and len(key) != len(other)
    return 0.8 if len(other) >= 5 and (swapped or lost_or_doubled) else 2
