"""A ledger that is deleted or rolled back together with its count is found by the execution history, and restored."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from command_line import pamola

from pamola_ops_anonymize.anchored import AnchoredJournal
from pamola_tasks import Kernel, Outcome
from pamola_tasks.errors import DataError
from pamola_tasks.storage.files import Files
from pamola_tasks_history.log import ExecutionLog
from pamola_tasks_paths.guard import ProjectGuard

pytest.importorskip("opendp")

LEDGER, COUNT = "configs/privacy_ledger.jsonl", ".pamola/privacy_ledger"


def run(project: Path, **parameters: float) -> Outcome:
    """A run of a task that adds noise; a JSON file is configuration too."""
    noise = {"input_dataset": "people", "columns": ["wage"], "output_dataset": "noisy", **parameters}
    if "epsilon" in parameters:
        noise |= {"sensitivity": 1, "budget_epsilon": 1}
    stated = {"task_id": "t", "task_type": "x", "input_datasets": {"people": "people.csv"}}
    (project / "configs/t.json").write_text(json.dumps({**stated, "operations": [{"NoiseOperation": noise}]}))
    return Kernel.discover(project=project).run("t")


@pytest.fixture(scope="module")
def spent(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project that has spent .3 and .4; `copy` holds ledger and count as they were between the two."""
    folder = tmp_path_factory.mktemp("spent")
    for name in ("configs", "copy"):
        (folder / name).mkdir()
    (folder / ".pamola.toml").touch()
    (folder / "people.csv").write_text("wage\n10\n20\n500\n")
    assert run(folder, epsilon=0.3).success
    for name in (LEDGER, COUNT):
        shutil.copy(folder / name, folder / "copy")
    assert run(folder, epsilon=0.4).success
    return folder


@pytest.fixture
def project(spent: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(spent, tmp_path / "project"))


def deleted(project: Path) -> None:
    for name in (LEDGER, COUNT):
        (project / name).unlink()


def rolled_back(project: Path) -> None:
    for name in (LEDGER, COUNT):
        shutil.copy(project / "copy" / Path(name).name, project / name)


def deleted_and_pruned(project: Path) -> None:
    """The runs that spent are taken out of the history by its own command, too."""
    assert run(project, scale=1).success
    pruned = pamola(project, "history", "prune", "--keep", "1")
    assert pruned.returncode == 0, pruned.stderr
    assert "run_noted" in (project / "configs/execution_log.jsonl").read_text()
    deleted(project)


@pytest.mark.parametrize("attack", [deleted, rolled_back])
def test_a_ledger_that_goes_with_its_count_is_missed(project: Path, attack) -> None:
    attack(project)
    refused = run(project, epsilon=0.1)
    assert not refused.success
    assert "the execution history has" in str(refused.error)
    assert "pamola-task budget --repair" in str(refused.error)
    assert not refused.record.outputs
    for command in (["doctor"], ["verify", "t", "--json"], ["budget"]):
        done = pamola(project, *command)
        assert done.returncode != 0, command
        assert "the execution history has" in done.stdout + done.stderr, command


@pytest.mark.parametrize("attack", [deleted, rolled_back, deleted_and_pruned])
def test_repair_restores_what_was_spent(project: Path, attack) -> None:
    attack(project)
    done = pamola(project, "budget", "--repair")
    assert done.returncode == 0, done.stderr
    assert "restored from the execution history" in done.stdout
    (budget,) = json.loads(pamola(project, "budget", "--json").stdout)["budgets"]
    assert budget["spent"]["epsilon"] == pytest.approx(0.7)
    assert budget["limit"] == {"epsilon": 1.0, "delta": 0.0}
    assert not run(project, epsilon=0.5).success, "0.7 and 0.5 are more than 1"
    assert run(project, epsilon=0.2).success
    attack(project) if attack is not deleted_and_pruned else deleted(project)
    assert not run(project, epsilon=0.01).success, "neither is the restored one forgotten"


def test_what_nothing_restores_is_lost_knowingly_only(project: Path) -> None:
    ledger = project / LEDGER
    lines = ledger.read_bytes().splitlines(keepends=True)
    ledger.write_bytes(lines[0].replace(b'"epsilon":0.3', b'"epsilon":0.1') + lines[1])
    (project / "configs/execution_log.jsonl").unlink()
    refused = pamola(project, "budget", "--repair")
    assert refused.returncode == 1
    assert "--accept-loss" in refused.stderr
    done = pamola(project, "budget", "--repair", "--accept-loss")
    assert done.returncode == 0, done.stderr
    assert "1 lost" in done.stdout
    shown = pamola(project, "budget")
    assert "1 entries were lost" in shown.stdout + shown.stderr
    assert (next((project / "configs").glob("*.replaced-*"))).read_bytes() == lines[0].replace(
        b'"epsilon":0.3', b'"epsilon":0.1'
    ) + lines[1]
    assert "nothing to repair" in pamola(project, "budget", "--repair").stdout


ATTACKS: dict[str, Callable[[list[bytes]], list[bytes]]] = {
    "edited": lambda lines: [lines[0].replace(b'"epsilon":0', b'"epsilon":9'), *lines[1:]],
    "first removed": lambda lines: lines[1:],
    "last removed": lambda lines: lines[:-1],
    "middle removed": lambda lines: [lines[0], lines[2]],
    "swapped": lambda lines: [lines[1], lines[0], lines[2]],
    "repeated": lambda lines: [*lines, lines[0]],
    "emptied": lambda lines: [],
    "cut": lambda lines: [*lines[:-1], lines[-1][:30]],
}


@pytest.mark.parametrize("count_is_gone", [False, True])
@pytest.mark.parametrize("key", [None, b"k" * 32])
@pytest.mark.parametrize("attack", ATTACKS)
def test_every_alteration_is_found_and_restored(
    attack: str, key: bytes | None, count_is_gone: bool, tmp_path: Path
) -> None:
    files = Files(ProjectGuard(tmp_path))
    history = ExecutionLog(files, key=lambda: key)
    run: Any = SimpleNamespace(id="r", record=SimpleNamespace(task_id="t"), history=history)
    ledger = AnchoredJournal(files=files, path="l.jsonl", anchor=".pamola/l", key=key, what="l", so="", run=run)
    for number in range(3):
        with ledger.appending() as append:
            append({"epsilon": number / 10, "number": number})
    path = tmp_path / "l.jsonl"
    path.write_bytes(b"".join(ATTACKS[attack](path.read_bytes().splitlines(keepends=True))))
    if count_is_gone:
        (tmp_path / ".pamola/l").unlink()
    with pytest.raises(DataError, match="cannot be used"):
        ledger.read()
    assert ledger.restore().lost == 0
    assert {entry["number"]: entry["epsilon"] for entry in ledger.read()} == {0: 0.0, 1: 0.1, 2: 0.2}
    assert ledger.restore().restored == ()


def test_a_sound_ledger_is_left_alone(project: Path) -> None:
    before = (project / LEDGER).read_bytes()
    assert "nothing to repair" in pamola(project, "budget", "--repair").stdout
    assert (project / LEDGER).read_bytes() == before
    assert pamola(project, "budget", "--accept-loss").returncode == 2
