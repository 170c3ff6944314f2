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

from pamola_tasks.errors import PluginError
from pamola_tasks.plugins.discovery import reason

if TYPE_CHECKING:
    from collections.abc import Callable

    from pamola_tasks.plugins.discovery import PluginRecord
    from pamola_tasks.protocols import RunServices

LEFT_OUT_AFTER = 3
OBSERVER_BUDGET = 10.0  # seconds that an observer may take for one event before it is named


class _Call:
    """A call of an observer that is under way."""

    def __init__(self, record: PluginRecord, hook: str) -> None:
        self.record, self.hook = record, hook
        self.began, self.thread, self.named = time.monotonic(), threading.get_ident(), False


class Observers:
    """The observers of one run: their failures are recorded with it."""

    def __init__(self, run: RunServices) -> None:
        self._run = run
        self._failures: dict[str, int] = {}
        self._calls: list[_Call] = []  # of nested calls the innermost one is the one that takes the time
        self._closed = threading.Event()
        self._watching = False

    def notify(self, record: PluginRecord, hook: str, observer: Callable[[], None]) -> None:
        """Call an observer, unless it failed too often; what it raises is recorded, but Ctrl-C within its budget."""
        if self._failures.get(record.name, 0) >= LEFT_OUT_AFTER:
            return
        call = _Call(record, hook)
        self._calls.append(call)
        if not self._watching:
            self._watching = True
            threading.Thread(target=self._watch, name="observer watch", daemon=True).start()
        try:
            observer()
        except KeyboardInterrupt:
            if not call.named:
                raise
            seconds = time.monotonic() - call.began
            self._failed(record, hook, PluginError(f"it was abandoned after {seconds:.0f} s (Ctrl-C)"))
        except BaseException as error:
            self._failed(record, hook, error)
        finally:
            self._calls.remove(call)

    def close(self) -> None:
        """Watch no longer."""
        self._closed.set()

    def _failed(self, record: PluginRecord, hook: str, error: BaseException) -> None:
        self._failures[record.name] = count = self._failures.get(record.name, 0) + 1
        disclosure = self._run.redactor.disclosure(self._run)
        said = reason(error, str, disclosure.message)
        if count >= LEFT_OUT_AFTER:
            said += "; it is left out for the rest of this run"
        failure = self._record(record.label, hook, said, disclosure.trace(error))
        self._run.logger.warning("observer %(plugin)s failed in %(hook)s: %(error)s", failure)

    def _record(self, plugin: str, hook: str, error: str, trace: str) -> dict[str, str]:
        failure = {"plugin": plugin, "hook": hook, "error": error, "traceback": trace}
        failure = {key: self._run.redactor(text) for key, text in failure.items()}
        self._run.record.observer_failures.append(failure)
        return failure

    def _watch(self) -> None:
        while not self._closed.wait(min(1.0, OBSERVER_BUDGET / 4)):
            for call in self._calls[-1:]:
                seconds = time.monotonic() - call.began
                if seconds > OBSERVER_BUDGET and not call.named:
                    call.named = True
                    self._name(call, seconds)

    def _name(self, call: _Call, seconds: float) -> None:
        """Name an observer that hangs, and where, while it does: in the log, and on stderr where that is no log."""
        frame = sys._current_frames().get(call.thread)
        stack = "".join(traceback.format_stack(frame)) if frame is not None else ""
        took = f"it took longer than {seconds:.0f} s"
        failure = self._record(call.record.label, call.hook, took, stack)
        said = (
            f"observer {failure['plugin']} has been in {call.hook} for {seconds:.0f} s: Ctrl-C abandons this call;"
            f" it is at\n{failure['traceback'].rstrip()}"
        )
        if not self._run.options.console and sys.stderr is not None:
            print(f"warning: {said}", file=sys.stderr, flush=True)
        self._run.logger.warning("%s", said)
