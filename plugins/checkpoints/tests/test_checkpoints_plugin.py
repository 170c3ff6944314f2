"""The plugin's hook, and the checkpoints of a run as its options and configuration want them."""

from __future__ import annotations

import logging
from types import SimpleNamespace
from typing import Any

import pytest

from pamola_tasks.protocols import Files, RunOptions, RunServices
from pamola_tasks.record import RunRecord
from pamola_tasks_checkpoints import TaskContextManager
from pamola_tasks_checkpoints.plugin import pamola_provide_checkpoints
from pamola_tasks_redaction.secrets import Redactor


def provide(files: Files, *, asked: bool | None = None, configured: bool = True, k: int = 5) -> TaskContextManager:
    run = RunServices()
    run.record = RunRecord(run_id="r", task_id="t_1")
    run.options = RunOptions(enable_checkpoints=asked)
    run.logger = logging.getLogger("test")
    run.files = files
    config: Any = SimpleNamespace(enable_checkpoints=configured, version="1.0", to_dict=lambda: {"k": k})
    directories: Any = SimpleNamespace(get_directory=lambda kind: files.root / "DATA/processed/t_1/.state")
    run.provide("config", config)
    run.provide("redactor", Redactor())
    run.provide("directories", directories)
    provided = pamola_provide_checkpoints(run)
    assert isinstance(provided, TaskContextManager)
    return provided


@pytest.mark.parametrize(
    ("asked", "configured", "enabled"),
    [(None, True, True), (None, False, False), (True, False, True), (False, True, False)],
)
def test_the_caller_overrides_the_configuration(
    files: Files, asked: bool | None, configured: bool, enabled: bool
) -> None:
    assert provide(files, asked=asked, configured=configured).enabled is enabled


def test_states_lie_in_the_tasks_own_directory(files: Files) -> None:
    path = provide(files).save_execution_state({}, "mine")
    assert path == files.root / "DATA/processed/t_1/.state/checkpoints/mine.json"


def test_a_state_of_another_configuration_is_not_offered_for_resumption(files: Files) -> None:
    provide(files, k=5).save_execution_state({}, "mine")
    assert provide(files, k=5).can_resume_execution() == (True, "mine")
    assert provide(files, k=10).can_resume_execution() == (False, None)
