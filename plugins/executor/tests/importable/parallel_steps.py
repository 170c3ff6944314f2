"""Operations, a task and observers that processes of the tests import by name, and fast: without pandas."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

from pamola_tasks import BaseTask, Operation, OperationContext, OperationResult, hookimpl, writes

PATIENCE = 240.0


def wait_for(there: Any) -> None:
    """Wait until something is so."""
    until = time.monotonic() + PATIENCE
    while not there():
        if time.monotonic() > until:
            raise AssertionError("it never came about")
        time.sleep(0.005)


def pids(path: Path) -> list[int]:
    """The processes that left their ids in a folder."""
    return [int(file.read_text()) for file in sorted(path.glob("*.pid"))]


def gone(pid: int) -> bool:
    """Whether a process does nothing any more (a zombie that nobody has buried does not count)."""
    try:
        os.kill(pid, 0)
        stat = Path(f"/proc/{pid}/stat")
        return stat.exists() and stat.read_text().rpartition(")")[2].split()[0] == "Z"
    except (ProcessLookupError, FileNotFoundError):
        return True


class Given(BaseTask):
    """A task whose steps are given: (operation, parameters, options)."""

    def __init__(self, *steps: tuple[type[Operation], dict[str, Any], dict[str, Any]], **more: Any) -> None:
        super().__init__("t_1", **more)
        self.steps = steps

    def configure_operations(self) -> None:
        for operation, parameters, options in self.steps:
            self.add_operation(operation, step=options, **parameters)


class Meet(Operation):
    """End when as many as are wanted are there at once."""

    folder: str
    many: int

    def execute(self, ctx: OperationContext) -> OperationResult:
        folder = Path(self.folder)
        (folder / f"{ctx.step.id}.here").touch()
        wait_for(lambda: len(list(folder.glob("*.here"))) >= self.many)
        return OperationResult.success({"pid": os.getpid()})


class Hang(Operation):
    """Write something, start a process, and never end."""

    folder: str
    output_dataset: str | None = writes(None)

    def execute(self, ctx: OperationContext) -> OperationResult:
        with ctx.artifact(f"half_{ctx.step.id}", "json") as file:
            file.write(b"1")
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
        for name, pid in ((f"{ctx.step.id}-child", child.pid), (ctx.step.id, os.getpid())):
            half = Path(self.folder) / f"{name}.half"
            half.write_text(str(pid))
            half.rename(half.with_suffix(".pid"))  # who waits for it finds it whole
        while True:
            time.sleep(0.05)


class Slow(Operation):
    """End a little after a file has appeared."""

    file: str

    def execute(self, ctx: OperationContext) -> OperationResult:
        (Path(self.file).parent / f"{ctx.step.id}.slow").touch()
        wait_for(Path(self.file).exists)
        time.sleep(0.2)
        return OperationResult.success()


class Odd(Exception):
    """An exception that can be sent, and not be made again."""

    def __init__(self, one: int, two: int) -> None:
        super().__init__(f"odd {one} and {two}")


class Fail(Operation):
    """Fail once a file is there, leaving another."""

    message: str = "it broke"
    odd: bool = False
    after: str | None = None
    leaves: str | None = None

    def execute(self, ctx: OperationContext) -> OperationResult:
        if self.after:
            wait_for(Path(self.after).exists)
        if self.leaves:
            Path(self.leaves).touch()
        deep_inside(self.odd, self.message)
        return OperationResult.success()


def deep_inside(odd: bool, message: str) -> None:
    """Where it goes wrong."""
    if odd:
        raise Odd(1, 2)
    try:
        raise KeyError("the first cause")
    except KeyError as error:
        raise ConnectionRefusedError(message) from error


class Crash(Operation):
    """Take the process away."""

    def execute(self, ctx: OperationContext) -> OperationResult:
        os.kill(os.getpid(), 9)
        return OperationResult.success()


class Hog(Operation):
    """Take memory."""

    megabytes: int

    def execute(self, ctx: OperationContext) -> OperationResult:
        taken = []
        for _ in range(self.megabytes // 10):
            taken.append(b"1" * (10 * 2**20))
            time.sleep(0.01)
        return OperationResult.success({"megabytes": len(taken) * 10})


class Flaky(Operation):
    """Fail as often as there are no marks yet, with an error that passes."""

    folder: str
    times: int = 1

    def execute(self, ctx: OperationContext) -> OperationResult:
        marks = len(list(Path(self.folder).glob("*.mark")))
        if marks < self.times:
            (Path(self.folder) / f"{marks}.mark").touch()
            raise ConnectionError("the line was busy")
        return OperationResult.success()


class Interrupt(Operation):
    """What Ctrl-C does, in a step."""

    def execute(self, ctx: OperationContext) -> OperationResult:
        raise KeyboardInterrupt


class Watch:
    """Hears everything, and notes which thread told it and whether two did at a time."""

    PAMOLA_PLUGIN_NAME = "watch"

    def __init__(self) -> None:
        self.heard: list[str] = []
        self.elsewhere: list[str] = []
        self.inside = 0
        self.overlapped = False

    def _hear(self, what: str) -> None:
        self.inside += 1
        self.overlapped = self.overlapped or self.inside > 1
        time.sleep(0.002)
        if threading.current_thread() is not threading.main_thread():
            self.elsewhere.append(what)
        self.heard.append(what)
        self.inside -= 1

    @hookimpl
    def pamola_on_step_started(self, step: Any) -> None:
        self._hear(f"started {step.id}")

    @hookimpl
    def pamola_on_step_progress(self, step: Any, done: float) -> None:
        self._hear(f"progress {step.id} {done:g}")

    @hookimpl
    def pamola_on_step_stage(self, step: Any, stage: str) -> None:
        self._hear(f"stage {step.id} {stage}")

    @hookimpl
    def pamola_on_step_retried(self, step: Any, attempt: int, error: BaseException) -> None:
        self._hear(f"retried {step.id} {attempt} {type(error).__name__}")

    @hookimpl
    def pamola_on_step_finished(self, step: Any, result: OperationResult) -> None:
        self._hear(f"finished {step.id} {result.status.value}")

    @hookimpl
    def pamola_on_dataset_read(self, step: Any, dataset: Any) -> None:
        self._hear(f"read {step.id} {dataset.name} {dataset.rows}")

    @hookimpl
    def pamola_on_dataset_written(self, step: Any, dataset: Any) -> None:
        self._hear(f"written {step.id} {dataset.name}")

    @hookimpl
    def pamola_on_artifact(self, step: Any, artifact: Any) -> None:
        self._hear(f"artifact {step.id} {artifact.name}")
