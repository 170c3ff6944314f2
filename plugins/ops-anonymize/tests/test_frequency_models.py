"""(α, k)-anonymity and β-likeness, held against counts by dictionaries, for records and for persons."""

from __future__ import annotations

import math
from collections import Counter
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from alone import in_a_run, outcome_of
from hypothesis import given, settings
from hypothesis import strategies as st
from release_check import MANY

from pamola_ops_anonymize import AnonymizeOperation
from pamola_ops_anonymize.conditions import Promise
from pamola_ops_anonymize.frequency_models import AlphaKAnonymity, BetaLikeness
from pamola_ops_anonymize.measures import Grouping
from pamola_ops_anonymize.privacy_models import PrivacyModel


def parts(rows: list[tuple[Any, Any]]) -> list[dict[Any, float]]:
    """Of each class the part of each of its values."""
    classes: dict[Any, Counter[Any]] = {}
    for group, value in rows:
        classes.setdefault(group, Counter())[value] += 1
    return [{value: n / sum(own.values()) for value, n in own.items()} for own in classes.values()]


def by_hand(rows: list[tuple[Any, Any]]) -> tuple[float, float, float]:
    """α, β and enhanced β from their definitions; infinite where no β is enough."""
    whole = {value: n / len(rows) for value, n in Counter(value for _, value in rows).items()}
    alpha = max(part for own in parts(rows) for part in own.values())
    gains = [(max(0.0, (part - whole[v]) / whole[v]), v) for own in parts(rows) for v, part in own.items()]
    broken = any(gain > -math.log(whole[v]) + 1e-9 for gain, v in gains)
    return alpha, max(gains)[0], math.inf if broken else max(gains)[0]


def measured(rows: list[tuple[Any, Any]], *models: PrivacyModel) -> list[float]:
    frame = pd.DataFrame(rows, columns=["class", "value"])
    found = Grouping.of(frame, ["class"]).measured(frame["value"], Promise(others=models))
    assert found is not None
    return [found.worst[model.name] for model in models]


@settings(max_examples=MANY, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 5)), min_size=1, max_size=40))
def test_measures_are_what_their_definitions_say(rows: list[tuple[int, int]]) -> None:
    alpha, beta, enhanced = by_hand(rows)
    assert measured(rows, AlphaKAnonymity(0.5), BetaLikeness(1)) == pytest.approx([alpha, beta])
    assert measured(rows, BetaLikeness(1, "enhanced")) == pytest.approx([enhanced])


def test_what_a_reader_takes_for_one_value_is_one_for_alpha_and_apart_for_beta() -> None:
    rows = [(0, "HIV"), (0, "hiv"), (0, "flu"), (1, "flu"), (1, "flu"), (1, "cold")]
    read = [(group, value.lower()) for group, value in rows]
    assert measured(rows, AlphaKAnonymity(0.5)) == [by_hand(read)[0]]
    assert measured(rows, BetaLikeness(1)) == pytest.approx([max(by_hand(rows)[1], by_hand(read)[1])])


VISITS = pd.DataFrame(
    {
        "who": [n // 3 for n in range(180)],
        "age": [20 + n // 3 % 30 for n in range(180)],
        "illness": [("flu", "cold", "ache")[(n // 3) % 7 % 3] for n in range(180)],
    }
)


@pytest.mark.parametrize("strategy", ["mondrian", "hierarchy", "microaggregation"])
@pytest.mark.parametrize("person", [None, "who"])
def test_releases_keep_them_and_report_them(strategy: str, person: str | None, tmp_path: Path) -> None:
    """The written file is counted again: one vote a person where `person` is set."""
    models = {"alpha-k-anonymity": {"alpha": 0.6}, "beta-likeness": {"beta": 0.8, "likeness": "enhanced"}}
    operation = AnonymizeOperation(
        input_dataset="people",
        output_dataset="safe",
        k=3,
        quasi_identifiers=["age"],
        sensitive_attributes=["illness"],
        strategy=strategy,
        person=person,
        insensitive_attributes=[] if person else ["who"],
        models=models,
    )
    metrics = in_a_run(operation, VISITS, tmp_path / "p").record.steps[0].metrics
    (path,) = tmp_path.rglob("safe.csv")
    safe = pd.read_csv(path, dtype=str)
    rows = list(safe[["age", "illness"]].itertuples(index=False, name=None))
    if person:  # every person here has three records alike, so that a third of the rows is one for each person
        rows = [row for row, n in Counter(rows).items() for _ in range(n // 3)]
    alpha, _, beta = by_hand(rows)
    assert (metrics["alpha_claimed"], metrics["beta_claimed"]) == (0.6, 0.8)
    assert (metrics["alpha_measured"], metrics["beta_measured"]) == pytest.approx((alpha, beta))
    assert metrics["models"]["alpha-k-anonymity"]["asked"] == "(0.6, k)-anonymity"
    assert metrics["models"]["beta-likeness"]["asked"] == "enhanced 0.8-likeness"
    assert alpha <= 0.6
    assert beta <= 0.8


WRONG = {
    "alpha of 0": ({"alpha-k-anonymity": {"alpha": 0}}, "`alpha` has to be a number above 0 and at most 1"),
    "alpha of 2": ({"alpha-k-anonymity": {"alpha": 2}}, "`alpha` has to be a number above 0 and at most 1"),
    "no alpha": ({"alpha-k-anonymity": {}}, "missing 1 required positional argument: 'alpha'"),
    "beta in words": ({"beta-likeness": {"beta": "1"}}, "`beta` has to be a finite number above 0"),
    "infinite beta": ({"beta-likeness": {"beta": math.inf}}, "`beta` has to be a finite number above 0"),
    "a slip": ({"beta-likeness": {"beta": 1, "likeness": "basics"}}, "`likeness` has to be basic or enhanced"),
    "out of reach": ({"alpha-k-anonymity": {"alpha": 0.1}}, "(0.1, k)-anonymity cannot be reached for illness"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_cannot_be_is_refused_by_name(case: str, tmp_path: Path) -> None:
    models, message = WRONG[case]
    operation = AnonymizeOperation(
        input_dataset="people", k=2, quasi_identifiers=["age"], sensitive_attributes=["illness"], models=models
    )
    assert message in str(outcome_of(operation, VISITS, tmp_path / "p").error)
