"""One thing in progress: always counted, drawn on a terminal."""

from __future__ import annotations

import time
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self

from pamola_tasks_compat.memory import peak_mb
from pamola_tasks_compat.owners import owned


class NoOpProgressTracker:
    """Counts and measures, and draws nothing.

    Args:
        total: How much there is to do; 0 or None if unknown.
        description: What is being done.
        unit: What is counted.
        position: With `leave` and `color`, of the bar that a `ProgressTracker` draws: nothing is drawn here.
        parent: A tracker that gets on by one when this one ends.

    Attributes:
        metrics: `current`, what is done; from `close` on also duration, speed and memory.
    """

    def __init__(
        self,
        total: float | None = 0,
        description: str = "",
        unit: str = "items",
        position: int = 0,
        leave: bool = True,
        parent: NoOpProgressTracker | None = None,
        color: str | None = None,
    ) -> None:
        self.total = total or None
        self.description = description
        self.unit = unit
        self.done: float = 0
        self.metrics: dict[str, Any] = {"current": 0}
        self.closed = False
        self._started = time.perf_counter()
        self._peak = peak_mb()
        self._parent = parent

    def update(self, steps: float = 1, postfix: Mapping[str, Any] | None = None) -> None:
        """So much more is done; `metrics["current"]` holds the sum."""
        self.done += steps
        self.metrics["current"] = self.done

    def set_total(self, total: float | None, unit: str | None = None) -> None:
        """It turned out how much there is to do."""
        self.total = total or None
        self.unit = unit or self.unit

    def set_description(self, description: str) -> None:
        """Say differently what is being done."""
        self.description = description

    def set_postfix(self, postfix: Mapping[str, Any]) -> None:
        """Show some facts behind the bar."""

    def clear(self) -> None:
        """Take the bar off the screen for now."""

    def refresh(self) -> None:
        """Draw the bar again."""

    def close(self, failed: bool = False) -> None:
        """It ended: `metrics` holds duration, speed and the rise of the memory peak, too."""
        if self.closed:
            return
        self.closed = True
        seconds = time.perf_counter() - self._started
        peak = peak_mb()
        self.metrics |= {
            "execution_time": seconds,
            "items_per_second": self.done / seconds if seconds > 0 else 0.0,
            "peak_memory_mb": peak,
            "memory_delta_mb": None if peak is None or self._peak is None else peak - self._peak,
            "failed": failed,
        }
        if self._parent is not None:
            self._parent.update(1)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close(failed=kind is not None)


class ProgressTracker(NoOpProgressTracker):
    """Counts, measures, and draws a bar on stderr.

    Args:
        total: How much there is to do; 0 or None shows a count without a bar.
        description: The text before the bar.
        unit: What is counted.
        position: Line below the topmost bar.
        leave: Whether the bar stays when it is done.
        parent: A tracker that gets on by one when this one ends.
        color: Colour of the bar.
        disable: Draw nothing.
        delay: Seconds before the bar is first drawn, so that what is done at once does not flicker.
    """

    def __init__(
        self,
        total: float | None,
        description: str = "",
        unit: str = "items",
        position: int = 0,
        leave: bool = True,
        parent: NoOpProgressTracker | None = None,
        color: str | None = None,
        disable: bool = False,
        *,
        delay: float = 0,
    ) -> None:
        super().__init__(total, description, unit, parent=parent)
        self._bar: Any = None
        if not disable:
            self._bar = owned("progress", "pamola_tasks_progress.bars", "Bar")(
                total=self.total,
                desc=description,
                unit=f" {unit}",
                position=position,
                leave=leave,
                colour=color,
                delay=delay,
            )

    def update(self, steps: float = 1, postfix: Mapping[str, Any] | None = None) -> None:
        """So much more is done."""
        super().update(steps)
        if self._bar is not None:
            if postfix:
                self._bar.set_postfix(postfix, refresh=False)
            self._bar.update(steps)

    def set_total(self, total: float | None, unit: str | None = None) -> None:
        """It turned out how much there is to do."""
        super().set_total(total, unit)
        if self._bar is not None:
            self._bar.total = self.total
            self._bar.unit = f" {self.unit}"

    def set_description(self, description: str) -> None:
        """Say differently what is being done."""
        super().set_description(description)
        if self._bar is not None:
            self._bar.set_description(description, refresh=False)

    def set_postfix(self, postfix: Mapping[str, Any]) -> None:
        """Show some facts behind the bar."""
        if self._bar is not None:
            self._bar.set_postfix(postfix, refresh=False)

    def clear(self) -> None:
        """Take the bar off the screen for now."""
        if self._bar is not None:
            self._bar.clear()

    def refresh(self) -> None:
        """Draw the bar again."""
        if self._bar is not None:
            self._bar.refresh()

    def close(self, failed: bool = False) -> None:
        """It ended; see `metrics`. A bar that stays is red after a failure."""
        if self.closed:
            return
        if self._bar is not None:
            if failed:
                self._bar.colour = "red"
            self._bar.close()
        super().close(failed)
