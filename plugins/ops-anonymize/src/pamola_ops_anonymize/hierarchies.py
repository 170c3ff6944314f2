"""Generalization hierarchies: what each value of a column becomes at each level, from the lines of a file or built."""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from typing import Any

import attrs
import numpy as np
import numpy.typing as npt
import pandas as pd

from pamola_tasks.errors import DataError, ParameterError

from .domains import Codes, Domain, Floats, Ints, Mask, OrderedDomain
from .hierarchy_files import one_field
from .notation import SUPPRESSED, interval

_DIGITS = 15  # that a number keeps whatever it is

Level = tuple[npt.NDArray[np.signedinteger[Any]], list[str]]
"""Which label of a level each leaf has, and the labels."""


@attrs.frozen(eq=False)
class Hierarchy:
    """The generalizations of the values of one domain; losses as in J. Xu et al., KDD 2006, and Iyengar, KDD 2002.

    Attributes:
        groups: int64, shape (levels, codes of the domain with the missing value last): the group of each code at
            each level. Level 0 are the values themselves; at the last one all are together.
        loss: float64 of the same shape: (values of the column under the group - 1) / (values - 1).
        file_loss: The same with all lines of the file as values, whether or not the column has them.
        labels: For each level the text of each group.
    """

    groups: Ints
    loss: Floats
    labels: list[list[str]]
    file_loss: Floats

    @property
    def levels(self) -> int:
        return len(self.groups)

    @property
    def missing(self) -> int:
        """The code of a missing value."""
        return int(self.groups.shape[1]) - 1

    def hides(self, levels: Ints, members: Ints) -> Mask:
        """Of which classes, as `common` has them, no label is true: missing values are under none of the file's."""
        return np.asarray((levels == self.levels - 1) & (members == self.missing))

    def common(self, codes: Codes, classes: Ints, count: int) -> tuple[Ints, Ints]:
        """The lowest level at which each class is one group, and a member's code: the missing one if it has it."""
        representative = np.zeros(count, dtype=np.int64)
        representative[classes] = codes
        representative[classes[codes == self.missing]] = self.missing
        level = np.full(count, self.levels - 1, dtype=np.int64)
        for lower in range(self.levels - 2, -1, -1):
            groups = self.groups[lower]
            apart = np.zeros(count, dtype=bool)
            apart[classes[groups[codes] != groups[representative[classes]]]] = True
            level[~apart] = lower
        return level, representative

    def loss_of(self, codes: Codes, classes: Ints, count: int, level: int | Ints | None = None) -> Floats:
        """What each class loses by that label, or by the one at `level`."""
        return self.losses_of(codes, classes, count, level)[0]

    def losses_of(
        self, codes: Codes, classes: Ints, count: int, level: int | Ints | None = None
    ) -> tuple[Floats, Floats]:
        """The same, and with the lines of the file as values."""
        levels, member = self.common(codes, classes, count)
        at = levels if level is None else level
        return self.loss[at, member], self.file_loss[at, member]


def hierarchy_of_lines(lines: Sequence[Sequence[str]], domain: Domain, file: str) -> Hierarchy:
    """The hierarchy that a file states, for the values of a column.

    Losses count the values of the column, so that they compare with those of other hierarchies. A last level
    with several labels gets `*` above it.

    Raises:
        DataError: A value of the column has no line, or has two; or records that are together at one level are apart
            at a higher one. The message names file, line and column.
    """
    column = domain.name
    numbers = isinstance(domain, OrderedDomain) and domain.style in ("plain", "integral")
    place, columns = _checked_lines(lines, column, file, numbers=numbers)
    if len(set(columns[-1])) > 1:
        columns.append([SUPPRESSED] * len(columns[0]))
    texts = domain.texts(np.arange(domain.size))
    if isinstance(domain, OrderedDomain) and domain.style == "instant":  # days without time are days alone
        texts = [text.removesuffix("T00:00:00") for text in texts]
    found = [place.get(key_of(text, numbers=numbers)) for text in texts]
    absent = sum(position is None for position in found)
    if absent:
        blank = sum(at is None and text.strip() in place for at, text in zip(found, texts, strict=True))
        hint = f"; {blank} of them have one but for blanks around the value: set data: {{trim: true}}" if blank else ""
        raise DataError(
            f"{file}, line {_last_line(lines) + 1}: the hierarchy of {column} ends here, and {absent} of the"
            f" {domain.size} different values of the column have no line: add one for each{hint}",
            file=file,
            column=column,
            values_without_line=absent,
        )
    leaf = np.array([position for position in found if position is not None], dtype=np.int64)
    return _hierarchy(columns[0], [_groups(names) for names in columns[1:]], leaf)


