"""A PostgreSQL server of the tests' own, a project whose project file names it, and runs that are killed."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import attrs
import pytest
from installed import cli as cli
from installed import home as home
from postgresql_server import SECRET, NoServer, Server, started


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """One server for all tests."""
    try:
        with started() as server:
            yield server
    except NoServer as reason:
        pytest.skip(str(reason))


@pytest.fixture
def project(tmp_path: Path, server: Server, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project that may use the database `clinic`, and replace tables whose names begin with `out`."""
    monkeypatch.setenv("CLINIC_PASSWORD", SECRET)
    root = tmp_path / "project"
    (root / "configs").mkdir(parents=True)
    (root / ".pamola.toml").touch()
    (root / "configs/prj_config.yaml").write_text(
        "output_format: parquet\n"
        "checkpoints: {keep_intermediate: true}\n"
        f"sql:\n  databases:\n    clinic:\n      url: {server.url}\n      user: owner\n"
        "      password: ${env:CLINIC_PASSWORD}\n      write: ['out*', 'research.*']\n"
    )
    return root


@attrs.frozen
class Begun:
    """A run of the task `people` in the background. Its lock file says which process it is."""

    end: Future[subprocess.CompletedProcess[str]]
    pid: int
    lock: Path

    def steps(self) -> list[str]:
        """The steps that it says it runs now."""
        return self.lock.read_text().splitlines()[-1].split()

    def wait(self, until: Callable[[], object]) -> None:
        """Wait until something is so; the run must not end before."""
        while not until():
            assert not self.end.done(), self.end.result()
            time.sleep(0.02)

    def kill(self, after: float = 0) -> None:
        """Kill it after so many seconds, unless it has ended then."""
        with contextlib.suppress(TimeoutError):
            self.end.result(after)
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)
        assert self.end.result().returncode in (0, -signal.SIGKILL), self.end.result()


@pytest.fixture
def begin(cli, project: Path) -> Iterator[Callable[..., Begun]]:
    """Begin a run of the task `people`; it has its lock then."""
    lock = project / "DATA/processed/people/.state/lock"

    def holder() -> int:
        with contextlib.suppress(OSError, ValueError, IndexError):
            return int(json.loads(lock.read_text().splitlines()[0])["pid"])
        return 0

    def begun(*arguments: str) -> Begun:
        before, end = holder(), threads.submit(cli, "run", "people", *arguments, cwd=project)
        while (pid := holder()) in (0, before):
            assert not end.done(), end.result()
            time.sleep(0.005)
        return Begun(end, pid, lock)

    with ThreadPoolExecutor(1) as threads:
        yield begun
