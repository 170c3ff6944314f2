"""The plugin's hook, with the layout and the history of a run."""

from __future__ import annotations

import logging
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pamola_tasks.errors import DependencyMissingError
from pamola_tasks.protocols import RunServices
from pamola_tasks.record import RunRecord
from pamola_tasks.storage.files import Files
from pamola_tasks_compat.history import ExecutionLog
from pamola_tasks_dependencies.plugin import pamola_provide_dependencies
from pamola_tasks_directories.places import ProjectPlaces
from pamola_tasks_paths import ProjectGuard
from pamola_tasks_redaction.secrets import Redactor


@pytest.fixture
def run(tmp_path: Path) -> RunServices:
    run = RunServices()
    run.record = RunRecord(run_id="r", task_id="t_2")
    run.logger = logging.getLogger("test")
    run.files = Files(ProjectGuard(tmp_path))
    config: Any = SimpleNamespace(dependencies=["t_1"], continue_on_error=False, data_repository="elsewhere")
    run.provide("config", config)
    run.provide("redactor", Redactor())
    run.provide("places", ProjectPlaces(run.files, "repo"))
    run.provide("history", ExecutionLog(run.files))
    return run


def test_reports_and_outputs_are_looked_for_where_the_directories_are(run: RunServices, tmp_path: Path) -> None:
    run.files.write("repo/reports/t_1_report.json", '{"run": {"status": "success"}}', "report")
    run.files.write("repo/processed/t_1/output/safe.csv", b"x", "data")
    dependencies = pamola_provide_dependencies(run)
    assert dependencies.assert_dependencies_completed()
    assert dependencies.get_dependency_output("t_1", "*.csv") == [tmp_path / "repo/processed/t_1/output/safe.csv"]


def test_the_history_of_the_run_is_asked(run: RunServices) -> None:
    dependencies = pamola_provide_dependencies(run)
    with pytest.raises(DependencyMissingError):
        dependencies.assert_dependencies_completed()
    log: Any = run.history
    log.record_task_execution("t_1", "x", True, 1.0, None)
    assert dependencies.assert_dependencies_completed()


def test_warnings_are_those_of_the_run(run: RunServices) -> None:
    run.config.continue_on_error = True
    assert pamola_provide_dependencies(run).assert_dependencies_completed() is False
    assert len(run.record.warnings) == 1
    assert "'t_1'" in run.record.warnings[0]
