"""A cluster on this machine that is started for a run: it listens to this user alone, and nothing of it is left."""

from __future__ import annotations

import os
import re
import resource
import signal
import sys
from pathlib import Path

import psutil
import pytest
from clusters import alive, descendants, until

from pamola_tasks_dask.helper import Piped

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="processes and ports are looked for in /proc")

TASKS = (Path(__file__).parent / "importable/dask_tasks.py").read_text()
WAITS = ("run", "tasks.py:Waits", "--executor", "dask", "--jobs", "2")


def listening(pids: set[int]) -> list[tuple[str, int]]:
    """Addresses and ports at which processes listen."""
    inodes = set()
    for pid in pids:
        for descriptor in Path(f"/proc/{pid}/fd").iterdir():
            inodes.add(os.readlink(descriptor).removeprefix("socket:[").rstrip("]"))
    lines = [
        line.split() for name in ("tcp", "tcp6") for line in Path(f"/proc/net/{name}").read_text().split("\n")[1:-1]
    ]
    found = [line[1].split(":") for line in lines if line[3] == "0A" and line[9] in inodes]
    return [(address, int(port, 16)) for address, port in found]


@pytest.mark.parametrize(
    "end", ["failure", "Ctrl-C", "SIGKILL", *(["success"] if os.environ.get("PAMOLA_FUZZ") else [])]
)
def test_nothing_is_left_and_nothing_listens_to_others(start, project, end):
    """A scheduler, a nanny and a worker for one step: three ports of 127.0.0.1, no page; no process after the end."""
    (project / "tasks.py").write_text(TASKS)
    more = ["--set", "timeout=1.5"] if end == "failure" else []
    run = start(*WAITS, *more, cwd=project)
    until(lambda: list(project.glob("began.*")), "the step runs")
    below = descendants(run.pid)
    assert {address for address, _ in listening({run.pid, *below})} == {"0100007F"}
    assert len(listening({run.pid, *below})) == 3
    assert alive(int(next(project.glob("began.*")).suffix[1:]))
    if end == "Ctrl-C":
        run.send_signal(signal.SIGINT)
    elif end == "SIGKILL":
        run.kill()
    elif end == "success":
        (project / "go").touch()
    said, _ = run.communicate(timeout=240)
    assert run.returncode == {"success": 0, "failure": 1, "Ctrl-C": 130, "SIGKILL": -9}[end], said
    until(lambda: not any(map(alive, below)), "all that the run started has ended", 20)
    assert "Traceback" not in said
    assert "distributed" not in said


def test_processes_of_the_cluster_are_no_leftovers_of_steps(start, project):
    """A step fails while another runs, whose helper is slow to end: it ends with the cluster, without a word."""
    (project / "tasks.py").write_text(TASKS)
    run = start("run", "tasks.py:Fails", "--executor", "dask", "--jobs", "2", cwd=project)
    until(lambda: list(project.glob("began.*")), "the other step runs")
    below = psutil.Process(int(next(project.glob("began.*")).suffix[1:])).parents()
    helper = next(process for process in below if "pamola_tasks_dask.helper" in process.cmdline())
    helper.suspend()
    (project / "fail").touch()
    said, _ = run.communicate(timeout=240)
    assert run.returncode == 1, said
    assert "it fails" in said
    assert "steps left" not in said
    assert not alive(helper.pid)


def test_what_a_helper_opens_is_not_written_to_core_dumps():
    """Also where those are on."""
    least, most = resource.getrlimit(resource.RLIMIT_CORE)
    if most == 0:
        pytest.skip("core dumps cannot be turned on here")
    resource.setrlimit(resource.RLIMIT_CORE, (most, most))
    try:
        helper = Piped("pamola_tasks_dask.helper")
        assert len(helper.incoming.recv_bytes()) == 32, "a public key"
        limits = Path(f"/proc/{helper.process.pid}/limits").read_text()
        assert helper.end() == 0
    finally:
        resource.setrlimit(resource.RLIMIT_CORE, (least, most))
    assert re.search(r"^Max core file size +0 ", limits, re.M), limits
