"""A process that runs tasks for another one, which has several run at the same time.

Its standard input brings tasks, its standard output takes what became of them, as pickles; whatever is printed there by
anybody goes to standard error, and from there to the parent, line by line. It leads a session of its own: Ctrl-C on the
terminal reaches the parent alone, which passes it on once.
"""

from __future__ import annotations

import os
import pickle
import queue
import signal
import subprocess
import sys
import threading
from typing import IO, TYPE_CHECKING, Any

import attrs

from pamola_tasks.errors import EXIT_INTERRUPTED, PamolaTaskError, Terminated
from pamola_tasks_executor import pickles
from pamola_tasks_executor.child import end_with
from pamola_tasks_executor.remote import kernel_from
from pamola_tasks_orchestration.run_queue import TaskEnd, run_one

if TYPE_CHECKING:
    from collections.abc import Callable

    from pamola_tasks.kernel import Kernel
    from pamola_tasks.protocols import RunOptions
    from pamola_tasks_orchestration.task_graph import TaskNode

_DRAINED = b"\0all of the task\n"  # printed behind all that a task printed
_COMMAND = (
    "import sys; sys.path[:] = {path!r}; from pamola_tasks_orchestration.task_process import serve; serve({parent})"
)


class TaskProcess:
    """The process, seen from the parent.

    Args:
        description: What `describe_kernel` made.
        tell: Takes this object and each line that is printed there, and the end of each task; called in threads.
    """

    def __init__(self, description: bytes, tell: Callable[[tuple[TaskProcess, TaskEnd | str]], None]) -> None:
        self._tell = tell
        self._node: TaskNode | None = None
        self._drained = threading.Event()
        self._process = subprocess.Popen(
            [sys.executable, "-c", _COMMAND.format(path=sys.path, parent=os.getpid())],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        self._printing = threading.Thread(target=self._pass_lines_on, daemon=True)
        self._printing.start()
        threading.Thread(target=self._pass_ends_on, daemon=True).start()
        self._send(description)

    def run(self, node: TaskNode, options: RunOptions, *, skips: bool) -> None:
        """Have a task run; its end is told."""
        self._node = node
        self._send(pickles.dumps((node, options, skips), f"what is asked of task {node.task_id}"))

    def _send(self, data: bytes) -> None:
        assert self._process.stdin is not None
        try:
            pickle.dump(data, self._process.stdin)
            self._process.stdin.flush()
        except BrokenPipeError:
            pass  # it has died, which is told

    def interrupt(self, interrupt: KeyboardInterrupt) -> None:
        """Have the task that runs end as Ctrl-C or SIGTERM has it end."""
        if sys.platform == "win32":
            self._process.kill()
        else:
            self._process.send_signal(signal.SIGTERM if isinstance(interrupt, Terminated) else signal.SIGINT)

    def kill(self) -> None:
        """Kill it."""
        self._process.kill()
        self._process.wait()

    def end(self) -> None:
        """Let it end, since it has nothing to do."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()

    # ------------------------------------------------------------ in threads

    def _pass_lines_on(self) -> None:
        assert self._process.stderr is not None
        for line in self._process.stderr:
            text = line.removesuffix(_DRAINED)
            if text:
                self._tell((self, text.decode("utf-8", "replace").rstrip("\r\n")))
            if text != line:
                self._drained.set()

    def _pass_ends_on(self) -> None:
        assert self._process.stdout is not None
        try:
            while True:
                end: TaskEnd = pickles.loads(pickle.load(self._process.stdout))
                self._drained.wait()
                self._drained.clear()
                self._tell((self, end))
        except (EOFError, pickle.UnpicklingError):
            code = self._process.wait()
            self._printing.join(1)
            node = self._node
            if node is not None:
                error = PamolaTaskError(f"task {node.task_id}: its process died ({_how(code)}); run it again to go on")
                self._tell((self, TaskEnd(task_id=node.task_id, name=node.name, status="died", error=error)))


def _how(code: int) -> str:
    try:
        return f"signal {signal.Signals(-code).name}"
    except ValueError:
        return f"exit code {code}"


# ---------------------------------------------------------------- over there


def serve(parent: int) -> None:
    """What the process does: run tasks as they come, until the parent has no more.

    Args:
        parent: The process that started this one.
    """
    end_with(parent)
    commands, answers = _take_streams()
    signal.signal(signal.SIGTERM, _terminate)
    inbox: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
    busy = threading.Event()
    threading.Thread(target=_receive, args=(commands, inbox, busy), daemon=True).start()
    try:
        description = inbox.get()
        kernel: Kernel | None = None
        while description is not None and (asked := inbox.get()) is not None:
            busy.set()
            kernel = kernel or kernel_from(description)
            node, options, skips = pickles.loads(asked)
            end = run_one(kernel, node, options, skips=skips)
            sys.stdout.flush()
            sys.stderr.flush()  # a line without its end would come when the process ends, or not at all
            os.write(2, _DRAINED)
            busy.clear()
            pickle.dump(_portable(end), answers)
            answers.flush()
    except KeyboardInterrupt:  # between tasks, or the second one
        sys.exit(EXIT_INTERRUPTED)


def _take_streams() -> tuple[IO[bytes], IO[bytes]]:
    """Keep standard input and output for the parent; whoever reads here gets nothing, who prints, prints on stderr."""
    commands = os.fdopen(os.dup(0), "rb")
    answers = os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    return commands, answers


def _receive(commands: IO[bytes], inbox: queue.SimpleQueue[bytes | None], busy: threading.Event) -> None:
    try:
        while True:
            inbox.put(pickle.load(commands))
    except EOFError:
        if busy.is_set():  # the parent has gone: what it began must not go on alone
            os._exit(1)
        inbox.put(None)


def _portable(end: TaskEnd) -> bytes:
    """An end without what belongs to this process."""
    if end.outcome is None:
        return pickles.dumps(end, "the end of a task")
    error = end.outcome.error
    kept = error if isinstance(error, (PamolaTaskError, KeyboardInterrupt)) else None
    outcome = attrs.evolve(end.outcome, results={}, datasets={}, error=kept)
    return pickles.dumps(attrs.evolve(end, outcome=outcome), "the end of a task")


def _terminate(*_: Any) -> None:
    raise Terminated


__all__ = ["TaskProcess", "serve"]
