"""`pamola-task init` and `pamola-task new`: what they write runs, and nothing is overwritten."""

from __future__ import annotations

import json
import subprocess

import pytest

# Plugins of pytest that a project's tests do not need: Hypothesis prepares for seconds in every new folder.
WITHOUT = ("-p", "no:cacheprovider", "-p", "no:hypothesispytest")


def test_new_task_makes_a_task_that_runs_and_a_test_that_passes(cli, python, project):
    for arguments in (["one"], ["two", "--class"]):
        name = arguments[0]
        made = cli("new", "task", *arguments, cwd=project, code=0).stdout
        assert f"configs/{name}.yaml" in made
        cli("run", name, cwd=project, code=0)
    tested = python("-m", "pytest", "-q", *WITHOUT, "tests", cwd=project)
    assert "2 passed" in tested.stdout, tested.stdout + tested.stderr
    assert "there is a task 'one' already" in cli("new", "task", "one", cwd=project, code=2).stderr
    for bad in ("../x", "a/b", "a b", ""):
        assert cli("new", "task", bad, cwd=project).returncode in (2, 4)


def test_new_task_needs_no_pack_and_a_pack_replaces_its_template(cli, project):
    """The template named an operation of a pack: without the pack, what it wrote did not run."""
    without = ("--no-plugin", "ops-profile", "--no-plugin", "ops-anonymize")
    cli(*without, "new", "task", "alone", cwd=project, code=0)
    cli(*without, "run", "alone", cwd=project, code=0)
    assert "CountRows" in (project / "tasks/alone.py").read_text()
    assert "--class" not in cli(*without, "new", "task", "--help", cwd=project, code=0).stdout
    cli("new", "task", "profiled", "--class", cwd=project, code=0)
    assert "ProfileOperation" in (project / "tasks/profiled.py").read_text()


def test_new_operation_plugin_and_pack_are_usable_and_their_tests_pass(cli, python, project):
    cli("new", "operation", "shout-out", cwd=project, code=0)
    operation = cli("--plugin", "operations/shout_out.py", "ops", "ShoutOutOperation", "--json", cwd=project, code=0)
    assert json.loads(operation.stdout)["version"] == "1.0"
    assert "pip install -e plugins/our-rules" in cli("new", "plugin", "our-rules", cwd=project, code=0).stdout
    cli("new", "pack", "our-ops", cwd=project, code=0)
    assert 'dependencies = ["pamola-tasks>=' in (project / "plugins/our-ops/pyproject.toml").read_text()
    for tests in ("tests", "plugins/our-rules", "plugins/our-ops"):
        tested = python("-m", "pytest", "-q", *WITHOUT, tests, cwd=project)
        assert "1 passed" in tested.stdout, tested.stdout + tested.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["operation", "a b"], "letters, digits"),
        (["operation", "class"], "Python cannot import 'class'"),
        (["plugin", "9lives"], "Python cannot import '9lives'"),
        (["pack", "json"], "Python already has a module 'json'"),
        (["operation", "../x"], "letters, digits"),
        (["plugni", "x"], "plugin"),
    ],
)
def test_new_refuses_names_that_cannot_be_imported(cli, project, arguments, said):
    assert said in cli("new", *arguments, cwd=project, code=2).stderr


def test_new_leaves_what_is_there_as_it_is(cli, project):
    cli("new", "plugin", "our-rules", cwd=project, code=0)
    written = project / "plugins/our-rules/src/our_rules/plugin.py"
    written.write_text("# mine")
    assert "is there already" in cli("new", "pack", "our-rules", cwd=project, code=2).stderr
    assert written.read_text() == "# mine"


def test_commands_to_go_on_with_can_be_typed_where_the_shell_does_not_find_the_program(cli, tmp_path):
    """As README has it: `.venv/bin/pamola-task`, in no activated environment."""
    for folder in (".", "other place"):
        done = cli("init", folder, cwd=tmp_path, env={"PATH": "/usr/bin:/bin"}, code=0)
        command = done.stdout.rpartition("try  ")[2].strip()
        ran = subprocess.run(
            ["/bin/sh", "-c", command], cwd=tmp_path, env={"PATH": "/usr/bin:/bin"}, capture_output=True, check=False
        )
        assert ran.returncode == 0, ran.stderr.decode()
    assert "cd sub && pamola-task run example\n" in cli("init", "sub", cwd=tmp_path, code=0).stdout


def test_init_leaves_what_is_there_as_it_is(cli, project):
    config = project / "configs/prj_config.yaml"
    config.write_text("data_repository: DATA\nseed: 5\n")
    (project / "DATA/raw/example.csv").unlink()
    again = cli("init", project, code=0)
    assert "DATA/raw/example.csv" in again.stdout
    assert config.read_text() == "data_repository: DATA\nseed: 5\n"


TEMPLATE = """
import click
from pamola_tasks import Command, hookimpl
PAMOLA_HOOK_API = 1

@click.command()
@click.argument("name")
@click.pass_obj
def hierarchy(cli, name):
    "Create a hierarchy."
    cli.create_files(f"hierarchy {name}", {f"DATA/hierarchies/{name}.csv": "value,level1\\n"}, [("edit it", name)])

@hookimpl
def pamola_add_templates():
    return {"hierarchy": Command("levels:hierarchy", help="Create a hierarchy of values.")}
"""


def test_a_plugin_brings_a_template(cli, project):
    (project / "levels.py").write_text(TEMPLATE)
    environment = {"PYTHONPATH": str(project)}

    def new(*arguments: str, code: int = 0) -> subprocess.CompletedProcess[str]:
        return cli("--plugin", "levels", "new", *arguments, cwd=project, env=environment, code=code)

    assert "Create a hierarchy of values." in new("--help").stdout
    assert "DATA/hierarchies/city.csv" in new("hierarchy", "city").stdout
    assert (project / "DATA/hierarchies/city.csv").read_text() == "value,level1\n"
    assert "is there already" in new("hierarchy", "city", code=2).stderr
    assert "Create a task" in new("--help").stdout
    assert "did you mean 'hierarchy'" in new("hierarchi", "x", code=2).stderr
