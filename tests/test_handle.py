"""Runs that a program starts, watches and cancels: `Kernel.start` and `Kernel.arun`, in real projects."""

from __future__ import annotations

import asyncio
import json
import logging
import pickle
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from installed import Cli
from kernel_kit import Nothing, Steps, kernel_of

from pamola_tasks import BaseTask, Kernel, hookimpl
from pamola_tasks.errors import Cancelled, ConfigurationError, RunCancelled, SetupError, UnknownTaskError

Python = Callable[..., "subprocess.CompletedProcess[str]"]
TASK = """\
import sys, time
import numpy
from pamola_tasks import BaseTask, Operation, OperationResult

class Quick(Operation):
    def execute(self, ctx):
        with ctx.artifact("quick", "txt", "A file") as file:
            file.write(b"done")
        return OperationResult.success(metrics={"one": 1})

class Busy(Operation):
    how: str

    def execute(self, ctx):
        root = ctx.run.project.root
        if (root / "be_quick").exists():
            return OperationResult.success()
        with ctx.artifact("half", "txt", "A file") as file:
            file.write(b"half")
            (root / f"begun-{ctx.run.record.task_id}").touch()
            if self.how == "sleeps":
                time.sleep(40)
            while True:
                sum(range(1000))

class Task(BaseTask):
    def __init__(self):
        super().__init__("busy")

    def configure_operations(self):
        self.add_operation(Quick)
        self.add_operation(Busy, how="computes")
"""


@pytest.fixture
def busy(place: Path) -> Callable[..., Kernel]:
    """A project with a task `busy` that goes on and on, in one of two ways."""

    def kernel(how: str = "computes") -> Kernel:
        (place / ".pamola.toml").touch()
        (place / "busy.py").write_text(TASK.replace('"computes"', repr(how)))
        return Kernel.discover(place)

    return kernel


def begun(root: Path) -> None:
    until = time.monotonic() + 60
    while not list(root.glob("begun-*")):
        assert time.monotonic() < until
        time.sleep(0.01)


@pytest.mark.parametrize("kind", ["threads", "processes"])
@pytest.mark.parametrize("how", ["computes", "sleeps"])
def test_a_cancelled_run_ends_at_once_and_resumes(
    busy: Callable[..., Kernel], place: Path, cli: Cli, how: str, kind: str
) -> None:
    """In a step that computes, and in one that waits where no exception reaches it: it is not waited for."""
    handle = busy(how).start("busy.py", overrides={"executor.kind": kind})
    begun(place)
    assert not handle.done
    handle.cancel()
    outcome = handle.result(timeout=10)
    assert (outcome.status, outcome.exit_code) == ("interrupted", 130)
    assert isinstance(outcome.error, Cancelled)
    assert list(outcome.results)[:1] == ["Quick"]
    assert not list(place.rglob("half*"))
    assert not list(place.rglob("*.new"))
    (place / "be_quick").touch()
    done = cli("run", "busy.py", "--json", cwd=place)
    assert done.returncode == 0, done.stderr
    assert [step["status"] for step in json.loads(done.stdout)["steps"]] == ["skipped", "success"]


AFTERWARDS = """import sys, time
from pathlib import Path
from pamola_tasks import Kernel

handle = Kernel.discover(".").start("busy.py")
if sys.argv[1] == "cancelled":
    while not list(Path(".").glob("begun-*")):
        time.sleep(0.01)
    handle.cancel()
elif sys.argv[1] == "too late":
    list(handle.events())
    handle.cancel()
print(handle.result().status)
sys.setprofile(lambda *event: None)
print(sum(len(str(number)) for number in range(10)))
"""


@pytest.mark.parametrize("when", ["not", "cancelled", "too late"])
def test_after_a_run_a_profiler_works(busy: Callable[..., Kernel], place: Path, python: Python, when: str) -> None:
    """CPython 3.11 runs in circles under one while an interruption of a thread is open that nothing raises."""
    busy()
    if when != "cancelled":
        (place / "be_quick").touch()
    done = python("-c", AFTERWARDS, when, cwd=place)
    assert done.stdout.split() == ["interrupted" if when == "cancelled" else "success", "10"], done.stderr


