"""What the commands about keys and files need to know: the project, its configuration, and where its key is."""

from __future__ import annotations

import contextlib
import functools
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import attrs
import click

from pamola_tasks.errors import AlreadyRunning, UsageError
from pamola_tasks.storage import locks
from pamola_tasks_encryption.errors import KeyRefused
from pamola_tasks_encryption.in_use import not_in_use
from pamola_tasks_encryption.keyfile import KeyDocument, Means
from pamola_tasks_encryption.keys import find_store
from pamola_tasks_encryption.stores import KeyFileStore, KeyStore

if TYPE_CHECKING:
    from pamola_tasks.protocols import CommandLine, Config, Files, Places, Project
    from pamola_tasks_encryption.settings import EncryptionSettings


@attrs.frozen
class OpenKey:
    """A key as a command works with it.

    Attributes:
        document: The key file's content.
        key: The key.
        previous: The key that it replaces, while a rotation is under way.
    """

    document: KeyDocument
    key: bytes = attrs.field(repr=False)
    previous: bytes | None = attrs.field(repr=False)

    @property
    def by_id(self) -> dict[bytes, bytes]:
        """Both keys by their id."""
        found = {self.document.id: self.key}
        if self.previous is not None:
            found[self.document.previous_id] = self.previous
        return found


class Place:
    """A project and its key.

    Args:
        cli: The command line.
        key_file: A key file named on the command line, instead of the usual sources.

    Raises:
        UsageError: Another plugin provides encryption.
    """

    def __init__(self, cli: CommandLine, key_file: str | None = None) -> None:
        if another := cli.plugins.foreign_provider("encryption", __package__):
            raise UsageError(
                f"{another} provides encryption here, and this command knows only the keys and files of"
                f" {__package__.replace('_', '-')}: nothing was read or changed"
            )
        self._kernel = cli.kernel
        run = cli.kernel.services(None, upto="places")
        self.places: Places = run.places
        self.project: Project = run.project
        self.config: Config = run.config
        self.files: Files = run.files
        self.settings: EncryptionSettings = run.config.plugin("encryption")
        self._key_file = key_file

    @property
    def location(self) -> str:
        """Where the project is, as encrypted files state it."""
        return str(self.project.root)

    @property
    def identity(self) -> Path | None:
        """The file of the private key of age files, if one is named."""
        return self._absolute(self.settings.identity_file)

    @property
    def store(self) -> KeyStore:
        """Where the key is, or would be."""
        if self._key_file is not None:
            return KeyFileStore(Path(self._key_file), "--file")
        configured = self._absolute(self.config.encryption_key_path)
        return find_store(os.environ, self.project.id, configured, keyring=self.settings.keyring)

    @functools.cached_property
    def means(self) -> Means:
        """What a locked key is opened with; a person is asked where there is one."""
        ask = functools.cache(_ask) if sys.stdin.isatty() else None  # once a command
        return Means(passphrase=os.environ.get("PAMOLA_PASSPHRASE"), identity=self.identity, ask=ask)

    def open_key(self) -> OpenKey:
        """The key.

        Raises:
            EncryptionError: There is none, or none that can be used.
        """
        store = self.store
        document = KeyDocument.parse(store.read(), store.name)
        key = document.open(self.means, store.name)
        return OpenKey(document, key, document.previous(key, store.name))

    @contextlib.contextmanager
    def changing(self) -> Iterator[KeyStore]:
        """The key's store, for one process at a time."""
        store = self.store
        if store.path is None or not store.path.parent.is_dir():
            yield store
            return
        flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)
        try:
            descriptor = os.open(store.path.with_name(f".{store.path.name}.lock"), flags, 0o600)
        except OSError as error:
            raise KeyRefused(f"{store.name} cannot be changed where it is: {error.strerror}") from None
        try:
            if not locks.lock(descriptor, wait=False):
                raise AlreadyRunning(f"another process is changing {store.name}; nothing was changed")
            yield store
        finally:
            os.close(descriptor)

    def not_in_use(self) -> contextlib.AbstractContextManager[None]:
        """Keep tasks from running while keys are changed.

        Raises:
            AlreadyRunning: A task is running.
        """
        return not_in_use(self._kernel, self.files)

    def _absolute(self, name: str | None) -> Path | None:
        return self.project.root / Path(name).expanduser() if name else None


def _ask() -> str:
    return str(click.prompt("Passphrase of the key", hide_input=True, err=True))
