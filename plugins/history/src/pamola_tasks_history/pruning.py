"""Taking events out of a log: what is left proves itself as before, and says what was taken away."""

from __future__ import annotations

import os
from functools import cache
from typing import TYPE_CHECKING, Any

import attrs

from pamola_tasks.storage import journal
from pamola_tasks.storage.appending import cut_torn_tail, sync
from pamola_tasks_history import events
from pamola_tasks_history.segments import Reader, index_of

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
    from datetime import datetime

    from pamola_tasks.protocols import Files
    from pamola_tasks_history.segments import Segments

    Edit = Callable[[Iterable[bytes]], Iterable[bytes]]

SHOWN = ("task_id", "task_run_id", "timestamp", "started", "status", "execution_time")  # of runs taken away
CHANGED = "it was pruned by another process meanwhile: run the command again"


def rewrite(
    files: Files,
    segments: Segments,
    edit: Edit,
    key: bytes | None,
    *,
    says: Callable[[], Mapping[str, Any] | None] = lambda: None,
    upto: str = "",
) -> None:
    """Replace the lines of the log by what `edit` makes of them, in one step that a crash cannot halve.

    Other processes can append meanwhile where the log has closed segments: these are replaced by a single one.

    Args:
        files: The project's files.
        segments: The files of the log.
        edit: Gets lines without their line ends, and gives lines with them.
        key: Authenticates what was authenticated.
        says: Asked for the event that records it, when all lines are made.
        upto: The newest file with lines that change; all are edited unless given.
    """
    segments.close()
    with journal.locked(files, segments.log_path) as file:
        if not segments.closed():
            cut_torn_tail(file)
            files.unlink(index_of(segments.log_path), missing_ok=True)
            with files.open_raw(segments.log_path) as log:
                lines = _edited(_lines_of(log), edit, key, says)
                journal.replace(files, segments.log_path, lines)
            return
    if upto in ("", segments.log_path):
        segments.close(1)
    region = segments.closed()
    region = region[: region.index(upto) + 1] if upto in region else region
    before = [files.stat(name) for name in region]
    target = segments.range_of(region)
    with (
        journal.prepared(files, target, _edited(_lines_in(files, region), edit, key)) as new,
        journal.locked(files, segments.log_path) as file,
    ):
        if segments.closed()[: len(region)] != region or [files.stat(name) for name in region] != before:
            raise ValueError(CHANGED)
        cut_torn_tail(file)
        entry = says() or events.pruned(0, 0, "", "")
        if behind := _first_line_behind(files, segments, region):
            seam = [_last_link(files, new), journal.followed(behind)]
            journal.append_to(file, [{**entry, "seam": seam}], key=key, before=segments.last_closed_line)
            sync(file)
        else:
            with files.append(new) as copy:
                if not copy.seek(0, os.SEEK_END):  # it was removed, as the temporary file that it is, and made again
                    raise ValueError(CHANGED)
                journal.append_to(copy, [entry], key=key)
                sync(copy)
        files.unlink(index_of(target), missing_ok=True)
        files.replace(new, target)
        segments.remove_superseded()


def _lines_of(file: Iterable[bytes]) -> Iterator[bytes]:
    return (line.removesuffix(b"\n") for line in file)


def _lines_in(files: Files, names: list[str]) -> Iterator[bytes]:
    for name in names:
        with files.open_raw(name) as file:
            yield from _lines_of(file)


def _edited(
    lines: Iterable[bytes], edit: Edit, key: bytes | None, says: Callable[[], Mapping[str, Any] | None] = lambda: None
) -> Iterator[bytes]:
    def authenticated() -> Iterator[bytes]:
        for line in lines:
            if key is None and b',"mac":"' in line[-80:]:
                raise ValueError("its records are authenticated with the project's key, which is not available")
            yield line

    line = b""
    for line in journal.chained_again(edit(authenticated()), key):
        yield line
    if entry := says():
        yield from journal.chained([entry], line.removesuffix(b"\n"), key)


