"""Reading a file that grows: what has come since it was read last, in whole lines."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pamola_tasks.errors import PathSecurityError

if TYPE_CHECKING:
    from pamola_tasks.protocols import Files

MOST = 8 << 20  # bytes that are read at once; of a file that has more the end
_HEAD = 256


class Following:
    """One file, which may come, grow, be replaced and go.

    Args:
        name: The file, as `run.places` says.
        most: How much of what is there already is read.
    """

    def __init__(self, name: str, most: int = MOST) -> None:
        self.name = name
        self._most = most
        self._seen: tuple[int, int] | None = None  # its state when it was read last
        self._head = b""  # its first bytes: another file at its place has others
        self._at = 0
        self._rest = b""

    def read(self, files: Files) -> tuple[bool, list[str]]:
        """Whether it is another file than before (nothing of that one counts any more), and the lines that came."""
        try:
            stat = files.stat(self.name)
            if self._seen == (stat.ctime_ns, stat.size):
                return False, []
            with files.open_raw(self.name) as file:
                head = file.read(_HEAD)
                anew = self._at == 0 or not head.startswith(self._head)
                if anew:
                    self._at, self._rest = max(0, stat.size - self._most), b""
                cut = anew and self._at > 0
                file.seek(self._at)
                came = file.read(MOST)
        except (OSError, PathSecurityError):
            gone, self._seen, self._head, self._at, self._rest = self._at > 0, None, b"", 0, b""
            return gone, []
        self._at += len(came)
        self._seen, self._head = (stat.ctime_ns, stat.size) if self._at >= stat.size else None, head
        *lines, rest = (self._rest + came).split(b"\n")
        self._rest = rest if len(rest) < MOST else b""
        return anew, [line.decode("utf-8", "replace") for line in lines[1 if cut else 0 :]]
