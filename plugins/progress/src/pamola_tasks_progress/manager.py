"""The progress of a task: how many of its operations ended, and how far those that run have come."""

from __future__ import annotations

import contextlib
import logging
import os
import sys
import threading
import time
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any, Protocol, Self

from pamola_tasks_progress.memory import current_mb, peak_mb
from pamola_tasks_progress.tracker import NoOpProgressTracker, ProgressTracker

# What ends sooner than this gets no bar of its own.
_DELAY = 0.2


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
        reporter: Told of completed operations; a run's own reporter knows its steps already and is not given here.
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
        self.task_id = task_id
        self.task_type = task_type
        self.logger = logger
        self.reporter = reporter
        self.quiet = quiet
        self.total_operations = total_operations
        self.operations_completed = 0
        self.operations_failed = 0
        self._redact = redact
        self._lock = threading.RLock()
        self._running: dict[str, NoOpProgressTracker] = {}
        self._positions: dict[str, int] = {}
        self._ended: set[str] = set()
        self._main: NoOpProgressTracker | None = None
        self._started = time.perf_counter()
        self._peak = peak_mb()
        self._closed = False

    # ------------------------------------------------------------ operations

    def set_total_operations(self, total: int) -> None:
        """How many operations the task has."""
        with self._lock:
            self.total_operations = total
            if self._main is not None:
                self._main.set_total(total)

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
            total: How much there is to do in it; 0 when nobody knows.
            description: What stands before its bar; its name unless given.
            unit: What is counted.
            leave: Whether its bar stays when it ends.

        Returns:
            The tracker of the operation.
        """
        with self._lock:
            if name in self._running:
                self._end(name, failed=True)
            self._ended.discard(name)
            if self.quiet or self._closed:
                tracker = NoOpProgressTracker(total, name, unit)
            else:
                self._show_main()
                position = 1 + min(set(range(len(self._positions) + 1)) - {p - 1 for p in self._positions.values()})
                self._positions[name] = position
                tracker = ProgressTracker(total, self._shown(description or name), unit, position, leave, delay=_DELAY)
            self._running[name] = tracker
            return tracker

    def update_operation(self, name: str, steps: float = 1, postfix: Mapping[str, Any] | None = None) -> None:
        """An operation got on by so many steps. One that was not started is left alone."""
        with self._lock:
            tracker = self._running.get(name)
            if tracker is not None:
                shown = {self._shown(str(k)): self._shown(str(v)) for k, v in postfix.items()} if postfix else None
                tracker.update(steps, shown)

    def set_operation_total(self, name: str, total: float, unit: str = "items") -> None:
        """An operation found out how much there is to do."""
        with self._lock:
            tracker = self._running.get(name)
            if tracker is not None:
                tracker.set_total(total, unit)

    def complete_operation(self, name: str, success: bool = True, metrics: Mapping[str, Any] | None = None) -> None:
        """An operation ended; one that never started (it was skipped) counts too, and each counts once."""
        with self._lock:
            measured = self._end(name, failed=not success)
            if name in self._ended:
                return
            self._ended.add(name)
            self.operations_completed += 1
            if not success:
                self.operations_failed += 1
            if self._main is not None:
                self._main.update(1)
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
        """Log a line; bars that are shown step aside for it when `preserve_progress`."""
        number = logging.getLevelNamesMapping()[level.upper()] if isinstance(level, str) else level
        with self._bars_aside() if preserve_progress else contextlib.nullcontext():
            # The record shall name the caller's line, not this one.
            self.logger.log(number, "%s", message, stacklevel=3 if sys._getframe(1).f_code in _LOG_CALLS else 2)

    def log_debug(self, message: str, preserve_progress: bool = True) -> None:
        """Log a line for those who look for an error."""
        self.log_message(logging.DEBUG, message, preserve_progress)

    def log_info(self, message: str, preserve_progress: bool = True) -> None:
        """Log a line."""
        self.log_message(logging.INFO, message, preserve_progress)

    def log_warning(self, message: str, preserve_progress: bool = True) -> None:
        """Log a warning."""
        self.log_message(logging.WARNING, message, preserve_progress)

    def log_error(self, message: str, preserve_progress: bool = True) -> None:
        """Log an error."""
        self.log_message(logging.ERROR, message, preserve_progress)

    def log_critical(self, message: str, preserve_progress: bool = False) -> None:
        """Log that nothing goes on."""
        self.log_message(logging.CRITICAL, message, preserve_progress)

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
            self._closed = True
            for name in list(self._running):
                self._end(name, failed=True)
            if self._main is not None:
                self._main.close()
                self._main = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    # ------------------------------------------------------------ inside

    def _show_main(self) -> None:
        if self._main is None:
            self._main = ProgressTracker(
                self.total_operations, self._shown(self.task_id), "operations", position=0, leave=False
            )
            self._main.update(self.operations_completed)

    def _end(self, name: str, *, failed: bool) -> dict[str, Any]:
        self._positions.pop(name, None)
        tracker = self._running.pop(name, None)
        if tracker is None:
            return {}
        tracker.close(failed)
        return tracker.metrics

    def _shown(self, text: str) -> str:
        text = self._redact(text)
        return text if text.isprintable() else "".join(c if c.isprintable() else "?" for c in text)

    def _bars_aside(self) -> contextlib.AbstractContextManager[None]:
        if self._main is None:
            return contextlib.nullcontext()
        from pamola_tasks_progress.bars import aside

        return aside()


_LOG_CALLS = frozenset(
    getattr(TaskProgressManager, f"log_{level}").__code__ for level in ("debug", "info", "warning", "error", "critical")
)


class ProgressContext:
    """One operation of a `TaskProgressManager`, as a `with` block; see `create_operation_context`."""

    def __init__(
        self,
        manager: TaskProgressManager,
        name: str,
        total: float = 0,
        description: str | None = None,
        unit: str = "items",
        leave: bool = False,
    ) -> None:
        self._manager = manager
        self._name = name
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
    """A progress manager that is quiet, unless told, where nobody looks."""
    return TaskProgressManager(
        task_id, task_type, logger, reporter, total_operations, nobody_looks() if quiet is None else quiet
    )


def nobody_looks() -> bool:
    """Whether stderr is no terminal, or this is a build server (`CI` or `CONTINUOUS_INTEGRATION` is set)."""
    for name in ("CI", "CONTINUOUS_INTEGRATION"):
        if os.environ.get(name, "").lower() not in ("", "0", "false", "no"):
            return True
    try:
        return sys.stderr is None or not sys.stderr.isatty()
    except ValueError:  # closed
        return True
