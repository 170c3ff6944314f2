"""`checkpoints.keep_releases: N`: an older table is kept, as it was, when a newer one takes its place."""

from __future__ import annotations

import hashlib
import itertools
import json
import shutil
import signal
from pathlib import Path
from typing import Any

import pytest
from installed import Cli

KEY = {"PAMOLA_KEY": "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="}
TASK: dict[str, Any] = {
    "task_id": "t",
    "seed": 7,
    "input_datasets": {"numbers": "DATA/raw/numbers.json"},
    "operations": [{"Mix": {"inputs": ["numbers"], "output_dataset": "safe"}}],
}
HOME = "DATA/processed/t"
PLUGIN = Path(__file__).resolve().parent.parent / "chain_plugin.py"  # which starts fast


@pytest.fixture
def ask(cli, place, tmp_path) -> Cli:
    """The command line, in a project with a table of numbers."""
    (place / "DATA/raw/numbers.json").write_text(json.dumps(list(range(50))))

    def run(*arguments: object, env: dict[str, str] | None = None, code: int | None = 0) -> Any:
        log = {"CHAIN_LOG": str(tmp_path / "log"), "PYTHONPATH": str(PLUGIN.parent)}
        return cli("--plugin", PLUGIN, *arguments, cwd=place, env={**log, **(env or {})}, code=code)

    return run


def use(place: Path, more: int, **keep: Any) -> None:
    """Have the task make another table, and keep older ones."""
    settings = {"checkpoints": keep or {"keep_releases": 2}}
    step = {"Mix": {**TASK["operations"][0]["Mix"], "more": more}}
    (place / "configs/t.json").write_text(json.dumps({**TASK, **settings, "operations": [step]}))


def tables(place: Path) -> list[str]:
    """Hashes of all tables, the present one first, then the older ones by their folders."""
    found = [place / HOME / "output/safe.json", *sorted((place / HOME / "earlier").glob("*/safe.json"))]
    return [hashlib.sha256(path.read_bytes()).hexdigest() for path in found if path.exists()]


def runs(place: Path) -> list[str]:
    """Ids of the runs that have a report, oldest first."""
    return sorted(path.stem for path in (place / "DATA/reports/t").glob("*.json"))


def test_older_tables_are_kept_as_they_were_and_verified(ask, place):
    wanted: list[str] = []
    for more in (3, 5, 5, 8, 12):
        use(place, more)
        ask("run", "t", "--set", "use_encryption=true", env=KEY)
        wanted += [each for each in tables(place)[:1] if each not in wanted]
    first, second, again, third, _ = runs(place)
    earlier = place / HOME / "earlier"
    assert sorted(path.name for path in earlier.iterdir()) == [second, third]
    assert tables(place) == [wanted[3], wanted[1], wanted[2]]
    file = earlier / second / "safe.json"
    assert (file.stat().st_mode & 0o777, earlier.stat().st_mode & 0o777) == (0o600, 0o700)
    assert file.read_bytes().startswith(b"ptask/1")
    for run in (second, again):  # the second one skipped to what the first had made
        told = json.loads(ask("verify", "t", "--run", run, "--json", env=KEY).stdout)
        (row,) = (row for row in told["files"] if row["name"] == "safe")
        assert (row["status"], row["path"], row["locked"]) == ("ok", f"{HOME}/earlier/{second}/safe.json", "")
    told = json.loads(ask("verify", "t", "--run", first, "--json", env=KEY, code=1).stdout)
    assert next(row for row in told["files"] if row["name"] == "safe")["status"] == "changed"
    ask("verify", "t", env=KEY)
    ask("decrypt", file, "--out", "plain.json", env=KEY)
    with file.open("ab") as table:
        table.write(b"x")
    told = json.loads(ask("verify", "t", "--run", second, "--json", env=KEY, code=1).stdout)
    assert next(row for row in told["files"] if row["name"] == "safe")["status"] == "changed"


