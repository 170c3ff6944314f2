"""Several tasks through `kernel.scheduler` and through the command line, with the plugin and without it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from pamola_tasks import Kernel
from pamola_tasks.errors import UsageError

PLUGIN = """
from pamola_tasks import Operation, OperationResult, hookimpl

class Note(Operation):
    output_prefix: str = "note"

    def execute(self, ctx):
        with ctx.artifact(self.output_prefix, "txt", "A note") as file:
            file.write(b"noted")
        return OperationResult.success()

@hookimpl
def pamola_add_operations():
    return {"Note": Note}
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A project with the tasks `first`, and `second` that depends on it."""
    (tmp_path / "configs").mkdir()
    (tmp_path / ".pamola.toml").touch()
    (tmp_path / "note.py").write_text(PLUGIN)
    (tmp_path / "configs/first.yaml").write_text("task_id: first\noperations: [{Note: {}}]\n")
    (tmp_path / "configs/second.yaml").write_text("task_id: second\ndependencies: [first]\noperations: [{Note: {}}]\n")
    return tmp_path


def kernel_of(root: Path, **more: Any) -> Kernel:
    return Kernel(root, modules=[str(root / "note.py")], **more)


def cli(root: Path, *arguments: str, code: int) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, "-m", "pamola_tasks", "--plugin", "note.py", *arguments],
        cwd=root,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == code, done.stderr + done.stdout
    return done


@pytest.mark.parametrize("jobs", [1, 2])
def test_all_tasks_run_and_then_only_what_changed(root: Path, jobs: int) -> None:
    first = list(kernel_of(root).scheduler.run(jobs=jobs))
    assert [(ended.task_id, ended.status, ended.success) for ended in first] == [
        ("first", "run", True),
        ("second", "run", True),
    ]
    again = list(kernel_of(root).scheduler.run(jobs=jobs))
    assert [ended.status for ended in again] == ["skipped", "skipped"]
    assert [ended.status for ended in kernel_of(root).scheduler.run(["first"])] == ["run"], "a named task always runs"


def test_a_dry_run_follows_the_order_and_runs_nothing(root: Path) -> None:
    planned = list(kernel_of(root).scheduler.dry_run(["second"], with_dependencies=True))
    assert [(one.task_id, one.action) for one in planned] == [("first", "run"), ("second", "run")]
    assert [step.action for step in planned[0].steps] == ["run"]
    assert not (root / "DATA/processed").exists()


def test_the_graph_tells_what_each_task_needs(root: Path) -> None:
    nodes = kernel_of(root).scheduler.tasks()
    assert {name: list(node.needs) for name, node in nodes.items()} == {"first": [], "second": ["first"]}


def test_a_plugin_without_a_name_cannot_go_to_other_processes(root: Path) -> None:
    class Watch:
        PAMOLA_PLUGIN_NAME = "watch"

    with pytest.raises(UsageError, match="plugin watch is an object, which another process cannot import"):
        list(kernel_of(root, plugins=[Watch()]).scheduler.run(jobs=2))
    assert not (root / "DATA/processed").exists()


@pytest.mark.parametrize(
    "arguments", [["--all"], ["first", "second"], ["second", "--with-dependencies"], ["first", "--dry-run"]]
)
def test_without_the_plugin_several_tasks_and_dry_runs_are_refused(root: Path, arguments: list[str]) -> None:
    """The message names the distribution; one task runs all the same."""
    refused = cli(root, "--no-plugin", "orchestration", "run", *arguments, code=2)
    assert "install pamola-tasks-orchestration" in refused.stderr
    assert not (root / "DATA/processed").exists()
    done = cli(root, "--no-plugin", "orchestration", "run", "first", "--json", code=0)
    assert json.loads(done.stdout)["status"] == "success"
    assert "graph" not in cli(root, "--no-plugin", "orchestration", "--help", code=0).stdout
