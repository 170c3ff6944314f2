"""`pamola-task new`: a task, an operation, a plugin or a pack of operations, each with a test that passes."""

from __future__ import annotations

import importlib.util
import keyword
from typing import TYPE_CHECKING

import click

from pamola_tasks.errors import UsageError
from pamola_tasks.storage.files import check_name
from pamola_tasks_scaffold.init import example_table

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pamola_tasks.protocols import CommandLine

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
@click.pass_obj
def new_task(cli: CommandLine, name: str, data: str | None, as_class: bool, description: str) -> None:
    """A task: a declaration or a class.

    Written are configs/NAME.yaml (and tasks/NAME.py with --class), and tests/test_NAME.py.
    """
    check_name(name, "the task id")
    _check_plain(name, "a task")
    kernel = cli.kernel
    if name in kernel.tasks.known():
        raise UsageError(f"there is a task {name!r} already")
    values = {
        "name": name,
        "cls": _camel(name) + "Task",
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
    if data is None and not (kernel.project.root / "DATA/raw/example.csv").exists():
        made["DATA/raw/example.csv"] = example_table()
    then = [("run it", f"{cli.out.program()} run {name}"), ("test it", f"pytest tests/test_{values['function']}.py")]
    _write(cli, f"task {click.style(name, bold=True)}", made, then)


@command.command("operation")
@click.argument("name")
@click.pass_obj
def new_operation(cli: CommandLine, name: str) -> None:
    """An operation for this project.

    Written are operations/NAME.py, a plugin of one file, and tests/test_NAME.py.
    """
    from pamola_tasks_scaffold import new_code

    module, cls = _module(name, "an operation"), _operation_class(name)
    values = {"cls": cls, "module": module, "hookimpl": "hookimpl, "}
    file = f"operations/{module}.py"
    values["imports"] = "from pathlib import Path\n\nimport pandas as pd\n"
    values["constant"] = f'\nFILE = Path(__file__).resolve().parent.parent / "{file}"\n'
    values["plugins"] = "plugins=memory_plugins(), modules=[str(FILE)]"
    test = f"tests/test_{module}.py"
    texts = {file: new_code.OPERATION + new_code.OPERATION_HOOK, test: new_code.OPERATION_TEST}
    then = [("use it", f"{cli.out.program()} --plugin {file} run TASK"), ("test it", f"pytest {test}")]
    _write(cli, f"operation {click.style(cls, bold=True)}", _filled(texts, values), then)


@command.command("plugin")
@click.argument("name")
@click.pass_obj
def new_plugin(cli: CommandLine, name: str) -> None:
    """A plugin that can be installed.

    Written is plugins/NAME: a distribution with a check of its own, and a test.
    """
    from pamola_tasks_scaffold import new_code

    package = _package(name)
    values = {"name": name, "package": package, "description": "A rule for releases", "more": ""}
    texts = {
        "README.md": new_code.PLUGIN_README,
        f"src/{package}/plugin.py": new_code.PLUGIN,
        f"tests/test_{package}.py": new_code.PLUGIN_TEST,
    }
    _write_distribution(cli, "plugin", name, texts, values)


@command.command("pack")
@click.argument("name")
@click.pass_obj
def new_pack(cli: CommandLine, name: str) -> None:
    """A pack of operations that can be installed.

    Written is plugins/NAME: a distribution with one operation, and a test.
    """
    from pamola_tasks_scaffold import new_code

    package = _package(name)
    values = {"name": name, "package": package, "description": "Operations for pamola-tasks", "more": ', "pandas"'}
    values |= {"cls": "CapitalsOperation", "module": "capitals", "hookimpl": "", "constant": ""}
    values["imports"] = f"import pandas as pd\n\nfrom {package} import plugin"
    values["plugins"] = "plugins=[*memory_plugins(), plugin]"
    texts = {
        "README.md": new_code.PACK_README,
        f"src/{package}/plugin.py": new_code.PACK,
        f"src/{package}/capitals.py": new_code.OPERATION,
        f"tests/test_{package}.py": new_code.OPERATION_TEST,
    }
    _write_distribution(cli, "pack", name, texts, values)


# ---------------------------------------------------------------- names


def _check_plain(name: str, what: str) -> None:
    if not name or not all(c.isalnum() or c in "_-" for c in name) or not name.isascii():
        raise UsageError(f"{name!r} is no good name for {what}: letters, digits, `_` and `-`")


def _module(name: str, what: str) -> str:
    """The name of the Python module for something of this name."""
    _check_plain(name, what)
    module = name.replace("-", "_").lower()
    if not module.isidentifier() or keyword.iskeyword(module):
        raise UsageError(f"{name!r} is no good name for {what}: Python cannot import {module!r}")
    return module


def _package(name: str) -> str:
    """The name of the import package of a distribution, which nothing else may have."""
    package = _module(name, "a distribution")
    if importlib.util.find_spec(package) is not None:
        raise UsageError(f"{name!r} is no good name for a distribution: Python has a module {package!r} already")
    return package


def _camel(name: str) -> str:
    return "".join(part[:1].upper() + part[1:] for part in name.replace("-", "_").split("_"))


def _operation_class(name: str) -> str:
    cls = _camel(name)
    return cls if cls.endswith("Operation") else f"{cls}Operation"


# ---------------------------------------------------------------- writing


def _filled(texts: Mapping[str, str], values: Mapping[str, str]) -> dict[str, str]:
    return {path: text.format(**values) for path, text in texts.items()}


def _write_distribution(
    cli: CommandLine, what: str, name: str, texts: Mapping[str, str], values: Mapping[str, str]
) -> None:
    from pamola_tasks_scaffold import new_code

    folder, package = f"plugins/{name}", values["package"]
    about = f'"""{values["description"]}."""\n'
    texts = {"pyproject.toml": new_code.PYPROJECT, f"src/{package}/__init__.py": about, **texts}
    made = {f"{folder}/{path}": text for path, text in _filled(texts, values).items()}
    then = [("install it", f"pip install -e {folder}"), ("test it", f"pytest {folder}")]
    _write(cli, f"{what} {click.style(name, bold=True)}", made, then)


def _write(cli: CommandLine, what: str, made: Mapping[str, str], then: list[tuple[str, str]]) -> None:
    """Write files, none over another, and say so, and what can be done then.

    Raises:
        UsageError: One is there already; none is written.
    """
    kernel = cli.kernel
    root = kernel.project.root
    taken = [path for path in made if (root / path).exists()]
    if taken:
        raise UsageError(f"{root / taken[0]} is there already, and was left as it is")
    for path, text in made.items():
        with kernel.project.files.create(path, "config", exclusive=True) as file:
            file.write(text.encode())
    click.echo(what)
    cli.out.facts([*(("wrote" if i == 0 else "", path) for i, path in enumerate(made)), *then])
