"""Whether a log is as it was written: looked at line by line, however long it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs

from pamola_tasks.storage import journal
from pamola_tasks_history import events
from pamola_tasks_history.segments import Reader

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pamola_tasks_history.segments import Segments

_TOLD = 1000  # problems that are listed; the others are counted


@attrs.define
class Examination:
    """What was found.

    `problems` are pairs of a file and words. `pruned` is the event that says what was taken away, where lines were.
    `missing` are those of the runs asked for that the log does not have.
    """

    problems: list[tuple[str, str]] = attrs.Factory(list)
    damaged: int = 0
    pruned: Mapping[str, Any] | None = None
    missing: set[str] = attrs.Factory(set)
    ended: bool = False  # whether a run has

    def add(self, name: str, text: str) -> None:
        """Note a problem of a file."""
        if len(self.problems) < _TOLD:
            self.problems.append((name, text))
        elif len(self.problems) == _TOLD:
            self.problems.append((name, "there is more; only the first problems are listed"))


def examine(segments: Segments, key: bytes | None, runs: set[str] | None = None) -> Examination:
    """Judge all lines: those that say how a run ended, or what was pruned, must be authenticated where there is a key.

    Args:
        segments: The files of the log.
        key: What authenticates them.
        runs: Ids of runs that the log should have.
    """
    found = Examination(missing=set(runs or ()))
    reader = Reader(segments)
    begun: set[int] = set()  # hashes of ids: a long history has many
    over: set[int] = set()
    old = 0
    entry: Mapping[str, Any] | None
    damages: list[tuple[tuple[str, str] | None, str, str]] = []
    pruned: list[Mapping[str, Any]] = []
    for judged, unproven in journal.judged(reader.forwards(), key=key, needs=_needs_proof):
        old += unproven
        if isinstance(judged, journal.Damage):
            damages.append((judged.seam, reader.name, f"line {reader.line} is damaged: {judged.reason}"))
            entry = judged.entry if judged.seam else None
        else:
            entry = judged
            if entry.get("event") == events.PRUNED:  # one that is itself out of place vouches for nothing
                pruned.append(entry)
        if entry is None or entry.get("event") == events.PRUNED:
            continue
        for problem in _problems_of(entry, begun, over):
            found.add(reader.name, problem)
        found.missing.discard(str(entry.get("run_id")))
        found.ended = found.ended or entry.get("event") in events.ENDED
    vouched = {tuple(entry["seam"]) for entry in pruned if entry.get("seam")}
    for seam, name, text in damages:
        if seam not in vouched:
            found.damaged += 1
            found.add(name, text)
    in_place = {None, *(seam for seam, _, _ in damages)}
    acting = (e for e in reversed(pruned) if (tuple(e["seam"]) if e.get("seam") else None) in in_place)
    found.pruned = next(acting, None)
    if old:
        text = f"{old} records are older than the project's key, or were not made by it: nothing proves them"
        found.add(segments.log_path, text)
    for name in segments.planted():
        found.add(name, "it is empty, as no closed file of the history is: it was not made by a run; remove it")
    for name in reader.torn:
        last = name == segments.log_path
        found.add(name, f"{journal.TORN}; the next run removes it" if last else "it was cut off within a line")
    return found


def _needs_proof(entry: Mapping[str, Any]) -> bool:
    return events.is_of_end(entry) or entry.get("event") == events.PRUNED


def _problems_of(entry: Mapping[str, Any], begun: set[int], over: set[int]) -> Iterator[str]:
    """What is wrong with an event; runs that have begun, and those that have ended, are remembered."""
    kind, run_id = entry.get("event"), entry.get("run_id")
    name = f"{kind or 'an event'} of run {run_id or 'without id'}"
    if entry.get("schema") != events.SCHEMA:
        yield f"{name} has the schema {entry.get('schema')!r}: written by another release"
    if kind not in events.EVENTS:
        yield f"{name} is an event of unknown kind"
    for key in ("run_id", "task_id", "time"):
        of_no_task = key == "task_id" and kind == events.NOTED  # by a command for the whole project
        if not (isinstance(entry.get(key), str) and (entry[key] or of_no_task)):
            yield f"{name}: {key!r} is missing or no text"
    if isinstance(entry.get("time"), str) and entry["time"] and events.moment(entry["time"]) is None:
        yield f"{name}: its time is none"
    if isinstance(run_id, str) and kind in ("run_started", *events.ENDED):
        seen, run = begun if kind == "run_started" else over, hash(run_id)
        if run in seen:
            yield f"{name} is there twice"
        seen.add(run)
