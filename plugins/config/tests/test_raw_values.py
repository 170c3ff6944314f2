"""Values of `--set`: one reading, that of YAML 1.2, for `run`, `config save` and every other command."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from pamola_tasks.errors import UsageError
from pamola_tasks.protocols import RawValue
from pamola_tasks_config.documents import parse

VALUES: dict[str, Any] = {
    "5": 5,
    "-1.5": -1.5,
    ".5": 0.5,
    "1e3": 1000.0,
    "0x1F": 31,
    "0o17": 15,
    "017": 17,
    "true": True,
    "False": False,
    "yes": "yes",
    "NO": "NO",
    "null": None,
    "~": None,
    "": None,
    "text": "text",
    "two words": "two words",
    "a, b": "a, b",
    "'single'": "single",
    '"5"': "5",
    "it's": "it's",
    '"': '"',
    "'it": "'it",
    "a # b": "a",
    "a#b": "a#b",
    "# c": None,
    "NaN": "NaN",
    "Infinity": "Infinity",
    "2026-01-01": "2026-01-01",
    "12:30": "12:30",
    "a: b": "a: b",
    "a=b": "a=b",
    "http://x/?a=1": "http://x/?a=1",
    "*": "*",
    "@x": "@x",
    "%d": "%d",
    "|": "|",
    ">": ">",
    ";": ";",
    "[]": [],
    "{}": {},
    "[a, b]": ["a", "b"],
    "[1, true]": [1, True],
    "[[a,b],[c,d]]": [["a", "b"], ["c", "d"]],
    '["x, y", z]': ["x, y", "z"],
    "['it''s', \"q\\\"\"]": ["it's", 'q"'],
    '["PAT-\\\\d{3,5}"]': ["PAT-\\d{3,5}"],
    "{a: 1}": {"a": 1},
    '{"a": 1, "b": [1, {c: d}]}': {"a": 1, "b": [1, {"c": "d"}]},
    "one\ntwo": "one\ntwo",
    "one\nother: two": "one\nother: two",
    " 5 ": 5,
}


@pytest.mark.parametrize("text", VALUES)
def test_a_value_is_read_as_yaml_1_2_reads_it(home: Any, text: str) -> None:
    value = home.config(own=RawValue(text)).get("own")
    assert value == VALUES[text]
    assert type(value) is type(VALUES[text])


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[PAT-\\d{3,5}]", "not YAML"),
        ('["PAT-\\d{3,5}"]', "not YAML"),
        ("[1", "not YAML"),
        ("[a] b", "not YAML"),
        ("{a: 1", "not YAML"),
        ("{a: 1, a: 2}", "the key is defined twice"),
        ("[" * 70 + "]" * 70, "nested deeper than 64"),
        ("1e999", "not a finite number"),
        (".nan", "not a finite number"),
        ("9223372036854775808", "beyond 64 bits"),
        ("!!python/name:os.system x", "a tag that is not allowed"),
    ],
)
def test_what_does_not_parse_is_an_error_with_the_key_and_never_text(home: Any, text: str, words: str) -> None:
    with pytest.raises(UsageError, match=f"^--set a.b: .*{words}"):
        home.config(a__b=RawValue(text))


def test_text_from_python_is_not_parsed(home: Any) -> None:
    assert home.config(own="[1]").get("own") == "[1]"


STEP = """
from pamola_tasks import Operation, OperationResult, hookimpl

class Nothing(Operation):
    def execute(self, ctx):
        return OperationResult.success()

@hookimpl
def pamola_add_operations():
    return {"Nothing": Nothing}
"""


def pamola(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pamola_tasks", "--plugin", "step.py", *arguments]
    return subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=240)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / ".pamola.toml").touch()
    (tmp_path / "step.py").write_text(STEP)
    (tmp_path / "configs").mkdir()
    (tmp_path / "configs/t_1.yaml").write_text("task_type: analysis\noperations: [Nothing]\n")
    return tmp_path


def test_run_and_config_save_read_every_value_alike(project: Path) -> None:
    settings = [f"--set=own_{number}={text}" for number, text in enumerate(VALUES)]
    done = pamola(project, "run", "t_1", "--json", *settings)
    assert done.returncode == 0, done.stderr
    report = json.loads(Path(json.loads(done.stdout)["report"]).read_text())["configuration"]
    done = pamola(project, "config", "save", "t_1", *settings)
    assert done.returncode == 0, done.stderr
    saved = parse((project / "configs/t_1.yaml").read_bytes(), "t_1.yaml").root.plain()
    for number, (text, value) in enumerate(VALUES.items()):
        assert saved[f"own_{number}"] == value, text
        if not isinstance(value, dict) or not value:
            assert report[f"own_{number}"]["value"] == value, text


@pytest.mark.parametrize("command", [["run", "t_1"], ["config", "save", "t_1"]])
def test_a_pattern_that_does_not_parse_stops_the_command(project: Path, command: list[str]) -> None:
    """It was split at its comma by `run`, so that nothing it should have hidden was hidden."""
    settings = ["--set", r"sensitive_patterns=[PAT-\d{3,5}]", "--set", "description=visit of PAT-1234"]
    done = pamola(project, *command, *settings)
    assert done.returncode == 2
    assert "--set sensitive_patterns: " in done.stderr
    assert not list(project.rglob("*_report.json"))
    right = ["--set", r"sensitive_patterns=['PAT-\d{3,5}']", *settings[2:]]
    done = pamola(project, "run", "t_1", "--json", *right)
    assert done.returncode == 0, done.stderr
    report = Path(json.loads(done.stdout)["report"]).read_text()
    assert json.loads(report)["configuration"]["description"]["value"] == "visit of ***"
    assert "PAT-1234" not in report
