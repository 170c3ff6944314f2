"""A step runs again when any code of ours that its operation is made of has changed, in whatever file it is."""

from __future__ import annotations

import json

import pytest

OPERATION = """\
{imports}
from pamola_tasks import Operation, OperationResult, hookimpl, writes

class Writes({base}):
    output_dataset: str = writes("numbers")

    def execute(self, ctx):
        import pandas
        ctx.data.write(self.output_dataset, pandas.DataFrame({{"n": [{value}]}}))
        return OperationResult.success()

@hookimpl
def pamola_add_operations():
    return {{"Writes": Writes}}
"""
TASK = "task_id: t\noperations:\n  - Writes: {}\n"
BASE = "from pamola_tasks import Operation\nclass Base(Operation):\n    factor = %d\n"
FORMS = {
    "a name": ({"helper.py": "FACTOR = %d\n"}, "from helper import FACTOR", "FACTOR"),
    "the module": ({"helper.py": "FACTOR = %d\n"}, "import os, helper as h", "h.FACTOR"),
    "by another": ({"near.py": "from far import *\n", "far.py": "FACTOR = %d\n"}, "import near", "near.FACTOR"),
    "in a package": (
        {"pack/__init__.py": "", "pack/a.py": "from . import b\n", "pack/b.py": "FACTOR = %d\n"},
        "import pack.a",
        "pack.a.b.FACTOR",
    ),
    "the package itself": ({"pack/__init__.py": "FACTOR = %d\n", "pack/a.py": ""}, "import pack.a", "pack.FACTOR"),
    "without __init__": ({"ns/deep.py": "FACTOR = %d\n"}, "from ns import (\n    deep,\n)", "deep.FACTOR"),
    "in a function": ({"late.py": "FACTOR = %d\n"}, "def f():\n    from late import FACTOR; return FACTOR", "f()"),
    "by a call": ({"called.py": "FACTOR = %d\n"}, "h = __import__('called')", "h.FACTOR"),
    "a base class": ({"bases.py": BASE}, "from bases import Base", "self.factor"),
    "a base's helper": (
        {"bases.py": BASE.replace("%d", "helper.FACTOR").replace("class", "import helper\nclass"),
         "helper.py": "FACTOR = %d\n"},
        "from bases import Base",
        "self.factor",
    ),
}  # fmt: skip


@pytest.fixture
def task(project):
    (project / "configs/t.yaml").write_text(TASK)
    return project


def output(project):
    return (project / "DATA/processed/t/output/numbers.csv").read_text().split()[1]


@pytest.mark.parametrize("form", FORMS)
def test_a_step_runs_again_when_what_its_operation_imports_has_changed(cli, task, form):
    """The change keeps the size of the file and comes at once: only its content tells."""
    files, imports, value = FORMS[form]
    base = "Base" if "Base" in imports else "Operation"
    (task / "ops.py").write_text(OPERATION.format(imports=imports, base=base, value=value))

    def factor(number):
        for name, text in files.items():
            (task / "lib" / name).parent.mkdir(parents=True, exist_ok=True)
            (task / "lib" / name).write_text(text.replace("%d", str(number)))

    def run(*arguments):
        env = {"PYTHONPATH": str(task / "lib"), "PYTHONDONTWRITEBYTECODE": "1"}
        return cli("--plugin", "ops.py", *arguments, cwd=task, env=env, code=0)

    factor(1)
    run("run", "t")
    assert "1 unchanged" in run("run", "t").stdout
    assert output(task) == "1"
    factor(5)
    changed = next(name for name, text in files.items() if "%d" in text).partition("/")[0].removesuffix(".py")
    assert f"module {changed} changed" in run("show", "t").stdout
    run("run", "t")
    assert output(task) == "5"
    (row,) = json.loads(run("show", "t", "--json").stdout)["steps"]
    assert {"code", f"module {changed}", "version python"} <= set(row["covers"])
    assert changed in run("show", "t").stdout.partition("unless")[2]


def test_an_installed_distribution_counts_with_its_version(cli, task):
    """Its files are not read: what is installed is changed by installing another version."""
    site = task / "site"
    (site / "far_lib-1.0.dist-info").mkdir(parents=True)
    (site / "far_lib-1.0.dist-info/RECORD").write_text("farlib/__init__.py,,\nfar_lib-1.0.dist-info/RECORD,,\n")
    (site / "farlib").mkdir()
    (site / "farlib/__init__.py").write_text("FACTOR = 1\n")
    (task / "ops.py").write_text(OPERATION.format(imports="import farlib", base="Operation", value="farlib.FACTOR"))

    def run(*arguments):
        return cli("--plugin", "ops.py", *arguments, cwd=task, env={"PYTHONPATH": str(site)}, code=0)

    run("run", "t")
    (row,) = json.loads(run("show", "t", "--json").stdout)["steps"]
    assert "version far-lib" in row["covers"]
    assert "module farlib" not in row["covers"]
    (site / "far_lib-1.0.dist-info").rename(site / "far_lib-1.1.dist-info")
    assert "far-lib changed from 1.0 to 1.1" in run("show", "t").stdout
