"""Messages between a run and another interpreter: through its standard input and output, data and no pickles.

Each message begins with `there.MAGIC`, the length of its header (4 bytes, big endian) and of its body (8 bytes). The
header is a JSON object whose `kind` says what it is; the body is a table (a stream of Arrow IPC), a file, or source.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import struct
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from pamola_tasks_executor import there
from pamola_tasks_executor.descendants import end_descendants
from pamola_tasks_executor.interpreter_errors import (
    InterpreterCrashed,
    InterpreterGarbage,
    InterpreterMissing,
    InterpreterSilent,
)

_START = struct.Struct(f">{len(there.MAGIC)}sIQ")
_HEADER_LIMIT = 64 * 2**20  # bytes
_PIECE = 2**20
_WATCH = 0.05  # seconds between two looks at memory, and until a cancelled step hears of it
_STARTING = 60.0  # seconds that an interpreter may take to say that it is ready
_GRACE = 1.0  # seconds that an interpreter without work has to end by itself
_LEFT_OUT = ("PYTHON", "PAMOLA_", "VIRTUAL_ENV", "__PYVENV_LAUNCHER__")


def environment() -> dict[str, str]:
    """The variables that another interpreter gets: none that are about this one, or about the project's keys."""
    return {name: value for name, value in os.environ.items() if not name.startswith(_LEFT_OUT)}


def command(python: Path, *arguments: str) -> list[str]:
    """Start an interpreter apart from variables, the current folder and packages of the user."""
    return [str(python), "-I", *arguments]


class Interpreter:
    """A process of another interpreter that does the work of steps, one at a time.

    Args:
        python: The interpreter's path.
        name: As messages call it.

    Raises:
        InterpreterError: It cannot be started, or does not say in time that it is ready.
    """

    def __init__(self, python: Path, name: str) -> None:
        self.name = name
        try:
            self._process = subprocess.Popen(
                command(python, str(Path(there.__file__))),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                env=environment(),
                start_new_session=True,
                bufsize=0,
            )
        except OSError as error:
            raise InterpreterMissing(f"{name} cannot be started: {error.strerror or type(error).__name__}") from error
        self.pid = self._process.pid
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._in, self._out = self._process.stdin.fileno(), self._process.stdout.fileno()
        os.set_blocking(self._in, False)
        self._received = bytearray()
        self._await_ready()

    def _await_ready(self) -> None:
        until = time.monotonic() + _STARTING
        try:
            while (message := self.receive()) is None:
                if time.monotonic() > until:
                    raise InterpreterSilent(f"{self.name} did not say within {_STARTING:.0f} s that it is ready")
            said = message[0]
            if said.get("kind") != "ready" or said.get("protocol") != there.PROTOCOL:
                raise InterpreterGarbage(f"{self.name} did not begin with the words of the protocol")
        except BaseException:
            self.kill()
            raise

    def send(self, kind: str, body: bytes = b"", **facts: Any) -> None:
        """Send a message; that it died is found by `receive`."""
        header = json.dumps({"kind": kind, **facts}).encode()
        for part in (_START.pack(there.MAGIC, len(header), len(body)) + header, body):
            waiting = memoryview(part)
            with contextlib.suppress(BrokenPipeError):
                while waiting:
                    if select.select([], [self._in], [], _WATCH)[1]:
                        with contextlib.suppress(BlockingIOError):
                            waiting = waiting[os.write(self._in, waiting[:_PIECE]) :]
                    elif self._process.poll() is not None:
                        break

    def receive(self) -> tuple[dict[str, Any], bytes] | None:
        """The next message, or None if it has not come within 50 ms.

        Raises:
            InterpreterCrashed: It has ended.
            InterpreterGarbage: It wrote something else.
        """
        until = time.monotonic() + _WATCH
        while (message := self._next()) is None:
            if not select.select([self._out], [], [], max(0.0, until - time.monotonic()))[0]:
                return None
            piece = os.read(self._out, _PIECE)
            if not piece:
                raise self._ended()
            self._received += piece
        return message

    def _next(self) -> tuple[dict[str, Any], bytes] | None:
        received = self._received
        if bytes(received[: len(there.MAGIC)]) != there.MAGIC[: len(received)]:
            raise InterpreterGarbage(
                f"{self.name} wrote something else than messages of the protocol to its standard output, as what is"
                " printed while it starts (sitecustomize, a wrapper script): have that print nothing"
            )
        if len(received) < _START.size:
            return None
        _, of_header, of_body = _START.unpack_from(received)
        if of_header > _HEADER_LIMIT:
            raise InterpreterGarbage(f"{self.name} sent a header of {of_header} bytes: {_HEADER_LIMIT} are allowed")
        begin = _START.size + of_header
        if len(received) < begin + of_body:
            return None
        try:
            header = json.loads(received[_START.size : begin])
            valid = isinstance(header, dict) and isinstance(header.get("kind"), str)
        except (ValueError, RecursionError):
            valid = False
        if not valid:
            raise InterpreterGarbage(f"{self.name} sent a message whose header is not a JSON object with a kind")
        body = bytes(received[begin : begin + of_body])
        del received[: begin + of_body]
        return header, body

    def _ended(self) -> InterpreterCrashed:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(_GRACE)
        code = self._process.poll()
        how = "closed its standard output" if code is None else f"ended with exit code {code}"
        if code is not None and code < 0:
            with contextlib.suppress(ValueError):
                how = f"ended by signal {signal.Signals(-code).name}"
        return InterpreterCrashed(f"{self.name} {how}; what it printed is on the terminal")

    @property
    def alive(self) -> bool:
        """Whether it runs."""
        return self._process.poll() is None

    def end(self) -> None:
        """Let it end, since it has no work."""
        self._close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(_GRACE)
        self.kill()

    def kill(self) -> None:
        """Kill it, with all that it has started."""
        self._close()
        if sys.platform != "win32" and self.alive:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(self.pid, signal.SIGSTOP)  # it starts nothing more, and orphans stay its own
                end_descendants(self.pid)
                os.killpg(self.pid, signal.SIGKILL)
        self._process.kill()
        self._process.wait()

    def _close(self) -> None:
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()
