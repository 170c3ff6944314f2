"""What steps claim of what they release, and measured of it, as tests."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pamola_tasks.record import StepRecord

_CLAIM = re.compile(r"([a-z][a-z0-9_]*)_(claimed|measured)")
_TOLERANCE = 1e-9  # sums of fractions differ in their last digits
#: By the name of a claim: the model, and how what is measured has to compare with what is claimed.
_MODELS = {
    "k": ("k-anonymity", "≥"),
    "l": ("l-diversity", "≥"),
    "c": ("recursive (c, l)-diversity", "<"),
    "t": ("t-closeness", "≤"),
    "delta": ("delta-disclosure", "<"),
    "alpha": ("alpha-k-anonymity", "≤"),
    "beta": ("beta-likeness", "≤"),
    "delta_presence": ("delta-presence", "≤"),
    "isolated_classes": ("isolated-classes", "≤"),
}


def tests_of(step: StepRecord) -> Iterator[dict[str, Any]]:
    """The tests of a step: one for each number that it claims and measured.

    A claim of a model that is not known here passes where the step's own verdict does not say that it is not met.
    """
    numbers: dict[str, dict[str, float]] = {}
    for key, value in step.metrics.items():
        if (named := _CLAIM.fullmatch(key)) and isinstance(value, int | float) and not isinstance(value, bool):
            numbers.setdefault(named[1], {})[named[2]] = value
    said = step.metrics.get("verdict")
    verdict = said.get("verdict") if isinstance(said, dict) else None
    for name, found in numbers.items():
        if len(found) < 2:
            continue
        claimed, measured = found["claimed"], found["measured"]
        model, compares = _MODELS.get(name, (name, ""))
        holds = _holds(compares, measured, claimed) if compares else verdict != "not met"
        yield {
            "name": "k-map" if name == "k" and step.settings.get("population") else model,
            "status": "pass" if holds else "fail",
            "severity": "error",
            "type": "privacy",
            "expected": f"{compares} {claimed:g}".strip(),
            "actual": f"{measured:g}",
            "params": {"step": step.step, "datasets": list(step.writes)},
        }


def _holds(compares: str, measured: float, claimed: float) -> bool:
    if not math.isfinite(measured):
        return False
    if compares == "≥":
        return measured >= claimed - _TOLERANCE
    return measured <= claimed + _TOLERANCE if compares == "≤" else measured < claimed
