"""Plugins that are files of a project: `[plugins] local` in `.pamola.toml` loads them in every command and process."""

import hashlib
import json

import pytest

SHOUT = '''
from pamola_tasks import Operation, OperationResult, hookimpl, reads, writes


class ShoutOperation(Operation):
    """Write cities in capitals."""

    input_dataset: str = reads("people")
    output_dataset: str = writes("loud")

    def execute(self, ctx):
        frame = ctx.data.frame(self.input_dataset)
        ctx.data.write(self.output_dataset, frame.assign(city=frame["city"].str.upper()))
        return OperationResult.success()


@hookimpl
def pamola_add_operations():
    return {"ShoutOperation": ShoutOperation}
'''
TASK = """
task_id: NAME
input_datasets: {people: DATA/raw/people.csv}
operations:
  - ShoutOperation: {}
    timeout: 60
"""


@pytest.fixture
def local(place):
    """A project with an operation of its own in two tasks."""
    (place / ".pamola.toml").write_text('[plugins]\nlocal = ["operations/*.py"]\n')
    (place / "operations").mkdir()
    (place / "operations/shout.py").write_text(SHOUT)
    (place / "operations/_parts.py").write_text("raise RuntimeError('not a plugin')\n")
    for name in ("one", "two"):
        (place / f"configs/{name}.yaml").write_text(TASK.replace("NAME", name))
    return place


def test_all_tasks_run_without_an_option_and_the_report_has_the_hash(cli, local, tmp_path):
    """In processes of steps and of tasks, from another folder, and once where `--plugin` names the file too."""
    done = cli("--project", local, "run", "--all", "--jobs", "2", "--json", cwd=tmp_path, code=0)
    assert {each["task"]: each["status"] for each in json.loads(done.stdout)} == {"one": "success", "two": "success"}
    report = json.loads((local / "DATA/reports/one_report.json").read_text())
    assert [step["own_process"] for step in report["operations"]] == [True]
    (plugin,) = [each for each in report["plugins"] if each["name"] == "shout"]
    digest = hashlib.sha256(SHOUT.encode()).hexdigest()
    assert (plugin["file"], plugin["sha256"]) == ("operations/shout.py", digest)
    assert "A" in (local / "DATA/processed/two/output/loud.csv").read_text()
    listed = cli("--plugin", "operations/shout.py", "plugins", cwd=local, code=0)
    assert [line.split()[1:3] for line in listed.stdout.splitlines() if line.startswith("shout ")] == [
        ["operations/shout.py", "loaded"]
    ]
    assert f"plugin shout: the file {local}/operations/shout.py, sha256 {digest}" in cli("doctor", cwd=local).stdout


@pytest.mark.parametrize(
    ("options", "more", "reason"),
    [
        (["--no-plugin", "shout"], "", "left out on purpose"),
        ([], 'disable = ["shout"]', "left out on purpose"),
        ([], 'only = ["pamola-*"]', "not named by [plugins] only in .pamola.toml"),
    ],
)
def test_a_local_plugin_is_left_out_like_an_installed_one(cli, local, options, more, reason):
    with (local / ".pamola.toml").open("a") as file:
        file.write(f"{more}\n")
    rows = json.loads(cli(*options, "plugins", "--json", cwd=local, code=0).stdout)["plugins"]
    assert [(row["status"], row["reason"]) for row in rows if row["name"] == "shout"] == [("blocked", reason)]
    refused = cli(*options, "run", "one", cwd=local, code=2)
    assert "unknown operation 'ShoutOperation'" in refused.stdout


@pytest.mark.parametrize(
    ("pattern", "text", "code", "said"),
    [
        ("operations/*.py", "import nowhere_to_be_found", 2, "plugin broken failed to load: ModuleNotFoundError"),
        ("operation/*.py", "", 2, "there is no Python file"),
        ("../*.py", "", 2, "plugins.local: ../*.py: expected .py files of the project"),
        ("operations/link.py", "", 2, "plugins.local: operations/link.py: expected .py files of the project"),
        ("operations/shared.py", "", 4, "can be changed by every user"),
    ],
)
def test_a_file_that_cannot_be_loaded_is_named_and_nothing_runs(cli, local, pattern, text, code, said):
    (local / ".pamola.toml").write_text(f'[plugins]\nlocal = ["{pattern}"]\n')
    (local / "operations/broken.py").write_text(text)
    (local / "operations/link.py").symlink_to("/usr/lib/os-release.py")
    (local / "operations/shared.py").touch()
    (local / "operations/shared.py").chmod(0o666)
    if code == 2 and text:
        (local / "operations/link.py").unlink()
        (local / "operations/shared.py").unlink()
    refused = cli("run", "one", cwd=local, code=code)
    assert said in refused.stderr
    assert not (local / "DATA/processed").exists()
