"""Fixtures that drive the installed command line, for `tests/` and for the tests of plugins."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import command_line
import pytest
from command_line import SCRIPT

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as in what a shell has started in the background
    signal.signal(signal.SIGINT, signal.default_int_handler)

Cli = Callable[..., "subprocess.CompletedProcess[str]"]


def clean_environment(home: Path) -> dict[str, str]:
    """The environment of a user on a new machine, in an activated venv: an empty home, none of our variables."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("PAMOLA_", "PYTEST_", "COV_"))}
    kept.pop("PYTHONPATH", None)
    kept["PATH"] = os.pathsep.join([str(SCRIPT.parent), kept.get("PATH", os.defpath)])
    homes = {"HOME": home, "XDG_DATA_HOME": home / ".local/share", "XDG_STATE_HOME": home / ".local/state"}
    return {**kept, **{name: str(path) for name, path in homes.items()}, "COLUMNS": "100", "NO_COLOR": "1"}


def distribution_at(
    site: Path, source: str, distribution: str = "helpful-lib", name: str = "helpful"
) -> dict[str, str]:
    """A distribution with one plugin in a folder on the path of Python; the environment that has it."""
    info = site / f"{distribution.replace('-', '_')}-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.0\n")
    module = f"{distribution.replace('-', '_')}_plugin"
    (info / "entry_points.txt").write_text(f"[pamola_tasks]\n{name} = {module}\n")
    (site / f"{module}.py").write_text(source)
    return {"PYTHONPATH": str(site)}


@pytest.fixture
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty home directory."""
    return tmp_path_factory.mktemp("home")


@pytest.fixture
def nothing_around(monkeypatch: pytest.MonkeyPatch, home: Path) -> None:
    """No variable of ours and an empty home, for kernels in this process too."""
    for name in [name for name in os.environ if name.startswith("PAMOLA_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("XDG_DATA_HOME", str(home / "data"))
    monkeypatch.setenv("XDG_STATE_HOME", str(home / "state"))


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A project without configuration, and a table of sixty people."""
    root = tmp_path / "place"
    (root / "configs").mkdir(parents=True)
    (root / "DATA/raw").mkdir(parents=True)
    (root / ".pamola.toml").touch()
    people = "".join(f"{n},{20 + n % 9},{'ab'[n % 2]}\n" for n in range(60))
    (root / "DATA/raw/people.csv").write_text("person,age,city\n" + people)
    return root


@pytest.fixture
def cli(home: Path, tmp_path: Path) -> Cli:
    """Run the installed `pamola-task` in a process of its own, from `tmp_path` unless told otherwise.

    With `obeys`, permissions of files hold for it also where the tests are run by root.
    """

    def run(
        *arguments: object,
        cwd: Path | None = None,
        env: dict[str, str] | None = None,
        code: int | None = None,
        obeys: bool = False,
    ) -> subprocess.CompletedProcess[str]:
        environment = {**clean_environment(home), **(env or {})}
        before = _obeying() if obeys else ()
        done = command_line.run([str(argument) for argument in arguments], cwd or tmp_path, environment, before)
        if code is not None:
            assert done.returncode == code, f"exit {done.returncode}, wanted {code}\n{done.stdout}\n{done.stderr}"
        return done

    if not SCRIPT.exists():
        pytest.skip("pamola-task is not installed beside this Python")
    return run


def _obeying() -> tuple[str, ...]:
    """What a command is put behind that permissions of files are to hold for."""
    if not hasattr(os, "geteuid") or os.geteuid() != 0:
        return ()
    if shutil.which("setpriv") is None:
        pytest.skip("root may do everything, and there is no setpriv to give that up")
    return "setpriv", "--bounding-set", "-dac_override,-dac_read_search,-fowner"


@pytest.fixture
def start(home: Path) -> Callable[..., subprocess.Popen[str]]:
    """Start the installed `pamola-task` in the background; its output is in one pipe."""

    def begin(*arguments: object, cwd: Path) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [str(SCRIPT), *map(str, arguments)],
            cwd=cwd,
            env=clean_environment(home),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            preexec_fn=_hear_ctrl_c if os.name != "nt" else None,
        )

    return begin


def _hear_ctrl_c() -> None:
    """A process that was begun in the background of a shell ignores Ctrl-C, and so do those that it begins."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@pytest.fixture
def project(tmp_path: Path, cli: Cli) -> Path:
    """A project made by `pamola-task init`, with its example task and table."""
    folder = tmp_path / "project"
    cli("init", folder, code=0)
    return folder


@pytest.fixture
def python(home: Path, tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run a Python script with the interpreter that has the framework installed."""

    def run(*arguments: object, cwd: Path | None = None, **env: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, *map(str, arguments)],
            cwd=cwd or tmp_path,
            env={**clean_environment(home), **env},
            capture_output=True,
            text=True,
            timeout=240,
            stdin=subprocess.DEVNULL,
            check=False,
        )

    return run
