"""Whether dependencies are completed, and what they left, from real reports and files."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pamola_tasks.errors import (
    DependencyFailedError,
    DependencyMissingError,
    InvalidParameterError,
    PathSecurityError,
    ValidationError,
)
from pamola_tasks.storage.files import Files
from pamola_tasks_compat.dependencies import TaskDependencyManager
from pamola_tasks_directories.places import ProjectPlaces
from pamola_tasks_paths import ProjectGuard

Manage = Callable[..., TaskDependencyManager]

SUCCESS = {
    "schema": 1,
    "task": {"id": "t_1"},
    "run": {"id": "r", "status": "success", "seconds": 2.5, "finished": "2026-03-01T09:30:00.000Z"},
    "operations": [{"step": "Anonymize", "name": "AnonymizeOperation", "metrics": {"k": 5, "by.dot": {"x": 1}}}],
    "metrics": {"Anonymize": {"k": 5, "by.dot": {"x": 1}}, "rows": 100},
    "errors": [],
}
FAILED = {**SUCCESS, "run": {"status": "operation_error"}, "errors": [{"type": "ValueError", "message": "k is wrong"}]}


class History:
    """The records of one task, newest first."""

    def __init__(self, *records: dict[str, Any]) -> None:
        self.records = [{"success": r["status"] == "success", "execution_time": 1.0, **r} for r in records]

    def find_latest_execution(self, task_id: str, success_only: bool = True) -> dict[str, Any] | None:
        return next((r for r in self.records if r["success"] or not success_only), None)


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(ProjectGuard(tmp_path))


@pytest.fixture
def manage(files: Files) -> Manage:
    def make(
        *dependencies: str, continue_on_error: bool = False, history: History | None = None
    ) -> TaskDependencyManager:
        config: Any = SimpleNamespace(
            dependencies=list(dependencies), continue_on_error=continue_on_error, data_repository="DATA"
        )
        return TaskDependencyManager(
            config, logging.getLogger("test"), files=files, places=ProjectPlaces(files), history=history
        )

    return make


def leave_report(files: Files, report: Any, name: str = "t_1_report.json") -> None:
    files.write(f"DATA/reports/{name}", report if isinstance(report, bytes) else json.dumps(report), "report")


@pytest.mark.parametrize("name", ["t_1_report.json", "t_1.json", "t_1/report.json"])
def test_a_dependency_whose_report_says_success_is_completed(manage: Manage, files: Files, name: str) -> None:
    leave_report(files, SUCCESS, name)
    assert manage("t_1").assert_dependencies_completed() is True
    assert manage("t_1").get_dependency_report("t_1") == files.root / "DATA/reports" / name


@pytest.mark.parametrize(
    ("report", "completed"),
    [
        ({"success": True}, True),
        ({"success": False, "status": "success"}, False),
        ({"status": "completed"}, True),
        ({"status": "success"}, True),
        ({"status": "failed"}, False),
        ({}, False),
        ({"run": {"status": "interrupted"}, "success": True}, False),
        ({"run": "success"}, False),
    ],
)
def test_reports_of_the_forerunner_are_understood(
    manage: Manage, files: Files, report: dict[str, Any], completed: bool
) -> None:
    leave_report(files, report)
    if completed:
        assert manage("t_1").assert_dependencies_completed()
    else:
        with pytest.raises(DependencyFailedError):
            manage("t_1").assert_dependencies_completed()


def test_a_failed_dependency_stops_with_its_own_message_and_what_to_do(manage: Manage, files: Files) -> None:
    leave_report(files, FAILED)
    with pytest.raises(DependencyFailedError, match=r"'t_1'.*operation_error: k is wrong.*pamola-task run t_1") as info:
        manage("t_1").assert_dependencies_completed()
    assert info.value.exit_code == 3


def test_a_missing_dependency_stops_and_all_that_is_wrong_is_said_at_once(manage: Manage, files: Files) -> None:
    leave_report(files, FAILED)
    with pytest.raises(DependencyMissingError) as info:
        manage("t_1", "t_2", "t_3").assert_dependencies_completed()
    assert [f"'{task}'" in str(info.value) for task in ("t_1", "t_2", "t_3")] == [True, True, True]
    assert info.value.details["dependencies"] == ["t_1", "t_2", "t_3"]


def test_under_continue_on_error_the_errors_are_warnings(
    manage: Manage, files: Files, caplog: pytest.LogCaptureFixture
) -> None:
    leave_report(files, FAILED)
    with caplog.at_level(logging.WARNING):
        assert manage("t_1", "t_2", continue_on_error=True).assert_dependencies_completed() is False
    assert len(caplog.records) == 2


def test_a_task_without_dependencies_is_free(manage: Manage) -> None:
    assert manage().assert_dependencies_completed() is True


def test_the_history_counts_where_there_is_no_report(manage: Manage) -> None:
    assert manage("t_1", history=History({"status": "success"})).assert_dependencies_completed()
    with pytest.raises(DependencyFailedError, match="operation_error"):
        manage("t_1", history=History({"status": "operation_error"})).assert_dependencies_completed()
    with pytest.raises(DependencyMissingError):
        manage("t_1", history=History()).assert_dependencies_completed()


def test_a_run_that_was_killed_after_a_success_is_a_failure(manage: Manage, files: Files) -> None:
    leave_report(files, SUCCESS)
    with pytest.raises(DependencyFailedError, match="aborted"):
        manage("t_1", history=History({"status": "aborted"}, {"status": "success"})).assert_dependencies_completed()


def test_a_later_run_that_could_not_write_its_report_counts(manage: Manage, files: Files) -> None:
    leave_report(files, SUCCESS)
    later = History({"status": "report_error", "finished": "2026-03-01T09:31:00.000Z"})
    with pytest.raises(DependencyFailedError, match="report_error"):
        manage("t_1", history=later).assert_dependencies_completed()
    earlier = History({"status": "operation_error", "finished": "2026-03-01T09:29:00.000Z"})
    assert manage("t_1", history=earlier).assert_dependencies_completed()


def test_while_a_dependency_runs_what_it_left_earlier_counts(
    manage: Manage, files: Files, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        assert manage(
            "t_1", history=History({"status": "running"}, {"status": "success"})
        ).assert_dependencies_completed()
    assert "may be running now" in caplog.text
    with pytest.raises(DependencyMissingError):
        manage("t_1", history=History({"status": "running"})).assert_dependencies_completed()


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff", b"[" * 100_000], ids=range(5))
def test_a_report_that_is_none_is_said_or_replaced_by_the_history(
    manage: Manage, files: Files, content: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    leave_report(files, content)
    with pytest.raises(DependencyFailedError, match=r"invalid report .*t_1_report\.json"):
        manage("t_1").assert_dependencies_completed()
    with pytest.raises(DependencyFailedError, match="cannot be read"):
        manage("t_1").get_dependency_metrics("t_1")
    with caplog.at_level(logging.WARNING):
        assert manage("t_1", history=History({"status": "success"})).assert_dependencies_completed()
    assert "using the history" in caplog.text


def test_a_dependency_may_be_a_path_in_the_project(
    manage: Manage, files: Files, caplog: pytest.LogCaptureFixture
) -> None:
    files.write("DATA/foreign/a.csv", b"x", "data")
    manager = manage("DATA/foreign")
    assert [manager.is_absolute_dependency(i) for i in ("DATA/foreign", "C:x", "t_1")] == [True, True, False]
    with caplog.at_level(logging.WARNING):
        assert manager.assert_dependencies_completed()
    assert "is a path" in caplog.text
    assert manager.get_dependency_output("DATA/foreign", "*.csv") == [files.root / "DATA/foreign/a.csv"]
    assert manager.get_dependency_output(str(files.root / "DATA/foreign")) == files.root / "DATA/foreign"
    with pytest.raises(ValidationError):
        manager.get_dependency_report("DATA/foreign")
    with pytest.raises(DependencyMissingError):
        manage("/etc").assert_dependencies_completed()


@pytest.mark.parametrize("odd", ["..", "", "a\n", "CON*"])
def test_an_id_that_is_no_name_is_refused(manage: Manage, odd: str) -> None:
    for ask in ("get_dependency_output", "get_dependency_report", "get_dependency_status", "get_dependency_metrics"):
        with pytest.raises(PathSecurityError):
            getattr(manage(), ask)(odd)


def test_the_output_of_a_dependency_is_its_directory_or_the_files_that_match(manage: Manage, files: Files) -> None:
    folder = "DATA/processed/t_1/output"
    for name in ("b.csv", "a.csv", "a.json", "deep/c.csv", "deep/er/d.csv", ".hidden.csv"):
        files.write(f"{folder}/{name}", b"x", "data")
    (files.root / folder / ".a.csv.tmp-pamola-00aa").write_bytes(b"half")
    (files.root / folder / "link.csv").symlink_to("/etc/passwd")

    def found(pattern: str) -> list[str]:
        paths = manage().get_dependency_output("t_1", pattern)
        assert isinstance(paths, list)
        return [path.relative_to(files.root / folder).as_posix() for path in paths]

    assert manage().get_dependency_output("t_1") == files.root / folder
    assert found("*.csv") == ["a.csv", "b.csv"]
    assert found("?.json") == ["a.json"]
    assert found("deep/*.csv") == ["deep/c.csv"]
    assert found("**/*.csv") == ["a.csv", "b.csv", "deep/c.csv", "deep/er/d.csv"]
    assert found("**") == ["a.csv", "a.json", "b.csv", "deep/c.csv", "deep/er/d.csv"]
    assert found("**/er/*") == ["deep/er/d.csv"]
    assert found(".*.csv*") == [".hidden.csv"]
    assert found("*.parquet") == []
    assert found("deep") == []


@pytest.mark.parametrize("pattern", ["../*", "/etc/*", "deep/../../*", "..\\*", "C:\\*", ""])
def test_a_pattern_that_leaves_the_directory_is_refused(manage: Manage, files: Files, pattern: str) -> None:
    files.write("DATA/processed/t_1/output/a.csv", b"x", "data")
    with pytest.raises(PathSecurityError):
        manage().get_dependency_output("t_1", pattern)


def test_an_output_that_is_not_there_stops_or_is_a_warning(
    manage: Manage, files: Files, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(DependencyMissingError, match="has to be run first"):
        manage().get_dependency_output("t_1")
    going_on = manage(continue_on_error=True)
    with caplog.at_level(logging.WARNING):
        assert going_on.get_dependency_output("t_1") == files.root / "DATA/processed/t_1/output"
        assert going_on.get_dependency_output("t_1", "*.csv") == []
        assert going_on.get_dependency_report("t_1") == files.root / "DATA/reports/t_1_report.json"
        assert going_on.get_dependency_metrics("t_1") == {}
    assert len(caplog.records) == 4
    with pytest.raises(DependencyMissingError):
        manage().get_dependency_report("t_1")


def test_metrics_are_found_by_dotted_path(manage: Manage, files: Files) -> None:
    leave_report(files, SUCCESS)
    ask = manage().get_dependency_metrics
    assert ask("t_1") == {"Anonymize": {"k": 5, "by.dot": {"x": 1}}, "rows": 100}
    assert ask("t_1", "rows") == {"rows": 100}
    assert ask("t_1", "Anonymize.k") == {"k": 5}
    assert ask("t_1", "Anonymize.by.dot.x") == {"x": 1}
    for missing in ("Anonymize.l", "Anonymize.k.x", "", "k"):
        with pytest.raises(InvalidParameterError, match=r"it has Anonymize\.k, Anonymize\.by\.dot\.x, rows") as info:
            ask("t_1", missing)
        assert isinstance(info.value, KeyError)


def test_the_metrics_of_steps_are_found_in_reports_that_list_them_with_the_steps_only(
    manage: Manage, files: Files
) -> None:
    leave_report(files, {**SUCCESS, "metrics": {}})
    assert manage().get_dependency_metrics("t_1", "Anonymize.k") == {"k": 5}


def test_the_status_of_a_dependency_has_all_its_facts(manage: Manage, files: Files) -> None:
    leave_report(files, SUCCESS)
    assert manage().get_dependency_status("t_1") == {
        "task_id": "t_1",
        "success": True,
        "status": "success",
        "execution_time": 2.5,
        "completion_time": "2026-03-01T09:30:00.000Z",
        "error_info": None,
        "report_path": str(files.root / "DATA/reports/t_1_report.json"),
    }
    leave_report(files, FAILED)
    status = manage().get_dependency_status("t_1")
    assert (status["success"], status["error_info"]["message"]) == (False, "k is wrong")
    with pytest.raises(DependencyMissingError):
        manage().get_dependency_status("t_2")
    missing = manage(continue_on_error=True).get_dependency_status("t_2")
    assert (missing["success"], missing["status"], missing["report_path"]) == (False, "missing", None)
