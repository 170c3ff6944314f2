"""Positions of the events of each task in a long log, so that a query about one task does not read all of it.

A cache beside the log: it may be deleted, be damaged or be old at any time, and is made again from the log.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from pathlib import PurePosixPath
from typing import IO, TYPE_CHECKING, Any

import attrs

from pamola_tasks.errors import PamolaTaskError
from pamola_tasks.storage import journal
from pamola_tasks.storage.journal import Damage
from pamola_tasks_history import events

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pamola_tasks.protocols import Files

SCHEMA = 1
LONG = 1 << 20  # a log, or what was appended since, of fewer bytes is read as fast as an index
_TAIL = 4096


@attrs.define
class _Known:
    """What the index says of the first `size` bytes of the log, and whether a line of them could not be read."""

    size: int = 0
    tail: str = ""  # hash of the last of these bytes, to see that it is the same log
    tasks: dict[str, list[int]] = attrs.Factory(dict)  # offsets of the lines about a task's runs, but for their steps
    outputs: dict[str, list[str]] = attrs.Factory(dict)  # for each file, the task and the run that left it last
    damaged: bool = False


_in_process: dict[tuple[Path, str], _Known] = {}  # by project and log: one process may ask about every task


class Index:
    """The index of one log."""

    def __init__(self, files: Files, log_path: str) -> None:
        self._files = files
        self._log_path = log_path
        self.path = str(PurePosixPath(log_path).with_suffix(".idx"))
        self._known = _in_process.get((files.root, log_path), _Known())
        self._saved_size = self._known.size

    @property
    def loaded(self) -> bool:
        """Whether it is in memory, so that asking it is faster than reading even a part of the log."""
        return self._known.size > 0

    def worth_it(self) -> bool:
        """Whether the log is long enough."""
        try:
            return self._files.stat(self._log_path).size > LONG
        except FileNotFoundError:
            return False

    def entries_of(self, task_id: str, key: bytes | None = None) -> Iterator[dict[str, Any] | Damage]:
        """The events of a task's runs, newest first, without those of steps; a damage where the log has one."""
        with self._files.open_raw(self._log_path) as log:
            self._catch_up(log)
            if self._known.damaged:
                yield Damage(0, "a damaged line in the log")
            for offset in reversed(self._known.tasks.get(task_id, ())):
                try:
                    entry = journal.decode(_line_at(log, offset), key)
                except ValueError as problem:  # damaged since it was read
                    yield Damage(0, str(problem))
                    continue
                if entry.get("task_id") == task_id:
                    yield entry

    def writer_of(self, paths: set[str]) -> tuple[str, str] | None:
        """The task and the run that left a file last, or None."""
        with self._files.open_raw(self._log_path) as log:
            self._catch_up(log)
        found = [self._known.outputs[path] for path in paths if path in self._known.outputs]
        return (found[0][0], found[0][1]) if found else None

    def forget(self) -> None:
        """Remove the cache: its events were removed from the log."""
        self._known, self._saved_size = _Known(), 0
        _in_process.pop((self._files.root, self._log_path), None)
        self._files.unlink(self.path, missing_ok=True)

    # ------------------------------------------------------------ how it is done

    def _catch_up(self, log: IO[bytes]) -> None:
        """Read what the log has beyond what is known, and keep it when it was much."""
        if self._known.size == 0 or not _fits(self._known, log):
            self._known = self._load(log)
            self._saved_size = self._known.size
        _read_on(log, self._known)
        _in_process[self._files.root, self._log_path] = self._known
        if self._known.size - self._saved_size > LONG:
            # Who may read the history but not write beside it has every answer too, only later.
            with contextlib.suppress(OSError, PamolaTaskError):
                document = {"schema": SCHEMA, **attrs.asdict(self._known)}
                self._files.write(self.path, journal.encode(document), "log")
            self._saved_size = self._known.size

    def _load(self, log: IO[bytes]) -> _Known:
        try:
            with self._files.open_raw(self.path) as file:
                document = journal.decode(file.read().rstrip(b"\n"))
            if document.pop("schema") != SCHEMA:
                return _Known()
            known = _Known(**document)
        except (OSError, ValueError, KeyError, TypeError):
            return _Known()
        return known if _fits(known, log) else _Known()


def _fits(known: _Known, log: IO[bytes]) -> bool:
    return log.seek(0, os.SEEK_END) >= known.size and known.tail == _tail(log, known.size)


def _tail(log: IO[bytes], size: int) -> str:
    start = max(0, size - _TAIL)
    log.seek(start)
    return hashlib.sha256(log.read(size - start)).hexdigest()


def _read_on(log: IO[bytes], known: _Known) -> None:
    offset = known.size
    log.seek(offset)
    for line in log:
        if line.endswith(b"\n"):  # else it is being written
            _note(line[:-1], offset, known)
            offset += len(line)
    if offset > known.size:
        known.size = offset
        known.tail = _tail(log, offset)


def _note(line: bytes, offset: int, known: _Known) -> None:
    if events.STEP in line[:100]:
        return
    try:
        entry = journal.decode(line)
    except ValueError:
        known.damaged = True
        return
    task_id, run_id = entry.get("task_id"), entry.get("run_id")
    if not isinstance(task_id, str) or not isinstance(run_id, str):
        return
    known.tasks.setdefault(task_id, []).append(offset)
    for output in (entry.get("updates") or entry).get("output_files") or ():
        if isinstance(output, dict) and isinstance(output.get("path"), str):
            known.outputs[output["path"]] = [task_id, run_id]


def _line_at(log: IO[bytes], offset: int) -> bytes:
    log.seek(offset)
    return log.readline().removesuffix(b"\n")
