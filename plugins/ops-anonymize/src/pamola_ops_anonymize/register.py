"""The register of releases: which persons each published table of a project has, in which classes, with which values.

In the project's folder for releases are a journal, with a line whenever a release is prepared, written, published,
abandoned or withdrawn, and for each release a sealed file with keyed hashes (HMAC-SHA-256) of its persons and of their
sensitive values, encrypted by AES-GCM: the register identifies no person. Its own key is there too, sealed by the
project's key where there is one, so that it survives a change of keys.

A release counts as soon as it is prepared, so that two runs at once know of each other. One that its run did not
publish is dropped later: a run that was killed is recognised by whether its file is where it would have been published.
"""

from __future__ import annotations

import hashlib
import hmac
import io
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import numpy as np
import numpy.typing as npt

from pamola_tasks.errors import DataError, PamolaTaskError, PathSecurityError, UsageError
from pamola_tasks.protocols import Diagnosis
from pamola_tasks.record import now, rfc3339
from pamola_tasks.storage import journal

from .anchored import AnchoredJournal
from .domains import Ints, Mask
from .register_key import PURPOSE, RegisterKey

if TYPE_CHECKING:
    from pamola_tasks.protocols import RunServices

Hashes = npt.NDArray[np.uint64]

FOLDER = "releases"
JOURNAL = "releases.jsonl"
KEY = "register.key"
ANCHOR = ".pamola/releases"

PUBLISHED, UNFINISHED, WITHDRAWN, ABANDONED = "published", "unfinished", "withdrawn", "abandoned"


@attrs.frozen(eq=False, kw_only=True)
class ReleasedTable:
    """What the register keeps of a release, a row for each of its records, sorted.

    Attributes:
        persons: Whose the record is, a hash by each of some identifying columns; 0 where that is unknown.
        group: The class of the record.
        values: Hashes of sensitive attributes.
        known: Of sensitive attributes, whether the value followed for certain when it was published.
        origin: Hashes of the quasi-identifiers as they came in.
        counterfeit: Whether the record is a counterfeit.
        cells: The released quasi-identifiers of each class, as text; None for a missing one.
        part: The number of the record's signature in `signatures`, of an m-invariant release; else as `group`.
        signatures: Hashes of the sensitive values of each signature, and `texts` the value of each hash.
        losses: `ncp_set` and `ncp_hier` of each quasi-identifier, summed over the records.
    """

    persons: Mapping[str, Hashes]
    group: Ints
    values: Mapping[str, Hashes]
    known: Mapping[str, Mask]
    origin: Hashes
    counterfeit: Mask
    part: Ints
    cells: Mapping[str, Sequence[str | None]]
    losses: Mapping[str, Mapping[str, float]] = attrs.Factory(dict)
    signatures: Sequence[Sequence[int]] = ()
    texts: Mapping[int, str] = attrs.Factory(dict)

    def to_bytes(self) -> bytes:
        """As an Arrow file."""
        import pyarrow as pa

        kinds: tuple[tuple[str, Mapping[str, Any]], ...] = (
            ("person", self.persons),
            ("value", self.values),
            ("known", self.known),
        )
        columns = {f"{kind}:{name}": column for kind, part in kinds for name, column in part.items()}
        table = pa.table({**columns, "class": self.group, "counterfeit": self.counterfeit})
        table = table.append_column("part", [self.part]).append_column("origin", [self.origin])
        more: dict[str, Any] = {
            "cells": {name: list(texts) for name, texts in self.cells.items()},
            "losses": dict(self.losses),
            "signatures": list(self.signatures),
            "texts": list(self.texts.items()),
        }
        table = table.replace_schema_metadata({name: json.dumps(value) for name, value in more.items()})
        sink = io.BytesIO()
        with pa.ipc.new_file(sink, table.schema) as writer:
            writer.write_table(table)
        return sink.getvalue()

    @classmethod
    def of_bytes(cls, data: bytes) -> ReleasedTable:
        """The reverse of `to_bytes`."""
        import pyarrow as pa

        table = pa.ipc.open_file(io.BytesIO(data)).read_all()
        parts: dict[str, dict[str, Any]] = {"person": {}, "value": {}, "known": {}}
        for name in table.column_names:
            kind, _, of = name.partition(":")
            if of:
                parts[kind][of] = table[name].to_numpy()
        return cls(
            persons=parts["person"],
            group=table["class"].to_numpy(),
            values=parts["value"],
            known=parts["known"],
            counterfeit=table["counterfeit"].to_numpy(),
            part=table["part"].to_numpy(),
            origin=table["origin"].to_numpy(),
            texts=dict(json.loads(table.schema.metadata[b"texts"])),
            **{name: json.loads(table.schema.metadata[name.encode()]) for name in ("cells", "losses", "signatures")},
        )

    @cached_property
    def records(self) -> int:
        return len(self.group)


