"""Which delimiter a CSV file has, where none is stated, and whether its header has names."""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping, Sequence

import attrs

from pamola_tasks.errors import DataError

DELIMITERS = (",", ";", "\t", "|")

_CONSISTENT_SHARE = 0.9  # of the first rows, that must be as wide as the header for a delimiter to be believed
_SETTING = "default_delimiter, or delimiter in data.datasets"
_OTHERWISE = f"set {_SETTING}, if that is wrong"
_NAMES = {"\t": "the tab"}
_VALUE = re.compile(  # numbers in all spellings, dates and times
    r"[-+]?(?:[0-9]+|[0-9]{1,3}(?:[., '\u00a0\u202f][0-9]{3})+)(?:[.,][0-9]+)?(?:[eE][-+]?[0-9]+)?"
    r"|[0-9]{1,4}[-./][0-9]{1,2}[-./][0-9]{1,4}(?:[T ][0-9:.,]+)?|[0-9]{1,2}:[0-9]{2}(?::[0-9.,]+)?"
)

_DATE = re.compile(r"[0-9]{1,4}[-./][0-9]{1,2}[-./][0-9]{1,4}")
LIKE_DATA = "the first line looks like data, not like names: if it is, put a line of names above it"


@attrs.frozen
class Choice:
    """The delimiter that was chosen, and what the user should know of that."""

    delimiter: str
    note: str = ""


@attrs.frozen(eq=False)
class _Fit:
    """How the first rows look when a delimiter divides them."""

    delimiter: str
    width: int
    share: float  #: of rows as wide as the header
    blank: int = 0  #: columns of which most cells begin with a blank
    joined: int = 0  #: columns of text that have one of the other delimiters in most cells
    typed: int = 0  #: columns of numbers, dates and times

    def is_better_than(self, other: _Fit) -> bool:
        """Whether no sign is for the other, and one for this; where there are none, it has twice as many columns."""
        mine, others = (self.blank, self.joined, -self.typed), (other.blank, other.joined, -other.typed)
        if mine == others:
            return self.width >= 2 * other.width
        return all(a <= b for a, b in zip(mine, others, strict=True))


def chosen(divided: Mapping[str, Sequence[Sequence[str]]]) -> Choice:
    """The delimiter of a file, by its first rows, header first, as each delimiter divides them.

    Where several divide all rows alike, the one whose cells do not begin with blanks or join several values, and give
    more columns of numbers and dates.

    Raises:
        DataError: These signs contradict each other, or there are none.
    """
    fits = [_Fit(each, len(rows[0]), _share(rows)) for each, rows in divided.items() if rows and len(rows[0]) > 1]
    fits = [fit for fit in fits if fit.share >= _CONSISTENT_SHARE]
    if not fits:
        return _one_column(divided[","])
    whole = [_looked_at(fit, divided[fit.delimiter], divided) for fit in fits if fit.share == 1]
    if len(whole) < 2:
        return Choice(max(fits, key=lambda fit: (fit.share, fit.width)).delimiter)
    shown = " and ".join(_shown(fit.delimiter) for fit in whole)
    for fit in whole:
        if all(fit.is_better_than(other) for other in whole if other is not fit):
            taken = f"{shown} both divide its rows alike, and {_shown(fit.delimiter)} was taken for the delimiter"
            return Choice(fit.delimiter, f"{taken}: {_OTHERWISE}")
    raise DataError(f"{shown} both divide its rows alike: state which is the delimiter ({_SETTING})")


