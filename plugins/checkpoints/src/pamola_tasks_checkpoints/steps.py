"""The journal of a task: which steps are finished, and whether what they left is still as they left it."""

from __future__ import annotations

import contextlib
import logging
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pamola_tasks.errors import CheckpointError, PathSecurityError
from pamola_tasks.protocols import Diagnosis
from pamola_tasks.storage import journal
from pamola_tasks_checkpoints.entries import DROPPED, from_entry, locked, to_entry

if TYPE_CHECKING:
    from pamola_tasks.protocols import Files
    from pamola_tasks.record import SavedOutput, SavedStep
    from pamola_tasks.storage.journal import Journal

SCHEMA = 1
_OLD = "%d lines are older than the project's key, or were not made by it: they are not believed"
_GROWN = 4  # the journal is compacted when it has this many times the lines that are live …
_SMALL = 200  # … and is not a small one


class FinishedSteps:
    """The steps that a task has finished, and the named states saved beside them, in `journal.jsonl`.

    Nothing is flushed to the disk: a line that a power failure takes away only means that a step runs again, and
    what a line says is verified when it is used. Only the process that holds the task's lock writes. `owns` says
    whether a path can be the task's. `key` gives what authenticates lines: where there is one, no other is believed.
    """

    def __init__(
        self,
        files: Files,
        directory: Path,
        logger: logging.Logger,
        owns: Callable[[str], bool] = lambda path: True,
        key: Callable[[], bytes | None] = lambda: None,
    ) -> None:
        self._owns = owns
        self._key = key
        self._files = files
        self._directory = directory
        self._logger = logger
        self.path = directory / "journal.jsonl"
        self._name = files.name(self.path)
        self._lines = 0
        self._spoiled = False  # whether there are such records
        self.doubted: dict[str, str] = {}  # steps with a record that is not believed, and why
        self._live: set[tuple[str, str]] = set()

    def entries(self) -> list[dict[str, Any]]:
        """All that the journal says and can be trusted, in the order written; damaged lines are logged."""
        read = self._read()
        self.doubted = {str(entry.get("step_id")): f"its record: {journal.UNPROVEN}" for entry in read.old}
        self.doubted |= {str(d.entry.get("step_id")): f"its record: {d.reason}" for d in read.damaged if d.entry}
        self._spoiled = bool(self.doubted)
        if read.damaged:
            lines = ", ".join(f"{damage.line} ({damage.reason})" for damage in read.damaged[:10])
            self._logger.warning("%s is damaged in line %s: the affected steps run again", self._name, lines)
        if read.old and not read.entries:
            self._logger.warning(f"%s: {_OLD}", self._name, len(read.old))
        return read.entries

    def _read(self) -> Journal:
        with self._failing("read"):
            return journal.read(self._files, self.path, key=self._key())

    def load(self) -> dict[str, SavedStep]:
        """The newest record of every finished step, by step id, in the order in which they were last finished."""
        entries = self.entries()
        steps: dict[str, SavedStep] = {}
        for entry in entries:
            if entry.get("event") == "step":
                try:
                    if entry.get("schema") != SCHEMA:
                        raise ValueError(f"a step was recorded by another release (schema {entry.get('schema')!r})")
                    saved = from_entry(entry)
                    steps.pop(saved.step_id, None)
                    steps[saved.step_id] = saved
                except ValueError as problem:
                    self._logger.warning("%s: %s; the step runs again", self._name, problem)
        self._lines, self._live = len(entries), {_key(entry) for entry in live(entries)}
        return steps

    def save(self, saved: SavedStep) -> None:
        """Record a step as finished; a CheckpointError where it failed, or the line cannot be written."""
        if saved.status in ("error", "pending"):
            raise CheckpointError(f"step {saved.step_id} ended with status {saved.status}: it is not finished")
        entry = to_entry(saved)
        try:
            journal.encode(entry)
        except ValueError:
            entry["metrics"] = _finite(entry["metrics"])
        self.append(entry)

    def append(self, entry: Mapping[str, Any]) -> None:
        """Append one entry; the journal is compacted first when it has grown many times beyond what is live, or has
        lines that are not believed."""
        with self._failing("written"):
            if self._spoiled or self._lines > max(_SMALL, _GROWN * len(self._live)):
                self._compact()
            journal.append(self._files, self.path, [entry], flush=False, key=self._key())
            self._lines += 1
            self._live.add(_key(entry))

    def _compact(self) -> None:
        """Replace the journal, in one step, by one that has only what is live."""
        kept = live(self._read().entries)
        with journal.locked(self._files, self.path):
            journal.replace(self._files, self.path, journal.chained(kept, key=self._key()))
        self._lines, self._live = len(kept), {_key(entry) for entry in kept}
        self._spoiled = False

    def verify(self, saved: SavedStep) -> list[str]:
        """Why the outputs of a saved step cannot be used, in words; empty when all are there, unchanged."""
        left = [output for output in saved.outputs if output.kind != DROPPED]
        return [reason for output in left if (reason := self._damage(output) or locked(self._files, output))]

    def _damage(self, output: SavedOutput) -> str:
        what = f"{output.kind} {output.name} ({output.path})"
        try:
            found = self._files.stat(output.path)
            if found.kind != "file":
                return f"{what} is no longer a file"
            if found.size != output.bytes:
                return f"{what} was changed: it has {found.size} bytes, not {output.bytes}"
            if self._files.sha256(output.path) != output.sha256:
                return f"{what} was changed: its content differs"
            if self._files.encrypts("state") and not self._files.encryption_of(output.path).encrypted:
                return f"{what} is not encrypted"
        except FileNotFoundError:
            return f"{what} is gone"
        except (OSError, PathSecurityError) as problem:
            return f"{what} cannot be read: {problem}"
        return ""

    def diagnose(self) -> list[Diagnosis]:
        """What is damaged, missing or swapped: lines, what finished steps left, folders that no line knows."""
        read = self._read()
        found = [
            _wrong(f"{self._name}, line {damage.line}: {damage.reason}", "its step runs again")
            for damage in read.damaged
        ]
        if read.old and not read.entries:
            found.append(_wrong(f"{self._name}: {_OLD % len(read.old)}", "run it again", "warning"))
        if read.torn:
            found.append(_wrong(f"{self._name}: {journal.TORN}", "the next run removes it", "warning"))
        steps: dict[str, SavedStep] = {}
        for entry in (entry for entry in live(read.entries) if entry.get("event") == "step"):
            try:
                saved = from_entry(entry)
                steps[saved.step_id] = saved
            except ValueError as problem:
                found.append(_wrong(f"{self._name}: {problem}", "its step runs again"))
        for saved in steps.values():
            foreign = [o.path for o in saved.outputs if not self._owns(o.path)]
            if foreign:
                left = f"step {saved.step_id} recorded {foreign[0]}"
                finding = f"{self._name}: {left}, which is not a file of this task: the journal belongs to another task"
                advice = "restore the right one, or delete it with `pamola-task checkpoints TASK --clear`"
                found.append(_wrong(finding, advice))
            found += [
                _wrong(f"step {saved.step_id}: {reason}", "the next run makes it again")
                for output in saved.outputs
                if output.kind != DROPPED and (reason := self._damage(output))  # what only lacks a key here is sound
            ]
        return found + self._strays(steps)

    def _strays(self, steps: Mapping[str, SavedStep]) -> list[Diagnosis]:
        folder = self._directory / "steps"
        if not self._files.exists(folder):
            return []
        found = []
        for name, stat in self._files.iter(folder):
            path = f"{self._files.name(folder)}/{name}"
            if stat.kind == "directory" and name.endswith(".new"):
                advice = "the next run removes it, and so does `pamola-task clean`"
                found.append(_wrong(f"{path} was never finished", advice, "warning"))
            elif name not in steps:
                finding = f"{path} belongs to no step that {self._name} knows: lines of it are missing"
                found.append(_wrong(finding, "run it again"))
        return found

    def clear(self) -> None:
        with self._failing("cleared"):
            self._files.unlink(self.path, missing_ok=True)
            self._files.remove_tree(self._directory / "steps", missing_ok=True)
        self._lines = 0
        self._live.clear()

    @contextlib.contextmanager
    def _failing(self, done: str) -> Iterator[None]:
        try:
            yield
        except (OSError, ValueError, TypeError) as problem:
            message = f"the checkpoints in {self._name} could not be {done}: {problem}"
            raise CheckpointError(message, path=self._name) from problem


def _wrong(finding: str, advice: str, level: str = "error") -> Diagnosis:
    return Diagnosis(level, "", finding, advice)


def live(entries: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The entries that later ones do not replace or take back, in the order written."""
    kept: dict[tuple[str, str], Mapping[str, Any]] = {}
    for entry in entries:
        kind, name = _key(entry)
        kept.pop(("state", name) if kind == "state_removed" else (kind, name), None)
        if kind != "state_removed":
            kept[kind, name] = entry
    return list(kept.values())


def _key(entry: Mapping[str, Any]) -> tuple[str, str]:
    return str(entry.get("event")), str(entry.get("step_id") or entry.get("name"))


def _finite(value: Any) -> Any:
    """The same with None for numbers that JSON does not have (NaN, infinities)."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(item) for item in value]
    return value
