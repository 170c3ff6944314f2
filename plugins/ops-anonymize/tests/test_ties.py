"""What a known algorithm reveals: all assignments of a sensitive value to known people, by the product itself."""

from __future__ import annotations

import itertools
from collections import defaultdict
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from alone import run

from pamola_ops_anonymize import AnonymizeOperation
from pamola_ops_anonymize.conditions import Promise
from pamola_ops_anonymize.release import anonymized
from pamola_ops_anonymize.release_settings import Settings
from pamola_tasks.errors import DataRefused

KNOWN = {"q": [0, 1, 0, 2, 1, 0, 0], "r": list("yyxxxyy")}
ASSIGNMENTS = list(itertools.combinations(range(7), 3))


def released(sick: tuple[int, ...], how: Settings) -> Any:
    frame = pd.DataFrame({**KNOWN, "s": ["sick" if person in sick else "well" for person in range(7)]})
    try:
        return tuple(sorted(map(tuple, anonymized(frame, ["q", "r"], 2, how).frame.astype(str).to_numpy())))
    except DataRefused:
        return None


@pytest.mark.parametrize("strategy", ["mondrian", "hierarchy"])
@pytest.mark.parametrize("promise", [Promise(l=2), Promise(t=0.35)], ids=["l", "t"])
def test_a_release_that_one_assignment_alone_gives_is_given_by_others_where_ties_are_random(
    strategy: Any, promise: Promise
) -> None:
    """Of the fixed search it is a proof of everyone's value (Wong and others 2007)."""
    how: Any = {"strategy": strategy, "promise": promise, "sensitive": ["s"]}
    given = defaultdict(set)
    for sick in ASSIGNMENTS:
        given[released(sick, Settings(**how, ties="fixed"))].add(sick)
    proofs = [(found, next(iter(by))) for found, by in given.items() if found and len(by) == 1]
    assert proofs
    found, alone = proofs[0]
    others = [sick for sick in ASSIGNMENTS if sick != alone]
    assert any(released(sick, Settings(**how)) == found for _ in range(60) for sick in others)


@pytest.mark.parametrize(("asked", "told"), [({}, (None, None)), ({"l": 2}, ("random", "system"))])
def test_metrics_say_that_chance_was_used_where_it_was(asked: Any, told: Any, tmp_path: Path) -> None:
    frame = pd.DataFrame({"age": range(40), "ill": ["yes", "no"] * 20})
    settings: Any = {"input_dataset": "people", "k": 4, "quasi_identifiers": ["age"], **asked}
    result = run(AnonymizeOperation(**settings, sensitive_attributes=["ill"]), frame, tmp_path)
    assert (result.metrics.get("ties"), result.metrics.get("randomness")) == told
    fixed = run(AnonymizeOperation(**settings, sensitive_attributes=["ill"], ties="fixed"), frame, tmp_path / "fixed")
    assert "randomness" not in fixed.metrics
