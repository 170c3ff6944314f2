"""The templates of `pamola-task new`: a task, an operation, a plugin, a pack, each with a test that passes."""

from __future__ import annotations

import importlib.util
import keyword
from typing import TYPE_CHECKING

import click

from pamola_tasks.errors import UsageError
from pamola_tasks.storage.files import check_name
from pamola_tasks_scaffold import code_texts, task_texts
from pamola_tasks_scaffold.init import example_table

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pamola_tasks.protocols import CommandLine


@click.command("task")
@click.argument("name")
@click.option("--data", metavar="FILE", help="The table it reads, relative to the project; an example unless given.")
@click.option("--class", "as_class", is_flag=True, help="Write a Python class in tasks/ instead of a declaration.")
@click.option("--description", default="", help="What the task is for.")
@click.pass_obj
def new_task(cli: CommandLine, name: str, data: str | None, as_class: bool, description: str) -> None:
    """Create a task: a declaration or a class.

    Writes configs/NAME.yaml (and tasks/NAME.py with --class) and tests/test_NAME.py.
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
    texts = {f"tests/test_{values['function']}.py": task_texts.TEST}
    if as_class:
        texts[f"configs/{name}.yaml"] = task_texts.CLASS_CONFIG
        texts[f"tasks/{name}.py"] = task_texts.TASK_CLASS
    else:
        texts[f"configs/{name}.yaml"] = task_texts.TASK_FILE
    made = {path: text.format(**values) for path, text in texts.items()}
    if data is None and not (kernel.project.root / "DATA/raw/example.csv").exists():
        made["DATA/raw/example.csv"] = example_table()
    then = [("run it", f"{cli.out.program()} run {name}"), ("test it", f"pytest tests/test_{values['function']}.py")]
    cli.create_files(f"task {name}", made, then)


@click.command("operation")
@click.argument("name")
@click.pass_obj
def new_operation(cli: CommandLine, name: str) -> None:
    """Create an operation for this project.

    Writes operations/NAME.py, a plugin of one file, and tests/test_NAME.py.
    """
    module, cls = _module(name, "an operation"), _operation_class(name)
    values = {"cls": cls, "module": module, "hookimpl": "hookimpl, "}
    file = f"operations/{module}.py"
    values["imports"] = "from pathlib import Path\n\nimport pandas as pd\n"
    values["constant"] = f'\nFILE = Path(__file__).resolve().parent.parent / "{file}"\n'
    values["plugins"] = "plugins=memory_plugins(), modules=[str(FILE)]"
    test = f"tests/test_{module}.py"
    texts = {file: code_texts.OPERATION + code_texts.OPERATION_HOOK, test: code_texts.OPERATION_TEST}
    then = [("use it", f"{cli.out.program()} --plugin {file} run TASK"), ("test it", f"pytest {test}")]
    cli.create_files(f"operation {cls}", _filled(texts, values), then)


@click.command("plugin")
@click.argument("name")
@click.pass_obj
def new_plugin(cli: CommandLine, name: str) -> None:
    """Create a plugin to install.

    Writes plugins/NAME: a distribution with a check of its own, and a test.
    """
    package = _package(name)
    values = {"name": name, "package": package, "description": "A rule for releases", "more": ""}
    texts = {
        "README.md": code_texts.PLUGIN_README,
        f"src/{package}/plugin.py": code_texts.PLUGIN,
        f"tests/test_{package}.py": code_texts.PLUGIN_TEST,
    }
    _create_distribution(cli, "plugin", name, texts, values)


@click.command("pack")
@click.argument("name")
@click.pass_obj
def new_pack(cli: CommandLine, name: str) -> None:
    """Create a pack of operations to install.

    Writes plugins/NAME: a distribution with one operation, and a test.
    """
    package = _package(name)
    values = {"name": name, "package": package, "description": "Operations for pamola-tasks", "more": ', "pandas"'}
    values |= {"cls": "CapitalsOperation", "module": "capitals", "hookimpl": "", "constant": ""}
    values["imports"] = f"import pandas as pd\n\nfrom {package} import plugin"
    values["plugins"] = "plugins=[*memory_plugins(), plugin]"
    texts = {
        "README.md": code_texts.PACK_README,
        f"src/{package}/plugin.py": code_texts.PACK,
        f"src/{package}/capitals.py": code_texts.OPERATION,
        f"tests/test_{package}.py": code_texts.OPERATION_TEST,
    }
    _create_distribution(cli, "pack", name, texts, values)


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


def _create_distribution(
    cli: CommandLine, what: str, name: str, texts: Mapping[str, str], values: Mapping[str, str]
) -> None:
    folder, package = f"plugins/{name}", values["package"]
    about = f'"""{values["description"]}."""\n'
    texts = {"pyproject.toml": code_texts.PYPROJECT, f"src/{package}/__init__.py": about, **texts}
    files = {f"{folder}/{path}": text for path, text in _filled(texts, values).items()}
    cli.create_files(
        f"{what} {name}", files, [("install it", f"pip install -e {folder}"), ("test it", f"pytest {folder}")]
    )
