"""A run parses each configuration file once, and gives each value its type once."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

COUNTING = """
import atexit, enum, json, tomllib
import attrs, yaml
from pamola_tasks import Operation, OperationResult, hookimpl

PAMOLA_PLUGIN_NAME = "counting"
seen = {"parsed": [], "typed": []}


def counted(parse):
    def counting(text, *arguments, **options):
        seen["parsed"].append(text)
        return parse(text, *arguments, **options)

    return counting


yaml.parse, tomllib.loads = counted(yaml.parse), counted(tomllib.loads)


class Level(enum.Enum):
    LOW = 1

    @classmethod
    def _missing_(cls, value):
        seen["typed"].append(value)
        return cls.LOW


@attrs.frozen
class Settings:
    level: Level


class Nothing(Operation):
    def execute(self, ctx):
        assert ctx.config.plugin("counting").level is Level.LOW
        assert ctx.config.chunk_size == 7
        return OperationResult.success()


@hookimpl
def pamola_add_settings():
    return Settings


@hookimpl
def pamola_add_operations():
    return {"Nothing": Nothing}


@atexit.register
def tell():
    with open("seen.json", "w") as file:
        json.dump(seen, file)
"""
FILES = {
    "prj_config.yaml": "chunk_size: 7\ncounting: {level: the_project_says_low}\n",
    "t_1.yaml": "task_type: analysis\noperations: [Nothing]\n",
    "t_2.toml": "task_type = 'analysis'\noperations = ['Nothing']\n",
    "t_3.json": '{"task_type": "analysis", "operations": ["Nothing"]}',
}


@pytest.mark.parametrize("task", ["t_1", "t_2", "t_3"])
def test_a_run_parses_a_file_once_and_types_a_value_once(tmp_path: Path, task: str) -> None:
    (tmp_path / ".pamola.toml").touch()
    (tmp_path / "counting.py").write_text(COUNTING)
    (tmp_path / "configs").mkdir()
    for name, text in FILES.items():
        (tmp_path / "configs" / name).write_text(text)
    command = [sys.executable, "-m", "pamola_tasks", "--plugin", "counting.py", "run", task]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PAMOLA_")}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    seen = json.loads((tmp_path / "seen.json").read_text())
    parsed = Counter(text for text in seen["parsed"] if text in FILES.values())
    assert parsed == dict.fromkeys(FILES.values(), 1)
    assert seen["typed"] == ["the_project_says_low"]
