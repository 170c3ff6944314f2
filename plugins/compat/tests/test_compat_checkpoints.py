"""The checkpoints of a task, looked at outside of a run."""

from __future__ import annotations

from importlib import metadata
from pathlib import Path

import pytest

from pamola_tasks_compat.tasks import create_task_context_manager


def installed(name: str) -> bool:
    try:
        metadata.version(name)
    except metadata.PackageNotFoundError:
        return False
    return True


@pytest.mark.skipif(not installed("pamola-tasks-paths"), reason="pamola-tasks-paths is not installed, only importable")
def test_checkpoints_can_be_looked_at_outside_of_a_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".pamola.toml").touch()
    task_dir = tmp_path / "DATA/processed/t_1"
    create_task_context_manager("t_1", task_dir).save_execution_state({"n": 1}, "mine")
    assert create_task_context_manager("t_1", task_dir).restore_execution_state()["n"] == 1
    monkeypatch.chdir(tmp_path)
    [(name, _)] = create_task_context_manager("t_1", "DATA/processed/t_1").get_checkpoints()
    assert name == "mine"
