"""What the commands about keys and files need to know: the project, its configuration, and where its key is."""

from __future__ import annotations

import contextlib
import functools
import os
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pamola_tasks.errors import AlreadyRunning, UsageError
from pamola_tasks.secret import variables
from pamola_tasks.storage import system
from pamola_tasks_encryption.errors import KeyRefused
from pamola_tasks_encryption.keyfile import Means
from pamola_tasks_encryption.keys import KeyFileStore, KeyStore, OpenKey, find_store
from pamola_tasks_encryption.provide import LOCK

if TYPE_CHECKING:
    from pamola_tasks.protocols import CommandLine, Config, Files, KernelView, Places, Project
    from pamola_tasks_encryption.settings import EncryptionSettings

STREAM = "-"  # standard input or output, as the name of a file


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
        self.kernel: KernelView = cli.kernel
        run = cli.kernel.services(None, upto="places")
        self.places: Places = run.places
        self.project: Project = run.project
        self.config: Config = run.config
        self.files: Files = run.files
        self.settings: EncryptionSettings = run.config.plugin("encryption")
        self.location = str(self.project.root)  # as encrypted files state it
        self.identity = self._absolute(self.settings.identity_file)  # the private key of age files
        self._hides_bar = not sys.stderr.isatty() or cli.verbosity < 0
        self._key_file = key_file

    @property
    def store(self) -> KeyStore:
        """Where the key is, or would be."""
        if self._key_file is not None:
            return KeyFileStore(Path(self._key_file), "--file")
        configured = self._absolute(self.config.encryption_key_path)
        return find_store(
            variables(),
            self.project.id,
            configured,
            keyring=self.settings.keyring,
            command=self.settings.key_command,
            root=self.project.root,
        )

    @functools.cached_property
    def means(self) -> Means:
        """What a locked key is opened with; a person is asked where there is one."""
        ask = functools.cache(_ask) if sys.stdin.isatty() else None  # once a command
        return Means(passphrase=variables().get("PAMOLA_PASSPHRASE"), identity=self.identity, ask=ask)

    def open_key(self) -> OpenKey:
        """The key; EncryptionError if there is none, or none that can be used."""
        return OpenKey.of(self.store, self.means)

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
            if not system.lock(descriptor, wait=False):
                raise AlreadyRunning(f"another process is changing {store.name}; nothing was changed")
            yield store
        finally:
            os.close(descriptor)

    def bar(self, label: str, names: Iterable[str] | None = None, length: int | None = None) -> Any:
        """A progress bar on a terminal, over files in number or one's bytes in percent."""
        counted = names is not None
        return click.progressbar(names, length, label, self._hides_bar, show_pos=counted, file=sys.stderr)

    def _absolute(self, name: str | None) -> Path | None:
        return self.project.root / Path(name).expanduser() if name else None


@contextlib.contextmanager
def not_in_use(kernel: KernelView, files: Files) -> Iterator[None]:
    """While keys are changed: keep tasks from running, and runs from encrypting; AlreadyRunning if one is."""
    with contextlib.ExitStack() as stack:
        for task_id in kernel.task_ids():
            try:
                stack.enter_context(kernel.inspect(task_id).lock.keeping_out(task_id))
            except AlreadyRunning:
                raise _running(task_id) from None
        files.mkdirs(".pamola")
        if not system.lock(stack.enter_context(files.append(LOCK)).fileno(), wait=False):
            raise _running("a task")
        yield


def _running(what: str) -> AlreadyRunning:
    return AlreadyRunning(f"{what} is running: keys are changed when it has ended; nothing was changed")


def _ask() -> str:
    return str(click.prompt("Passphrase of the key", hide_input=True, err=True))
