"""In which forms people write numbers, dates and truth values, and how many texts of a column fit each of them.

Only known words are kept as they are written; other texts only where they repeat, for who may see data.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

import attrs
import pyarrow as pa
import pyarrow.compute as pc

from pamola_tasks_data.amounts import Amounts
from pamola_tasks_data.directives import pattern_of
from pamola_tasks_data.notation import by_format, numbers

# Words that mean "no value" in tables of many countries; compared without case.
MISSING_WORDS = frozenset(
    "na n/a #n/a n.a. n.a nan null none nil - -- — . .. … ? ?? unknown unk missing not_available not-available"
    " unbekannt k.a. k.a keine_angabe fehlt inconnu nc n.d. nd desconocido sconosciuto onbekend nieznany brak".split()
) | {"", "not available", "keine angabe", "non disponible", "#null!", "no data", "<na>", "n / a", "k. a."}

#: Marks of decimals and thousands that numbers are written with, the usual ones first.
MARKS = ((".", ""), (",", ""), (".", ","), (",", "."), (".", " "), (",", " "), (".", "'"), (",", "'"))

_DATES = ("%Y-%m-%d", "%d.%m.%Y", "%d/%m/%Y", "%m/%d/%Y", "%Y/%m/%d", "%d-%m-%Y", "%m-%d-%Y", "%Y.%m.%d", "%Y%m%d")
_NAMED = ("%d %b %Y", "%d-%b-%Y", "%d/%b/%Y", "%d.%b.%Y", "%b %d, %Y", "%b %d %Y", "%d %B %Y", "%d. %B %Y", "%B %d, %Y")
_TIMES = ("", " %H:%M", " %H:%M:%S", "T%H:%M", "T%H:%M:%S", " %I:%M %p", " %I:%M:%S %p")
#: Forms of dates and times that are recognized, in directives of strptime.
DATE_FORMATS = tuple(date + time for time in _TIMES for date in (*_DATES, *(() if time[:1] == "T" else _NAMED)))
_ISO_TIME = (
    r"^[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:[.,][0-9]+)?)?(?:Z|[+-][0-9]{2}:?[0-9]{2})?$"
)
_SHORT_YEAR = r"^(?:[0-9]{1,2}[./-][0-9]{1,2}[./-][0-9]{2}|[0-9]{1,2}[ .-][A-Za-z]{3}[ .-][0-9]{2})(?: [0-9:]+)?$"
_WORDS = (
    ("%Y", "yyyy"),
    ("%m", "mm"),
    ("%d", "dd"),
    ("%b", "Mon"),
    ("%B", "Month"),
    ("%I:%M:%S %p", "hh:mm:ss am/pm"),
    ("%I:%M %p", "hh:mm am/pm"),
    ("%H:%M:%S", "hh:mm:ss"),
    ("%H:%M", "hh:mm"),
)

#: Pairs of words for true and false.
TRUTHS = (
    ("true", "false"), ("yes", "no"), ("y", "n"), ("t", "f"), ("ja", "nein"), ("j", "n"), ("ja", "nee"), ("oui", "non"),
    ("vrai", "faux"), ("si", "no"), ("sí", "no"), ("sì", "no"), ("sim", "não"), ("tak", "nie"), ("wahr", "falsch"),
    ("да", "нет"), ("on", "off"),
)  # fmt: skip

_TRUE_OR_FALSE = sorted({word for pair in TRUTHS for word in pair})
_REMEMBERED = 1 << 14  # texts that are counted to find those that repeat
_NUMERIC = r"^[-+]?[.,]?[0-9]"
_CODE = r"^0[0-9]+$"
_LONG = r"[0-9.]{16}|[eE]"
_BLANK = r"^\s|\s$"
_DATED = r"^[0-9]{8}|[-./ ].*[-./ ]"  # as all dates and times are written
_LARGE = pa.large_string()


def in_words(format: str) -> str:
    """A format of dates as people write it: `dd.mm.yyyy`."""
    for directive, word in _WORDS:
        format = format.replace(directive, word)
    return format


@attrs.define
class Forms:
    """How many values of a column of text fit which form. Texts are looked at without the blanks around them.

    Attributes:
        values: All that are not missing.
        numbers: By marks of decimals and thousands.
        any_numbers: Those of any of these marks.
        whole: Of the numbers by marks, the ones without a fraction.
        marked: Of those, the ones that have a mark.
        lost: By marks, the types of numbers that do not hold all of them.
        dates: By format.
        any_dates: Those of any of these formats.
        short_days: Of the dates as yyyy-mm-dd, those that lack a zero before the month or the day, which ISO 8601 has.
        iso_times: Dates and times in ISO 8601.
        short_years: Dates with a year of two digits.
        codes: Digits with leading zeros.
        blanks: Texts with blanks around them.
        missing: Words that mean "no value", as they are written.
        truths: By pair of words, the words that occur, as they are written.
        amounts: Texts that have an order though no type reads them.
        others: Texts that are none of these, as far as they are remembered.
    """

    values: int = 0
    numbers: Counter[tuple[str, str]] = attrs.Factory(Counter)
    any_numbers: int = 0
    whole: Counter[tuple[str, str]] = attrs.Factory(Counter)
    marked: Counter[tuple[str, str]] = attrs.Factory(Counter)
    lost: dict[tuple[str, str], set[str]] = attrs.Factory(lambda: defaultdict(set))
    dates: Counter[str] = attrs.Factory(Counter)
    any_dates: int = 0
    short_days: int = 0
    iso_times: int = 0
    short_years: int = 0
    codes: int = 0
    blanks: int = 0
    missing: Counter[str] = attrs.Factory(Counter)
    truths: dict[tuple[str, str], Counter[str]] = attrs.Factory(dict)
    amounts: Amounts = attrs.Factory(Amounts)
    others: Counter[str] = attrs.Factory(Counter)

    def add(self, text: Any) -> None:
        """Look at more values: an Arrow array of text."""
        text = text.drop_null()
        if not len(text):
            return
        counted = pc.value_counts(text)
        distinct, counts = counted.field("values"), counted.field("counts")
        self.values += _total(counts)
        self.blanks += _total(counts.filter(pc.match_substring_regex(distinct, _BLANK)))
        distinct = pc.utf8_trim_whitespace(distinct)
        self.amounts.add(distinct, counts)
        numeric = pc.match_substring_regex(distinct, _NUMERIC)
        named = pc.match_substring_regex(distinct, r"^[A-Za-z]{3,9} [0-9]{1,2},? [0-9]{4}")
        self._add_words(
            distinct.filter(pc.invert(pc.or_(numeric, named))), counts.filter(pc.invert(pc.or_(numeric, named)))
        )
        self._add_numbers(distinct.filter(numeric), counts.filter(numeric))
        dated = pc.and_(pc.or_(numeric, named), pc.match_substring_regex(distinct, _DATED))
        self._add_dates(distinct.filter(dated), counts.filter(dated))

    def add_typed(self, count: int, kind: str) -> None:
        """Count values beside the texts, of another type: `whole numbers`, `numbers` or others."""
        self.values += count
        self.any_numbers += count if kind in ("whole numbers", "numbers") else 0
        for marks in MARKS if kind in ("whole numbers", "numbers") else ():
            self.numbers[marks] += count
            self.whole[marks] += count if kind == "whole numbers" else 0

    def _add_numbers(self, distinct: Any, counts: Any) -> None:
        if not len(distinct):
            return
        self.codes += _total(counts.filter(pc.match_substring_regex(distinct, _CODE)))
        plain = pc.match_substring_regex(distinct, "^[-+]?[0-9]+$")
        common = _total(counts.filter(plain))
        self._add_long(distinct.filter(plain), MARKS)
        rest, of_rest = distinct.filter(pc.invert(plain)), counts.filter(pc.invert(plain))
        if not len(rest):  # as in most columns
            self.any_numbers += common
            for marks in MARKS:
                self.numbers[marks] += common
                self.whole[marks] += common
            return
        numeric = pa.array([False] * len(rest), pa.bool_())
        for marks in MARKS:
            made = numbers(rest, *marks)
            fits = pc.is_valid(made)
            numeric = pc.or_(numeric, fits)
            self.numbers[marks] += common + _total(of_rest.filter(fits))
            self.whole[marks] += common + _total(of_rest.filter(pc.match_substring_regex(made, "^-?[0-9]+$")))
            self.marked[marks] += _total(of_rest.filter(fits))
            self._add_long(made, [marks])
        self.any_numbers += common + _total(of_rest.filter(numeric))

    def _add_long(self, made: Any, written: Iterable[tuple[str, str]]) -> None:
        """Note which types do not hold numbers of many digits or with an exponent, as programs write them."""
        long = made.filter(pc.match_substring_regex(made, _LONG))
        if len(long):
            from pamola_tasks_data.stated_types import lost_by

            for marks in written:
                self.lost[marks].update(kind for kind in ("integer", "number", "decimal") if lost_by(long, kind))

    def _add_dates(self, distinct: Any, counts: Any) -> None:
        if not len(distinct):
            return
        self.short_years += _total(counts.filter(pc.match_substring_regex(distinct, _SHORT_YEAR)))
        self.iso_times += _total(counts.filter(pc.match_substring_regex(distinct, _ISO_TIME)))
        dated = pa.array([False] * len(distinct), pa.bool_())
        for format in DATE_FORMATS:
            fits = pc.match_substring_regex(distinct, pattern_of(format))
            if pc.any(fits).as_py():
                there = pc.and_(fits, pc.is_valid(by_format(pc.if_else(fits, distinct, None), format)))
                self.dates[format] += _total(counts.filter(there))
                if format == "%Y-%m-%d":
                    self.short_days += _total(counts.filter(pc.and_(there, pc.less(pc.utf8_length(distinct), 10))))
                dated = pc.or_(dated, there)
        self.any_dates += _total(counts.filter(dated))

    def _add_words(self, distinct: Any, counts: Any) -> None:
        if not len(distinct):
            return
        folded = pc.utf8_lower(distinct)
        missing = pc.is_in(folded, pa.array(sorted(MISSING_WORDS), folded.type))
        self.missing.update(_counted(distinct.filter(missing), counts.filter(missing)))
        for pair in TRUTHS if pc.any(pc.is_in(folded, pa.array(_TRUE_OR_FALSE, folded.type))).as_py() else ():
            fits = pc.is_in(folded, pa.array(pair, folded.type))
            if pc.any(fits).as_py():
                self.truths.setdefault(pair, Counter()).update(_counted(distinct.filter(fits), counts.filter(fits)))
        repeated = pc.and_(pc.invert(missing), pc.greater(counts, 1))
        self.others.update(_counted(distinct.filter(repeated), counts.filter(repeated)))
        if len(self.others) > 2 * _REMEMBERED:
            self.others = Counter(dict(self.others.most_common(_REMEMBERED)))


def _total(counts: Any) -> int:
    return int(pc.sum(counts).as_py() or 0)


def _counted(texts: Any, counts: Any) -> Mapping[str, int]:
    found: Counter[str] = Counter()
    for text, count in zip(texts.to_pylist(), counts.to_pylist(), strict=True):
        found[text] += count  # texts that differ in the blanks around them are the same
    return found
