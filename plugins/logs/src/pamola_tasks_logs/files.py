"""A log file that several processes may write to, put aside when it is full."""

from __future__ import annotations

import contextlib
import logging
import os
import sys
from typing import IO, TYPE_CHECKING

from pamola_tasks.storage.system import lock, unlock

if TYPE_CHECKING:
    from pamola_tasks.protocols import Files


class RotatingLogHandler(logging.Handler):
    """Appends each record with one write, so that lines of several processes never mix.

    The file is opened when the first record comes. It is put aside under the operating system's lock on the file
    itself: who gets the lock looks whether the name still leads to the file that was locked, so that of several
    processes that find it full one rotates, and the others continue with the new file.

    Args:
        name: The file, relative to the project's root; its directory is made.
        max_bytes: A file that a line would make longer than this is put aside as `<name>.1`.
        backup_count: How many files put aside are kept.
    """

    def __init__(self, files: Files, name: str, *, max_bytes: int, backup_count: int) -> None:
        super().__init__()
        self._files = files
        self._name = name
        self._max_bytes = max_bytes
        self._backup_count = backup_count
        self._opened = contextlib.ExitStack()
        self._raw: IO[bytes] | None = None
        self._too_long = max_bytes
        self._complained = False

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record. A log that cannot be written is said once on stderr, and stops nothing."""
        try:
            line = (self.format(record) + "\n").encode("utf-8", "backslashreplace")
            raw = self._raw or self._open()
            state = os.fstat(raw.fileno())
            if state.st_nlink == 0 or (state.st_size > 0 and state.st_size + len(line) > self._too_long):
                raw = self._rotate(len(line))
            _write(raw, line)
        except Exception as error:
            self._complain(f"cannot be written: {error}")

    def close(self) -> None:
        with self.lock or contextlib.nullcontext():
            self._raw = None
            self._opened.close()
        super().close()

    def _open(self) -> IO[bytes]:
        folder = os.path.dirname(self._name)
        if folder:
            self._files.mkdirs(folder)
        self._switch_to(self._files.append(self._name))
        assert self._raw is not None
        return self._raw

    def _switch_to(self, opening: contextlib.AbstractContextManager[IO[bytes]]) -> None:
        with contextlib.ExitStack() as fresh:
            raw = fresh.enter_context(opening)
            before, self._opened, self._raw = self._opened, fresh.pop_all(), raw
            before.close()

    def _rotate(self, coming: int) -> IO[bytes]:
        """Go on with the file that now has the name, after putting the full one aside if nobody else did."""
        while True:
            with self._files.append(self._name) as current:
                lock(current.fileno())
                try:
                    if not self._is_named(current):
                        continue
                    if os.fstat(current.fileno()).st_size + coming > self._max_bytes:
                        self._put_aside()
                finally:
                    unlock(current.fileno())
            return self._open()

    def _is_named(self, file: IO[bytes]) -> bool:
        with self._files.append(self._name) as named:
            return os.path.samestat(os.fstat(named.fileno()), os.fstat(file.fileno()))

    def _put_aside(self) -> None:
        try:
            for number in range(self._backup_count - 1, 0, -1):
                if self._files.exists(f"{self._name}.{number}"):
                    self._files.replace(f"{self._name}.{number}", f"{self._name}.{number + 1}")
            self._files.replace(self._name, f"{self._name}.1")
            self._too_long = self._max_bytes
        except OSError as error:
            # Windows does not rename a file that another process has open: the log goes on and is tried again later.
            self._too_long += self._max_bytes
            self._complain(f"cannot be put aside: {error}")

    def _complain(self, problem: str) -> None:
        if not self._complained:
            self._complained = True
            print(f"warning: the log {self._name} {problem}", file=sys.stderr)


def _write(raw: IO[bytes], line: bytes) -> None:
    written = raw.write(line)
    while written is not None and written < len(line):
        line = line[written:]
        written = raw.write(line)