def test_commands_leave_older_tables_and_the_records_of_their_runs(ask, place):
    for more in (3, 5, 8, 8):
        use(place, more)
        ask("run", "t")
    before = tables(place)
    first, second, third, fourth = runs(place)
    told = json.loads(ask("compare", "t", first, third, "--json").stdout)
    assert (told["old"]["kept"], told["new"]["kept"]) == ({"safe": f"{HOME}/earlier/{first}/safe.json"}, {})
    ask("clean", "--outputs")
    ask("checkpoints", "t", "--clear")
    assert "outputs" not in ask("status", "t").stdout
    ask("history", "prune", "--keep", 1)
    listed = [run["task_run_id"] for run in json.loads(ask("history", "--json").stdout)]
    assert listed == [fourth, second, first]
    assert tables(place) == before
    assert len(before) == 3
    use(place, 3)  # the table of the first run again: kept no longer, since it is there
    ask("run", "t")
    assert sorted(tables(place)) == sorted(before)
    edited = place / HOME / "output/safe.json"
    edited.write_text("[1]")
    use(place, 5)
    ask("run", "t")
    assert hashlib.sha256(b"[1]").hexdigest() not in tables(place)


def test_nothing_is_kept_unless_asked_for_and_mistakes_are_told(ask, place):
    for more in (3, 5):
        use(place, more, keep_releases=0)
        ask("run", "t")
    assert not (place / HOME / "earlier").exists()
    for keep, said in (
        ({"keep_releases": -1}, "0 or more"),
        ({"keep_releases": "two"}, "whole number"),
        ({"kept_releases": 1}, "keep_releases"),
    ):
        use(place, 3, **keep)
        assert said in ask("run", "t", code=2).stderr


KILLING = """\
import os, signal
from pathlib import Path
from pamola_tasks_checkpoints.steps import FinishedSteps
from pamola_tasks_paths.guard import ProjectGuard

PAMOLA_HOOK_API = 1

def killing(owner, name):
    call = getattr(owner, name)
    def instead(self, *arguments, **more):
        if name == "save" or any(f"/{part}/" in str(each) for each in arguments for part in ("output", "earlier")):
            count = Path(os.environ["COUNT"])
            count.write_text(count.read_text() + "x")
            if len(count.read_text()) == int(os.environ["DIES_AT"]):
                os.kill(os.getpid(), signal.SIGKILL)
        return call(self, *arguments, **more)
    setattr(owner, name, instead)

for name in ("replace", "unlink", "remove_tree"):
    killing(ProjectGuard, name)
killing(FinishedSteps, "save")
"""


def test_a_killed_run_neither_loses_nor_doubles_a_table(ask, place, tmp_path):
    """Killed before each rename and removal, and before the step is recorded: one older table is kept, of three."""
    (tmp_path / "killing.py").write_text(KILLING)
    wanted = []
    for more in (3, 5):
        use(place, more, keep_releases=1)
        ask("run", "t")
        wanted += tables(place)[:1]
    second = runs(place)[-1]
    use(place, 8, keep_releases=1)
    pristine = shutil.copytree(place, tmp_path / "pristine")
    for number in itertools.count(1):
        shutil.rmtree(place)
        shutil.copytree(pristine, place)
        (tmp_path / "count").write_text("")
        env = {"COUNT": str(tmp_path / "count"), "DIES_AT": str(number)}
        done = ask("--plugin", tmp_path / "killing.py", "run", "t", env=env, code=None)
        assert [tables(place).count(table) for table in wanted] in ([1, 1], [0, 1]), f"killed before call {number}"
        if done.returncode == 0:
            break
        assert done.returncode == -signal.SIGKILL
        ask("run", "t")
        assert len(tables(place)) == 2
        assert tables(place)[1:] == wanted[1:]
        assert [path.parent.name for path in (place / HOME / "earlier").rglob("*.json")] == [second]
    assert number == 5  # two renames, a removal, the record
