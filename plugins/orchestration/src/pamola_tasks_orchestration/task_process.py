"""A process that runs tasks for another one, which has several run at the same time.

Its standard input brings tasks, its standard output takes what became of them, as pickles. Everything printed there
goes to standard error, and from there to the parent, line by line. It leads a session of its own: Ctrl-C on the
terminal reaches the parent alone, which passes it on once. Its kernel is rebuilt from the names of its plugins.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import queue
import signal
import subprocess
import sys
import threading
from types import ModuleType
from typing import IO, TYPE_CHECKING, Any

from pamola_tasks.errors import PamolaTaskError, Terminated, UsageError, exit_code_of
from pamola_tasks.kernel import Kernel
from pamola_tasks.plugins.discovery import PluginRecord
from pamola_tasks.plugins.manager import Plugins
from pamola_tasks.protocols import TaskOutcome
from pamola_tasks.secret import variables, withhold
from pamola_tasks.storage.ending import end_now
from pamola_tasks_orchestration.run_queue import run_task

if TYPE_CHECKING:
    from collections.abc import Callable

    from pamola_tasks.protocols import RunOptions, TaskNode

_DRAINED = b"\0all of the task\n"  # printed behind all that a task printed
_COMMAND = (
    "import sys; sys.path[:] = {path!r}; from pamola_tasks_orchestration.task_process import serve; serve({parent})"
)


def describe(kernel: Kernel) -> bytes:
    """What another process makes the same kernel of: its root, and its plugins by name.

    Raises:
        UsageError: The project is in memory, or a plugin is an object that is not a module.
    """
    root, plugins = kernel.project.files.root, kernel.plugins
    if not root.is_dir():
        raise UsageError(f"the project is in memory ({root}), where no other process can see it: run it in this one")
    records = [
        (record.name, _target(record), record.distribution, record.version, record.given) for record in plugins.records
    ]
    return pickle.dumps((root, records, plugins.choices))


def _target(record: PluginRecord) -> str:
    if record.target or record.object is None:
        return record.target
    if isinstance(record.object, ModuleType):
        return record.object.__name__
    raise UsageError(
        f"plugin {record.label} is an object, which another process cannot import: run tasks one after the other"
    )


def _rebuilt(description: bytes) -> Kernel:
    """The kernel that `describe` described; a PamolaTaskError where it does not come up here."""
    root, records, choices = pickle.loads(description)
    plugins = Plugins(**choices)
    plugins.load(*(PluginRecord(*description) for description in records))
    plugins.refuse_if_broken()
    return Kernel(root, loaded=plugins)


class TaskProcess:
    """The process, seen from the parent, which is given each printed line and each outcome in threads."""

    def __init__(self, description: bytes, tell: Callable[[tuple[TaskProcess, TaskOutcome | str]], None]) -> None:
        self._tell = tell
        self._node: TaskNode | None = None
        self._drained = threading.Event()
        self._process = subprocess.Popen(
            [sys.executable, "-c", _COMMAND.format(path=sys.path, parent=os.getpid())],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
            env=variables(),
        )
        self._printing = threading.Thread(target=self._pass_lines_on, daemon=True)
        self._printing.start()
        threading.Thread(target=self._pass_outcomes_on, daemon=True).start()
        self._send(description)

    def run(self, node: TaskNode, options: RunOptions, *, may_skip: bool) -> None:
        """Have a task run, and report its outcome."""
        self._node = node
        try:
            data = pickle.dumps((node, options, may_skip))
        except Exception as error:
            raise UsageError(f"the options of task {node.task_id} cannot go to another process: {error}") from error
        self._send(data)

    def _send(self, data: bytes) -> None:
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):  # it has died, which is told
            pickle.dump(data, self._process.stdin)
            self._process.stdin.flush()

    def interrupt(self, interrupt: KeyboardInterrupt) -> None:
        """Have the task that runs end as Ctrl-C or SIGTERM has it end."""
        if sys.platform == "win32":
            self._process.kill()
        else:
            self._process.send_signal(signal.SIGTERM if isinstance(interrupt, Terminated) else signal.SIGINT)

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()

    def end(self) -> None:
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

    def _pass_outcomes_on(self) -> None:
        assert self._process.stdout is not None
        try:
            while True:
                outcome: TaskOutcome = pickle.load(self._process.stdout)
                self._drained.wait()
                self._drained.clear()
                self._tell((self, outcome))
        except Exception as error:
            how = ""
            if not isinstance(error, (EOFError, pickle.UnpicklingError)):
                how = f"what became of it cannot be read: {error}"
                self._process.kill()
            how = how or _how(self._process.wait())
            self._printing.join(1)
            if self._node is not None:
                task_id, name = self._node.task_id, self._node.name
                died = PamolaTaskError(f"task {task_id}: its process died ({how}); re-run it to continue")
                self._tell((self, TaskOutcome(task_id=task_id, name=name, status="died", error=died)))


def _how(code: int) -> str:
    try:
        return f"signal {signal.Signals(-code).name}"
    except ValueError:
        return f"exit code {code}"


# ---------------------------------------------------------------- over there


def serve(parent: int) -> None:
    """What the process does: run tasks as they come, until the parent, a process of this number, has no more."""
    _end_with(parent)
    withhold()
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
            kernel = kernel or _rebuilt(description)
            node, options, may_skip = pickle.loads(asked)
            outcome = run_task(kernel, node, options, may_skip=may_skip)
            sys.stdout.flush()
            sys.stderr.flush()  # a line without its end would come when the process ends, or not at all
            os.write(2, _DRAINED)
            busy.clear()
            pickle.dump(outcome, answers)
            answers.flush()
    except KeyboardInterrupt as interrupt:  # between tasks, or the second one
        sys.exit(exit_code_of(interrupt))


def _end_with(parent: int) -> None:
    """Have Linux kill this process when its parent ends, even while an extension keeps Python waiting."""
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
        if os.getppid() != parent:  # it had ended before
            end_now(1)


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
            end_now(1)
        inbox.put(None)


def _terminate(*_: Any) -> None:
    raise Terminated
