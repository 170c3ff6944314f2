"""The operation that replaces values by more general ones: intervals, periods, groups."""

from __future__ import annotations

import bisect
import calendar
import itertools
import math
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal

import attrs
import numpy as np
import pandas as pd

from pamola_tasks import OperationContext, OperationResult, reads, writes
from pamola_tasks.errors import DataError, DataRefused, ParameterError
from pamola_tasks.validators import number

from .column_operation import ColumnOperation
from .columns import (
    MISSING,
    belongs_to,
    distinct_texts,
    is_number,
    one_of,
    positive,
    require,
    require_numbers,
    text_column,
    text_of,
    wrong,
)
from .hierarchies import key_of, labels_at
from .hierarchy_files import stated_hierarchy
from .notation import ISO_MOMENT, SUPPRESSED, category_set, interval
from .read_as_text import to_be_read_as
from .roles import GROUPED
from .stated_values import as_in_column, told_of_absent

if TYPE_CHECKING:
    from pamola_tasks.operation import Scope

Method = Literal["interval", "period", "groups", "hierarchy"]
Period = Literal["month", "quarter", "year", "decade"]
Outside = Literal["suppress", "keep", "fail"]

_BELONGS = {
    "interval": ("width", "origin", "edges"),
    "period": ("period",),
    "groups": ("groups", "labels"),
    "hierarchy": ("hierarchies", "levels"),
}
_OFFSET = re.compile(r"([T ].*?)(?:Z|[+-][0-9:]+)$")
_MONTHS = {"month": 1, "quarter": 3, "year": 12, "decade": 120}


def _ascending(operation: Any, attribute: attrs.Attribute[Any], value: Any) -> None:
    if value is None:
        return
    fits = isinstance(value, (list, tuple)) and len(value) >= 2 and all(is_number(edge) for edge in value)
    if not fits or any(low >= high for low, high in itertools.pairwise(value)):
        raise wrong(operation, attribute.name, "a list of at least two numbers in ascending order", value)


