"""Steps that another interpreter makes: what is the same as here, what their fingerprint has, what may go wrong."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
import sysconfig
import time
import venv
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="memory and descendants are watched on Linux")

TASKS = """\
import os, sys, time
import pandas
from pamola_tasks import BaseTask, Operation, OperationResult, reads, writes

class Copy(Operation):
    people: str = reads()
    out: str = writes("copied")
    names: list[str] = []

    def execute(self, ctx):
        ctx.stage("copying")
        frame = ctx.data.frame(self.people)
        frame["when"] = pandas.to_datetime("2024-02-29")
        frame["kind"] = frame["city"].astype("category")
        frame["half"] = frame["age"].astype("Int64").where(frame["person"] != 3)
        ctx.logger.info("copies %d rows", len(frame))
        ctx.warn(f"columns: {', '.join(ctx.data.columns(self.people))}")
        print("noise on standard output")
        with ctx.artifact("seen", "txt", "What was seen", category="metrics", tags=["t"]) as file:
            file.write(b"seen")
        ctx.progress(60, 60, "rows")
        pieces = (frame[n : n + 25] for n in range(0, 60, 25))
        ctx.data.write(self.out, pieces)
        metrics = {"python": sys.executable, "noise": float(ctx.rng.random()), "names": self.names}
        return OperationResult.success(metrics)

class Sum(Operation):
    copied: str = reads()

    def execute(self, ctx):
        total = sum(int(piece["age"].sum()) for piece in ctx.data.chunks(self.copied, 20, ["age"]))
        return OperationResult.success({"total": total, "pid": os.getpid()})

class Misbehave(Operation):
    how: str
    people: str = reads("people")
    out: str = writes("{how}_out")

    def execute(self, ctx):
        frame = ctx.data.frame(self.people)
        ctx.data.write(self.out, frame)
        if self.how == "crash":
            os.kill(os.getpid(), 11)
        elif self.how == "garbage":
            for number in range(3, 10):
                try:
                    os.write(number, b"Hello")
                except OSError:
                    pass
        elif self.how == "hang":
            time.sleep(600)
        elif self.how == "memory":
            taken = []
            while True:
                taken.append(b"x" * 10_000_000)
                time.sleep(0.01)
        elif self.how == "data":
            raise ValueError("cannot use " + 9 * frame["city"][0])
        elif self.how == "odd":
            ctx._channel.send("done", answer={"status": "splendid"})
        elif self.how == "again":
            if not os.path.exists("tried"):
                open("tried", "w").close()
                raise ConnectionError("away")
        elif self.how == "wait":
            open("waits", "w").write(str(os.getpid()))
            time.sleep(0 if os.path.exists("go") else 600)
        elif self.how == "escape":
            sys.exit(3)
        return OperationResult.success()

OTHER = "other/bin/python"

class Copies(BaseTask):
    def __init__(self):
        super().__init__("copies", input_datasets={"people": "DATA/raw/people.csv"})

    def configure_operations(self):
        step = {} if os.environ.get("HERE") else {"python": OTHER}
        self.add_operation(Copy, people="people", names=["a"], step={"id": "copy", **step})
        self.add_operation(Sum, copied="copied", step={"id": "sum", **step})

class Bad(Copies):
    def configure_operations(self):
        limits = {"hang": {"timeout": 1}, "memory": {"step_memory_limit_mb": 600}}
        limits["again"] = {"retry": {"max_retries": 1, "initial_wait": 0.01}}
        for how in ("crash", "garbage", "hang", "memory", "data", "odd", "again", "escape"):
            self.add_operation(Misbehave, how=how, step={"id": how, "python": OTHER, **limits.get(how, {})})

class Waits(Copies):
    def configure_operations(self):
        super().configure_operations()
        self.add_operation(Misbehave, how="wait", step={"id": "wait", "python": OTHER})

class Unusable(Copies):
    def configure_operations(self):
        for name in os.environ["PYTHONS"].split(","):
            self.add_operation(Sum, copied="people", step={"python": name})
