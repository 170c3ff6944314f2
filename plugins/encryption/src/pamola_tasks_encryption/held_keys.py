"""The keys of a run: found when first needed, hidden from whatever the run writes, and forgotten at its end.

Nothing of cryptography is imported before a key is needed.
"""

from __future__ import annotations

import base64
import contextlib
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pamola_tasks.errors import EncryptionError
from pamola_tasks.secret import Secret

if TYPE_CHECKING:
    from pamola_tasks.protocols import Redactor
    from pamola_tasks_encryption.header import Header
    from pamola_tasks_encryption.keys import MemoryProtectedKey, ProjectKey
    from pamola_tasks_encryption.settings import EncryptionSettings


class HeldKeys:
    """The project's key, keys of inputs, age recipients and identities. May be used from several threads.

    Args:
        environ: Environment variables.
        project_id: The project's id, or empty.
        root: What relative paths are relative to.
        configured: `encryption_key_path`, if it is set.
        settings: The plugin's own section of the configuration.
        input_keys: Keys of inputs, by dataset: text as in a key file.
        redactor: Is told the keys, so that no log or report shows them.
    """

    def __init__(
        self,
        environ: Mapping[str, str],
        project_id: str,
        root: Path,
        configured: str | None,
        settings: EncryptionSettings,
        input_keys: Mapping[str, str],
        redactor: Redactor,
    ) -> None:
        self._environ = environ
        self._project_id = project_id
        self._root = root
        self._configured = configured
        self._settings = settings
        self._input_key_texts = input_keys
        self._redactor = redactor
        self._lock = threading.RLock()
        self._closed = False
        self._project: ProjectKey | None = None
        self._inputs: dict[bytes, MemoryProtectedKey] | None = None
        self._recipients: list[Any] | None = None
        self._identities: list[Any] | None = None

    @property
    def found(self) -> ProjectKey | None:
        """The project's key, if it was needed already."""
        return self._project

    @property
    def recipients_found(self) -> bool:
        """Whether age recipients were needed already."""
        return self._recipients is not None

    def open(self) -> None:
        """Let keys be found again after `clear`."""
        self._closed = False

    def clear(self) -> None:
        """Overwrite the keys, and refuse to find any until `open`."""
        with self._lock:
            ours = [self._project.key, self._project.previous] if self._project else []
            for key in (*ours, *(self._inputs or {}).values()):
                if key is not None:
                    key.clear()
            self._project = self._inputs = self._recipients = self._identities = None
            self._closed = True

    def of_project(self) -> ProjectKey:
        """The project's key; errors as those of `find_key`."""
        with self._finding():
            if self._project is None:
                self._project = self._find()
            return self._project

    def of_inputs(self) -> dict[bytes, MemoryProtectedKey]:
        """Keys of inputs by their id."""
        with self._finding():
            if self._inputs is None:
                self._inputs = self._parsed(self._input_key_texts)
            return self._inputs

    def add_input(self, name: str, text: str) -> None:
        """Take the key of one more input."""
        with self._lock:
            self.of_inputs().update(self._parsed({name: text}))

    def recipients(self) -> list[Any]:
        """Who can read age files."""
        with self._finding():
            if self._recipients is None:
                from pamola_tasks_encryption import age

                self._recipients = age.parse_recipients(self._settings.recipients)
            return self._recipients

    def identities(self) -> list[Any]:
        """What age files are read with."""
        with self._finding():
            if self._identities is None:
                from pamola_tasks_encryption import age

                self._identities = age.load_identities(self._identity_file)
            return self._identities

    def of_input(self, header: Header) -> MemoryProtectedKey | None:
        """The key of an input that a file was encrypted with."""
        keys = self.of_inputs()
        return next((keys[slot.key_id] for slot in header.slots if slot and slot.key_id in keys), None)

    def for_file(self, header: Header) -> MemoryProtectedKey:
        """The project's key, or the one it replaces where a rotation has not reached the file yet."""
        ours = self.of_project()
        ids = {slot.key_id.hex() for slot in header.slots if slot}
        if ours.previous is not None and ours.key.fingerprint not in ids and ours.previous.fingerprint in ids:
            return ours.previous
        return ours.key

    @contextlib.contextmanager
    def _finding(self) -> Iterator[None]:
        with self._lock:
            if self._closed:
                raise EncryptionError("the encryption service was cleaned up and has forgotten its keys")
            yield

    def _find(self) -> ProjectKey:
        from pamola_tasks_encryption.keyfile import Means
        from pamola_tasks_encryption.keys import find_key

        path = self._root / Path(self._configured).expanduser() if self._configured else None
        means = Means(passphrase=self._environ.get("PAMOLA_PASSPHRASE"), identity=self._identity_file)
        if means.passphrase:
            self._redactor.register(Secret(means.passphrase, "PAMOLA_PASSPHRASE"))
        found = find_key(self._environ, self._project_id, path, keyring=self._settings.keyring, means=means)
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
        name = self._settings.identity_file
        return self._root / Path(name).expanduser() if name else None

    def _hide(self, key: MemoryProtectedKey) -> None:
        with key as raw:
            for text in (base64.b64encode(raw).decode(), base64.urlsafe_b64encode(raw).decode(), raw.hex()):
                self._redactor.register(Secret(text.rstrip("="), key.key_id))