def check_one_column(divided: Mapping[str, Sequence[Sequence[str]]], *, stated: bool) -> None:
    """Refuse a file of one column that another delimiter divides, header and most rows, though not all alike.

    Args:
        divided: Its first rows, header first, as each of the delimiters that it is not read with divides them.
        stated: Whether the user said what divides it: then a title above the table, which is not divided, is a name.

    Raises:
        DataError: It looks divided by one of these.
    """
    for delimiter, (header, *rows) in divided.items():
        if not stated and len(header) == 1 and _is_table(rows):
            raise DataError(
                f"below its first line it looks divided by {_shown(delimiter)}; take a title above it out of"
                f" the file, or state the delimiter ({_SETTING})"
            )
        cells = [delimiter.join(row) for row in rows if len(row) > 1]
        if len(header) < 2 or 2 * len(cells) <= len(rows) or all(map(_VALUE.fullmatch, cells)):
            continue
        others = [number for number, row in enumerate(rows, 1) if len(row) != len(header)]
        rather = f"state it ({_SETTING})"
        if others:
            of = f"{len(others)} of the first {len(rows)} rows have" if len(others) > 1 else "a row has"
            rather = (
                f"{of} another number of cells (the first is row {others[0]} below the header): mend them, or {rather}"
            )
        raise DataError(f"it looks divided by {_shown(delimiter)}, but was read as one column: {rather}")


def _is_table(rows: Sequence[Sequence[str]]) -> bool:
    """Whether rows are alike, of several cells, and not texts with marks in them, which a blank follows."""
    return (
        len(rows) > 1
        and len(rows[0]) > 1
        and _share(rows) >= _CONSISTENT_SHARE
        and not _most([any(cell.startswith(" ") for cell in row) for row in rows])
    )


def looks_like_data(rows: Sequence[Sequence[str]]) -> bool:
    """Whether all columns of numbers or dates have names that are such, too: a file without names of columns.

    Years and other numbers one after the other are names: `region;2023;2024`.
    """
    names: list[str] = []
    for name, *cells in () if not any(map(_kind, rows[0])) else zip(*rows, strict=False):
        kinds = {_kind(cell) for cell in cells if cell.strip()}
        if len(kinds) == 1 and (kind := kinds.pop()):
            if _kind(name) != kind:
                return False
            names.append(name.strip())
    whole = [int(name) for name in names if name.isascii() and name.isdecimal() and len(name) < 10]
    if len(names) == len(whole) > 1:
        return any(after - before not in (1, 5, 10) for before, after in itertools.pairwise(whole))
    return bool(names)


def _kind(cell: str) -> str:
    text = cell.strip()
    return "" if not _VALUE.fullmatch(text) else "date" if _DATE.match(text) else "time" if ":" in text else "number"


def _shown(delimiter: str) -> str:
    return _NAMES.get(delimiter, repr(delimiter))


def _share(rows: Sequence[Sequence[str]]) -> float:
    return sum(len(row) == len(rows[0]) for row in rows) / len(rows)


def _looked_at(fit: _Fit, rows: Sequence[Sequence[str]], rivals: Mapping[str, object]) -> _Fit:
    blank = joined = typed = 0
    others = [each for each in rivals if each != fit.delimiter]
    for name, *cells in zip(*rows, strict=True):
        filled = [cell for cell in cells if cell.strip()]
        blank += name.startswith(" ") or _most([cell.startswith(" ") for cell in filled])
        if filled and all(_VALUE.fullmatch(cell.strip()) for cell in filled):
            typed += 1
        else:
            joined += _most([any(other in cell for other in others) for cell in filled or [name]])
    return attrs.evolve(fit, blank=blank, joined=joined, typed=typed)


def _most(found: Sequence[bool]) -> bool:
    return 2 * sum(found) > len(found)


def _one_column(rows: Sequence[Sequence[str]]) -> Choice:
    """The comma, where it only stands in numbers of one column: a delimiter that does not occur."""
    cells = [",".join(row) for row in rows[1:]]
    if rows and len(rows[0]) == 1 and any("," in cell for cell in cells) and all(map(_VALUE.fullmatch, cells)):
        note = "it was read as one column of numbers with decimal commas"
        return Choice(";", f"{note}: {_OTHERWISE}")
    return Choice(",")
