"""A layout and a lock from outside: every command asks them, and none goes to the default places."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

HERE = Path(__file__).parent / "layouts"
TASK = """\
task_id: {name}
input_datasets: {{people: {source}}}
use_encryption: {encrypted}
operations:
  - Wait: {{input_dataset: people, output_dataset: copy}}
"""
RUNNING = 75


@pytest.fixture
def house(place: Path, cli: Callable[..., subprocess.CompletedProcess[str]]) -> Path:
    """A project with two tasks, of which the second reads what the first leaves, and with a key."""
    for plugin in HERE.glob("*.py"):
        shutil.copy(plugin, place)
    for name, source in (("first", "DATA/raw/people.csv"), ("second", "store/work/of-first/output/copy.csv")):
        text = TASK.format(name=name, source=source, encrypted="true" if name == "first" else "false")
        (place / "configs" / f"{name}.yaml").write_text(text)
    cli("init", cwd=place, code=0)
    cli("keys", "init", cwd=place, code=0)
    return place


@pytest.fixture
def ask(house: Path, cli: Callable[..., subprocess.CompletedProcess[str]]) -> Callable[..., str]:
    """Run a command with the layout from outside; its output."""

    def call(*arguments: str, code: int = 0) -> str:
        plugins = ["--plugin", "waiting.py", "--plugin", "another_layout.py"]
        done = cli(*plugins, *arguments, cwd=house, code=code)
        return done.stdout + done.stderr

    return call


@pytest.fixture
def running(house: Path, start: Callable[..., subprocess.Popen[str]]) -> Iterator[subprocess.Popen[str]]:
    """The first task, in the middle of its step."""
    plugins = ["--plugin", "waiting.py", "--plugin", "another_layout.py"]
    process = start(*plugins, "run", "first", cwd=house)
    try:
        while not (house / "begun").exists():
            assert process.poll() is None, process.communicate()[0]
            time.sleep(0.02)
        yield process
    finally:
        process.kill()
        process.communicate()


def ended(house: Path, process: subprocess.Popen[str]) -> str:
    (house / "go").touch()
    output, _ = process.communicate(timeout=120)
    assert process.returncode == 0, output
    return output


def test_directories_that_disagree_with_places_are_refused(house, cli):
    """B1: the run was locked where no other command looked, and lost its data when the key changed."""
    plugins = ["--plugin", "waiting.py", "--plugin", "directories_alone.py"]
    refused = cli(*plugins, "run", "first", cwd=house, code=2)
    said = " ".join((refused.stdout + refused.stderr).split())
    assert "DATA/tasks/first" in said
    assert "directories_alone" in said
    assert "DATA/processed/first" in said
    assert "directories 0" in said
    assert not (house / "DATA/tasks").exists()
    assert not (house / "DATA/processed").exists()


def test_keys_stay_while_a_task_runs(house, running, ask):
    before = ask("keys", "list", "--json")
    assert "first is running" in ask("keys", "rotate", "--forget-old", code=RUNNING)
    assert "first is running" in ask("keys", "rekey", "--deep", code=RUNNING)
    assert ask("keys", "list", "--json") == before
    assert "encrypted" in ended(house, running)
    assert ask("decrypt", "store/work/of-first/output/copy.csv", "--out", "-").startswith("person,age,city")
    ask("keys", "rotate", "--forget-old")
    assert ask("decrypt", "store/work/of-first/output/copy.csv", "--out", "-").startswith("person,age,city")


def test_keys_stay_though_a_lock_says_that_nothing_runs(house, running, cli):
    """A run that encrypts holds its key by itself: no lock from outside is believed with that."""
    refused = cli("keys", "rotate", "--forget-old", cwd=house, code=RUNNING)
    assert "is running" in refused.stderr
    ended(house, running)
    cli("keys", "rotate", cwd=house, code=0)


def test_a_run_does_not_begin_while_keys_are_changed(house, cli, monkeypatch):
    from pamola_tasks.storage import system

    path = house / ".pamola" / "keys.lock"
    with path.open("ab") as changing:
        assert system.lock(changing.fileno())
        (house / "go").touch()
        refused = cli("--plugin", "waiting.py", "run", "first", cwd=house, code=RUNNING)
    assert "key" in refused.stderr + refused.stdout
    cli("--plugin", "waiting.py", "run", "first", cwd=house, code=0)


def test_commands_see_a_task_that_runs(house, running, ask):
    status = json.loads(ask("status", "first", "--json"))
    assert (status["state"], status["steps"]) == ("running", ["Wait"])
    assert (status["pid"], status["host"]) == (running.pid, "elsewhere")
    assert {row["task"]: row["state"] for row in json.loads(ask("status", "--json"))}["first"] == "running"
    assert "another lock" in ask("run", "first", code=RUNNING)
    assert json.loads(ask("clean", "--json")) == {"removed": [], "kept": [], "running": ["first"]}
    assert (house / "store/work/of-first/temp/scratch").exists()
    assert "in use" in ask("checkpoints", "first", "--clear", code=RUNNING)
    assert "it is running now" in ask("doctor", "--data")


def test_commands_find_what_a_task_left(house, running, ask):
    ended(house, running)
    (house / "store/work/of-first/temp/scratch").write_text("x")
    assert json.loads(ask("clean", "first", "--json"))["removed"] == ["store/work/of-first/temp/scratch"]
    assert json.loads(ask("report", "first", "--json"))["task"]["id"] == "first"
    [run_id] = [path.stem for path in (house / "store/papers/first/runs").glob("*.json")]
    refused = ask("run", "first", "--set", "checkpoints.keep_releases=1", code=2)
    assert "another_layout has no place for older tables" in " ".join(refused.split())
    assert json.loads(ask("report", "first", "--run", run_id[:13], "--json"))["run"]["id"] == run_id
    assert "2 as recorded" in ask("verify", "first")
    assert json.loads(ask("history", "first", "--json"))[0]["report_path"] == "store/papers/first/newest.json"
    assert json.loads(ask("checkpoints", "first", "--json"))["checkpoints"][0]["name"] == "Wait"
    assert "all sound" in ask("doctor", "--data")
    assert (house / "store/papers/first/published.json").exists()
    assert "1 unchanged" in ask("run", "first")
    assert "1 checkpoints" in ask("checkpoints", "first", "--clear")
    (house / "configs" / "first.yaml").unlink()
    assert json.loads(ask("status", "first", "--json"))["state"] == "done"
    assert json.loads(ask("report", "first", "--json"))["task"]["id"] == "first"


def test_tasks_run_in_the_order_of_what_they_leave(house, ask):
    (house / "go").touch()
    assert json.loads(ask("graph", "--json"))
    output = ask("run", "--all")
    assert output.index("first") < output.index("second")
    assert (house / "store/work/of-second/output/copy.csv").read_text().startswith("person,age,city")


def test_no_command_uses_the_default_places(house, running, ask):
    ended(house, running)
    for command in (["status"], ["verify", "first"], ["report", "first"], ["clean"], ["doctor", "--data"], ["list"]):
        ask(*command)
    used = {path.name for path in (house / "DATA").iterdir()}
    assert used == {"raw"}
    assert not (house / "logs").exists() or not any((house / "logs").iterdir())


def test_a_task_with_a_data_repository_of_its_own_is_found(house, cli, start):
    """Its configuration alone says where it is: every command has to ask that."""
    text = TASK.format(name="first", source="DATA/raw/people.csv", encrypted="true")
    (house / "configs/first.yaml").write_text(text + "data_repository: ELSEWHERE\n")
    process = start("--plugin", "waiting.py", "run", "first", cwd=house)
    try:
        while not (house / "begun").exists():
            assert process.poll() is None, process.communicate()[0]
            time.sleep(0.02)
        assert json.loads(cli("status", "first", "--json", cwd=house, code=0).stdout)["state"] == "running"
        assert json.loads(cli("clean", "--json", cwd=house, code=0).stdout)["running"] == ["first"]
        assert "first is running" in cli("keys", "rotate", cwd=house, code=RUNNING).stderr
        ended(house, process)
    finally:
        process.kill()
        process.communicate()
    assert json.loads(cli("report", "first", "--json", cwd=house, code=0).stdout)["task"]["id"] == "first"
    assert os.path.exists(house / "ELSEWHERE/processed/first/output/copy.csv")
