"""What follows from three and more releases at once: bounds of how many records of each block have each value.

A block are the records that are in the same classes of all releases. How often a value occurs in a class is the sum
over the blocks in it, and the number of records of a block the sum over its values. From these sums each number gets a
lowest and a highest possible value, until nothing changes any more (bounds consistency of linear equations: F. Rossi,
P. van Beek and T. Walsh: Handbook of Constraint Programming, 2006, chapter 3). What is excluded so is impossible; not
everything that is impossible is found, which would be NP-hard with three sides (R. W. Irving and M. R. Jerrum:
Three-dimensional statistical data security problems, SIAM Journal on Computing 23(1), 1994).
"""

from __future__ import annotations

from collections.abc import Sequence

import attrs
import numpy as np
import pandas as pd

from .domains import Ints, Mask

_ROUNDS = 50


@attrs.frozen(eq=False)
class Blocks:
    """Records by their classes in all releases.

    Attributes:
        of: The block of each record.
        example: A record of each block.
        classes: Shape (releases, blocks): the class in each, below 0 where the records are not in it.
    """

    of: Ints
    example: Ints
    classes: Ints

    @classmethod
    def of_classes(cls, classes: Sequence[Ints]) -> Blocks:
        """From the class of each record in each release."""
        of = np.zeros(len(classes[0]), dtype=np.int64)
        for each in classes:
            of = pd.factorize(of * (int(each.max(initial=-1)) + 2) + each + 1)[0].astype(np.int64)
        example = np.unique(of, return_index=True)[1]
        return cls(of, example, np.array([each[example] for each in classes]))

    def certain(self, value: Ints, block: Ints, possible: Ints) -> Mask:
        """Of each record, whether one value alone is possible.

        Args:
            value: The true value of each record, from 0: how often it occurs in each class is known.
            block: For each value that a block may have, the block, ascending.
            possible: That value.
        """
        size = np.bincount(self.of)
        width = int(max(value.max(initial=0), possible.max(initial=0))) + 1
        sums: list[tuple[Ints, Ints, Ints]] = [(np.arange(len(block)), block, size)]
        for classes in self.classes:
            inside = np.flatnonzero(classes[block] >= 0)
            keys, which = np.unique(classes[block[inside]] * width + possible[inside], return_inverse=True)
            records = classes[self.of] >= 0
            true, times = np.unique(classes[self.of[records]] * width + value[records], return_counts=True)
            total = np.zeros(len(keys), dtype=np.int64)
            total[np.searchsorted(keys, true)] = times
            sums.append((inside, which.ravel(), total))
        low, high = np.zeros(len(block), dtype=np.int64), size[block]
        for _ in range(_ROUNDS):
            before = low.copy(), high.copy()
            for at, which, total in sums:
                least = np.bincount(which, weights=low[at], minlength=len(total)).astype(np.int64)
                high[at] = np.minimum(high[at], (total - least)[which] + low[at])
                most = np.bincount(which, weights=high[at], minlength=len(total)).astype(np.int64)
                low[at] = np.maximum(low[at], (total - most)[which] + high[at])
            if np.array_equal(before[0], low) and np.array_equal(before[1], high):
                break
        left = np.bincount(block[high > 0], minlength=len(size))
        return np.asarray(left[self.of] == 1)
