"""Whether equal identifiers in two tables are the same persons', or only the same numbers.

Most identifiers are: an e-mail address or a number of a national register is one person's wherever it is. Numbers from
1 on, with the same letters around them or none, are those of each table's own list, and names are those of several
people. Such identifiers are the same persons' if their other attributes say so, beyond what chance does (J. Cohen: A
coefficient of agreement for nominal scales, Educational and Psychological Measurement 20, 1960), or, where these say
nothing, if the columns have the same name. What the project file states of populations comes first.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import attrs
import numpy as np
import numpy.typing as npt
import pandas as pd

from .alike import all_as_read
from .columns import distinct_texts
from .domains import Ints
from .persons import holds_names
from .pseudonyms import keyed_hash

if TYPE_CHECKING:
    from pamola_tasks.protocols import RunServices

Hashes = npt.NDArray[np.uint64]
Traits = npt.NDArray[np.uint16]

DENSE = 100
"""A numbering has at most so many numbers, used or not, for each person."""

AGREEMENT = 0.5
"""Least kappa of an attribute by which equal identifiers are the same persons'."""

FEWEST = 20
"""With fewer persons in both tables, attributes that do not agree say nothing."""

_DEVIATIONS = 4
_NUMBERED = re.compile(r"(\D*)(\d{1,18})(\D*)")


class Numbering:
    """Whether identifiers that come in pieces are numbers of a list, with the same text before and behind each."""

    def __init__(self) -> None:
        self._around: tuple[str, str] | None = None
        self._low, self._high = 0, -1
        self._fits = True

    def add(self, texts: Iterable[str]) -> None:
        """Look at some identifiers."""
        for text in texts:
            if not self._fits:
                return
            found = _NUMBERED.fullmatch(text)
            if found is None or self._around not in (None, (found[1], found[3])):
                self._fits = False
                return
            number = int(found[2])
            self._low = number if self._around is None else min(self._low, number)
            self._high = max(self._high, number)
            self._around = found[1], found[3]

    def span(self, persons: int) -> int:
        """How many numbers there are from the least to the greatest, for so many persons; 0 unless it is a list."""
        width = self._high - self._low + 1
        return width if self._fits and width <= DENSE * max(1, persons) else 0


def span_of(numbering: Iterable[Numbering], persons: int) -> int:
    """The same of several columns together: 0 unless each is a list."""
    return math.prod(each.span(persons) for each in numbering)


def hashed(column: pd.Series[Any], key: bytes, missing: int | None = None) -> Hashes:
    """Keyed hashes of 64 bits of the cells, as a reader distinguishes them; of missing ones as of empty texts."""
    codes, texts = distinct_texts(column)
    shown = [*all_as_read(texts).to_pylist(), ""]
    hashes = np.array([int.from_bytes(digest[:8]) or 1 for digest in keyed_hash(key)(shown)], dtype=np.uint64)
    if missing is not None:
        hashes[-1] = missing
    return np.asarray(hashes[codes])


def hashes_of_persons(part: pd.DataFrame, key: bytes) -> Hashes:
    """Of records whose they are, by some columns together; 0 where a cell is missing."""
    return hashed(together(part).where(part.notna().all(axis=1)), key, missing=0)


def together(part: pd.DataFrame) -> pd.Series[Any]:
    """One text for the cells of each record, as a reader distinguishes them; different for different ones."""
    texts = pd.Series("", index=part.index)
    for name in part.columns:
        codes, distinct = distinct_texts(part[name])
        shown = [f"{len(text)}:{text}" for text in all_as_read(distinct).to_pylist()]
        texts = texts + np.array([*shown, "-"], dtype=object)[codes]
    return texts


def population_of(run: RunServices, dataset: str) -> str:
    """Whose persons the identifiers of a dataset number, as the project file states it; empty where it does not."""
    stated = getattr(run.config.plugin("ops-anonymize"), "populations", None) or {}
    return str(stated.get(dataset, ""))


@attrs.frozen(eq=False)
class Identified:
    """How a table identifies persons, by one way.

    Attributes:
        by: The column, or several joined by ` + `.
        span: Of numbers of a list how many there are from the least to the greatest; 0 for other identifiers.
        persons: How many persons the table has.
        population: What the project file calls its persons; empty where it says nothing.
    """

    by: str
    span: int
    persons: int
    population: str

    @property
    def loose(self) -> bool:
        """Whether equal identifiers may be those of different persons."""
        return self.span > 0 or holds_names(self.by)


@attrs.frozen
class Judged:
    """Whether equal identifiers are the same persons', and why, in words."""

    same: bool
    why: str


def judged(
    one: Identified, other: Identified, equal: int, mine: Mapping[str, Traits], theirs: Mapping[str, Traits]
) -> Judged:
    """Judge equal identifiers of two tables.

    Args:
        one: The way of the one table.
        other: That of the other.
        equal: How many identifiers are equal.
        mine: Attributes of the persons in both, as the one table has them.
        theirs: The same persons' in the other.
    """
    both = one.by if one.by == other.by else f"{one.by} and {other.by}"
    if one.population and other.population:
        same = one.population == other.population
        return Judged(same, f"the project file states {'one population' if same else 'two populations'}")
    if not (one.loose or other.loose):
        return Judged(True, f"equal identifiers in {both}")
    what = "numbers of a list" if one.span or other.span else "names"
    best, said = None, 0
    for name, x in mine.items():
        for called, y in theirs.items():
            found = kappa(x, y)
            if found is not None:
                said += len(x) >= FEWEST
                if found >= AGREEMENT and (best is None or found > best[0]):
                    best = found, name if name == called else f"{name} and {called}"
    if best is not None:
        return Judged(True, f"equal {what} in {both}, with the same {best[1]} far beyond chance")
    if said:
        return Judged(False, f"equal {what} in {both}, but no attribute that agrees more than by chance")
    if one.by == other.by:
        return Judged(True, f"equal {what} in {both}, the same column")
    if _beyond_chance(one, other, equal):
        return Judged(True, f"equal {what} in {both}, and numbers that are left out in both")
    return Judged(False, f"equal {what} in columns of different names, {both}")


def _beyond_chance(one: Identified, other: Identified, equal: int) -> bool:
    """Whether more numbers are equal than if each table had drawn its own from the span of both."""
    drawn, among, span = one.persons, other.persons, max(one.span, other.span)
    if not (one.span and other.span) or span <= max(drawn, among):
        return False
    mean = drawn * among / span
    deviation = (mean * (1 - drawn / span) * (1 - among / span)) ** 0.5
    return equal > mean + _DEVIATIONS * deviation + 1 and 2 * equal >= min(drawn, among)


def kappa(one: Traits, other: Traits) -> float | None:
    """Cohen's kappa of two attributes of the same persons: 1 where they agree, 0 where only as often as by chance.

    Returns:
        None where an attribute has only one value; 0 where it may be chance.
    """
    count = len(one)
    if not count:
        return None
    shares = [np.bincount(each, minlength=1 << 16) / count for each in (one, other)]
    expected = float(shares[0] @ shares[1])
    if max(share.max() for share in shares) == 1:
        return None
    agree = float((one == other).mean())
    if agree - expected <= _DEVIATIONS * (expected * (1 - expected) / count) ** 0.5:
        return 0.0
    return (agree - expected) / (1 - expected)


def traits_of(hashes: Hashes | Ints) -> Traits:
    """The first 16 bits of hashes: enough to see whether attributes agree."""
    return (np.asarray(hashes, dtype=np.uint64) >> np.uint64(48)).astype(np.uint16)
