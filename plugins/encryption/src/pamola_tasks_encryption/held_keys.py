"""The keys of a run: found when first needed, hidden from whatever the run writes, and forgotten at its end.

Nothing of cryptography is imported before a key is needed.
"""

from __future__ import annotations

import base64
import contextlib
import threading
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from pamola_tasks.errors import EncryptionError
from pamola_tasks.secret import Secret

if TYPE_CHECKING:
    from pamola_tasks.protocols import Redactor
    from pamola_tasks_encryption.header import Header
    from pamola_tasks_encryption.keys import MemoryProtectedKey, ProjectKey
    from pamola_tasks_encryption.settings import EncryptionSettings


@attrs.define(eq=False, kw_only=True)
class HeldKeys:
    """The project's key, keys of inputs, age recipients and identities. May be used from several threads.

    Arguments are those of `TaskEncryptionManager`; `project` and `found_recipients` are set once they were needed.
    """

    environ: Mapping[str, str]
    project_id: str
    root: Path
    configured: str | None
    settings: EncryptionSettings
    input_keys: Mapping[str, str]
    redactor: Redactor
    closed: bool = False
    project: ProjectKey | None = None
    found_recipients: list[Any] | None = None
    _inputs: dict[bytes, MemoryProtectedKey] | None = None
    _identities: list[Any] | None = None
    _lock: AbstractContextManager[Any] = attrs.Factory(threading.RLock)

    def clear(self) -> None:
        """Overwrite the keys, and refuse to find any until `closed` is false again."""
        with self._lock:
            ours = [self.project.key, self.project.previous] if self.project else []
            for key in (*ours, *(self._inputs or {}).values()):
                if key is not None:
                    key.clear()
            self.project = self._inputs = self.found_recipients = self._identities = None
            self.closed = True

    def of_project(self) -> ProjectKey:
        """The project's key; errors as those of `find_key`."""
        with self._finding():
            if self.project is None:
                self.project = self._find()
            return self.project

    def of_inputs(self) -> dict[bytes, MemoryProtectedKey]:
        """Keys of inputs by their id."""
        with self._finding():
            if self._inputs is None:
                self._inputs = self._parsed(self.input_keys)
            return self._inputs

    def recipients(self) -> list[Any]:
        """Who can read age files."""
        with self._finding():
            if self.found_recipients is None:
                from pamola_tasks_encryption import age

                self.found_recipients = age.parse_recipients(self.settings.recipients)
            return self.found_recipients

    def identities(self) -> list[Any]:
        """What age files are read with."""
        with self._finding():
            if self._identities is None:
                from pamola_tasks_encryption import age

                self._identities = age.load_identities(self._identity_file)
            return self._identities

    def of_input(self, header: Header) -> MemoryProtectedKey | None:
        """The key of an input that a file was encrypted with."""
        return header.key_of(self.of_inputs())

    def for_file(self, header: Header) -> MemoryProtectedKey:
        """The project's key, or the one it replaces where a rotation has not reached the file yet."""
        ours = self.of_project()
        ids = {one.hex() for one in header.key_ids}
        if ours.previous is not None and ours.key.fingerprint not in ids and ours.previous.fingerprint in ids:
            return ours.previous
        return ours.key

    @contextlib.contextmanager
    def _finding(self) -> Iterator[None]:
        with self._lock:
            if self.closed:
                raise EncryptionError("the encryption service is closed and has deleted its keys")
            yield

    def _find(self) -> ProjectKey:
        from pamola_tasks_encryption.keyfile import Means
        from pamola_tasks_encryption.keys import find_key

        path = self.root / Path(self.configured).expanduser() if self.configured else None
        means = Means(passphrase=self.environ.get("PAMOLA_PASSPHRASE"), identity=self._identity_file)
        if means.passphrase:
            self.redactor.register(Secret(means.passphrase, "PAMOLA_PASSPHRASE"))
        found = find_key(self.environ, self.project_id, path, keyring=self.settings.keyring, means=means)
        for key in (found.key, found.previous):
            if key is not None:
                self._hide(key)
        return found

    def _parsed(self, texts: Mapping[str, str]) -> dict[bytes, MemoryProtectedKey]:
        found = {}
        for name, text in texts.items():
            from pamola_tasks_encryption.keys import parse_key

            key = parse_key(text.encode("utf-8", "replace"), f"encryption_keys[{name!r}]")
            self._hide(key)
            found[bytes.fromhex(key.fingerprint)] = key
        return found

    @property
    def _identity_file(self) -> Path | None:
        name = self.settings.identity_file
        return self.root / Path(name).expanduser() if name else None

    def _hide(self, key: MemoryProtectedKey) -> None:
        with key as raw:
            for text in (base64.b64encode(raw).decode(), base64.urlsafe_b64encode(raw).decode(), raw.hex()):
                self.redactor.register(Secret(text.rstrip("="), key.key_id))
