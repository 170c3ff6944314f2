"""The newest record of a history, noted outside the project.

After a whole project was put back to an earlier state, or its newest runs were cut off, the records that are left prove
each other: only what is kept elsewhere shows that some are missing. One small file for each history is in the user's
state folder, where no project writes. Another user, another machine and a copy in another folder have none, and compare
nothing.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from pamola_tasks.protocols import Diagnosis
from pamola_tasks.storage import journal
from pamola_tasks.storage.trust import doubt_about
from pamola_tasks.storage.user_state import keep, user_state
from pamola_tasks_history import events
from pamola_tasks_history.segments import Reader

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pamola_tasks.protocols import Files
    from pamola_tasks_history.segments import Segments

SCHEMA = 1
_LIMIT = 64 * 1024
_TYPES = {"runs": int, "pruned": int}
_KEPT = tuple(f'"event":"{kind}"'.encode() for kind in (*events.ENDED, events.NOTED))
_PRUNED = f'"event":"{events.PRUNED}"'.encode()
_REMOVE = "remove that file: the next run makes another"
_ADVICE = "if you put it back yourself: `pamola-task history accept --reason WHY`"
_ADVICE_ID = "if you made a new project here yourself: `pamola-task history accept --reason WHY`"
_ANEW = "nothing is to be done if you removed that project; else put it back"


@attrs.frozen(kw_only=True)
class Noted:
    """What is noted of a history.

    `link` is the hash by which the next line names the record, and so covers all lines until there. `content` is
    one of what the record says, which stays the same where pruning chains it again. `runs` had ended until then, and
    `pruned` were taken away.
    """

    project: str
    log: str
    run_id: str
    task_id: str
    time: str
    link: str
    content: str
    runs: int
    pruned: int

    def __str__(self) -> str:
        when = f"{self.time[:10]} {self.time[11:16]} UTC"
        return f"run {self.run_id} of {self.task_id} of {when}" if self.task_id else f"a record of {when}"


@attrs.define
class _Found:
    """What a history has of it: its newest record, and how it has what was noted (`exact`, `again`, or not at all)."""

    newest: bytes = b""
    how: str = ""
    authentic: bool = False  # the record, where it was chained again
    runs: int = 0
    pruned: Mapping[str, Any] = attrs.Factory(dict)


class Anchor:
    """What this user has noted of one history.

    Args:
        files: The project's files.
        segments: The files of the history.
        key: Gives what authenticates records; None where there is no key.
        project_id: The project's id. One without an id may be another one tomorrow in the same folder: nothing is noted
            of it.
        writes: Whether records are noted; what was noted before is compared in any case.
    """

    def __init__(
        self,
        files: Files,
        segments: Segments,
        key: Callable[[], bytes | None],
        project_id: str = "",
        *,
        writes: bool = True,
    ) -> None:
        self._files, self._segments, self._key = files, segments, key
        self._project, self._writes = project_id, writes
        self._log = os.path.realpath(os.path.join(files.root, segments.log_path))

    @property
    def path(self) -> Path:
        """The file: named by where the history is. Relative where the user has no home."""
        return user_state("history", self._log)

    def noted(self) -> Noted | None:
        """What is noted of this history, or of another one at its place.

        Raises:
            OSError, ValueError: It cannot be read; with the file and the reason.
        """
        if not self.path.is_absolute():
            return None
        try:
            with self.path.open("rb") as file:
                doubt = doubt_about(self.path, found=os.fstat(file.fileno()))
                text = file.read(_LIMIT)
        except (FileNotFoundError, NotADirectoryError):
            return None
        if doubt:
            raise ValueError(f"{doubt}: what it says counts for nothing")
        try:
            facts = json.loads(text)
            noted = Noted(**{field.name: facts[field.name] for field in attrs.fields(Noted)})
            if not all(isinstance(value, _TYPES.get(name, str)) for name, value in attrs.asdict(noted).items()):
                raise ValueError
            return noted
        except (ValueError, KeyError, TypeError):
            raise ValueError(f"{self.path} is damaged") from None

    # ------------------------------------------------------------ comparing

    def judge(self) -> Diagnosis:
        """Whether the history has what was noted, in words."""
        name = self._segments.log_path
        try:
            if (noted := self.noted()) is None or noted.project != self._project:
                return self._without(noted)
            found = self._look(noted)
        except (OSError, ValueError) as problem:
            return Diagnosis("warning", "", f"{name} is compared with no anchor: {problem}", _REMOVE)
        if found.how == "exact":
            return Diagnosis("ok", "", f"{name} has what was noted last on this machine: {noted}")
        if found.how and self._key() is None and _has_mac(found.newest):
            return Diagnosis("note", "", f"{name} was chained again since {noted}; without the key nothing proves why")
        pruned = found.pruned.get("runs", 0) - noted.pruned
        if found.runs < noted.runs - max(pruned, 0):
            missing = noted.runs - max(pruned, 0) - found.runs
            text = f"{name} lacks {missing} of {noted.runs} runs that had ended when this machine saw it last ({noted})"
            return Diagnosis("error", "", f"{text}: an older state was put back, or runs were removed", _ADVICE)
        of_pruned = str(found.pruned.get("oldest")) <= noted.time <= str(found.pruned.get("latest"))
        if found.how and (found.authentic or pruned > 0):
            return Diagnosis("ok", "", f"{name} has what was noted last on this machine, chained again since: {noted}")
        if not found.how and pruned > 0 and of_pruned:
            return Diagnosis("ok", "", f"{name} was pruned since it was noted last on this machine: {noted}")
        text = "was rewritten since" if found.how else "lacks, or has in other words,"
        return Diagnosis("error", "", f"{name} {text} what this machine noted last: {noted}", _ADVICE)

    def _without(self, noted: Noted | None) -> Diagnosis:
        name = self._segments.log_path
        if noted is not None and self._project and not self._look(None).newest:
            known = f"{noted.runs} run{'s' if noted.runs != 1 else ''} of another project had ended in this folder"
            return Diagnosis("note", "", f"{name} has no run yet; {known}, noted last: {noted}", _ANEW)
        if noted is not None:
            lost = f"the project that was here, whose id {noted.project} is gone from .pamola/id"
            return Diagnosis("error", "", f"{name} is not that of {lost}; noted last: {noted}", _ADVICE_ID)
        why = "the next run makes one"
        if not self._project:
            why = "the project has no id in .pamola/id"
        elif not self._writes:
            why = "history.anchor is false"
        return Diagnosis("note", "", f"{name} is compared with no anchor: there is none on this machine ({why})")

    def _look(self, noted: Noted | None) -> _Found:
        """Look through the history from its end, no further than to what was noted."""
        found, key = _Found(), self._key()
        for line in Reader(self._segments).backwards():
            head = line[:100]
            if _PRUNED in head and not found.pruned:
                with contextlib.suppress(ValueError):
                    entry = journal.decode(line, key)
                    found.pruned = entry if entry.get("authentic", True) else {}
            if not any(kind in head for kind in _KEPT):
                continue
            found.newest = found.newest or line
            if noted is not None and journal.link(line) == noted.link:
                found.how, found.runs = "exact", found.runs + noted.runs
                found.pruned = found.pruned or {"runs": noted.pruned}
                return found
            found.runs += _KEPT[-1] not in head
            if noted is not None and noted.run_id.encode() in line and _content(line) == noted.content:
                found.how = "again"
                with contextlib.suppress(ValueError):
                    found.authentic = key is not None and bool(journal.decode(line, key)["authentic"])
        return found

    # ------------------------------------------------------------ noting

    def forget(self) -> None:
        """Remove what is noted, where nothing else will be."""
        if self.path.is_absolute() and not (self._writes and self._project):
            with contextlib.suppress(OSError):  # it goes on being compared
                self.path.unlink()

    def advance(self, *, always: bool = False) -> str:
        """Note the newest record, unless the history lacks what was noted before.

        Args:
            always: Also where the history lacks it.

        Returns:
            Why it could not be noted, in words.
        """
        if not self._writes or not self._project:
            return ""
        try:
            if not self.path.is_absolute():
                raise OSError("the user has no home directory")
            if not always and self.judge().level in ("error", "warning"):
                return ""
            noted = None if always else self.noted()
            with journal.locked(self._files, self._segments.log_path):  # who ends later notes later
                found = self._look(noted if noted is not None and noted.project == self._project else None)
                if found.newest and (noted is None or journal.link(found.newest) != noted.link):
                    self._write(found)
        except (OSError, ValueError) as problem:
            why = getattr(problem, "strerror", None) or problem
            return (
                f"the newest run could not be noted in {self.path} ({why}), so that nothing outside the project shows"
                " whether it is taken away; `history.anchor: false` notes none"
            )
        return ""

    def _write(self, found: _Found) -> None:
        entry = journal.decode(found.newest)
        noted = Noted(
            project=self._project,
            log=self._log,
            run_id=str(entry.get("run_id") or ""),
            task_id=str(entry.get("task_id") or ""),
            time=str(entry["time"]),
            link=journal.link(found.newest),
            content=_content(found.newest),
            runs=found.runs,
            pruned=int(found.pruned.get("runs", 0)),
        )
        keep(self.path, json.dumps({"schema": SCHEMA, **attrs.asdict(noted)}, indent=1))


def _has_mac(line: bytes) -> bool:
    return b',"mac":"' in line[-80:]


def _content(line: bytes) -> str:
    """The hash of what a line says, wherever it stands; nothing of one that is damaged."""
    try:
        return hashlib.sha256(journal.encode(journal.decode(line))).hexdigest()
    except ValueError:
        return ""
