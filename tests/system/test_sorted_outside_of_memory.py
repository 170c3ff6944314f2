"""Rows that `tables` sorts outside of memory have the order of the pack's `by_cells`, whatever the cells are."""

from __future__ import annotations

import contextlib
import datetime as dt
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from pamola_ops_anonymize.row_order import by_cells
from pamola_tasks.storage.files import Files
from pamola_tasks_paths.guard import ProjectGuard
from pamola_tasks_tables.sorting import Sorter, regular
from pamola_tasks_tables.spilling import Spill

ROWS = 800


def columns() -> dict[str, Any]:
    """Columns of every dtype in which rows can be told apart or not."""
    drawn = np.random.default_rng(3)

    def some(values: list[Any], rows: int = ROWS) -> np.ndarray[Any, Any]:
        return np.fromiter((values[n] for n in drawn.integers(0, len(values), rows)), dtype=object, count=rows)

    mixed = [1, True, "1", 2.5, None, "b", 10, -3]
    odd = [*mixed, dt.date(2020, 1, 1), (1, 2)]
    late = np.concatenate([some([3, 20, 100, None], ROWS - 100), some([dt.date(2020, 1, 1)], 100)])
    return {
        "few": drawn.integers(0, 3, ROWS),
        "one": np.zeros(ROWS, dtype=np.int64),
        "mostly": np.where(drawn.random(ROWS) < 0.9, 7, drawn.integers(0, 100, ROWS)),
        "int": drawn.integers(-(2**62), 2**62, ROWS),
        "float": np.where(drawn.random(ROWS) < 0.2, np.nan, drawn.normal(size=ROWS).round(1)),
        "zeros": some([0.0, -0.0]).astype(float),
        "Int": pd.array(some([1, None, 2**60]), dtype="Int64"),
        "text": pd.array(some(["", "a", "B", "ä", "\U0001f600", "￿", None]), dtype="str"),
        "categories": pd.Categorical(some([10, 9, None, 100]), categories=[100, 10, 9]),
        "ordered": pd.Categorical(some(["low", "mid", "high"]), categories=["low", "mid", "high"], ordered=True),
        "mixed": some(mixed),
        "without order": some(odd),
        "dates": some([dt.date(2020, 1, 1), None, dt.date(1, 1, 1)]),
        "zoned": pd.to_datetime(some(["2024-10-27 01:30", "2020-01-01 00:00"]), utc=True).tz_convert("Europe/Berlin"),
        "period": pd.array(some(["2020-01", "2019-05"]).tolist(), dtype="period[M]"),
        "no order at last": late,
    }


TABLES = [
    ["few", "float", "text"],
    ["one", "few"],
    ["mostly", "text", "categories"],
    ["int", "text"],
    ["zeros", "ordered", "Int"],
    ["categories", "mixed", "zoned"],
    ["without order", "int"],
    ["dates", "period", "float"],
    ["no order at last", "few", "int"],
]


@pytest.fixture
def context(tmp_path: Path) -> Any:
    """As much of a step's context as a spill sees, with real files."""
    run = SimpleNamespace(files=Files(ProjectGuard(tmp_path)))
    return SimpleNamespace(run=run, scratch=f"{tmp_path}/step.new")


@pytest.mark.parametrize("names", TABLES, ids=" ".join)
def test_the_order_is_that_of_the_whole_table(names: list[str], context: Any, tmp_path: Path) -> None:
    """In pieces of 7 and 200 rows, of which 100, 300 or all are sorted at once."""
    given = columns()
    table = pd.DataFrame({**{name: given[name] for name in names}, "row": range(ROWS)})
    unsorted = table.drop(columns="row")
    expected = unsorted.iloc[by_cells(unsorted)].reset_index(drop=True)
    for at_once, size in ((100, 7), (300, 200), (ROWS + 1, 200)):
        with contextlib.closing(Spill(context)) as spill:
            found = pd.concat(list(_sorted(spill, unsorted, at_once, size)), ignore_index=True)
            assert list(tmp_path.rglob("*.arrow")) if at_once < ROWS else True
        pd.testing.assert_frame_equal(found, expected, check_categorical=False)
        assert not list(tmp_path.rglob("*.arrow"))


def _sorted(spill: Spill, table: pd.DataFrame, at_once: int, size: int) -> Iterator[pd.DataFrame]:
    sorter = Sorter(spill, at_once)
    for start in range(0, len(table), size):
        sorter.add(table.iloc[start : start + size].reset_index(drop=True))
    return regular(sorter.sorted(), size)


def test_texts_that_become_too_many(context: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Few texts are held as categories, until there are many; the order and the cells are those of texts."""
    monkeypatch.setattr("pamola_tasks_tables.kinds._MANY", 60)
    drawn = np.random.default_rng(2)
    few = [f"t{number}" for number in drawn.integers(0, 40, 400)]
    many = [None if number < 20 else f"t{number}" for number in drawn.integers(0, 500, 400)]
    table = pd.DataFrame({"text": pd.array([*few, *many], dtype="str"), "other": drawn.choice(["x", "y"], 800)})
    table["other"] = table["other"].astype("str")
    with contextlib.closing(Spill(context)) as spill:
        found = pd.concat(list(_sorted(spill, table, 100, 30)), ignore_index=True)
    pd.testing.assert_frame_equal(found, table.iloc[by_cells(table)].reset_index(drop=True))
