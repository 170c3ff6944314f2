"""A project that was put back to an earlier state, or whose newest runs were removed, is found by what is kept outside.

Its records prove each other in each case, and all else that `verify` looks at is as it was: only the note in the user's
own folder of states tells.
"""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from pamola_tasks.storage import journal

KEY = {"PAMOLA_KEY": "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="}
OTHER_ID = "00000000-d951-4abf-a265-f6d10c39def7\n"
LOG = "configs/execution_log.jsonl"
TASK = """
task_type: profile
input_datasets: {people: DATA/raw/people.csv}
operations:
  - ProfileOperation: {dataset_name: people, output_prefix: look}
"""


@pytest.fixture
def people(place: Path) -> Path:
    """A project with an id and a small task."""
    (place / ".pamola").mkdir()
    (place / ".pamola/id").write_text("f140e850-d951-4abf-a265-f6d10c39def7\n")
    (place / "configs/look.yaml").write_text(TASK)
    return place


@pytest.fixture
def run(request, cli, people) -> Any:
    """Runs commands in the project, with a key unless told otherwise."""
    if keyed := getattr(request, "param", True):
        (people / "configs/prj_config.yaml").write_text("use_encryption: true\n")

    def run(*arguments: Any, code: int = 0, cwd: Path = people, **env: str) -> str:
        done = cli(*arguments, cwd=cwd, code=code, env={**env, **(KEY if keyed else {})})
        return " ".join((done.stdout + done.stderr).split())

    return run


def last_run(project: Path) -> str:
    lines = (project / LOG).read_bytes().splitlines()
    ended = [entry for entry in map(journal.decode, lines) if entry["event"] == "run_finished"]
    return str(ended[-1]["run_id"])


def put_back(project: Path, earlier: Path) -> None:
    shutil.rmtree(project)
    shutil.copytree(earlier, project)


def without_the_last_run(project: Path) -> None:
    lines = (project / LOG).read_bytes().splitlines(keepends=True)
    gone = last_run(project).encode()
    (project / LOG).write_bytes(b"".join(line for line in lines if gone not in line))
    (project / "configs/execution_log.json").unlink()


@pytest.mark.parametrize(
    ("run", "how"),
    [(False, "all put back"), (True, "history put back"), (True, "last run removed")],
    indirect=["run"],
)
def test_what_lacks_the_newest_run_is_named_until_it_is_accepted(request, cli, run, people, tmp_path, how):
    run("run", "look")
    shutil.copytree(people, tmp_path / "earlier")
    run("run", "look", "--restart")
    gone = last_run(people)
    assert f"{LOG} has what was noted last on this machine: run {gone} of look" in run("verify", "look")
    if how == "all put back":
        put_back(people, tmp_path / "earlier")
    elif how == "history put back":
        shutil.copytree(tmp_path / "earlier/configs", people / "configs", dirs_exist_ok=True)
    else:
        without_the_last_run(people)
    for command in (["verify", "look"], ["doctor"], ["doctor", "--data"]):
        assert gone in run(*command, code=1), command
    told = run("run", "look")
    assert "warnings" in told
    assert gone in told, "and the next run does not make it the newest that is known:"
    assert "--reason is empty" in run("history", "accept", "--reason", " ", code=2)
    if request.node.callspec.params["run"]:
        keyless = cli("history", "accept", "--reason", "why", cwd=people, code=2).stderr
        assert "give the key, as for a run" in " ".join(keyless.split())
    assert "lacks" in run("verify", "look", code=1)
    assert "has what was noted last" in run("history", "accept", "--reason", "the disk was restored")
    assert run("verify", "look").count("has what was noted last") == 1
    assert "nothing to accept" in run("history", "accept", "--reason", "again", code=2)
    noted = [entry for entry in map(journal.decode, (people / LOG).read_bytes().splitlines()) if "key" in entry]
    assert noted[-1]["facts"]["reason"] == "the disk was restored"
    assert gone in noted[-1]["facts"]["found"]


def test_nothing_is_said_in_ordinary_use(run, people, home):
    for _ in range(3):
        told = run("run", "look", "--restart")
        assert "warnings" not in told
    for command in ("history prune --keep 1", "reports prune --keep 1", "clean look", "run look", "run look"):
        assert "noted" not in run(*command.split())
    assert "has what was noted last" in run("doctor", "--data")
    assert "has what was noted last" in run("verify", "look")
    (note,) = (home / ".local/state/pamola-tasks/history").iterdir()
    assert note.stat().st_mode & 0o777 == 0o600
    assert str(last_run(people)) in note.read_text()


def test_copies_and_other_users_are_compared_with_what_they_noted_themselves(run, people, tmp_path, home):
    run("run", "look")
    clone, other = tmp_path / "clone", {"XDG_STATE_HOME": str(home / "other")}
    shutil.copytree(people, clone)
    assert "there is none on this machine" in run("verify", "look", cwd=clone)
    for project in (people, clone, people, clone):
        assert "noted" not in run("run", "look", "--restart", cwd=project)
    assert "has what was noted last" in run("verify", "look", cwd=clone)
    assert "there is none on this machine" in run("verify", "look", **other)
    assert "noted" not in run("run", "look", "--restart", **other)
    assert "has what was noted last" in run("verify", "look")
    assert "3 runs removed" in run("history", "prune", "--keep", "1", **other)  # that which we noted too
    assert "was pruned since it was noted last" in run("verify", "look")
    people.rename(tmp_path / "moved")
    assert "there is none on this machine" in run("verify", "look", cwd=tmp_path / "moved")


