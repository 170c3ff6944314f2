"""`TaskContextManager`: the checkpoints of one task, as a run and as a task's own code see them.

To the run it is a journal of finished steps (`load`, `verify`, `save`, `clear`). A task's own code sees the same store
as a state with named checkpoints, and can save named states of its own, which are JSON files.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import re
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pamola_tasks.errors import CheckpointError, PamolaTaskError, PathSecurityError, StateRestorationError
from pamola_tasks.nulls import NoProgress
from pamola_tasks.protocols import Diagnosis
from pamola_tasks.record import now, rfc3339
from pamola_tasks.storage.journal import key_of
from pamola_tasks_checkpoints.entries import REQUIRED, state_after
from pamola_tasks_checkpoints.run_checkpoints import RunCheckpoints
from pamola_tasks_checkpoints.steps import SCHEMA, FinishedSteps, live

if TYPE_CHECKING:
    from pamola_tasks.protocols import Files, Progress, RunServices
    from pamola_tasks.record import SavedStep

USUAL_STATE_SIZE = 10 * 1024 * 1024


class TaskContextManager(RunCheckpoints):
    """The checkpoints of one task.

    Args:
        state: The directory of what the task keeps for its next run.
        enabled: When not, nothing is read, written or deleted.
        progress_manager: Shown on while states are saved and restored.
        config_hash: Names the configuration that states belong to; called when needed.
        task_version: The version of the task that states belong to.
        owner_of: The task that a path belongs to, judged by the path.
        run: The run, in one.
    """

    def __init__(
        self,
        task_id: str,
        state: str | Path,
        *,
        files: Files,
        enabled: bool = True,
        logger: logging.Logger | None = None,
        progress_manager: Progress | None = None,
        config_hash: Callable[[], str] = lambda: "",
        task_version: str = "",
        owner_of: Callable[[str], str] = lambda path: "",
        run: RunServices | None = None,
    ) -> None:
        if run is not None:
            super().__init__(run)
        self.task_id = task_id
        self.enabled = enabled
        self.directory = files.root / state / "checkpoints"  # of named states
        self._files = files
        self._logger = logger or logging.getLogger("pamola_tasks.checkpoints")
        self._progress = progress_manager or NoProgress()
        self._config_hash = config_hash
        self._task_version = task_version
        self._steps = FinishedSteps(
            files,
            files.root / state,
            self._logger,
            lambda path: owner_of(path) in ("", task_id),
            lambda: key_of(run, f"checkpoints {task_id}"),
        )

    def _identity(self) -> dict[str, str]:
        return {"config_hash": self._config_hash(), "task_version": self._task_version}

    # ------------------------------------------------------------ finished steps

    def load(self) -> dict[str, SavedStep]:
        return self._steps.load() if self.enabled else {}

    def verify(self, saved: SavedStep) -> list[str]:
        return self._steps.verify(saved)

    def doubted(self) -> Mapping[str, str]:
        return self._steps.doubted

    def save(self, saved: SavedStep) -> None:
        if self.enabled:
            self._steps.save(saved)

    def clear(self) -> None:
        if self.enabled:
            self._steps.clear()
            with self._failing("deleted"):
                self._files.remove_tree(self.directory, missing_ok=True)

    def diagnose(self) -> list[Diagnosis]:
        """What is damaged, missing or swapped among the checkpoints, also where they are off."""
        found = self._steps.diagnose()
        for entry in live(self._steps.entries()):
            problem = self._problem_of(entry) if entry.get("event") == "state" else ""
            if problem:
                finding = f"the saved state {entry.get('name')!r} ({entry.get('path')}) {problem}"
                found.append(Diagnosis("error", "", finding))
        return found

    def _problem_of(self, entry: Mapping[str, Any]) -> str:
        try:
            changed = self._files.sha256(str(entry.get("path"))) != entry.get("sha256")
        except FileNotFoundError:
            return "is gone"
        except (OSError, PathSecurityError) as problem:
            return f"cannot be read: {problem}"
        return "was changed since it was saved" if changed else ""

    # ------------------------------------------------------------ named states

    def save_execution_state(self, state: Mapping[str, Any], checkpoint_name: str | None = None) -> Path:
        """Save a state under a name, or a fresh one; a state of the same name is replaced.

        Args:
            state: JSON values; what it does not say of `task_id`, `operation_index` and the like comes from the steps
                that are finished.

        Raises:
            CheckpointError: Checkpoints are off, the state has values that JSON does not have, or it cannot be written.
        """
        return self._save(state, checkpoint_name, "checkpoint")

    def create_automatic_checkpoint(self, operation_index: int, metrics: Mapping[str, Any] | None = None) -> str:
        """Save the state after an operation: which are completed, with metrics and artifacts. The file's path."""
        state = state_after(self.task_id, self._files, self.load().values())
        state["operation_index"] = operation_index
        state["metrics"].update(metrics or {})
        return str(self._save(state, None, "auto"))

    def _save(self, state: Mapping[str, Any], wanted: str | None, prefix: str) -> Path:
        if not self.enabled:
            raise CheckpointError(
                f"checkpoints of {self.task_id} are off (enable_checkpoints is false), so no state is saved"
            )
        moment = now()
        finished = state_after(self.task_id, self._files, self.load().values())
        known = {**self._identity(), **{key: finished[key] for key in REQUIRED}, **state}
        document = {"schema": SCHEMA, **known, "last_updated": rfc3339(moment)}
        try:
            data = json.dumps(document, ensure_ascii=False, allow_nan=False, indent=1).encode()
        except (TypeError, ValueError, RecursionError) as problem:
            raise CheckpointError(f"the state of {self.task_id} cannot be saved as JSON: {problem}") from problem
        if len(data) > USUAL_STATE_SIZE:
            said = "the state of %s has %d bytes, more than the %d that are usual: save data as datasets, not as state"
            self._logger.warning(said, self.task_id, len(data), USUAL_STATE_SIZE)
        fresh = f"{prefix}_{self.task_id[:40]}_{known['operation_index']}_{moment:%Y%m%d_%H%M%S_%f}"
        with self._shown("Saving the state"), self._failing("saved"):
            path, digest = self._write(wanted, fresh, data)
            entry = {"name": path.stem, "time": rfc3339(moment), "path": self._files.name(path), "sha256": digest}
            self._steps.append({"schema": SCHEMA, "event": "state", **entry})
        return path

    def _write(self, wanted: str | None, fresh: str, data: bytes) -> tuple[Path, str]:
        """Write a state's file: under the name that was asked for, or a fresh one that nobody has."""
        name, number = _sanitized(wanted or fresh), 1
        while True:
            path = self.directory / f"{name}.json"
            try:
                with self._files.create(path, "state", exclusive=wanted is None) as file:
                    file.write(data)
                return path, file.sha256
            except FileExistsError:
                number += 1
                name = _sanitized(f"{fresh}-{number}")

    def restore_execution_state(self, checkpoint_name: str | Path | None = None) -> dict[str, Any]:
        """The state saved under a name (or file), the state as it was after a step, or the newest of all.

        Raises:
            StateRestorationError: It is not there, damaged, of another task, or written by a newer release.
        """
        if not self.enabled:
            raise StateRestorationError(f"checkpoints of {self.task_id} are off (enable_checkpoints), so none is read")
        with self._shown("Restoring the state"):
            return self._read(checkpoint_name)

    def _read(self, wanted: str | Path | None) -> dict[str, Any]:
        entry = self._find(wanted)
        if entry is None:
            raise StateRestorationError(f"{self.task_id} has no checkpoint {wanted or 'to restore'}")
        name = _label(entry)
        if entry["event"] == "step":
            steps = list(self._steps.load().values())
            last = next(place for place, saved in enumerate(steps) if saved.step_id == name)
            return state_after(self.task_id, self._files, steps[: last + 1])
        try:
            if self._files.sha256(entry["path"]) != entry["sha256"]:
                raise StateRestorationError(f"checkpoint {name!r} ({entry['path']}) was changed since it was saved")
            state = json.loads(self._files.read(entry["path"], "state"))
        except FileNotFoundError:
            raise StateRestorationError(f"checkpoint {name!r} ({entry['path']}) is gone") from None
        except (OSError, ValueError) as problem:
            raise StateRestorationError(f"checkpoint {name!r} cannot be read: {problem}") from problem
        if not isinstance(state, dict) or state.pop("schema", None) != SCHEMA:
            raise StateRestorationError(f"checkpoint {name!r} was written by another release, which alone can read it")
        missing = [key for key in REQUIRED if key not in state]
        if missing:
            raise StateRestorationError(f"checkpoint {name!r} lacks {', '.join(missing)}")
        if state["task_id"] != self.task_id:
            raise StateRestorationError(f"checkpoint {name!r} is one of {state['task_id']!r}, not of {self.task_id!r}")
        return state

    # ------------------------------------------------------------ which checkpoints there are

    def get_checkpoints(self) -> list[tuple[str, datetime]]:
        """Names and times of what can be restored, newest first: named states, and steps under their ids."""
        return [(_label(entry), datetime.fromisoformat(entry["time"])) for entry in self._entries()]

    def can_resume_execution(self) -> tuple[bool, str | None]:
        """Whether there is a checkpoint that fits this task as it is now, and the newest such one.

        Of a step its outputs are verified; what it depends on is compared when the task runs.
        """
        steps = self.load()
        for entry in self._entries():
            name = _label(entry)
            if entry["event"] == "step":
                fits = name in steps and not self.verify(steps[name])
            else:
                try:
                    state = self._read(name)
                except PamolaTaskError:
                    continue
                fits = all(not value or state.get(key) == value for key, value in self._identity().items())
            if fits:
                return True, name
        return False, None

    def _find(self, wanted: str | Path | None) -> dict[str, Any] | None:
        """The entry of a checkpoint, given by its name or file; the newest one for None."""
        if wanted is None:
            return next(iter(self._entries()), None)
        text = str(wanted)
        names = (text, _sanitized(Path(text).stem if text.endswith(".json") else text))
        return next((entry for entry in self._entries() if _label(entry) in names), None)

    def _entries(self) -> list[dict[str, Any]]:
        """What can be restored, newest first; a state hides a step of the same name."""
        if not self.enabled:
            return []
        found: dict[str, dict[str, Any]] = {}
        for entry in reversed(live(self._steps.entries())):
            if entry.get("schema") != SCHEMA:
                continue
            is_state = entry["event"] == "state" and self._files.exists(entry["path"])
            if is_state or (entry["event"] == "step" and _label(entry) not in found):
                found[_label(entry)] = dict(entry)
        return list(found.values())

    @contextlib.contextmanager
    def _shown(self, name: str) -> Iterator[None]:
        self._progress.start_operation(name)
        done = False
        try:
            yield
            done = True
        finally:
            self._progress.complete_operation(name, success=done)

    @contextlib.contextmanager
    def _failing(self, done: str) -> Iterator[None]:
        try:
            yield
        except OSError as problem:
            raise CheckpointError(f"a state of {self.task_id} could not be {done}: {problem}") from problem


ContextManager = TaskContextManager


def for_run(run: RunServices) -> TaskContextManager:
    """The checkpoints of a run."""
    asked = run.options.enable_checkpoints
    config, task_id = run.config, run.record.task_id
    return TaskContextManager(
        task_id,
        run.directories.get_directory("state"),
        files=run.files,
        enabled=config.enable_checkpoints if asked is None else asked,
        logger=run.logger,
        config_hash=lambda: hashlib.sha256(
            json.dumps(config.to_dict(), sort_keys=True, default=str).encode()
        ).hexdigest(),
        task_version=config.version,
        owner_of=lambda path: run.places.owner_of(path),
        run=run,
    )


def _sanitized(name: str) -> str:
    """A name as a file's: without separators, blanks and control characters, of at most 100 characters."""
    return re.sub(r'[/\\:*?"<>|\s\x00-\x1f\x7f-\x9f]', "_", name)[:100] or "_"


def _label(entry: Mapping[str, Any]) -> str:
    return str(entry["step_id"] if entry["event"] == "step" else entry["name"])