def _first_line_behind(files: Files, segments: Segments, region: list[str]) -> bytes:
    """The line that follows these segments; nothing where there is none."""
    for name in [*segments.closed()[len(region) :], segments.log_path]:
        with files.open_raw(name) as file:
            if line := file.readline():
                return line.removesuffix(b"\n")
    return b""


def _last_link(files: Files, name: str) -> str:
    with files.open_raw(name) as file:
        return journal.link(next(journal.lines_backwards(file), journal.START))


# ---------------------------------------------------------------- which runs


@attrs.frozen(kw_only=True)
class Choice:
    """Runs to be taken away, newest first, with what is shown of them; and the newest file with lines of them."""

    runs: list[Mapping[str, Any]]
    upto: str


def choose(
    files: Files,
    segments: Segments,
    *,
    tasks: Collection[str],
    keep: int | None,
    before: datetime | None,
    kept_runs: Callable[[str], Collection[str]] = lambda task_id: (),
) -> Choice:
    """The runs that nothing keeps: neither their number nor their age, nor that something rests on them.

    Always kept: a task's newest run and its newest success, runs that are under way, the run that left a file that is
    there last, and one of which an older table is kept.

    Args:
        files: The project's files.
        segments: The files of the log.
        tasks: Runs of these only; of all where there are none.
        keep: So many of each task's newest runs are kept.
        before: Those since then are kept.
        kept_runs: The runs of a task of which older tables are kept.
    """
    reader, kept = Reader(segments), cache(kept_runs)
    counted: dict[str, int] = {}
    succeeded: set[str] = set()
    written: set[str] = set()
    chosen: list[Mapping[str, Any]] = []
    upto = ""
    for record in events.records(journal.decoded(reader.backwards(), but=events.STEP), lambda damage: None):
        task_id, success = record["task_id"], record["success"]
        place = counted[task_id] = counted.get(task_id, 0) + 1
        paths = {str(item.get("path")) for item in record["output_files"]} - written
        written |= paths
        when = events.moment(record["timestamp"])
        rests = place == 1 or (success and task_id not in succeeded) or record["status"] == "running"
        rests = rests or record["task_run_id"] in kept(task_id)
        if success:
            succeeded.add(task_id)
        old = place > (keep or 1) and (before is None or (when is not None and when < before))
        if old and not rests and (not tasks or task_id in tasks) and not any(map(files.exists, paths)):
            chosen.append({key: record.get(key) for key in SHOWN})
            upto = upto or reader.name
    return Choice(runs=chosen, upto=upto)


@attrs.define
class Removal:
    """Takes the lines of some runs away, and records it; what was `pruned` before counts too."""

    runs: set[str]
    pruned: Mapping[str, Any]
    damaged: int = 0
    lines: int = 0
    times: list[str] = attrs.Factory(list)

    def __call__(self, lines: Iterable[bytes]) -> Iterator[bytes]:
        self.times = [str(self.pruned[key]) for key in ("oldest", "latest") if self.pruned.get(key)]
        for line in lines:
            try:
                entry = journal.decode(line)
            except ValueError:
                entry = {}
            if entry.get("run_id") in self.runs and entry.get("event") != events.NOTED:  # what others rest on
                self.lines += 1
                times = [*self.times, str(entry.get("time", ""))]
                self.times = [min(times), max(times)]
            elif entry.get("event") != events.PRUNED:  # this one counts those before
                yield line + b"\n"

    def event(self) -> dict[str, Any]:
        """The event that records it."""
        before, (oldest, latest) = self.pruned, self.times or ["", ""]
        runs, lines = len(self.runs) + before.get("runs", 0), self.lines + before.get("lines", 0)
        return events.pruned(runs, lines, oldest, latest, damaged=self.damaged + before.get("damaged", 0))