def labels_at(lines: Sequence[Sequence[str]], column: str, file: str, level: int, *, numbers: bool) -> dict[Any, str]:
    """What each value of a hierarchy file becomes at one level, by `key_of` the value.

    Args:
        lines: Its fields, line by line.
        column: The column it is for, for messages.
        file: Its name, for messages.
        level: 1 for the first generalization.
        numbers: Whether the column holds numbers.

    Raises:
        DataError: The hierarchy has no such level, has a value twice, or is not monotone.
    """
    place, columns = _checked_lines(lines, column, file, numbers=numbers)
    if not 1 <= level < len(columns):
        raise DataError(f"{file}: the hierarchy of {column} has levels 1 to {len(columns) - 1}, and no level {level}")
    return {key: columns[level][position] for key, position in place.items()}


def key_of(text: str, *, numbers: bool) -> Any:
    """What makes a field and a value the same: their number where the column has numbers, else their text."""
    if numbers:
        try:
            return int(text)
        except ValueError:
            try:
                return float(text)
            except ValueError:
                return text
    return text


def _checked_lines(
    lines: Sequence[Sequence[str]], column: str, file: str, *, numbers: bool
) -> tuple[dict[Any, int], list[list[str]]]:
    """The place of each value, and the labels at each level; each value once, and what is together stays together."""
    numbered = [(number, list(fields)) for number, fields in enumerate(lines, start=1) if fields]
    if not numbered:
        raise DataError(f"{file}: the hierarchy of {column} is empty")
    if len(numbered[0][1]) < 2:
        raise one_field(file, column)
    place: dict[Any, int] = {}
    for position, (number, fields) in enumerate(numbered):
        key = key_of(fields[0], numbers=numbers)
        if key in place:
            first = numbered[place[key]][0]
            codes = f"; if they are codes and no numbers, set data_types: {{{column}: text}}"
            raise DataError(
                f"{file}, line {number}: the hierarchy of {column} has this value in line {first} already:"
                f" each value needs one line{codes if numbers else ''}"
            )
        place[key] = position
        empty = [level for level, label in enumerate(fields[1:], start=2) if not label]
        if empty:
            raise DataError(
                f"{file}, line {number}: the hierarchy of {column} has an empty label in field {empty[0]}, which"
                f" readers of a table would take for a missing value: give it a name"
            )
    columns = [[fields[level] for _, fields in numbered] for level in range(len(numbered[0][1]))]
    _check_monotone(columns, [number for number, _ in numbered], file, column)
    return place, columns


def _last_line(lines: Sequence[Sequence[str]]) -> int:
    return max(number for number, fields in enumerate(lines, start=1) if fields)


def _check_monotone(columns: list[list[str]], numbers: list[int], file: str, column: str) -> None:
    for level in range(1, len(columns)):
        above: dict[str, int] = {}
        for position, label in enumerate(columns[level - 1]):
            first = above.setdefault(label, position)
            if level > 1 and columns[level][first] != columns[level][position]:
                raise DataError(
                    f"{file}, line {numbers[position]}: the hierarchy of {column} is not monotone: field {level} is"
                    f" the same as in line {numbers[first]}, but field {level + 1} differs: merged values must"
                    f" stay merged"
                )


def _hierarchy(values: list[str], above: Sequence[Level], leaf: Ints | None = None) -> Hierarchy:
    """Levels of labels above leaves, and the leaf of each code of a domain; codes are the leaves unless given."""
    leaves = len(values)
    groups, losses, file_losses, labels = [], [], [], []
    of_values = (np.arange(leaves), values)
    for level, (of_leaf, names) in enumerate([of_values, *above]):
        of_code = of_leaf if leaf is None else of_leaf[leaf]
        top = level == len(above)
        # a missing value is a leaf of its own, which only the top holds together with others
        missing = (of_leaf[0], 1.0) if top else (len(names), 0.0)
        under = np.bincount(of_code, minlength=len(names))
        groups.append(np.append(of_code, missing[0]))
        losses.append(np.append((under[of_code] - 1) / max(1, len(of_code) - 1), missing[1]))
        if leaf is not None:
            under_in_file = np.bincount(of_leaf, minlength=len(names))
            file_losses.append(np.append((under_in_file[of_code] - 1) / max(1, leaves - 1), missing[1]))
        labels.append(names)
    loss = np.array(losses)
    return Hierarchy(np.array(groups, dtype=np.int64), loss, labels, np.array(file_losses) if file_losses else loss)


def _groups(names: Sequence[str], of: Ints | None = None) -> Level:
    """Which distinct label each leaf has, and the labels: from its name, or from names and which of them it has."""
    codes, distinct = pd.factorize(np.array(names, dtype=object))
    return codes if of is None else codes[of], [str(name) for name in distinct]


