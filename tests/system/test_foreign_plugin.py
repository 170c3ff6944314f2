"""Somebody else's distribution, installed with pip from a folder, extends and replaces what it says it does."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

HERE = Path(__file__).parent

TASK = """\
task_id: shout
description: Make the diagnosis loud
input_datasets: {people: DATA/raw/example.csv}
operations:
  - ShoutOperation: {input_dataset: people, output_dataset: loud, fields: [diagnosis]}
"""


@pytest.fixture(scope="module")
def acme(extra_site: Callable[[Path], Path]) -> dict[str, str]:
    return {"PYTHONPATH": str(extra_site(HERE / "foreign"))}


@pytest.fixture
def loud_project(project: Path) -> Path:
    (project / "configs" / "shout.yaml").write_text(TASK)
    (project / ".pamola.toml").write_text('[plugins]\nprefer.checkpoints = "acme"\n')
    return project


def test_it_replaces_a_service_and_adds_command_operation_section_and_veto(cli, loud_project, acme):
    assert "Says hello from Acme." in cli("--help", env=acme, code=0).stdout
    assert "hello from Acme" in cli("acme", env=acme, code=0).stdout
    cli("run", "shout", cwd=loud_project, env=acme, code=0)
    state = loud_project / "DATA/processed/shout/.state"
    assert [e["step_id"] for e in json.loads((state / "acme.json").read_text())] == ["ShoutOperation"]
    assert not (state / "journal.jsonl").exists()
    loud = (loud_project / "DATA/processed/shout/output/loud.csv").read_text()
    assert "HEALTHY" in loud
    assert "healthy" not in loud
    report = json.loads((loud_project / "DATA/reports/shout_report.json").read_text())
    assert report["sections"]["acme_seal"]["facts"] == {"sealed": True}
    assert "Acme's seal" in (loud_project / "DATA/reports/shout_report.md").read_text()
    won = {p["name"]: p["services"] for p in report["plugins"]}
    assert won["acme"] == ["checkpoints"]
    assert "checkpoints" not in won["checkpoints"]


def test_its_checkpoints_really_answer_on_the_next_run(cli, loud_project, acme):
    cli("run", "shout", cwd=loud_project, env=acme, code=0)
    again = cli("run", "shout", cwd=loud_project, env=acme, code=0)
    assert "1 unchanged since an earlier run" in again.stdout


def test_its_veto_stops_a_path_that_the_guard_would_allow(cli, loud_project, acme):
    (loud_project / "DATA/raw/forbidden.csv").write_text("diagnosis\nx\n")
    (loud_project / "configs/shout.yaml").write_text(TASK.replace("example.csv", "forbidden.csv"))
    refused = cli("run", "shout", cwd=loud_project, env=acme)
    assert refused.returncode == 4
    assert "Acme forbids it (plugin acme)" in refused.stdout


def test_plugins_shows_who_answers_what_and_who_was_not_chosen(cli, loud_project, acme):
    shown = cli("plugins", cwd=loud_project, env=acme, code=0).stdout
    assert "acme-privacy 2.3.4" in shown
    line = next(line for line in shown.splitlines() if line.startswith("  checkpoints"))
    assert "acme" in line
    assert "not chosen: checkpoints" in line
    services = json.loads(cli("plugins", "--json", cwd=loud_project, env=acme, code=0).stdout)["services"]
    assert services["checkpoints"] == {"provider": "acme", "not_chosen": ["checkpoints"], "problem": ""}


@pytest.mark.parametrize("how", ["option", "distribution", "environment", "file"])
def test_blocked_it_is_gone_and_the_report_says_so(cli, project, acme, how):
    arguments = {"option": ["--no-plugin", "acme"], "distribution": ["--no-plugin", "Acme_Privacy"]}.get(how, [])
    env = {**acme, **({"PAMOLA_NO_PLUGINS": "acme"} if how == "environment" else {})}
    if how == "file":
        (project / ".pamola.toml").write_text('[plugins]\ndisable = ["acme"]\n')
    assert "Acme" not in cli(*arguments, "--help", cwd=project, env=env, code=0).stdout
    assert "unknown command 'acme'" in cli(*arguments, "acme", cwd=project, env=env, code=2).stderr
    unknown = cli(*arguments, "ops", "ShoutOperation", cwd=project, env=env, code=2)
    assert "unknown operation 'ShoutOperation'" in unknown.stderr
    cli(*arguments, "run", "example", cwd=project, env=env, code=0)
    report = json.loads((project / "DATA/reports/example_report.json").read_text())
    assert "acme_seal" not in report.get("sections", {})
    assert any("acme" in text and "left out" in text for text in report["overrides"])


def test_two_alternatives_for_a_guarded_service_are_named_with_the_setting_and_neither_is_used(
    cli, project, acme, extra_site
):
    env = {"PYTHONPATH": f"{acme['PYTHONPATH']}:{extra_site(HERE / 'two_checkpoints')}"}
    done = cli("run", "example", cwd=project, env=env, code=0)
    for part in ("acme (acme-privacy 2.3.4)", "second (acme-second 1.0)", "prefer.checkpoints"):
        assert part in done.stdout
    assert (project / "DATA/processed/example/.state/journal.jsonl").exists()
    (project / ".pamola.toml").write_text('[plugins]\nprefer.checkpoints = "acme"\n')
    cli("run", "example", cwd=project, env=env, code=0)
    assert (project / "DATA/processed/example/.state/acme.json").exists()


def test_an_observer_that_raises_stops_nobody_and_is_named_in_the_report(cli, project, extra_site):
    env = {"PYTHONPATH": str(extra_site(HERE / "noisy"))}
    done = cli("run", "example", cwd=project, env=env, code=0)
    assert "noisy (acme-noisy 0.9) failed in pamola_on_step_finished" in done.stdout
    seen = (project / "seen.txt").read_text().splitlines()
    assert seen == ["ProfileOperation success", "AnonymizeOperation success", "ProfileOperation-2 success"]
    report = json.loads((project / "DATA/reports/example_report.json").read_text())
    assert report["run"]["status"] == "success"
    failures = report["observer_failures"]
    assert [f["hook"] for f in failures] == ["pamola_on_step_finished"] * 3
    assert "cannot stand ProfileOperation" in failures[0]["error"]


def test_a_broken_plugin_warns_where_facts_are_shown_and_refuses_where_data_is_touched(cli, project, tmp_path):
    broken = tmp_path / "broken.py"
    broken.write_text("raise ImportError('no such thing')\n")
    listed = cli("--plugin", broken, "list", cwd=project, code=0)
    assert "plugin failed to load: broken" in listed.stderr
    refused = cli("--plugin", broken, "run", "example", cwd=project, code=2)
    assert "broken" in refused.stderr
    assert "--no-plugin broken" in refused.stderr
    assert "Traceback" not in refused.stderr
    assert not (project / "DATA/processed").exists()
    cli("--plugin", broken, "--no-plugin", "broken", "run", "example", cwd=project, code=0)


def test_a_plugin_to_leave_out_that_is_not_there_is_told(cli, project):
    listed = cli("--no-plugin", "reportz", "list", cwd=project, code=0)
    assert "there is no plugin 'reportz' to leave out" in listed.stderr
