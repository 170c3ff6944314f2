"""How a release of a table larger than memory comes into the register: what it keeps is collected piece by piece."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from .columns import columns_of_person
from .domains import Ints
from .registering import Registration, stated_columns, ways_to_recognise

if TYPE_CHECKING:
    from pamola_tasks import OperationContext

    from .measures import Grouping
    from .release import Release
    from .same_persons import Hashes, Traits

BYTES = 60
"""What a record takes while releases are compared, for each way to recognise persons."""


class CountedRegistration(Registration):
    """The same for a table of which the combinations are known, and the records are seen once, in pieces.

    Args:
        operation: The step.
        ctx: Where it runs.
        rows: How many records the table has.
        values_of: Of a column how many different values it has, and in how many records.
        identifiers: Its direct identifiers.
    """

    def __init__(
        self,
        operation: Any,
        ctx: OperationContext,
        rows: int,
        values_of: Callable[[Any], tuple[int, int]],
        identifiers: Sequence[Any],
    ) -> None:
        self._values_of = values_of
        super().__init__(operation, ctx, pd.DataFrame(), identifiers)
        self._rows = rows
        self._seen: list[Ints] = []
        self._hashed: dict[str, list[Hashes]] = {}
        self._kept = pd.DataFrame()

    @property
    def bytes(self) -> int:
        """About how much memory it takes to compare the release with earlier ones."""
        return BYTES * self._rows * len(self.columns)

    def see(self, piece: pd.DataFrame, combination: Ints) -> None:
        """Note whose the records of a piece are, and which combination each has."""
        self._seen.append(combination.astype(np.int32))
        for columns in self.columns:
            hashes = self.hashes_of_persons(piece[columns])
            self._hashed.setdefault(" + ".join(columns), []).append(hashes)

    def seen(self, kept: pd.DataFrame) -> None:
        """All pieces were seen; `kept` are the combinations."""
        self._kept = kept
        self._of = np.concatenate(self._seen) if self._seen else np.zeros(0, dtype=np.int32)
        self._seen.clear()

    def _identifying(self, identifiers: Sequence[Any]) -> list[list[str]]:
        operation = self._operation
        if operation.register is False:
            return []
        stated = stated_columns(operation) or columns_of_person(operation.person)
        if stated:
            return [sorted(stated)]
        found = {name: self._values_of(name) for name in dict.fromkeys(identifiers)}
        return ways_to_recognise({name: counted for name, counted in found.items() if counted[1]})

    @cached_property
    def _persons(self) -> dict[str, Hashes]:
        found = {name: np.concatenate(parts) for name, parts in self._hashed.items()}
        self._hashed.clear()
        return found

    @cached_property
    def _origins(self) -> Hashes:
        return np.asarray(self.hashes_of_origins(self._kept)[self._of])

    @cached_property
    def _trait_hashes(self) -> dict[str, Traits]:
        return {name: column[self._of] for name, column in self.hashes_of_traits(self._kept).items()}

    def _values_before(self, frame: pd.DataFrame) -> dict[str, Hashes]:
        return {name: column[self._of] for name, column in self.value_hashes(self._kept).items()}

    def _released(self, release: Release, grouping: Grouping) -> tuple[Ints, Ints, dict[str, Hashes]]:
        place = np.full(len(self._kept), -1, dtype=np.int64)
        place[release.coded.index] = np.arange(len(release.coded))
        at = place[self._of]
        released = np.flatnonzero(at >= 0)
        at = at[released]
        values = {name: column[at] for name, column in self.value_hashes(release.coded).items()}
        return released, grouping.group[at], values
