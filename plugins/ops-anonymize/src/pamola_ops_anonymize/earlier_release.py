"""How pseudonyms join an earlier table: the share of them that it knows, and of its own that come again."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from pamola_tasks import OperationContext

from .columns import distinct_texts


class DistinctTexts:
    """The different texts of a column, from pieces, by eight bytes of a hash each."""

    def __init__(self) -> None:
        self.hashes: npt.NDArray[np.uint64] = np.zeros(0, dtype=np.uint64)

    def add(self, column: pd.Series[Any]) -> None:
        """Look at a piece of the column."""
        texts = [text.encode("utf-8", "replace").decode() for text in distinct_texts(column)[1]]
        self.hashes = np.union1d(self.hashes, pd.util.hash_array(np.array(texts, dtype=object), categorize=False))


def compared(
    ctx: OperationContext, dataset: str, columns: dict[str, str], here: dict[str, DistinctTexts]
) -> dict[str, dict[str, Any]]:
    """For each column, by the name here: how many pseudonyms are known in that of the earlier table."""
    earlier = {name: DistinctTexts() for name in columns}
    for piece in ctx.data.chunks(dataset, columns=list(dict.fromkeys(columns.values()))):
        for name, there in columns.items():
            earlier[name].add(piece[there])
    found: dict[str, dict[str, Any]] = {}
    for name in columns:
        ours, theirs = here[name].hashes, earlier[name].hashes
        known = len(np.intersect1d(ours, theirs))
        found[name] = {
            "distinct": len(ours),
            "distinct_earlier": len(theirs),
            "known": known,
            "share_known": round(known / len(ours), 6) if len(ours) else None,
            "share_of_earlier": round(known / len(theirs), 6) if len(theirs) else None,
        }
    return found
