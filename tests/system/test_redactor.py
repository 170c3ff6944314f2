"""What may be shown is said by a plugin: without one nothing is, and another one's word counts everywhere."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

SECRET = "correct-horse-battery"

TOY = f'''
import traceback
from pamola_tasks import hookimpl

PAMOLA_HOOK_API = 1

class Said:
    def __init__(self, whole):
        self.whole = whole
    def message(self, error):
        return str(error) if self.whole else f"toy: {{type(error).__name__}}"
    def trace(self, error):
        return "toy: no traceback"
    def remember(self, error):
        pass

class Toy:
    def __init__(self):
        self.secrets = ["{SECRET}"]
    def __call__(self, text):
        for secret in self.secrets:
            text = text.replace(secret, "[toy]")
        return text
    def value(self, value, key=""):
        if isinstance(value, dict) or hasattr(value, "items"):
            return {{str(name): self.value(item, str(name)) for name, item in value.items()}}
        if isinstance(value, (list, tuple, set, frozenset)):
            return [self.value(item) for item in value]
        return value if value is None or isinstance(value, (bool, int, float)) else self(str(value))
    def hides(self, key):
        return False
    def register(self, secret):
        self.secrets.append(secret if isinstance(secret, str) else secret.reveal())
    def learn(self, value, key=""):
        pass
    def add_pattern(self, pattern):
        pass
    def add_predicate(self, is_secret_key):
        pass
    def add_names(self, names):
        pass
    def disclosure(self, run=None, datasets=()):
        return Said(run is not None and run.options.show_data)

@hookimpl
def pamola_provide_redactor(run):
    return Toy()
'''

COMMANDS = [
    "list",
    "data DATA/raw/example.csv",
    "assess DATA/raw/example.csv",
    "explore example",
    "show example",
    "run example",
    "budget",
    "policy show",
    "policy test",
    "releases list",
    "release example --accept why --by me",
    "status",
    "history",
    "report example",
    "run example --restart",
    "compare example",
    "reports prune --keep 5",
    "verify example",
    "checkpoints example",
    "graph",
    "graph example",
    "config show example",
    "config check example",
    "config schema",
    "config save example --set k=4",
    "plugins",
    "hooks provide_redactor",
    "ops ProfileOperation",
    "check-plugin demo",
    "clean",
    "doctor",
    "doctor --data",
    "completion bash",
    "keys init",
    "keys list",
    "encrypt DATA/raw/example.csv --out locked.csv",
    "decrypt locked.csv --out plain.csv",
    "keys rotate",
    "new task t_new",
    "demo --rows 60",
    "init elsewhere",
]


@pytest.fixture
def toy(project: Path) -> Path:
    """A project that prefers a redactor of its own."""
    path = project / "toy.py"
    path.write_text(TOY)
    (project / ".pamola.toml").write_text('[plugins]\nprefer = {redactor = "toy"}\n')
    return path


@pytest.fixture
def described(project: Path) -> None:
    """The description of the example task holds the secret."""
    path = project / "configs/example.yaml"
    text, count = re.subn("(?m)^description: .*$", f"description: known as {SECRET} here", path.read_text())
    assert count == 1
    path.write_text(text)


def test_every_command_works_with_another_redactor(cli, project, described, toy):
    """One after the other in one project; each ends as it should, and the secret that only the toy knows is hidden."""
    listed = cli("--help", code=0).stdout.partition("Commands:")[2]
    serving = {
        "dashboard",
        "approve",
        "upload",
    }  # one does not end, others need more than a project: tests of their own
    assert {command.split()[0] for command in COMMANDS} == set(re.findall("(?m)^  ([a-z-]+)", listed)) - serving
    for command in COMMANDS:
        done = cli("--plugin", toy, *command.split(), cwd=project)
        assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
        assert SECRET not in done.stdout + done.stderr, command
    report = cli("--plugin", toy, "report", "example", "--json", cwd=project, code=0).stdout
    assert "known as [toy] here" in report
    provider = next(plugin for plugin in json.loads(report)["plugins"] if "redactor" in plugin["services"])
    assert provider["name"] == "toy"
    for path in (project / "DATA").rglob("*"):
        assert not path.is_file() or SECRET.encode() not in path.read_bytes(), path


@pytest.mark.parametrize("where", ["{}", "{'timeout': 60}"])
def test_what_may_be_said_of_an_error_is_what_another_redactor_says(cli, project, toy, where):
    """In the run's process, and in one of its own for the step, which a time limit needs."""
    (project / "failing.py").write_text(
        "from pamola_tasks import BaseTask, Operation\n\n\n"
        "class Fails(Operation):\n    def execute(self, ctx):\n        raise ValueError('secret cell')\n\n\n"
        "class Task(BaseTask):\n"
        "    def __init__(self):\n        super().__init__('t_fails', 'test', 'Fails')\n"
        f"    def configure_operations(self):\n        self.add_operation(Fails, step={where})\n"
    )
    hidden = cli("--plugin", toy, "run", "failing.py", cwd=project, code=1)
    assert "toy: ValueError" in hidden.stdout + hidden.stderr
    assert "secret cell" not in hidden.stdout + hidden.stderr
    shown = cli("--plugin", toy, "run", "failing.py", "--show-data", cwd=project, code=1)
    assert "secret cell" in shown.stdout + shown.stderr


