"""The files of the log: closed segments, which are never appended to again, and the one that is written.

A segment is named by its number; one that replaces several, of which lines were removed, by the first and the last of
them (`000001-000003.jsonl`). That name appears in one step, and from then on those that it replaces do not count.
"""

from __future__ import annotations

import contextlib
import re
from pathlib import PurePosixPath
from typing import IO, TYPE_CHECKING, Any

from pamola_tasks.storage import journal
from pamola_tasks.storage.appending import cut_torn_tail

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pamola_tasks.protocols import Files

_NAME = re.compile(r"(\d{6,})(?:-(\d{6,}))?\.jsonl")


class Segments:
    """The files of one log.

    Args:
        files: The project's files.
        log_path: The one that is written; closed ones are in a folder beside it.
        size: Bytes at which it is closed.
    """

    def __init__(self, files: Files, log_path: str, size: int) -> None:
        self._files = files
        self.log_path = log_path
        self.folder = str(PurePosixPath(log_path).with_suffix(".segments"))
        self._size = size

    def closed(self, upto: int | None = None) -> list[str]:
        """Closed segments, oldest first; with `upto` those that begin with this number or before."""
        return [name for first, _, name in self._numbered()[0] if upto is None or first <= upto]

    def superseded(self) -> list[str]:
        """What is left of segments that another one replaces."""
        return self._numbered()[1]

    def remove_superseded(self) -> None:
        """Remove that, with its indexes."""
        for name in self.superseded():
            self._files.unlink(index_of(name), missing_ok=True)
            self._files.unlink(name, missing_ok=True)

    def _numbered(self) -> tuple[list[tuple[int, int, str]], list[str]]:
        """First and last number and name of the segments that count, and the names of the others; by one look."""
        names, before = self._listed(), None
        while names != before:  # what is replaced while it is looked at could be missing under both names
            names, before = self._listed(), names
        found = []
        for name in names:
            if fits := _NAME.fullmatch(name):
                first, last = int(fits[1]), int(fits[2] or fits[1])
                found.append((first, -last, not fits[2], f"{self.folder}/{name}"))
        counted: list[tuple[int, int, str]] = []
        superseded: list[str] = []
        for first, last, _, name in sorted(found):
            if not counted or -last > counted[-1][1]:
                counted.append((first, -last, name))
            else:
                superseded.append(name)
        return counted, superseded

    def _listed(self, *, empty: bool = False) -> list[str]:
        if not self._files.exists(self.folder):
            return []
        found = self._files.iter(self.folder)
        return [name for name, stat in found if stat.kind == "file" and (stat.size == 0) is empty]

    def planted(self) -> list[str]:
        """Files that have the name of a segment and are empty, as none is that was closed: they count for nothing."""
        return [f"{self.folder}/{name}" for name in self._listed(empty=True) if _NAME.fullmatch(name)]

    def range_of(self, names: list[str]) -> str:
        """The name of a segment that replaces these, or the first one where there are none."""
        numbers = [(first, last) for first, last, name in self._numbered()[0] if name in names] or [(1, 1)]
        return f"{self.folder}/{numbers[0][0]:06}-{numbers[-1][1]:06}.jsonl"

    def exist(self) -> bool:
        """Whether there is a log."""
        return self._files.exists(self.log_path) or bool(self.closed())

    def size(self) -> int:
        """How large it is."""
        total = 0
        for name in [*self.closed(), self.log_path]:
            with contextlib.suppress(FileNotFoundError):
                total += self._files.stat(name).size
        return total

    def ends_line(self, place: Any) -> bool:
        """Whether a line ends after so many bytes of the log."""
        if not isinstance(place, int) or place < 1:
            return False
        for name in [*self.closed(), self.log_path]:
            size = self._files.stat(name).size if self._files.exists(name) else 0
            if place <= size:
                with self._files.open_raw(name) as file:
                    file.seek(place - 1)
                    return file.read(1) == b"\n"
            place -= size
        return False

    # ------------------------------------------------------------ reading

    def oldest_first(self) -> Iterator[tuple[str, IO[bytes]]]:
        """Names and open files, each open until the next is asked for."""
        with self._opened() as (names, written):
            for name in names:
                with self._files.open_raw(name) as file:
                    yield name, file
            if written is not None:
                yield self.log_path, written

    def newest_first(self) -> Iterator[tuple[str, IO[bytes]]]:
        """The same from the last to the first. For what is removed meanwhile, what replaces it is read."""
        with self._opened() as (names, written):
            if written is not None:
                yield self.log_path, written
        while names:
            name = names.pop()
            try:
                with self._files.open_raw(name) as file:
                    yield name, file
            except FileNotFoundError:
                there = self.closed(int(PurePosixPath(name).stem[-6:]))
                if name in there:
                    raise
                names = there

    @contextlib.contextmanager
    def _opened(self) -> Iterator[tuple[list[str], IO[bytes] | None]]:
        """The closed segments, and the open file that follows them, which nobody closed in between."""
        while True:
            with contextlib.ExitStack() as stack:
                names, written = self.closed(), None
                with contextlib.suppress(FileNotFoundError):
                    written = stack.enter_context(self._files.open_raw(self.log_path))
                if self.closed() == names:
                    yield names, written
                    return

    def last_closed_line(self) -> bytes:
        """What the first line of a new file follows."""
        for name in reversed(self.closed()):
            with self._files.open_raw(name) as file:
                if line := next(journal.lines_backwards(file), b""):
                    return line
        return b""

    # ------------------------------------------------------------ closing

    def close(self, at_least: int | None = None) -> None:
        """Close the file that is written where it has so many bytes; unless given, as many as are configured."""
        wanted = self._size if at_least is None else at_least
        if not self._files.exists(self.log_path) or self._files.stat(self.log_path).size < wanted:
            return
        with journal.locked(self._files, self.log_path) as file:
            cut_torn_tail(file)
            if self._files.stat(self.log_path).size < wanted:
                return
            number = max((last for _, last, _ in self._numbered()[0]), default=0) + 1
            closed = f"{self.folder}/{number:06}.jsonl"
            try:
                self._files.mkdirs(self.folder)
                self.remove_superseded()
                self._files.replace(self.log_path, closed)
            except PermissionError:  # no folder may be made there, or no open file renamed: it grows on
                return
            index = index_of(self.log_path)
            if self._files.exists(index):
                self._files.replace(index, index_of(closed))


class Reader:
    """Reads whole lines of all files of a log, without their line ends, and says where it is: in which file and line.

    `torn` are files that do not end with a line end.
    """

    def __init__(self, segments: Segments) -> None:
        self._segments = segments
        self.name, self.line = segments.log_path, 0
        self.torn: list[str] = []

    def forwards(self) -> Iterator[bytes]:
        """From the first to the last."""
        for name, file in self._segments.oldest_first():
            self.name = name
            for self.line, line in enumerate(file, 1):
                if line.endswith(b"\n"):
                    yield line[:-1]
                else:
                    self.torn.append(name)

    def backwards(self) -> Iterator[bytes]:
        """From the last to the first; where lines are numbered is not known then."""
        for self.name, file in self._segments.newest_first():  # noqa: B020
            yield from journal.lines_backwards(file)


def index_of(name: str) -> str:
    """Where the index of a file is."""
    return str(PurePosixPath(name).with_suffix(".idx"))
