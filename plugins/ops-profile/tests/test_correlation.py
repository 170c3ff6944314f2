"""Correlations, against numbers worked out otherwise."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from pamola_ops_profile.correlation import correlate, correlation_ratio, cramers_v, pearson, ranks
from pamola_ops_profile.joining import join
from pamola_tasks.errors import DataError


def test_pearson_and_spearman_agree_with_pandas() -> None:
    rng = np.random.default_rng(1)
    frame = pd.DataFrame({"x": rng.normal(size=500).round(1), "y": rng.normal(size=500)})
    frame["y"] += frame["x"] ** 3
    frame.loc[::7, "y"] = np.nan
    (pair,), left_out = correlate(frame)
    assert left_out == []
    assert pair.measure == "pearson"
    assert pair.records == frame["y"].notna().sum()
    assert pair.value == pytest.approx(frame.corr(method="pearson").loc["x", "y"])
    assert pair.spearman == pytest.approx(frame.corr(method="spearman").loc["x", "y"])


def test_pearson_holds_for_extreme_numbers() -> None:
    x = np.array([1.0, 2.0, 3.0, 4.0])
    assert pearson(x * 1e200, x * -1e-200) == pytest.approx(-1.0)
    assert pearson(x, np.ones(4)) is None


def test_ties_share_their_ranks() -> None:
    assert ranks(np.array([10.0, 20.0, 20.0, 5.0])).tolist() == [2.0, 3.5, 3.5, 1.0]


def test_cramers_v_of_worked_tables() -> None:
    # 2 x 2 with phi = (ad - bc) / sqrt(product of the margins)
    left = np.repeat([0, 0, 1, 1], [30, 10, 20, 40])
    right = np.repeat([0, 1, 0, 1], [30, 10, 20, 40])
    phi = (30 * 40 - 10 * 20) / np.sqrt(40 * 60 * 50 * 50)
    assert cramers_v(left, right, 2, 2) == pytest.approx(phi)
    same = np.array([0, 1, 2] * 20)
    assert cramers_v(same, same, 5, 5) == pytest.approx(1.0), "categories that do not occur count for nothing"
    assert cramers_v(same, np.zeros(60, dtype=int), 3, 2) is None


def test_correlation_ratio_of_a_worked_table() -> None:
    # the marks of three courses: eta² = 6780 / 9640
    marks = {0: [45, 70, 29, 15, 21], 1: [40, 20, 30, 42], 2: [65, 95, 80, 70, 85, 73]}
    numbers = np.array([mark for group in marks.values() for mark in group], dtype=float)
    codes = np.array([course for course, group in marks.items() for _ in group])
    assert correlation_ratio(numbers, codes) == pytest.approx(np.sqrt(6780 / 9640))
    assert correlation_ratio(np.ones(4), np.array([0, 1, 0, 1])) is None


def test_each_pair_gets_the_measure_of_its_kinds_and_what_cannot_be_measured_is_named() -> None:
    rows = 300
    frame = pd.DataFrame(
        {
            "n": np.arange(rows),
            "when": pd.date_range("2020-01-01", periods=rows),
            "c": ["a", "b", "c"] * 100,
            "t": [True, False, None] * 100,
            "constant": 1,
            "name": [f"p{i}" for i in range(rows)],
            "nothing": None,
        }
    )
    pairs, left_out = correlate(frame)
    measures = {(pair.left, pair.right): pair.measure for pair in pairs}
    assert measures == {
        ("n", "when"): "pearson",
        ("n", "c"): "correlation_ratio",
        ("n", "t"): "correlation_ratio",
        ("when", "c"): "correlation_ratio",
        ("when", "t"): "correlation_ratio",
        ("c", "t"): "cramers_v",
    }
    assert next(pair for pair in pairs if pair.right == "when").value == pytest.approx(1.0)
    assert next(pair for pair in pairs if pair.measure == "cramers_v").records == 200
    assert [each.column for each in left_out] == ["constant", "name", "nothing"]
    assert all(each.reason for each in left_out)


def test_too_few_records_give_no_measure() -> None:
    frame = pd.DataFrame({"x": [1.0, 2, 3] + [None] * 20, "y": range(23)})
    (pair,), _ = correlate(frame)
    assert (pair.value, pair.spearman, pair.records) == (None, None, 3)


def test_a_join_pairs_records_of_one_key_and_never_missing_keys() -> None:
    people = pd.DataFrame({"id": [1, 2, 3, None], "age": [30, 40, 50, 60]})
    buys = pd.DataFrame({"id": [2, 2, 3, 9, None], "sum": [1, 2, 3, 4, 5]})
    joined = join({"people": people, "buys": buys}, "id")
    assert list(joined.frame.columns) == ["people.age", "buys.sum"]
    assert sorted(joined.frame.itertuples(index=False, name=None)) == [(40, 1), (40, 2), (50, 3)]
    assert joined.keys == 2
    assert joined.unmatched == {"people": 2, "buys": 2}


def test_keys_of_a_categorical_and_of_text_match() -> None:
    left = pd.DataFrame({"id": pd.Categorical(["a", "b"], categories=["a", "b", "c"]), "x": [1, 2]})
    right = pd.DataFrame({"id": pd.Series(["b", "c"], dtype="string"), "y": [3, 4]})
    joined = join({"l": left, "r": right}, "id")
    assert joined.frame.to_numpy().tolist() == [[2, 3]]
    assert joined.keys == 1


@pytest.mark.parametrize(
    ("right", "message"),
    [
        (pd.DataFrame({"other": [1]}), "right has no column id to join on; it has other"),
        (pd.DataFrame({"id": ["1", "2"]}), "left.id holds numbers and right.id holds text"),
        (pd.DataFrame({"id": [7, 8]}), "no value of id is in both left and right"),
        (pd.DataFrame([[1, 2]], columns=["id", "id"]), "right has two columns of the same name"),
    ],
)
def test_joins_that_cannot_work_say_why(right: pd.DataFrame, message: str) -> None:
    with pytest.raises(DataError, match=message):
        join({"left": pd.DataFrame({"id": [1, 2], "x": [1, 2]}), "right": right}, "id")


def test_keys_that_cannot_be_joined_on_are_refused() -> None:
    lists = pd.DataFrame({"id": [[1], [2]], "x": [1, 2]})
    with pytest.raises(DataError, match="values of id are lists or the like"):
        join({"left": lists, "right": lists}, "id")


def test_a_join_that_would_explode_is_refused_before_it_is_made() -> None:
    table = pd.DataFrame({"id": [1] * 40_000, "x": range(40_000)})
    with pytest.raises(DataError, match="would give 1,600,000,000 rows"):
        join({"left": table, "right": table.rename(columns={"x": "y"})}, "id")