def test_without_a_redactor_no_command_quotes_anything(cli, project, described):
    """Commands that need one say what is missing; none prints a word of a configuration, argument or error."""
    secrets = {"DB_PASSWORD": SECRET}
    refused = 0
    for command in [*COMMANDS, "run absent", f"run example --set description={SECRET}", f"{SECRET}"]:
        done = cli("--no-plugin", "redaction", *command.split(), cwd=project, env=secrets)
        assert SECRET not in done.stdout + done.stderr, command
        if done.returncode != 0:
            assert "no plugin provides 'redactor': install pamola-tasks-redaction" in done.stdout + done.stderr, command
            refused += 1
    assert refused > len(COMMANDS) / 2


@pytest.mark.parametrize("task", ["example", "absent", "configs/example.yaml"])
def test_without_a_redactor_nothing_is_begun(cli, project, described, task):
    before = {path: path.read_bytes() for path in project.rglob("*") if path.is_file()}
    done = cli("--no-plugin", "redaction", "run", task, "--traceback", cwd=project, code=2)
    assert "no plugin provides 'redactor'" in done.stderr
    assert SECRET not in done.stdout + done.stderr
    assert {path: path.read_bytes() for path in project.rglob("*") if path.is_file()} == before


def test_without_a_redactor_a_broken_plugin_is_named_and_not_quoted(cli, project):
    (project / "broken.py").write_text(f"raise RuntimeError('{SECRET}')\n")
    listed = json.loads(
        cli("--no-plugin", "redaction", "--plugin", "broken.py", "plugins", "--json", cwd=project, code=0).stdout
    )
    broken = next(plugin for plugin in listed["plugins"] if plugin["name"] == "broken")
    assert broken["reason"].startswith("RuntimeError: *** (not shown: no plugin provides 'redactor'")
    assert SECRET not in json.dumps(listed)


def test_a_task_of_a_script_fails_without_a_redactor_and_says_why(python, project, described):
    (project / "script.py").write_text(
        "from pamola_tasks import BaseTask, Kernel\nfrom pamola_tasks.errors import ServiceMissing\n\n\n"
        "class Task(BaseTask):\n"
        "    def __init__(self):\n        super().__init__('t_script', 'test', 'Script')\n"
        "    def configure_operations(self):\n        raise AssertionError('it was begun')\n\n\n"
        "task = Task()\nprint(task.run())\nprint(task.error_info['message'])\n"
        "print(task.error_info['exception_type'])\n"
        "try:\n    Kernel.discover().run(Task())\nexcept ServiceMissing as error:\n    print(error)\n"
    )
    done = python("script.py", cwd=project, PAMOLA_NO_PLUGINS="redaction")
    missing = "no plugin provides 'redactor': install pamola-tasks-redaction, or another plugin that does"
    assert done.stdout.splitlines() == ["False", f"*** (not shown: {missing})", "ServiceMissing", missing]


@pytest.mark.parametrize(
    "command", ["config check", "config check --json", "config check example", "doctor", "graph", "run example", "list"]
)
def test_what_a_plugin_objects_is_redacted_wherever_it_is_shown(cli, project, command):
    (project / "strict.py").write_text(
        "from pamola_tasks import hookimpl\n\n@hookimpl\ndef pamola_check_config(config):\n"
        f"    return 'the database refuses password={SECRET}' if config.task_id else None\n\n"
        "@hookimpl\ndef pamola_add_diagnoses(project):\n"
        "    from pamola_tasks.protocols import Diagnosis\n"
        f"    return [Diagnosis(level='note', subject='database', finding='it refuses password={SECRET}')]\n"
    )
    done = cli("--plugin", "strict.py", *command.split(), cwd=project)
    assert SECRET not in done.stdout + done.stderr
    assert command == "list" or "refuses password=***" in done.stdout + done.stderr
