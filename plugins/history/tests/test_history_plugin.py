"""The plugin's hooks and its command, through a kernel."""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from pamola_tasks import Kernel
from pamola_tasks.errors import UnknownTaskError
from pamola_tasks_cli.app import Invocation
from pamola_tasks_compat.history import ExecutionLog
from pamola_tasks_history.command import history, since
from pamola_tasks_history.log import ExecutionLog as KeptLog

Ask = Callable[..., Result]


def a_kernel(root: Path) -> Kernel:
    (root / ".pamola.toml").touch()
    names = ("redaction", "paths", "config", "directories", "history")
    plugins = [importlib.import_module(f"pamola_tasks_{name}.plugin") for name in names]
    return Kernel(root, autoload=False, plugins=plugins)


@pytest.fixture
def kept(tmp_path: Path) -> ExecutionLog:
    run = a_kernel(tmp_path).services(upto="history")
    assert isinstance(run.history, KeptLog)
    return ExecutionLog.of(run.history, run.files)


@pytest.fixture
def ask(tmp_path: Path) -> Ask:
    def run(*arguments: str) -> Result:
        state = Invocation()
        state.kernel = a_kernel(tmp_path)
        return CliRunner().invoke(history, arguments, obj=state, env={"COLUMNS": "200"})

    return run


def test_the_environment_may_name_another_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PAMOLA_EXECUTION_LOG_PATH", "state/runs.json")
    run = a_kernel(tmp_path).services(upto="history")
    log = ExecutionLog.of(run.history, run.files)
    assert log.initialize_execution_log() == tmp_path / "state/runs.jsonl"
    assert (tmp_path / "state/runs.json").exists()


def test_runs_are_shown_with_when_how_long_outcome_inputs_and_outputs(kept: ExecutionLog, ask: Ask) -> None:
    kept.record_task_execution("t_1", "x", True, 75.2, None, ["DATA/in.csv"], ["out/a.csv", "out/b.csv", "out/c.csv"])
    kept.record_task_execution("t_2", "x", False, 0.5, None)
    header, failed, done = ask().output.splitlines()
    assert header.split() == ["when", "(UTC)", "task", "outcome", "took", "run", "inputs", "outputs"]
    assert failed.split()[2:6] == ["t_2", "failed", "0.5", "s"]
    assert done.split()[2:8] == ["t_1", "success", "1", "min", "15", "s"]
    assert done.endswith("in.csv  a.csv, b.csv + 1")


def test_runs_can_be_chosen(kept: ExecutionLog, ask: Ask) -> None:
    ids = [
        kept.record_task_execution(task, "x", good, 1, None) for task, good in (("a", True), ("a", False), ("b", True))
    ]

    def found(*arguments: str) -> list[str]:
        return [record["task_run_id"] for record in json.loads(ask(*arguments, "--json").stdout)]

    assert found() == ids[::-1]
    assert found("a") == [ids[1], ids[0]]
    assert found("--failed") == [ids[1]]
    assert found("--limit", "1") == [ids[2]]
    assert found("--since", "1h") == ids[::-1]
    assert found("--since", (datetime.now(UTC) + timedelta(hours=1)).isoformat()) == []
    assert ask("b", "--failed").output == "No runs of this kind are in the history.\n"


def test_a_task_that_there_is_not_and_never_was_is_an_error(kept: ExecutionLog, ask: Ask) -> None:
    kept.record_task_execution("gone", "x", True, 1, None)
    assert len(ask("gone").output.splitlines()) == 2
    refused = ask("nobody").exception
    assert isinstance(refused, UnknownTaskError)
    assert "there is no task 'nobody'" in str(refused)


def test_nothing_was_run_yet(ask: Ask) -> None:
    assert ask().output == "Nothing was run yet.\n"
    assert json.loads(ask("--json").stdout) == []


def test_moments_can_be_given_in_several_ways() -> None:
    now = datetime.now(UTC)
    assert abs(since("90m") - (now - timedelta(minutes=90))) < timedelta(seconds=5)
    assert abs(since("2w") - (now - timedelta(days=14))) < timedelta(seconds=5)
    assert since("2026-03-01T09:30:00+02:00") == datetime(2026, 3, 1, 7, 30, tzinfo=UTC)
    assert since("2026-03-01") == datetime(2026, 3, 1, tzinfo=UTC)
    assert since("2026-03-01T09:30") == since("2026-03-01 09:30:00") == datetime(2026, 3, 1, 9, 30, tzinfo=UTC)
    with pytest.raises(click.BadParameter):
        since("last tuesday")
