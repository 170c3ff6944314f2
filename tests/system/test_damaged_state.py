"""Whatever happens to the files that a task remembers by: the next run does not crash, and resumes nothing wrong.

`PAMOLA_FUZZ=N` (`nox -s fuzz`) makes N random mutations instead of 80.
"""

from __future__ import annotations

import json
import os
import random
import shutil
from pathlib import Path

import pytest
from kernel_kit import files_below

from pamola_tasks import Kernel
from pamola_tasks.protocols import RunOptions
from pamola_tasks.storage import journal

PLUGIN = Path(__file__).resolve().parent.parent / "chain_plugin.py"
MUTATIONS = int(os.environ.get("PAMOLA_FUZZ", "80"))
GROUPS = 4  # run side by side

pytestmark = pytest.mark.slow


def make_project(root: Path) -> None:
    """Three steps in a row, one beside them, and two that leave artifacts."""
    steps = [
        {"Mix": {"inputs": ["numbers"], "output_dataset": "a"}, "id": "one"},
        {"Mix": {"inputs": ["a"], "output_dataset": "b"}, "id": "two"},
        {"Mix": {"inputs": ["a", "b"], "output_dataset": "c"}, "id": "three"},
        {"Mix": {"inputs": ["numbers"], "output_dataset": "d"}, "id": "beside"},
        {"Describe": {"input_dataset": "b"}, "id": "about-b"},
        {"Describe": {"input_dataset": "d"}, "id": "about-d"},
    ]
    task = {"task_id": "t", "seed": 3, "input_datasets": {"numbers": "DATA/raw/n.json"}, "operations": steps}
    for folder in ("configs", "DATA/raw"):
        (root / folder).mkdir(parents=True)
    (root / ".pamola.toml").touch()
    (root / "configs/t.json").write_text(json.dumps(task))
    (root / "DATA/raw/n.json").write_text(json.dumps(list(range(20))))


def run(root: Path) -> tuple[bool, str]:
    """Run the task with what is installed; whether it succeeded, and what it said."""
    outcome = Kernel(root, modules=[str(PLUGIN)], disable=["logs"]).run("t", options=RunOptions(quiet=True))
    return outcome.success, str(outcome.error)


def results(root: Path) -> dict[str, bytes]:
    """Outputs, intermediate datasets and artifacts."""
    home = root / "DATA/processed/t"
    return {
        f"{part}/{name}": data
        for part in ("output", "internal", "dictionaries", ".state/steps")
        for name, data in files_below(home / part).items()
    }


def mutate(rng: random.Random, root: Path) -> str:
    """Do one thing to a file that is remembered by: flip bits, cut, delete, swap, double, empty."""
    home = root / "DATA/processed/t"
    state = [path for path in home.rglob("*") if path.is_file()]
    path = rng.choice(
        [
            home / ".state/journal.jsonl",
            root / "configs/execution_log.jsonl",
            *state,
            root / "configs/execution_log.json",
        ]
    )
    if not path.exists():
        return f"{path.name} is gone already"
    data = bytearray(path.read_bytes())
    name, kind = path.name, rng.randrange(7)
    if kind == 0 and data:
        for _ in range(rng.choice((1, 1, 1, 5))):
            data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
        path.write_bytes(bytes(data))
        return f"bits of {name} flipped"
    if kind == 1 and data:
        path.write_bytes(bytes(data[: rng.randrange(len(data))]))
        return f"{name} cut"
    if kind == 2:
        path.unlink()
        return f"{name} deleted"
    if kind == 3:
        other = rng.choice(state)
        if other.exists():
            first, second = path.read_bytes(), other.read_bytes()
            path.write_bytes(second)
            other.write_bytes(first)
        return f"{name} and {other.name} swapped"
    if kind == 4:
        lines = bytes(data).splitlines(keepends=True)
        rng.shuffle(lines)
        path.write_bytes(b"".join(lines[: rng.randint(1, max(1, len(lines)))]))
        return f"lines of {name} shuffled and some lost"
    if kind == 5:
        path.write_bytes(bytes(data) + bytes(data[rng.randrange(len(data) or 1) :]))
        return f"a part of {name} doubled"
    shutil.rmtree(path.parent) if path.parent.parent.name == "steps" else path.write_bytes(b"")
    return f"{name} emptied, or its folder deleted"


@pytest.mark.parametrize("group", range(GROUPS))
def test_no_mutation_of_what_is_remembered_makes_a_run_crash_or_resume_wrongly(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, group: int
) -> None:
    monkeypatch.setenv("CHAIN_LOG", str(tmp_path / "log"))
    project, pristine = tmp_path / "project", tmp_path / "pristine"
    make_project(project)
    assert run(project) == (True, "None")
    expected = results(project)
    for _ in range(2):
        assert run(project) == (True, "None")
    shutil.copytree(project, pristine)
    rng = random.Random(group if "PAMOLA_FUZZ" not in os.environ else None)
    for number in range(MUTATIONS // GROUPS):
        if number % 5 == 0:  # damage adds up over five runs
            shutil.rmtree(project)
            shutil.copytree(pristine, project)
        done = [mutate(rng, project) for _ in range(rng.choice((1, 1, 2)))]
        for again in range(2):
            success, error = run(project)
            assert success, f"{done}, run {again}: {error}"
            assert results(project) == expected, done
        history = (project / "configs/execution_log.jsonl").read_bytes()
        assert history.endswith(b"\n"), done
        assert journal.parse(history).entries[-1]["event"] in ("run_finished", "run_aborted"), done
    assert (tmp_path / "log").read_text().count("\n") > 6 + MUTATIONS // GROUPS // 4, "what was damaged was made again"
