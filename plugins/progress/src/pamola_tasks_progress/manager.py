"""The progress of a task: how many of its operations ended, and how far those that run have come."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable, Mapping
from functools import partial
from itertools import count
from typing import TYPE_CHECKING, Any, Protocol

from pamola_tasks_progress.wording import LITTLE, Shown

if TYPE_CHECKING:
    from pamola_tasks_progress.bars import Line

_DELAY = 0.2  # seconds: what ends sooner gets no bar of its own
_TICK = 0.5  # seconds between two looks at the clock


class Forecast(Protocol):
    """Seconds until something ends; None where that is not known."""

    def of(self, name: str) -> float | None:
        """An operation that runs."""

    def of_all(self) -> float | None:
        """The task."""


class TaskProgressManager:
    """Draws one bar for a task and one for each operation that runs. Safe to call from several threads.

    The clocks of bars tick while nothing is reported.

    Args:
        task_id: The task, named before the topmost bar.
        quiet: Draw nothing, and do not import tqdm.
        redact: Applied to every text before it is drawn.

    Attributes:
        forecast: When operations and the task are expected to end, once something knows.
    """

    def __init__(
        self, task_id: str, total_operations: int = 0, quiet: bool = False, *, redact: Callable[[str], str] = str
    ) -> None:
        self.quiet = quiet
        self.forecast: Forecast | None = None
        self._task_id = task_id
        self._total = total_operations
        self._redact = redact
        self._lock = threading.RLock()
        self._main: Line | None = None
        self._began = time.monotonic()
        self._running: dict[str, tuple[int, Line]] = {}  # the line and the bar of each operation
        self._ended: set[str] = set()
        self._completed = 0
        self._closed = threading.Event()

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
        """An operation begins, with so much to do (0 if unknown) and this text beside its bar, which stays or not."""
        with self._lock:
            self._end(name, failed=True)
            self._ended.discard(name)
            if self.quiet or self._closed.is_set():
                return
            from pamola_tasks_progress.bars import Line

            if self._main is None:
                self._main = Line(self._of_task, total=self._total or None, position=0, leave=False)
                self._main.update(self._completed)
                threading.Thread(target=self._tick, name="progress clock", daemon=True).start()
            taken = {line for line, _ in self._running.values()}
            line = next(number for number in count(1) if number not in taken)
            told = partial(self._of_operation, name, self._text(description or ""))
            bar = Line(told, total=total or None, unit=unit, position=line, leave=leave, delay=_DELAY)
            self._running[name] = (line, bar)

    def begin_stage(self, name: str, stage: str) -> None:
        """An operation begins a stage, of which nothing is done."""
        with self._lock:
            if (bar := self._bar(name)) is not None:
                bar.desc, bar.n, bar.total, bar.unit = self._text(stage), 0, None, "items"
                bar.staged = time.monotonic()
                self._draw(bar)

    def update_operation(self, name: str, steps: float = 1, postfix: Mapping[str, Any] | None = None) -> None:
        """An operation advanced by so many steps; one that was not started is ignored."""
        with self._lock:
            bar = self._bar(name)
            if bar is not None:
                if postfix:
                    shown = {self._text(str(key)): self._text(str(value)) for key, value in postfix.items()}
                    bar.set_postfix(shown, refresh=False)
                bar.update(steps)

    def set_operation_total(self, name: str, total: float, unit: str = "items") -> None:
        with self._lock:
            bar = self._bar(name)
            if bar is not None:
                bar.total, bar.unit = total or None, unit

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
            self._closed.set()
            for name in list(self._running):
                self._end(name, failed=True)
            if self._main is not None:
                self._main.close()
                self._main = None

    def _tick(self) -> None:
        """Draw all bars again from time to time, until they are closed."""
        while not self._closed.wait(_TICK):
            with self._lock:
                for bar in () if self._main is None else (self._main, *(bar for _, bar in self._running.values())):
                    self._draw(bar)

    def _draw(self, bar: Line) -> None:
        if bar is self._main or time.monotonic() - bar.began > _DELAY:
            bar.delay = 0  # tqdm takes off the screen at the end what it knows as drawn
            bar.refresh()

    def _of_task(self, bar: Line) -> Shown:
        elapsed = time.monotonic() - self._began
        left = self.forecast.of_all() if self.forecast is not None else None
        share = bar.n / bar.total if bar.total else None
        if left is not None:
            share = elapsed / max(elapsed + left, 1e-9)
        of = f", {self._completed} of {self._total} steps done" if self._total else ""
        return Shown(label=f"{self._text(self._task_id)}{of}", share=share, elapsed=elapsed, left=left)

    def _of_operation(self, name: str, description: str, bar: Line) -> Shown:
        elapsed = time.monotonic() - bar.began
        left, share = None, bar.n / bar.total if bar.total else None
        if self.forecast is not None and (left := self.forecast.of(name)) is not None:
            share = elapsed / max(elapsed + left, 1e-9)
        of_stage = left is None
        if left is None and share is not None and share >= LITTLE:
            left = max((time.monotonic() - bar.staged) * (1 / share - 1), 0.0)
        stage = f": {bar.desc}" if bar.desc else ""
        return Shown(
            label=f"  {self._text(name)}{stage}",
            share=share,
            elapsed=elapsed,
            left=left,
            of_stage=of_stage,
            count=" ".join([_number(bar.n) + (f"/{_number(bar.total)}" if bar.total else ""), bar.unit])
            if bar.n
            else "",
            description=description,
        )

    def _bar(self, name: str) -> Line | None:
        return self._running[name][1] if name in self._running else None

    def _end(self, name: str, *, failed: bool) -> None:
        bar = self._bar(name)
        if bar is not None:
            if failed:
                bar.colour = "red"
            bar.close()
            del self._running[name]

    def _text(self, text: str) -> str:
        text = self._redact(text)
        return text if text.isprintable() else "".join(c if c.isprintable() else "?" for c in text)


def _number(number: float) -> str:
    return f"{number:,.0f}" if number == int(number) else f"{number:g}"


def nobody_looks() -> bool:
    """Whether stderr is neither a terminal nor in a notebook, or this is a build server (`CI` or
    `CONTINUOUS_INTEGRATION` is set)."""
    for name in ("CI", "CONTINUOUS_INTEGRATION"):
        if os.environ.get(name, "").lower() not in ("", "0", "false", "no"):
            return True
    try:
        in_notebook = type(sys.stderr).__module__.startswith("ipykernel.")  # which draws over what ends with \r
        return sys.stderr is None or not (in_notebook or sys.stderr.isatty())
    except ValueError:  # closed
        return True
