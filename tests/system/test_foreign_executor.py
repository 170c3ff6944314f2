"""A stranger's executor makes each attempt in an interpreter of its own, with only what the manual says."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent

TASKS = """\
import os, time
from pamola_tasks import BaseTask, Operation, OperationResult, reads, writes

class Work(Operation):
    input_dataset: str = reads()
    output_dataset: str = writes("{input}_more")

    def execute(self, ctx):
        frame = ctx.data.frame(self.input_dataset)
        ctx.progress(1, 1)
        ctx.logger.info("rows: %d", len(frame))
        ctx.warn("look at the rows")
        ctx.data.write(self.output_dataset, frame)
        with ctx.artifact(f"rows_{ctx.step.id}", "json") as file:
            file.write(str(len(frame)).encode())
        return OperationResult.success({"pid": os.getpid(), "noise": float(ctx.rng.random())})

class Hang(Operation):
    def execute(self, ctx):
        with open("hang.pid", "w") as file:
            file.write(str(os.getpid()))
        time.sleep(600)

class Break(Operation):
    def execute(self, ctx):
        raise ConnectionRefusedError("the real message")

class Three(BaseTask):
    def __init__(self):
        super().__init__("three", input_datasets={"people": "DATA/raw/example.csv"})

    def configure_operations(self):
        self.add_operation(Work, input_dataset="people", output_dataset="a", step={"id": "a"})
        self.add_operation(Work, input_dataset="people", output_dataset="b", step={"id": "b"})
        self.add_operation(Work, input_dataset="a", output_dataset="c", step={"id": "c"})

class Hangs(BaseTask):
    def configure_operations(self):
        self.add_operation(Hang, step={"id": "hang", "timeout": 1.5})

    def __init__(self):
        super().__init__("hangs")

class Breaks(BaseTask):
    def configure_operations(self):
        self.add_operation(Break, step={"id": "bad", "retry": {"max_retries": 1, "initial_wait": 0.01}})

    def __init__(self):
        super().__init__("breaks")
"""


@pytest.fixture(scope="module")
def acme(extra_site: Callable[[Path], Path]) -> dict[str, str]:
    return {"PYTHONPATH": str(extra_site(HERE / "elsewhere"))}


@pytest.fixture
def tasks(project: Path) -> Path:
    (project / "tasks.py").write_text(TASKS)
    return project


def run(cli: Any, folder: Path, name: str, env: dict[str, str], *more: str) -> dict[str, Any]:
    done = cli("run", f"tasks.py:{name}", "--json", "--set", "seed=7", *more, cwd=folder, env=env)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_the_same_results_as_here(cli, tasks, acme):
    """Each step has a process of its own; datasets, artifacts, warnings and random numbers are those of threads."""
    found = {}
    for name, more in (("here", ["--executor", "threads"]), ("elsewhere", ["--jobs", "2", "--restart"])):
        document = run(cli, tasks, "Three", acme, *more)
        assert document["status"] == "success", document
        steps = document["steps"]
        pids = {step["metrics"].pop("pid") for step in steps}
        assert len(pids) == (1 if name == "here" else 3)
        root = tasks / "DATA/processed/three"
        files = {p.name: p.read_bytes() for p in sorted(root.joinpath("output").iterdir())}
        assert {"b.csv", "c.csv", "rows_a.json"} <= files.keys()
        assert not list(root.rglob("*.new"))
        assert "look at the rows" in document["warnings"]
        found[name] = files, [(step["step"], step["metrics"]) for step in steps]
    assert found["here"] == found["elsewhere"]
    again = run(cli, tasks, "Three", acme)
    assert [step["status"] for step in again["steps"]] == ["skipped"] * 3


def test_a_step_that_takes_too_long_is_cancelled(cli, tasks, acme):
    document = run(cli, tasks, "Hangs", acme)
    assert document["status"] == "operation_error"
    assert "took longer than 1.5 s and was stopped" in json.dumps(document)
    pid = int((tasks / "hang.pid").read_text())
    for _ in range(500):
        if not Path(f"/proc/{pid}").exists():
            break
        time.sleep(0.01)
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_failures_come_back_with_their_message_and_are_tried_again(cli, tasks, acme):
    document = run(cli, tasks, "Breaks", acme)
    assert "gave up after 2 attempts: ConnectionRefusedError: the real message" in json.dumps(document)
    lost = run(cli, tasks, "Breaks", {**acme, "ACME_LOSES_WORK": "1"})
    assert "the interpreter ended with exit code 9" in json.dumps(lost)