"""


@pytest.fixture
def other(place: Path) -> Path:
    """A venv in the project that finds the libraries of this one."""
    venv.create(place / "other", with_pip=False)
    site = next(place.glob("other/lib/python*/site-packages"))
    (site / "here.pth").write_text(f"import site; site.addsitedir({sysconfig.get_path('purelib')!r})")
    (place / "tasks.py").write_text(TASKS)
    return site


def run(cli: Any, place: Path, task: str, *more: str, **env: str) -> dict[str, Any]:
    done = cli("run", f"tasks.py:{task}", *more, "--json", cwd=place, env=env)
    assert done.stdout, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return {**found, "by": {step["step"]: step for step in found["steps"]}, "stderr": done.stderr}


def test_a_step_does_there_what_it_does_here(cli: Any, place: Path, other: Path) -> None:
    """The same file, artifact, random numbers, warnings; what is installed there is reported and fingerprinted."""
    copied = place / "DATA/processed/copies/output/copied.csv"
    here = run(cli, place, "Copies", "--set", "seed=7", HERE="1")
    written = copied.read_bytes()
    there = run(cli, place, "Copies", "--set", "seed=7", "--restart")
    assert there["status"] == "success", there
    assert copied.read_bytes() == written
    metrics = there["by"]["copy"]["metrics"]
    assert metrics.pop("python") == str(place / "other/bin/python") != here["by"]["copy"]["metrics"].pop("python")
    assert metrics == here["by"]["copy"]["metrics"]
    assert there["by"]["sum"]["metrics"]["total"] == here["by"]["sum"]["metrics"]["total"]
    assert (place / "DATA/processed/copies/internal/seen.txt").read_bytes() == b"seen"
    report = json.loads(cli("report", "copies", "--format", "json", cwd=place, code=0).stdout)
    assert "columns: person, age, city" in json.dumps(report["warnings"])
    assert report["sections"]["interpreters"]["facts"]["interpreters"][0]["steps"] == "copy, sum"
    libraries = {
        each["distribution"]: each["version"] for each in report["sections"]["interpreters"]["facts"]["libraries"]
    }
    assert libraries["pandas"] == __import__("pandas").__version__

    info = other / "helpful_lib-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: helpful-lib\nVersion: 1.0\n")
    again = run(cli, place, "Copies", "--set", "seed=7", "--dry-run")
    assert "helpful-lib of the step's interpreter is new" in json.dumps(again)


def test_what_goes_wrong_there_fails_its_step_alone(cli: Any, place: Path, other: Path) -> None:
    """Each failure has its own code; a cell in a message is not shown; nothing of a failed step is published."""
    run(cli, place, "Bad", "--continue-on-error", "--jobs", "2")
    report = json.loads((place / "DATA/reports/copies_report.json").read_text())
    failed = {error["step"]: error for error in report["errors"]}
    assert {name: error["exception_type"] for name, error in failed.items()} == {
        "crash": "InterpreterCrashed",
        "garbage": "InterpreterGarbage",
        "hang": "StepTimeout",
        "memory": "OperationError",
        "data": "OperationThereFailed",
        "odd": "InterpreterGarbage",
        "escape": "OperationThereFailed",
    }
    assert "SIGSEGV" in failed["crash"]["message"]
    assert "600 MiB of its step_memory_limit_mb" in failed["memory"]["message"]
    assert "ValueError" in failed["data"]["message"]
    assert "aaaaaaaaa" not in json.dumps(report)
    assert {step["step"]: step["attempts"] for step in report["operations"]}["again"] == 2
    outputs = [path.name for path in (place / "DATA/processed/copies/output").iterdir()]
    assert outputs == ["again_out.csv"]


def test_an_interpreter_that_cannot_be_used_is_refused_before_anything_runs(cli: Any, place: Path, other: Path) -> None:
    scripts = {
        "old": "echo 'pamola [\"CPython\", [3, 6, 9], {}]'",
        "crashes": "exit 3",
        "says": "echo Hello",
    }
    for name, line in scripts.items():
        (place / name).write_text(f"#!/bin/sh\n{line}\n")
        (place / name).chmod(0o755)
    names = "old,crashes,says,nowhere/python"
    done = cli("run", "tasks.py:Unusable", cwd=place, env={"PYTHONS": names}, code=2)
    for code in ("interpreter_too_old", "interpreter_crashed", "interpreter_garbage", "interpreter_missing"):
        assert f"[{code}]" in done.stdout.replace("\n", ""), done.stdout
    done = cli("run", "tasks.py:Unusable", cwd=place, env={"PYTHONS": sys.executable}, code=4)
    assert "allowed_external_paths" in done.stdout
    (place / "old").chmod(0o777)
    cli("run", "tasks.py:Unusable", cwd=place, env={"PYTHONS": "old"}, code=4)
    (place / "configs/prj_config.yaml").write_text("locked: [executor.python]\n")
    done = cli("run", "tasks.py:Copies", cwd=place, code=2)
    assert "python is locked by" in done.stdout


def test_a_run_killed_while_another_interpreter_works_is_continued(
    cli: Any, start: Any, place: Path, other: Path
) -> None:
    """The other interpreter ends with the run; finished steps are skipped, and nothing is left over."""
    process = start("run", "tasks.py:Waits", cwd=place)
    there = waiting(place, process)
    process.kill()
    process.wait()
    while alive(there):
        time.sleep(0.02)
    assert not (place / "DATA/processed/copies/output/wait_out.csv").exists()
    (place / "go").touch()
    found = run(cli, place, "Waits")
    assert {name: step["status"] for name, step in found["by"].items()} == {
        "copy": "skipped",
        "sum": "skipped",
        "wait": "success",
    }
    assert (place / "DATA/processed/copies/output/wait_out.csv").exists()

    (place / "go").unlink()
    (place / "waits").unlink()
    process = start("run", "tasks.py:Waits", "--restart", cwd=place)
    there = waiting(place, process)
    os.kill(process.pid, signal.SIGINT)
    assert process.wait() == 130
    assert not alive(there)


def waiting(place: Path, process: Any) -> int:
    """The number of the other interpreter, once its step waits."""
    while not (place / "waits").exists() or not (place / "waits").read_text():
        assert process.poll() is None, process.stdout.read()
        time.sleep(0.02)
    return int((place / "waits").read_text())


def alive(pid: int) -> bool:
    """Whether a process runs."""
    with contextlib.suppress(OSError):
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    return False
