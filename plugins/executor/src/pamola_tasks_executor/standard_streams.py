"""Standard output and error of this process, which are there again after a step that has replaced or closed them."""

from __future__ import annotations

import contextlib
import os
import sys
from typing import Any

_NAMES = {1: "stdout", 2: "stderr"}


class StandardStreams:
    """What they are now, until `put_back`."""

    def __init__(self) -> None:
        self._objects = sys.stdin, sys.stdout, sys.stderr
        self._numbers = {name: _number_of(getattr(sys, name)) for name in _NAMES.values()}
        self._copies: dict[int, int] = {}
        for number in _NAMES:
            with contextlib.suppress(OSError):  # the process has none
                self._copies[number] = os.dup(number)

    def put_back(self) -> None:
        """Make them what they were."""
        sys.stdin, sys.stdout, sys.stderr = self._objects
        for number, copy in self._copies.items():
            with contextlib.suppress(OSError):  # the step has closed the copy too
                if not _same(number, copy):
                    os.dup2(copy, number)
                os.close(copy)
        for name, its in self._numbers.items():
            closed: Any = getattr(sys, name)
            if its is not None and closed.closed:
                how = {"encoding": closed.encoding, "errors": closed.errors}
                setattr(sys, name, os.fdopen(its, "w", buffering=1, closefd=False, **how))


def _number_of(stream: Any) -> int | None:
    """The descriptor of a stream that writes to one."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        return int(stream.fileno())
    return None


def _same(number: int, copy: int) -> bool:
    """Whether two descriptors are of one open file, as far as the system says."""
    try:
        return os.path.samestat(os.fstat(number), os.fstat(copy))
    except OSError:
        return False
