"""What commands that only show facts may import, and in what order the heavy things come."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

HEAVY = {"pandas", "numpy", "pyarrow", "cryptography", "jinja2", "matplotlib", "dask", "sqlite3"}


def imported(python, arguments: list[str], cwd: Path | None = None) -> set[str]:
    """The top-level modules that a command imports, as the interpreter tells."""
    done: subprocess.CompletedProcess[str] = python("-X", "importtime", "-m", "pamola_tasks", *arguments, cwd=cwd)
    assert done.returncode == 0, done.stderr
    lines = [line for line in done.stderr.splitlines() if line.startswith("import time:")]
    return {line.rpartition("|")[2].strip().partition(".")[0] for line in lines}


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["plugins"], ["list"]])
def test_commands_that_show_facts_import_nothing_heavy(python, project, arguments):
    found = imported(python, arguments, cwd=project)
    assert not found & HEAVY
    assert "pamola_tasks" in found


def test_help_imports_neither_attrs_nor_cattrs(python, project):
    assert not imported(python, ["--help"], cwd=project) & {"attr", "attrs", "cattr", "cattrs", "yaml", "ruamel"}


def test_importing_the_package_imports_nothing_but_itself(python):
    code = "import sys; before = set(sys.modules); import pamola_tasks; print(sorted(set(sys.modules) - before))"
    done = python("-c", code)
    assert done.stdout.strip() == "['pamola_tasks']"


def test_the_kernel_has_no_pandas_in_it():
    import pamola_tasks

    naming = [
        path.name
        for path in Path(pamola_tasks.__file__).parent.rglob("*.py")
        for line in path.read_text().splitlines()
        if line.strip().startswith(("import pandas", "from pandas"))
    ]
    assert naming == []


def test_nothing_is_written_where_commands_that_show_facts_are_run(python, tmp_path):
    empty = tmp_path / "empty"
    empty.mkdir()
    for arguments in (["--help"], ["plugins"], ["list"], ["hooks"], ["ops"], ["doctor"]):
        done = python("-m", "pamola_tasks", *arguments, cwd=empty)
        assert done.returncode == 0, done.stderr
    assert list(empty.rglob("*")) == []
