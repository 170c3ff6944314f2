"""What the user should know of a sheet besides its values: other sheets, what is hidden, formulas, forms of numbers."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Sequence
from importlib import import_module
from typing import IO, Any

_BLOCK = 1 << 20
_MOST_COLUMNS = 16_384
_ERROR = re.compile(rb"<(?:\w+:)?c [^>]*\bt=[\"']e[\"']")
_FORMULA = re.compile(rb"<(?:\w+:)?f[ />]")
_MERGED = re.compile(rb"<(?:\w+:)?mergeCell ref=[\"']([A-Z0-9:]+)[\"']")
_HIDDEN = re.compile(rb"<(?:\w+:)?(row|col) ([^>]*\bhidden=[\"'](?:1|true)[\"'][^>]*)>")
_NUMBER = re.compile(rb"\b(r|min|max)=[\"']([0-9]+)[\"']")
_LITERAL = re.compile(r'"([^"]*)"|\\(.)|\[[^\]]*\]|([-+ ():/])|([0#])|(.)', re.DOTALL)


def remarks(book: Any, sheet: Any, tags: Tags, chosen: bool, wide: int) -> Iterator[str]:
    """What the user should know of a sheet of so many columns before its rows are read."""
    others = [] if chosen else [other for other in book.worksheets if other is not sheet and _has_cells(other)]
    if others:
        named = ", ".join(map(_named, others))
        yield f"sheet {sheet.title!r} was read; {named} not: state `sheet` in data.datasets to choose"
    if sheet.sheet_state != "visible":
        yield f"sheet {_named(sheet)} was read"
    columns = [letters(place) for place in tags.hidden_columns if place < wide]
    hidden = [f"column{'s' if len(columns) > 1 else ''} {', '.join(columns)}"] if columns else []
    if tags.hidden_rows:
        first, count = f"row {tags.hidden_rows[0]:,}", len(tags.hidden_rows)
        hidden.append(f"{count:,} rows (the first is {first})" if count > 1 else first)
    if hidden:
        yield f"hidden in sheet {sheet.title!r}, and read like the others: {' and '.join(hidden)}"
    merged = [area for area in tags.merged if not re.fullmatch(r"[A-Z]+1:[A-Z]+1", area)]
    if merged:
        yield (
            f"merged areas of cells: {len(merged):,} (the first is {merged[0]}). Only the first cell of each has a"
            " value; the others are missing"
        )
    if tags.formulas:
        uncomputed = list(_uncomputed(sheet._get_source, zero=bool(book.calculation.fullCalcOnLoad)))
        if uncomputed:
            yield (
                f"formula cells without a computed value: {len(uncomputed):,} (the first is {uncomputed[0]}). They are"
                " read as missing or 0: open the workbook in a spreadsheet program and save it"
            )


def _named(sheet: Any) -> str:
    return repr(sheet.title) + ("" if sheet.sheet_state == "visible" else " (hidden)")


def _has_cells(sheet: Any) -> bool:
    return any(any(map(is_filled, row)) for row in sheet.iter_rows(values_only=True))


class Tags:
    """Whether a sheet has formulas, errors, numbers below zero and cells of some styles, its merged areas and what is
    hidden: looked for in its XML without parsing that."""

    def __init__(self, open_xml: Callable[[], IO[bytes]], styles: Collection[int]) -> None:
        self.formulas = self.errors = self.padded = self.below_zero = False
        self.merged: list[str] = []
        self.hidden_rows: list[int] = []
        self.hidden_columns: list[int] = []  #: places
        self._styles = re.compile(rb" s=[\"'](?:%s)[\"']" % b"|".join(str(style).encode() for style in styles))
        self._any = bool(styles)
        with open_xml() as part:
            left = b""
            while block := part.read(_BLOCK):
                content = left + block
                end = content.rfind(b"<")
                self._look_at(content[:end])
                left = content[end:]
            self._look_at(left)

    def _look_at(self, content: bytes) -> None:
        self.formulas = self.formulas or _FORMULA.search(content) is not None
        self.below_zero = self.below_zero or b"v>-" in content
        if not self.errors and (b'"e"' in content or b"'e'" in content):
            self.errors = _ERROR.search(content) is not None
        if self._any and not self.padded:
            self.padded = self._styles.search(content) is not None
        for tag, attributes in _HIDDEN.findall(content) if b"hidden" in content else ():
            if tag == b"row":
                self.hidden_rows += [int(number) for _, number in _NUMBER.findall(attributes)][:1]
            else:
                first, last = (int(number) for _, number in sorted(_NUMBER.findall(attributes), reverse=True))
                self.hidden_columns += range(first - 1, min(last, _MOST_COLUMNS))
        if b"mergeCell" in content:
            self.merged += [area.decode() for area in _MERGED.findall(content)]


def _uncomputed(open_xml: Callable[[], IO[bytes]], *, zero: bool) -> Iterator[str]:
    """Formula cells without the value that they have; `zero`: 0 is what a library wrote that does not compute."""
    empty = (None, "", "0") if zero else (None, "")
    with open_xml() as part:
        for _, element in import_module("openpyxl.xml.functions").iterparse(part):
            name = element.tag.rpartition("}")[2]
            if name == "c" and element.find("{*}f") is not None and element.findtext("{*}v") in empty:
                yield element.get("r", "?")
            if name == "row":
                element.clear()


def is_filled(value: Any) -> bool:
    return value is not None and not (isinstance(value, str) and not value.strip())


def letters(place: int) -> str:
    return str(import_module("openpyxl.utils").get_column_letter(place + 1))


# ---------------------------------------------------------------- numbers shown with leading zeros


class Padded:
    """Number formats of a workbook that show whole numbers with leading zeros, such as `00000` of postal codes.

    Attributes:
        styles: The numbers of the styles of cells that have one of them.
        places: The places of columns in which a number was shown so, and whether all with digits only.
    """

    def __init__(self, book: Any) -> None:
        formats = {164 + place: text for place, text in enumerate(book._number_formats)}
        found = {place: _padding(formats.get(style.numFmtId, "")) for place, style in enumerate(book._cell_styles)}
        self._parts = {place: parts for place, parts in found.items() if parts}
        self.styles = frozenset(self._parts)
        self.places: dict[int, bool] = {}

    def shown(self, cells: Sequence[Any]) -> list[Any]:
        """The values of a row of cells, such numbers as texts, as they are shown."""
        return [self._value(place, cell) for place, cell in enumerate(cells)]

    def _value(self, place: int, cell: Any) -> Any:
        value = cell.value
        parts = self._parts.get(getattr(cell, "_style_id", -1))
        if parts is None or isinstance(value, bool) or not isinstance(value, int | float) or value < 0:
            return value
        if value != int(value):
            return value
        self.places[place] = self.places.get(place, True) and parts == [None] * len(parts)
        wide = parts.count(None)
        digits = list(str(int(value)).zfill(wide))
        shown = ["".join(digits[: len(digits) - wide]), *digits[len(digits) - wide :]]
        shown[:2] = ["".join(shown[:2])]  # what is longer than the format stands before its first digit
        left = iter(shown)
        return "".join(next(left) if part is None else part for part in parts)

    def told(self, name: str, place: int) -> str:
        """A sentence for the user."""
        mend = f"state {name}: integer in data_types" if self.places[place] else "format its cells as numbers"
        return (
            f"column {name!r} ({letters(place)}) shows its numbers with leading zeros, and was read as the text that it"
            f" shows: {mend} to read numbers"
        )


def _padding(format: str) -> list[str | None]:
    """The texts that a number format puts between digits, None for a digit; empty if it shows no leading zeros."""
    parts: list[str | None] = []
    digits = ""
    for quoted, escaped, plain, digit, other in _LITERAL.findall(format.partition(";")[0]):
        if other:
            return []
        digits += digit
        parts += [None] if digit else [quoted or escaped or plain] if quoted or escaped or plain else []
    return parts if digits.startswith("0") and len(digits) > 1 else []
