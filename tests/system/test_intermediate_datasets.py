"""Datasets between steps are gone after success unless `checkpoints.keep_intermediate` is set; resuming still works."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pamola_tasks import Kernel
from pamola_tasks.errors import PlanError
from pamola_tasks.plan import Selection
from pamola_tasks.protocols import RunOptions

STEPS: list[dict[str, Any]] = [
    {"id": "a", "DropOperation": {"input_dataset": "people", "output_dataset": "a", "columns": ["spare"]}},
    {"id": "b", "MaskOperation": {"input_dataset": "a", "output_dataset": "b", "columns": ["phone"]}},
    {"id": "c", "MaskOperation": {"input_dataset": "a", "output_dataset": "c", "columns": ["town"]}},
    {"id": "d", "MaskOperation": {"input_dataset": "b", "output_dataset": "d", "columns": ["town"]}},
]

KEPT = {"keep_intermediate": True}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "configs").mkdir()
    (tmp_path / ".pamola.toml").touch()
    (tmp_path / "people.csv").write_text("spare,phone,town\n" + "x,canary1,Bern\ny,canary2,Oslo\n" * 20)
    return tmp_path


def ran(project: Path, steps: list[dict[str, Any]] = STEPS, options: RunOptions | None = None, **more: Any) -> Any:
    """What became of each step; the first reason to run one again."""
    task = {"task_id": "t", "input_datasets": {"people": "people.csv"}, "operations": steps, **more}
    (project / "configs/t.json").write_text(json.dumps(task))
    return Kernel.discover(project=project).run("t", options=options)


def done(outcome: Any) -> str:
    assert outcome.success, outcome.error
    return "".join(step.step for step in outcome.record.steps if step.status != "skipped")


def left(project: Path) -> set[str]:
    return {path.name for path in (project / "DATA/processed/t/.state/steps").rglob("*.parquet")}


@pytest.mark.parametrize("how", [{}, {"executor": {"kind": "threads"}, "parallel_processes": 2}], ids=["one", "two"])
def test_nothing_is_left_and_an_unchanged_run_skips_everything(project: Path, how: dict[str, Any]) -> None:
    outcome = ran(project, **how)
    assert done(outcome) == "abcd"
    assert left(project) == set()
    assert set(outcome.datasets) == {"c", "d"}
    for path in (project / "DATA/processed/t").rglob("*"):
        assert not path.is_file() or path.suffix == ".csv" or b"canary" not in path.read_bytes(), path
    before = (project / "DATA/processed/t/output/d.csv").read_bytes()
    assert done(ran(project, **how)) == ""

    (project / "DATA/processed/t/output/d.csv").unlink()
    outcome = ran(project, **how)
    assert done(outcome) == "abd"
    assert "a was deleted after the last run, and step d has to run" in outcome.record.steps[0].reason
    assert (project / "DATA/processed/t/output/d.csv").read_bytes() == before
    assert (done(ran(project, **how)), left(project)) == ("", set())

    changed = [*STEPS[:2], {"id": "c", "MaskOperation": {**STEPS[2]["MaskOperation"], "character": "x"}}, STEPS[3]]
    assert done(ran(project, changed, **how)) == "abc"
    assert (done(ran(project, changed, **how)), left(project)) == ("", set())
    (project / "people.csv").write_text("spare,phone,town\n" + "x,canary1,Bern\n" * 20)
    assert done(ran(project, changed, **how)) == "abcd"


def test_a_run_that_failed_or_was_for_some_steps_keeps_what_the_next_needs(project: Path) -> None:
    assert done(ran(project, options=RunOptions(selection=Selection(last="b")))) == "ab"
    assert left(project) == {"a.parquet", "b.parquet"}
    fails = {key: STEPS[3]["MaskOperation"][key] for key in ("input_dataset", "output_dataset")}
    bad = [*STEPS[:3], {"id": "d", "TopBottomCodeOperation": {**fails, "columns": ["town"], "top": 1}}]
    assert not ran(project, bad).success
    assert left(project) == {"a.parquet", "b.parquet"}
    outcome = ran(project)
    assert (done(outcome), left(project)) == ("d", set())
    assert done(ran(project, checkpoints=KEPT)) == "", "and what is gone is not missed with the setting"
    with pytest.raises(PlanError, match="step d needs what step b gives, which was left out and cannot be taken"):
        ran(project, options=RunOptions(selection=Selection(first="d"), restart=True))
    changed = [*STEPS[:3], {"id": "d", "MaskOperation": {**STEPS[3]["MaskOperation"], "character": "x"}}]
    with pytest.raises(PlanError, match=r"b was deleted after the last run.* run all steps, or"):
        ran(project, changed, options=RunOptions(selection=Selection(first="d")))
    diagnoses = Kernel.discover(project=project).services("t", upto="checkpoints").checkpoints.diagnose()
    assert diagnoses == []


def test_they_are_kept_unless_that_is_asked_for(project: Path) -> None:
    assert done(ran(project, checkpoints=KEPT)) == "abcd"
    assert left(project) == {"a.parquet", "b.parquet"}
    assert (done(ran(project)), left(project)) == ("", set()), "also those of earlier runs"