class GeneralizeOperation(ColumnOperation):
    """Replace values by intervals, periods, groups or labels of a hierarchy that contain them.

    Global recoding as in A. Hundepool et al.: Statistical Disclosure Control, Wiley 2012, chapter 3: the same value is
    always written alike. Missing values stay missing. No class size is promised; `AnonymizeOperation` does that.

    Args:
        input_dataset: The table.
        output_dataset: What the generalized table is called.
        columns: The columns to generalize, in one way.
        method: `interval` for numbers, `period` for dates, `groups` for categories, `hierarchy` for any of them.
        width: With `interval`: how wide each is: with 10, an age of 34 becomes `[30,39]`.
        origin: With `interval` and `width`: where one of the intervals begins.
        edges: With `interval`, in place of `width`: where they begin, and last where the last one ends: with
            `[0, 18, 65, 120]` an age of 34 becomes `[18,64]`. The last edge belongs to the last interval.
        period: With `period`: `month`, `quarter`, `year` or `decade`.
        groups: With `groups`: for each label the values that it means, as they are written in the file or once read.
        labels: With `groups`: write the label; else the set of values, `{Divorced|Separated}`.
        hierarchies: With `hierarchy`: for each column the dataset that holds its hierarchy: a line a value, first the
            value, then what it becomes at each level.
        levels: With `hierarchy`: for each column which of its levels is written, 1 for the first generalization.
        outside: What happens to a value outside all edges, groups or lines of its hierarchy: `suppress` writes `*`,
            `keep` leaves it as it is, `fail` refuses to continue.
        on_identifiers: What happens to other columns of a published table that look like direct identifiers: `warn`
            keeps them, `drop` leaves them out, `fail` refuses to continue.
        insensitive_attributes: Columns that are harmless, whatever they look like.
        output_format: `csv`, `parquet` …, where it should differ from the task's.
    """

    output_dataset: str = writes("{input}_generalized")
    method: Method = attrs.field(validator=one_of(Method))
    width: int | float | None = attrs.field(default=None, validator=positive)
    origin: int | float = attrs.field(default=0, validator=number())
    edges: list[int | float] | None = attrs.field(default=None, validator=_ascending)
    period: Period | None = None
    groups: dict[str, list[str | int | float | bool]] | None = None
    labels: bool = True
    hierarchies: dict[str, str] = reads(attrs.Factory(dict))
    levels: dict[str, int] = attrs.field(factory=dict)
    outside: Outside = attrs.field(default="suppress", validator=one_of(Outside))

    version = "1.2"
    done = GROUPED

    def __attrs_post_init__(self) -> None:
        belongs_to(self, "method", _BELONGS)
        if self.method == "interval" and (self.width is None) == (self.edges is None):
            raise ParameterError("GeneralizeOperation: `method: interval` needs either `width` or `edges`")
        if self.edges is not None and self.origin != 0:
            raise ParameterError("GeneralizeOperation: `origin` has no effect with `edges`")
        if self.method == "period" and self.period not in _MONTHS:
            raise wrong(self, "period", f"one of {', '.join(_MONTHS)}", self.period)
        if self.method == "groups":
            self._check_groups()
        if self.method == "hierarchy":
            self._check_levels()

    def _check_levels(self) -> None:
        for option in ("hierarchies", "levels"):
            named = set(getattr(self, option))
            for problem, names in (("lacks", set(self.columns) - named), ("has", named - set(self.columns))):
                if names:
                    told = ", ".join(sorted(names)) + ("" if problem == "lacks" else ", which `columns` does not")
                    raise ParameterError(f"GeneralizeOperation: `{option}` {problem} {told}: each column needs its own")
        for column, level in self.levels.items():
            if isinstance(level, bool) or not isinstance(level, int) or level < 1:
                raise wrong(self, "levels", f"whole numbers of 1 or more (that of {column})", level)

    def _check_groups(self) -> None:
        if not isinstance(self.groups, dict) or not self.groups:
            raise wrong(self, "groups", "a mapping from labels to lists of values", self.groups)
        seen: set[str] = set()
        for label, values in self.groups.items():
            if not isinstance(label, str) or not isinstance(values, (list, tuple)) or not values:
                raise ParameterError(f"GeneralizeOperation: `groups`: {label!r} has to be text with a list of values")
            members = {text_of(value) for value in values}
            if members & seen:
                raise ParameterError(f"GeneralizeOperation: `groups`: a value of {label!r} is in another group too")
            seen |= members

    def _groups(self, ctx: OperationContext, name: str) -> dict[str, tuple[str, str]]:
        """For each value of a column, as text, what is written for it, and the label of its group."""
        written: dict[str, tuple[str, str]] = {}
        for label, values in (self.groups or {}).items():
            members = sorted(set(as_in_column(ctx, self.input_dataset, name, values)))
            if not written.keys().isdisjoint(members):
                raise DataError(
                    f"{self.input_dataset}, `groups`: a value of {label!r} is the same in {name} as one of"
                    f" another group: leave one of them out"
                )
            written |= dict.fromkeys(members, (label if self.labels else category_set(members), label))
        return written

    def _check_used(self, ctx: OperationContext, used: dict[str, set[str]], before: dict[str, set[str]]) -> None:
        """Refuse groups and lines that fit no value of a column at all; warn of groups that fit none of any column."""
        groups = list(self.groups or ())
        for name in self.columns:
            if self.method in ("groups", "hierarchy") and before[name] and not used[name] and self.outside != "keep":
                if groups:
                    raise DataError(f"{self.input_dataset}: {told_of_absent('groups', [name], groups)}")
                raise DataError(
                    f"{self.hierarchies[name]}: no value of {name} has a line in its hierarchy: write them as the file"
                    f" of {self.input_dataset} does, without blanks around them, or set data: {{trim: true}}"
                )
        absent = [label for label in groups if not any(label in labels for labels in used.values())]
        if absent and any(before.values()):
            ctx.warn(f"{self.input_dataset}: {told_of_absent('groups', self.columns, absent)}")

    @property
    def scope(self) -> Scope:
        """Whether all numbers of a column are whole, or none of its values is in a group, needs a look at all rows."""
        settings = [self.origin, self.width or 1, *(self.edges or [])]
        fractions = self.method == "interval" and not all(float(value).is_integer() for value in settings)
        refused = self.method in ("groups", "hierarchy") and self.outside == "suppress"
        own = fractions if self.method == "interval" else not refused
        return self.scope_of("row" if own else "aggregate")

    def execute(self, ctx: OperationContext) -> OperationResult:
        """Generalize chunk by chunk; check that each cell was written or counted."""
        require(ctx, self.input_dataset, {"columns": self.columns})
        labels = {name: self._labels(ctx, name) for name in self.hierarchies}
        whole = {name: self.method == "interval" and self._whole_numbers(ctx, name) for name in self.columns}
        groups = {name: self._groups(ctx, name) for name in self.columns} if self.method == "groups" else {}
        used: dict[str, set[str]] = {name: set() for name in self.columns}
        outside = dict.fromkeys(self.columns, 0)
        before: dict[str, set[str]] = {name: set() for name in self.columns}
        after: dict[str, set[str]] = {name: set() for name in self.columns}
        done = 0

        def generalize(piece: pd.DataFrame) -> pd.DataFrame:
            nonlocal done
            written: dict[str, pd.Series[str]] = {}
            for name in self.columns:
                codes, texts = distinct_texts(piece[name])
                if name in groups:
                    used[name].update(groups[name][text][1] for text in texts if text in groups[name])
                    general = [groups[name].get(text, (None,))[0] for text in texts]
                elif name in labels:
                    general = [labels[name].get(text) for text in self._keys(ctx, name, texts)]
                    used[name].update(cell for cell in general if cell is not None)
                else:
                    general = self._generalized(ctx, piece[name], whole[name], done)
                count = np.bincount(codes[codes != MISSING], minlength=len(texts))
                strays = [position for position, cell in enumerate(general) if cell is None]
                outside[name] += int(count[strays].sum())
                cells = [self._stray(text) if cell is None else cell for text, cell in zip(texts, general, strict=True)]
                before[name].update(texts)
                after[name].update(cells)
                written[name] = text_column(codes, cells, piece.index)
                if int(written[name].isna().sum()) != int(piece[name].isna().sum()):
                    raise DataRefused(
                        f"{self.output_dataset}: column {name} has not as many missing values as {self.input_dataset}:"
                        f" the table is not released. This is a fault of the operation, please report it"
                    )
            done += len(piece)
            return piece.assign(**written)

        rows, _, looks_like = self.rewritten(ctx, generalize)
        self._check_used(ctx, used, before)
        for name, count in outside.items():
            if count and self.outside == "keep":
                ctx.warn(f"{self.output_dataset}: {count:,} values of {name} are outside and were left unchanged")
        if self.outside == "fail" and any(outside.values()):
            told = "; ".join(f"{count:,} of {name}" for name, count in outside.items() if count)
            raise DataError(
                f"{self.input_dataset} has values outside all {self._bounds()}: {told}. Name"
                f" them there, or set `outside: suppress` or `keep`"
            )
        return OperationResult.success(
            {
                "rows": rows,
                "method": self.method,
                "cells_outside": outside,
                "distinct_before": {name: len(found) for name, found in before.items()},
                "distinct_after": {name: len(found) for name, found in after.items()},
                **looks_like,
            }
        )

    def _bounds(self) -> str:
        return "`edges`" if self.edges else "`hierarchies`" if self.hierarchies else "`groups`"

    def _labels(self, ctx: OperationContext, name: str) -> dict[Any, str]:
        """What each value of a column becomes, by `key_of` the value."""
        lines, file = stated_hierarchy(ctx, self.hierarchies[name], name, of=self.input_dataset)
        return labels_at(lines, name, file, self.levels[name], numbers=self._has_numbers(ctx, name))

    def _keys(self, ctx: OperationContext, name: str, texts: list[str]) -> list[Any]:
        numbers = self._has_numbers(ctx, name)
        return [key_of(text, numbers=numbers) for text in texts]

    def _has_numbers(self, ctx: OperationContext, name: str) -> bool:
        dtype = ctx.data.schema(self.input_dataset)[name]
        return pd.api.types.is_numeric_dtype(dtype) and not pd.api.types.is_bool_dtype(dtype)

    def _stray(self, text: str) -> str:
        return text if self.outside == "keep" else SUPPRESSED

    def _whole_numbers(self, ctx: OperationContext, name: str) -> bool:
        """Whether intervals of a column end at whole numbers; looked up over the whole column, not per chunk."""
        settings = [self.origin, self.width or 1, *(self.edges or [])]
        if not all(float(value).is_integer() for value in settings):
            return False
        if pd.api.types.is_integer_dtype(ctx.data.schema(self.input_dataset)[name]):
            return True
        ctx.stage("counting")
        for piece in ctx.data.chunks(self.input_dataset, columns=[name]):
            require_numbers(ctx, self.input_dataset, piece[name], "columns")
            values = piece[name].dropna().to_numpy(dtype=np.float64)
            if (values != np.trunc(values))[np.isfinite(values)].any():
                return False
        return True

    def _generalized(self, ctx: OperationContext, column: pd.Series[Any], whole: bool, before: int) -> list[str | None]:
        """What is written for each distinct value of a column behind so many records; None for one outside."""
        _, values = pd.factorize(column)
        if self.method == "period":
            return [self._period_of(stamp) for stamp in self._stamps(ctx, column, values, before)]
        require_numbers(ctx, self.input_dataset, column, "columns")
        cell: Callable[[Any], str | None] = self._between_edges(whole) if self.edges else self._of_width(whole)
        return [cell(value) if math.isfinite(value) else None for value in values]

    def _of_width(self, whole: bool) -> Callable[[Any], str | None]:
        assert self.width is not None
        width, origin = self.width, self.origin

        def cell(value: Any) -> str:
            if whole:  # without dividing: beyond 2^53, floats have gaps
                begin = int(value) - (int(value) - int(origin)) % int(width)
                return _interval_of(begin, begin + int(width) - 1)
            number_of = math.floor((value - origin) / width)
            low, high = origin + number_of * width, origin + (number_of + 1) * width
            # the quotient may have been rounded across an edge: the interval has to contain its value
            return _interval_of(min(low, value), max(high, value))

        return cell

    def _between_edges(self, whole: bool) -> Callable[[Any], str | None]:
        assert self.edges is not None
        edges = self.edges

        def cell(value: Any) -> str | None:
            position = bisect.bisect_right(edges, value) - 1
            last = len(edges) - 2
            if value == edges[-1]:
                position = last
            if not 0 <= position <= last:
                return None
            low, high = edges[position], edges[position + 1]
            if whole:
                return _interval_of(int(low), int(high) - (position < last))
            return _interval_of(low, high)

        return cell

    def _stamps(self, ctx: OperationContext, column: pd.Series[Any], values: Any, before: int) -> pd.DatetimeIndex:
        if pd.api.types.is_datetime64_any_dtype(column.dtype):
            return pd.DatetimeIndex(values)
        if pd.api.types.is_numeric_dtype(column.dtype):
            hint = to_be_read_as(ctx, self.input_dataset, str(column.name), "date", "datetime")
            raise DataError(
                f"{self.input_dataset}: column {column.name} (named in `columns`) holds numbers, no dates: "
                + (hint or "`method: period` is for dates, `interval` for numbers")
            )
        try:
            if not all(ISO_MOMENT.fullmatch(value) for value in values if isinstance(value, str)):
                raise ValueError
            # the period is that of the day as it is written, also where offsets change
            days = [_OFFSET.sub(r"\1", value) if isinstance(value, str) else value for value in values]
            found = pd.DatetimeIndex(pd.to_datetime(pd.Series(days, dtype=object), format="ISO8601"))
        except (ValueError, TypeError, OverflowError):
            found = None  # what was raised is not chained: its text has a value of the data in it
        if found is None or found.hasnans:  # pandas takes an empty text, and "nan", for a missing date
            odd = [at for at, value in enumerate(column) if isinstance(value, str) and not ISO_MOMENT.fullmatch(value)]
            where = f", the first in record {before + odd[0] + 1:,}" if odd else ""
            hint = to_be_read_as(ctx, self.input_dataset, str(column.name), "date", "datetime")
            raise DataError(
                f"{self.input_dataset}: column {column.name} (named in `columns`) holds values that are not ISO"
                f" dates (2026-03-01){where}: "
                + (
                    hint
                    or "state how they are written in `data_types`, such as"
                    f' {column.name}: {{type: date, format: "%d.%m.%Y"}}'
                )
            )
        return found

    def _period_of(self, stamp: pd.Timestamp) -> str:
        assert self.period is not None
        months = _MONTHS[self.period]
        first = (stamp.year * 12 + stamp.month - 1) // months * months
        last = first + months - 1
        days = calendar.monthrange(last // 12, last % 12 + 1)[1]
        # by hand, since the day after 9999-12-31, which often stands for "never", is none; nor is there a year 0
        begin = f"{max(1, first // 12):04}-{first % 12 + 1:02}-01"
        return interval(begin, f"{last // 12:04}-{last % 12 + 1:02}-{days:02}")


def _interval_of(low: Any, high: Any) -> str:
    """A closed interval of numbers; one that holds a single number is that number."""
    return text_of(low) if low == high else interval(text_of(low), text_of(high))
