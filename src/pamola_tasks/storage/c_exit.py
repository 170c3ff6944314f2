"""Have C's `exit` end this process with words and code 1 while something is under way. With the GNU C library only.

`exit` calls functions that were registered, and Python may be gone then. So what is registered is `fflush` of two
streams, which do something only if text waits in them: that goes from the one to stderr, from the other to `_exit(1)`.
Both are taken out of the list of all streams, so that a library may flush those.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import sys
import threading
from functools import cache
from typing import Any

_lock = threading.Lock()


def on_exit(words: str) -> None:
    """Say these words if C's `exit` is called from now on; without words, `exit` does what it does."""
    if sys.platform == "linux":
        with contextlib.suppress(AttributeError, OSError), _lock:  # another library: it has not all of the functions
            _prepared()(words)


@cache
def _prepared() -> Any:
    import ctypes

    class Functions(ctypes.Structure):
        _fields_ = [(name, ctypes.c_void_p) for name in ("read", "write", "seek", "close")]

    library = ctypes.CDLL(None)
    pointer, text = ctypes.c_void_p, ctypes.c_char_p
    library.fopencookie.argtypes, library.fopencookie.restype = (pointer, text, Functions), pointer
    library.__cxa_atexit.argtypes = (pointer, pointer, pointer)
    library.fputs.argtypes = (text, pointer)
    for function in (library.__fpurge, library._IO_un_link):
        function.argtypes = (pointer,)

    def address(name: str) -> int | None:
        return ctypes.cast(getattr(library, name), pointer).value

    def stream(writes: str, argument: int) -> int:
        made: int = library.fopencookie(argument, b"w", Functions(None, address(writes), None, None))
        library._IO_un_link(made)
        library.__cxa_atexit(address("fflush"), made, None)
        return made

    ended: list[bool] = []
    end, tell = stream("_exit", 1), stream("write", 2)  # called in the reverse order

    def put(words: str) -> None:
        for each in (end, tell):
            library.__fpurge(each)
        if words and not ended:
            library.fputs(words.encode("utf-8", "replace").replace(b"\0", b"?")[:1000], tell)
            library.fputs(b"x", end)

    def end_of_python() -> None:
        ended.append(True)  # threads may be in the middle of something
        put("")

    os.register_at_fork(after_in_child=lambda: put(""))
    atexit.register(end_of_python)
    return put
