"""The statistics that `PrivateStatisticsOperation` is asked for: their parameters, checked before anything is read."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import attrs

from pamola_tasks.errors import ParameterError
from pamola_tasks.parameters import build

from .columns import is_number, text_of

Kind = Literal["count", "persons", "sum", "mean", "histogram", "quantiles"]
Key = str | int | float | bool

QUARTILES = [0.25, 0.5, 0.75]

# For each kind of statistic what it needs, and what it may have.
_NEEDS: Mapping[str, tuple[set[str], set[str]]] = {
    "count": (set(), {"column"}),
    "persons": (set(), set()),
    "sum": ({"column", "bounds"}, set()),
    "mean": ({"column", "bounds"}, set()),
    "histogram": ({"column"}, {"edges", "categories"}),
    "quantiles": ({"column", "bounds"}, {"quantiles", "candidates"}),
}


@attrs.frozen(kw_only=True)
class Statistic:
    """One statistic, of all records or of each group.

    Attributes:
        kind: `count` of records, or of the cells of `column`; `persons`, distinct; `sum`, `mean`, `histogram` and
            `quantiles` of `column`.
        column: The column.
        bounds: The lowest and the highest value, known without looking at the data; values are cut to them.
        edges: The edges of bins, ascending; the last one belongs to the last bin. Values outside count nowhere.
        categories: The values to count, known without looking at the data. Others count nowhere.
        quantiles: Numbers between 0 and 1; the quartiles unless given.
        candidates: From how many values, evenly spaced within `bounds`, quantiles are chosen; 101 unless given.
        share: Its part of the privacy loss, beside the shares of the others.
    """

    kind: Kind
    column: str | None = None
    bounds: list[int | float] | None = None
    edges: list[int | float] | None = None
    categories: list[Key] | None = None
    quantiles: list[float] | None = None
    candidates: int | None = None
    share: float = 1.0

    def problem(self) -> str:
        """What is wrong with its parameters, in words."""
        needed, allowed = _NEEDS[self.kind]
        given = {
            name
            for name in ("column", "bounds", "edges", "categories", "quantiles", "candidates")
            if getattr(self, name) is not None
        }
        if missing := sorted(needed - given):
            return f"a {self.kind} needs `{missing[0]}`"
        if idle := sorted(given - needed - allowed):
            return f"`{idle[0]}` does nothing with `kind: {self.kind}`"
        if self.kind == "histogram" and (self.edges is None) == (self.categories is None):
            return "a histogram needs either `edges` or `categories`"
        if self.bounds is not None and not (len(self.bounds) == 2 and ascending(self.bounds)):
            return "`bounds` has to be a list of the lowest and the highest value"
        if self.edges is not None and not (len(self.edges) > 1 and ascending(self.edges)):
            return "`edges` has to be a list of two ascending numbers or more"
        if self.categories is not None and not distinct(self.categories):
            return "`categories` has to be a list of different values"
        if self.quantiles is not None and not (self.quantiles and all(0 < each < 1 for each in self.quantiles)):
            return "`quantiles` has to be a list of numbers between 0 and 1"
        if self.candidates is not None and not 2 <= self.candidates <= 10_000:
            return "`candidates` has to be a whole number from 2 to 10,000"
        return "" if is_number(self.share) and self.share > 0 else "`share` has to be a finite number above 0"


def ascending(values: Sequence[Any]) -> bool:
    """Whether these are finite numbers, each greater than the one before."""
    return all(map(is_number, values)) and all(low < high for low, high in itertools.pairwise(values))


def distinct(values: Sequence[Any]) -> bool:
    """Whether there are values, and each reads differently."""
    return bool(values) and len({key_text(value) for value in values}) == len(values)


def key_text(value: Any) -> str:
    """A value as it is compared with a group or category; booleans as in files."""
    return str(value).lower() if str(value) in ("True", "False") else text_of(value)


def asked(statistics: Any) -> dict[str, Statistic]:
    """The statistics by name.

    Raises:
        ParameterError: One cannot be made, with its name.
    """
    if not isinstance(statistics, Mapping) or not statistics:
        raise ParameterError("PrivateStatisticsOperation: `statistics` has to name at least one statistic")
    found = {}
    for name, parameters in statistics.items():
        what = f"PrivateStatisticsOperation: `statistics`, {name}"
        if not isinstance(parameters, Mapping):
            raise ParameterError(f"{what}: has to be a mapping with `kind`")
        statistic = build(Statistic, parameters, what=what)
        if problem := statistic.problem():
            raise ParameterError(f"{what}: {problem}")
        found[str(name)] = statistic
    return found
