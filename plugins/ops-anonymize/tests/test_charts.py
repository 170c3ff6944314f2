"""Charts of what was anonymized: they say what is written in the release, and rest on no handful of records."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
from fuzzing import examples
from hypothesis import example, given, settings
from hypothesis import strategies as st
from release_check import covers

from pamola_ops_anonymize.charts import class_sizes, distribution
from pamola_ops_anonymize.distributions import Distribution
from pamola_ops_anonymize.domains import encode
from pamola_ops_anonymize.release import anonymized
from pamola_ops_anonymize.release_settings import Settings


def table(rows: int = 400, missing: float = 0.0) -> pd.DataFrame:
    rng = np.random.default_rng(6)
    frame = pd.DataFrame(
        {
            "age": rng.integers(18, 80, rows),
            "pay": rng.lognormal(8, 1, rows).round(2),
            "day": pd.Timestamp("2024-02-28") + pd.to_timedelta(rng.integers(0, 400, rows), "D"),
            "city": rng.choice(["Bern", "Genf", "Basel", "Chur"], rows, p=[0.6, 0.3, 0.08, 0.02]),
        }
    )
    return frame.mask(rng.random(frame.shape) < missing) if missing else frame


def read_back(cells: pd.Series, original: pd.Series) -> tuple[dict[Any, float], float]:
    """What published ranges, sets and values tell, read from their text: records by value, and suppressed ones."""
    values = sorted(original.dropna().unique().tolist())
    by_text = {str(value): value for value in values}
    parsed = (lambda text: pd.Timestamp(text)) if original.dtype.kind == "M" else float
    told: dict[Any, float] = {}
    suppressed = 0
    for cell in cells:
        if pd.isna(cell):
            continue
        if cell == "*":
            suppressed += 1
            continue
        if cell.startswith(("[", "<", ">=")):
            covered = [value for value in values if covers(cell, value)]
        elif cell.startswith("{"):
            covered = [by_text[text] for text in cell[1:-1].split("|")]
        else:
            covered = [by_text[cell]] if cell in by_text else [parsed(cell)]
        for value in covered:
            told[value] = told.get(value, 0) + 1 / len(covered)
    return told, suppressed


@pytest.mark.parametrize("missing", [0.0, 0.1])
@pytest.mark.parametrize(
    "how",
    [
        Settings(),
        Settings(bounds="tight"),
        Settings(strategy="microaggregation", output="representative"),
        Settings(strategy="microaggregation", output="ranges"),
        Settings(strategy="hierarchy", output="ranges"),
        Settings(nulls="suppress"),
        Settings(nulls="suppress", suppressed_records="keep"),
    ],
    ids=["mondrian", "tight", "representative", "microaggregation", "hierarchy", "nulls suppressed", "suppressed kept"],
)
def test_what_is_drawn_is_what_is_written(how: Settings, missing: float) -> None:
    frame = table(missing=missing)
    release = anonymized(frame, list(frame.columns), 5, how)
    grouped = frame.dropna() if how.nulls == "suppress" else frame
    for name, found in release.distributions.items():
        column = frame[name]
        told, suppressed = read_back(release.frame[name], column)
        values = found.domain.texts(np.arange(found.domain.size))
        drawn = {text: mass for text, mass in zip(values, found.after[:-1], strict=True) if mass > 1e-9}
        written = {_text(value): mass for value, mass in told.items()}
        assert {_text(_value(text, column)): mass for text, mass in drawn.items()} == pytest.approx(written)
        assert found.untold == suppressed
        assert found.after.sum() + found.untold == pytest.approx(len(release.frame))
        assert found.before[:-1].sum() == grouped[name].notna().sum()
        assert found.before[-1] == grouped[name].isna().sum()


def _value(text: str, column: pd.Series) -> Any:
    return pd.Timestamp(text) if column.dtype.kind == "M" else text if column.dtype.kind not in "if" else float(text)


def _text(value: Any) -> str:
    return str(float(value)) if isinstance(value, (int, float)) else str(value)


@pytest.mark.parametrize("recoding", ["local", "full-domain"])
def test_labels_count_as_the_values_under_them(recoding: Any) -> None:
    frame = table()[["age", "city"]]
    release = anonymized(frame, ["age", "city"], 5, Settings(strategy="hierarchy", recoding=recoding, output="labels"))
    age = release.distributions["age"]
    told = np.zeros(age.domain.size)
    values = np.array(sorted(frame["age"].unique()))
    for cell in release.frame["age"]:
        if cell != "*":
            low, high = (float(part) for part in cell.strip("[)]").split(",")) if "[" in cell else (float(cell),) * 2
            inside = (values >= low) & ((values < high) if cell.endswith(")") else (values <= high))
            told[inside] += 1 / inside.sum()
    assert age.after[:-1] == pytest.approx(told)
    assert age.untold == (release.frame["age"] == "*").sum()


numbers = st.lists(st.integers(-50, 50) | st.floats(-1e9, 1e9), max_size=80)
texts = st.lists(st.sampled_from("abcdefghijklmnop"), max_size=80)


@settings(max_examples=examples(200), deadline=None)
@example(values=[0] * 8 + [2, 41, 1.6591112613677979, 73741781.82560897, 999999999.9999999], floor=13, nulls=0)
@given(values=numbers | texts, floor=st.integers(2, 15), nulls=st.integers(0, 20))
def test_no_bar_of_the_table_as_it_was_rests_on_fewer_records_than_the_floor(
    values: list[Any], floor: int, nulls: int
) -> None:
    column = pd.Series(
        [*values, *[None] * nulls], name="x", dtype=object if values and isinstance(values[0], str) else float
    )
    domain, codes = encode(column)
    before = np.bincount(codes, minlength=domain.size + 1)
    chart = distribution("x", Distribution(domain, before, before.astype(float)), floor)
    if len(values) < floor:
        assert chart is None
        return
    if chart is None:
        return
    told = [series.get("counts", series.get("values")) for series in chart["series"]]
    assert all(count == 0 or count >= floor for count in told[0])
    assert told[0] == pytest.approx(told[1], abs=0.06)
    if chart["kind"] == "histogram":
        assert sum(told[0]) == len(values)
        edges = chart["series"][0]["edges"]
        assert edges == sorted(edges)
        # no edge is the least or greatest value of a single record, but where whole numbers leave no other choice, or
        # hardly a number is between it and the next
        ordered = sorted(values)
        if any(value != int(value) for value in values) and not math.isclose(ordered[0], ordered[floor - 1]):
            assert edges[0] > ordered[0]
    else:
        rare = {value for value in values if values.count(value) < floor}
        assert not rare & set(chart["labels"])
    json.dumps(chart, allow_nan=False)


@pytest.mark.parametrize("k", [None, 2, 3, 4, 5, 7, 10, 50, 1000])
def test_records_are_counted_in_classes_of_their_size_with_k_at_an_edge(k: int | None) -> None:
    before, after = np.array([1, 1, 2, 4, 7, 9, 60]), np.array([40, 44])
    chart = class_sizes({"before": before, "after": after}, k)
    assert [sum(series["values"]) for series in chart["series"]] == [84, 84]
    if k is not None:
        place = chart["limit"]["before"]
        assert chart["labels"][place].startswith(f"{k:,}")
        assert sum(chart["series"][0]["values"][:place]) == before[before < k].sum()
        assert sum(chart["series"][1]["values"][:place]) == after[after < k].sum()
    counts = dict(zip(chart["labels"], chart["series"][0]["values"], strict=True))
    assert counts["1"] == 2


def test_nothing_is_drawn_of_a_table_of_which_nothing_is_released() -> None:
    frame = table(3)
    release = anonymized(frame, list(frame.columns), 5, Settings())
    assert release.frame.empty
    assert [distribution(name, found) for name, found in release.distributions.items()] == [None] * 4
    assert class_sizes({"before": release.sizes_before, "after": np.zeros(0, dtype=np.int64)}, 5)["series"][1]["values"]
