"""Where one JSON document is promised on stdout, nothing else gets there, whoever prints."""

from __future__ import annotations

import json

NOISY = """
import os, subprocess, sys
print("printed while the module is loaded")
from pamola_tasks import BaseTask, Operation, OperationResult, hookimpl
PAMOLA_HOOK_API = 1

class Prints(Operation):
    def execute(self, ctx):
        print("printed by the operation")
        sys.stdout.write("written without a line end")
        os.write(1, b"written past Python\\n")
        subprocess.run([sys.executable, "-c", "print('printed by a child')"], check=True)
        return OperationResult.success()

class T(BaseTask):
    def __init__(self):
        super().__init__("t_1")
    def configure_operations(self):
        self.add_operation(Prints)

@hookimpl
def pamola_on_run_finished(run):
    print("printed by an observer")
"""
PRINTED = [
    "printed while the module is loaded",
    "printed by the operation",
    "written without a line end",
    "written past Python",
    "printed by a child",
    "printed by an observer",
]


def test_stdout_is_one_document_and_what_was_printed_is_on_stderr(cli, project):
    (project / "noisy.py").write_text(NOISY)
    done = cli("--plugin", "noisy.py", "run", "noisy.py:T", "--json", cwd=project, code=0)
    assert json.loads(done.stdout)["success"] is True
    assert [text for text in PRINTED if text not in done.stderr] == []


def test_with_a_process_for_each_step_too(cli, project):
    (project / "noisy.py").write_text(NOISY)
    done = cli("run", "noisy.py:T", "--json", "--timeout", "60", cwd=project, code=0)
    assert json.loads(done.stdout)["success"] is True
    assert "printed by the operation" in done.stderr


def test_other_commands_keep_the_promise_with_a_plugin_that_prints(cli, project):
    (project / "noisy.py").write_text(NOISY)
    for command in (
        ["plugins"],
        ["list"],
        ["hooks"],
        ["doctor"],
        ["config", "show"],
        ["config", "schema"],
        ["history"],
    ):
        done = cli("--plugin", "noisy.py", *command, "--json", cwd=project)
        json.loads(done.stdout)
        assert "printed while" in done.stderr


def test_a_report_is_one_document_in_every_format_whatever_plugins_print(cli, project):
    (project / "noisy.py").write_text(NOISY)
    cli("run", "noisy.py:T", cwd=project, code=0)
    (project / "guard.py").write_text(
        "from pamola_tasks import hookimpl\nPAMOLA_HOOK_API = 1\n"
        "@hookimpl\ndef pamola_check_path(path, purpose):\n    print('printed by a guard')\n"
    )
    begins = {"json": "{", "md": "# t_1", "html": "<!DOCTYPE html>"}
    for arguments, begin in [(["--json"], "{"), *((["--format", name], text) for name, text in begins.items())]:
        done = cli("--plugin", "guard.py", "report", "t_1", *arguments, cwd=project, code=0)
        assert done.stdout.startswith(begin), arguments
        assert "printed by" not in done.stdout
        assert "printed by a guard" in done.stderr
        if begin == "{":
            assert json.loads(done.stdout)["task"]["id"] == "t_1"


def test_without_json_what_is_printed_stays_on_stdout(cli, project):
    (project / "noisy.py").write_text(NOISY)
    done = cli("run", "noisy.py:T", cwd=project, code=0)
    assert "printed by the operation" in done.stdout


def test_an_error_leaves_stdout_empty(cli, project):
    done = cli("run", "no-such-task", "--json", cwd=project)
    assert done.returncode == 2
    assert done.stdout == ""
