"""What a run makes of private inputs is as private: files 0600, folders 0700, whatever the umask."""

from __future__ import annotations

import json
import os
import stat
import subprocess
from pathlib import Path

import pytest
from command_line import SCRIPT
from installed import clean_environment

pytestmark = pytest.mark.skipif(os.name == "nt", reason="permissions of Windows are not these")

EXAMPLE = """
task_id: private
input_datasets: {people: DATA/raw/people.csv}
log_level: DEBUG
operations:
  - DropOperation: {input_dataset: people, output_dataset: mid, columns: [city]}
  - MaskOperation: {input_dataset: mid, output_dataset: end, columns: [person]}
  - ProfileOperation: {dataset_name: end}
"""


def _modes(root: Path) -> dict[str, int]:
    return {str(p.relative_to(root)): stat.S_IMODE(p.lstat().st_mode) for p in root.rglob("*") if not p.is_symlink()}


def _under(umask: int, *arguments: object, cwd: Path, home: Path) -> subprocess.CompletedProcess[str]:
    """Run a command under this umask."""
    command = ["sh", "-c", f'umask {umask:03o}; exec "$@"', "sh", str(SCRIPT), *map(str, arguments)]
    return subprocess.run(command, cwd=cwd, env=clean_environment(home), capture_output=True, text=True, check=False)


@pytest.mark.parametrize("umask", [0o000, 0o022])
@pytest.mark.parametrize("executor", ["threads", "processes"])
def test_no_file_of_a_run_can_be_read_by_others(place: Path, home: Path, umask: int, executor: str):
    """Two runs, a failing one, reports, logs that are rotated, a key, a decrypted copy."""
    (place / "configs/private.yaml").write_text(EXAMPLE)
    os.chmod(place / "DATA/raw/people.csv", 0o600)
    before = set(_modes(place))
    for arguments, code in [
        (["run", "private", "--executor", executor], 0),
        (["run", "private", "--restart", "--set", "use_encryption=true"], 4),
        (["keys", "init"], 0),
        (["run", "private", "--restart", "--set", "use_encryption=true", "--set", "logs.max_bytes=4096"], 0),
        (["decrypt", "DATA/processed/private/output/end.csv", "--out", "plain.csv"], 0),
        (["run", "private", "--set", "operations=[]"], None),
        (["config", "save", "private", "--set", "description=more"], None),
    ]:
        done = _under(umask, *arguments, cwd=place, home=home)
        assert code is None or done.returncode == code, f"{arguments}: {done.stdout}{done.stderr}"
    wide = {name: oct(mode) for name, mode in _modes(place).items() if name not in before and mode & 0o077}
    assert wide == {}
    assert _modes(place).keys() >= {"DATA/processed/private/output/end.csv", "plain.csv", "logs/private.log"}


@pytest.mark.parametrize("umask", [0o000, 0o022])
def test_what_init_and_demo_make_is_the_users_alone(tmp_path: Path, home: Path, umask: int):
    """Folders, too."""
    assert _under(umask, "init", "mine", cwd=tmp_path, home=home).returncode == 0
    assert _under(umask, "demo", "--keep", "shown", cwd=tmp_path, home=home).returncode == 0
    assert {name: oct(mode) for name, mode in _modes(tmp_path).items() if mode & 0o077} == {}


def test_a_run_from_python_is_as_private(place: Path, python, home: Path):
    """The guard gives the permissions, not the umask of the command line."""
    (place / "configs/private.yaml").write_text(EXAMPLE)
    before = set(_modes(place))
    code = "import os; os.umask(0); from pamola_tasks.kernel import Kernel; Kernel.discover().run('private')"
    done = python("-c", code, cwd=place)
    assert done.returncode == 0, done.stderr
    made = {name: mode for name, mode in _modes(place).items() if name not in before}
    assert "DATA/processed/private/output/end.csv" in made
    assert {name: oct(mode) for name, mode in made.items() if mode & 0o077} == {}


def test_the_group_may_read_results_where_the_project_says_so_and_never_more_than_the_inputs(place: Path, cli):
    """State, history and logs stay the owner's."""
    (place / "configs/private.yaml").write_text(EXAMPLE)
    people = place / "DATA/raw/people.csv"
    os.chmod(people, 0o640)
    cli("run", "private", "--set", "file_access=group", cwd=place, code=0)
    modes = _modes(place)
    assert modes["DATA/processed/private/output/end.csv"] == 0o640
    assert modes["DATA/processed/private/output"] == modes["DATA/processed"] == modes["DATA/reports"] == 0o750
    assert {modes["configs/execution_log.jsonl"], modes["DATA/processed/private/.state/journal.jsonl"]} == {0o600}
    assert {mode for name, mode in modes.items() if name.endswith((".log", ".parquet"))} == {0o600}
    os.chmod(people, 0o600)
    said = cli("run", "private", "--set", "file_access=group", "--restart", cwd=place, code=0)
    assert "file_access is group" in said.stdout + said.stderr
    assert _modes(place)["DATA/processed/private/output/end.csv"] == 0o600
    cli("run", "private", "--set", "file_access=everybody", cwd=place, code=2)


def test_doctor_names_inputs_that_others_can_read(place: Path, cli):
    """Those that they can reach, and that are not encrypted."""
    os.chmod(place / "DATA/raw/people.csv", 0o644)
    for folder in (place, place / "DATA", place / "DATA/raw"):
        os.chmod(folder, 0o755)
    said = json.loads(cli("doctor", "--json", cwd=place).stdout)
    assert "people.csv" in json.dumps(said)
    os.chmod(place / "DATA", 0o700)
    assert "people.csv" not in cli("doctor", "--json", cwd=place).stdout
