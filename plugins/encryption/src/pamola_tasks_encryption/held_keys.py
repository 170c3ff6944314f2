"""The keys that a run holds: each is found when it is first needed, once, and overwritten at the end."""

from __future__ import annotations

import base64
import threading
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import attrs

from pamola_tasks.errors import EncryptionError
from pamola_tasks.secret import Secret
from pamola_tasks_encryption.settings import EncryptionSettings

if TYPE_CHECKING:
    from pamola_tasks.protocols import Redactor
    from pamola_tasks_encryption.header import Header
    from pamola_tasks_encryption.keys import MemoryProtectedKey, ProjectKey

_Found = TypeVar("_Found")


@attrs.define(eq=False, kw_only=True)
class HeldKeys:
    """The project's key, keys of inputs, age recipients and identities. May be used from several threads.

    Arguments are those of `TaskEncryptionManager`; `found` holds what was needed so far.
    """

    environ: Mapping[str, str]
    project_id: str
    root: Path
    configured: str | None
    settings: EncryptionSettings
    input_keys: Mapping[str, str]
    redactor: Redactor
    closed: bool = False
    found: dict[str, Any] = attrs.Factory(dict)
    _lock: AbstractContextManager[Any] = attrs.Factory(threading.RLock)

    def clear(self) -> None:
        """Overwrite the keys, and refuse to find any until `closed` is false again."""
        with self._lock:
            ours = self.found.get("project")
            for key in ([ours.key, ours.previous] if ours else []) + [*self.found.get("inputs", {}).values()]:
                if key is not None:
                    key.clear()
            self.found.clear()
            self.closed = True

    def of_project(self) -> ProjectKey:
        """The project's key; errors as those of `find_key`."""
        return self.held("project", self._find)

    def of_inputs(self) -> dict[bytes, MemoryProtectedKey]:
        """Keys of inputs by their id."""
        return self.held("inputs", self._parsed)

    def recipients(self) -> list[Any]:
        """Who can read age files."""
        from pamola_tasks_encryption import age

        return self.held("recipients", lambda: age.parse_recipients(self.settings.recipients))

    def identities(self) -> list[Any]:
        """What age files are read with."""
        from pamola_tasks_encryption import age

        return self.held("identities", lambda: age.load_identities(self._path(self.settings.identity_file)))

    def for_file(self, header: Header) -> MemoryProtectedKey:
        """The key of the input that a file is; else the project's, or the one it replaces if that is the file's."""
        if (key := header.key_of(self.of_inputs())) is not None:
            return key
        ours = self.of_project()
        held = [key for key in (ours.key, ours.previous) if key is not None]
        return header.key_of({bytes.fromhex(key.fingerprint): key for key in held}) or ours.key

    def held(self, what: str, find: Callable[[], _Found]) -> _Found:
        with self._lock:
            if self.closed:
                raise EncryptionError("the encryption service is closed and has deleted its keys")
            if what not in self.found:
                self.found[what] = find()
            held: _Found = self.found[what]
            return held

    def _find(self) -> ProjectKey:
        from pamola_tasks_encryption.keyfile import Means
        from pamola_tasks_encryption.keys import find_key

        identity, configured = self._path(self.settings.identity_file), self._path(self.configured)
        means = Means(passphrase=self.environ.get("PAMOLA_PASSPHRASE"), identity=identity)
        if means.passphrase:
            self.redactor.register(Secret(means.passphrase, "PAMOLA_PASSPHRASE"))
        found = find_key(
            self.environ,
            self.project_id,
            configured,
            keyring=self.settings.keyring,
            command=self.settings.key_command,
            means=means,
            root=self.root,
        )
        for key in (found.key, found.previous):
            if key is not None:
                self._hide(key)
        return found

    def _parsed(self) -> dict[bytes, MemoryProtectedKey]:
        found = {}
        for name, text in self.input_keys.items():
            from pamola_tasks_encryption.keys import parse_key

            key = parse_key(text.encode("utf-8", "replace"), f"encryption_keys[{name!r}]")
            self._hide(key)
            found[bytes.fromhex(key.fingerprint)] = key
        return found

    def _path(self, name: str | None) -> Path | None:
        return self.root / Path(name).expanduser() if name else None

    def _hide(self, key: MemoryProtectedKey) -> None:
        with key as raw:
            for text in (base64.b64encode(raw).decode(), base64.urlsafe_b64encode(raw).decode(), raw.hex()):
                self.redactor.register(Secret(text.rstrip("="), key.key_id))
