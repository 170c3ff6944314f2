"""The execution history, compared with what this user noted of it outside the project."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pamola_tasks.errors import PamolaTaskError, UsageError
from pamola_tasks.storage.system import user_name
from pamola_tasks_history.anchor import Anchor
from pamola_tasks_history.log import ExecutionLog

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from pamola_tasks.protocols import Diagnosis, Files, KernelView, RunServices

ACCEPTED = "history_accepted"  # the key of the note that says why another state was accepted


class AnchoredLog(ExecutionLog):
    """An `ExecutionLog` whose newest record is noted outside the project, and looked for before the next run.

    Args:
        files: The project's files.
        path: As for `ExecutionLog`.
        project_id: The project's id.
        anchor: Whether records are noted.
        settings: As for `ExecutionLog`.
    """

    def __init__(
        self, files: Files, path: str = "", *, project_id: str = "", anchor: bool = True, **settings: Any
    ) -> None:
        super().__init__(files, path, **settings)
        self._anchor = Anchor(files, self._segments, self._key, project_id, writes=anchor)
        self._anew = False  # this is the first record, where another project was before

    def anchored(self) -> Diagnosis:
        """Whether it has the record that was noted last on this machine."""
        return self._anchor.judge()

    def begun(self) -> bool:
        """Whether there is a history, or something is noted of it."""
        return self._segments.exist() or bool(self.anchored().advice)

    def run_started(self, run: RunServices) -> None:
        if (found := self.anchored()).advice:
            run.warn(f"{found.finding}; {found.advice}")
            self._anew = found.level == "note"
        super().run_started(run)

    def run_finished(self, run: RunServices) -> None:
        super().run_finished(run)
        if problem := self._anchor.advance(always=self._anew):
            run.warn(problem)

    def note(self, run: RunServices, key: str, facts: Mapping[str, Any]) -> None:
        anew = (found := self.anchored()).level == "note" and bool(found.advice)
        super().note(run, key, facts)
        self._anchor.advance(always=anew)

    def rewrite(self, edited: Callable[[Iterable[bytes]], Iterable[bytes]]) -> None:
        sound = self._is_sound()
        super().rewrite(edited)
        if sound:
            self._anchor.advance(always=True)

    def prune(self, *, dry_run: bool = False, **chosen: Any) -> list[Mapping[str, Any]]:
        sound = self._is_sound()
        removed = super().prune(dry_run=dry_run, **chosen)
        if removed and sound and not dry_run:
            self._anchor.advance(always=True)
        return removed

    def _is_sound(self) -> bool:
        return self.anchored().level in ("ok", "note")

    def accept(self, run: RunServices, reason: str) -> Diagnosis:
        """Take the history as it is from now on; it records why, by whom, and what was found.

        Raises:
            UsageError: It has what was noted last, or the key is not available that authenticates it.
        """
        if self.lacks_key():
            raise UsageError(
                "the history is authenticated with the project's key, which is not available, and has to record why:"
                " give the key, as for a run"
            )
        found = self.anchored()
        if found.level == "ok":
            raise UsageError(f"there is nothing to accept: {found.finding}")
        super().note(run, ACCEPTED, {"reason": reason, "user": user_name(), "found": found.finding})
        self._anchor.forget()
        if problem := self._anchor.advance(always=True):
            raise UsageError(problem)
        return self.anchored()

    def diagnose(self) -> list[Diagnosis]:
        found = self.anchored()
        return [*super().diagnose(), *([found] if found.level in ("warning", "error") else [])]


def diagnoses(kernel: KernelView, *, data: bool) -> Iterator[Diagnosis]:
    """What `doctor` says of it without a key; where all `data` is examined, what is wrong is found there."""
    try:
        log = kernel.services(None, upto="history").history
    except PamolaTaskError:  # said elsewhere
        return
    if isinstance(log, AnchoredLog) and log.begun():
        found = log.anchored()
        if not data or found.level in ("ok", "note"):
            yield found
