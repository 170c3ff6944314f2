"""Columns of every kind there is, tables of every shape: each has a profile that JSON can hold, and charts."""

from __future__ import annotations

import datetime
import decimal
import json
from typing import Any

import attrs
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from pamola_ops_profile import CorrelationOperation, ProfileOperation
from pamola_ops_profile.charts import charts_of_correlations, charts_of_profile
from pamola_ops_profile.correlation import correlate, correlation_ratio, cramers_v
from pamola_ops_profile.operations import as_json
from pamola_ops_profile.profile import profile_column, profile_table

ROWS = 60
COLUMNS: dict[str, Any] = {
    "all missing": [None] * ROWS,
    "nan": [np.nan] * ROWS,
    "constant": [7] * ROWS,
    "truth": [True, False] * 30,
    "truth or missing": pd.array([True, None] * 30, dtype="boolean"),
    "truth as objects": np.array([True, None] * 30, dtype=object),
    "moments": pd.date_range("2020", periods=ROWS),
    "moments with a zone": pd.date_range("2020", periods=ROWS, tz="Europe/Zurich"),
    "moments or missing": [pd.NaT, pd.Timestamp("2020")] * 30,
    "spans": pd.to_timedelta(range(ROWS), "h"),
    "periods": pd.period_range("2020", periods=ROWS, freq="M"),
    "intervals": pd.interval_range(0, ROWS),
    "times": [datetime.time(1, minute) for minute in range(ROWS)],
    "years before all calendars of pandas": [datetime.date(1, 1, 1)] * ROWS,
    "lists": [[1], [2]] * 30,
    "dicts": [{"a": 1}, {"b": [2]}] * 30,
    "sets": [{1, 2}, {3}] * 30,
    "infinite": [np.inf, 1.0, -np.inf] * 20,
    "nothing finite": [np.inf] * ROWS,
    "beyond 64 bits": np.array([2**70 + number for number in range(ROWS)], dtype=object),
    "beyond all floats": np.array([10**400 + number for number in range(ROWS)], dtype=object),
    "whole numbers beyond floats": [2**62 + number for number in range(ROWS)],
    "Int64": pd.array([1, None, 3] * 20, dtype="Int64"),
    "Float64": pd.array([1.5, None, 3] * 20, dtype="Float64"),
    "float16": np.array([60000, -60000] * 30, dtype="float16"),
    "huge": [1e308, -1e308] * 30,
    "tiny": [5e-324, 0] * 30,
    "complex": [1 + 2j, 2] * 30,
    "levels nobody has": pd.Categorical(["a", "b"] * 30, categories=["a", "b", "zz"]),
    "levels of numbers": pd.Categorical([1, 2] * 30),
    "decimals": [decimal.Decimal("1.1"), decimal.Decimal("NaN")] * 30,
    "mixed": np.array([1, "a", None] * 20, dtype=object),
    "bytes": [b"a", b"\xff"] * 30,
    "text of Arrow": pd.array(["a", "b"] * 30, dtype="string[pyarrow]"),
    "moments of Arrow": pd.Series(pd.date_range("2020", periods=ROWS)).astype("timestamp[ns][pyarrow]").array,
    "decimals of Arrow": pd.array([decimal.Decimal("1.10"), None] * 30, dtype=pd.ArrowDtype(pa.decimal128(5, 2))),
    "lists of Arrow": pd.array([[1], [2, 3]] * 30, dtype=pd.ArrowDtype(pa.list_(pa.int64()))),
    "sparse": pd.arrays.SparseArray([0, 0, 1] * 20),
}


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("name", list(COLUMNS))
def test_a_column_of_any_kind_is_profiled_and_correlated(name: str) -> None:
    column = pd.Series(COLUMNS[name], name="x")
    missing = int(column.isna().sum())
    for floor in (1, 10):
        profile = profile_table(column.to_frame(), min_count=floor)
        found = json.loads(as_json({**attrs.asdict(profile), "charts": charts_of_profile(profile)}))
        assert found["columns"][0]["missing"] == missing
        assert sum(bar["count"] for bar in found["columns"][0]["histogram"]) <= ROWS - missing
        assert (found["columns"][0]["kind"] == "empty") == (missing == ROWS)
    pairs, left_out = correlate(pd.DataFrame({"x": column, "n": np.arange(ROWS) * 1.5, "c": ["p", "q", "r"] * 20}))
    assert len(pairs) == (1 if left_out else 3)
    json.loads(as_json({"pairs": [attrs.asdict(pair) for pair in pairs], "charts": charts_of_correlations(pairs)}))


@pytest.mark.parametrize(
    "frame",
    [
        pd.DataFrame(),
        pd.DataFrame({"a": []}),
        pd.DataFrame({"a": [1]}),
        pd.DataFrame(index=range(3)),
        pd.DataFrame({0: [1, 2], 1.5: [3, 4], None: [1, 2], ("a", "b"): [1, 2]}),
        pd.DataFrame({f"c{number}": np.arange(50) * number for number in range(200)}),
    ],
)
def test_a_table_of_any_shape_is_profiled(frame: pd.DataFrame) -> None:
    for floor in (1, 10):
        profile = profile_table(frame, min_count=floor)
        assert (profile.records, len(profile.columns)) == frame.shape
        json.loads(as_json({**attrs.asdict(profile), "charts": charts_of_profile(profile)}))


