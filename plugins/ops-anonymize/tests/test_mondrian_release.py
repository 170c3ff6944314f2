"""k-anonymous releases: what holds for any table."""

from __future__ import annotations

import datetime
import functools

import numpy as np
import pandas as pd
import pytest
from counted_work import calls, grows_evenly
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from release_check import MANY, faults, smallest_class

from pamola_ops_anonymize import mondrian
from pamola_ops_anonymize.claims import check_release
from pamola_ops_anonymize.measures import Grouping
from pamola_ops_anonymize.release import k_anonymous as any_k_anonymous
from pamola_ops_anonymize.release_settings import Bounds
from pamola_tasks.errors import DataRefused

k_anonymous = functools.partial(any_k_anonymous, bounds="tight")  # which classes there are shows in such cells

ODD_TEXT = st.sampled_from(["", "a", "b", "*", "{a|b}", "|", "\\", "[1,2]", "nan", "None", "ü", "a|b", "}"])
COLUMNS = st.sampled_from(
    ["integer", "float", "nullable integer", "text", "text with missing", "category", "boolean", "date", "mixed"]
)


def _values(kind: str) -> st.SearchStrategy[object]:
    missing = st.none()
    return {
        "integer": st.integers(-3, 12),
        "float": st.one_of(st.sampled_from([0.5, 1.0, -2.25, 1e300, float("nan"), float("inf")]), missing),
        "nullable integer": st.one_of(st.integers(0, 4), missing),
        "text": ODD_TEXT,
        "text with missing": st.one_of(ODD_TEXT, missing),
        "category": st.one_of(ODD_TEXT, missing),
        "boolean": st.booleans(),
        "date": st.one_of(st.dates(datetime.date(1990, 1, 1), datetime.date(1990, 2, 1)), missing),
        "mixed": st.one_of(ODD_TEXT, missing),
    }[kind]


def _column(kind: str, values: list[object]) -> pd.Series:
    if kind == "nullable integer":
        return pd.Series(values, dtype="Int64")
    if kind == "category":
        levels = sorted({v for v in values if v is not None} | {"unused"})
        return pd.Series(pd.Categorical(values, categories=levels))
    if kind == "date":
        return pd.to_datetime(pd.Series(values, dtype=object))
    if kind == "float":
        return pd.Series(values, dtype="float64")
    return pd.Series(values, dtype={"integer": "int64", "boolean": "bool"}.get(kind, "object"))


@st.composite
def tables(draw: st.DrawFn) -> pd.DataFrame:
    rows = draw(st.integers(1, 30))
    kinds = draw(st.lists(COLUMNS, min_size=1, max_size=4))
    return pd.DataFrame(
        {
            f"q{position}": _column(kind, draw(st.lists(_values(kind), min_size=rows, max_size=rows)))
            for position, kind in enumerate(kinds)
        }
    )


@settings(max_examples=MANY, deadline=None, suppress_health_check=list(HealthCheck))
@given(table=tables(), k=st.integers(2, 12), bounds=st.sampled_from(["rounded", "tight"]))
@example(table=pd.DataFrame({"q0": [None, 1e300, 1e300, None]}), k=2, bounds="tight")  # whole, but in floats with gaps
def test_any_small_table_reaches_k_or_is_suppressed_and_every_cell_covers_its_own_value(
    table: pd.DataFrame, k: int, bounds: Bounds
) -> None:
    columns = list(table.columns)
    table = table.assign(kept=range(len(table)))

    release = any_k_anonymous(table, columns, k, bounds=bounds)

    assert faults(table, release.frame, columns, k) == []
    assert len(release.frame) + release.suppressed == len(table)
    assert release.suppressed == (len(table) if len(table) < k else 0)
    assert release.k_before == smallest_class(table, columns)
    assert 0.0 <= release.information_loss <= 1.0
    assert check_release(release.frame, columns, k, len(table), release.suppressed).k == smallest_class(
        release.frame, columns
    )


def test_every_check_notices_one_tampered_row(adult: pd.DataFrame) -> None:
    columns = ["age", "sex", "race", "education"]
    release = k_anonymous(adult, columns, 5).frame
    assert faults(adult, release, columns, 5) == []

    alone = release.copy()
    alone.loc[17, "age"] = "[17,90]"
    assert faults(adult, alone, columns, 5) == ["k is 1"]
    with pytest.raises(DataRefused, match="k=5 was asked for, but the generalized table reaches only k=1"):
        check_release(alone, columns, 5, len(adult), 0)

    wrong = release.copy()
    group = Grouping.of(release, columns).group
    other = int(np.flatnonzero(release["age"].to_numpy() != release["age"].iloc[17])[0])
    members = np.flatnonzero(group == group[other])
    wrong.loc[17, columns] = release.loc[members[0], columns]
    assert any("do not cover" in fault for fault in faults(adult, wrong, columns, 5))

    lost = release.drop(index=17)
    assert "records are missing" in faults(adult, lost, columns, 5)
    with pytest.raises(DataRefused, match="30162 records came in, but 30161 go out"):
        check_release(lost, columns, 5, len(adult), 0)

    doubled = pd.concat([release, release.loc[[17]]])
    assert "records were invented" in faults(adult, doubled, columns, 5)
    with pytest.raises(DataRefused):
        check_release(doubled, columns, 5, len(adult), 0)

    assert faults(adult, adult.copy(), columns, 5) == ["k is 1"]
    with pytest.raises(DataRefused):
        check_release(adult, columns, 5, len(adult), 0)


