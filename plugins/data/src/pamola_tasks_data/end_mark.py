"""The end of a CSV file: a row behind the last one, which shows that no quote is open there."""

from __future__ import annotations

from typing import IO, TYPE_CHECKING, Any

from pamola_tasks_data.expanding import Borrowed

if TYPE_CHECKING:
    from collections.abc import Callable

    from pamola_tasks_data.dialect import CsvHead


class EndMark:
    """A row behind the last one, which is read as that unless a quote is still open there."""

    def __init__(self, head: CsvHead) -> None:
        self._cell = next(mark for mark in "\x03\x04\x05" if mark not in (head.delimiter, head.quotechar))
        self._encoding = head.encoding
        self._row = head.delimiter.join([self._cell] * len(head.header)) + "\n"
        self.room = len(f"\n{self._row}".encode(self._encoding))  #: bytes that it has at most

    def behind(self, tail: bytes) -> bytes:
        """The row for a file that ends with these bytes, at least four if it has so many."""
        ended = tail.decode(self._encoding, "replace").endswith(("\n", "\r"))
        return (self._row if ended else f"\n{self._row}").encode(self._encoding)

    def ends(self, text: Any) -> bool:
        """Whether it is the last row of a table or batch of text."""
        return bool(text.num_rows) and text.column(0)[text.num_rows - 1].as_py() == self._cell


class ReadAhead(Borrowed):
    """A file that Arrow reads ahead of what it gives. Its thread waits for itself for ever if it is left before the end
    or a read fails: so what fails is the end of the file, and raised later."""

    ended = False
    problem: Exception | None = None

    quoted = False  #: a quote was read

    def __init__(self, file: IO[bytes], end: EndMark, quote: bytes, look_at: Callable[[bytes], None]) -> None:
        super().__init__(file)
        self._end, self._quote, self._look_at = end, quote, look_at
        self._over, self._tail, self._left = False, b"", b""

    def read(self, size: int = -1) -> bytes:
        try:
            return b"" if self.ended else self._next(size)
        except Exception as problem:
            self.ended, self.problem = True, problem
            return b""

    def _next(self, size: int) -> bytes:
        """The next bytes of the file and, in one piece with the last of them, its end mark."""
        if self._over:
            data, self._left = self._left[:size], self._left[size:]
            return data
        data = super().read(size)
        while 0 < len(data) < size and (more := super().read(size - len(data))):
            data += more
        self._tail = (self._tail + data[-4:])[-4:]
        if self._quote in data:
            self.quoted = True
            self._look_at(data)
        if len(data) == size:
            return data
        self._over = True
        data += self._end.behind(self._tail)
        self._left = data[size:]
        return data[:size]
