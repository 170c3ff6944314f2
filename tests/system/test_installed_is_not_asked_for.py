"""Installing a distribution does not replace what protects a project; `prefer`, `require` and `only` say what may."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from installed import distribution_at

from pamola_tasks.protocols.services import KERNEL_SERVICES

GUARDED = [name for name, service in KERNEL_SERVICES.items() if service.guarded]
OFFERS = """\
from pamola_tasks import hookimpl

@hookimpl
def pamola_provide_path_guard(project):
    from pamola_tasks_paths.guard import ProjectGuard
    class Open(ProjectGuard): ...
    return Open(project.root).extended([project.root.parent])
"""
WRAPS = """\
from pamola_tasks import hookimpl

@hookimpl(wrapper=True)
def pamola_provide_path_guard(project):
    return (yield).extended([project.root.parent])
"""


@pytest.fixture
def reads_outside(project: Path, tmp_path: Path) -> Path:
    """A project with a task whose input is not in it."""
    (tmp_path / "outside.csv").write_text("a,b\n1,2\n")
    (project / "configs/t.yaml").write_text(
        f"task_id: t\ninput_datasets: {{d: {tmp_path / 'outside.csv'}}}\n"
        "operations:\n  - ProfileOperation: {dataset_name: d}\n"
    )
    return project


@pytest.mark.parametrize("source", [OFFERS, WRAPS], ids=["offers", "wraps"])
def test_an_installed_guard_is_not_used(cli, reads_outside, tmp_path, source):
    env = distribution_at(tmp_path / "site", source)
    refused = cli("run", "t", cwd=reads_outside, env=env, code=4)
    assert "outside" in refused.stdout + refused.stderr
    shown = cli("plugins", cwd=reads_outside, env=env, code=0)
    assert "plugin helpful (helpful-lib 1.0)" in shown.stderr
    doctor = cli("doctor", cwd=reads_outside, env=env, code=0).stdout
    assert "installing it is not enough" in doctor
    assert "beneath the project" in doctor or "each folder" in doctor
    cli("run", "example", cwd=reads_outside, env=env, code=0)
    warnings = json.loads(cli("run", "example", "--json", cwd=reads_outside, env=env, code=0).stdout)["warnings"]
    assert any("helpful-lib" in text for text in warnings)


@pytest.mark.parametrize(
    ("source", "setting"),
    [
        (OFFERS, 'prefer.path_guard = "helpful"'),
        (OFFERS, 'prefer.path_guard = "Helpful_Lib"'),
        (WRAPS, 'require = ["helpful-lib"]'),
    ],
)
def test_what_is_asked_for_is_used_and_doctor_names_it(cli, reads_outside, tmp_path, source, setting):
    env = distribution_at(tmp_path / "site", source)
    (reads_outside / ".pamola.toml").write_text(f"[plugins]\n{setting}\n")
    done = cli("run", "t", cwd=reads_outside, env=env, code=0)
    assert "not enough" not in done.stdout + done.stderr
    doctor = cli("doctor", cwd=reads_outside, env=env, code=0).stdout
    if source is OFFERS:
        assert "service path_guard: provided by helpful (helpful-lib 1.0)" in doctor


def test_a_plugin_that_is_given_counts_as_asked_for(cli, reads_outside, tmp_path):
    (tmp_path / "mine.py").write_text(OFFERS)
    cli("--plugin", tmp_path / "mine.py", "run", "t", cwd=reads_outside, code=0)
    env = distribution_at(tmp_path / "site", OFFERS)
    cli("--plugin", tmp_path / "mine.py", "run", "t", cwd=reads_outside, env=env, code=0)


def test_each_guarded_service_keeps_its_default(cli, project, tmp_path):
    hooks = [f"@hookimpl\ndef pamola_provide_{service}():\n    return object()\n" for service in GUARDED]
    env = distribution_at(tmp_path / "site", "from pamola_tasks import hookimpl\n" + "".join(hooks))
    found = json.loads(cli("plugins", "--json", cwd=project, env=env, code=0).stdout)
    for service in GUARDED:
        assert found["services"][service]["provider"] != "helpful"
        assert found["services"][service]["not_chosen"] == ["helpful"]
        assert sum(f"offers {service}" in text for text in found["warnings"]) == 1
    cli("run", "example", "--executor", "processes", cwd=project, env=env, code=0)
    cli("run", "--all", "--jobs", "2", "--restart", cwd=project, env=env, code=0)


def test_without_the_default_a_guarded_service_stays_away(cli, project, tmp_path):
    env = distribution_at(tmp_path / "site", OFFERS, name="paths")
    refused = cli("--no-plugin", "pamola-tasks-paths", "run", "example", cwd=project, env=env, code=4)
    assert "no plugin guards paths" in refused.stderr
    shown = cli("--no-plugin", "pamola-tasks-paths", "plugins", cwd=project, env=env, code=0)
    assert 'prefer.path_guard = "paths"' in shown.stderr


# ---------------------------------------------------------------- only


def test_only_what_is_named_is_loaded(cli, project, tmp_path):
    env = distribution_at(tmp_path / "site", "raise SystemExit('imported')\n")
    (project / ".pamola.toml").write_text('[plugins]\nonly = ["pamola-*", "acme"]\n')
    done = cli("run", "example", cwd=project, env=env, code=0)
    assert "only in .pamola.toml names 'acme', and there is no such plugin" in done.stderr
    report = json.loads((project / "DATA/reports/example_report.json").read_text())
    assert "plugin helpful (helpful-lib 1.0) was left out on purpose" in report["overrides"]
    rows = {row["name"]: row for row in json.loads(cli("plugins", "--json", cwd=project, env=env).stdout)["plugins"]}
    assert (rows["helpful"]["status"], rows["paths"]["status"]) == ("blocked", "loaded")
    assert "only" in rows["helpful"]["reason"]
    cli("run", "--all", "--jobs", "2", "--restart", "--executor", "processes", cwd=project, env=env, code=0)
    (project / ".pamola.toml").write_text('[plugins]\nonly = ["pamola-*"]\nrequire = ["helpful"]\n')
    refused = cli("run", "example", cwd=project, env=env, code=2)
    assert "'helpful' is required by .pamola.toml and is not loaded: not named by [plugins] only" in refused.stderr


def test_what_only_leaves_out_can_be_seen_where_it_leaves_out_too_much(cli, project):
    (project / ".pamola.toml").write_text('[plugins]\nonly = ["paths"]\n')
    refused = cli("run", "example", cwd=project, code=2)
    assert "[plugins] only" in refused.stderr
    (project / ".pamola.toml").write_text('[plugins]\nonly = "paths"\n')
    assert "plugins.only: expected a list of names" in cli("run", "example", cwd=project, code=2).stderr
