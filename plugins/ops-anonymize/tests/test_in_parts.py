"""Of more combinations than memory holds, the domain is cut into parts, and each is released by itself."""

from __future__ import annotations

import io
import json
import re
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from pamola_ops_anonymize import counted_table
from pamola_tasks import Kernel, Outcome
from pamola_tasks_compat import TaskRunner

sys.path.insert(0, str(Path(__file__).parents[2] / "tables/tests"))

QI = ["age", "zip", "sex", "since"]
K = 4


@pytest.fixture(autouse=True)
def room(monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory has room for some 25 combinations."""
    monkeypatch.setattr(counted_table, "bytes_of_row", lambda sample, columns: 2**20 // 25)


def people(rows: int = 80) -> pd.DataFrame:
    rng = np.random.default_rng(5)
    days = pd.Timestamp("2020-01-01") + pd.to_timedelta(rng.integers(0, 900, rows), "D")
    return pd.DataFrame(
        {
            "age": pd.array(np.where(rng.random(rows) < 0.05, None, rng.integers(18, 80, rows)), dtype="Int64"),
            "zip": rng.choice(["", *(f"1{n:03}" for n in range(40))], rows),
            "sex": rng.choice(["f", "m", "x"], rows, p=[0.5, 0.45, 0.05]),
            "since": days.strftime("%Y-%m-%d"),
            "disease": rng.choice(["asthma", "cold", "flu", "gout"], rows),
            "remark": "word " * 3500,
        }
    )


def outcome_of(folder: Path, plugins: tuple[str, ...] = (), settings: dict[str, Any] | None = None, **step: Any) -> Any:
    folder.mkdir(exist_ok=True)
    (folder / ".pamola.toml").touch()
    people().to_csv(folder / "people.csv", index=False)
    parameters = {
        "input_dataset": "people",
        "output_dataset": "safe",
        "quasi_identifiers": QI,
        "k": K,
        "insensitive_attributes": ["remark"],
        "register": False,
        **step,
    }
    task = TaskRunner(
        "t_1",
        input_datasets={"people": "people.csv"},
        data_types={"zip": "text", "age": "integer", "since": "datetime"},
        operation_configs=[{"operation": "AnonymizeOperation", "parameters": parameters}],
    )
    overrides = {"memory_limit_mb": 1, "chunk_size": 1000, **(settings or {})}
    return Kernel.discover(project=folder, plugins=plugins).run(task, restart=True, overrides=overrides)


def released(folder: Path, outcome: Outcome) -> tuple[bytes, dict[str, Any]]:
    assert outcome.success, outcome.error
    (file,) = (folder / "DATA" / "processed").rglob("safe.csv")
    (result,) = outcome.results.values()
    metrics: dict[str, Any] = json.loads(json.dumps(result.metrics))
    return file.read_bytes(), metrics


def read(content: bytes) -> pd.DataFrame:
    return pd.read_csv(io.BytesIO(content), dtype="str", keep_default_na=False)


def test_the_same_release_in_any_pieces_and_with_any_engine(tmp_path: Path) -> None:
    """The same bytes, k in the written file, and in the report what the cut loses."""
    ways: list[tuple[tuple[str, ...], dict[str, Any]]] = [
        ((), {"chunk_size": size, "tables": {"engine": "pieces"}}) for size in (1, 7, 1000)
    ]
    ways += [((), {"tables": {"engine": "duckdb"}}), (("polars_tables",), {})]
    found = []
    for plugins, settings in ways:
        if plugins:
            pytest.importorskip("polars")
        found.append(released(tmp_path, outcome := outcome_of(tmp_path, plugins, settings)))
    assert [content == found[0][0] for content, _ in found] == [True] * len(found)
    content, metrics = found[0]
    table = read(content)

    assert len(table) == 80
    sizes = Counter(map(tuple, table[QI].to_numpy()))
    assert min(sizes.values()) >= K
    assert (metrics["k_measured"], metrics["equivalence_classes"]) == (min(sizes.values()), len(sizes))
    assert Counter(table["disease"]) == Counter(people()["disease"])
    assert [tuple(row) for row in table.to_numpy()] == sorted(tuple(row) for row in table.to_numpy())
    said = metrics["released_in_parts"]
    assert said["parts"] == 7
    assert said["combinations"] == 80
    lost = said["information_loss_of_sample"]
    assert lost["whole"] < lost["in_parts"]
    # the sample is the table: this is what was released
    assert lost["in_parts"] == pytest.approx(metrics["information_loss"], abs=1e-9)
    assert any(
        re.search(r"is cut into 7 parts along .*, and no class reaches across", each)
        for each in outcome.record.warnings
    )


def test_l_is_met_in_each_part(tmp_path: Path) -> None:
    """Also by hierarchies: k and l are counted in the written file, and metrics say the same."""
    more = {"sensitive_attributes": ["disease"], "l": 2, "ties": "fixed", "strategy": "hierarchy", "output": "ranges"}
    content, metrics = released(tmp_path, outcome_of(tmp_path, **more))
    table = read(content)

    groups = table.groupby(QI)["disease"]
    assert groups.size().min() >= K
    assert groups.nunique().min() >= 2
    assert metrics["l_diversity"]["disease"]["l"] == groups.nunique().min()
    assert metrics["rows_in"] == 80
    assert metrics["rows_out"] == len(table)


def test_what_needs_all_combinations_is_refused_by_name(tmp_path: Path) -> None:
    of_all = {"strategy": "hierarchy", "recoding": "full-domain", "output": "representative", "keep_order": True}
    outcome = outcome_of(tmp_path, sensitive_attributes=["disease"], t=0.4, ties="fixed", **of_all)

    assert not outcome.success
    said = str(outcome.error)
    assert f"80 combinations of {', '.join(QI)}, disease" in said
    needed = ("`recoding: full-domain`", "`output: representative`", "`keep_order`", "t-closeness")
    assert [name for name in needed if name not in said] == []
    assert not list(tmp_path.rglob("safe.csv"))
