"""What commands that only show facts may import, and in what order the heavy things come."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PLUGINS = sorted(path.parent.name for path in ROOT.glob("plugins/*/src/*/plugin.py"))
DOOR = """
import importlib, inspect, json, sys
before = set(sys.modules)
door = importlib.import_module(sys.argv[1] + ".plugin")
for name, hook in vars(door).items():
    if name.startswith("pamola_add_") and not inspect.signature(hook).parameters:
        hook()
print(json.dumps(sorted(set(sys.modules) - before)))
"""
SLOW = set("asyncio sqlite3 tomllib multiprocessing subprocess logging logging.handlers tempfile dataclasses".split())
HEAVY = {"pandas", "numpy", "pyarrow", "cryptography", "jinja2", "matplotlib", "dask", "sqlite3"}


def imported(python, arguments: list[str], cwd: Path | None = None) -> set[str]:
    """The top-level modules that a command imports, as the interpreter tells."""
    return {name.partition(".")[0] for name in modules(python, arguments, cwd)}


def modules(python, arguments: list[str], cwd: Path | None) -> set[str]:
    """The modules that a command imports."""
    done: subprocess.CompletedProcess[str] = python("-X", "importtime", "-m", "pamola_tasks", *arguments, cwd=cwd)
    assert done.returncode == 0, done.stderr
    lines = [line for line in done.stderr.splitlines() if line.startswith("import time:")]
    return {line.rpartition("|")[2].strip() for line in lines}


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["plugins"], ["list"]])
def test_commands_that_show_facts_import_nothing_heavy(python, project, arguments):
    found = imported(python, arguments, cwd=project)
    assert not found & HEAVY
    assert "pamola_tasks" in found


@pytest.mark.parametrize("package", PLUGINS)
def test_looking_at_a_plugin_imports_nothing_else(python, package):
    """`plugin.py` is read at every start: nothing comes with it but the kernel and light modules."""
    done = python("-c", DOOR, package)
    assert done.returncode == 0, done.stderr
    found = set(json.loads(done.stdout))
    assert f"{package}.plugin" in found
    top = {name.partition(".")[0] for name in found}
    assert top - set(sys.stdlib_module_names) <= {"pamola_tasks", package, "pluggy"}
    assert {name for name in found if name.startswith(f"{package}.")} == {f"{package}.plugin"}
    assert found & (SLOW | {"pamola_tasks.protocols.run"}) == set()


def test_a_run_imports_nothing_of_plugins_that_it_says_nothing_of(python, project):
    """Classes of settings take a millisecond each: they come where their section says something, or is asked for."""
    found = modules(python, ["run", "example"], project)
    assert "pamola_tasks_executor.settings" in found
    doors = {"plugin", "service", "sections"}  # of services that are provided, and of what reports are asked for
    unused = ("pamola_tasks_dask.", "pamola_tasks_llm.", "pamola_tasks_openlineage.")
    assert {name.rpartition(".")[2] for name in found if name.startswith(unused)} <= doors


def test_help_imports_neither_attrs_nor_cattrs(python, project):
    assert not imported(python, ["--help"], cwd=project) & {"attr", "attrs", "cattr", "cattrs", "yaml", "ruamel"}


def test_importing_the_package_imports_nothing_but_itself(python):
    code = "import sys; before = set(sys.modules); import pamola_tasks; print(sorted(set(sys.modules) - before))"
    done = python("-c", code)
    assert done.stdout.strip() == "['pamola_tasks', 'pamola_tasks.lazy']"


def test_nothing_is_written_where_commands_that_show_facts_are_run(python, tmp_path):
    empty = tmp_path / "empty"
    empty.mkdir()
    for arguments in (["--help"], ["plugins"], ["list"], ["hooks"], ["ops"], ["doctor"]):
        done = python("-m", "pamola_tasks", *arguments, cwd=empty)
        assert done.returncode == 0, done.stderr
    assert list(empty.rglob("*")) == []
