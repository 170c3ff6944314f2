"""Which run `verify` verifies, where the newest one failed before it did anything."""

from __future__ import annotations

import json

import pytest


@pytest.mark.parametrize("hook", ["pamola_check_plan(run, plan)", "pamola_check_dependencies(run)"])
def test_verify_looks_at_the_newest_run_that_recorded_files(cli, project, hook):
    """A run that failed early says nothing of the release: that is verified as the run before it left it."""
    (project / "veto.py").write_text(f"from pamola_tasks import hookimpl\n@hookimpl\ndef {hook}:\n    return 'no'\n")
    cli("run", "example", cwd=project, code=0)
    made = json.loads(cli("verify", "example", "--json", cwd=project, code=0).stdout)
    cli("--plugin", "veto.py", "run", "example", cwd=project)
    again = json.loads(cli("verify", "example", "--json", cwd=project, code=0).stdout)
    assert again["run"] == made["run"]
    assert {row["path"]: row["sha256"] for row in again["files"]} == {
        row["path"]: row["sha256"] for row in made["files"]
    }
    said = cli("verify", "example", cwd=project, code=0).stdout
    assert f"run {made['run']}" in said
    assert f"run {again['later']} after it failed" in said
    with (project / "DATA/processed/example/output/safe.csv").open("a") as file:
        file.write("tampered\n")
    found = json.loads(cli("verify", "example", "--json", cwd=project, code=1).stdout)
    assert [row["path"] for row in found["files"] if row["status"] == "changed"] == [
        "DATA/processed/example/output/safe.csv"
    ]
    assert not found["ok"]


def test_verify_of_a_task_that_never_recorded_a_file_verifies_nothing(cli, project):
    """And does not exit 0."""
    (project / "veto.py").write_text(
        "from pamola_tasks import hookimpl\n@hookimpl\ndef pamola_check_plan(run, plan):\n    return 'no'\n"
    )
    cli("--plugin", "veto.py", "run", "example", cwd=project, code=2)
    assert "nothing was verified" in cli("verify", "example", cwd=project, code=1).stdout
