"""The commands `encrypt` and `decrypt`: streams in constant memory; a file appears when all of it was verified."""

from __future__ import annotations

import contextlib
import functools
import io
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import attrs
import click

from pamola_tasks.errors import UsageError
from pamola_tasks_encryption import age
from pamola_tasks_encryption.container import DecryptingReader, EncryptingWriter
from pamola_tasks_encryption.errors import Tampered, WrongPlace
from pamola_tasks_encryption.header import HEADER_SIZE, Binding, Header
from pamola_tasks_encryption.keys import OpenKey
from pamola_tasks_encryption.marks import is_age, is_container, is_encrypted
from pamola_tasks_encryption.place import STREAM, Place
from pamola_tasks_encryption.rotation import copy
from pamola_tasks_encryption.settings import EncryptionMode

if TYPE_CHECKING:
    from pamola_tasks.protocols import CommandLine, Files

_ENDINGS = {".ptask", ".age"}


def _shared_options(command: Callable[..., Any]) -> Callable[..., Any]:
    for option in (
        click.argument("names", metavar="FILE…", nargs=-1, required=True),
        click.option("--out", metavar="PATH", help="The file, or the folder for several; - for standard output."),
        click.option("--in-place", is_flag=True, help="Replace each file."),
        click.option("--force", is_flag=True, help="Replace existing files."),
    ):
        command = option(command)
    return command


@click.command("encrypt")
@_shared_options
@click.option("--task", metavar="ID", help="Bind to this task (default: from the file's folder).")
@click.option("--recipient", "recipients", metavar="KEY", multiple=True, help="Write age files for this public key.")
@click.pass_obj
def encrypt(
    cli: CommandLine,
    names: tuple[str, ...],
    out: str | None,
    in_place: bool,
    force: bool,
    task: str | None,
    recipients: tuple[str, ...],
) -> None:
    """Encrypt each FILE to FILE.ptask (FILE.age in mode age); - is standard input.

    A run reads what was encrypted like the file itself: inputs are best encrypted with --in-place.
    """
    place = Place(cli)
    mode = EncryptionMode.from_string(place.config.encryption_mode or "simple")
    aged = bool(recipients) or mode is EncryptionMode.AGE
    readers = age.parse_recipients(recipients or place.settings.recipients) if aged else []
    ending, key = (".age", b"") if aged else (".ptask", place.open_key().key)

    def seal(raw: IO[bytes], task_id: str) -> EncryptingWriter:
        if aged:
            return age.AgeWriter(raw, readers)
        return EncryptingWriter(raw, key, Binding(place.project.id, task_id, "data", place.location))

    work = _Work(cli, place, out, in_place, force)
    for name in names:
        with work.source(name) as source:
            head, raw = _with_head(source.file)
            if is_encrypted(head):
                raise UsageError(f"{source.shown} is encrypted already")
            task_id = task if task is not None else place.places.owner_of(source.path) if source.path else ""
            work.write(source, f"{name}{ending}", raw, functools.partial(seal, task_id=task_id))


@click.command("decrypt")
@_shared_options
@click.option("--any-project", is_flag=True, help="Accept files that another project encrypted with this key.")
@click.pass_obj
def decrypt(
    cli: CommandLine, names: tuple[str, ...], out: str | None, in_place: bool, force: bool, any_project: bool
) -> None:
    """Decrypt each FILE.ptask or FILE.age to FILE; - is standard input.

    Files appear when all was verified. On standard output each part appears when it was verified: what came is a
    beginning only, unless the command ends with 0.
    """
    place = Place(cli)
    keys: list[OpenKey] = []  # opened when the first file needs it: age files do not

    def unseal(source: _Source) -> DecryptingReader:
        head, raw = _with_head(source.file)
        if is_age(head):
            return age.AgeReader(raw, age.load_identities(place.identity))
        if not is_container(head):
            raise Tampered(f"{source.shown} is not an encrypted file: neither ptask/1 nor age")
        if not keys:
            keys.append(place.open_key())
        header = Header.parse(head)
        key = header.key_of(keys[0].by_id) or keys[0].key
        written_by = place.places.owner_of(source.path) if source.path else ""
        if written_by and header.binding.task != written_by:
            raise WrongPlace(
                f"{source.shown} is in the folder of task {written_by!r} but was written by {header.binding.task!r}"
            )
        project = header.binding.project if any_project else place.project.id
        location = place.location if place.settings.strict_location and not any_project else ""
        expected = attrs.evolve(header.binding, project=project, location=location)
        return DecryptingReader(raw, key, expected)

    work = _Work(cli, place, out, in_place, force)
    for name in names:
        with work.source(name) as source, unseal(source) as plain:
            path = Path(name)
            if name != STREAM and path.suffix not in _ENDINGS and not in_place and out is None:
                raise UsageError(f"{name} ends neither with .ptask nor with .age: say --out PATH or --in-place")
            work.write(source, str(path.with_suffix("")) if path.suffix in _ENDINGS else name, plain)


