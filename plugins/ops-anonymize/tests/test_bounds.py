"""Cells that single nobody out, counted again from the written files by their notation alone."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from alone import run
from release_check import covers, ends, faults, read_set, smallest_class, with_row_ids

from pamola_ops_anonymize import AnonymizeOperation
from pamola_ops_anonymize.domains import encode
from pamola_ops_anonymize.grids import Grid
from pamola_tasks.errors import ParameterError

WAYS = [
    {"strategy": "mondrian"},
    {"strategy": "mondrian", "output": "labels"},
    {"strategy": "hierarchy"},
    {"strategy": "hierarchy", "output": "ranges"},
    {"strategy": "microaggregation"},
    {"strategy": "microaggregation", "output": "ranges"},
]


def people(rows: int = 1500) -> pd.DataFrame:
    """Among them one of 117, born in 1899, the only one of Quxotville."""
    rng = np.random.default_rng(15)
    born = pd.Timestamp("1935-01-01") + pd.to_timedelta(rng.integers(0, 25_000, rows), "D")
    frame = pd.DataFrame(
        {
            "person": rng.integers(0, rows // 3, rows),
            "age": rng.integers(18, 90, rows),
            "wage": rng.lognormal(3, 1, rows).round(2),
            "born": born,
            "seen": born + pd.to_timedelta(rng.integers(0, 90_000, rows), "s"),
            "town": rng.choice(["Bern", "Oslo", "Rome", "Lima"], rows, p=[0.6, 0.3, 0.09, 0.01]),
            "grade": pd.Categorical(rng.choice(["low", "mid", "high"], rows), ["low", "mid", "high"], ordered=True),
            "illness": rng.choice(["flu", "gout", "none"], rows),
        }
    )
    frame.loc[0, ["age", "born", "town"]] = [117, pd.Timestamp("1899-12-31"), "Quxotville"]
    return frame


def released(frame: pd.DataFrame, columns: list[str], folder: Path, **how: Any) -> tuple[pd.DataFrame, dict[str, Any]]:
    settings: Any = {"input_dataset": "people", "k": 5, "quasi_identifiers": columns, "row_id": True, **how}
    result = run(AnonymizeOperation(**settings), frame, folder)
    assert not result.failed, result.error_message
    (path,) = folder.rglob("people_anonymized.csv")
    return with_row_ids(pd.read_csv(path, dtype=str, keep_default_na=False), folder), result.metrics


def isolating(frame: pd.DataFrame, table: pd.DataFrame, columns: list[str], whose: str | None = None) -> int:
    """Classes with a record whose value, an end of an interval or member of a set, no other of the class has."""
    classes = table.groupby(columns, sort=False).ngroup().tolist()
    rows = list(range(len(frame))) if whose is None else frame[whose].tolist()
    found: set[int] = set()
    for name in columns:
        texts = [str(value.date()) if name == "born" else str(value) for value in frame[name]]
        texts = [text.replace(" ", "T") for text in texts]
        held = Counter((group, text) for group, text, _ in {*zip(classes, texts, rows, strict=True)})
        for group, text, cell in zip(classes, texts, table[name], strict=True):
            named = read_set(cell) if cell.startswith("{") else ends(cell)[:2] if cell[0] in "[<>" else ()
            same = {float(each) for each in named if each} if name in ("age", "wage") else set(named)
            if (float(text) if name in ("age", "wage") else text) in same and held[group, text] == 1:
                found.add(group)
    return len(found)


@pytest.mark.parametrize("how", WAYS, ids=lambda how: "-".join(how.values()))
def test_no_end_and_no_member_of_a_set_is_one_records_alone(how: dict[str, Any], tmp_path: Path) -> None:
    frame = people(600)
    columns = ["age", "wage", "born", "town", "grade"]
    table, metrics = released(frame, columns, tmp_path, **how)
    assert isolating(frame, table, columns) == metrics["isolated_classes_measured"] == 0
    assert metrics["isolated_classes_claimed"] == 0
    assert metrics["k_measured"] >= 5


@pytest.mark.parametrize("how", WAYS, ids=lambda how: "-".join(how.values()))
def test_a_canary_leaves_no_trace(how: dict[str, Any], tmp_path: Path) -> None:
    """The table's oldest, earliest and only one of a town: no cell names or bounds them."""
    table, _ = released(people(), ["age", "born", "town"], tmp_path, **how)
    text = "\n".join(map(str, table[["age", "born", "town"]].to_numpy().ravel().tolist()))
    assert not any(trace in text for trace in ("117", "1899", "Quxotville"))


def test_tight_cells_are_counted_and_warned_of(tmp_path: Path) -> None:
    frame, columns = people(400), ["age", "town"]
    table, metrics = released(frame, columns, tmp_path, bounds="tight")
    assert isolating(frame, table, columns) == metrics["isolated_classes_measured"] > 0
    assert "isolated_classes_claimed" not in metrics
    assert f"{metrics['isolated_classes_measured']:,} of" in metrics["isolation"]


