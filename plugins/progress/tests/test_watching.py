"""What is seen of a run while it goes on: on a terminal of 80 columns, without one, and as JSON lines."""

from __future__ import annotations

import json
import re
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from terminal import on_a_terminal, screen_after

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there are no pseudo-terminals")

STAGES = {"reading": 0.7, "measuring": 1.3, "writing": 0.7}
TASK = f"""
import time
from pamola_tasks import BaseTask, Operation, OperationResult

class AnOperationWithQuiteALongName(Operation):
    '''Takes its time, and says only in one of its stages how far it is, in a description that no line has room for.'''
    def execute(self, ctx):
        for stage, seconds in {STAGES}.items():
            ctx.stage(stage)
            for done in range(20):
                if stage == "measuring":
                    ctx.progress(done, 20, "rows")
                time.sleep(seconds / 20)
        return OperationResult.success()

class Task(BaseTask):
    def __init__(self):
        super().__init__("t_1", "test", "A task.")
    def configure_operations(self):
        self.add_operation(AnOperationWithQuiteALongName)
"""
LINE = re.compile(r"(.+) \|(.{5,20})\|\s+(\d+ %|-- %)\s+(\d+:\d\d) ((?:ETA|stage) [\d-]+:[\d-]+)\s*")


@pytest.fixture
def folder(place: Path) -> Path:
    (place / "tasks.py").write_text(TASK)
    return place


def test_each_stage_shows_bar_share_clock_and_end_at_80_columns(home: Path, folder: Path) -> None:
    """The clock goes on in stages that report nothing; a second run knows when it ends, and nothing is left over."""
    command = ("run", "tasks.py:Task", "--restart")
    for attempt in ("first", "second"):
        written = on_a_terminal(folder, home, *command)
        drawn = [part for part in re.split(r"[\r\n]|\x1b\[A", written) if "|" in part]
        assert max(map(len, drawn)) < 80
        seen: dict[str, list[re.Match[str]]] = {stage: [] for stage in STAGES}
        for part in drawn:
            line = LINE.fullmatch(part)
            assert line is not None, part
            for stage in STAGES:
                if line[1].rstrip().endswith(stage):
                    seen[stage].append(line)
        assert all(seen.values())
        assert {line[4] for line in seen["measuring"]} >= {"0:01"}
        known = {stage: {line[5] for line in lines if "--" not in line[5]} for stage, lines in seen.items()}
        if attempt == "first":
            assert (known["reading"], known["writing"]) == (set(), set())
            assert {end.split()[0] for end in known["measuring"]} == {"stage"}
        else:
            assert all(line[5].startswith("ETA") and "--" not in line[3] for lines in seen.values() for line in lines)
        left = screen_after(written)
        assert left[0].startswith("t_1 succeeded")
        assert not [line for line in left if "|" in line]

    events = [json.loads(line) for line in (folder / "DATA/processed/t_1/.state/live.jsonl").read_text().splitlines()]
    at = {(event["event"], event.get("stage")): datetime.fromisoformat(event["at"]) for event in events}
    began, ended = at["step_started", None], at["step_finished", None]
    half = [
        event
        for event in events
        if "eta" in event and datetime.fromisoformat(event["at"]) >= began + (ended - began) / 2
    ]
    expected, said = datetime.fromisoformat(half[0]["eta"]), datetime.fromisoformat(half[0]["at"])
    assert abs((expected - ended) / (ended - said)) <= 0.3


def test_without_a_terminal_a_line_says_it_and_quiet_says_nothing(cli: Any, folder: Path) -> None:
    command = ("run", "tasks.py:Task", "--restart", "--set", "progress.line_interval=0.3")
    lines = cli(*command, cwd=folder, code=0).stderr.splitlines()
    assert len(lines) >= 3
    pattern = (
        r"t_1: AnOperationWithQuiteALongName (\w+), [\d-]+ %, 0:0\d elapsed, (ETA|stage) \S+ \(run: 0:0\d elapsed.*\)"
    )
    found = [re.fullmatch(pattern, line) for line in lines]
    assert all(found), lines
    assert {line[1] for line in found if line} == set(STAGES)
    assert cli("-q", *command, cwd=folder, code=0).stderr == ""
    refused = cli("run", "tasks.py:Task", "--set", "progress.line_interval=-1", cwd=folder)
    assert "line_interval must be a number of seconds" in refused.stderr + refused.stdout


def test_json_lines_are_those_of_the_live_file(cli: Any, folder: Path) -> None:
    done = cli("run", "tasks.py:Task", "--restart", "--log-format", "json", cwd=folder, code=0)
    said = [line for line in done.stderr.splitlines() if "event" in json.loads(line)]
    assert said == (folder / "DATA/processed/t_1/.state/live.jsonl").read_text().splitlines()
