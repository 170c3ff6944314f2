"""`TaskProgressManager` as the forerunner had it: it counts, measures, logs and reports; bars are the plugin's."""

from __future__ import annotations

import contextlib
import logging
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from types import TracebackType
from typing import Any, Protocol, Self

from pamola_tasks.protocols import Progress
from pamola_tasks_compat.memory import current_mb, peak_mb
from pamola_tasks_compat.owners import owned
from pamola_tasks_compat.trackers import NoOpProgressTracker


class TakesOperations(Protocol):
    """What the manager needs of a reporter."""

    def add_operation(self, name: str, status: str = "success", details: Mapping[str, Any] | None = None) -> None:
        """Record an operation."""
        ...


class TaskProgressManager:
    """Shows and counts the operations of a task. Safe to call from several threads.

    Log lines go through the logger only, which alone decides whether they reach the terminal: so none is shown twice.

    Args:
        task_id: The task, named before the topmost bar.
        task_type: Its type.
        logger: Where `log_message` writes.
        reporter: Receives completed operations; a run's own reporter knows its steps already and is not given here.
        total_operations: How many there will be.
        quiet: Draw nothing.
        redact: Applied to every text before it is drawn.
    """

    def __init__(
        self,
        task_id: str,
        task_type: str,
        logger: logging.Logger,
        reporter: TakesOperations | None = None,
        total_operations: int = 0,
        quiet: bool = False,
        *,
        redact: Callable[[str], str] = str,
    ) -> None:
        made = owned("progress", "pamola_tasks_progress.manager", "TaskProgressManager")
        self._bars: Any = made(task_id, total_operations, quiet, redact=redact)
        self.task_id = task_id
        self.task_type = task_type
        self.logger = logger
        self.reporter = reporter
        self.quiet = quiet
        self.total_operations = total_operations
        self.operations_completed = 0
        self.operations_failed = 0
        self._lock = threading.RLock()
        self._running: dict[str, NoOpProgressTracker] = {}
        self._ended: set[str] = set()
        self._started = time.perf_counter()
        self._peak = peak_mb()

    # ------------------------------------------------------------ operations

    def set_total_operations(self, total: int) -> None:
        """How many operations the task has."""
        with self._lock:
            self.total_operations = total
            self._bars.set_total_operations(total)

    def increment_total_operations(self, count: int = 1) -> None:
        """There are so many more operations than was thought."""
        with self._lock:
            self.set_total_operations(self.total_operations + count)

    def start_operation(
        self,
        name: str,
        total: float = 0,
        description: str | None = None,
        unit: str = "items",
        leave: bool = False,
    ) -> NoOpProgressTracker:
        """An operation begins.

        Args:
            name: What it is called in the other calls.
            total: How much there is to do in it; 0 if unknown.
            description: The text before its bar; its name unless given.
            unit: What is counted.
            leave: Whether its bar stays when it ends.

        Returns:
            The tracker of the operation.
        """
        with self._lock:
            self._end(name, failed=True)
            self._ended.discard(name)
            self._bars.start_operation(name, total, description, unit, leave)
            tracker = self._running[name] = _Tracked(self._bars, name, total, description or name, unit)
            return tracker

    def update_operation(self, name: str, steps: float = 1, postfix: Mapping[str, Any] | None = None) -> None:
        """An operation advanced by so many steps; one that was not started is ignored."""
        with self._lock:
            if name in self._running:
                self._running[name].update(steps, postfix)

    def set_operation_total(self, name: str, total: float, unit: str = "items") -> None:
        """An operation found out how much there is to do."""
        with self._lock:
            if name in self._running:
                self._running[name].set_total(total, unit)

    def complete_operation(self, name: str, success: bool = True, metrics: Mapping[str, Any] | None = None) -> None:
        """An operation ended; one that never started (it was skipped) counts too, and each counts once."""
        with self._lock:
            measured = self._end(name, failed=not success)
            self._bars.complete_operation(name, success)
            if name in self._ended:
                return
            self._ended.add(name)
            self.operations_completed += 1
            if not success:
                self.operations_failed += 1
        if self.reporter is not None:
            details = {**measured, **(metrics or {})}
            self.reporter.add_operation(f"Complete {name}", "success" if success else "error", details)

    def create_operation_context(
        self,
        name: str,
        total: float = 0,
        description: str | None = None,
        unit: str = "items",
        leave: bool = False,
    ) -> ProgressContext:
        """`with` this, an operation is started, and completed at the end: well, or not when an exception passes."""
        return ProgressContext(self, name, total, description, unit, leave)

    # ------------------------------------------------------------ log lines

    def log_message(self, level: int | str, message: str, preserve_progress: bool = True) -> None:
        """Log a line; bars that are shown make room for it when `preserve_progress`."""
        self._log(level, message, preserve_progress)

    def log_debug(self, message: str, preserve_progress: bool = True) -> None:
        """Log a line for debugging."""
        self._log(logging.DEBUG, message, preserve_progress)

    def log_info(self, message: str, preserve_progress: bool = True) -> None:
        """Log a line."""
        self._log(logging.INFO, message, preserve_progress)

    def log_warning(self, message: str, preserve_progress: bool = True) -> None:
        """Log a warning."""
        self._log(logging.WARNING, message, preserve_progress)

    def log_error(self, message: str, preserve_progress: bool = True) -> None:
        """Log an error."""
        self._log(logging.ERROR, message, preserve_progress)

    def log_critical(self, message: str, preserve_progress: bool = False) -> None:
        """Log that the task cannot continue."""
        self._log(logging.CRITICAL, message, preserve_progress)

    def _log(self, level: int | str, message: str, preserve_progress: bool) -> None:
        number = logging.getLevelNamesMapping()[level.upper()] if isinstance(level, str) else level
        aside = contextlib.nullcontext()
        if preserve_progress and self._bars.drawn:
            aside = sys.modules["tqdm.std"].tqdm.external_write_mode(file=sys.stderr)
        with aside:
            self.logger.log(number, "%s", message, stacklevel=3)  # the line of the caller

    # ------------------------------------------------------------ the end

    def get_metrics(self) -> dict[str, Any]:
        """Counts, seconds and MiB so far."""
        with self._lock:
            seconds = time.perf_counter() - self._started
            peak = peak_mb()
            return {
                "task_id": self.task_id,
                "task_type": self.task_type,
                "operations_completed": self.operations_completed,
                "operations_failed": self.operations_failed,
                "operations_total": self.total_operations,
                "execution_time": seconds,
                "operations_per_second": self.operations_completed / seconds if seconds > 0 else 0.0,
                "peak_memory_mb": peak,
                "current_memory_mb": current_mb(),
                "memory_delta_mb": None if peak is None or self._peak is None else peak - self._peak,
            }

    def close(self) -> None:
        """Take all bars off the screen, for good."""
        with self._lock:
            self._bars.close()
            for name in list(self._running):
                self._end(name, failed=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _end(self, name: str, *, failed: bool) -> dict[str, Any]:
        tracker = self._running.pop(name, None)
        if tracker is None:
            return {}
        tracker.close(failed)
        return tracker.metrics


class _Tracked(NoOpProgressTracker):
    """Counts and measures an operation whose bar the plugin draws."""

    def __init__(self, bars: Any, name: str, total: float, description: str, unit: str) -> None:
        super().__init__(total, description, unit)
        self._bars = bars
        self._name = name

    def update(self, steps: float = 1, postfix: Mapping[str, Any] | None = None) -> None:
        """So much more is done."""
        super().update(steps)
        self._bars.update_operation(self._name, steps, postfix)

    def set_total(self, total: float | None, unit: str | None = None) -> None:
        """How much there is to do became known."""
        super().set_total(total, unit)
        self._bars.set_operation_total(self._name, total or 0, self.unit)


class ProgressContext:
    """One operation of a `TaskProgressManager`, as a `with` block; see `create_operation_context`."""

    def __init__(
        self,
        progress_manager: TaskProgressManager,
        operation_name: str,
        total: float = 0,
        description: str | None = None,
        unit: str = "items",
        leave: bool = False,
    ) -> None:
        self._manager = progress_manager
        self._name = operation_name
        self._options = (total, description, unit, leave)

    def __enter__(self) -> NoOpProgressTracker:
        return self._manager.start_operation(self._name, *self._options)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._manager.complete_operation(self._name, success=kind is None)


def create_task_progress_manager(
    task_id: str,
    task_type: str,
    logger: logging.Logger,
    reporter: TakesOperations | None = None,
    total_operations: int = 0,
    quiet: bool | None = None,
) -> TaskProgressManager:
    """A progress manager, quiet without a terminal unless requested."""
    if quiet is None:
        quiet = bool(owned("progress", "pamola_tasks_progress.manager", "nobody_looks")())
    return TaskProgressManager(task_id, task_type, logger, reporter, total_operations, quiet)


@contextlib.contextmanager
def shown(progress: Progress | None, name: str) -> Iterator[None]:
    """Show what the block does under this name; nothing is shown without `progress`."""
    if progress is None:
        yield
        return
    progress.start_operation(name)
    try:
        yield
    except BaseException:
        progress.complete_operation(name, success=False)
        raise
    progress.complete_operation(name)
