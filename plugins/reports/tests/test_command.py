"""`pamola-task report`, and what importing the plugin costs."""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from pamola_tasks import BaseTask, Kernel
from pamola_tasks.errors import ReportingError, UnknownTaskError, UsageError
from pamola_tasks_cli.app import Invocation
from pamola_tasks_reports import TaskReporter
from pamola_tasks_reports.command import report as command

NEWER = "01990000-0000-7000-8000-000000000002"


class Known(BaseTask):
    """A task that has not been run."""

    def __init__(self) -> None:
        super().__init__("t_known", "analysis", "Known")


@pytest.fixture
def report(tmp_path: Path, make_run: Any) -> Callable[..., Result]:
    """Calls the command in a project where t_1 succeeded, and then failed."""
    (tmp_path / ".pamolaProject").touch()
    TaskReporter.of_run(make_run(tmp_path)).save_report()
    newer = make_run(tmp_path, success=False)
    newer.record.run_id = NEWER
    TaskReporter.of_run(newer).save_report()
    plugins = [
        importlib.import_module(f"pamola_tasks_{name}.plugin")
        for name in ("config", "paths", "directories", "redaction")
    ]
    state = Invocation()
    state.kernel = Kernel(tmp_path, autoload=False, plugins=plugins)
    runner = CliRunner()

    def call(*arguments: str) -> Result:
        return runner.invoke(command, arguments, obj=state)

    return call


def test_the_newest_report_is_printed_as_text(report: Callable[..., Result]) -> None:
    result = report("t_1")
    assert result.exit_code == 0, result.exception
    assert result.stdout.startswith("# Anonymize patients\n\n**not met**: nothing is claimed of the outputs\n")
    assert "\n**failed** · t_1" in result.stdout


@pytest.mark.parametrize("run_id", ["01990000-0000-7000-8000-000000000001", "01990000-0000-7000-8000-000000000002"])
def test_the_report_of_a_given_run_is_printed(report: Callable[..., Result], run_id: str) -> None:
    assert f"Run {run_id}," in report("t_1", "--run", run_id).stdout


@pytest.mark.parametrize("arguments", [("--json",), ("--format", "json"), ("--json", "--format", "json")])
def test_json_is_one_document(report: Callable[..., Result], arguments: tuple[str, ...]) -> None:
    assert json.loads(report("t_1", *arguments).stdout)["run"]["id"] == NEWER


def test_html_is_printed(report: Callable[..., Result]) -> None:
    assert report("t_1", "--format", "html").stdout.startswith("<!DOCTYPE html>")


def test_a_beginning_that_fits_several_runs_names_them(report: Callable[..., Result]) -> None:
    error = report("t_1", "--run", "01990000").exception
    assert isinstance(error, UsageError)
    assert "2 runs" in str(error)
    assert NEWER in str(error)


def test_an_unknown_run_names_those_there_are(report: Callable[..., Result]) -> None:
    error = report("t_1", "--run", "../../secret").exception
    assert isinstance(error, UsageError)
    assert NEWER in str(error)


def test_an_unknown_task_is_said_to_be_unknown(report: Callable[..., Result]) -> None:
    assert isinstance(report("t_2").exception, UnknownTaskError)


def test_a_task_that_was_never_run_is_said_to_have_no_report(report: Callable[..., Result]) -> None:
    error = report(f"{__file__}:Known").exception
    assert isinstance(error, UsageError)
    assert "t_known has no report yet" in str(error)


def test_formats_that_contradict_each_other_are_refused(report: Callable[..., Result]) -> None:
    assert isinstance(report("t_1", "--json", "--format", "md").exception, UsageError)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "damaged"),
        (b"{", "damaged"),
        (b"\xff\xfe", "damaged"),
        (b"[]", "not a report"),
        (b'{"task": {}, "schema": 2}', "schema 2"),
        (b"[" * 100_000, "damaged"),
        (b'{"task": {"id": "t_1"}, "schema": 1, "operations": [{"seconds": "long"}]}', "was edited"),
    ],
)
def test_a_damaged_report_is_an_error_that_names_the_file(
    tmp_path: Path, report: Callable[..., Result], content: bytes, said: str
) -> None:
    (tmp_path / "DATA/reports/t_1_report.json").write_bytes(content)
    error = report("t_1").exception
    assert isinstance(error, ReportingError), error
    assert said in str(error)
    assert "t_1_report.json" in str(error)


def test_open_shows_the_page_in_the_browser(
    tmp_path: Path, report: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []
    monkeypatch.setattr("click.launch", lambda url: opened.append(url) or 0)
    older = "01990000-0000-7000-8000-000000000001"
    assert report("t_1", "--open").exit_code == 0
    assert report("t_1", "--run", older, "--open").exit_code == 0
    assert opened == [
        str(tmp_path / "DATA/reports/t_1_report.html"),
        str(tmp_path / f"DATA/reports/t_1/{older}.html"),
    ]
    assert "completed" in Path(opened[1]).read_text()
