"""The live file: what happens in the newest run of a task, a JSON line for each event, for who watches it."""

from __future__ import annotations

import contextlib
import json
from typing import IO, TYPE_CHECKING, Any

from pamola_tasks.errors import PamolaTaskError
from pamola_tasks.storage.appending import write

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pamola_tasks.protocols import RunServices


class LiveFile:
    """Made for each run, where `run.places` says. A run that cannot write it logs one warning, and continues."""

    def __init__(self, run: RunServices) -> None:
        self._run = run
        self._open = contextlib.ExitStack()
        self._file: IO[bytes] | None = None
        self._path = run.places.of(run.record.task_id).live
        try:
            run.files.unlink(self._path, missing_ok=True)
            self._file = self._open.enter_context(run.files.append(self._path))
        except (OSError, PamolaTaskError) as error:
            self._give_up(error)

    def add(self, event: Mapping[str, Any]) -> None:
        """Append an event."""
        if self._file is not None:
            try:
                write(self._file, json.dumps(event).encode() + b"\n")
            except OSError as error:
                self._give_up(error)

    def close(self) -> None:
        """Nothing follows."""
        self._file = None
        self._open.close()

    def _give_up(self, error: Exception) -> None:
        self.close()
        why = getattr(error, "strerror", None) or error
        said = "%s cannot be written (%s): `status --watch` shows no stages of this run"
        self._run.logger.warning(said, self._path, why)
