"""A journal of the project from which nothing can be taken unnoticed, as far as a folder can prove that.

A line that is edited, removed or moved is found by the chain, and by the key that authenticates lines; a journal that
is missing, or that was replaced by an older one, by a note in another place, and by the execution history, which has
every entry: to hide one, journal, note and history have to be altered together. The history restores what is missing.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from pamola_tasks.errors import DataError
from pamola_tasks.protocols import Files
from pamola_tasks.record import now, rfc3339
from pamola_tasks.storage import appending, journal

if TYPE_CHECKING:
    from pamola_tasks.protocols import RunServices

RESTORED = "restored"  # of an entry: the hashes of lines that it takes the place of
LOST = "lost"  # an event: lines whose content is unknown, which was accepted


@attrs.frozen
class Restoration:
    """What a restoration did, or would do.

    Attributes:
        restored: Entries that the execution history gave back.
        lost: How many lines could not be given back.
        aside: What the journal as it was is called now; empty where there was none.
    """

    restored: tuple[Mapping[str, Any], ...] = ()
    lost: int = 0
    aside: str = ""


@attrs.frozen(kw_only=True)
class AnchoredJournal:
    """One such journal.

    Attributes:
        files: Where to open it.
        path: The file. Its name without ending is the key under which the history has its entries.
        anchor: The file that notes how many lines it has, and the hash of the last.
        key: Authenticates its lines and the note; None where there is no key.
        what: What it is, for messages: `the privacy ledger`.
        so: What follows where it cannot be trusted, for messages.
        needs: Which entries must be authenticated.
        run: The run, or services without one, whose history vouches for it; None for a journal without.
    """

    files: Files
    path: str | Path
    anchor: str
    key: bytes | None
    what: str
    so: str
    needs: Callable[[Mapping[str, Any]], bool] = lambda entry: True
    run: RunServices | None = None

    def read(self) -> list[dict[str, Any]]:
        """All entries.

        Raises:
            DataError: It is damaged, missing or older than noted.
        """
        found = self._parsed()
        if found.damaged:
            raise self.unusable(f"it is damaged (line {found.damaged[0].line}: {found.damaged[0].reason})")
        if problem := self._problem(found.entries):
            raise self.unusable(problem)
        return found.entries

    @contextlib.contextmanager
    def appending(self) -> Iterator[Callable[[Mapping[str, Any]], None]]:
        """Keep other processes out for the time of the block; what it yields appends an entry, which is flushed."""
        with journal.locked(self.files, self.path) as file:

            def append(entry: Mapping[str, Any]) -> None:
                journal.append_to(file, [entry], key=self.key)
                appending.sync(file)
                lines = self._lines()
                self._note(lines)
                note = getattr(self._history, "note", None)
                if note is not None:
                    facts = {"number": len(lines), "link": journal.link(lines[-1]), "entry": dict(entry)}
                    note(self.run, Path(self.path).stem, facts)

            yield append

    def restore(self, *, accept_loss: bool = False) -> Restoration:
        """Put back what the execution history knows of missing lines; the journal as it was is kept aside.

        Args:
            accept_loss: Continue without lines that the history does not have, and write down how many.

        Raises:
            DataError: There are such lines, and their loss was not accepted.
        """
        with journal.locked(self.files, self.path):
            found, lines = self._parsed(), self._lines()
            damaged = {damage.line for damage in found.damaged}
            kept = [line for number, line in enumerate(lines, 1) if number not in damaged]
            there = {journal.link(line) for line in kept} | _replaced(found.entries)
            missing = {link: note for link, note in self._in_history().items() if link not in there}
            if not (missing or damaged or self._problem_of_note(lines)):
                return Restoration()
            entries = [_again(journal.decode(line), journal.link(line)) for line in kept]
            known = sorted((n for n in missing.values() if n.get("entry")), key=lambda note: int(note["number"]))
            back = [_again(dict(note["entry"]), str(note["link"])) for note in known]
            noted = journal.read(self.files, self.anchor, key=self.key).entries
            counted = max((int(entry["lines"]) for entry in noted), default=0)
            unknown = [link for link, note in missing.items() if not note.get("entry")]
            lost = len(unknown) + max(0, counted - len(entries) - len(back) - len(unknown))
            if lost and not accept_loss:
                raise DataError(
                    f"{lost} {'entry' if lost == 1 else 'entries'} of {self.what} {self.files.name(self.path)}"
                    f" {'is' if lost == 1 else 'are'} neither in it nor in the execution history: restore it from a"
                    f" copy, or accept the loss with --accept-loss"
                )
            if lost:
                when = rfc3339(now())
                back.append({"schema": 2, "event": LOST, "time": when, "entries": lost, RESTORED: unknown})
            aside = f"{self.path}.replaced-{rfc3339(now()).replace(':', '')}" if lines else ""
            if aside:
                with journal.prepared(self.files, aside, (line + b"\n" for line in lines)) as copy:
                    self.files.replace(copy, aside)
            journal.replace(self.files, self.path, journal.chained([*entries, *back], key=self.key))
            if entries or back:
                self._note(self._lines())
            else:
                self.files.unlink(self.anchor, missing_ok=True)
        return Restoration(tuple(back), lost, aside)

    def unusable(self, why: str) -> DataError:
        """The error for one that cannot be trusted."""
        return DataError(f"{self.what} {self.files.name(self.path)} cannot be used: {why}. {self.so}")

    @property
    def _history(self) -> Any:
        return None if self.run is None else vars(self.run).get("history")

    def _parsed(self) -> journal.Journal:
        return journal.read(self.files, self.path, key=self.key, needs=self.needs, keeps_old=True)

    def _lines(self) -> list[bytes]:
        try:
            with self.files.open_raw(self.path) as file:
                return file.read().split(b"\n")[:-1]  # without one that a crash has cut
        except FileNotFoundError:
            return []

    def _note(self, lines: list[bytes]) -> None:
        noted = {"lines": len(lines), "last": journal.link(lines[-1])}
        journal.replace(self.files, self.anchor, [journal.encode(noted, key=self.key)])

    def _problem(self, entries: list[dict[str, Any]]) -> str:
        lines = self._lines()
        if problem := self._problem_of_note(lines):
            return problem
        links = {journal.link(line) for line in lines} | _replaced(entries)
        gone = sum(link not in links for link in self._in_history())
        entry = "entry" if gone == 1 else "entries"
        return f"it is {_state(lines)}: the execution history has {gone} {entry} that it lacks" if gone else ""

    def _problem_of_note(self, lines: list[bytes]) -> str:
        noted = journal.read(self.files, self.anchor, key=self.key)
        if noted.damaged or noted.torn:
            return f"{self.anchor} is damaged"
        for entry in noted.entries:
            count = int(entry["lines"])
            if len(lines) < count or journal.link(lines[count - 1]) != entry["last"]:
                return f"it is {_state(lines)}: {count} entries are noted in {self.anchor}"
        return ""

    def _in_history(self) -> dict[str, Mapping[str, Any]]:
        """What the history has of each line, by its hash."""
        notes = getattr(self._history, "notes", None)
        return {} if notes is None else {str(note["link"]): note for note in notes(Path(self.path).stem)}


def _state(lines: list[bytes]) -> str:
    return "not the one that was written last" if lines else "missing"


def _replaced(entries: list[dict[str, Any]]) -> set[str]:
    return {link for entry in entries for link in entry.get(RESTORED, ())}


def _again(entry: dict[str, Any], link: str) -> dict[str, Any]:
    """An entry on another line, which says whose place it takes."""
    entry.pop("authentic", None)
    return {**entry, RESTORED: [*entry.get(RESTORED, ()), link]}
