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
import os
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from pamola_tasks.errors import DataError, PamolaTaskError, PathSecurityError, UsageError
from pamola_tasks.protocols import Diagnosis
from pamola_tasks.record import now, rfc3339
from pamola_tasks.storage import journal

from .anchored import AnchoredJournal
from .register_key import PURPOSE, RegisterKey
from .released_table import ReleasedTable
from .same_persons import population_of

if TYPE_CHECKING:
    from pamola_tasks.protocols import RunServices

FOLDER = "releases"
JOURNAL = "releases.jsonl"
KEY = "register.key"
ANCHOR = ".pamola/releases"

PUBLISHED, UNFINISHED, WITHDRAWN, ABANDONED = "published", "unfinished", "withdrawn", "abandoned"


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

    def of_columns(self, quasi_identifiers: Collection[str]) -> list[int]:
        """The numbers of the releases that count and have just these quasi-identifiers."""
        asked = ((entry.number, entry.facts.get("settings") or {}) for entry in self.entries() if entry.counts)
        return [number for number, how in asked if set(how.get("quasi_identifiers", ())) == set(quasi_identifiers)]

    def table(self, entry: Entry) -> ReleasedTable:
        """What was released."""
        from cryptography.exceptions import InvalidTag
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        data = self._sealed(entry)
        try:
            plain = AESGCM(self.key_for("seal")).decrypt(data[:12], data[12:], str(entry.number).encode())
        except InvalidTag:
            raise self._changed(entry) from None
        table = ReleasedTable.of_bytes(plain)
        return attrs.evolve(table, population=table.population or self.population(str(entry.facts.get("input", ""))))

    def population(self, dataset: str) -> str:
        """What the project file calls the persons of a dataset now."""
        return population_of(self._run, dataset)

    def key_for(self, use: str) -> bytes:
        """32 bytes for one use in the register."""
        return hmac.digest(self._key.get(), use.encode(), "sha256")

    def read_sealed(self, name: str) -> bytes | None:
        """What a sealed file of the register's folder holds; None where it is missing."""
        try:
            return self._files.read(self._path(f"{name}.sealed"), "config")
        except FileNotFoundError:
            return None

    def write_sealed(self, name: str, data: bytes) -> None:
        """Write a sealed file into the register's folder."""
        self._files.write(self._path(f"{name}.sealed"), data, "config")

    def _sealed(self, entry: Entry) -> bytes:
        data = self.read_sealed(str(entry.number))
        if data is None:
            raise self._changed(entry)
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
        self.write_sealed(str(number), data)
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
