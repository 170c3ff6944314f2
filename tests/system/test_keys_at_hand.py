"""A key reaches the processes that need it, and no other; the memory that holds it is never written to the disk."""

from __future__ import annotations

import base64
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from command_line import SCRIPT
from installed import clean_environment

KEY = base64.b64encode(bytes(range(32))).decode()
OTHER = base64.b64encode(bytes(range(1, 33))).decode()
LOOKS = """
import ctypes, os, resource, subprocess, sys
from pamola_tasks import BaseTask, Operation, OperationResult

class Looks(Operation):
    out: str

    def execute(self, ctx):
        with ctx.artifact(self.out, "txt", "made") as file:
            file.write(b"-")
        names = [n for n in os.environ if n in ("PAMOLA_KEY", "PAMOLA_PASSPHRASE", "PAMOLA_KEY_FD")]
        child = subprocess.run(["env"], capture_output=True, text=True).stdout
        names += [n for n in ("PAMOLA_KEY=", "PAMOLA_PASSPHRASE=", "PAMOLA_KEY_FD=") if n in child]
        if sys.platform == "linux":
            assert ctypes.CDLL(None).prctl(3) == 0, "this process can dump its memory"  # PR_GET_DUMPABLE
            assert resource.getrlimit(resource.RLIMIT_CORE)[0] == 0
        assert not names, names
        return OperationResult.success()

class One(BaseTask):
    def __init__(self):
        super().__init__(type(self).__name__.lower())
    def configure_operations(self):
        self.add_operation(Looks, out="seen_" + self.task_id)

class Two(One):
    pass
"""


@pytest.fixture
def looking(project: Path) -> Path:
    """A project with two tasks whose step looks at its process."""
    (project / "looks.py").write_text(LOOKS)
    for name in ("one", "two"):
        task = {"task_class": f"looks.py:{name.title()}", "use_encryption": True}
        (project / f"configs/{name}.json").write_text(json.dumps(task))
    (project / "configs/example.yaml").unlink()
    return project


@pytest.mark.parametrize("how", [[], ["--executor", "processes"]])
@pytest.mark.parametrize("source", ["variable", "descriptor", "command"])
def test_no_step_and_no_program_that_it_starts_inherits_the_key(looking: Path, home: Path, source: str, how: list[str]):
    """Of PAMOLA_KEY, PAMOLA_KEY_FD and PAMOLA_KEY_COMMAND; what the run writes is encrypted with it."""
    environment = {**clean_environment(home), "PYTHONPATH": str(looking), "PAMOLA_PASSPHRASE": "not-needed"}
    (home / "key").write_text(KEY)
    (home / "key").chmod(0o600)
    with (home / "key").open("rb") as file:
        environment |= {
            "variable": {"PAMOLA_KEY": KEY},
            "descriptor": {"PAMOLA_KEY_FD": str(file.fileno())},
            "command": {"PAMOLA_KEY_COMMAND": f"cat '{home / 'key'}'"},
        }[source]
        command = [str(SCRIPT), "run", "one", "two", "--jobs", "2", *how]
        done = subprocess.run(
            command, cwd=looking, env=environment, capture_output=True, text=True, pass_fds=[file.fileno()], check=False
        )
    assert done.returncode == 0, done.stdout + done.stderr
    for name in ("one", "two"):
        assert (looking / f"DATA/processed/{name}/output/seen_{name}.txt").read_bytes()[:8] == b"ptask/1\n"


@pytest.mark.parametrize("said", ["999", "-1", "x", "99999999999999999999"])
def test_a_descriptor_that_is_not_open_is_told(looking: Path, cli, said: str):
    """With the way out; nothing is written."""
    done = cli("run", "one", cwd=looking, env={"PAMOLA_KEY_FD": said, "PYTHONPATH": str(looking)}, code=4)
    assert "PAMOLA_KEY_FD" in done.stdout + done.stderr
    assert not (looking / "DATA/processed/one/output/seen_one.txt").exists()


def test_only_the_project_says_which_program_is_started_for_the_key(looking: Path, cli, home: Path):
    """A task file could start anything else."""
    (home / "key").write_text(KEY)
    command = [sys.executable, "-c", f"print(open({str(home / 'key')!r}).read())"]
    task = looking / "configs/one.json"
    task.write_text(json.dumps({**json.loads(task.read_text()), "encryption": {"key_command": command}}))
    refused = cli("run", "one", cwd=looking, env={"PYTHONPATH": str(looking)}, code=2)
    assert "PAMOLA_KEY_COMMAND" in refused.stdout + refused.stderr
    (looking / "configs/prj_config.yaml").write_text(json.dumps({"encryption": {"key_command": command}}))
    cli("run", "two", cwd=looking, env={"PYTHONPATH": str(looking)}, code=0)
    assert "encryption.key_command" in cli("keys", "list", cwd=looking, code=0).stdout


def test_another_key_than_that_of_the_tasks_files_is_told(looking: Path, cli):
    """The run is refused with both keys and the way out; `report` says it and fails; `rekey` makes it work."""
    env = {"PYTHONPATH": str(looking), "PAMOLA_KEY": KEY}
    another = {**env, "PAMOLA_KEY": OTHER}
    cli("run", "one", cwd=looking, env=env, code=0)
    before = (looking / "DATA/processed/one/output/seen_one.txt").read_bytes()
    for how in ([], ["--executor", "processes"]):
        done = cli("run", "one", *how, cwd=looking, env=another, code=4)
        said = done.stdout + done.stderr
        assert "keys rekey --from" in said
        assert len(set(re.findall(r"\b[0-9a-f]{16}\b", said))) == 2, said
    assert (looking / "DATA/processed/one/output/seen_one.txt").read_bytes() == before
    run = json.loads(cli("history", "one", "--json", cwd=looking).stdout)
    first = cli("report", "one", "--run", _first_run(run), cwd=looking, env=another, code=4)
    assert "another key" in first.stderr or "not shown" in first.stderr
    cli("report", "one", "--run", _first_run(run), cwd=looking, env=env, code=0)
    cli("report", "one", "--run", _first_run(run), cwd=looking, code=0)
    (looking.parent / "old.key").write_text(KEY)
    (looking.parent / "old.key").chmod(0o600)
    cli("keys", "rekey", "--from", looking.parent / "old.key", cwd=looking, env=another, code=0)
    cli("run", "one", cwd=looking, env=another, code=0)


def _first_run(history: object) -> str:
    runs = history["runs"] if isinstance(history, dict) else history
    assert isinstance(runs, list)
    return str(next(run["task_run_id"] for run in runs if run.get("status") == "success"))