def built_hierarchy(domain: Domain, widths: Sequence[float] | None = None) -> Hierarchy:
    """A hierarchy over the values of a column: ranges for numbers, month, year and decade for dates, else `*` alone.

    Args:
        domain: The column.
        widths: For numbers, how wide the ranges of each level are, each a multiple of the one before; unless given
            a round width of about a twentieth of the range, doubled until one range holds everything.

    Raises:
        ParameterError: The column has no numbers, or a width is not a multiple of the one before.
    """
    levels: list[Level] = []
    if isinstance(domain, OrderedDomain) and domain.size:
        if domain.style in ("day", "instant"):
            if widths is not None:
                raise ParameterError(f"AnonymizeOperation: `ranges` are for numbers, and {domain.name} has dates")
            levels = _calendar(domain)
        else:
            levels = _ranges(domain, _checked(widths, domain.name))
    elif widths is not None:
        raise ParameterError(f"AnonymizeOperation: `ranges` are for numbers, and {domain.name} has none")
    return _under_star(domain, levels)


def suppression_hierarchy(domain: Domain) -> Hierarchy:
    """A hierarchy in which a value is kept or suppressed."""
    return _under_star(domain, [])


def _under_star(domain: Domain, levels: Sequence[Level]) -> Hierarchy:
    """The values of a column, these levels and `*`."""
    texts = domain.texts(np.arange(domain.size)) or [SUPPRESSED]
    top = np.zeros(len(texts), dtype=np.int64), [SUPPRESSED]
    return _hierarchy(texts, [*levels, top], None if domain.size else np.zeros(0, dtype=np.int64))


def _checked(widths: Sequence[float] | None, column: str) -> Sequence[float] | None:
    for narrow, wide in zip(widths or (), (widths or ())[1:], strict=False):
        if wide <= narrow or abs(wide / narrow - round(wide / narrow)) > 1e-9:
            raise ParameterError(
                f"AnonymizeOperation: `ranges` of {column}: each width has to be a multiple of the one before,"
                f" {wide} is none of {narrow}"
            )
    return widths


def _ranges(domain: OrderedDomain, widths: Sequence[float] | None) -> list[Level]:
    numbers = domain.values.astype(np.float64)
    if not np.isfinite(numbers).all() or not math.isfinite(float(numbers[-1]) - float(numbers[0])):
        return []
    span = float(numbers[-1] - numbers[0])
    # narrower ranges would have bounds that cannot be told from each other as they are written
    narrowest = max(float(np.abs(numbers).max()) / 10.0 ** (_DIGITS - 2), sys.float_info.min)
    if widths is None:
        if span / 20 < narrowest:
            return []
        step = _round_width(span / 20)
        if (numbers == np.trunc(numbers)).all():
            step = max(1.0, step)
        widths = [step * 2**level for level in range(8) if step * 2**level < 2 * span]
    elif widths[0] < narrowest:
        raise ParameterError(
            f"AnonymizeOperation: `ranges` of {domain.name}: {widths[0]} is too narrow for numbers as large as its own"
        )
    whole = bool((numbers == np.trunc(numbers)).all() and np.abs(numbers).max() < 2**53)  # beyond, floats have gaps
    whole = whole and all(float(width).is_integer() for width in widths)
    first = _range_numbers(numbers, widths[0])
    levels = []
    for width in widths:
        # from the narrowest range, not from the number: rounding must not tear a range apart
        number, of = np.unique(np.floor(first / round(width / widths[0])), return_inverse=True)
        levels.append(_groups([_range(each, width, whole) for each in number.tolist()], of))
    return levels


def _range_numbers(numbers: Floats, width: float) -> Floats:
    """Which range each number lies in, by the bounds as they are written: a quotient may be rounded across one."""
    found: Floats = np.floor(numbers / width)
    number, of = np.unique(found, return_inverse=True)
    low = np.array([float(_bound(each, width)) for each in number])[of]
    high = np.array([float(_bound(each + 1, width)) for each in number])[of]
    return np.where(numbers < low, found - 1, np.where(numbers >= high, found + 1, found))


def _range(number: float, width: float, whole: bool) -> str:
    if whole:
        return interval(str(int(number * width)), str(int((number + 1) * width) - 1))
    # a half-open range, written with the digits that its bounds need
    return f"[{_bound(number, width)},{_bound(number + 1, width)})"


def _bound(number: float, width: float) -> str:
    return f"{number * width:.{_DIGITS}g}"


def _round_width(width: float) -> float:
    """The number among 1, 2, 5 times a power of ten at or above this one."""
    power = 10.0 ** math.floor(math.log10(width))
    return next(float(digit * power) for digit in (1, 2, 5, 10) if digit * power >= width * (1 - 1e-12))


def _calendar(domain: OrderedDomain) -> list[Level]:
    moments = domain.moments(np.arange(domain.size)).to_numpy()
    distinct, of = np.unique(moments.astype("datetime64[D]"), return_inverse=True)
    days = np.datetime_as_string(distinct, unit="D").tolist()
    months = [day.rpartition("-")[0] for day in days]
    years = [month.rpartition("-")[0] for month in months]  # of four digits, but beyond 9999
    decades = [f"[{year[:-1]}0,{year[:-1]}9]" for year in years]
    named = [*([days] if domain.style == "instant" else []), months, years, decades]
    return [_groups(names, of) for names in named]
