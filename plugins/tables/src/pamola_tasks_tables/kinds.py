"""A column of rows that are sorted: its dtype in all pieces together, how it is stored, and the order of its cells."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa

from pamola_tasks_tables.coding import Column, in_one
from pamola_tasks_tables.order import have_order, ranks

if TYPE_CHECKING:
    from pamola_tasks_tables.protocol import Ints

_KEPT = ("string", "date", "time", "empty")  # objects that Arrow gives back as they were
_MANY = 1 << 16  # texts that are too many for categories
_ENOUGH = 2  # of a type, to see whether its objects have an order


class Kind:
    """What is known of a column from the pieces that were seen.

    Texts of which there are few are held as categories, whose numbers are sorted, stored and moved faster.
    """

    def __init__(self) -> None:
        self.dtype: Any = None  #: in which all pieces are held together
        self.as_text = False  #: whether its cells have no order among each other, and go by their text
        self._dtypes: list[Any] = []
        self._categories: pd.Index[Any] | None = None
        self._some: dict[Any, list[Any]] = {}  # a few objects of each type
        self._objects = Column("object")
        self._texts: Column | None = None  # while there are few
        self._has_many_texts = False
        self._known: pd.Index[Any] = pd.Index([])  # these
        self._ranked: tuple[Any, tuple[Ints, int]] = None, (np.zeros(0, dtype=np.int64), 0)

    @property
    def order(self) -> tuple[bool, bool]:
        """What decides which of two cells comes first; it changes only where cells of another type come."""
        return isinstance(self.dtype, pd.CategoricalDtype) and not self._few_texts, self.as_text

    @property
    def _few_texts(self) -> bool:
        """Whether the column is held as categories and given back as text."""
        return self._texts is not None and len(self._dtypes) == 1 and isinstance(self._dtypes[0], pd.StringDtype)

    def see(self, piece: pd.Series[Any]) -> pd.Series[Any]:
        """Learn from the next piece; as it is held."""
        held = self._held(piece)
        self._learn(piece)
        if self._few_texts:
            self.dtype = pd.CategoricalDtype(self._known)
        return held

    def shown(self, cells: pd.Series[Any]) -> pd.Series[Any]:
        """Cells as they came."""
        if not self._few_texts:
            return cells
        values: Any = pd.Series(self._known, dtype=self._dtypes[0]).array
        if not len(values):
            return cells.astype(self._dtypes[0])
        return pd.Series(values.take(cells.cat.codes.to_numpy(), allow_fill=True))

    def _held(self, piece: pd.Series[Any]) -> pd.Series[Any]:
        if self._has_many_texts or not isinstance(piece.dtype, pd.StringDtype):
            return piece
        if self._texts is None:
            self._texts = Column(str(piece.dtype))
        codes = self._texts.codes(piece)
        if self._texts.count > _MANY:
            self._texts, self._has_many_texts = None, True
            if self._dtypes:
                self.dtype = self._common()
            return piece
        if len(self._known) < self._texts.count - 1:
            self._known = pd.Index(self._texts.values())
        return pd.Series(pd.Categorical.from_codes(codes - 1, dtype=pd.CategoricalDtype(self._known)))

    def _learn(self, piece: pd.Series[Any]) -> None:
        dtype: Any = piece.dtype
        if isinstance(dtype, pd.CategoricalDtype):
            categories = dtype.categories
            known = self._categories
            if known is not None and categories is not known:
                new = categories[~categories.isin(known)]
                categories = known.append(new) if len(new) else known
            self._categories, dtype = categories, pd.CategoricalDtype(categories, dtype.ordered)
            self._dtypes = [each for each in self._dtypes if not isinstance(each, pd.CategoricalDtype)]
        if dtype not in self._dtypes:
            self._dtypes.append(dtype)
            self.dtype = self._common()
        if self._note(piece) and pd.api.types.is_object_dtype(self.dtype):
            some = [each for listed in self._some.values() for each in listed]
            self.as_text = not have_order(pd.Series(some, dtype=object))

    def together(self, parts: Sequence[pd.Series[Any]]) -> pd.Series[Any]:
        """Parts of the column, one after the other."""
        if isinstance(self.dtype, pd.CategoricalDtype):
            codes = [part.cat.set_categories(self.dtype.categories).cat.codes.to_numpy() for part in parts]
            return pd.Series(pd.Categorical.from_codes(np.concatenate(codes), dtype=self.dtype))
        return pd.concat([part.astype(self.dtype) for part in parts], ignore_index=True)

    def ranks(self, cells: pd.Series[Any]) -> tuple[Ints, int]:
        """The rank of each of these cells among them."""
        if not isinstance(cells.dtype, pd.CategoricalDtype):
            return ranks(cells, as_text=self.as_text)
        categories = cells.cat.categories
        if self._ranked[0] is not categories:
            self._ranked = (
                categories,
                ranks(pd.Series(pd.Categorical.from_codes(range(-1, len(categories)), dtype=cells.dtype))),
            )
        (rank, count) = self._ranked[1]
        return rank[cells.cat.codes.to_numpy() + 1], count

    def stored(self, cells: pd.Series[Any]) -> tuple[Any, bool]:
        """Cells as Arrow stores them, and whether as numbers of objects that are kept here."""
        if isinstance(self.dtype, pd.CategoricalDtype):
            return pa.array(cells.cat.codes.to_numpy().astype(np.int32)), False
        if not pd.api.types.is_object_dtype(self.dtype) or pd.api.types.infer_dtype(cells, skipna=True) in _KEPT:
            try:
                return in_one(pa.array(cells, from_pandas=True)), False
            except pa.ArrowException:  # a dtype that Arrow does not have
                pass
        return pa.array(self._objects.codes(cells)), True

    def restored(self, stored: Any, dtype: Any, as_objects: bool) -> pd.Series[Any]:
        """Cells that were stored when they had this dtype."""
        cells: Any
        if as_objects:
            cells = self._objects.cells(stored.to_numpy())
        elif isinstance(dtype, pd.CategoricalDtype):
            cells = pd.Categorical.from_codes(stored.to_numpy(), dtype=dtype)
        elif hasattr(dtype, "__from_arrow__"):
            cells = dtype.__from_arrow__(stored)
        else:
            cells = stored.to_pandas()
        found: pd.Series[Any] = pd.Series(cells, dtype=dtype)
        return found

    def _common(self) -> Any:
        of_categories = [isinstance(each, pd.CategoricalDtype) for each in self._dtypes]
        if any(of_categories):
            return self._dtypes[0] if all(of_categories) else np.dtype(object)
        return pd.concat([pd.Series([], dtype=each) for each in self._dtypes]).dtype

    def _note(self, piece: pd.Series[Any]) -> bool:
        """Keep a few objects of each type; whether some are new."""
        before = sum(map(len, self._some.values()))
        if not pd.api.types.is_object_dtype(piece.dtype):
            listed = self._some.setdefault(str(piece.dtype), [])
            if len(listed) < _ENOUGH:
                listed += piece.dropna().head(_ENOUGH).astype(object).tolist()
        else:
            types = piece.map(type)
            for each in types[piece.notna()].unique():
                listed = self._some.setdefault(each, [])
                if len(listed) < _ENOUGH:
                    listed += [cell for cell in piece[types == each].tolist() if cell not in listed][:_ENOUGH]
        return sum(map(len, self._some.values())) > before
