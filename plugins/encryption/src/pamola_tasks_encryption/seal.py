"""The project's seal: a key that authenticates records, encrypted under the project's key, and the same after changes
of that. It is made by the first run that has the project's key."""

from __future__ import annotations

import hmac
import os
from collections.abc import Callable, Mapping
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING

from pamola_tasks.errors import EncryptionError
from pamola_tasks.storage.leftovers import entries
from pamola_tasks_encryption.container import DecryptingReader, EncryptingWriter
from pamola_tasks_encryption.header import HEADER_SIZE, KEY_SIZE, Binding, Header
from pamola_tasks_encryption.rotation import exchange_files

if TYPE_CHECKING:
    from pamola_tasks.protocols import Files
    from pamola_tasks_encryption.keys import ProjectKey

FOLDER, ENDING = ".pamola", ".seal"  # named by the key that it was made under


def find_seal(files: Files, ours: ProjectKey, project_id: str, makes: bool, warn: Callable[..., None]) -> bytes:
    """The seal of this key, made where there is none and it may be; one that fits no record where it cannot be had."""
    with ExitStack() as stack:
        held = [(key.fingerprint, stack.enter_context(key)) for key in (ours.key, ours.previous) if key is not None]
        keys = {bytes.fromhex(fingerprint): key for fingerprint, key in held}
        for _ in range(2):
            found = seals(files)
            for name in found:
                if (seal := _read(files, name, keys, project_id, warn)) is not None:
                    return seal
            if not makes:
                break
            if found:
                warn(
                    "records that were made with another key are not believed; `pamola-task keys rekey` takes it along"
                )
            with suppress(FileExistsError):  # another run is faster, or what has the name is no seal
                return _make(files, f"{FOLDER}/{held[0][0]}{ENDING}", held[0][1], project_id)
    return os.urandom(KEY_SIZE)


def renewals_key(files: Files, keys: Mapping[bytes, bytes], project_id: str) -> bytes | None:
    """What authenticates the log of re-encryptions, where there is a seal of these keys."""
    found = (_read(files, name, keys, project_id, lambda *said: None) for name in seals(files))
    seal = next((seal for seal in found if seal is not None), None)
    return None if seal is None else hmac.digest(seal, b"renewals", "sha256")


def seals(files: Files) -> list[str]:
    """The seals of a project: one for each key that was not exchanged for another by a command."""
    return [f"{FOLDER}/{name}" for name, kind in entries(files, FOLDER) if kind == "file" and name.endswith(ENDING)]


def _read(
    files: Files, name: str, keys: Mapping[bytes, bytes], project_id: str, warn: Callable[..., None]
) -> bytes | None:
    try:
        with files.open_raw(name) as raw:
            head = raw.read(HEADER_SIZE)
            raw.seek(0)
            key = Header.parse(head).key_of(keys)
            if key is None:
                return None
            with DecryptingReader(raw, key, Binding(project_id, "", "seal")) as plain:
                return plain.read(KEY_SIZE)
    except (OSError, EncryptionError) as error:
        warn("records of earlier runs are not believed: %s: %s", name, error)
        return None


def _make(files: Files, name: str, key: bytes, project_id: str) -> bytes:
    seal = os.urandom(KEY_SIZE)
    files.mkdirs(FOLDER)
    with (
        files.guard.create(name, exclusive=True, mode=0o600) as raw,
        EncryptingWriter(raw, key, Binding(project_id, "", "seal")) as sealed,
    ):
        sealed.write(seal)
    return seal


def exchange_seal(files: Files, keys: Mapping[bytes, bytes], new: bytes) -> None:
    """Have the seals of these keys open with a new one."""
    exchange_files(files, keys, new, seals(files))