def test_events_are_those_of_the_hooks_for_every_reader(place: Path, busy: Callable[..., Kernel]) -> None:
    """Read while it runs by one thread, and once more when it has ended."""
    (place / "be_quick").touch()
    handle = busy().start("busy.py")
    heard: list[str] = []
    reader = threading.Thread(target=lambda: heard.extend(event.event for event in handle.events()))
    reader.start()
    outcome = handle.result(timeout=60)
    reader.join(timeout=10)
    told = [(event.event, event.step) for event in handle.events()]
    assert told == [
        ("run_started", ""),
        ("step_started", "Quick"),
        ("artifact", "Quick"),
        ("step_finished", "Quick"),
        ("step_started", "Busy"),
        ("step_finished", "Busy"),
        ("run_finished", ""),
    ]
    assert heard == [event for event, _ in told]
    assert {event.run for event in handle.events()} == {outcome.run_id}
    *_, last = (json.loads(json.dumps(event.to_dict())) for event in handle.events())
    assert (last["event"], last["status"]) == ("run_finished", "success")
    handle.cancel()
    assert handle.result().success
    assert handle.done


def test_result_says_that_the_run_goes_on(busy: Callable[..., Kernel], place: Path) -> None:
    handle = busy().start("busy.py")
    begun(place)
    with pytest.raises(TimeoutError, match=r"task busy has not ended after 0.01 s: it continues"):
        handle.result(timeout=0.01)
    handle.cancel()
    assert handle.result(timeout=10).status == "interrupted"


def test_cancelling_what_awaits_a_run_cancels_the_run(busy: Callable[..., Kernel], place: Path) -> None:
    kernel = busy()

    async def program() -> None:
        waiting = asyncio.create_task(kernel.arun("busy.py"))
        await asyncio.to_thread(begun, place)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        (place / "be_quick").touch()
        assert (await kernel.arun("busy.py")).success  # the lock has been let go of

    asyncio.run(program())


def test_what_cannot_begin_is_an_error_of_the_caller_or_of_the_result(busy: Callable[..., Kernel]) -> None:
    kernel = busy()
    with pytest.raises(UnknownTaskError):
        kernel.start("nothing")
    with pytest.raises(ConfigurationError, match="seed"):
        kernel.start("busy.py", overrides={"seed": "x"}).result(timeout=60)
    with pytest.raises(TypeError, match="override"):
        kernel.start("busy.py", override={})


def test_a_run_that_is_cancelled_before_it_begins_changes_nothing() -> None:
    """Cancelled while the kernel waits to be let in: nothing is recorded."""

    class Waits(Steps):
        def initialize(self, *arguments: Any, **options: Any) -> bool:
            waits.wait(60)
            return super().initialize(*arguments, **options)

    waits, kernel = threading.Event(), kernel_of()
    handle = kernel.start(Waits(Nothing))
    handle.cancel()
    waits.set()
    with pytest.raises(RunCancelled, match="before it began"):
        handle.result(timeout=10)
    assert list(handle.events()) == []
    assert kernel.plugins["memory-history"].object.records == []


def test_ten_runs_of_different_tasks_at_once(place: Path) -> None:
    """One kernel, ten tasks: each reads its own table and leaves its own."""
    for number in range(10):
        (place / f"DATA/raw/n{number}.csv").write_text("n\n" + f"{number}\n" * 50)
        (place / f"configs/t{number}.yaml").write_text(
            f"task_id: t{number}\ninput_datasets: {{n: DATA/raw/n{number}.csv}}\n"
            "operations: [{ProfileOperation: {dataset_name: n}}]\n"
        )
    kernel = Kernel.discover(place)
    outcomes = [handle.result(timeout=120) for handle in [kernel.start(f"t{number}") for number in range(10)]]
    assert [outcome.status for outcome in outcomes] == ["success"] * 10, [outcome.error for outcome in outcomes]
    assert [outcome.task_id for outcome in outcomes] == [f"t{number}" for number in range(10)]
    assert [run.record.inputs[0].path for run in outcomes] == [f"DATA/raw/n{number}.csv" for number in range(10)]
    assert not [outcome.record.warnings for outcome in outcomes if outcome.record.warnings]


