"""Every command with `--json`, found by walking over the command line: one document on stdout, whoever prints."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest

NOISY = """
import os
print("printed while the plugin is loaded")
from pamola_tasks import BaseTask, Operation, OperationResult, hookimpl
PAMOLA_HOOK_API = 1

class Prints(Operation):
    def execute(self, ctx):
        print("printed by the operation")
        return OperationResult.success()

class T(BaseTask):
    def __init__(self):
        super().__init__("t_1")
    def configure_operations(self):
        self.add_operation(Prints)

@hookimpl
def pamola_add_tasks(project):
    print("printed while tasks are looked for")
    os.write(1, b"written past Python\\n")
    return {"t_1": T}

@hookimpl
def pamola_check_config(config):
    print("printed while the configuration is checked")
    return []

@hookimpl
def pamola_add_diagnoses(project):
    print("printed by a diagnosis")
    return []
"""

# Runs every command that has --json, each in a fork of this process, which has imported everything once.
WALK = """
import io, json, os, sys
import click
from pamola_tasks_cli import app

def commands(group, context, path):
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        inside = click.Context(command, parent=context, info_name=name, obj=context.obj)
        if isinstance(command, click.Group):
            yield from commands(command, inside, [*path, name])
        if any("--json" in option.opts for option in command.params):
            wants = [parameter for parameter in command.params if isinstance(parameter, click.Argument)]
            yield [*path, name], bool(wants) and (wants[0].required or name in ("run", "history"))

def told(arguments):
    out, into = os.pipe()
    if not os.fork():
        os.close(out)
        os.dup2(into, 1)
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
        sys.stdout = io.TextIOWrapper(os.fdopen(1, "wb", closefd=False))
        sys.argv = ["pamola-task", *arguments]
        try:
            app.run()
        except SystemExit as error:
            sys.stdout.flush()
            os._exit(int(error.code or 0))
        finally:
            os._exit(99)
    os.close(into)
    with os.fdopen(out, "rb") as stream:
        text = stream.read().decode()
    return text, os.waitstatus_to_exitcode(os.wait()[1])

root = click.Context(app.cli, obj=app.Invocation(os.getcwd()))
found = sorted(commands(app.cli, root, []), key=lambda command: command[0] != ["run"])
for path, wants_task in found:
    arguments = ["--plugin", "noisy.py", *path, *(["t_1"] if wants_task else []), "--json"]
    print(json.dumps([" ".join(path), *told(arguments)]), flush=True)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks for each command")
def test_every_command_with_a_json_option_gives_a_document_and_nothing_else(project: Path, home: Path) -> None:
    import subprocess

    (project / "noisy.py").write_text(NOISY)
    places = {"HOME": str(home), "XDG_DATA_HOME": str(home / "data"), "TMPDIR": str(home)}
    environment = {**os.environ, **places, "PYTHONPATH": ""}
    done = subprocess.run(
        [sys.executable, "-c", WALK],
        cwd=project,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
        timeout=240,
    )
    told = {name: (text, code) for name, text, code in map(json.loads, done.stdout.splitlines()[-60:])}
    assert {"run", "list", "show", "history", "keys init", "config check", "doctor", "verify", "status"} <= set(told)
    wrong = {}
    for name, (text, code) in told.items():
        try:
            json.loads(text)
        except ValueError:
            if text or code == 0:
                wrong[name] = (code, text[:300])
    assert wrong == {}
    # Those that had nothing to tell of: without a document they have to fail.
    silent = {name for name, (text, code) in told.items() if not text}
    of_keys = {"keys rotate", "keys rekey", "keys check"}
    assert silent <= {
        *of_keys,
        "reports prune",
        "history prune",
        "approve",
        "assess",
        "compare",
        "explore",
        "release",
        "check-plugin",
        "upload",
    }
