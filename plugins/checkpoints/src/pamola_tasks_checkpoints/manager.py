"""`TaskContextManager`: the checkpoints of one task, as a run and as a task's own code see them.

To the run it is a journal of finished steps (`load`, `verify`, `save`, `clear`). A task's own code sees the same store
as a state with named checkpoints, and can save named states of its own, which are JSON files.
"""

from __future__ import annotations

import contextlib
import copy
import hashlib
import json
import logging
import re
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from pamola_tasks.errors import CheckpointError, PamolaTaskError, PathSecurityError, StateRestorationError
from pamola_tasks.protocols import Diagnosis
from pamola_tasks.protocols.observability import shown
from pamola_tasks.record import now, rfc3339
from pamola_tasks_checkpoints import present_state
from pamola_tasks_checkpoints.run_checkpoints import RunCheckpoints
from pamola_tasks_checkpoints.steps import SCHEMA, FinishedSteps, live

if TYPE_CHECKING:
    from types import TracebackType

    from pamola_tasks.protocols import Progress, RunServices
    from pamola_tasks.record import SavedStep
    from pamola_tasks.storage.files import Files

MAX_CHECKPOINTS = 10
MAX_STATE_SIZE = 10 * 1024 * 1024
_REQUIRED = ("task_id", "operation_index", "operations_completed")


