"""Eight processes append to one history and are killed at random: what was acknowledged is there and readable.

`PAMOLA_DURABILITY=all` (`nox -s durability`) makes 200 appends each instead of 25.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from pamola_tasks.storage import journal
from pamola_tasks.storage.files import Files
from pamola_tasks_compat.history import ExecutionLog
from pamola_tasks_paths import ProjectGuard

WRITERS = 8
APPENDS = 200 if os.environ.get("PAMOLA_DURABILITY") == "all" else 25

WRITER = """
import sys
sys.path[:0] = {path!r}
from pamola_tasks.storage.files import Files
from pamola_tasks_compat.history import ExecutionLog
from pamola_tasks_paths import ProjectGuard
log = ExecutionLog(Files(ProjectGuard({root!r})))
for line in sys.stdin:
    run_id = log.record_task_execution("t_{number}", "test", True, 0.1, None)
    print(run_id, flush=True)
"""


class Writer:
    """Keeps a writing process at work, and another after it was killed, until enough is acknowledged."""

    def __init__(self, root: Path, number: int) -> None:
        self.command = [sys.executable, "-c", WRITER.format(path=sys.path, root=str(root), number=number)]
        self.acknowledged: list[str] = []
        self.killed = 0
        self.process: subprocess.Popen[str] | None = None
        self.thread = threading.Thread(target=self._work)
        self.thread.start()

    def _work(self) -> None:
        while len(self.acknowledged) < APPENDS:
            process = self.process = subprocess.Popen(
                self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, stderr=subprocess.DEVNULL
            )
            assert process.stdin is not None
            assert process.stdout is not None
            try:
                while len(self.acknowledged) < APPENDS:
                    process.stdin.write("\n")
                    process.stdin.flush()
                    answer = process.stdout.readline()
                    if not answer.endswith("\n"):
                        break
                    self.acknowledged.append(answer.strip())
                else:
                    process.stdin.close()
            except BrokenPipeError:
                pass
            self.killed += process.wait() == -signal.SIGKILL

    def kill(self) -> None:
        """Kill the process that writes now."""
        if self.process is not None and self.acknowledged:
            self.process.kill()


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="there is no SIGKILL")
def test_of_eight_writers_that_are_killed_at_random_nothing_acknowledged_is_lost(tmp_path: Path) -> None:
    rng = random.Random(8)
    writers = [Writer(tmp_path, number) for number in range(WRITERS)]
    while any(writer.thread.is_alive() for writer in writers):
        wanted = sum(len(writer.acknowledged) for writer in writers) + rng.randint(1, 8)
        while sum(len(w.acknowledged) for w in writers) < wanted and any(w.thread.is_alive() for w in writers):
            time.sleep(0.001)
        rng.choice(writers).kill()
    log = ExecutionLog(Files(ProjectGuard(tmp_path)))
    acknowledged = {run_id for writer in writers for run_id in writer.acknowledged}
    assert len(acknowledged) == WRITERS * APPENDS
    log.record_task_execution("t_last", "test", True, 0.1, None)  # cuts off what a killed writer left of a line
    found = {record["task_run_id"] for record in log.records()}
    assert acknowledged - found == set(), "acknowledged and lost"
    read = journal.parse((tmp_path / log.log_path).read_bytes())
    assert (read.damaged, read.torn) == ([], False)
    kills = sum(writer.killed for writer in writers)
    assert kills > 0
    print(f"{WRITERS} writers, {len(acknowledged)} acknowledged, {kills} kills: 0 lost, 0 unreadable")
