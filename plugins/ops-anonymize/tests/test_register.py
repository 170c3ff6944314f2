"""The register of releases on the disk: killed runs, edits, withdrawals and keys, through the command line."""

from __future__ import annotations

import json
import re
import shutil
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from command_line import pamola

KILLER = """\
import os, signal
from pamola_tasks import hookimpl

def kill():
    os.kill(os.getpid(), signal.SIGKILL)

if {staged}:
    @hookimpl(wrapper=True)
    def pamola_run_step(run, step):
        result = yield
        kill()
        return result
else:
    @hookimpl
    def pamola_on_dataset_written(run, step, dataset):
        kill()
"""


def write_people(project: Path, count: int) -> None:
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"id": range(700), "age": rng.integers(18, 80, 700), "zip": rng.integers(1000, 1100, 700)})
    table["disease"] = rng.choice(["asthma", "cold", "flu", "gout"], 700)
    table[:count].to_csv(project / "DATA/raw/people.csv", index=False)


def write_task(project: Path, task_id: str, **parameters: Any) -> None:
    step = {
        "input_dataset": "people",
        "output_dataset": "safe",
        "k": 5,
        "quasi_identifiers": ["age", "zip"],
        "sensitive_attributes": ["disease"],
        "person": "id",
        **parameters,
    }
    task = {"input_datasets": {"people": "DATA/raw/people.csv"}, "operations": [{"AnonymizeOperation": step}]}
    (project / f"configs/{task_id}.json").write_text(json.dumps({"task_id": task_id, "task_type": "x", **task}))


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "configs").mkdir()
    (tmp_path / "DATA/raw").mkdir(parents=True)
    (tmp_path / ".pamola.toml").touch()
    write_people(tmp_path, 600)
    write_task(tmp_path, "a")
    return tmp_path


def succeeds(project: Path, *words: str) -> str:
    done = pamola(project, *words)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def refused(project: Path, task: str) -> str:
    done = pamola(project, "run", task)
    assert done.returncode in (1, 4), done.stdout + done.stderr
    return done.stdout + done.stderr


def listed(project: Path) -> list[tuple[int, str]]:
    found = json.loads(succeeds(project, "releases", "list", "--json"))["releases"]
    return [(each["release"], each["status"]) for each in found]


@pytest.mark.parametrize("staged", [True, False], ids=["before it is published", "after it was published"])
def test_a_killed_run_leaves_no_half_record(project: Path, staged: bool) -> None:
    (project / "killer.py").write_text(KILLER.format(staged=staged))
    assert pamola(project, "--plugin", "killer.py", "run", "a").returncode == -signal.SIGKILL
    assert listed(project) == [(1, "abandoned" if staged else "published")]
    write_people(project, 650)
    if not staged:
        assert "release 1 (safe of task a" in refused(project, "a")
        return
    succeeds(project, "run", "a")
    assert listed(project) == [(1, "abandoned"), (2, "published")]
    assert [path.name for path in (project / "releases").glob("*.sealed")] == ["2.sealed"]
    write_people(project, 700)
    assert "release 2 (safe of task a" in refused(project, "a")


def test_another_task_is_refused_until_the_release_is_withdrawn(project: Path) -> None:
    succeeds(project, "run", "a")
    write_task(project, "b", k=10)
    assert "for certain" in refused(project, "b")
    assert not (project / "DATA/processed/b/output/safe.csv").exists()
    assert listed(project) == [(1, "published")]
    assert re.search("1 +published .* a +safe +600 ", pamola(project, "releases", "list").stdout)
    assert pamola(project, "releases", "withdraw", "7").returncode == 2
    succeeds(project, "releases", "withdraw", "1", "--reason", "a draft")
    assert listed(project) == [(1, "withdrawn")]
    assert "release 1 is withdrawn" in pamola(project, "releases", "withdraw", "1").stderr
    succeeds(project, "verify", "a")
    succeeds(project, "doctor", "--data")
    succeeds(project, "run", "b")
    succeeds(project, "run", "b")
    succeeds(project, "clean")
    assert listed(project) == [(1, "withdrawn"), (2, "published")]
    report = json.loads((project / "DATA/reports/b_report.json").read_text())
    assert report["operations"][0]["metrics"]["releases"]["release"] == 2


def test_a_release_whose_persons_nothing_recognises_asks_whether_they_are_in_earlier_ones(project: Path) -> None:
    """The same table without its ids and one person more was `met`: a value follows by subtraction."""
    succeeds(project, "run", "a")
    people = pd.read_csv(project / "DATA/raw/people.csv")
    people.drop(columns="id").to_csv(project / "DATA/raw/people.csv", index=False)
    for columns, asks in ((["age", "zip"], True), (["age"], False)):
        write_task(project, "nameless", person=None, quasi_identifiers=columns)
        said = succeeds(project, "run", "nameless")
        assert ("Are people of earlier releases in safe?" in said) == asks


def test_doctor_and_verify_report_a_register_that_is_missing(project: Path) -> None:
    succeeds(project, "run", "a")
    assert "1 release, as entered" in pamola(project, "doctor").stdout
    shutil.rmtree(project / "releases")
    write_people(project, 650)
    assert "has lost its key" in refused(project, "a")
    assert "has lost its key" in pamola(project, "doctor").stdout
    verified = pamola(project, "verify", "a")
    assert verified.returncode == 1
    assert "releases.jsonl" in verified.stdout
    (project / ".pamola/releases").unlink()
    assert "has lost its key" in refused(project, "a"), "the history has it, too"
    assert pamola(project, "releases", "list").returncode != 0


def test_with_a_key_of_the_project_the_register_is_sealed_by_it(project: Path) -> None:
    succeeds(project, "run", "a")
    assert json.loads((project / "releases/register.key").read_text())["sealed"] is False
    succeeds(project, "keys", "init", "--file", "k.key")
    (project / "configs/prj_config.json").write_text(
        json.dumps({"encryption_key_path": "k.key", "use_encryption": True})
    )
    write_task(project, "b", k=10, max_disclosed=600)
    succeeds(project, "run", "b")
    assert json.loads((project / "releases/register.key").read_text())["sealed"] is True
    write_task(project, "c", k=7)
    assert "release 2 (safe of task b" in refused(project, "c")
    succeeds(project, "keys", "rotate")
    assert "release 2 (safe of task b" in refused(project, "c")
    (project / "configs/prj_config.json").write_text(json.dumps({"use_encryption": False}))
    assert "sealed by the project's key" in refused(project, "c")
