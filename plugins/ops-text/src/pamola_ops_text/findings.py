"""What is found in a text, and the one rule by which findings that overlap become one."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import attrs

from .mapped_text import fold, searchable

_BETWEEN = re.compile(r"[\s,.'’-]{1,2}")


@attrs.frozen
class Finding:
    """Characters of a text that identify a person, or may.

    Attributes:
        start: The first character, counted from 0 in Unicode code points of the text.
        end: The one behind the last.
        entity: What it is, such as `EMAIL_ADDRESS`.
        score: How certain that is, 0 to 1.
        value: What it means, where that is known; None if it means what the characters are.
    """

    start: int
    end: int
    entity: str
    score: float = 1.0
    value: str | None = None

    def of(self, text: str) -> str:
        """The value that it means, the same for spellings of it: without case, and of numbers without separators."""
        if self.value is not None:
            return self.value
        plain = fold(searchable(text[self.start : self.end]).text)
        if not any(each.isalpha() for each in plain):
            return "".join(each for each in plain if each.isdigit()) or plain
        return " ".join(plain.split())


def merged(findings: Iterable[Finding], text: str) -> list[Finding]:
    """Findings that do not overlap, in the order of the text.

    Those that overlap become one, which covers the characters of all, so that nothing that was found stays in the text.
    It is of the entity with the highest score; of equal scores the longest counts, then the one that begins first, then
    the first name. Findings of one value become one, too, if there is nothing between them but a comma or a blank.
    """
    found: list[Finding] = []
    group: list[Finding] = []
    for each in sorted(findings, key=lambda finding: (finding.start, finding.end)):
        if group and each.start >= max(one.end for one in group):
            found.append(_one(group))
            group = []
        group.append(each)
    if group:
        found.append(_one(group))
    return _without_gaps(found, text)


def _one(group: list[Finding]) -> Finding:
    best = min(group, key=_order)
    return attrs.evolve(best, start=min(each.start for each in group), end=max(each.end for each in group))


def _order(finding: Finding) -> Any:
    return -finding.score, finding.start - finding.end, finding.start, finding.entity, finding.value or ""


def _without_gaps(findings: list[Finding], text: str) -> list[Finding]:
    joined: list[Finding] = []
    for each in findings:
        last = joined[-1] if joined else None
        same = last is not None and each.value is not None and (last.entity, last.value) == (each.entity, each.value)
        if last is not None and same and _BETWEEN.fullmatch(text[last.end : each.start]):
            joined[-1] = attrs.evolve(last, end=each.end)
        else:
            joined.append(each)
    return joined
