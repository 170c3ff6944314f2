"""What a run that is refused, or whose end fails, leaves: no success that others build on, and all finished work."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from installed import Cli

HOOK = "from pamola_tasks import hookimpl\n@hookimpl\ndef "


@pytest.mark.parametrize("answer", ["False", "0", "''", "['']", "[None]", "True", "{'why': 'k'}"])
def test_a_check_that_answers_with_something_else_than_objections_stops_the_run(
    cli: Cli, project: Path, answer: str
) -> None:
    """Its author meant to veto, or not: nobody guesses."""
    (project / "odd.py").write_text(f"{HOOK}pamola_check_plan(run, plan):\n    return {answer}\n")
    done = cli("--plugin", "odd.py", "run", "example", cwd=project)
    assert done.returncode != 0
    assert "odd" in done.stderr + done.stdout
    assert "pamola_check_plan returns" in done.stderr + done.stdout


@pytest.mark.parametrize("answer", ["None", "[]", "()", "set()"])
def test_a_check_without_objections_lets_the_run_be(cli: Cli, project: Path, answer: str) -> None:
    """None, and nothing in a collection."""
    (project / "odd.py").write_text(f"{HOOK}pamola_check_plan(run, plan):\n    return {answer}\n")
    cli("--plugin", "odd.py", "run", "example", "--dry-run", cwd=project, code=0)


@pytest.mark.parametrize("error", ["ValueError('no')", "SystemExit(0)"])
def test_a_task_whose_report_failed_is_no_dependency(cli: Cli, project: Path, error: str) -> None:
    """Its report says that it failed, and what depends on it does not run until it has succeeded."""
    (project / "writer.py").write_text(
        f"def write(report):\n    raise {error}\n\n{HOOK}pamola_add_report_writers():\n    return {{'txt': write}}\n"
    )
    (project / "configs/dep.yaml").write_text(
        "task_id: dep\ndependencies: [example]\ninput_datasets: {people: DATA/raw/example.csv}\n"
        "operations:\n  - ProfileOperation: {dataset_name: people}\n"
    )
    cli("--plugin", "writer.py", "run", "example", cwd=project, code=1)
    report = json.loads((project / "DATA/reports/example_report.json").read_text())
    assert report["run"]["status"] == "report_error"
    assert "status report_error" in cli("run", "dep", cwd=project, code=3).stdout
    cli("run", "example", cwd=project, code=0)
    cli("run", "dep", cwd=project, code=0)


@pytest.mark.parametrize("refused", ["plan", "operation", "dataset"])
def test_a_restart_that_is_refused_costs_no_finished_work(cli: Cli, project: Path, refused: str) -> None:
    """Checkpoints go when the plan is accepted."""
    task = project / "configs/example.yaml"
    good = task.read_text()
    cli("run", "example", cwd=project, code=0)
    (project / "veto.py").write_text(f"{HOOK}pamola_check_plan(run, plan):\n    return 'no'\n")
    if refused != "plan":
        names = {"operation": "AnonymizeOperation", "dataset": "dataset_name: safe"}
        task.write_text(good.replace(names[refused], f"{names[refused]}ty"))
    plugin = ["--plugin", "veto.py"] if refused == "plan" else []
    assert cli(*plugin, "run", "example", "--restart", cwd=project).returncode != 0
    task.write_text(good)
    assert "0 done, 3 unchanged" in cli("run", "example", cwd=project, code=0).stdout
    assert "3 done" in cli("run", "example", "--restart", cwd=project, code=0).stdout


@pytest.mark.parametrize("name", ["poeple", "People", "people ", "Safe"])
def test_a_frame_that_nothing_reads_is_refused(
    python: Callable[..., subprocess.CompletedProcess[str]], project: Path, name: str
) -> None:
    """Else the run would compute from the file, and succeed."""
    (project / "go.py").write_text(
        "import sys, pandas as pd\nfrom pamola_tasks import Kernel\n"
        "frame = pd.read_csv('DATA/raw/example.csv', dtype={'zipcode': str})\n"
        "ended = Kernel.discover('.').run('example', datasets={sys.argv[1]: frame})\n"
        "print(ended.status, ended.error, len(ended.record.steps))\n"
    )
    meant = "safe" if name == "Safe" else "people"
    said = python("go.py", name, cwd=project).stdout
    assert f"unknown dataset {name!r}: did you mean {meant!r}?" in said
    assert said.split()[0] != "success"
    assert said.split()[-1] == "0"
    assert python("go.py", "people", cwd=project).stdout.startswith("success None 3")


def test_a_check_of_the_configuration_names_every_operation_that_cannot_be_made(cli: Cli, project: Path) -> None:
    """With file and line, as `run` does: nobody finds out by running."""
    (project / "ops.py").write_text(
        f"{HOOK}pamola_add_operations():\n    return {{'Oa': 'nomod:T', 'Ob': 5, 'Oc': int, 'Od': 'ops:Missing'}}\n"
    )
    (project / "configs/obt.yaml").write_text(
        "task_id: obt\ninput_datasets: {people: DATA/raw/example.csv}\noperations:\n"
        "  - Oa\n  - Ob: {}\n  - Oc: {}\n  - operation: Od\n  - ProfileOperation: {dataset_name: people}\n"
    )
    for command in ("config check obt", "config check", "run obt"):
        done = cli("--plugin", "ops.py", *command.split(), cwd=project)
        assert done.returncode == 2, command
        for line in (4, 5, 6, 7):
            assert f"configs/obt.yaml:{line}" in done.stdout + done.stderr, command