def test_a_rewritten_history_is_another_one(cli, people):
    """Without a key anybody can rewrite the whole chain: a hash of all of it is noted."""
    for _ in range(2):
        cli("run", "look", "--restart", cwd=people, code=0)
    entries = [journal.decode(line) for line in (people / LOG).read_bytes().splitlines()]
    entries[0]["host"] = "elsewhere"
    (people / LOG).write_bytes(b"".join(journal.chained(entries)))
    assert "was rewritten since" in cli("doctor", cwd=people, code=1).stdout
    for entry in entries[:2]:
        entry["run_id"] = "another"
    kept = [entry for entry in entries if entry["run_id"] != "another" or entry["event"] == "run_started"]
    (people / LOG).write_bytes(b"".join(journal.chained(kept[-2:])))
    assert "lacks 1 of 2 runs" in cli("doctor", cwd=people, code=1).stdout


@pytest.mark.parametrize("state", ["a file", "of others", "damaged"])
def test_a_note_that_cannot_be_kept_or_believed_is_told_and_no_run_fails(cli, people, home, state):
    note = home / ".local/state/pamola-tasks/history"
    if state == "a file":
        note.parent.mkdir(parents=True)
        note.touch()
    cli("run", "look", cwd=people, code=0)
    if state == "of others":
        next(note.iterdir()).chmod(0o666)
    elif state == "damaged":
        next(note.iterdir()).write_text("{}")
    told = " ".join(cli("run", "look", cwd=people, code=0).stdout.split())
    said = {"a file": "could not be noted", "of others": "counts for nothing", "damaged": "is damaged"}[state]
    assert said in told
    if state == "a file":
        (people / "configs/prj_config.yaml").write_text("history: {anchor: false}\n")
        assert "noted" not in cli("run", "look", cwd=people, code=0).stdout
    else:
        assert "compared with no anchor" in cli("doctor", cwd=people, code=0).stdout
        next(note.iterdir()).unlink()
        cli("run", "look", cwd=people, code=0)
        assert "has what was noted last" in cli("doctor", cwd=people, code=0).stdout


def test_runs_that_end_at_once_leave_the_note_of_the_newest(cli, start, people, home):
    for name in "abc":
        shutil.copy(people / "configs/look.yaml", people / f"configs/{name}.yaml")
    running = [start("run", name, cwd=people) for name in "abc"]
    assert [process.wait() for process in running] == [0, 0, 0]
    (note,) = (home / ".local/state/pamola-tasks/history").iterdir()
    assert json.loads(note.read_text())["run_id"] == last_run(people)
    assert json.loads(note.read_text())["runs"] == 3
    assert os.listdir(note.parent) == [note.name]
    cli("verify", "a", cwd=people, code=0)


@pytest.mark.parametrize(("left", "anchor"), [("", "true"), (OTHER_ID, "true"), (OTHER_ID, "false")])
def test_a_project_without_its_id_does_not_pass_for_another(cli, people, tmp_path, home, left, anchor):
    """Not when all of it was put back to an earlier state, either, nor when the history says that nothing is noted."""
    cli("run", "look", cwd=people, code=0)
    shutil.copytree(people, tmp_path / "earlier")
    cli("run", "look", "--restart", cwd=people, code=0)
    gone = last_run(people)
    (note,) = (home / ".local/state/pamola-tasks/history").iterdir()
    before = note.read_bytes()
    put_back(people, tmp_path / "earlier")
    (people / ".pamola/id").write_text(left) if left else (people / ".pamola/id").unlink()
    (people / "configs/prj_config.yaml").write_text(f"history: {{anchor: {anchor}}}\n")
    assert gone in cli("verify", "look", cwd=people, code=1).stdout
    told = cli("run", "look", "--restart", cwd=people, code=0)
    assert "warnings" in told.stdout
    assert gone in told.stdout + told.stderr
    assert note.read_bytes() == before
    assert gone in cli("doctor", cwd=people, code=1).stdout
    assert "noted last:" not in cli("history", "accept", "--reason", "the disk was restored", cwd=people, code=0).stdout
    cli("verify", "look", cwd=people, code=0)
    assert "noted" not in cli("run", "look", "--restart", cwd=people, code=0).stdout
    cli("doctor", cwd=people, code=0)


def test_a_project_made_anew_in_its_folder_says_once_what_was_known_there(cli, people, home):
    for _ in range(2):
        cli("run", "look", "--restart", cwd=people, code=0)
    gone = last_run(people)
    (note,) = (home / ".local/state/pamola-tasks/history").iterdir()
    (people / ".pamola/id").write_text(OTHER_ID)
    for file in people.glob("configs/execution_log*"):
        file.unlink()
    for command in (["doctor"], ["run", "look", "--restart"]):
        told = " ".join(cli(*command, cwd=people, code=0).stdout.split())
        assert "2 runs of another project had ended in this folder" in told, told
        assert gone in told
    assert json.loads(note.read_text())["run_id"] == last_run(people)
    for command in (["run", "look", "--restart"], ["verify", "look"], ["doctor"]):
        assert "another project" not in cli(*command, cwd=people, code=0).stdout
