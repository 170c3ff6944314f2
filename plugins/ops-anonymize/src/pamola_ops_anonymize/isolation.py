"""Records that a published cell isolates: whose value an end of its interval, or a member of its set, is in its class.

Predicate singling out: A. Cohen and K. Nissim, Towards formalizing the GDPR's notion of singling out, PNAS 117(15),
2020. What is counted here is what anyone can read in a cell, for example that a record of its class has 38 if it is
`[21,38]`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import attrs
import numpy as np
import pandas as pd

from pamola_tasks import OperationContext

from .domains import Domain, Ints, Mask, OrderedDomain, counted, encode
from .grids import least_step
from .measures import Grouping
from .notation import members

_NUMBER = re.compile(r"(?<![\w.])-?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
_MOMENT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}(?:T[0-9:.]+(?:[+-][0-9:]+)?)?")


class Stated:
    """Which values of a column a text states, as ends of an interval or members of a set."""

    def __init__(self, domain: Domain) -> None:
        self._domain = domain
        texts = domain.texts(np.arange(domain.size))
        self._values = set(texts)
        self._dates = isinstance(domain, OrderedDomain) and domain.style in ("day", "instant")
        self._numbers = isinstance(domain, OrderedDomain) and not self._dates
        self._code: dict[Any, int] = {float(text) if self._numbers else text: code for code, text in enumerate(texts)}
        self._step = least_step(domain) if isinstance(domain, OrderedDomain) else None

    def codes(self, cell: str) -> list[int]:
        """The codes of these values; none for a cell that is a single value."""
        if cell in self._values:
            return []
        if self._numbers:
            found = [self._code.get(float(number)) for number in _NUMBER.findall(cell)]
        elif self._dates:
            found = [self._code.get(moment) for moment in _MOMENT.findall(cell)]
        else:
            found = [self._code.get(member) for member in members(cell) or ()]
        found.append(self._last_inside(cell))
        return sorted({code for code in found if code is not None})

    def _last_inside(self, cell: str) -> int | None:
        """Of `[20,40)` in a column of whole numbers 39, which is an end as much as 40 is; of dates the day before."""
        if self._step is None or not (cell.startswith("<") or cell.endswith(")")):
            return None
        if self._numbers:
            numbers = _NUMBER.findall(cell)
            return self._code.get(float(numbers[-1]) - 1) if numbers else None
        moments = _MOMENT.findall(cell)
        return self._code.get(str(np.datetime64(moments[-1]) - np.timedelta64(1, "D"))) if moments else None


@attrs.frozen
class Isolated:
    """How many records of a release are isolated.

    Attributes:
        classes: Equivalence classes with such a record.
        records: Such records.
    """

    classes: int
    records: int


def isolated_in(operation: Any, table: pd.DataFrame, release: Any, grouping: Grouping) -> Isolated:
    """Count the isolated records of a release.

    Args:
        operation: The operation.
        table: The input that was anonymized, by the row labels of the release.
        release: The `Release`.
        grouping: Its classes.
    """
    columns = operation.quasi_identifiers
    coded = release.coded
    if release.counterfeits:
        real = np.flatnonzero(coded.index >= 0)
        persons = grouping.persons and grouping.persons.taken(real)
        coded, grouping = coded.iloc[real], Grouping.of(coded.iloc[real], columns, persons)
    return isolated(table[columns].loc[coded.index], coded, columns, grouping)


def isolation(operation: Any, ctx: OperationContext, found: Isolated, grouping: Grouping) -> dict[str, Any]:
    """What `AnonymizeOperation` says of isolated records, in metrics; a warning where there are any.

    Args:
        operation: The operation.
        ctx: Where to warn.
        found: The isolated records.
        grouping: The classes of the release.
    """
    meaning = "no published end of an interval or member of a set is the value of one record alone in its class"
    if found.classes:
        many = found.classes != 1
        meaning = (
            f"{found.classes:,} of {grouping.classes:,} equivalence classes {'have' if many else 'has'} a record that"
            f" one published end of an interval, or member of a set, isolates: it alone in the class has that value"
        )
        hint = "" if operation.bounds == "rounded" else f" (`bounds: {operation.bounds}`)"
        ctx.warn(f"{operation.output_dataset}: {meaning}{hint}")
    asked = {"isolated_classes_claimed": 0} if operation.bounds == "rounded" else {}
    return {
        "bounds": operation.bounds,
        **asked,
        "isolated_classes_measured": found.classes,
        "isolated_records": found.records,
        "isolation": meaning,
    }


def isolated(original: pd.DataFrame, released: pd.DataFrame, columns: Sequence[str], grouping: Grouping) -> Isolated:
    """Count the records of a release that a published end, or member of a set, isolates in their class.

    Args:
        original: The released records as they were, in the same order.
        released: The release.
        columns: The quasi-identifiers.
        grouping: The classes of the release; where it counts persons, a person's records are one.
    """
    alone = np.zeros(len(released), dtype=bool)
    for name in columns:
        domain, codes = encode(original[name])
        alone |= _alone(codes.astype(np.int64), released[name], Stated(domain), domain.size + 1, grouping)
    return Isolated(len(np.unique(grouping.group[alone])), int(alone.sum()))


def _alone(codes: Ints, column: pd.Series[Any], stated: Stated, width: int, grouping: Grouping) -> Mask:
    which, cells = pd.factorize(column)
    named = [(cell, code) for cell, text in enumerate(cells.astype(str)) for code in stated.codes(text)]
    if not named:
        return np.zeros(len(codes), dtype=bool)
    keys = np.sort(np.array([cell * width + code for cell, code in named], dtype=np.int64))
    own = which * width + codes
    is_named = keys[np.minimum(np.searchsorted(keys, own), len(keys) - 1)] == own
    at = np.flatnonzero(is_named & (which >= 0))
    pairs, pair = np.unique(grouping.group[at] * width + codes[at], return_inverse=True)
    if grouping.persons is None:
        count = counted(pair, len(pairs), None if grouping.times is None else grouping.times[at])
    else:
        count = grouping.persons.taken(at).in_classes(pair.astype(np.int64), len(pairs))
    found = np.zeros(len(codes), dtype=bool)
    found[at] = count[pair] == 1
    return found
