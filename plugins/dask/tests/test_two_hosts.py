"""Two hosts, which are network namespaces with a cable between them that can be pulled."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from clusters import OwnCluster, until

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or os.geteuid() != 0 or shutil.which("ip") is None,
    reason="only root on Linux can make network namespaces, with iproute2",
)

TASKS = (Path(__file__).parent / "importable/dask_tasks.py").read_text()
NAME = f"pam{os.getpid()}"
HERE, THERE = "10.231.77.1", "10.231.77.2"
LINES = f"""\
netns add {NAME}
link add {NAME}a type veth peer name {NAME}b netns {NAME}
addr add {HERE}/30 dev {NAME}a
link set {NAME}a up
-n {NAME} addr add {THERE}/30 dev {NAME}b
-n {NAME} link set {NAME}b up
-n {NAME} link set lo up
"""


@pytest.fixture
def hosts(tmp_path: Path) -> Iterator[OwnCluster]:
    """A cluster with its scheduler and a worker on this host, and a worker on the other."""
    try:
        for line in LINES.splitlines():
            made = subprocess.run(["ip", *line.split()], capture_output=True, text=True, check=False)
            if made.returncode:
                pytest.skip(f"a network namespace cannot be made here: {made.stderr.strip()}")
        folder = tmp_path / "cluster"
        folder.mkdir()
        with OwnCluster(folder, host=HERE) as cluster:
            cluster.add_worker()
            cluster.add_worker(before=("ip", "netns", "exec", NAME), host=THERE)
            cluster.wait_for(2)
            yield cluster
    finally:
        subprocess.run(["ip", "netns", "del", NAME], capture_output=True, check=False)


def test_a_project_on_two_hosts_and_a_cable_that_is_pulled(cli, start, project, hosts):
    """All tasks of a project, one needing another; the host that is cut off answers too late, and changes nothing."""
    (project / "tasks.py").write_text(TASKS)
    hosts.configure(project)
    more = ("--set", "seed=7", "--set", "retry.initial_wait=0.1")
    cli("run", "tasks.py:Diamond", *more, cwd=project, code=0)
    right = outputs(project)
    for path in project.glob("began.*"):
        path.unlink()
    run = start("run", "tasks.py:Diamond", "--restart", "--executor", "dask", "--jobs", "2", *more, cwd=project)
    until(lambda: len(list(project.glob("began.*"))) >= 2, "steps run on both hosts")
    subprocess.run(["ip", "link", "set", f"{NAME}a", "down"], check=True)
    said, _ = run.communicate(timeout=240)
    subprocess.run(["ip", "link", "set", f"{NAME}a", "up"], check=True)
    assert run.returncode == 0, said
    assert outputs(project) == right


def outputs(project: Path) -> dict[str, str]:
    files = project.joinpath("DATA/processed/diamond/output").iterdir()
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(files)}
