"""The live file of a run: what is in it while the run goes on, when it has ended, and when it was killed."""

from __future__ import annotations

import json
import os
import signal
import stat
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

TASKS = '''
import os, time
from pamola_tasks import BaseTask, Operation, OperationResult, reads, writes

class Copy(Operation):
    """Copies a table."""
    input_dataset: str = reads()
    output_dataset: str = writes("copy")

    def execute(self, ctx):
        ctx.stage("reading")
        frame = ctx.data.frame(self.input_dataset)
        ctx.stage("counting " + os.environ.get("NOT_SHOWN", ""))
        for done in range(1001):
            ctx.progress(done, 1000, "rows")
        ctx.stage("writing")
        ctx.data.write(self.output_dataset, frame)
        with ctx.artifact("counts", "json", tags=["charts"]) as file:
            file.write(b"{}")
        return OperationResult.success()

class Fails(Operation):
    """Fails twice, naming a cell."""
    input_dataset: str = reads()

    def execute(self, ctx):
        ctx.stage("measuring")
        raise TimeoutError("no " + ctx.data.frame(self.input_dataset)["city"][0] + " here")

class Sleeps(Operation):
    """Sleeps."""
    def execute(self, ctx):
        ctx.stage("sleeping")
        time.sleep(60)

class Task(BaseTask):
    does = []
    def __init__(self):
        super().__init__("t_1", "test", "A task.", {"people": "DATA/raw/people.csv"})
    def configure_operations(self):
        for operation in self.does:
            self.add_operation(operation, **({} if operation is Sleeps else {"input_dataset": "people"}))

class Good(Task):
    does = [Copy]
class Bad(Task):
    does = [Copy, Fails]
class Slow(Task):
    does = [Sleeps]
'''


@pytest.fixture
def folder(place: Path) -> Path:
    (place / "tasks.py").write_text(TASKS)
    (place / "DATA/raw/people.csv").write_text("city\nZurich-Seefeld\n")
    return place


def file_of(folder: Path) -> Path:
    return folder / "DATA/processed/t_1/.state/live.jsonl"


def events_of(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file_of(folder).read_text().splitlines()]


def test_every_event_is_a_line_and_a_new_run_begins_a_new_file(cli: Any, folder: Path) -> None:
    """Without a cell, without a secret, for nobody else to read; the words are those of the hooks."""
    secret = {"MY_API_TOKEN": "hunter2hunter2", "NOT_SHOWN": "hunter2hunter2"}
    more = ("--set", "retry.max_retries=1", "--set", "retry.initial_wait=0.01")
    cli("run", "tasks.py:Bad", *more, cwd=folder, env=secret, code=1)
    events = events_of(folder)
    assert stat.S_IMODE(file_of(folder).stat().st_mode) == 0o600
    said = [event["event"] for event in events]
    copy = ["step_started", "step_stage", "step_stage"]
    left = ["step_stage", "dataset_read", "dataset_written", "artifact", "step_finished"]
    fails = ["step_started", "step_stage", "step_retried", "step_stage", "step_finished"]
    of_copy = [event for event in events if event.get("step") == "Copy"]
    progress = [event for event in of_copy if event["event"] == "step_progress"]
    assert [word for word in said if word != "step_progress"] == ["run_started", *copy, *left, *fails, "run_finished"]
    assert 2 <= len(progress) < 8, "at most twice a second, and the end"
    assert [(e["done"], e["total"], e["unit"]) for e in progress[-1:]] == [(1000, 1000, "rows")]
    text = file_of(folder).read_text()
    assert "Zurich" not in text
    assert "hunter2" not in text
    assert "counting ***" in text
    assert events[-1]["status"] == "operation_error"
    assert {event["run"] for event in events} == {events[0]["run"]}
    [written] = [event for event in events if event["event"] == "dataset_written"]
    assert (written["dataset"], written["rows"], written["kind"]) == ("copy", 1, "output")
    assert (folder / written["path"]).is_file()

    cli("run", "tasks.py:Good", cwd=folder, code=0)
    again = events_of(folder)
    assert again[0]["run"] != events[0]["run"]
    assert [event["event"] for event in again] == ["run_started", "step_skipped", "run_finished"]
    kept = ("artifact", "type", "tags", "bytes", "path")
    assert [{key: each[key] for key in kept} for each in again[1]["artifacts"]] == [
        {key: each[key] for key in kept} for each in of_copy if each["event"] == "artifact"
    ]
    assert again[1]["operation"] == of_copy[0]["operation"]


def test_a_killed_run_leaves_a_file_that_says_nothing_of_its_end(
    cli: Any, folder: Path, start: Callable[..., Any]
) -> None:
    run = start("run", "tasks.py:Slow", cwd=folder)
    end = time.monotonic() + 30
    while not (file_of(folder).exists() and "sleeping" in file_of(folder).read_text()) and time.monotonic() < end:
        time.sleep(0.05)
    os.kill(run.pid, signal.SIGKILL)
    run.communicate()
    assert events_of(folder)[-1]["stage"] == "sleeping"
    assert json.loads(cli("status", "t_1", "--json", cwd=folder).stdout)["state"] == "aborted"


def test_a_file_that_cannot_be_written_stops_no_run(cli: Any, folder: Path) -> None:
    file_of(folder).mkdir(parents=True)
    done = cli("-v", "run", "tasks.py:Good", cwd=folder, code=0)
    assert done.stderr.count("live.jsonl cannot be written") == 1
    assert not json.loads((folder / "DATA/reports/t_1_report.json").read_text()).get("observers")


def test_a_step_that_reads_more_is_expected_to_take_longer(cli: Any, folder: Path) -> None:
    """By the bytes of a CSV file, of which the rows are not known before it is read."""
    cli("run", "tasks.py:Good", cwd=folder, code=0)
    took = next(event["seconds"] for event in events_of(folder) if event["event"] == "step_finished")
    table = folder / "DATA/raw/people.csv"
    table.write_text("city\n" + "Bern\n" * (9 * table.stat().st_size // 5 - 1))
    times = 9 * len("city\nZurich-Seefeld\n") // 5 * 5 / len("city\nZurich-Seefeld\n")
    cli("run", "tasks.py:Good", cwd=folder, code=0)
    began = next(event for event in events_of(folder) if event["event"] == "step_started")
    expected = datetime.fromisoformat(began["eta"]) - datetime.fromisoformat(began["at"])
    assert expected.total_seconds() == pytest.approx(took * times, rel=0.05, abs=0.01)
