"""The operation that cuts the extremes of numbers."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import attrs
import numpy as np
import pandas as pd

from pamola_tasks import OperationContext, OperationResult, writes
from pamola_tasks.errors import DataError, ParameterError
from pamola_tasks.validators import number

from .column_operation import ColumnOperation
from .columns import is_number, require, require_numbers, wrong
from .counted import Counted
from .roles import CODED

if TYPE_CHECKING:
    from pamola_tasks.operation import Scope


def _share(operation: Any, attribute: attrs.Attribute[Any], value: Any) -> None:
    if value is not None and not (is_number(value) and 0 < value < 1):
        raise wrong(operation, attribute.name, "a number between 0 and 1", value)


class TopBottomCodeOperation(ColumnOperation):
    """Replace numbers above a highest and below a lowest value by that value: extremes are easy to recognize.

    Top and bottom coding as in A. Hundepool et al.: Statistical Disclosure Control, Wiley 2012, chapter 3. Missing
    values stay missing, whole numbers stay whole.

    Args:
        input_dataset: The table.
        output_dataset: What the coded table is called.
        columns: Columns of numbers, coded alike.
        top: The highest value that is published.
        bottom: The lowest value that is published.
        top_quantile: The same by share: 0.99 takes as `top` the least value that 99 % of the values do not exceed. An
            alternative to `top`.
        bottom_quantile: An alternative to `bottom`: the least value that this share of the values does not exceed.
        on_identifiers: What happens to other columns of a published table that look like direct identifiers: `warn`
            keeps them, `drop` leaves them out, `fail` refuses to continue.
        insensitive_attributes: Columns that are harmless, whatever they look like.
        output_format: `csv`, `parquet` …, where it should differ from the task's.
    """

    output_dataset: str = writes("{input}_coded")
    top: int | float | None = attrs.field(default=None, validator=number())
    bottom: int | float | None = attrs.field(default=None, validator=number())
    top_quantile: float | None = attrs.field(default=None, validator=_share)
    bottom_quantile: float | None = attrs.field(default=None, validator=_share)

    version = "1.1"
    done = CODED

    def __attrs_post_init__(self) -> None:
        for end in ("top", "bottom"):
            if getattr(self, end) is not None and getattr(self, f"{end}_quantile") is not None:
                raise ParameterError(f"TopBottomCodeOperation: give `{end}` or `{end}_quantile`, not both")
        if all(getattr(self, name) is None for name in ("top", "bottom", "top_quantile", "bottom_quantile")):
            raise ParameterError(
                "TopBottomCodeOperation: nothing to cut: give `top`, `bottom`, `top_quantile` or `bottom_quantile`"
            )
        for low, high in (("bottom", "top"), ("bottom_quantile", "top_quantile")):
            least, most = getattr(self, low), getattr(self, high)
            if least is not None and most is not None and least > most:
                raise ParameterError(f"TopBottomCodeOperation: `{low}` ({least}) is above `{high}` ({most})")

    @property
    def scope(self) -> Scope:
        """Quantiles are those of the whole column."""
        stated = self.top_quantile is None and self.bottom_quantile is None
        return self.scope_of("row" if stated else "aggregate")

    def execute(self, ctx: OperationContext) -> OperationResult:
        """Find the thresholds over the whole table where they are shares, then cut chunk by chunk."""
        require(ctx, self.input_dataset, {"columns": self.columns})
        by_share = self.top_quantile is not None or self.bottom_quantile is not None
        counted = Counted.of(ctx, self.input_dataset, self.columns) if by_share else None
        limits = {name: self._limits(ctx, counted, name) for name in self.columns}
        cut = {name: {"bottom": 0, "top": 0} for name in self.columns}

        def code(piece: pd.DataFrame) -> pd.DataFrame:
            coded: dict[str, pd.Series[Any]] = {}
            for name in self.columns:
                column = piece[name]
                require_numbers(ctx, self.input_dataset, column, "columns")
                low, high = limits[name]
                cut[name]["bottom"] += 0 if low is None else int((column < low).fillna(False).sum())
                cut[name]["top"] += 0 if high is None else int((column > high).fillna(False).sum())
                coded[name] = _clipped(column, low, high)
            return piece.assign(**coded)

        rows, _, looks_like = self.rewritten(ctx, code)
        thresholds = {name: {"bottom": low, "top": high} for name, (low, high) in limits.items()}
        return OperationResult.success({"rows": rows, "thresholds": thresholds, "cells_coded": cut, **looks_like})

    def _limits(
        self, ctx: OperationContext, counted: Counted | None, name: str
    ) -> tuple[int | float | None, int | float | None]:
        if counted is None:
            return self.bottom, self.top
        column, count = counted.values(name)
        require_numbers(ctx, self.input_dataset, column, "columns")
        if not len(column):
            raise DataError(
                f"{self.input_dataset}: column {name} (named in `columns`) has no values, so it has no quantiles: state"
                f" `top` and `bottom` as numbers, or leave the column out"
            )
        values = column.to_numpy()
        order = np.argsort(values)
        values, up_to = values[order], np.cumsum(count[order])
        low, high = self.bottom, self.top
        if self.bottom_quantile is not None:
            low = _quantile(values, up_to, self.bottom_quantile)
        if self.top_quantile is not None:
            high = _quantile(values, up_to, self.top_quantile)
        if low is not None and high is not None and low > high:
            ends = [
                f"`{end}_quantile`" if getattr(self, f"{end}_quantile") else f"`{end}`" for end in ("bottom", "top")
            ]
            raise DataError(
                f"{self.input_dataset}: for column {name}, the threshold of {ends[0]} is above that of {ends[1]}: state"
                f" both as quantiles, or both as numbers"
            )
        return low, high


def _quantile(values: Any, up_to: Any, share: float) -> int | float:
    """The least value that at least this share of all does not exceed, given how many are up to each sorted value.

    The inverse of the empirical distribution function, definition 1 of R. J. Hyndman and Y. Fan, The American
    Statistician 50(4), 1996.
    """
    # in floats, 0.56 of a hundred values is a little more than 56 of them
    rank = math.ceil(Fraction(str(share)) * int(up_to[-1]))
    found: int | float = values[np.searchsorted(up_to, rank)].item()
    return found


def _clipped(column: pd.Series[Any], low: int | float | None, high: int | float | None) -> pd.Series[Any]:
    """Cut a column; it becomes one of floats, or of larger numbers, only for thresholds that it could not hold."""
    limits = [limit for limit in (low, high) if limit is not None]
    if pd.api.types.is_integer_dtype(column.dtype):
        if not all(float(limit).is_integer() for limit in limits):
            column = column.astype("Float64" if column.isna().any() else "float64")
            return column.clip(low, high)
        low, high = (None if limit is None else int(limit) for limit in (low, high))
    least, most = _held_by(column)
    if low is not None and low > most:
        return _all_alike(column, low)
    if high is not None and high < least:
        return _all_alike(column, high)
    # numpy would take a threshold modulo the size of its type
    return column.clip(None if low is None or low <= least else low, None if high is None or high >= most else high)


def _all_alike(column: pd.Series[Any], limit: int | float) -> pd.Series[Any]:
    """A column of which all values are cut to a limit that its type does not hold."""
    large = pd.api.types.is_float_dtype(column.dtype) or abs(limit) >= 2**63
    return pd.Series(limit, index=column.index, dtype="Float64" if large else "Int64").where(column.notna())


def _held_by(column: pd.Series[Any]) -> tuple[int | float, int | float]:
    """The least and the greatest number that a column of this type can hold."""
    dtype: Any = column.dtype
    kind: np.dtype[Any] = getattr(dtype, "numpy_dtype", dtype)
    if kind.kind in "iu":
        whole = np.iinfo(kind)
        return int(whole.min), int(whole.max)
    held = np.finfo(kind)
    return float(held.min), float(held.max)