def test_an_outcome_goes_to_another_process(place: Path, busy: Callable[..., Kernel], python: Python) -> None:
    """Its facts and its datasets; an error of a class in a file is in words there."""
    (place / "configs/t.yaml").write_text(
        "task_id: t\ninput_datasets: {people: DATA/raw/people.csv}\n"
        "operations: [{DropOperation: {input_dataset: people, output_dataset: fewer, columns: [person]}}]\n"
    )
    kernel = busy()
    (place / "busy.py").write_text(
        TASK.replace("return OperationResult.success()", "raise Odd(1)") + "\nclass Odd(Exception):\n    pass\n"
    )
    (place / "be_quick").touch()
    outcomes = [kernel.run("t"), kernel.run("busy.py")]
    (place / "outcomes").write_bytes(pickle.dumps(outcomes))
    script = "import pickle, json, pathlib, pamola_tasks\n"
    script += "well, ill = pickle.loads(pathlib.Path('outcomes').read_bytes())\n"
    script += "print(json.dumps([well.to_dict(), list(well.datasets['fewer']), repr(ill), repr(ill.error)]))\n"
    (place / "script.py").write_text(script)
    done = python("script.py", cwd=place)
    assert done.returncode == 0, done.stderr
    facts, columns, said, error = json.loads(done.stdout)
    assert facts == json.loads(json.dumps(outcomes[0].to_dict()))
    assert columns == ["age", "city"]
    assert said == repr(outcomes[1])
    assert error.startswith("OperationError(")


def test_objects_show_themselves_on_a_screen(place: Path, busy: Callable[..., Kernel]) -> None:
    kernel = busy()
    (place / "be_quick").touch()
    shown = [kernel, kernel.plan("busy.py").plan, kernel.run("busy.py")]
    for each in shown:
        assert len(repr(each).splitlines()) < 25
        assert len(repr(each)) < 2000
        assert each._repr_html_().startswith(("<table>", "<iframe"))
    assert "2 steps" in repr(shown[2])
    assert repr(shown[1]).splitlines()[1:] == ["Quick:  → ", "Busy:  → "]


WRONG = {
    "an unknown task": lambda kernel: kernel.run("nothing"),
    "no task": lambda kernel: kernel.run(42),
    "a class that cannot be made": lambda kernel: kernel.run(type("Bare", (BaseTask,), {})),
    "an override": lambda kernel: kernel.run("busy.py", overrides={"seed": "x"}),
    "overrides": lambda kernel: kernel.run("busy.py", overrides=["seed"]),
    "an unknown override": lambda kernel: kernel.run("busy.py", overrides={"executor.knd": "threads"}),
    "a file": lambda kernel: kernel.run("broken"),
    "a plugin": lambda kernel: Kernel(kernel.project.root, plugins=[Broken()]).run("busy.py"),
    "a project": lambda kernel: Kernel(kernel.project.root / "nowhere").run("busy.py"),
}


class Broken:
    @hookimpl
    def pamola_on_step_finishd(self, step: Any) -> None: ...


@pytest.mark.parametrize("what", WRONG)
def test_what_is_wrong_with_task_or_configuration_is_one_kind_of_error(
    busy: Callable[..., Kernel], place: Path, what: str
) -> None:
    kernel = busy()
    (place / "configs/broken.yaml").write_text("task_id: broken\nseed: [\n")
    with pytest.raises(SetupError):
        WRONG[what](kernel)


def test_log_lines_reach_the_loggers_of_the_program(
    busy: Callable[..., Kernel], place: Path, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    """By the levels that the program sets; nothing is printed, and no handler is added."""
    (place / "be_quick").touch()
    handlers = [list(logging.getLogger(name).handlers) for name in ("", "pamola_tasks", "pamola_tasks.task")]
    kernel = busy()
    kernel.run("busy.py")
    assert not [record for record in caplog.records if record.levelno < logging.WARNING]
    caplog.set_level(logging.INFO, logger="pamola_tasks")
    kernel.run("busy.py", restart=True)
    lines = [record.getMessage() for record in caplog.records if record.name == "pamola_tasks.task.busy"]
    assert lines[0] == "step Quick starts"
    assert capfd.readouterr() == ("", "")
    assert handlers == [list(logging.getLogger(name).handlers) for name in ("", "pamola_tasks", "pamola_tasks.task")]
