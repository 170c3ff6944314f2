"""Records by which it is judged what a table is like: all of a small one, a random sample of a larger one."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import attrs
import numpy as np
import numpy.typing as npt
import pandas as pd

from pamola_tasks import OperationContext

SAMPLE = 100_000
"""Records of a sample; all records of a table that has no more."""

_KEPT = SAMPLE + SAMPLE // 4  # while a table is read

Records = Callable[[pd.DataFrame], pd.DataFrame]


@attrs.frozen(eq=False)
class Sample:
    """A random sample of the records of a table, the same each time, however the table is cut into pieces.

    Each record draws a number, and those with the least are taken, so that one pass is enough (C. T. Fan, M. E. Muller
    and I. Rezucha, Development of sampling plans by using sequential selection techniques, 1962, method 4).

    Attributes:
        frame: These records, in their order. Its `attrs["records"]` is how many the table has.
        records: How many the table has.
    """

    frame: pd.DataFrame
    records: int

    @classmethod
    def of(
        cls,
        ctx: OperationContext,
        dataset: str,
        columns: Sequence[str] | None = None,
        among: Records | None = None,
        by: Sequence[str] = (),
    ) -> Sample:
        """Read a table in pieces.

        Args:
            columns: Those of the sample; all unless given. Of none, nothing is read.
            among: Gives for a piece the records of it that count; all unless given.
            by: The columns that it needs for this.
        """
        ctx.stage("sampling")
        generator, records, kept, limit = np.random.default_rng(0), 0, 0, 1.0
        pieces: list[pd.DataFrame] = []
        drawn: list[npt.NDArray[np.float64]] = []
        names = None if columns is None else list(dict.fromkeys([*columns, *by]))
        for piece in ctx.data.chunks(dataset, columns=names) if columns is None or columns else ():
            found = piece if among is None else among(piece)
            numbers = generator.random(len(found))
            records += len(found)
            least = numbers < limit
            if least.any() or not pieces:
                pieces.append(found.loc[least, slice(None) if columns is None else list(columns)])
                drawn.append(numbers[least])
                kept += int(least.sum())
            if kept > _KEPT:
                limit, kept = _cut(pieces, drawn), SAMPLE
            ctx.progress(records, None, "rows")
        if kept > SAMPLE:
            _cut(pieces, drawn)
        frame = pd.concat(pieces, ignore_index=True) if pieces else pd.DataFrame(columns=list(columns or ()))
        frame.attrs["records"] = records
        return cls(frame, records)

    @property
    def is_whole(self) -> bool:
        """Whether it has all records."""
        return len(self.frame) == self.records


def _cut(pieces: list[pd.DataFrame], drawn: list[npt.NDArray[np.float64]]) -> float:
    """Keep of the records, in place, those with the least numbers; the number that they are below."""
    numbers = np.concatenate(drawn)
    limit = float(np.partition(numbers, SAMPLE)[SAMPLE])
    pieces[:] = [pd.concat(pieces, ignore_index=True)[numbers < limit]]
    drawn[:] = [numbers[numbers < limit]]
    return limit
