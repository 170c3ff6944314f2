"""What a long log is asked for: where the events of each task are, failed runs, times, and who wrote a file.

Each file of the log has an index of its own: a cache that may be deleted, be damaged or be old at any time, and is made
again from that file. It has two lines, as a journal: the first shows whether the file is needed at all, the second has
positions in it. Where there is a key, it is believed only if it was written with that: what it leaves out is not looked
for.
"""

from __future__ import annotations

import bisect
import contextlib
import hashlib
import os
from itertools import chain
from typing import IO, TYPE_CHECKING, Any

import attrs

from pamola_tasks.errors import PamolaTaskError
from pamola_tasks.storage import journal
from pamola_tasks.storage.journal import Damage
from pamola_tasks_history import events
from pamola_tasks_history.segments import index_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from datetime import datetime
    from pathlib import Path

    from pamola_tasks.protocols import Files
    from pamola_tasks_history.segments import Segments

SCHEMA = 2
LONG = 1 << 20  # a log, or what was appended since, of fewer bytes is read as fast as an index
_TAIL = 4096
_BLOCK = 1 << 18  # bytes, of which the latest time is known
_DECIDES = {"success", "status", "timestamp"}


@attrs.define
class _Places:
    """Offsets of lines, in the order written."""

    size: int = 0
    tasks: dict[str, list[int]] = attrs.Factory(dict)  # the lines about a task's runs, but for their steps
    told: list[int] = attrs.Factory(list)  # lines about runs that did not succeed, or that say more of a run
    open: dict[str, int] = attrs.Factory(dict)  # for each run that began and did not end in this file, its first line
    over: list[str] = attrs.Factory(list)  # runs that succeeded and did not begin in it
    blocks: list[tuple[int, float]] = attrs.Factory(list)  # ends of blocks, and the latest time until there


@attrs.define
class _Known:
    """What is known of the first `size` bytes of a file."""

    size: int = 0
    tail: str = ""  # hash of the last of these bytes, to see that it is the same file
    latest: float = 0.0  # the latest time in it, in seconds since 1970
    tasks: list[str] = attrs.Factory(list)
    outputs: dict[str, list[str]] = attrs.Factory(dict)  # for each file, the task and the run that left it last
    damaged: bool = False  # whether a line could not be read
    altered: bool = False  # whether an update says how a run ended, or when
    places: _Places | None = None  # read when needed
    saved: int = 0  # the size at which it was written down


# By project, file and key: one process may ask about every task.
_in_process: dict[tuple[Path, str, bytes | None], _Known] = {}


class Index:
    """The indexes of one log; `key` gives what authenticates them."""

    def __init__(self, files: Files, segments: Segments, key: Callable[[], bytes | None] = lambda: None) -> None:
        self._files = files
        self._segments = segments
        self._key = key

    @property
    def loaded(self) -> bool:
        """Whether it is in memory, so that asking it is faster than reading even a part of the log."""
        return any(self._is_of(*place) for place in _in_process)

    def _is_of(self, root: Path, name: str, _key: bytes | None) -> bool:
        of_log = name == self._segments.log_path or name.startswith(f"{self._segments.folder}/")
        return root == self._files.root and of_log

    def worth_it(self) -> bool:
        """Whether the log is long enough."""
        return self._segments.size() > LONG

    def entries(
        self,
        key: bytes | None = None,
        *,
        task_id: str | None = None,
        since: datetime | None = None,
        failed: bool = False,
    ) -> Iterator[dict[str, Any] | Damage]:
        """The events of runs, newest first, without those of steps; a damage where the log has one.

        Args:
            key: As for `journal.decode`.
            task_id: Only those of this task.
            since: Those of all runs since then, and few of earlier ones.
            failed: Those of all runs that did not succeed, and few of others.
        """
        begin = 0.0 if since is None else since.timestamp()
        older: dict[str, float] = {}
        if since is not None or failed:
            heads = {name: self._head(name, log) for name, log in self._segments.newest_first()}
            if any(head.altered for head in heads.values()):
                begin, failed = 0.0, False
            older = {name: head.latest for name, head in heads.items()}
        over: set[str] = set()
        for name, log in self._segments.newest_first():
            known = self._head(name, log)
            if known.damaged:
                yield Damage(0, "a damaged line in the log")
            older.pop(name, None)
            earlier = max(older.values(), default=0.0)
            if task_id is None or task_id in known.tasks:
                places = self._placed(name, log, known)
                first = 0 if earlier >= begin else _beginning(places, begin)
                over.update(places.over if failed else ())
                for offset in _wanted(places, task_id, first, over if failed else None):
                    try:
                        entry = journal.decode(_line_at(log, offset), key)
                    except ValueError as problem:  # damaged since it was read
                        yield Damage(0, str(problem))
                        continue
                    if task_id is None or entry.get("task_id") == task_id:
                        yield entry
            if earlier < begin:
                return

    def writer_of(self, paths: set[str]) -> tuple[str, str] | None:
        """The task and the run that left a file last, or None."""
        for name, log in self._segments.newest_first():
            outputs = self._head(name, log).outputs
            if found := [outputs[path] for path in paths if path in outputs]:
                return found[0][0], found[0][1]
        return None

    # ------------------------------------------------------------ how it is done

    def _head(self, name: str, log: IO[bytes]) -> _Known:
        """What is known of a file, after what it has beyond that was read."""
        known = _in_process.get((self._files.root, name, self._key()))
        if known is None or not _fits(known, log):
            known = self._load(name)
            known = known if _fits(known, log) else _Known()
        if log.seek(0, os.SEEK_END) > known.size:
            known = self._complete(name, log, known)
        _in_process[self._files.root, name, self._key()] = known
        return known

    def _placed(self, name: str, log: IO[bytes], known: _Known) -> _Places:
        if known.places is None:
            known = _in_process[self._files.root, name, self._key()] = self._complete(name, log, known)
        assert known.places is not None
        return known.places

    def _complete(self, name: str, log: IO[bytes], known: _Known) -> _Known:
        """The same with the places, up to the end of the file; kept when there was much to read."""
        if known.places is None:
            known.places = self._load_places(name)
        if known.places is None or known.places.size != known.size:
            known = _Known(places=_Places())
        assert known.places is not None
        _read_on(log, known, known.places)
        if known.size - known.saved > (LONG if name == self._segments.log_path else 0):
            # Who may read the history but not write beside it has every answer too, only later.
            with contextlib.suppress(OSError, PamolaTaskError):
                head = {
                    "schema": SCHEMA,
                    **attrs.asdict(known, recurse=False, filter=attrs.filters.exclude("places", "saved")),
                }
                self._files.write(
                    index_of(name),
                    journal.encode(head, key=self._key())
                    + journal.encode(attrs.asdict(known.places, recurse=False), key=self._key()),
                    "log",
                )
            known.saved = known.size
        return known

    def _load(self, name: str) -> _Known:
        try:
            with self._files.open_raw(index_of(name)) as file:
                document = self._decoded(file.readline())
            if document.pop("schema") != SCHEMA:
                return _Known()
            return _Known(**document, saved=document["size"])
        except (OSError, ValueError, KeyError, TypeError):
            return _Known()

    def _load_places(self, name: str) -> _Places | None:
        try:
            with self._files.open_raw(index_of(name)) as file:
                file.readline()
                return _Places(**self._decoded(file.readline()))
        except (OSError, ValueError, TypeError):
            return None

    def _decoded(self, line: bytes) -> dict[str, Any]:
        key = self._key()
        document = journal.decode(line.rstrip(b"\n"), key)
        if key is not None and not document.pop("authentic"):
            raise ValueError(journal.UNPROVEN)
        return document