@attrs.frozen(kw_only=True)
class Entry:
    """A release as the journal has it.

    Attributes:
        number: From 1 on, in the order in which they were prepared.
        status: `published`, `unfinished` (its run has not ended), `withdrawn` or `abandoned` (never published).
        facts: What was known of it when it was prepared: `time`, `run_id`, `task_id`, `step`, `dataset`, `settings` …
        file: The published file, and `sha256` its hash; empty before it is written.
        sealed: Hash of the sealed file.
        digest: Keyed hash of all that it releases of persons: the same for the same release.
        reason: Why it was withdrawn.
    """

    number: int
    status: str
    facts: Mapping[str, Any]
    file: str = ""
    sha256: str = ""
    sealed: str = ""
    digest: str = ""
    reason: str = ""

    @property
    def counts(self) -> bool:
        """Whether later releases are compared with it."""
        return self.status in (PUBLISHED, UNFINISHED)

    def __str__(self) -> str:
        task, dataset, day = (str(self.facts.get(name, "")) for name in ("task_id", "dataset", "time"))
        return f"release {self.number} ({dataset} of task {task}, {day[:10]})"


class Register:
    """The register of one project.

    Args:
        run: The run, or services without one: its key seals the register, and its history vouches for it.
        folder: Its folder.
    """

    def __init__(self, run: RunServices, folder: str) -> None:
        self._run = run
        self._files = run.files
        self._folder = folder
        self._key = RegisterKey(run.files, self._path(KEY), journal.key_of(run, PURPOSE))

    # ------------------------------------------------------------ reading

    @property
    def exists(self) -> bool:
        """Whether there is one, or should be."""
        if any(self._files.exists(path) for path in (self._path(JOURNAL), self._path(KEY), ANCHOR)):
            return True
        notes = getattr(vars(self._run).get("history"), "notes", None)
        return notes is not None and next(iter(notes(Path(JOURNAL).stem)), None) is not None

    def entries(self) -> list[Entry]:
        """All releases, oldest first.

        Raises:
            DataError: The register was edited or removed, or its key is missing.
        """
        if not self.exists:
            return []
        found = self._entries(self._journal().read())
        for entry in found:
            if entry.counts:
                self._sealed(entry)
        return found

    def table(self, entry: Entry) -> ReleasedTable:
        """What was released."""
        from cryptography.exceptions import InvalidTag
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        data = self._sealed(entry)
        try:
            plain = AESGCM(self.key_for("seal")).decrypt(data[:12], data[12:], str(entry.number).encode())
        except InvalidTag:
            raise self._changed(entry) from None
        return ReleasedTable.of_bytes(plain)

    def key_for(self, use: str) -> bytes:
        """32 bytes for one use in the register."""
        return hmac.digest(self._key.get(), use.encode(), "sha256")

    def _sealed(self, entry: Entry) -> bytes:
        try:
            data = self._files.read(self._path(f"{entry.number}.sealed"), "config")
        except FileNotFoundError:
            raise self._changed(entry) from None
        if hashlib.sha256(data).hexdigest() != entry.sealed:
            raise self._changed(entry)
        return data

    def _changed(self, entry: Entry) -> DataError:
        path = self._path(f"{entry.number}.sealed")
        return self._journal().unusable(f"{path}, which has what {entry} released, is missing or was changed")

    def _path(self, name: str) -> str:
        return f"{self._folder}/{name}"

    def _journal(self) -> AnchoredJournal:
        return AnchoredJournal(
            files=self._files,
            path=self._path(JOURNAL),
            anchor=ANCHOR,
            key=self.key_for("journal"),
            what="the register of releases",
            so="What was released is unknown, so nothing more can be compared with it: restore it from a copy",
            run=self._run,
        )

    def _entries(self, lines: Sequence[Mapping[str, Any]]) -> list[Entry]:
        found: dict[int, Entry] = {}
        for line in lines:
            number, event = int(line["release"]), str(line["event"])
            if event == "prepared":
                known = {name: line[name] for name in ("sealed", "digest")}
                facts = {name: value for name, value in line.items() if name not in ("event", "release", *known)}
                found[number] = Entry(number=number, status=UNFINISHED, facts=facts, **known)
            elif event == "written":
                found[number] = attrs.evolve(found[number], file=line["file"], sha256=line["sha256"])
            else:
                found[number] = attrs.evolve(found[number], status=event, reason=line.get("reason", ""))
        return [self._settled(entry) for entry in found.values()]

    def _settled(self, entry: Entry) -> Entry:
        """The entry, of which the end of its run was not entered, as what became of it."""
        if entry.status != UNFINISHED:
            return entry
        try:
            if entry.sha256 and self._files.recognise(entry.file).sha256 == entry.sha256:
                return attrs.evolve(entry, status=PUBLISHED)
        except (OSError, PathSecurityError):
            pass
        if self._runs(str(entry.facts.get("task_id", "")), str(entry.facts.get("run_id", ""))):
            return entry
        return attrs.evolve(entry, status=ABANDONED)

    def _runs(self, task_id: str, run_id: str) -> bool:
        """Whether this run of a task has not ended."""
        if "lock" not in vars(self._run) or not self._run.lock.is_running(task_id):
            return False
        holder = self._run.lock.holder(task_id)
        return holder is None or holder.run_id in ("", run_id)

    def diagnose(self) -> Iterator[Diagnosis]:
        """For `doctor` and `verify`: whether it is as it was written; nothing where there is none."""
        try:
            if found := self.entries():
                counted = sum(entry.counts for entry in found)
                what = "release" if counted == 1 else "releases"
                yield Diagnosis(level="ok", subject=JOURNAL, finding=f"{counted} {what}, as entered")
        except PamolaTaskError as problem:
            yield Diagnosis(level="error", subject=JOURNAL, finding=str(problem))

    # ------------------------------------------------------------ writing

    def begin(self) -> None:
        """Make the folder and the key where there is no register yet."""
        new = not self.exists
        self._files.mkdirs(self._folder)
        self._key.make(new=new)

    @contextmanager
    def preparing(self, run_id: str, step: str) -> Iterator[tuple[list[Entry], Callable[..., int]]]:
        """Keep other runs out while a release is compared with the earlier ones.

        What an earlier attempt of this step of this run prepared is abandoned.

        Yields:
            The releases that count, and what enters another: `enter(table, digest, facts)` gives its number.
        """
        self.begin()
        own = self._journal()
        with own.appending() as append:
            lines = own.read()
            entries = self._entries(lines)
            for entry in entries:
                attempt = (entry.facts.get("run_id"), entry.facts.get("step")) == (run_id, step)
                if self._is_open(lines, entry) and (attempt or entry.status != UNFINISHED):
                    status = ABANDONED if attempt and entry.status == UNFINISHED else entry.status
                    self._end(append, entry, status)
            entries = self._entries(own.read())

            def enter(table: ReleasedTable, digest: str, facts: Mapping[str, Any]) -> int:
                number = len(entries) + 1
                sealed = self._seal(number, table)
                about = {"run_id": run_id, "step": step, **facts, "sealed": sealed, "digest": digest}
                append({"schema": 1, "event": "prepared", "release": number, "time": rfc3339(now()), **about})
                return number

            yield [entry for entry in entries if entry.counts], enter

    def written(self, number: int, file: str, sha256: str) -> None:
        """Enter which file has a release; nothing where that is known."""
        own = self._journal()
        with own.appending() as append:
            known = {entry.number: (entry.file, entry.sha256) for entry in self._entries(own.read())}
            if known.get(number) == (file, sha256):
                return
            append({"schema": 1, "event": "written", "release": number, "file": file, "sha256": sha256})

    def finish(self, run_id: str, step: str, *, published: bool) -> None:
        """Enter what became of the release that a step of a run prepared."""
        if not self.exists:
            return
        own = self._journal()
        with own.appending() as append:
            lines = own.read()
            for entry in self._entries(lines):
                attempt = (entry.facts.get("run_id"), entry.facts.get("step")) == (run_id, step)
                if attempt and self._is_open(lines, entry):
                    self._end(append, entry, PUBLISHED if published else ABANDONED)

    def withdraw(self, number: int, reason: str) -> Entry:
        """Take a release out that was never handed out: later ones are not compared with it.

        Raises:
            UsageError: There is no such release.
        """
        entries = {entry.number: entry for entry in self.entries()}
        if number in entries and not entries[number].counts:
            raise UsageError(f"release {number} is {entries[number].status} already")
        if number not in entries:
            known = ", ".join(str(entry.number) for entry in entries.values() if entry.counts) or "none"
            raise UsageError(f"there is no release {number} to withdraw: there are {known}")
        if entries[number].status == UNFINISHED:
            raise UsageError(f"{entries[number]} is being made: wait for its run, or stop it")
        with self._journal().appending() as append:
            self._end(append, entries[number], WITHDRAWN, reason=reason)
        return entries[number]

    def _is_open(self, lines: Sequence[Mapping[str, Any]], entry: Entry) -> bool:
        """Whether it has not been entered what became of a release."""
        ends = (PUBLISHED, WITHDRAWN, ABANDONED)
        return not any(line["release"] == entry.number and line["event"] in ends for line in lines)

    def _end(self, append: Callable[[Mapping[str, Any]], None], entry: Entry, status: str, **more: str) -> None:
        append({"schema": 1, "event": status, "release": entry.number, "time": rfc3339(now()), **more})
        if status != PUBLISHED:
            self._files.unlink(self._path(f"{entry.number}.sealed"), missing_ok=True)

    def _seal(self, number: int, table: ReleasedTable) -> str:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        nonce = os.urandom(12)
        data = nonce + AESGCM(self.key_for("seal")).encrypt(nonce, table.to_bytes(), str(number).encode())
        self._files.write(self._path(f"{number}.sealed"), data, "config")
        return hashlib.sha256(data).hexdigest()


def register_of(run: RunServices, folder: str | Path | None = None) -> Register:
    """The register of a run's project.

    Args:
        run: The run.
        folder: Its folder, where no provider of `places` is asked: for an operation that is run alone.
    """
    if "places" in vars(run):
        folders = run.places.folders
        folder = folders.get(FOLDER) or f"{folders['configs']}/{FOLDER}"
    assert folder is not None
    return Register(run, run.files.name(folder))
