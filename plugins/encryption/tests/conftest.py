"""Keys, configurations and managers that the tests share."""

from __future__ import annotations

import base64
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
import pytest

from pamola_tasks_encryption import TaskEncryptionManager

KEY = bytes(range(32))
KEY_TEXT = base64.b64encode(KEY).decode()
OTHER_KEY = bytes(range(1, 33))


@attrs.define
class Config:
    """The part of a task's configuration that encryption looks at."""

    task_id: str = "t_1"
    use_encryption: bool = True
    encryption_mode: str = ""
    encryption_key_path: str | None = None


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
    """Makes a manager with a key from the environment: `manager_of(task_id=…, environ=…, project_id=…)`."""

    def make(config: Config | None = None, **options: Any) -> TaskEncryptionManager:
        options.setdefault("environ", {"PAMOLA_KEY": KEY_TEXT})
        return TaskEncryptionManager(config or Config(), **options)

    return make


def key_file(path: Path, content: bytes | str = KEY_TEXT, mode: int = 0o600) -> Path:
    """A key file as a careful person makes it."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    path.chmod(mode)
    return path
