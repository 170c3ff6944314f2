"""The installed command line on a terminal, and what is left on its screen."""

from __future__ import annotations

import os
import re
import signal
import struct
from pathlib import Path

from command_line import SCRIPT
from installed import clean_environment


def on_a_terminal(folder: Path, home: Path, *arguments: str, columns: int = 80, until: str = "") -> str:
    """What a command writes to a terminal. When it has written a text, it gets Ctrl-C."""
    import fcntl
    import pty
    import termios

    pid, descriptor = pty.fork()
    if pid == 0:
        environment = {**clean_environment(home), "TERM": "xterm", "LC_ALL": "C.UTF-8"}
        for name in ("CI", "CONTINUOUS_INTEGRATION", "COLUMNS"):
            environment.pop(name, None)
        os.chdir(folder)
        os.execve(SCRIPT, [str(SCRIPT), *arguments], environment)
    fcntl.ioctl(descriptor, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    written = b""
    while True:
        try:
            piece = os.read(descriptor, 65536)
        except OSError:  # Linux says so that the other end was closed
            piece = b""
        if not piece:
            os.waitpid(pid, 0)
            return written.decode()
        written += piece
        if until and until in written.decode(errors="replace"):
            os.kill(pid, signal.SIGINT)
            until = ""


def screen_after(text: str, columns: int = 80) -> list[str]:
    """What is left on a screen that is high enough not to scroll."""
    lines, row, column = [""], 0, 0
    for part in re.findall(r"\x1b\[[0-9;]*[A-Za-z]|\r|\n|[^\x1b\r\n]+", text):
        if up := re.fullmatch(r"\x1b\[(\d*)A", part):
            row = max(row - int(up[1] or 1), 0)
        elif part == "\x1b[J":
            lines[row:] = [lines[row][:column]]
        elif part == "\r":
            column = 0
        elif part == "\n":
            row += 1
            lines += [""] * (row + 1 - len(lines))
        elif not part.startswith("\x1b"):
            lines[row] = lines[row].ljust(column)[:column] + part + lines[row][column + len(part) :]
            column += len(part)
    return [line.rstrip() for line in lines]
