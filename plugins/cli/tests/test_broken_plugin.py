"""While a plugin that may hold a veto is broken, commands that write are refused and commands that read warn."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

BROKEN = 'raise RuntimeError("this plugin holds a veto")\n'

WIPE = """
import pathlib
import click
from pamola_tasks import Command, hookimpl
PAMOLA_HOOK_API = 1

@click.command()
def wipe():
    pathlib.Path("DATA/raw/example.csv").unlink()

@click.group()
def store():
    pass

@store.command("look")
def look():
    click.echo("looked")

@store.command("empty")
def empty():
    pathlib.Path("DATA/raw/example.csv").unlink()

@click.group(invoke_without_command=True)
def bare():
    pathlib.Path("DATA/raw/example.csv").unlink(missing_ok=True)

@bare.command("look")
def bare_look():
    pass

@hookimpl
def pamola_add_commands():
    return {
        "wipe": Command("wiping:wipe", "Wipe."),
        "store": Command("wiping:store", "A store.", reads=("look",)),
        "bare": Command("wiping:bare", "A group that does something itself.", reads=("look",)),
    }
"""

WRITING = [
    "checkpoints example --clear",
    "config save example --set k=1",
    "keys init --file key",
    "keys rotate",
    "keys rekey --deep",
    "keys add-recipient age1",
    "keys export --out key",
    "encrypt DATA/raw/example.csv",
    "decrypt DATA/raw/example.csv --out plain.csv",
    "run example",
    "run example --dry-run",
    "run --all",
    "verify example",
    "clean",
    "init elsewhere",
    "new task more",
    "demo --rows 50",
    "report example --open",
    "wipe",
    "store empty",
    "bare",
    "bare look",
]
READING = [
    "checkpoints example",
    "config show",
    "config check",
    "config schema",
    "keys list",
    "list",
    "show example",
    "status",
    "history",
    "report example",
    "graph",
    "hooks",
    "ops",
    "completion bash",
    "store look",
]


@pytest.fixture
def guarded(project: Path, cli):
    """A project that was run once, and a call of a command beside a broken plugin."""
    cli("run", "example", cwd=project, code=0)
    (project / "broken.py").write_text(BROKEN)
    (project / "wiping.py").write_text(WIPE)

    def call(*arguments: str, **options):
        plugins = ("--plugin", "wiping", "--plugin", "broken.py")
        return cli(*plugins, *arguments, cwd=project, env={"PYTHONPATH": str(project)}, **options)

    return call


def everything(root: Path) -> dict[str, str]:
    """What lies in a project, without what Python keeps of modules."""
    files = [path for path in root.rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    return {str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_commands_that_write_are_refused(guarded, project: Path, tmp_path: Path) -> None:
    guarded("list", code=0)
    before = everything(project)
    for command in WRITING:
        done = guarded(*command.split())
        assert done.returncode == 2, f"{command}: {done.stdout}{done.stderr}"
        assert "plugin broken failed to load: RuntimeError: this plugin holds a veto" in done.stderr, command
        assert "Exclude it explicitly with --no-plugin broken" in done.stderr, command
        assert everything(project) == before, command
    assert sorted(path.name for path in tmp_path.iterdir()) == ["project"]


def test_commands_that_read_warn(guarded) -> None:
    for command in READING:
        done = guarded(*command.split(), code=0)
        assert "warning: plugin failed to load: broken" in done.stderr, command
    assert "broken" in guarded("plugins", code=0).stdout
    assert "this plugin holds a veto" in guarded("doctor", code=1).stdout


def test_excluding_the_plugin_lets_commands_write(guarded, project: Path) -> None:
    guarded("--no-plugin", "broken", "store", "empty", code=0)
    assert not (project / "DATA/raw/example.csv").exists()


@pytest.mark.parametrize("command", ["wipe", "store empty", "keys rotate", "run"])
def test_help_of_a_command_that_writes_is_shown(guarded, command: str) -> None:
    assert "Usage: pamola-task" in guarded(*command.split(), "--help", code=0).stdout
