"""A journal of the project of which nothing may get lost: chained, and how far it has come is noted in another place.

A line that is edited, removed or moved is found by the chain, and by the key that authenticates lines; a journal that
is missing, or that was replaced by an older one, by the note.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import attrs

from pamola_tasks.errors import DataError
from pamola_tasks.protocols import Files
from pamola_tasks.storage import appending, journal


@attrs.frozen(kw_only=True)
class AnchoredJournal:
    """One such journal.

    Attributes:
        files: Where to open it.
        path: The file.
        anchor: The file that notes how many lines it has, and the hash of the last.
        key: Authenticates its lines and the note; None where there is no key.
        what: What it is, for messages: `the privacy ledger`.
        so: What follows where it cannot be trusted, for messages.
        needs: Which entries must be authenticated.
    """

    files: Files
    path: str | Path
    anchor: str
    key: bytes | None
    what: str
    so: str
    needs: Callable[[Mapping[str, Any]], bool] = lambda entry: True

    def read(self) -> list[dict[str, Any]]:
        """All entries.

        Raises:
            DataError: It is damaged, missing or older than noted.
        """
        found = journal.read(self.files, self.path, key=self.key, needs=self.needs, keeps_old=True)
        if found.damaged:
            raise self.unusable(f"it is damaged (line {found.damaged[0].line}: {found.damaged[0].reason})")
        self._check_anchor()
        return found.entries

    @contextlib.contextmanager
    def appending(self) -> Iterator[Callable[[Mapping[str, Any]], None]]:
        """Keep other processes out for the time of the block; what it yields appends an entry, which is flushed."""
        with journal.locked(self.files, self.path) as file:

            def append(entry: Mapping[str, Any]) -> None:
                journal.append_to(file, [entry], key=self.key)
                appending.sync(file)
                lines = self._lines()
                noted = {"lines": len(lines), "last": journal.link(lines[-1])}
                journal.replace(self.files, self.anchor, [journal.encode(noted, key=self.key)])

            yield append

    def unusable(self, why: str) -> DataError:
        """The error for one that cannot be trusted."""
        return DataError(f"{self.what} {self.files.name(self.path)} cannot be used: {why}. {self.so}")

    def _lines(self) -> list[bytes]:
        try:
            with self.files.open_raw(self.path) as file:
                return file.read().split(b"\n")[:-1]  # without one that a crash has cut
        except FileNotFoundError:
            return []

    def _check_anchor(self) -> None:
        noted = journal.read(self.files, self.anchor, key=self.key)
        if noted.damaged or noted.torn:
            raise self.unusable(f"{self.anchor} is damaged")
        lines = self._lines()
        for entry in noted.entries:
            count = int(entry["lines"])
            if len(lines) < count or journal.link(lines[count - 1]) != entry["last"]:
                missing = "missing" if not lines else "not the one that was written last"
                raise self.unusable(f"it is {missing}: {count} entries are noted in {self.anchor}")
