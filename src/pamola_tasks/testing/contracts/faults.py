"""What goes wrong on purpose: a process killed at a chosen moment, a full disk, a file changed behind the back."""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import time
from typing import IO, TYPE_CHECKING, Any

import pytest

from pamola_tasks.hookspecs import hookimpl

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator
    from pathlib import Path

    from pamola_tasks.protocols import PathGuard, Project, RunServices


class Faults:
    """A plugin that looks at everything a run writes through `run.files`, and makes it go wrong when asked.

    Attributes:
        writes: What was written, in order: `(moment, name)`. Moments are `create` and `replace`, just before a file is
            under its name, `created` and `replaced`, just after, and `append`.
    """

    PAMOLA_PLUGIN_NAME = "kit-faults"

    def __init__(self) -> None:
        self.writes: list[tuple[str, str]] = []
        self._asked: list[Callable[[str, str], None]] = []

    @hookimpl(wrapper=True)
    def pamola_provide_path_guard(self, project: Project) -> Generator[None, PathGuard, Any]:
        """The guard in use, looked at."""
        guard = yield
        return _LookedAt(guard, self)

    def meet(self, moment: str, name: str) -> None:
        """Something is written now."""
        self.writes.append((moment, name))
        for asked in self._asked:
            asked(moment, name)

    @contextlib.contextmanager
    def full_disk(self, below: str = "") -> Iterator[None]:
        """While the block lasts nothing can be written, or nothing in whose name these letters are."""

        def refuse(moment: str, name: str) -> None:
            if below in name and moment in ("create", "replace", "append"):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), name)

        self._asked.append(refuse)
        try:
            yield
        finally:
            self._asked.remove(refuse)

    def killed(self, act: Callable[[], Any], moment: str, below: str) -> bool:
        """Do something in a process of its own, which is killed at a moment of `writes`; whether it came to that.

        Args:
            act: What is done.
            moment: `create`, `created`, `replace`, `replaced` or `append`.
            below: Letters of the file's name.
        """
        if not hasattr(os, "fork"):
            pytest.skip("processes are killed where they can be forked")
        child = os.fork()
        if child == 0:

            def end(now: str, name: str) -> None:
                if now == moment and below in name:
                    os.kill(os.getpid(), signal.SIGKILL)
                    time.sleep(60)

            self._asked.append(end)
            try:
                os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
                act()
            finally:
                os.kill(os.getpid(), signal.SIGTERM)
                time.sleep(60)
        return os.WTERMSIG(os.waitpid(child, 0)[1]) == signal.SIGKILL

    @staticmethod
    def change(path: Path) -> None:
        """Change one byte of a file; size and times stay."""
        found, content = path.stat(), bytearray(path.read_bytes())
        content[len(content) // 2] ^= 1
        path.write_bytes(content)
        os.utime(path, ns=(found.st_atime_ns, found.st_mtime_ns))


class _LookedAt:
    """A guard that tells of what is written."""

    def __init__(self, guard: PathGuard, faults: Faults) -> None:
        self._guard, self._faults = guard, faults

    def __getattr__(self, name: str) -> Any:
        return getattr(self._guard, name)

    def extended(self, roots: Iterable[Path]) -> _LookedAt:
        return _LookedAt(self._guard.extended(roots), self._faults)

    @contextlib.contextmanager
    def open(self, name: str, mode: str = "rb") -> Iterator[IO[Any]]:
        if mode == "ab":
            self._faults.meet("append", str(name))
        with self._guard.open(name, mode) as file:
            yield file

    @contextlib.contextmanager
    def create(self, name: str, **options: Any) -> Iterator[IO[bytes]]:
        with self._guard.create(name, **options) as file:
            yield file
            self._faults.meet("create", str(name))
        self._faults.meet("created", str(name))

    def replace(self, source: str, target: str) -> None:
        self._faults.meet("replace", str(target))
        self._guard.replace(source, target)
        self._faults.meet("replaced", str(target))


class Events:
    """An observer that keeps the events of all runs: `(event, facts)`, in the order in which they happened.

    Attributes:
        seen: Names of events, without `pamola_on_`, and what came with each, without the run.
    """

    PAMOLA_PLUGIN_NAME = "kit-events"

    def __init__(self) -> None:
        self.seen: list[tuple[str, dict[str, Any]]] = []
        self.asked: dict[str, Callable[[RunServices], None]] = {}  #: called when an event of this name happens

    def of(self, event: str) -> list[dict[str, Any]]:
        """The facts of all events of a name."""
        return [facts for name, facts in self.seen if name == event]

    def steps(self, event: str) -> list[str]:
        """The ids of the steps that an event happened to, in order."""
        return [facts["step"].id for facts in self.of(event)]

    def _happened(self, event: str, run: RunServices, **facts: Any) -> None:
        self.seen.append((event, facts))
        if event in self.asked:
            self.asked[event](run)

    @hookimpl
    def pamola_on_run_started(self, run: RunServices) -> None:
        self._happened("run_started", run)

    @hookimpl
    def pamola_on_step_started(self, run: RunServices, step: Any) -> None:
        self._happened("step_started", run, step=step)

    @hookimpl
    def pamola_on_step_progress(self, run: RunServices, step: Any, done: float, total: Any, unit: str) -> None:
        self._happened("step_progress", run, step=step, done=done, total=total, unit=unit)

    @hookimpl
    def pamola_on_step_stage(self, run: RunServices, step: Any, stage: str) -> None:
        self._happened("step_stage", run, step=step, stage=stage)

    @hookimpl
    def pamola_on_step_retried(self, run: RunServices, step: Any, attempt: int, error: Any, wait: float) -> None:
        self._happened("step_retried", run, step=step, attempt=attempt, error=error, wait=wait)

    @hookimpl
    def pamola_on_step_finished(self, run: RunServices, step: Any, result: Any) -> None:
        self._happened("step_finished", run, step=step, result=result)

    @hookimpl
    def pamola_on_step_skipped(self, run: RunServices, step: Any, reason: str) -> None:
        self._happened("step_skipped", run, step=step, reason=reason)

    @hookimpl
    def pamola_on_dataset_read(self, run: RunServices, step: Any, dataset: Any) -> None:
        self._happened("dataset_read", run, step=step, dataset=dataset)

    @hookimpl
    def pamola_on_dataset_written(self, run: RunServices, step: Any, dataset: Any) -> None:
        self._happened("dataset_written", run, step=step, dataset=dataset)

    @hookimpl
    def pamola_on_artifact(self, run: RunServices, step: Any, artifact: Any) -> None:
        self._happened("artifact", run, step=step, artifact=artifact)

    @hookimpl
    def pamola_on_run_finished(self, run: RunServices) -> None:
        self._happened("run_finished", run)
