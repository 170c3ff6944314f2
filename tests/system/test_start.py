"""What a run of small steps costs, in causes: modules that are imported, files that are opened, processes."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

NODES = """
from pamola_tasks import Operation, OperationResult, hookimpl

class Node(Operation):
    number: int
    def execute(self, ctx):
        return OperationResult.success()

@hookimpl
def pamola_add_operations():
    return {"Node": Node}
"""
WATCHED = """
import json, os, sys
done = {"modules": [], "opened": 0, "flushed": 0, "processes": 0}
def count(event, arguments):
    # processes are looked for thread by thread, and one more may be there at the moment
    done["opened"] += event == "open" and not str(arguments[0]).startswith("/proc/")
    done["processes"] += event in ("os.posix_spawn", "os.fork", "_posixsubprocess.fork_exec", "subprocess.Popen")
def counted(name, key):
    plain = getattr(os, name)
    def call(*arguments, **named):
        done[key] += 1
        return plain(*arguments, **named)
    setattr(os, name, call)
for name in ("fsync", "fdatasync"):
    if hasattr(os, name):
        counted(name, "flushed")
from pamola_tasks_paths import opening
if hasattr(opening, "openat2"):
    by_handle = opening.openat2
    def openat2(*arguments, **named):
        done["opened"] += 1
        return by_handle(*arguments, **named)
    opening.openat2 = openat2
sys.addaudithook(count)
before = set(sys.modules)
from pamola_tasks_cli import main
sys.argv = ["pamola-task", "--plugin", "nodes.py", "--quiet", "run", "t", *sys.argv[1:]]
try:
    main()
finally:
    done["modules"] = sorted(set(sys.modules) - before)
    print(json.dumps(done), file=sys.stderr)
"""
NOT_NEEDED = (
    "cattrs click.testing concurrent.futures cryptography csv decimal difflib email importlib.metadata jinja2 "
    "logging.handlers markdown_it multiprocessing numpy pandas pickle pyarrow socket statistics subprocess tomllib "
    "zipfile"
).split()
OF_OTHERS = ("compat", "demo", "orchestration", "scaffold", "audit")


@pytest.fixture
def run(python, tmp_path: Path):
    """Runs a task of so many steps in a new process; what happened in it."""
    (tmp_path / ".pamola.toml").touch()
    (tmp_path / "nodes.py").write_text(NODES)
    (tmp_path / "configs").mkdir()

    def go(steps: int, *arguments: str) -> dict:
        operations = "".join(f"  - Node: {{number: {i}}}\n    id: n{i}\n" for i in range(steps))
        (tmp_path / "configs/t.yaml").write_text(f"task_id: t\ntask_type: small\noperations:\n{operations}")
        done = python("-c", WATCHED, *arguments, cwd=tmp_path)
        assert done.returncode == 0, done.stdout + done.stderr
        found: dict = json.loads(done.stderr.splitlines()[-1])
        return found

    return go


def test_a_run_of_one_small_step_imports_what_it_uses(run) -> None:
    found = run(1)["modules"]
    assert {name for name in NOT_NEEDED if name in found} == set()
    others = tuple(f"pamola_tasks_{other}." for other in OF_OTHERS)
    own = (".plugin", ".settings")  # a section of the configuration is checked in every run
    assert {name for name in found if name.startswith(others) and not name.endswith(own)} == set()
    assert "pamola_tasks_reports.charts.form" not in found, "no step left a chart"
    assert "pamola_tasks_encryption.container" not in found, "nothing is encrypted"
    assert "pamola_ops_anonymize.identifier_rule" not in found, "no column is judged"


def test_a_run_starts_no_process(run) -> None:
    assert run(1)["processes"] == 0


def test_a_further_step_opens_few_files_and_flushes_none(run) -> None:
    ten, twenty = run(10, "--restart"), run(20, "--restart")
    assert twenty["opened"] - ten["opened"] <= 2 * 10  # the journal, and the history
    assert twenty["flushed"] == ten["flushed"] <= 2


@pytest.mark.skipif(sys.platform == "win32", reason="processes are started in another way")
def test_workers_are_started_by_the_first_step_that_needs_one(run) -> None:
    starting = ("multiprocessing.popen_forkserver", "multiprocessing.popen_spawn_posix")
    apart = ("--jobs", "2", "--executor", "processes")
    assert set(run(3, *apart)["modules"]) & set(starting)
    assert not set(run(3, *apart)["modules"]) & set(starting), "nothing had to be done"


def test_steps_in_processes_run_where_the_folder_for_temporary_files_has_a_long_path(cli, project, tmp_path):
    """The socket of the server that forks workers lies there, and the path of a socket is limited."""
    long = tmp_path / ("x" * 60) / ("y" * 60)
    long.mkdir(parents=True)
    environment = {"TMPDIR": str(long)}
    cli("run", "example", "--executor", "processes", "--jobs", "2", cwd=project, env=environment, code=0)
