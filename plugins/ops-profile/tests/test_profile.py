"""Profiles: what they tell, and what they keep to themselves."""

from __future__ import annotations

import datetime
import json
from collections import Counter
from functools import partial

import attrs
import numpy as np
import pandas as pd
import pytest
from fuzzing import examples
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pamola_ops_anonymize.identifiers import ByNamesAndValues
from pamola_ops_profile.operations import as_json
from pamola_ops_profile.profile import profile_column
from pamola_ops_profile.profile import profile_table as profile_without_identifiers

profile_table = partial(profile_without_identifiers, role_of=ByNamesAndValues().role)


def test_a_column_is_counted_right() -> None:
    column = pd.Series(["a"] * 30 + ["b"] * 12 + ["c"] * 3 + ["d"] + [None] * 4, name="x")
    profile = profile_column(column)
    assert (profile.kind, profile.records, profile.missing, profile.distinct) == ("text", 50, 4, 4)
    assert [(v.value, v.count) for v in profile.common_values] == [("a", 30), ("b", 12)]
    assert (profile.rare_values, profile.rare_records) == (2, 4)


@settings(max_examples=examples(150), deadline=None)
@example(values=[0.0] * 8 + [2, 41, 1.6591112613677979, 73741781.82560897, 999999999.9999999], floor=13)
@given(
    values=st.lists(st.integers(-(10**6), 10**6) | st.floats(-1e6, 1e6), max_size=120),
    floor=st.integers(2, 15),
)
def test_no_number_of_a_profile_rests_on_fewer_records_than_the_floor(values: list[float], floor: int) -> None:
    column = pd.Series(values, name="x", dtype=float)
    profile = profile_column(column, min_count=floor)
    counts = Counter(column)
    ordered = np.sort(column.to_numpy())

    assert all(value.count >= floor for value in profile.common_values)
    assert all(bar.count == 0 or bar.count >= floor for bar in profile.histogram)
    if len(column) < floor:
        assert profile.lowest is profile.highest is profile.mean is None
        assert profile.quantiles == {}
        assert profile.histogram == []
        return
    assert sum(bar.count for bar in profile.histogram) == len(column)
    assert profile.lowest <= profile.highest
    for earlier, later in zip(profile.histogram, profile.histogram[1:], strict=False):
        assert earlier.high == later.low
    # any reported place in the distribution is the mean of at least `floor` neighbours
    windows = np.convolve(ordered, np.ones(floor) / floor, mode="valid")
    for place in (profile.lowest, profile.highest, *profile.quantiles.values()):
        assert np.isclose(windows, place, rtol=1e-9, atol=1e-6).any()
    assert sum(counts[value] for value in counts if counts[value] < floor) == profile.rare_records


@settings(max_examples=examples(150), deadline=None)
@example(values=[0.0] * 30 + [7.0], floor=10)
@given(
    values=st.lists(st.integers(0, 12).map(float) | st.floats(-1e3, 1e3) | st.just(np.inf), max_size=150),
    floor=st.integers(2, 15),
)
def test_nothing_that_is_listed_tells_fewer_others_apart_by_subtraction(values: list[float], floor: int) -> None:
    profile = profile_column(pd.Series(values, name="x", dtype=float), min_count=floor)
    listed = {float(each.value): each.count for each in profile.common_values if np.isfinite(float(each.value))}
    finite = [value for value in values if np.isfinite(value)]
    if profile.mean is not None:
        unlisted = len(finite) - sum(listed.values())
        assert unlisted == 0 or unlisted >= floor, "or the mean would tell their sum"
    for number, bar in enumerate(profile.histogram):
        first, last = number == 0, number == len(profile.histogram) - 1
        inside = [value for value in listed if (first or value >= bar.low) and (last or value < bar.high)]
        others = bar.count - sum(listed[value] for value in inside)
        assert others == 0 or others >= floor


def test_moments_are_listed_as_carefully_as_numbers() -> None:
    column = pd.Series([pd.Timestamp("2020-01-01")] * 30 + [pd.Timestamp("2020-01-09")], name="x")
    assert profile_column(column).common_values == []
    assert [each.count for each in profile_column(column.head(30)).common_values] == [30]


def test_with_a_floor_of_one_quantiles_are_exact() -> None:
    profile = profile_column(pd.Series(range(101), name="x"), min_count=1)
    assert (profile.lowest, profile.highest, profile.mean) == (0, 100, 50)
    assert profile.quantiles == {"0.05": 5, "0.25": 25, "0.5": 50, "0.75": 75, "0.95": 95}
    assert profile.deviation == pytest.approx(pd.Series(range(101)).std())


