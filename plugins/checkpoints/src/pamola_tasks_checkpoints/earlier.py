"""Tables that newer ones replace: kept, at most so many, apart from what may be released."""

from __future__ import annotations

import contextlib
import posixpath
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from pamola_tasks.protocols import RunServices, StagedStep
    from pamola_tasks.record import DatasetRecord, SavedStep


class EarlierTables:
    """The older tables of a run's task.

    They are renamed, so that a file stays as it is: its permissions, its encryption, its hash. A table that no run
    left, or that was edited since, is not kept.

    Args:
        run: The run.
        most: So many older ones of each table are kept.
    """

    def __init__(self, run: RunServices, most: int) -> None:
        self._run = run
        self._most = most

    @contextlib.contextmanager
    def kept(self, staged: StagedStep | None, known: Mapping[str, SavedStep]) -> Iterator[Callable[[], None]]:
        """Keep what the tables of a step replace while the block publishes these; put it back where that fails.

        Killed at any moment, each older table is in its place or kept, and the step runs again. The block gets what to
        call when the new tables are in place: it deletes what is beyond the number.

        Args:
            staged: What is to be published.
            known: The finished steps that checkpoints remember.
        """
        written = [file.record for file in staged.files if file.record is not None] if staged and self._most else []
        tables = [table for table in written if table.path and table.kind == "output" and not table.internal]
        moved: dict[str, str] = {}
        try:
            for table in tables:
                if self._run.files.exists(table.path) and (run_id := self._left_by(table, known)):
                    moved[table.path] = self._run.places.kept_as(table.path, run_id)  # type: ignore[attr-defined]
                    self._run.files.replace(table.path, moved[table.path])
            yield lambda: self._forget(tables)
        except BaseException:
            for path, kept in moved.items():
                if self._run.files.exists(kept) and not self._run.files.exists(path):
                    self._run.files.replace(kept, path)
            raise

    def _left_by(self, table: DatasetRecord, known: Mapping[str, SavedStep]) -> str:
        """The run that left the table that is there now; nothing where no run did, or it is the same as the new one."""
        run, path = self._run, table.path
        sha256 = run.files.sha256(path)
        if sha256 == table.sha256:
            return ""
        for saved in known.values():
            if any(output.path == path and output.sha256 == sha256 for output in saved.outputs):
                return saved.run_id
        ask: Any = getattr(run.history, "origin_of", lambda path, task_id: ("foreign", ""))
        origin, run_id = ask(path, run.record.task_id)
        return str(run_id) if origin == "left" else ""

    def _forget(self, tables: Iterable[DatasetRecord]) -> None:
        """Delete what is beyond the number, and copies of a table that is published again."""
        files, places = self._run.files, self._run.places
        for table in tables:
            kept: list[str] = places.kept(table.path)  # type: ignore[attr-defined]
            again = [
                name for name in kept if files.stat(name).size == table.bytes and files.sha256(name) == table.sha256
            ]
            older = [name for name in kept if name not in again]
            for name in [*again, *older[self._most :]]:
                folder = posixpath.dirname(name)
                alone = len(list(files.iter(folder))) == 1
                (files.remove_tree if alone else files.unlink)(folder if alone else name)


def problems(run: RunServices, most: int) -> Iterable[str]:
    """Why older tables cannot be kept."""
    if most and not hasattr(run.places, "kept_as"):
        yield f"checkpoints.keep_releases: {run.kernel.plugins.provider('places').label} has no place for older tables"
