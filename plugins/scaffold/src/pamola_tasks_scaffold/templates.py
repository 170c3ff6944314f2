"""The templates of `pamola-task new`: a task, an operation, a plugin, a pack, each with a test that passes."""

from __future__ import annotations

import importlib.util
import keyword
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING

import click

from pamola_tasks import __version__
from pamola_tasks.errors import UsageError
from pamola_tasks.storage.files import check_name

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pamola_tasks.protocols import CommandLine, Places

_TEMPLATES = Path(__file__).with_name("templates")


@click.command("task")
@click.argument("name")
@click.option("--data", metavar="FILE", help="The table to read, relative to the project (default: an example).")
@click.option("--description", default="", help="What the task is for.")
@click.pass_obj
def new_task(cli: CommandLine, name: str, data: str | None, description: str) -> None:
    """Create a task: a class with an operation of its own, which needs no pack.

    Writes tasks/NAME.py, configs/NAME.yaml and tests/test_NAME.py.
    """
    check_name(name, "the task id")
    _check_plain(name, "a task")
    kernel = cli.kernel
    if name in kernel.tasks.known():
        raise UsageError(f"there is a task {name!r} already")
    example = example_in(kernel.services(None, upto="places").places)
    values = {
        "name": name,
        "cls": _camel(name) + "Task",
        "function": name.replace("-", "_").lower(),
        "description": description.replace("\n", " ").replace('"', "'") or f"Rows of the data of {name}",
        "data": data or example,
    }
    test = f"tests/test_{values['function']}.py"
    templates = {test: "test_task.py", f"configs/{name}.yaml": "task_of_class.yaml", f"tasks/{name}.py": "task.py"}
    files = {path: text_of(template, **values) for path, template in templates.items()}
    if data is None and not (kernel.project.root / example).exists():
        files[example] = text_of("example.csv")
    then = [("run it", f"{cli.out.program()} run {name}"), ("test it", f"python -m pytest {test}")]
    cli.create_files(f"task {name}", files, then)


@click.command("operation")
@click.argument("name")
@click.pass_obj
def new_operation(cli: CommandLine, name: str) -> None:
    """Create an operation for this project.

    Writes operations/NAME.py, a plugin of one file, and tests/test_NAME.py.
    """
    module, cls = _module(name, "an operation"), f"{_camel(name).removesuffix('Operation')}Operation"
    file, test = f"operations/{module}.py", f"tests/test_{module}.py"
    values = {"cls": cls, "module": module, "hookimpl": "hookimpl, "}
    values["imports"] = "from pathlib import Path\n\nimport pandas as pd\n"
    values["constant"] = f'\nFILE = Path(__file__).resolve().parent.parent / "{file}"\n'
    values["plugins"] = "plugins=memory_plugins(), modules=[str(FILE)]"
    hook = text_of("operation_hook.py", **values)
    files = {file: text_of("operation.py", **values) + hook, test: text_of("test_operation.py", **values)}
    always = f'local = ["{file}"] under [plugins] in .pamola.toml'
    then = [("use it", f"{cli.out.program()} --plugin {file} run TASK"), ("always", always)]
    then += [("test it", f"python -m pytest {test}")]
    cli.create_files(f"operation {cls}", files, then)


@click.command("plugin")
@click.argument("name")
@click.pass_obj
def new_plugin(cli: CommandLine, name: str) -> None:
    """Create a plugin to install.

    Writes plugins/NAME: a distribution with a check of its own, and a test.
    """
    package = _package(name)
    values = {"name": name, "package": package, "description": "A rule for releases", "more": ""}
    templates = {
        "README.md": "plugin.md",
        f"src/{package}/plugin.py": "plugin.py",
        f"tests/test_{package}.py": "test_plugin.py",
    }
    _create_distribution(cli, "plugin", name, templates, values)


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
    templates = {
        "README.md": "pack.md",
        f"src/{package}/plugin.py": "pack.py",
        f"src/{package}/capitals.py": "operation.py",
        f"tests/test_{package}.py": "test_operation.py",
    }
    _create_distribution(cli, "pack", name, templates, values)


# ---------------------------------------------------------------- names


def _check_plain(name: str, what: str) -> None:
    if not name or not all(c.isalnum() or c in "_-" for c in name) or not name.isascii():
        raise UsageError(f"invalid name {name!r} for {what}: use letters, digits, `_` and `-`")


def _module(name: str, what: str) -> str:
    _check_plain(name, what)
    module = name.replace("-", "_").lower()
    if not module.isidentifier() or keyword.iskeyword(module):
        raise UsageError(f"invalid name {name!r} for {what}: Python cannot import {module!r}")
    return module


def _package(name: str) -> str:
    """The name of the import package of a distribution, which nothing else may have."""
    package = _module(name, "a distribution")
    if importlib.util.find_spec(package) is not None:
        raise UsageError(f"invalid name {name!r} for a distribution: Python already has a module {package!r}")
    return package


def _camel(name: str) -> str:
    return "".join(part[:1].upper() + part[1:] for part in name.replace("-", "_").split("_"))


# ---------------------------------------------------------------- writing


def _create_distribution(
    cli: CommandLine, what: str, name: str, templates: Mapping[str, str], values: Mapping[str, str]
) -> None:
    folder, package = f"plugins/{name}", values["package"]
    major, minor, *_ = __version__.split(".")
    values = {**values, "bounds": f">={major}.{minor},<{major}.{int(minor) + 1}"}
    files = {f"{folder}/src/{package}/__init__.py": f'"""{values["description"]}."""\n'}
    for path, template in {"pyproject.toml": "pyproject.toml", **templates}.items():
        files[f"{folder}/{path}"] = text_of(template, **values)
    then = [("install it", f"pip install -e {folder}"), ("test it", f"python -m pytest {folder}")]
    cli.create_files(f"{what} {name}", files, then)


def example_in(places: Places) -> str:
    """Where the example table goes."""
    return f"{places.folders['raw']}/example.csv"


def text_of(template: str, /, **values: str) -> str:
    """The text of a template, with `${key}` replaced by the value of each key."""
    text = (_TEMPLATES / f"{template}.txt").read_text(encoding="utf-8")
    return Template(text).substitute(values) if values else text
