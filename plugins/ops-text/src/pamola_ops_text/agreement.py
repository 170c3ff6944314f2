"""How well findings agree with labels: recall, precision and F1, by entity.

Counted as by the task on named entities of SemEval-2013 (I. Segura-Bedmar, P. Martínez and M. Herrero-Zazo: Task 9.1):
*strict* needs the same characters and the same entity, *overlap* (there: type) one character in common and the same
entity. *Covered* is what matters for disclosure: all characters of a label are within findings, of whatever entity.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable
from typing import Any

import attrs

from .findings import Finding

ALL = "all"
Z = 1.959963984540054  # of the normal distribution: two-sided 95 %


def wilson(successes: int, of: int) -> tuple[float, float] | None:
    """The 95 % interval of a share by E. B. Wilson (JASA 22, 1927); None of nothing."""
    if not of:
        return None
    share, square = successes / of, Z * Z
    middle = (share + square / (2 * of)) / (1 + square / of)
    half = Z * math.sqrt(share * (1 - share) / of + square / (4 * of * of)) / (1 + square / of)
    return max(0.0, middle - half), min(1.0, middle + half)


@attrs.define
class Agreement:
    """Findings compared with labels, text by text."""

    labels: Counter[str] = attrs.Factory(Counter)
    findings: Counter[str] = attrs.Factory(Counter)
    strict: Counter[str] = attrs.Factory(Counter)
    labels_overlapped: Counter[str] = attrs.Factory(Counter)
    findings_overlapping: Counter[str] = attrs.Factory(Counter)
    covered: Counter[str] = attrs.Factory(Counter)
    texts: int = 0

    def add(self, labels: Iterable[Finding], findings: Iterable[Finding]) -> None:
        """Compare what was found in a text with its labels."""
        self.texts += 1
        labels, findings = list(labels), list(findings)
        spans = {(each.start, each.end, each.entity) for each in findings}
        hidden = {place for each in findings for place in range(each.start, each.end)}
        for each in labels:
            self._count(self.labels, each, True)
            self._count(self.strict, each, (each.start, each.end, each.entity) in spans)
            self._count(self.labels_overlapped, each, _overlaps_any(each, findings))
            self._count(self.covered, each, hidden.issuperset(range(each.start, each.end)))
        for each in findings:
            self._count(self.findings, each, True)
            self._count(self.findings_overlapping, each, _overlaps_any(each, labels))

    @staticmethod
    def _count(counter: Counter[str], finding: Finding, counts: bool) -> None:
        if counts:
            counter.update((finding.entity, ALL))

    def figures(self) -> dict[str, Any]:
        """For each entity, and `all`, counts, shares and their intervals."""
        names = sorted({*self.labels, *self.findings} - {ALL})
        return {name: self._figures(name) for name in [*names, ALL]}

    def _figures(self, name: str) -> dict[str, Any]:
        labels, findings = self.labels[name], self.findings[name]
        strict, overlapped = self.strict[name], self.labels_overlapped[name]
        return {
            "labelled": labels,
            "found": findings,
            "strict": _measures(strict, labels, strict, findings),
            "overlap": _measures(overlapped, labels, self.findings_overlapping[name], findings),
            "covered": _share(self.covered[name], labels),
        }


def _overlaps_any(one: Finding, others: Iterable[Finding]) -> bool:
    return any(one.entity == each.entity and one.start < each.end and each.start < one.end for each in others)


def _measures(recalled: int, labels: int, right: int, findings: int) -> dict[str, Any]:
    recall, precision = _share(recalled, labels), _share(right, findings)
    f1 = None
    if recall is not None and precision is not None:
        total = recall["share"] + precision["share"]
        f1 = 2 * recall["share"] * precision["share"] / total if total else 0.0
    return {"recall": recall, "precision": precision, "f1": f1}


def _share(successes: int, of: int) -> dict[str, Any] | None:
    interval = wilson(successes, of)
    return None if interval is None else {"count": successes, "share": successes / of, "interval": list(interval)}
