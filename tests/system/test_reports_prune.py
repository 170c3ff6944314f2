"""`pamola-task reports prune` removes reports of old runs, and never those of the newest run and the newest success."""

from __future__ import annotations

import json
import shutil
import zlib
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

DAY = 86_400


@pytest.fixture
def kept(cli, project) -> Any:
    """Ids of the reports that are there, oldest first; the example succeeded three times, and then failed twice."""
    for _ in range(3):
        cli("run", "example", "--restart", cwd=project, code=0)
    (project / "DATA/raw/example.csv").unlink()
    for _ in range(2):
        cli("run", "example", "--restart", cwd=project, code=2)
    folder = project / "DATA/reports/example"
    return lambda: sorted(path.stem for path in folder.glob("*.json"))


def aged(project: Path, run_id: str, days: float) -> str:
    """A copy of a run's report, of a run so many days ago."""
    folder = project / "DATA/reports/example"
    moment = int((datetime.now(UTC).timestamp() - days * DAY) * 1000)
    older = f"{moment:012x}"
    older = f"{older[:8]}-{older[8:]}{run_id[13:]}"
    for extension in ("json", "html", "whole"):
        shutil.copy(folder / f"{run_id}.json", folder / f"{older}.{extension}")
    return older


def test_the_newest_reports_and_the_newest_success_stay(cli, project, kept):
    runs = kept()
    assert len(runs) == 5
    told = cli("reports", "prune", "--keep", 1, "--dry-run", cwd=project, code=0).stdout
    assert all(run in told for run in [*runs[:2], runs[3]]), told
    assert runs[2] not in told
    assert kept() == runs
    assert "3 files removed" in cli("reports", "prune", "--keep", 1, cwd=project, code=0).stdout
    assert kept() == [runs[2], runs[4]]
    assert "0 files removed" in cli("reports", "prune", "example", "--keep", 1, cwd=project, code=0).stdout
    cli("report", "example", "--run", runs[2], cwd=project, code=0)
    cli("doctor", "--data", cwd=project, code=0)


def test_reports_younger_than_an_age_stay(cli, project, kept):
    """All files of an old run go, other files stay; with --keep, both must allow it."""
    runs = kept()
    old, older = aged(project, runs[0], 100), aged(project, runs[3], 200)
    note = project / "DATA/reports/example/notes.txt"
    note.touch()
    assert kept() == [older, old, *runs]
    cli("reports", "prune", "--older-than", "90d", "--keep", 6, cwd=project, code=0)
    assert kept() == [old, *runs]
    done = json.loads(cli("reports", "prune", "--older-than", "90d", "--json", cwd=project, code=0).stdout)
    assert [Path(each["path"]).name for each in done["removed"]] == [
        f"{old}.{kind}" for kind in ("html", "whole", "json")
    ]
    assert kept() == runs
    assert note.exists()
    cli("reports", "prune", "--older-than", "0h", cwd=project, code=0)
    assert kept() == [runs[2], runs[4]]


def test_what_is_left_and_what_is_asked_wrongly_is_said(cli, project, kept):
    runs = kept()
    for wrong in ([], ["--keep", 0], ["--older-than", "soon"], ["--keep", 1, "nothing"]):
        assert cli("reports", "prune", *wrong, cwd=project, code=2).stderr
    (project / "DATA/reports/example" / f"{runs[2]}.json").write_text("{")  # damaged: no success that is known
    folder = project / "DATA/reports/example"
    folder.chmod(0o555)
    done = cli("reports", "prune", "--keep", 1, cwd=project, code=1, obeys=True)
    folder.chmod(0o755)
    assert f"{runs[0]}.json could not be removed" in done.stderr
    assert kept() == runs
    cli("reports", "prune", "--keep", 1, cwd=project, code=0)
    assert kept() == [runs[1], runs[4]]


KEY = {"PAMOLA_KEY": "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="}


@pytest.mark.parametrize("keyed", [False, True])
def test_a_report_that_is_gone_is_named_unless_it_was_pruned(cli, project, keyed):
    """With a key, only those count that were pruned with it."""
    env = KEY if keyed else {}
    for _ in range(4):
        cli("run", "example", "--restart", cwd=project, env=env, code=0)
    folder = project / "DATA/reports/example"
    runs = sorted(path.stem for path in folder.glob("*.json"))
    if keyed:
        assert "key" in cli("reports", "prune", "--keep", 3, cwd=project, code=2).stderr
    cli("reports", "prune", "--keep", 3, cwd=project, env=env, code=0)
    cli("verify", "example", cwd=project, env=env, code=0)
    for path in folder.glob(f"{runs[1]}.*"):
        path.unlink()
    told = cli("verify", "example", cwd=project, env=env, code=1).stdout
    assert f"{runs[1]}.json" in told
    assert runs[0] not in told
    if keyed:
        facts = f'{{"task":"example","runs":["{runs[1]}"]}}'
        line = f'{{"event":"run_noted","key":"reports pruned","facts":{facts}}}'.encode()
        with (project / "configs/execution_log.jsonl").open("ab") as log:
            log.write(b"%08x %s\n" % (zlib.crc32(line), line))
        assert f"{runs[1]}.json" in cli("verify", "example", cwd=project, env=env, code=1).stdout
