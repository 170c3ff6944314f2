"""The progress of a task: how many of its operations ended, and how far those that run have come."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Mapping
from itertools import count
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pamola_tasks_progress.bars import Bar

_DELAY = 0.2  # seconds: what ends sooner gets no bar of its own


class TaskProgressManager:
    """Draws one bar for a task and one for each operation that runs. Safe to call from several threads.

    Args:
        task_id: The task, named before the topmost bar.
        quiet: Draw nothing, and do not import tqdm.
        redact: Applied to every text before it is drawn.
    """

    def __init__(
        self, task_id: str, total_operations: int = 0, quiet: bool = False, *, redact: Callable[[str], str] = str
    ) -> None:
        self.quiet = quiet
        self._task_id = task_id
        self._total = total_operations
        self._redact = redact
        self._lock = threading.RLock()
        self._main: Bar | None = None
        self._running: dict[str, tuple[int, Bar]] = {}  # the line and the bar of each operation
        self._ended: set[str] = set()
        self._completed = 0
        self._closed = False

    @property
    def drawn(self) -> bool:
        return self._main is not None

    def set_total_operations(self, total: int) -> None:
        with self._lock:
            self._total = total
            if self._main is not None:
                self._main.total = total

    def start_operation(
        self, name: str, total: float = 0, description: str | None = None, unit: str = "items", leave: bool = False
    ) -> None:
        """An operation begins, with so much to do (0 if unknown) and this text before its bar, which stays or not."""
        with self._lock:
            self._end(name, failed=True)
            self._ended.discard(name)
            if self.quiet or self._closed:
                return
            from pamola_tasks_progress.bars import Bar

            if self._main is None:
                title = self._shown(self._task_id)
                self._main = Bar(total=self._total or None, desc=title, unit=" operations", position=0, leave=False)
                self._main.update(self._completed)
            taken = {line for line, _ in self._running.values()}
            line = next(number for number in count(1) if number not in taken)
            text = self._shown(description or name)
            bar = Bar(total=total or None, desc=text, unit=f" {unit}", position=line, leave=leave, delay=_DELAY)
            self._running[name] = (line, bar)

    def update_operation(self, name: str, steps: float = 1, postfix: Mapping[str, Any] | None = None) -> None:
        """An operation advanced by so many steps; one that was not started is ignored."""
        with self._lock:
            bar = self._bar(name)
            if bar is not None:
                if postfix:
                    shown = {self._shown(str(key)): self._shown(str(value)) for key, value in postfix.items()}
                    bar.set_postfix(shown, refresh=False)
                bar.update(steps)

    def set_operation_total(self, name: str, total: float, unit: str = "items") -> None:
        with self._lock:
            bar = self._bar(name)
            if bar is not None:
                bar.total, bar.unit = total or None, f" {unit}"

    def complete_operation(self, name: str, success: bool = True, metrics: Mapping[str, Any] | None = None) -> None:
        """An operation ended; one that never started (it was skipped) counts too, and each counts once."""
        with self._lock:
            self._end(name, failed=not success)
            if name not in self._ended:
                self._ended.add(name)
                self._completed += 1
                if self._main is not None:
                    self._main.update(1)

    def close(self) -> None:
        """Take all bars off the screen, for good."""
        with self._lock:
            self._closed = True
            for name in list(self._running):
                self._end(name, failed=True)
            if self._main is not None:
                self._main.close()
                self._main = None

    def _bar(self, name: str) -> Bar | None:
        return self._running[name][1] if name in self._running else None

    def _end(self, name: str, *, failed: bool) -> None:
        bar = self._bar(name)
        if bar is not None:
            if failed:
                bar.colour = "red"
            bar.close()
            del self._running[name]

    def _shown(self, text: str) -> str:
        text = self._redact(text)
        return text if text.isprintable() else "".join(c if c.isprintable() else "?" for c in text)


def nobody_looks() -> bool:
    """Whether stderr is not a terminal, or this is a build server (`CI` or `CONTINUOUS_INTEGRATION` is set)."""
    for name in ("CI", "CONTINUOUS_INTEGRATION"):
        if os.environ.get(name, "").lower() not in ("", "0", "false", "no"):
            return True
    try:
        return sys.stderr is None or not sys.stderr.isatty()
    except ValueError:  # closed
        return True
