"""Which record of the input each released record is: a file that is not to be released."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import AbstractContextManager
from typing import IO, TYPE_CHECKING, Any

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from pamola_tasks import OperationContext

ROW_ID = "row_id"


def row_ids_file(ctx: OperationContext, operation: Any) -> AbstractContextManager[IO[bytes]]:
    """The file of a step, to be written."""
    written = operation.output_dataset
    return ctx.artifact(
        f"{written}_row_ids",
        "csv",
        f"Which record of {operation.input_dataset} each record of {written} is: not to be released",
        category="internal",
    )


def lines(numbers: Iterable[int]) -> bytes:
    """Numbers of records, one a line."""
    return "".join(f"{number}\n" for number in numbers).encode()


class Numbered:
    """Records that come in pieces, with their numbers in a last column until they are in their place.

    Args:
        file: Takes the numbers.
        columns: Those of the table.
    """

    def __init__(self, file: IO[bytes], columns: Iterable[Any]) -> None:
        self._file = file
        self._name = ROW_ID
        there = set(columns)
        while self._name in there:
            self._name += "_"
        self._before = 0
        file.write(f"{ROW_ID}\n".encode())

    def added(self, piece: pd.DataFrame) -> pd.DataFrame:
        """The next piece of the input with its numbers: sorted by all cells, records that are alike stay in order."""
        numbers = np.arange(self._before, self._before + len(piece), dtype=np.int64)
        self._before += len(piece)
        return piece.assign(**{self._name: numbers})

    def taken(self, piece: pd.DataFrame) -> pd.DataFrame:
        """The next piece of the output without them, which are written."""
        self._file.write(lines(piece[self._name].tolist()))
        return piece.drop(columns=self._name)
