"""Every command ends as it should, and in readable text, on terminals whose charset lacks characters."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

CHARSETS = ["latin-1", "cp437", "koi8-r", "shift_jis", "ascii"]

TASK = """
description: "Größe → имя × 名 …"
operations:
  - AnonymizeOperation: {input_dataset: people, output_dataset: safe, k: 2, quasi_identifiers: [Größe, имя]}
input_datasets: {people: DATA/raw/people.csv}
"""

# Runs `--help` of every command, and those that read, each in a fork of this process whose streams have a charset.
WALK = """
import io, json, os, sys
import click
from pamola_tasks_cli import app, main

def commands(group, context, path):
    yield path
    if isinstance(group, click.Group):
        for name in group.list_commands(context):
            command = group.get_command(context, name)
            inside = click.Context(command, parent=context, info_name=name, obj=context.obj)
            yield from commands(command, inside, [*path, name])

def told(charset, arguments):
    out, into = os.pipe()
    if not os.fork():
        os.close(out)
        os.dup2(into, 1)
        os.dup2(into, 2)
        sys.stdout.reconfigure(encoding=charset)
        sys.stderr.reconfigure(encoding=charset)
        sys.argv = ["pamola-task", *arguments]
        try:
            main()
        except SystemExit as error:
            sys.stdout.flush()
            os._exit(int(error.code or 0))
        finally:
            os._exit(99)
    os.close(into)
    with os.fdopen(out, "rb") as stream:
        text = stream.read()
    return text.decode("utf-8" if charset == "ascii" else charset), os.waitstatus_to_exitcode(os.wait()[1])

root = click.Context(app.cli, obj=app.Invocation(os.getcwd()))
help_of_all = [[*path, "--help"] for path in commands(app.cli, root, [])]
for charset in sys.argv[1:]:
    reads = [["history"], ["report", "t"], ["hooks"], ["ops", "AnonymizeOperation"]]
    reads += [["config", "show", "t"], ["show", "t"]]
    every = [["run", "--help"], ["report", "t", "--json"], ["show", "t", "--json"]]
    if charset == "latin-1":
        reads += [["ops"], ["config", "schema"], ["config", "check"], ["plugins"]]
        reads += [["list"], ["status"], ["doctor"], ["graph"]]
        every = [*help_of_all, *([*each, "--json"] for each in reads)]
    every += [["report", "t", "--format", "html"]]
    for arguments in [["run", "t"], ["run", "t", "--restart", "--json"], *reads, *every]:
        answer = [charset, " ".join(arguments), *told(charset, arguments)]
        sys.__stdout__.buffer.write(json.dumps(answer).encode() + b"\\n")
        sys.__stdout__.flush()
"""


@pytest.fixture(scope="module")
def told_in(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, tuple[str, int]]]:
    """What each command said in each charset, and its exit code."""
    if not hasattr(os, "fork"):
        pytest.skip("forks for each command")
    place, home = tmp_path_factory.mktemp("place"), tmp_path_factory.mktemp("home")
    (place / "configs").mkdir()
    (place / "DATA/raw").mkdir(parents=True)
    (place / ".pamola.toml").touch()
    rows = "".join(f"{160 + n % 4},{'имя名'[n % 3]}…\n" for n in range(24))
    (place / "DATA/raw/people.csv").write_text(f"Größe,имя\n{rows}", encoding="utf-8")
    (place / "configs/t.yaml").write_text(TASK, encoding="utf-8")
    environment = {**os.environ, "HOME": str(home), "XDG_DATA_HOME": str(home / "data")}
    command = [sys.executable, "-c", WALK, *CHARSETS]
    done = subprocess.run(command, cwd=place, env=environment, capture_output=True, check=True, timeout=240)
    told: dict[str, dict[str, tuple[str, int]]] = {charset: {} for charset in CHARSETS}
    for charset, name, text, code in map(json.loads, done.stdout.splitlines()):
        told[charset][name] = (text, code)
    return told


@pytest.mark.parametrize("charset", CHARSETS)
def test_commands_print_in_any_charset(told_in: dict[str, dict[str, tuple[str, int]]], charset: str) -> None:
    """Nine of 21 commands ended with UnicodeEncodeError, `demo` after all its work."""
    told = told_in[charset]
    assert len(told) > (70 if charset == "latin-1" else 10)
    for name, (text, code) in told.items():
        assert code in (0, 1), (name, text)
        assert "UnicodeEncodeError" not in text, (name, text)
        assert code == 0 or name.startswith(("doctor", "graph", "status")), (name, text)
        if name.endswith("--json"):
            assert text.isascii()
            json.loads(text[text.index("{") :] if name.startswith("run") else text)
    shown = told["show t"][0] + told["report t"][0]
    assert "?" not in told["show t"][0]
    assert "имя" in shown or "\\u0438\\u043c\\u044f" in shown


def test_demo_ends_well_in_latin_1(home: Path, tmp_path: Path) -> None:
    environment = {**os.environ, "HOME": str(home), "XDG_DATA_HOME": str(home / "data"), "PYTHONIOENCODING": "latin-1"}
    script = "import sys; sys.argv = ['pamola-task', 'demo']; from pamola_tasks_cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, env=environment, capture_output=True, timeout=240
    )
    assert done.returncode == 0, done.stderr.decode("latin-1")
    said = b" ".join(done.stdout.split())
    assert b"profile -> 5-anonymity -> profile" in said
    assert b" ? " not in said
