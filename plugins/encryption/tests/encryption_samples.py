"""Keys, places and files that the tests share."""

from __future__ import annotations

import base64
import io
import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs

from pamola_tasks_encryption import Binding, DecryptingReader, EncryptingWriter
from pamola_tasks_encryption.header import key_id

KEY = bytes(range(32))
KEY_TEXT = base64.b64encode(KEY).decode()
OTHER_KEY = bytes(range(1, 33))
PROJECT = "0b9e9b0c-7d1c-4c8e-9d7a-111111111111"
BINDING = Binding(PROJECT, "t_1P", "data")


@attrs.define
class Config:
    """The part of a task's configuration that encryption looks at."""

    task_id: str = "t_1"
    use_encryption: bool = True
    encryption_mode: str = ""
    encryption_key_path: str | None = None


@attrs.frozen
class Done:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Cli = Callable[..., Done]


class Pipe(io.RawIOBase):
    """Gives bytes in uneven pieces and cannot seek."""

    def __init__(self, data: bytes) -> None:
        self._file = io.BytesIO(data)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        return self._file.readinto(buffer[:1009])


def fingerprint_of(key: bytes) -> str:
    """Which key this is, as messages and reports have it."""
    return key_id(key).hex()


def encrypted(data: bytes, key: bytes = KEY, binding: Binding = BINDING) -> bytes:
    """A whole encrypted file."""
    raw = io.BytesIO()
    with EncryptingWriter(raw, key, binding) as file:
        file.write(data)
    return raw.getvalue()


def decrypted(file: bytes, key: bytes = KEY, binding: Binding = BINDING) -> bytes:
    """The plain bytes of a whole encrypted file."""
    return DecryptingReader(io.BytesIO(file), key, binding).read()


def key_file(path: Path, content: bytes | str = KEY_TEXT, mode: int = 0o600) -> Path:
    """A key file as a careful person makes it, or with another mode as a careless one does."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    path.chmod(mode)
    return path


def call(*arguments: object, cwd: Path, code: int | None = 0, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run the command in a process of its own, with no variables of ours but those given."""
    import command_line  # processes that take this module for its samples have no tests of the kernel on their path

    kept = {name: value for name, value in os.environ.items() if not name.startswith("PAMOLA_")}
    done = command_line.run([str(argument) for argument in arguments], cwd, {**kept, **environ})
    assert code is None or done.returncode == code, f"{done.returncode}\n{done.stdout}\n{done.stderr}"
    return done