@pytest.mark.parametrize(("k", "most"), [(2, 0.0085), (5, 0.0275), (10, 0.0500), (50, 0.1352)])
def test_adult_with_nine_quasi_identifiers_loses_little(adult: pd.DataFrame, k: int, most: float) -> None:
    columns = list(adult.columns)
    release = k_anonymous(adult, columns, k)

    assert release.information_loss <= most
    assert faults(adult, release.frame, columns, k) == []


def test_information_loss_is_what_the_published_cells_say(adult: pd.DataFrame) -> None:
    columns = ["age", "education", "native-country"]
    release = k_anonymous(adult, columns, 10)

    age = release.frame["age"].str.strip("[]").str.split(",")
    width = age.str[-1].astype(int) - age.str[0].astype(int)
    assert release.loss["age"] == pytest.approx((width / (adult["age"].max() - adult["age"].min())).mean())
    for column in columns[1:]:
        members = release.frame[column].str.count(r"\|")
        assert release.loss[column] == pytest.approx((members / (adult[column].nunique() - 1)).mean())
    assert release.information_loss == pytest.approx(sum(release.loss.values()) / 3)


def test_the_order_of_the_records_does_not_change_the_release(adult: pd.DataFrame) -> None:
    columns = ["age", "sex", "race", "education"]
    shuffled = adult.sample(frac=1.0, random_state=3)
    release = k_anonymous(adult, columns, 5).frame
    assert k_anonymous(shuffled, columns, 5).frame.sort_index().equals(release)


def test_a_class_that_mixes_missing_with_present_values_is_suppressed_and_a_missing_class_stays_missing() -> None:
    mixed = k_anonymous(pd.DataFrame({"age": [1, 2, None]}), ["age"], 2).frame
    assert mixed["age"].tolist() == ["*", "*", "*"]
    kept = k_anonymous(pd.DataFrame({"age": [1, 1, None, None]}), ["age"], 2)
    assert kept.frame["age"].iloc[:2].tolist() == ["1", "1"]
    assert kept.frame["age"].iloc[2:].isna().all()
    assert kept.information_loss == 0.0


def test_published_cells_are_written_in_one_notation() -> None:
    table = pd.DataFrame(
        {
            "number": [17, 24, 60, 60],
            "float": [0.5, 2.25, 7.0, 7.0],
            "text": ["b|c", "a", "z", "z"],
            "flag": [True, False, True, True],
            "day": pd.to_datetime(["2020-01-31", "2020-02-01", "2021-05-05", "2021-05-05"]),
            "moment": pd.to_datetime(["2020-01-31 10:00", "2020-01-31 11:00", "2021-01-01 00:00", "2021-01-01 00:00"]),
            "constant": ["same"] * 4,
        }
    )
    released = k_anonymous(table, list(table.columns), 2).frame
    assert released.iloc[0].tolist() == [
        "[17,24]",
        "[0.5,2.25]",
        "{a|b\\|c}",
        "{False|True}",
        "[2020-01-31,2020-02-01]",
        "[2020-01-31T10:00:00,2020-01-31T11:00:00]",
        "same",
    ]
    assert released.iloc[3].tolist() == ["60", "7.0", "z", "True", "2021-05-05", "2021-01-01T00:00:00", "same"]
    assert all(pd.api.types.is_string_dtype(dtype) for dtype in released.dtypes)


def test_moments_keep_the_time_zone_of_their_column() -> None:
    moments = pd.to_datetime(["2020-07-01 10:00", "2020-07-01 11:30"]).tz_localize("Europe/Berlin")
    released = k_anonymous(pd.DataFrame({"at": moments}), ["at"], 2).frame
    assert released["at"].tolist() == ["[2020-07-01T10:00:00+02:00,2020-07-01T11:30:00+02:00]"] * 2


def test_levels_of_a_categorical_that_nobody_has_count_for_nothing() -> None:
    levels = ["a", "b", *(f"unused {i}" for i in range(50))]
    table = pd.DataFrame({"q": pd.Categorical(["a", "b", "a"], categories=levels)})
    release = k_anonymous(table, ["q"], 3)
    assert release.frame["q"].tolist() == ["{a|b}"] * 3
    assert release.information_loss == 1.0