class TaskContextManager(RunCheckpoints):
    """The checkpoints of one task.

    Args:
        task_id: The task.
        task_dir: Its directory; the store is `.state` in it.
        log_directory: Named states lie in `checkpoints/<task_id>` of this directory, when given.
        max_state_size: A state of more bytes is saved with a warning.
        progress_manager: Shown on while states are saved and restored.
        files: What opens everything.
        enabled: When not, nothing is read, written or deleted.
        logger: Told of what is damaged or too large.
        config_hash: Names the configuration that states belong to; called when first needed.
        task_version: The version of the task that states belong to.
        redact: Makes messages of errors safe to write.
        run: The run, in one.
    """

    def __init__(
        self,
        task_id: str,
        task_dir: str | Path,
        log_directory: str | Path | None = None,
        max_state_size: int = MAX_STATE_SIZE,
        progress_manager: Progress | None = None,
        *,
        files: Files,
        enabled: bool = True,
        logger: logging.Logger | None = None,
        config_hash: Callable[[], str] = lambda: "",
        task_version: str = "",
        redact: Callable[[str], str] = str,
        run: RunServices | None = None,
    ) -> None:
        if run is not None:
            super().__init__(run)
        self.task_id = task_id
        self.enabled = enabled
        self.max_state_size = max_state_size
        self._files = files
        self._logger = logger or logging.getLogger("pamola_tasks.checkpoints")
        self._progress = progress_manager
        self._config_hash = config_hash
        self._task_version = task_version
        self._redact = redact
        state = files.root / task_dir / ".state"
        self._directory = (
            files.root / log_directory / "checkpoints" / task_id if log_directory else state / "checkpoints"
        )
        self._steps = FinishedSteps(files, state, self._logger)
        self._noted = present_state.empty(self.task_id)
        self._unnoted: list[SavedStep] = []

    # ------------------------------------------------------------ finished steps

    def load(self) -> dict[str, SavedStep]:
        """The newest record of every finished step, by step id; damaged lines are skipped and logged."""
        if not self.enabled:
            return {}
        steps = self._steps.load()
        self._unnoted.extend(steps.values())
        return steps

    def verify(self, saved: SavedStep) -> list[str]:
        """Why the outputs of a saved step cannot be used, in words; empty when all are there, unchanged."""
        return self._steps.verify(saved)

    def save(self, saved: SavedStep) -> None:
        """Record a step as finished. Its outputs are in their places already.

        Raises:
            CheckpointError: The step failed, or the record cannot be written.
        """
        if self.enabled:
            self._steps.save(saved)
            self._unnoted.append(saved)

    def clear(self) -> None:
        """Forget all steps and states of this task, with the intermediate datasets they left."""
        if self.enabled:
            self._steps.clear()
            with self._failing("deleted"):
                self._files.remove_tree(self._directory, missing_ok=True)
            self._noted = present_state.empty(self.task_id)
            self._unnoted.clear()

    def diagnose(self) -> list[Diagnosis]:
        """What is damaged, missing or swapped among the checkpoints, also where they are off."""
        found = self._steps.diagnose()
        for entry in live(self._steps.entries()):
            if entry.get("event") == "state":
                problem = self._problem_of(entry)
                if problem:
                    finding = f"the saved state {entry.get('name')!r} ({entry.get('path')}) {problem}"
                    found.append(Diagnosis(level="error", subject="", finding=finding))
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
        """Save a state under a name, or a fresh one.

        Args:
            state: JSON values; what it does not say of `task_id`, `operation_index` and the like comes from the
                present state.
            checkpoint_name: A state of the same name is replaced.

        Returns:
            The file.

        Raises:
            CheckpointError: Checkpoints are off, the state has values that JSON does not have, or it cannot be written.
        """
        return self._save(state, checkpoint_name, "checkpoint")

    def _save(self, state: Mapping[str, Any], wanted: str | None, prefix: str) -> Path:
        if not self.enabled:
            raise CheckpointError(
                f"checkpoints of {self.task_id} are off (enable_checkpoints is false), so no state is saved"
            )
        moment = now()
        known = {**self._identity(), **{key: self._state[key] for key in _REQUIRED}, **state}
        document = {"schema": SCHEMA, **known, "last_updated": rfc3339(moment)}
        try:
            data = json.dumps(document, ensure_ascii=False, allow_nan=False, indent=1).encode()
        except (TypeError, ValueError, RecursionError) as problem:
            raise CheckpointError(f"the state of {self.task_id} cannot be saved as JSON: {problem}") from problem
        if len(data) > self.max_state_size:
            self._logger.warning(
                "the state of %s has %d bytes, more than the %d that are usual: save data as datasets, not as state",
                self.task_id,
                len(data),
                self.max_state_size,
            )
        fresh = f"{prefix}_{self.task_id[:40]}_{known['operation_index']}_{moment:%Y%m%d_%H%M%S_%f}"
        with shown(self._progress, "Saving the state"), self._failing("saved"):
            name, path, digest = self._write(wanted, fresh, data)
            self._steps.append(
                {
                    "schema": SCHEMA,
                    "event": "state",
                    "name": name,
                    "time": rfc3339(moment),
                    "path": self._files.name(path),
                    "sha256": digest,
                }
            )
        return path

    def _write(self, wanted: str | None, fresh: str, data: bytes) -> tuple[str, Path, str]:
        """Write a state's file: under the name that was asked for, or a fresh one that nobody has."""
        name, number = _sanitized(wanted or fresh), 1
        while True:
            path = self._directory / f"{name}.json"
            try:
                with self._files.create(path, "state", exclusive=wanted is None) as file:
                    file.write(data)
                return name, path, file.sha256
            except FileExistsError:
                number += 1
                name = _sanitized(f"{fresh}-{number}")

    def restore_execution_state(self, checkpoint_name: str | Path | None = None) -> dict[str, Any]:
        """The state saved under a name (or file), the state as it was after a step, or the newest of all.

        The present state becomes this one.

        Raises:
            StateRestorationError: It is not there, damaged, of another task, or written by a newer release.
        """
        if not self.enabled:
            raise StateRestorationError(f"checkpoints of {self.task_id} are off (enable_checkpoints), so none is read")
        with shown(self._progress, "Restoring the state"):
            state = self._read(checkpoint_name)
        self._noted = {**present_state.empty(self.task_id), **copy.deepcopy(state)}
        self._unnoted.clear()
        return state

    def _read(self, wanted: str | Path | None) -> dict[str, Any]:
        entry = self._find(wanted)
        if entry is None:
            raise StateRestorationError(f"{self.task_id} has no checkpoint {wanted or 'to restore'}")
        name = _label(entry)
        if entry["event"] == "step":
            return self._state_after(name)
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
        missing = [key for key in _REQUIRED if key not in state]
        if missing:
            raise StateRestorationError(f"checkpoint {name!r} lacks {', '.join(missing)}")
        if state["task_id"] != self.task_id:
            raise StateRestorationError(f"checkpoint {name!r} is one of {state['task_id']!r}, not of {self.task_id!r}")
        return state

    def _state_after(self, step_id: str) -> dict[str, Any]:
        """The state as it was when a step had been finished, from the journal."""
        steps = list(self._steps.load().values())
        last = next(place for place, saved in enumerate(steps) if saved.step_id == step_id)
        state = present_state.empty(self.task_id)
        present_state.note(self._files, steps[: last + 1], state)
        return state

    def create_automatic_checkpoint(self, operation_index: int, metrics: Mapping[str, Any] | None = None) -> str:
        """Save the present state after an operation.

        Returns:
            The file's path, as text.
        """
        self._state["operation_index"] = operation_index
        self._state["metrics"].update(metrics or {})
        return str(self._save(self._state, None, "auto"))

    # ------------------------------------------------------------ which checkpoints there are

    def get_checkpoints(self) -> list[tuple[str, datetime]]:
        """Names and times of what can be restored, newest first: named states, and steps under their ids."""
        return [(_label(entry), datetime.fromisoformat(entry["time"])) for entry in self._entries()]

    def get_latest_checkpoint(self) -> str | None:
        """The name of the newest one, in the order in which they were made, or None."""
        found = self._entries()
        return _label(found[0]) if found else None

    def can_resume_execution(self) -> tuple[bool, str | None]:
        """Whether there is a checkpoint that fits this task as it is now, and the newest such one."""
        for name, _ in self.get_checkpoints():
            if self.is_checkpoint_valid(name, self._config_hash() or None, self._task_version or None):
                return True, name
        return False, None

    def is_checkpoint_valid(
        self, checkpoint_name: str, config_hash: str | None = None, task_version: str | None = None
    ) -> bool:
        """Whether a checkpoint can be restored, and belongs to this configuration and version where these are given.

        Of a step its outputs are verified; what it depends on is compared when the task runs.
        """
        if not self.enabled:
            return False
        entry = self._find(checkpoint_name)
        if entry is not None and entry["event"] == "step":
            saved = self._steps.load().get(_label(entry))
            return saved is not None and not self.verify(saved)
        try:
            state = self._read(checkpoint_name)
        except PamolaTaskError:
            return False
        return config_hash in (None, state.get("config_hash")) and task_version in (None, state.get("task_version"))

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

    def clear_checkpoints(self) -> bool:
        """Forget everything; False where checkpoints are off."""
        self.clear()
        return self.enabled

    def cleanup_old_checkpoints(self, max_checkpoints: int = MAX_CHECKPOINTS) -> int:
        """Delete all named states but the newest; how many were deleted. Finished steps stay: work hangs on them."""
        states = [entry for entry in self._entries() if entry["event"] == "state"][max(max_checkpoints, 0) :]
        for entry in states:
            with self._failing("deleted"):
                self._steps.append({"schema": SCHEMA, "event": "state_removed", "name": entry["name"]})
                self._files.unlink(entry["path"], missing_ok=True)
        return len(states)

    def get_checkpoint_dir(self) -> Path:
        """Where named states lie."""
        return self._directory

    # ------------------------------------------------------------ the present state

    def get_current_state(self) -> dict[str, Any]:
        """A shallow copy of the present state."""
        return dict(self._state)

    def update_state(self, updates: Mapping[str, Any]) -> None:
        """Change keys of the present state; a mapping is merged into the mapping that is there."""
        present_state.update(self._state, updates)

    def record_operation_completion(
        self, operation_index: int, operation_name: str, result_metrics: Mapping[str, Any] | None = None
    ) -> None:
        """Note that an operation ended well."""
        present_state.complete(self._state, operation_index, operation_name, result_metrics)

    def record_operation_failure(
        self, operation_index: int, operation_name: str, error_info: Mapping[str, Any] | str
    ) -> None:
        """Note that an operation failed: it does not count as done, whatever comes after it."""
        present_state.fail(self._state, operation_index, operation_name, error_info)

    def record_artifact(self, artifact_path: str | Path, artifact_type: str, description: str | None = None) -> None:
        """Note a file that was made, once."""
        present_state.add_artifact(self._state, self._files.name(artifact_path), artifact_type, description or "")

    @property
    def _state(self) -> dict[str, Any]:
        """The present state. What the kernel saved is put into it when somebody asks, which most tasks never do."""
        if self._unnoted:
            present_state.note(self._files, self._unnoted, self._noted)
            self._unnoted.clear()
        return self._noted

    def _identity(self) -> dict[str, Any]:
        return {"task_id": self.task_id, "config_hash": self._config_hash(), "task_version": self._task_version}

    # ------------------------------------------------------------ as a context

    def cleanup(self) -> None:
        """Delete old named states."""
        self.cleanup_old_checkpoints()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Save what was reached when the body raised; delete old states when it did not."""
        if error is None:
            self.cleanup()
        elif self.enabled:
            message = self._redact(str(error))
            info = {"type": type(error).__name__, "message": message, "timestamp": rfc3339(now())}
            try:
                self._save({**self._state, "error_info": info}, None, "error")
            except CheckpointError as problem:  # must not hide the error that is under way
                self._logger.warning("%s", problem)

    # ------------------------------------------------------------ how it is done

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
    return TaskContextManager(
        run.record.task_id,
        run.directories.get_directory("task"),
        files=run.files,
        enabled=run.config.enable_checkpoints if asked is None else asked,
        logger=run.logger,
        config_hash=lambda: hashlib.sha256(
            json.dumps(run.config.to_dict(), sort_keys=True, default=str).encode()
        ).hexdigest(),
        task_version=run.config.version,
        redact=run.redact,
        run=run,
    )


def create_task_context_manager(
    task_id: str,
    task_dir: str | Path,
    log_directory: str | Path | None = None,
    max_state_size: int = MAX_STATE_SIZE,
    progress_manager: Progress | None = None,
) -> TaskContextManager:
    """The checkpoints of a task whose directory is known, outside of a run."""
    from pamola_tasks.kernel import Kernel

    directory = Path(task_dir).absolute()
    folder = next(folder for folder in (directory, *directory.parents) if folder.is_dir())
    plugins = Kernel.discover(folder).plugins
    found = plugins.provide("project", start=folder)
    kernel = Kernel(found.root if found is not None else folder, loaded=plugins)
    return TaskContextManager(
        task_id,
        directory,
        log_directory if log_directory is None else Path(log_directory).absolute(),
        max_state_size,
        progress_manager,
        files=kernel.project.files,
    )


def _sanitized(name: str) -> str:
    """A name as a file's: without separators, blanks and control characters, of at most 100 characters."""
    return re.sub(r'[/\\:*?"<>|\s\x00-\x1f\x7f-\x9f]', "_", name)[:100] or "_"


def _label(entry: Mapping[str, Any]) -> str:
    return str(entry["step_id"] if entry["event"] == "step" else entry["name"])