def _with_head(raw: IO[bytes]) -> tuple[bytes, IO[bytes]]:
    """A file's first bytes, and the file as if they had not been read."""
    head = b""
    while len(head) < HEADER_SIZE and (part := raw.read(HEADER_SIZE - len(head))):
        head += part
    if raw.seekable():
        raw.seek(0)
        return head, raw
    return head, io.BufferedReader(_Joined(head, raw))


class _Joined(io.RawIOBase):
    """Bytes that were read from a pipe, and then the pipe."""

    def __init__(self, head: bytes, rest: IO[bytes]) -> None:
        self._head = memoryview(head)
        self._rest = rest

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if len(self._head):
            count = min(len(buffer), len(self._head))
            buffer[:count] = self._head[:count]
            self._head = self._head[count:]
            return count
        return int(self._rest.readinto(buffer) or 0)  # type: ignore[attr-defined]


@attrs.frozen
class _Source:
    file: IO[bytes]
    path: Path | None  # None: standard input
    shown: str
    advance: Callable[[int], None]


@attrs.frozen
class _Work:
    """Opens what is read and what is written, each through a guard of its folder."""

    cli: CommandLine
    place: Place
    out: str | None
    in_place: bool
    force: bool
    guards: dict[Path, Files] = attrs.Factory(dict)

    def __attrs_post_init__(self) -> None:
        if self.out is not None and self.in_place:
            raise UsageError("--out and --in-place exclude each other")

    @contextlib.contextmanager
    def source(self, name: str) -> Iterator[_Source]:
        """What is read, with a bar on a terminal."""
        if name == STREAM:
            yield _Source(sys.stdin.buffer, None, "standard input", lambda _: None)
            return
        path = _absolute(name)
        files, inside = self._guarded(path)
        try:
            length = files.stat(inside).size
        except FileNotFoundError:
            raise UsageError(f"there is no file {name}") from None
        with files.guard.open(inside, "rb") as file, self.place.bar(path.name, length=length) as bar:
            yield _Source(file, path, self.cli.out.from_here(path), bar.update)

    def write(self, source: _Source, wanted: str, content: Any, seal: Any = contextlib.nullcontext) -> None:
        """Write what was read, and report it; nothing beside the data on standard output."""
        with self._target(source, wanted) as (file, shown), seal(file) as target:
            count = copy(content, target, source.advance)
        if shown:
            click.echo(f"{source.shown} → {shown} ({self.cli.out.size(count)})")

    @contextlib.contextmanager
    def _target(self, source: _Source, wanted: str) -> Iterator[tuple[IO[bytes], str]]:
        """A file, and its name; it appears when the block ends without an exception, for its owner only."""
        if self.in_place and source.path is None:
            raise UsageError("standard input has no place: leave out --in-place")
        if self.out == STREAM or (self.out is None and source.path is None):
            if sys.stdout.isatty():
                raise UsageError("the result would be written to the terminal: say --out PATH")
            yield sys.stdout.buffer, ""
            sys.stdout.buffer.flush()
            return
        path = self._target_path(source, wanted)
        shown, replaces = self.cli.out.from_here(path), self.force or self.in_place
        if path == source.path and not self.in_place:
            raise UsageError(f"{shown} would replace itself: say --in-place")
        files, inside = self._guarded(path)
        if not replaces and files.exists(inside):
            raise UsageError(f"{shown} is there already: --force replaces it")
        with files.guard.create(inside, exclusive=not replaces) as file:
            yield file, shown

    def _target_path(self, source: _Source, wanted: str) -> Path:
        if self.in_place and source.path is not None:
            return source.path
        if self.out is None:
            return _absolute(wanted)
        out = _absolute(self.out)
        if out.is_dir():
            if source.path is None:
                raise UsageError(f"{self.out} is a folder, and standard input has no name: name a file")
            return out / Path(wanted).name
        return out

    def _guarded(self, path: Path) -> tuple[Files, str]:
        with contextlib.suppress(ValueError):
            return self.place.project.files, path.relative_to(self.place.project.root).as_posix()
        folder = path.parent
        if folder not in self.guards:
            if not folder.is_dir():
                raise UsageError(f"there is no folder {folder}")
            self.guards[folder] = self.cli.kernel_for(folder).project.files
        return self.guards[folder], path.name


def _absolute(name: str) -> Path:
    """A name from the command line, its folder resolved; the file itself is left to the guard."""
    path = Path(os.path.abspath(name))
    return path.parent.resolve() / path.name