def test_values_that_are_written_alike_are_one_value() -> None:
    table = pd.DataFrame({"q": pd.Series([1, "1", True, "True"], dtype=object)})
    release = k_anonymous(table, ["q"], 2)
    assert release.k_before == 2
    assert release.frame["q"].tolist() == ["1", "1", "True", "True"]


def test_a_column_of_many_different_values_is_cut_into_classes_of_about_k() -> None:
    rows = 3000
    rng = np.random.default_rng(5)
    table = pd.DataFrame({"zip": [f"{n:05d}" for n in rng.permutation(rows)], "x": rng.pareto(1.0, rows)})
    release = k_anonymous(table, ["zip", "x"], 4)
    assert faults(table, release.frame, ["zip", "x"], 4) == []
    assert Grouping.of(release.frame, ["zip", "x"]).sizes.max() <= 12


def test_heavy_tails_do_not_make_partitioning_slow() -> None:
    # each greatest gap in turn would be one level of its own; medians take over
    table = pd.DataFrame({"x": 2.0 ** np.arange(1000)})
    release = k_anonymous(table, ["x"], 2)
    half = table.head(500)
    assert grows_evenly(calls(lambda: k_anonymous(half, ["x"], 2)), calls(lambda: k_anonymous(table, ["x"], 2)))
    assert faults(table, release.frame, ["x"], 2) == []


def test_more_combinations_than_fit_one_integer_are_counted_right() -> None:
    rng = np.random.default_rng(2)
    table = pd.DataFrame({f"q{i}": rng.permutation(500) for i in range(9)})
    table = pd.concat([table, table], ignore_index=True)
    release = k_anonymous(table, list(table.columns), 2)
    assert release.k_before == 2
    assert len(release.sizes_before) == 500
    assert release.information_loss == 0.0


@pytest.mark.parametrize(
    ("dtype", "values", "cells"),
    [
        ("int64[pyarrow]", [1, 2, 9, 9, None, None], ["[1,2]", "[1,2]", "9", "9", None, None]),
        ("double[pyarrow]", [1.5, 2.5, 9.0, 9.0, None, None], ["[1.5,2.5]", "[1.5,2.5]", "9.0", "9.0", None, None]),
        ("string[pyarrow]", ["a", "b", "c", "c", None, None], ["{a|b}", "{a|b}", "c", "c", None, None]),
        ("bool[pyarrow]", [True, True, False, False, None, None], ["True", "True", "False", "False", None, None]),
        ("date32[pyarrow]", [datetime.date(2020, 1, 1)] * 2 + [None] * 2, ["2020-01-01"] * 2 + [None] * 2),
        ("timestamp[us][pyarrow]", [datetime.datetime(2020, 1, 1)] * 2 + [None] * 2, ["2020-01-01"] * 2 + [None] * 2),
    ],
)
def test_arrow_columns_are_read_like_others(dtype: str, values: list[object], cells: list[object]) -> None:
    pytest.importorskip("pyarrow")
    released = k_anonymous(pd.DataFrame({"q": pd.Series(values, dtype=dtype)}), ["q"], 2).frame
    assert [None if pd.isna(cell) else cell for cell in released["q"]] == cells


def test_whole_numbers_that_no_float_holds_are_categories() -> None:
    table = pd.DataFrame({"q": pd.Series([10**400, 10**400 + 1, 7, 7], dtype=object)})
    assert k_anonymous(table, ["q"], 2).frame["q"].tolist()[2:] == ["7", "7"]


def test_progress_tells_how_many_records_have_found_their_class(adult: pd.DataFrame) -> None:
    told: list[int] = []
    k_anonymous(adult, ["age", "education"], 5, progress=told.append)
    assert told == sorted(told)
    assert told[-1] == len(adult)


def test_threads_change_nothing(adult: pd.DataFrame, monkeypatch: pytest.MonkeyPatch) -> None:
    columns = ["age", "sex", "education", "occupation"]
    monkeypatch.setattr(mondrian, "CANDIDATES", mondrian.CANDIDATES_OF_LARGE)
    alone = k_anonymous(adult, columns, 5).frame
    monkeypatch.setattr(mondrian, "LARGE", 0)
    assert k_anonymous(adult, columns, 5).frame.equals(alone)


@pytest.mark.parametrize("first", [-0.0, 0.0])
def test_zero_is_written_without_a_sign_whichever_came_first(first: float) -> None:
    frame = pd.DataFrame({"change": [first, -0.0, 0.0, 1.5, 1.5, 2.5]})
    assert k_anonymous(frame, ["change"], 3).frame["change"].tolist() == ["0.0"] * 3 + ["[1.5,2.5]"] * 3
