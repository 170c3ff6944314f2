"""Some of the rows of a file, and about how many it has: what its table would take in memory is judged by these."""

from __future__ import annotations

import contextlib
import io
import json
from typing import IO, TYPE_CHECKING, Any

from pamola_tasks.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import pandas as pd

HEADS = (1 << 20, 1 << 22, 1 << 24)  # bytes that are looked at: more where these hold few rows
_ENOUGH = 100  # rows


def csv(file: IO[bytes], columns: Sequence[str] | None, options: Mapping[str, Any]) -> tuple[pd.DataFrame, float]:
    """The first rows of a CSV file."""
    from pamola_tasks_data.csv_reading import read

    quote = (options.get("quotechar") or '"').encode()

    def end_of_rows(head: bytes) -> int:
        end = _line_end(head, len(head))
        while head.count(quote, 0, end) % 2:  # within a cell of several lines
            end = _line_end(head, head.rfind(quote, 0, end))
        return end

    return _of_head(file, lambda head: read(io.BytesIO(head), columns, options), end_of_rows, options)


def lines(file: IO[bytes], columns: Sequence[str] | None, options: Mapping[str, Any]) -> tuple[pd.DataFrame, float]:
    """The first objects of a file of JSON Lines."""
    from pamola_tasks_data.json_files import read_lines

    def read(head: bytes) -> pd.DataFrame:
        return read_lines(io.BytesIO(head), columns, options)

    return _of_head(file, read, lambda head: _line_end(head, len(head)), options)


def array(file: IO[bytes], columns: Sequence[str] | None, options: Mapping[str, Any]) -> tuple[pd.DataFrame, float]:
    """The first objects of an array in JSON."""
    from pamola_tasks_data.json_files import read_array

    def read(head: bytes) -> pd.DataFrame:
        return read_array(io.BytesIO(head if head.rstrip().endswith(b"]") else head + b"]"), columns, options)

    def end_of_objects(head: bytes) -> int:
        text = head.decode(errors="ignore")
        place = end = text.find("[") + 1
        decode = json.JSONDecoder().raw_decode
        while (place := text.find("{", place)) >= 0:
            try:
                _, place = decode(text, place)
            except ValueError:
                break
            end = place
        return len(text[:end].encode())

    return _of_head(file, read, end_of_objects, options)


def _line_end(head: bytes, before: int) -> int:
    """The place behind the last end of a line; a file of old has nothing but carriage returns."""
    return (head.rfind(b"\n", 0, before) + 1) or (head.rfind(b"\r", 0, before) + 1)


def _of_head(
    file: IO[bytes], read: Callable[[bytes], pd.DataFrame], end: Callable[[bytes], int], options: Mapping[str, Any]
) -> tuple[pd.DataFrame, float]:
    """The rows that the first bytes hold, cut at the end of a row, and about how many rows the file has."""
    for most in HEADS:
        file.seek(0)
        head = file.read(most)
        if len(head) < most:
            frame = read(head)
            return frame, len(frame)
        size = end(head)
        with contextlib.suppress(DataError):  # of a header, or a row, that is longer
            frame = read(head[:size])
            if len(frame) >= (_ENOUGH if most < HEADS[-1] else 1):
                return frame, len(frame) * options["size"] / size
    raise DataError("its first rows cannot be read by themselves")
