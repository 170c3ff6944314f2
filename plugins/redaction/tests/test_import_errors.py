"""Names of modules are not data: what cannot be imported is named, wherever a run meets it."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from kernel_kit import Nothing, Steps, kernel_of

from pamola_tasks import Operation, OperationResult, hookimpl
from pamola_tasks.plugins.discovery import resolve
from pamola_tasks_redaction import plugin as redaction
from pamola_tasks_redaction.disclosure import Disclosure

MODULES = {
    "broken_half.py": "def broken(:\n",
    "indented_half.py": "if True:\npass\n",
    "lazy_half.py": (
        "def __getattr__(name):\n    raise AttributeError(f'module {__name__!r} has no attribute {name!r}')\n"
    ),
    "needs_more.py": (
        "try:\n    import spss_missing\n"
        "except ImportError as error:\n"
        "    raise ImportError(f'to read {error.name} files, install {error.name}') from error\n"
    ),
    "folder_half/__init__.py": "",
    "folder_half/inner.py": "from folder_half import gone_name\n",
}


@pytest.fixture
def modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Modules that cannot be imported, each in its way."""
    for name, text in MODULES.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield
    for name in MODULES:
        sys.modules.pop(name.partition(".")[0].partition("/")[0], None)


CASES: dict[str, tuple[Callable[[], Any], str]] = {
    "a library that is not installed": (
        lambda: resolve("spss_missing.reader:SPSS"),
        "No module named 'spss_missing'",
    ),
    "a module that is not in its package": (
        lambda: importlib.import_module("json.gone_part"),
        "No module named 'json.gone_part'",
    ),
    "a name that is not in its module": (
        lambda: importlib.import_module("folder_half.inner"),
        "cannot import name 'gone_name' from 'folder_half'",
    ),
    "an object that is not in its module": (
        lambda: resolve("json:gone_object"),
        "module 'json' has no attribute 'gone_object'",
    ),
    "a module that says so itself": (
        lambda: resolve("lazy_half:gone_object"),
        "module 'lazy_half' has no attribute 'gone_object'",
    ),
    "a module that names what it needs": (
        lambda: importlib.import_module("needs_more"),
        "to read spss_missing files, install spss_missing",
    ),
    "a file that is not Python": (lambda: importlib.import_module("broken_half"), "(broken_half.py, line 1)"),
    "a file that is not indented": (
        lambda: importlib.import_module("indented_half"),
        "expected an indented block after 'if' statement on line 1 (indented_half.py, line 2)",
    ),
    "a distribution that is not installed": (
        lambda: importlib.import_module("importlib.metadata").version("spss-missing"),
        "No package metadata was found for spss-missing",
    ),
}


class Imports(Operation):
    """Import something when the step runs."""

    case: str

    def execute(self, ctx: Any) -> OperationResult:
        """Import it."""
        CASES[self.case][0]()
        return OperationResult.success()


@pytest.mark.usefixtures("modules")
@pytest.mark.parametrize("case", CASES)
def test_in_a_step(case: str) -> None:
    """A step that fails to import something says what."""
    outcome = kernel_of(redaction).run(Steps((Imports, {"case": case})))
    assert CASES[case][1] in outcome.record.error["message"]
    assert CASES[case][1] in outcome.record.steps[0].error["traceback"]


@pytest.mark.usefixtures("modules")
@pytest.mark.parametrize("case", CASES)
def test_in_a_plugin(case: str) -> None:
    """A plugin that fails to import something is named with it."""

    class Needs:
        """Needs what is not there, when the plan is checked."""

        @hookimpl
        def pamola_check_plan(self, plan: Any) -> str:
            """Import it."""
            CASES[case][0]()
            return ""

    outcome = kernel_of(redaction, Needs()).run(Steps(Nothing))
    assert "plugin Needs failed in pamola_check_plan" in outcome.record.error["message"]
    assert CASES[case][1] in outcome.record.error["message"]


CELL = "".join(["Zaphod", "ine"])  # is a literal nowhere below


def quoted_by_code() -> None:
    raise ImportError(f"no reader for {CELL}")


def compiled() -> None:
    compile(f"{CELL} = = 1", "<string>", "exec")


def evaluated() -> None:
    eval(f"lambda {CELL}, {CELL}: 0")


def attribute_of_an_object() -> None:
    raise AttributeError(f"there is no column {CELL}", name=CELL, obj=object())


@pytest.mark.parametrize("act", [quoted_by_code, compiled, evaluated, attribute_of_an_object])
def test_what_is_not_a_module_stays_hidden(act: Callable[[], None]) -> None:
    """The class of an error does not make its text safe: these quote a value of the data."""
    with pytest.raises((ImportError, SyntaxError, AttributeError)) as raised:
        act()
    assert CELL in str(raised.value) or act is compiled
    assert CELL not in Disclosure().message(raised.value)
