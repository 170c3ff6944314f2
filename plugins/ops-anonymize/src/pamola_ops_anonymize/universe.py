"""A column of the whole table, by whose values parts of the table are encoded alike."""

from __future__ import annotations

from typing import Any

import attrs
import numpy as np
import pandas as pd

from pamola_tasks.errors import DataError

from .domains import Codes, Domain, Ints, encode
from .located import distinct_values


@attrs.frozen(eq=False)
class Universe:
    """The different cells of a column of the whole table.

    Attributes:
        domain: They as a domain; a missing cell has the code `domain.size`.
    """

    domain: Domain
    _values: pd.Index[Any]
    _code_of: Ints

    @classmethod
    def of(cls, cells: pd.Series[Any], count: Ints, dtype: Any) -> Universe:
        """From the cells that pieces of the table had, with a missing one where there is any.

        Args:
            cells: Each once.
            count: How many records have each.
            dtype: The dtype of the table's column.
        """
        if isinstance(dtype, pd.CategoricalDtype) and not isinstance(cells.dtype, pd.CategoricalDtype):
            cells = pd.Series(pd.Categorical(cells), name=cells.name)
        domain, codes = encode(cells, count)
        which, values = distinct_values(cells)
        code_of = np.full(len(values) + 1, domain.size, dtype=np.int64)
        code_of[which] = codes
        return cls(domain, values, code_of)

    def codes(self, column: pd.Series[Any]) -> Ints:
        """The codes of cells of the table.

        Raises:
            DataError: The table did not have one of them before.
        """
        which, values = distinct_values(column)
        place = self._values.get_indexer(values)
        if (place < 0).any():
            raise DataError(f"column {column.name} has values that it had not when it was counted: the table changes")
        return np.asarray(self._code_of[np.append(place, len(self._values))[which]])

    def encoded(self, column: pd.Series[Any]) -> tuple[Domain, Codes]:
        """The domain, and the codes of cells of the table, as `encode` gives them."""
        return self.domain, self.codes(column).astype(np.min_scalar_type(-self.domain.size - 1))