def test_cells_at_the_cuts_tile_the_domain(tmp_path: Path) -> None:
    """Any record that could be made of the column's values lies in the cells of exactly one class."""
    whole, columns = people(300), ["age", "wage", "born", "town", "grade", "illness"]
    rng = np.random.default_rng(2)
    anybody = [[whole[name][rng.choice(300)] for name in columns] for _ in range(200)]
    for number, how in enumerate(({}, {"person": "person", "person_records": "apart"}, {"nulls": "value"})):
        frame = whole.assign(age=whole["age"].mask(whole["age"] > 80)) if "nulls" in how else whole
        table, metrics = released(frame, columns, tmp_path / str(number), bounds="cuts", **how)
        cells = table.set_index("row_id")[columns].replace("", np.nan)
        assert not faults(frame[columns], cells, columns, 5)
        assert "person" in how or metrics["k_measured"] == smallest_class(cells, columns)
        # which also counts 19 for an end at 20
        assert 0 < isolating(frame, table, columns, how.get("person")) <= metrics["isolated_classes_measured"]
        classes = cells.drop_duplicates().dropna()
        found = [sum(all(map(covers, box, record)) for box in classes.itertuples(index=False)) for record in anybody]
        assert "nulls" in how or set(found) == {1}


@pytest.mark.parametrize(
    "how",
    [
        {"strategy": "hierarchy"},
        {"strategy": "microaggregation"},
        {"strategy": "suppression"},
        {"output": "labels"},
        {"person": "person"},
        {"update": "m-invariant", "sensitive_attributes": ["illness"], "l": 2, "person": "person"},
    ],
    ids=str,
)
def test_cells_at_cuts_are_refused_where_there_are_none(how: Any) -> None:
    with pytest.raises(ParameterError, match="`bounds: cuts` does not apply here, since"):
        AnonymizeOperation(input_dataset="people", k=5, quasi_identifiers=["age"], bounds="cuts", **how)


@pytest.mark.parametrize("together", ["together", "apart"])
def test_a_person_is_not_isolated_by_own_records(together: str, tmp_path: Path) -> None:
    frame, columns = people(900), ["age", "town", "grade"]
    table, metrics = released(frame, columns, tmp_path, person="person", person_records=together)
    assert isolating(frame, table, columns, "person") == metrics["isolated_classes_measured"] == 0


def test_a_stated_hierarchy_gives_labels_where_a_set_would_single_out(tmp_path: Path) -> None:
    frame = pd.DataFrame({"age": [20, 21, 22, 23] * 3, "town": ["Bern"] * 5 + ["Rome"] * 5 + ["Lima", "Bern"]})
    lines = pd.DataFrame([["Bern", "Europe", "*"], ["Rome", "Europe", "*"], ["Lima", "America", "*"]])
    operation = AnonymizeOperation(
        input_dataset="people", k=12, quasi_identifiers=["town"], hierarchies={"town": "towns"}
    )
    for towns, cell in ((["Bern"] * 11 + ["Rome"], "Europe"), (["Bern"] * 11 + ["Lima"], "*")):
        folder = tmp_path / cell.replace("*", "star")
        result = operation.run(data_source={"people": frame.assign(town=towns), "towns": lines}, task_dir=folder)
        assert not result.failed, result.error_message
        (path,) = folder.rglob("people_anonymized.csv")
        assert set(pd.read_csv(path)["town"]) == {cell}


@pytest.mark.parametrize(
    "values",
    [
        [1, 2, 5, 9, 9, 14] * 5,
        [0.5, -2.25, 1e300, float("inf"), float("-inf"), 3.0] * 5,
        [np.float32([0.1, 0.3, 0.7, 0.9, 1.1]) for _ in range(6)],
        [10**30 + number for number in range(30)],
        [0.1, 0.1000000000000001, 0.1000000000000002] * 9,
        pd.to_datetime(["1899-12-31", "0999-01-01", "2024-02-29", "9999-12-31"] * 6),
        pd.date_range("2024-03-30 22:00", periods=40, freq="17min", tz="Europe/Berlin"),
    ],
    ids=["whole", "infinite", "float32", "large", "close", "all centuries", "zone"],
)
def test_every_part_of_a_grid_covers_its_values_and_holds_enough(values: Any) -> None:
    column = pd.Series(np.concatenate(values) if isinstance(values[0], np.ndarray) else values)
    domain, codes = encode(column)
    held = np.bincount(codes, minlength=domain.size + 1)[:-1].astype(np.float64)
    grid = Grid.of(domain, held, 4)  # type: ignore[arg-type]
    assert grid.parts > 1
    assert np.add.reduceat(held, grid.begin).min() >= 4
    part = grid.part_of(np.arange(domain.size))
    for code, text in enumerate(domain.texts(np.arange(domain.size))):
        value = pd.Timestamp(text) if "datetime" in str(column.dtype) else Decimal(text)
        assert covers(grid.text(part[code], part[code]), value), text
        assert 0 <= grid.positions[part[code]] <= domain.positions[code] + 1e-12