def test_histogram_counts_agree_with_numpy_where_no_bar_is_small() -> None:
    values = np.repeat(np.arange(0, 40), 25)
    profile = profile_column(pd.Series(values, name="x"), bins=10)
    counts, _ = np.histogram(values, bins=10)
    assert [bar.count for bar in profile.histogram] == counts.tolist()


@pytest.mark.parametrize(
    ("column", "kind", "distinct"),
    [
        (pd.Series([None, None]), "empty", 0),
        (pd.Series([], dtype="float64"), "empty", 0),
        (pd.Series([1, 2, 2], dtype="Int64"), "number", 2),
        (pd.Series([1.0, np.inf, np.nan]), "number", 2),
        (pd.Series([True, False, None], dtype="boolean"), "truth", 2),
        (pd.Series(["", "", None], dtype="string"), "text", 1),
        (pd.Series(pd.Categorical(["a", "a"], categories=["a", "never"])), "text", 1),
        (pd.Series(pd.to_datetime(["2020-01-01", "2021-01-01"])), "moment", 2),
        (pd.Series([[1], [1], [2]]), "text", 2),
        (pd.Series([1, "1", None], dtype=object), "text", 2),
        (pd.Series([datetime.date(2020, 1, 1)] * 2), "moment", 1),
    ],
)
def test_every_kind_of_column_has_a_profile_that_json_can_hold(column: pd.Series, kind: str, distinct: int) -> None:
    profile = profile_table(column.rename("x").to_frame(), min_count=1)
    assert profile.columns[0].kind == kind
    assert profile.columns[0].distinct == distinct
    json.loads(as_json(attrs.asdict(profile)))


def test_moments_are_told_as_iso_text() -> None:
    days = pd.Series(pd.date_range("2020-01-01", periods=100, freq="D"), name="x")
    profile = profile_column(days, min_count=1)
    assert profile.lowest == "2020-01-01T00:00:00"
    assert profile.quantiles["0.5"] == "2020-02-20T00:00:00"


def test_adult_is_profiled_and_its_quasi_identifiers_are_seen(adult: pd.DataFrame) -> None:
    profile = profile_table(adult)
    roles = {column.name: column.role for column in profile.columns}
    assert {name for name, role in roles.items() if role == "quasi-identifier"} == {
        "sex", "age", "race", "marital-status", "education", "native-country", "workclass", "occupation",
    }  # fmt: skip
    assert "direct identifier" not in roles.values()
    assert profile.exposure is not None
    # 18,109 classes and 14,021 unique records of eight quasi-identifiers, as counted by others
    assert (profile.exposure.classes, profile.exposure.unique_records) == (18109, 14021)
    age = next(column for column in profile.columns if column.name == "age")
    assert age.mean == pytest.approx(adult["age"].mean())
    assert age.quantiles["0.5"] == pytest.approx(adult["age"].median(), abs=1)
    assert all(value.count >= 10 for column in profile.columns for value in column.common_values)
    countries = next(column for column in profile.columns if column.name == "native-country")
    assert "Holand-Netherlands" not in {value.value for value in countries.common_values}


def test_no_value_of_a_unique_column_is_in_the_document() -> None:
    names = [f"Person {i * 7919 % 9973}" for i in range(300)]
    document = as_json(attrs.asdict(profile_table(pd.DataFrame({"name": names, "age": [30] * 300})))).decode()
    assert not any(name in document for name in names)
    assert json.loads(document)["columns"][0]["role"] == "direct identifier"


def test_equal_tables_have_equal_profiles_whatever_the_order_of_their_rows(adult: pd.DataFrame) -> None:
    head = adult.head(2000)
    shuffled = head.sample(frac=1, random_state=1)
    first, second = (
        attrs.evolve(profile_table(table, top=5), memory_bytes=0) for table in (head, shuffled.reset_index(drop=True))
    )
    assert as_json(attrs.asdict(first)) == as_json(attrs.asdict(second))


@settings(max_examples=examples(100), deadline=None)
@given(
    rows=st.lists(
        st.tuples(
            st.sampled_from([1.0, 2.0, float("nan"), -0.0, 0.0]),
            st.sampled_from(["a", "b", None, ""]),
            st.integers(2**53, 2**53 + 3),
        ),
        max_size=30,
    )
)
def test_duplicates_are_the_rows_that_pandas_takes_for_such(rows: list[tuple[float, str | None, int]]) -> None:
    frame = pd.DataFrame(rows, columns=["x", "y", "z"])
    assert profile_table(frame).duplicate_records == int(frame.duplicated().sum())
    assert [column.distinct for column in profile_table(frame).columns] == frame.nunique().tolist()
