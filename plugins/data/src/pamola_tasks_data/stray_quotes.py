"""Quotes within quoted cells of a CSV file that are not doubled: readers drop some and keep others, each in its way."""

from __future__ import annotations

import re
from typing import IO, TYPE_CHECKING

import numpy as np

from pamola_tasks.errors import DataError
from pamola_tasks_data.dialect import BYTE_ORDER_MARK

if TYPE_CHECKING:
    from pamola_tasks_data.dialect import CsvHead

_BLOCK = 1 << 22
_PIECE = 1 << 19  # bytes that stay in the cache of a processor
_END, _QUOTE = 1, 2  # what ends a cell, and a quote


class StrayQuotes:
    """Looks for quotes within quoted cells: in bulk while a file is read, and where there may be some once more."""

    def __init__(self, head: CsvHead) -> None:
        self._marks = [mark.encode(head.encoding) for mark in (head.quotechar, head.delimiter)]
        self._mark = BYTE_ORDER_MARK.encode(head.encoding) if head.encoding.startswith("utf") else b""
        self._single = all(len(mark) == 1 for mark in self._marks)  # bytes a character
        self._inside = self._opened = False

    def look_at(self, data: bytes | bytearray | memoryview) -> None:
        """Look at some bytes of the file, without regard to those before and behind."""
        if not self._single or (self._inside and self._opened):
            return
        quote, delimiter = (mark[0] for mark in self._marks)
        kinds = np.zeros(256, np.uint8)
        kinds[[delimiter, ord("\n"), ord("\r")]] = _END
        kinds[quote] = _QUOTE
        marks = np.frombuffer(data, np.uint8)
        self._opened = self._opened or (len(marks) > 0 and marks[0] == quote)
        found = np.empty(min(_PIECE, len(marks)), np.bool_)  # made once: new memory takes longer than to compare
        for begin in range(0, len(marks), _PIECE):
            piece = marks[begin : begin + _PIECE]
            places = np.flatnonzero(np.equal(piece, quote, out=found[: len(piece)])) + begin
            if len(places) and (places[0] == 0 or places[-1] == len(marks) - 1):
                places = places[(places > 0) & (places < len(marks) - 1)]
            before, behind = kinds.take(marks.take(places - 1)), kinds.take(marks.take(places + 1))
            self._opened = self._opened or bool((before == _END).any())
            self._inside = self._inside or not np.logical_or(before, behind).all()
            if self._inside and self._opened:
                return

    def check(self, file: IO[bytes]) -> None:
        """Refuse a file that has one, with its line."""
        if not (self._inside and self._opened):
            return
        quote, delimiter = map(re.escape, self._marks)
        # `(?>…)` round repeated groups, which Python before 3.11.5 mistakes with `*+`
        cell = quote + rb"(?>(?:[^%b]++|%b%b)*)%b" % (quote, quote, quote, quote)
        before = rb"(?<![^%b\r\n])" % delimiter
        rest = rb"(?<=[^%b\r\n])%b" % (delimiter, quote)
        whole = re.compile(rb"(?>(?:[^%b]++|%b%b *+(?=[%b\r\n]|\Z)|%b)*)" % (quote, before, cell, delimiter, rest))
        closed = re.compile(cell)
        file.seek(0)
        data, ends = file.read(_BLOCK).removeprefix(self._mark), [0, 0]
        while data:
            more = file.read(_BLOCK)
            found = whole.match(data)
            end = found.end() if found else 0
            if end < len(data) and (stray := closed.match(data, end)) and stray.end() < len(data):
                line = 1 + max(_counted(ends, data, stray.end()))
                raise DataError(
                    f"line {line:,}: a quote within a quoted cell is not doubled: double it, or set default_quotechar"
                    f" if {self._marks[0].decode()} is not the file's quote character"
                )
            if not more:
                return
            begin = end if end < len(data) else data.rfind(b"\n") + 1
            ends = _counted(ends, data, begin)
            data = data[begin:] + more


def _counted(ends: list[int], data: bytes, upto: int) -> list[int]:
    """Line feeds and carriage returns before a place, with those of earlier bytes."""
    return [ends[0] + data.count(b"\n", 0, upto), ends[1] + data.count(b"\r", 0, upto)]
