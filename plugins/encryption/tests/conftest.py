"""A home without keys for every test, and managers with a key."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

# The samples beside this file are found however pytest imports tests.
sys.path.insert(0, str(Path(__file__).parent))

from encryption_samples import KEY_TEXT, Cli, Config, Done

from pamola_tasks_encryption import TaskEncryptionManager
from pamola_tasks_redaction.secrets import Redactor


@pytest.fixture(autouse=True)
def empty_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home directory without keys: no test may find those of the person who runs it."""
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("XDG_DATA_HOME", str(home / "data"))
    for name in ("PAMOLA_KEY", "PAMOLA_KEY_FILE"):
        monkeypatch.delenv(name, raising=False)
    return home


@pytest.fixture
def manager_of() -> Callable[..., TaskEncryptionManager]:
    """Makes a manager, with a key from the environment unless another `environ` is given."""

    def make(config: Config | None = None, **options: Any) -> TaskEncryptionManager:
        options.setdefault("environ", {"PAMOLA_KEY": KEY_TEXT})
        options.setdefault("redactor", Redactor())
        return TaskEncryptionManager(config or Config(), **options)

    return make


@pytest.fixture
def cli(project: Path, capfd: pytest.CaptureFixture[str]) -> Cli:
    """Run a command in this process, in the folder of the module's `project`."""

    from pamola_tasks_cli.app import run

    def call(*arguments: object, code: int = 0) -> Done:
        capfd.readouterr()
        with pytest.raises(SystemExit) as ended:
            run([str(argument) for argument in arguments])
        out, err = capfd.readouterr()
        assert ended.value.code == code, f"{out}\n{err}"
        return Done(int(ended.value.code), out, err)

    return call
