"""What a start of the command line imports, and that neither the kernel nor its embedding needs click."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

import pamola_tasks

IMPORTED = """
import json, sys
from pamola_tasks_cli import main
sys.argv = ["pamola-task", *sys.argv[1:]]
try:
    main()
finally:
    print(json.dumps(sorted(sys.modules)), file=sys.stderr)
"""

WITHOUT_CLICK = """
import sys
class NoClick:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "click":
            raise ModuleNotFoundError("click is not installed", name="click")
sys.meta_path.insert(0, NoClick())
from pamola_tasks import Kernel
outcome = Kernel(".").run("example")
print(outcome.status, outcome.error)
assert "click" not in sys.modules
"""


@pytest.fixture
def imported(python, project: Path):
    """The modules that a command imports."""

    def of(*arguments: str) -> set[str]:
        done = python("-c", IMPORTED, *arguments, cwd=project)
        return set(json.loads(done.stderr.splitlines()[-1]))

    return of


def test_help_imports_click_and_modules_that_say_what_plugins_add(imported) -> None:
    found = imported("--help")
    heavy = {"attr", "attrs", "cattrs", "pandas", "numpy", "pyarrow", "cryptography", "jinja2", "yaml", "difflib"}
    assert found & heavy == set()
    of_plugins = {name for name in found if name.startswith(("pamola_tasks_", "pamola_ops_")) and "." in name}
    assert {name for name in of_plugins if not name.endswith((".plugin", ".hookspecs"))} == {"pamola_tasks_cli.app"}


def test_a_run_imports_no_other_command(imported) -> None:
    names = {"clean", "doctor", "ops", "plugins", "several", "show", "status", "completion"}
    others = {f"pamola_tasks_cli.{name}" for name in names}
    others |= {f"pamola_tasks_{name}" for name in ("audit.verify", "scaffold.new", "history.command", "demo.command")}
    assert imported("run", "example") & others == set()


def test_a_kernel_runs_tasks_without_click(python, project: Path) -> None:
    done = python("-c", WITHOUT_CLICK, cwd=project)
    assert done.stdout == "success None\n", done.stderr


def test_python_m_pamola_tasks_names_what_brings_the_command_line(python, tmp_path: Path) -> None:
    shutil.copytree(Path(pamola_tasks.__file__).parent, tmp_path / "alone/pamola_tasks")
    done = python("-S", "-m", "pamola_tasks", PYTHONPATH=str(tmp_path / "alone"))
    assert done.returncode == 1
    assert done.stderr == "the command line is not installed: pip install 'pamola-tasks[standard]'\n"
