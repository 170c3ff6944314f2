"""`pamola-task new task`."""

from __future__ import annotations

import click

from pamola_tasks.cli.app import State, pass_state
from pamola_tasks.cli.init import example_table
from pamola_tasks.cli.output import facts
from pamola_tasks.errors import UsageError
from pamola_tasks.files import check_name

TASK_FILE = """\
# Run it with:
#     pamola-task run {name}
task_id: {name}
task_type: analysis
description: {description}
input_datasets:
  data: {data}
operations:
  - ProfileOperation:
      dataset_name: data
      output_prefix: {name}
"""

TASK_CLASS = '''\
"""The task {name}: run it with `pamola-task run {name}`."""

from pamola_tasks import BaseTask


class {cls}(BaseTask):
    """{description}."""

    def __init__(self):
        super().__init__(
            task_id="{name}",
            task_type="analysis",
            description="{description}",
            input_datasets={{"data": "{data}"}},
        )

    def configure_operations(self):
        self.add_operation("ProfileOperation", dataset_name="data", output_prefix="{name}")


if __name__ == "__main__":
    task = {cls}()
    print("succeeded" if task.run() else f"failed: {{task.error_info['message']}}")
'''

CLASS_CONFIG = """\
# Where the task {name} is written, and what overrules what its class states.
task_id: {name}
task_type: analysis
description: {description}
task_class: tasks/{name}.py:{cls}
"""

TEST = '''\
"""The task {name} does what it says. Run with `pytest` from the project's root."""

import shutil
from pathlib import Path

from pamola_tasks import Kernel

PROJECT = Path(__file__).resolve().parent.parent


def test_{function}_succeeds_and_leaves_a_report(tmp_path):
    ignored = shutil.ignore_patterns("processed", "reports", "logs", ".git", ".venv", "execution_log*")
    project = shutil.copytree(PROJECT, tmp_path / "project", ignore=ignored)
    outcome = Kernel.discover(project=project).run("{name}")
    assert outcome.status == "success", outcome.error
    assert outcome.report.is_file()
    assert len(outcome.results) == 1
'''


@click.group("new")
def command() -> None:
    """Write something new that works, with a test that passes."""


@command.command("task")
@click.argument("name")
@click.option("--data", metavar="FILE", help="The table it reads, relative to the project; an example unless given.")
@click.option("--class", "as_class", is_flag=True, help="Write a Python class in tasks/ instead of a declaration.")
@click.option("--description", default="", help="What the task is for.")
@pass_state
def new_task(state: State, name: str, data: str | None, as_class: bool, description: str) -> None:
    """Write a new task NAME: configs/NAME.yaml (and tasks/NAME.py with --class), and tests/test_NAME.py."""
    check_name(name, "the task id")
    if not all(c.isalnum() or c in "_-" for c in name) or not name.isascii():
        raise UsageError(f"{name!r} is no good name for a task: letters, digits, `_` and `-`")
    kernel = state.kernel
    root = kernel.project.root
    if name in kernel.tasks.known():
        raise UsageError(f"there is a task {name!r} already")
    values = {
        "name": name,
        "cls": "".join(part.capitalize() for part in name.replace("-", "_").split("_")) + "Task",
        "function": name.replace("-", "_").lower(),
        "description": description.replace("\n", " ").replace('"', "'") or f"Profile of the data of {name}",
        "data": data or "DATA/raw/example.csv",
    }
    texts = {f"tests/test_{values['function']}.py": TEST}
    if as_class:
        texts[f"configs/{name}.yaml"] = CLASS_CONFIG
        texts[f"tasks/{name}.py"] = TASK_CLASS
    else:
        texts[f"configs/{name}.yaml"] = TASK_FILE
    made = {path: text.format(**values) for path, text in texts.items()}
    if data is None and not (root / "DATA/raw/example.csv").exists():
        made["DATA/raw/example.csv"] = example_table()
    taken = [path for path in made if (root / path).exists()]
    if taken:
        raise UsageError(f"{root / taken[0]} is there already, and was left as it is")
    for path, text in made.items():
        with kernel.project.files.create(path, "config", exclusive=True) as file:
            file.write(text.encode())
    click.echo(f"task {click.style(name, bold=True)}")
    facts([("wrote" if i == 0 else "", path) for i, path in enumerate(made)])
    facts([("run it", f"pamola-task run {name}"), ("test it", f"pytest tests/test_{values['function']}.py")])
