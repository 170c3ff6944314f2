"""`pamola-task history prune` removes old runs; what is left proves itself, whatever interrupts it."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from installed import SCRIPT, clean_environment

from pamola_tasks.storage import journal
from pamola_tasks.storage.files import Files
from pamola_tasks_history import events
from pamola_tasks_history.segments import Segments
from pamola_tasks_paths import ProjectGuard

KEY = {"PAMOLA_KEY": "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="}
KILLS = 40 if os.environ.get("PAMOLA_DURABILITY") == "all" else 5


@pytest.fixture
def lived(cli, project) -> Path:
    """The example succeeded twice and failed twice, and the history is encrypted from the first run on."""
    task = next((project / "configs").glob("example.*"))
    task.write_text(task.read_text() + "\nuse_encryption: true\n")
    for _ in range(2):
        cli("run", "example", "--restart", cwd=project, code=0, env=KEY)
    data = project / "DATA/raw/example.csv"
    data.rename(data.with_suffix(".away"))
    for _ in range(2):
        cli("run", "example", "--restart", cwd=project, code=2, env=KEY)
    data.with_suffix(".away").rename(data)
    return project


def listed(cli, project: Path, *more: Any) -> list[dict[str, Any]]:
    return json.loads(cli("history", *more, "--limit", 10_000, "--json", cwd=project, code=0).stdout)


def test_the_newest_run_and_the_newest_success_stay_and_all_is_proven(cli, lived):
    runs = listed(cli, lived)
    assert [run["success"] for run in runs] == [False, False, True, True]
    assert "2 runs would be removed" in cli("history", "prune", "--keep", 1, "--dry-run", cwd=lived, code=0).stdout
    assert listed(cli, lived) == runs
    assert "2 runs removed" in cli("history", "prune", "--keep", 1, cwd=lived, code=0, env=KEY).stdout
    assert listed(cli, lived) == [runs[0], runs[2]]
    told = cli("doctor", "--data", cwd=lived, code=0, env=KEY).stdout
    assert "(2, with " in told
    assert "were pruned on" in told
    assert (
        json.loads(cli("history", "prune", "--keep", 1, "--json", cwd=lived, code=0, env=KEY).stdout)["removed"] == []
    )
    assert cli("run", "example", cwd=lived, env=KEY, code=0)
    assert "authenticated" in cli("verify", "example", cwd=lived, env=KEY, code=0).stdout
    gone = cli("verify", "example", "--run", runs[3]["task_run_id"], cwd=lived, env=KEY, code=1).stdout
    assert "pruned" in gone


def test_a_report_whose_run_was_pruned_is_not_called_forged_and_not_called_proven(cli, lived):
    oldest = listed(cli, lived)[-1]["task_run_id"]
    cli("history", "prune", "--keep", 1, cwd=lived, code=0, env=KEY)
    done = json.loads(cli("verify", "example", "--run", oldest, "--json", cwd=lived, env=KEY, code=1).stdout)
    assert done["ok"] is False
    assert any("pruned" in row["why"] for row in done["records"])


@pytest.mark.parametrize("wrong", [[], ["--keep", 0], ["--older-than", "soon"], ["--keep", 1, "nothing"]])
def test_what_is_asked_wrongly_is_said(cli, project, wrong):
    assert cli("history", "prune", *wrong, cwd=project, code=2).stderr


def test_a_history_with_a_key_needs_it(cli, lived):
    runs = listed(cli, lived)
    assert "key" in cli("history", "prune", "--keep", 1, cwd=lived, code=1).stderr
    assert listed(cli, lived) == runs


def test_a_task_that_is_called_prune_is_listed(cli, project):
    shutil.copy(next((project / "configs").glob("example.*")), project / "configs/prune.yaml")
    text = (project / "configs/prune.yaml").read_text().replace("task_id: example", "task_id: prune")
    (project / "configs/prune.yaml").write_text(text)
    cli("run", "prune", cwd=project, code=0)
    done = cli("history", "--json", "--", "prune", cwd=project, code=0)
    assert [run["task_id"] for run in json.loads(done.stdout)] == ["prune"]


def test_a_damaged_history_is_pruned_only_when_that_is_accepted(cli, lived):
    log = lived / "configs/execution_log.jsonl"
    lines = log.read_bytes().splitlines(keepends=True)
    log.write_bytes(b"".join([*lines[:3], *lines[4:]]))
    assert "--accept-damage" in cli("history", "prune", "--keep", 1, cwd=lived, code=1, env=KEY).stderr
    cli("history", "prune", "--keep", 1, "--accept-damage", cwd=lived, code=0, env=KEY)
    assert "damaged lines: " in cli("doctor", "--data", cwd=lived, env=KEY).stdout


def test_settings_of_segments(cli, project):
    config = next((project / "configs").glob("prj_config.*"))
    before = config.read_text()
    for wrong in ("segment_mib: 0", "segment_mib: lots", "segment_mb: 3"):
        config.write_text(f"{before}\nhistory:\n  {wrong}\n")
        assert "segment_m" in cli("run", "example", cwd=project, code=2).stderr
    config.write_text(f"{before}\nhistory:\n  segment_mib: 1\n")
    log = project / "configs/execution_log.jsonl"
    fill(project, 1000, 1 << 30)
    assert log.stat().st_size > 1 << 20
    cli("run", "example", cwd=project, code=0)
    assert [path.name for path in (project / "configs/execution_log.segments").glob("*.jsonl")] == ["000001.jsonl"]
    assert log.stat().st_size < 1 << 20
    assert len(listed(cli, project)) == 1001
    told = cli("doctor", "--data", cwd=project).stdout
    assert "is damaged" not in told


def fill(root: Path, runs: int, size: int) -> Segments:
    """A history of two tasks, one run an hour."""
    files = Files(ProjectGuard(root))
    segments = Segments(files, "configs/execution_log.jsonl", size)
    for begin in range(0, runs, 100):
        entries = []
        for number in range(begin, min(begin + 100, runs)):
            moment = f"{datetime.now(UTC) - timedelta(hours=runs - number):%Y-%m-%dT%H:%M:%SZ}"
            facts = {
                "task_id": f"t_{number % 2}",
                "task_run_id": f"run-{number}",
                "timestamp": moment,
                "more": "x" * 900,
            }
            entries += events.of_record({**facts, "success": True, "status": "success"})
        segments.close()
        journal.append(files, segments.log_path, entries, flush=False, before=segments.last_closed_line)
    return segments


def test_killed_at_any_moment_it_leaves_the_old_history_or_the_new_one(cli, home, project):
    fill(project, 2000, 400_000)
    whole = project.with_name("whole")
    shutil.copytree(project, whole)
    command = [SCRIPT, "history", "prune", "--older-than", "30d"]
    old = [run["task_run_id"] for run in listed(cli, project)]
    subprocess.run(command, cwd=project, env=clean_environment(home), check=True, capture_output=True)
    new = [run["task_run_id"] for run in listed(cli, project)]
    assert 0 < len(new) < len(old)
    for _ in range(KILLS):
        shutil.rmtree(project)
        shutil.copytree(whole, project)
        process = subprocess.Popen(command, cwd=project, env=clean_environment(home), stdout=subprocess.DEVNULL)
        time.sleep(random.uniform(0.2, 2.5))
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert [run["task_run_id"] for run in listed(cli, project)] in (old, new)
        problems = [line for line in cli("doctor", "--data", cwd=project).stdout.splitlines() if "damaged" in line]
        assert problems == []
        cli("history", "prune", "--older-than", "30d", cwd=project, code=0)
        assert [run["task_run_id"] for run in listed(cli, project)] == new
        cli("clean", cwd=project, code=0)
        assert not list((project / "configs").rglob(".*tmp-pamola*"))
