"""How the observers of a run behave: who failed, who is left out, and who takes too long.

Observers are called in the thread in which things happen, so a slow one holds up the run. It cannot be stopped from
outside; it can be named, with the place where it hangs, and Ctrl-C then ends that call instead of the run.
"""

from __future__ import annotations

import sys
import threading
import time
import traceback
from typing import TYPE_CHECKING

from pamola_tasks.plugins.records import reason

if TYPE_CHECKING:
    from collections.abc import Callable

    from pamola_tasks.plugins.records import PluginRecord
    from pamola_tasks.protocols import Disclosure

LEFT_OUT_AFTER = 3
OBSERVER_BUDGET = 10.0  # seconds that an observer may take for one event before it is named


class _Call:
    """A call of an observer that is under way."""

    __slots__ = ("began", "hook", "label", "named", "thread")

    def __init__(self, label: str, hook: str) -> None:
        self.label = label
        self.hook = hook
        self.began = time.monotonic()
        self.thread = threading.get_ident()
        self.named = False

    @property
    def seconds(self) -> float:
        """How long it has taken so far."""
        return time.monotonic() - self.began


class Watch:
    """Looks from a thread of its own whether an observer exceeds its budget, and reports it while it hangs.

    Args:
        tell: Called with plugin, hook, seconds and stack, in that thread, once for each such call.
    """

    def __init__(self, tell: Callable[[str, str, float, str], None]) -> None:
        self._tell = tell
        self._calls: list[_Call] = []  # of nested calls the innermost one is the one that takes the time
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def begin(self, label: str, hook: str) -> _Call:
        """A call begins; the budget is for this call."""
        call = _Call(label, hook)
        self._calls.append(call)
        if self._thread is None:
            self._thread = threading.Thread(target=self._look, name="observer watch", daemon=True)
            self._thread.start()
        return call

    def end(self, call: _Call) -> None:
        """A call ended."""
        self._calls.remove(call)

    def close(self) -> None:
        """Look no longer."""
        self._stop.set()

    def _look(self) -> None:
        while not self._stop.wait(min(1.0, OBSERVER_BUDGET / 4)):
            for call in self._calls[-1:]:
                if call.named or call.seconds <= OBSERVER_BUDGET:
                    continue
                frame = sys._current_frames().get(call.thread)
                stack = "".join(traceback.format_stack(frame)) if frame is not None else ""
                call.named = True
                self._tell(call.label, call.hook, call.seconds, stack)


class Observers:
    """How the observers of one run behave: who failed how often, and the record of each failure.

    Args:
        report: Called with `plugin, hook, error, traceback` for each failure.
        disclosure: Gives what may be said of errors.
        overdue: Called from another thread with plugin, hook, seconds and stack of a call that is over its budget.

    Attributes:
        watch: Looks at the time that calls take.
    """

    def __init__(
        self,
        report: Callable[[dict[str, str]], None],
        disclosure: Callable[[], Disclosure],
        overdue: Callable[[str, str, float, str], None],
    ) -> None:
        self.failures: dict[str, int] = {}
        self.watch = Watch(overdue)
        self._report = report
        self._disclosure = disclosure

    def leaves_out(self, record: PluginRecord) -> bool:
        """Whether it failed too often to be called again."""
        return self.failures.get(record.name, 0) >= LEFT_OUT_AFTER

    def failed(self, record: PluginRecord, hook: str, error: BaseException) -> None:
        """Record that an observer raised."""
        self.failures[record.name] = self.failures.get(record.name, 0) + 1
        left_out = self.leaves_out(record)
        disclosure = self._disclosure()
        said = reason(error, str, disclosure.message)
        self._report(
            {
                "plugin": record.label,
                "hook": hook,
                "error": said + ("; it is left out for the rest of this run" if left_out else ""),
                "traceback": disclosure.trace(error),
            }
        )
