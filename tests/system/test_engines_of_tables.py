"""A release beyond memory is the same bytes whatever counts and sorts: pandas, DuckDB, or a stranger's Polars."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from pamola_tasks import Kernel
from pamola_tasks_compat import TaskRunner

pytest.importorskip("duckdb")
pytest.importorskip("polars")
sys.path.insert(0, str(Path(__file__).parents[2] / "plugins/tables/tests"))
import polars_tables

ROWS = 4_000
ENGINES: dict[str, tuple[dict[str, Any], list[Any]]] = {
    "in memory": ({"memory_limit_mb": 1000}, []),
    "pieces": ({"tables": {"engine": "pieces"}}, []),
    "duckdb": ({"tables": {"engine": "duckdb"}}, []),
    "polars": ({}, [polars_tables]),
}


def test_a_release_is_the_same_with_every_engine(tmp_path: Path) -> None:
    """Cells that are missing, categories of numbers, times and texts among what is grouped and sorted."""
    (tmp_path / ".pamola.toml").touch()
    drawn = np.random.default_rng(5)
    table = pd.DataFrame({"age": drawn.integers(18, 90, ROWS), "town": drawn.choice(["A", "b", "ä", None], ROWS)})
    table["size"] = pd.Categorical(drawn.choice([9, 10, 100], ROWS), categories=[100, 9, 10])
    table["income"] = np.where(drawn.random(ROWS) < 0.1, np.nan, drawn.normal(3000, 900, ROWS).round(-2))
    table["born"] = pd.Timestamp("1950-01-01") + pd.to_timedelta(drawn.integers(0, 99, ROWS), unit="D")
    table["note"] = ["of no use to anybody " * 30] * ROWS
    table.to_parquet(tmp_path / "people.parquet", row_group_size=500)
    parameters = {"input_dataset": "people", "quasi_identifiers": ["age", "town", "size", "income"], "k": 4}
    step = {"operation": "AnonymizeOperation", "parameters": {**parameters, "on_identifiers": "warn"}}
    written = {}
    for name, (settings, plugins) in ENGINES.items():
        task = TaskRunner(f"t_{name[:2]}", input_datasets={"people": "people.parquet"}, operation_configs=[step])
        kernel = Kernel.discover(project=tmp_path, plugins=plugins)
        outcome = kernel.run(task, overrides={"memory_limit_mb": 1, "chunk_size": 700, **settings})
        assert outcome.success, outcome.error
        (output,) = [each for each in outcome.record.outputs if each.kind == "output"]
        written[name] = (tmp_path / output.path).read_bytes()
    assert {name: written[name] == written["in memory"] for name in written} == dict.fromkeys(ENGINES, True)