def test_two_columns_of_one_name_are_refused_by_both_operations(tmp_path: Any) -> None:
    twice = pd.DataFrame([[1, 2, 3]], columns=["k", "a", "a"])
    profiled = ProfileOperation(dataset_name="t").run(data_source={"t": twice}, task_dir=tmp_path)
    assert "dataset 't' has more than one column 'a'" in str(profiled.error_message)
    correlation = CorrelationOperation(primary_dataset="t", secondary_dataset="u", join_key="k")
    source = {"t": twice, "u": pd.DataFrame({"k": [1]})}
    assert "dataset 't' has more than one column 'a'" in str(
        correlation.run(data_source=source, task_dir=tmp_path).error_message
    )


def test_patterns_tell_how_texts_are_written_and_nothing_of_what() -> None:
    codes = [f"{'ABCDEFGH'[number % 8]}X-{number:04d}" for number in range(40)]
    mails = [f"{name}.{name}@example.org" for name in ("ann", "josé", "מרים", "bo") for _ in range(10)]
    column = pd.Series(codes + mails + ["", "secret 99/1"], name="x", dtype=object)
    profile = profile_column(column)
    assert [(found.pattern, found.count) for found in profile.patterns] == [("AA-9999", 40), ("a+.a+@a+.a+", 40)]
    assert profile_column(pd.Series(range(50), name="x")).patterns == []
    assert profile_column(pd.Series(["a\nb", "x" * 500] * 20, name="x")).patterns[0].pattern == "a a"


def test_a_histogram_of_whole_numbers_has_whole_edges_and_no_comb() -> None:
    ages = pd.Series(np.repeat(np.arange(17, 91), 20), name="age")
    bars = profile_column(ages, min_count=1).histogram
    assert [bar.low for bar in bars] == list(range(17, 91, 4))
    assert [bar.count for bar in bars] == [int(((ages >= bar.low) & (ages < bar.high)).sum()) for bar in bars]
    assert {bar.count for bar in bars[:-1]} == {80}
    days = pd.Series(np.repeat(pd.date_range("2024-01-01", periods=60).to_numpy(), 20), name="day")
    assert {bar.count for bar in profile_column(days, min_count=1).histogram} == {60}


def test_measures_of_categories_agree_with_direct_counts() -> None:
    rng = np.random.default_rng(3)
    for _ in range(20):
        left, right = rng.integers(0, 6, 300), rng.integers(0, 4, 300)
        right = np.where(rng.random(300) < rng.random(), left % 4, right)
        counted = pd.crosstab(left, right).to_numpy()
        expected = counted.sum(1, keepdims=True) * counted.sum(0, keepdims=True) / 300
        phi = ((counted - expected) ** 2 / expected).sum() / 300
        assert cramers_v(left, right, 6, 4) == pytest.approx(np.sqrt(phi / (min(counted.shape) - 1)))
        numbers = pd.Series(rng.normal(size=300) + left)
        explained = numbers.groupby(left).transform("mean").var(ddof=0) / numbers.var(ddof=0)
        assert correlation_ratio(numbers.to_numpy(), left) == pytest.approx(np.sqrt(explained))


def told_by(chart: dict[str, Any]) -> dict[str, Any]:
    return dict(zip(chart["labels"], chart["series"][0]["values"], strict=True))


def test_no_bar_of_a_chart_rests_on_fewer_records_than_the_floor() -> None:
    frame = pd.DataFrame(
        {
            "common": ["a"] * 50 + ["b"] * 30 + ["c"] * 20,
            "rare": ["a"] * 60 + ["b"] * 37 + ["Atlantis"] * 3,
            "alone": [f"Person {number}" for number in range(100)],
            "few": [None] * 4 + ["x"] * 96,
            "many": [None] * 40 + ["x"] * 60,
            "grade": [1] * 50 + [2] * 30 + [3] * 20,
            "none": [1] * 97 + [2] * 3,
            "spread": ["often"] * 20 + [f"text {number // 2}" for number in range(80)],
        }
    )
    charts = {chart["title"]: chart for chart in charts_of_profile(profile_table(frame))}
    assert told_by(charts["common"]) == {"a": 50, "b": 30, "c": 20}
    assert told_by(charts["rare"]) == {"a": 60, "2 other values": 40}
    assert told_by(charts["grade"]) == {"1": 50, "2": 30, "3": 20}
    assert told_by(charts["spread"]) == {"often": 20}
    assert "The 40 other values are those of 80 records." in charts["spread"]["note"]
    assert charts["none"]["series"][0]["counts"] == [100]
    assert "alone" not in charts
    assert told_by(charts["Missing values"]) == {"many": 0.4, "few": None}
    assert "fewer than 10 records" in charts["Missing values"]["note"]
    assert "Atlantis" not in json.dumps(charts)


def test_of_many_columns_the_strongest_ties_are_drawn() -> None:
    rng = np.random.default_rng(1)
    frame = pd.DataFrame({f"c{number:02d}": rng.normal(size=200) for number in range(50)})
    frame["c49"] = -frame["c00"]
    matrix, strongest = charts_of_correlations(correlate(frame)[0])
    assert len(matrix["rows"]) == len(matrix["columns"]) == len(matrix["values"]) == 40
    place = {name: index for index, name in enumerate(matrix["rows"])}
    assert matrix["values"][place["c00"]][place["c49"]] == matrix["values"][place["c49"]][place["c00"]] == -1
    assert strongest["labels"][0] == "c00 ~ c49"
    assert strongest["series"][0]["values"][0] == 1
    assert "of 50" in matrix["note"]
    assert charts_of_correlations([]) == []
