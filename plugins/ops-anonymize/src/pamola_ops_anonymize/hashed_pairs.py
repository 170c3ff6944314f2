"""Pairs of texts that come in pieces, counted by their hashes: memory is bounded, however many there are."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from .domains import Ints

Hashes = npt.NDArray[np.uint64]

MOST = 1 << 22
"""Pairs that are kept, 16 bytes each: up to so many are counted exactly, but for equal hashes of 64 bits."""

_AT_LEAST = 1 << 18  # pairs that wait to be compared with the others

_TEXT = pa.large_string()


class HashedPairs:
    """Different pairs of a group and a member, both texts.

    Of more than `MOST` pairs a random part of the groups is kept: those whose hashes are below a threshold, which is
    halved whenever there are too many (distinct sampling, P. B. Gibbons, VLDB 2001). It depends on the pairs only, not
    on the pieces they come in.

    Args:
        of_group: How many members of a group are kept; all unless given.
    """

    def __init__(self, of_group: int | None = None) -> None:
        self._of_group = of_group
        self._groups: Hashes = np.zeros(0, dtype=np.uint64)
        self._members: Hashes = np.zeros(0, dtype=np.uint64)
        self._waiting: list[tuple[Hashes, Hashes]] = []
        self._more = 0
        self._halved = 0

    def add(self, groups: Any, members: Any) -> None:
        """Look at some pairs, which may repeat: two Arrow arrays of text, or lists."""
        of_groups, of_members = _hashes(groups), _hashes(members)
        if self._halved:
            below = of_groups < self._limit
            of_groups, of_members = of_groups[below], of_members[below]
        self._waiting.append((of_groups, of_members))
        self._more += len(of_groups)
        if self._more > max(_AT_LEAST, len(self._groups)):
            self._put_together()

    @property
    def members(self) -> Ints:
        """How many different members each group has, of the groups that are kept."""
        self._put_together()
        first = np.flatnonzero(np.append(True, self._groups[1:] != self._groups[:-1])[: len(self._groups)])
        return np.diff(np.append(first, len(self._groups))).astype(np.int64)

    @property
    def times(self) -> int:
        """How many groups each of them represents: 1 where all are kept."""
        self._put_together()
        return 1 << self._halved

    @property
    def _limit(self) -> np.uint64:
        return np.uint64(2 ** (64 - self._halved))

    def _put_together(self) -> None:
        if not self._waiting:
            return
        groups, members = (
            np.concatenate(each) for each in zip((self._groups, self._members), *self._waiting, strict=True)
        )
        order = np.lexsort((members, groups))
        groups, members = groups[order], members[order]
        new = (groups[1:] != groups[:-1]) | (members[1:] != members[:-1])
        first = np.append(True, new)[: len(groups)]
        groups, members = groups[first], members[first]
        if self._of_group is not None and len(groups) > self._of_group:
            few = groups[self._of_group :] != groups[: -self._of_group]
            stays = np.append(np.ones(self._of_group, dtype=bool), few)
            groups, members = groups[stays], members[stays]
        self._groups, self._members, self._waiting, self._more = groups, members, [], 0
        while len(self._groups) > MOST and self._groups[0] != self._groups[-1]:
            self._halved += 1
            kept = int(np.searchsorted(self._groups, self._limit))
            self._groups, self._members = self._groups[:kept], self._members[:kept]


def _hashes(texts: Any) -> Hashes:
    if not isinstance(texts, pa.Array):
        texts = pa.array([text.encode("utf-8", "replace").decode() for text in texts], _TEXT)
    return pd.util.hash_array(texts.to_numpy(zero_copy_only=False), categorize=False)