def _fits(known: _Known, log: IO[bytes]) -> bool:
    return log.seek(0, os.SEEK_END) >= known.size and known.tail == (_tail(log, known.size) if known.size else "")


def _tail(log: IO[bytes], size: int) -> str:
    start = max(0, size - _TAIL)
    log.seek(start)
    return hashlib.sha256(log.read(size - start)).hexdigest()


def _beginning(places: _Places, begin: float) -> int:
    """Where the first block ends before which all is earlier."""
    return next((end for end, latest in reversed(places.blocks) if latest < begin), 0)


def _wanted(places: _Places, task_id: str | None, first: int, but: set[str] | None) -> Iterator[int]:
    """Offsets from the last to `first`: of all lines, or those about runs that did not succeed, `but` these."""
    offsets: Iterable[int]
    if but is None:
        offsets = chain.from_iterable(places.tasks.values()) if task_id is None else places.tasks.get(task_id, [])
    else:
        told = {*places.told, *(offset for run_id, offset in places.open.items() if run_id not in but)}
        offsets = told if task_id is None else told.intersection(places.tasks.get(task_id, ()))
    ordered = sorted(offsets)
    return reversed(ordered[bisect.bisect_left(ordered, first) :])


def _read_on(log: IO[bytes], known: _Known, places: _Places) -> None:
    offset = known.size
    log.seek(offset)
    for line in log:
        if line.endswith(b"\n"):  # else it is being written
            _note(line[:-1], offset, known, places)
            offset += len(line)
            if offset // _BLOCK > (places.blocks[-1][0] // _BLOCK if places.blocks else 0):
                places.blocks.append((offset, known.latest))
    if offset > known.size:
        known.size = places.size = offset
        known.tail = _tail(log, offset)


def _note(line: bytes, offset: int, known: _Known, places: _Places) -> None:
    if events.STEP in line[:100]:
        return
    try:
        entry = journal.decode(line)
    except ValueError:
        known.damaged = True
        return
    kind, task_id, run_id = entry.get("event"), entry.get("task_id"), entry.get("run_id")
    if not isinstance(task_id, str) or not isinstance(run_id, str):
        return
    if task_id not in places.tasks:
        places.tasks[task_id] = []
        known.tasks.append(task_id)
    places.tasks[task_id].append(offset)
    known.latest = max(known.latest, *map(_seconds, (entry.get("time"), entry.get("started"), entry.get("finished"))))
    if kind == "run_started":
        places.open[run_id] = offset
    elif kind == "run_finished":
        if places.open.pop(run_id, None) is None:
            places.over.append(run_id)
    else:
        if kind == "run_failed":
            places.open.pop(run_id, None)
        places.told.append(offset)
    updates = entry.get("updates") or {}
    known.altered = known.altered or not _DECIDES.isdisjoint(updates)
    for output in (updates or entry).get("output_files") or ():
        if isinstance(output, dict) and isinstance(output.get("path"), str):
            known.outputs[output["path"]] = [task_id, run_id]


def _seconds(text: Any) -> float:
    found = events.moment(text) if isinstance(text, str) else None
    return found.timestamp() if found else 0.0


def _line_at(log: IO[bytes], offset: int) -> bytes:
    log.seek(offset)
    return log.readline().removesuffix(b"\n")
