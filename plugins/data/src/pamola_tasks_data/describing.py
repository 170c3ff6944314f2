"""What the columns of a dataset are taken for, how many of their values fit, and which settings decide otherwise.

A column is converted only if all of its values fit (`inference`, `stated_types`). What most of them look like is shown.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import attrs
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from pamola_tasks_data.amounts import MONTHS, ORDERED
from pamola_tasks_data.description import ColumnDescription, Misfit, Question, Word, flow_of, key_of
from pamola_tasks_data.forms import MARKS, Forms, in_words

ROWS = 1 << 16  # at a time
_OFTEN = 10  # records that have to have a word that is no usual one for a missing value
_NAMES_OF_DATES = re.compile(r"dat|dob|birth|born|geb|naiss|fech|nac|day|tag|jour|seen|admi|discharg|visit", re.I)
_SERIALS = (7_000, 75_000)  # days since 1900, as spreadsheets count them: 1919 to 2105
_DAYS = "whole numbers that are days as yyyymmdd: dates?"
_TRIM = "data: {trim: true}"
_ORDERED = "values with an order, which no type reads: write them as numbers or ISO dates, or give them a hierarchy"
_LARGE = pa.large_string()


class ColumnsSeen:
    """Looks at the columns of a dataset piece by piece, and describes them; in memory for its distinct values only.

    Args:
        dataset: Its name, for settings.
        stated: Columns of which `data_types` states the type.
        share: From which share of its values on a column looks like a type.
        csv: Whether it is a CSV file, which alone has settings that hold for all columns.
    """

    def __init__(self, dataset: str, *, stated: Iterable[str] = (), share: float, csv: bool = True) -> None:
        self._dataset, self._stated, self.share, self._csv = dataset, frozenset(stated), share, csv
        self.spelled: Mapping[str, Any] = {}  #: how the numbers of columns of a CSV file are written
        self._columns: dict[str, _Column] = {}

    def add(self, frame: pd.DataFrame) -> None:
        """Look at some more rows."""
        for name in frame.columns:
            self._columns.setdefault(str(name), _Column(str(name))).add(frame[name])

    def described(self, *, show_data: bool = False, least: int = 1) -> list[ColumnDescription]:
        """What was seen.

        Args:
            show_data: Whether to show also other words than the usual ones for missing values, where they repeat.
            least: How many records have to have a word that is shown.
        """
        return [self._described(column, show_data, least) for column in self._columns.values()]

    def _described(self, column: _Column, show_data: bool, least: int) -> ColumnDescription:
        stated = column.name in self._stated
        description = ColumnDescription(
            name=column.name,
            dtype=column.dtype,
            read_as=column.read_as,
            stated=stated,
            records=column.records,
            missing=column.missing,
            looks_like=column.read_as,
            share=1.0,
            ordered=column.read_as in ("whole numbers", "numbers", "dates", "dates and times"),
        )
        if column.name != column.name.strip():
            description.questions.append(Question("a blank before or after the name", [_TRIM]))
        if stated:
            return description
        if column.texts:
            return _of_text(description, column, self, show_data, least)
        description.questions.extend(self._of_numbers(column))
        return description

    def setting(self, column: str, type_: Mapping[str, Any] | str) -> str:
        """The line that states the type of a column."""
        return f"data_types: {{{key_of(self._dataset)}: {{{key_of(column)}: {flow_of(type_)}}}}}"

    def without(self, column: str, words: list[Word], type_: Mapping[str, Any] | None = None) -> str:
        """The setting by which these words are missing values or, without any, blanks around values are left out."""
        if self._csv and all(word.text for word in words):  # in quotes nothing is a text
            return f"data: {{missing_values: {flow_of(['', *(word.text for word in words)])}}}" if words else _TRIM
        more: dict[str, Any] = {"missing": [word.text for word in words]} if words else {"trim": True}
        return self.setting(column, {"type": "text", **(type_ or {}), **more})

    def _of_numbers(self, column: _Column) -> Iterator[Question]:
        name = column.name
        if column.read_as == "whole numbers" and column.low is not None:
            assert column.high is not None
            if (column.low, column.high) == (0, 1):
                yield Question("0 and 1 only: numbers, or true and false?", [self.setting(name, "boolean")])
            if column.days:
                yield Question(_DAYS, [self.setting(name, _date("%Y%m%d"))])
            low, high = _SERIALS
            if low <= column.low and column.high <= high and _NAMES_OF_DATES.search(name):
                text = "whole numbers that may be days as spreadsheets count them: save them as dates"
                yield Question(text, [self.setting(name, "integer")])
        spelled = self.spelled.get(name)
        if column.read_as == "numbers" and spelled is not None and spelled.layout == 3 and column.low is not None:
            assert column.high is not None
            if column.low >= 1 and column.high < 1000:
                number = {"type": "integer", "thousands": "."}
                text = "all have three digits behind the point: decimals, as they were read, or thousands?"
                yield Question(text, [self.setting(name, number)])


def _of_text(
    description: ColumnDescription, column: _Column, seen: ColumnsSeen, show_data: bool, least: int
) -> ColumnDescription:
    """A column of text: what its values look like, and what else is to be said."""
    forms, name, questions = column.forms, column.name, description.questions
    if forms.blanks:
        values = "1 value begins or ends" if forms.blanks == 1 else f"{forms.blanks:,} values begin or end"
        questions.append(Question(f"{values} with a blank", [seen.without(name, [])]))
    words = [Word(text, count) for text, count in forms.missing.most_common(5) if count >= least]
    if words:
        listed = ", ".join(f"{word.text!r} ×{word.count:,}" for word in words)
        questions.append(Question(f"words that may mean a missing value: {listed}", [seen.without(name, words)]))
    nothing: _Candidate = (0, "", [], "")
    count, looks_like, types, question = max(_candidates(forms), key=lambda each: each[0], default=nothing)
    if not count or count < seen.share * forms.values:
        return description
    if forms.codes and looks_like == "whole numbers":
        looks_like, types = "digits with leading zeros", []
    misfits = _misfits(forms, count, words, show_data, least)
    stated = [_with_missing(type_, misfits) for type_ in types]
    settings = [seen.setting(name, type_) for type_ in stated]
    if forms.blanks and count == forms.values and types and types[0] in _PLAIN:
        stated, settings = [], [seen.without(name, [], types[0])]  # without the blanks it is a number already
    if question:
        questions.append(Question(question, settings if len(settings) > 1 else []))
    if looks_like == "whole numbers" and forms.dates["%Y%m%d"] == count:
        questions.append(Question(_DAYS, [seen.setting(name, _date("%Y%m%d"))]))
    if count == forms.values and types and types[0] in _PLAIN and not forms.blanks and column.read_as == "text":
        questions.append(Question("numbers that are text: are they codes?", [seen.setting(name, "text")]))
    return attrs.evolve(
        description,
        looks_like=looks_like,
        share=count / forms.values,
        misfits=misfits,
        setting=settings[0] if len(settings) == 1 else "",
        type=stated[0] if len(stated) == 1 else None,
        ordered=looks_like.startswith(("dates", "numbers", "whole numbers", *ORDERED)),
    )


def _with_missing(type_: _Type, misfits: list[Misfit]) -> _Type:
    words = [word.text for misfit in misfits for word in misfit.words]
    return {**type_, "missing": list(dict.fromkeys(["", *words]))} if words else type_


_Type = Mapping[str, Any]
# How many values fit, what they are in words, the types to state, of which several are ambiguous, and what is asked.
_Candidate = tuple[int, str, list[_Type], str]
_PLAIN = ({"type": "integer"}, {"type": "number"}, {"type": "decimal"})


def _candidates(forms: Forms) -> Iterator[_Candidate]:
    """What a column of text may be."""
    for count, name in forms.amounts.candidates():
        if name == MONTHS:  # `01.2020` is a number, too
            yield count, name, [], _ORDERED
    if forms.numbers and (most := max(forms.numbers.values())):
        first, *others = [marks for marks in MARKS if forms.numbers[marks] == most]
        # The same texts are other numbers where both marks are others.
        marked = [(d, t) for d, t in others if d != first[0] and t != first[1] and forms.marked[d, t]][:1]
        found = [_number(forms, marks) for marks in [first, *marked]]
        asked = "three digits behind each mark: decimals, or thousands?" if marked else ""
        asked = asked or ("" if found[0][1] else "no type of numbers keeps all their digits: they stay text")
        yield most, " or ".join(said for said, _ in found), [type_ for _, type_ in found if type_], asked
        yield forms.any_numbers, "numbers in several forms", [], "numbers in several forms: write them in one"
    if forms.dates and (most := max(forms.dates.values())):
        formats = [each for each in forms.dates if forms.dates[each] == most][:2]
        noun = "dates and times" if _is_timed(formats[0]) else "dates"
        asked = "is the day or the month first?" if len(formats) > 1 else ""
        types = [_date(each, iso=not forms.short_days) for each in formats]
        yield most, f"{noun} as {' or '.join(map(in_words, formats))}", types, asked
        several = ", ".join(in_words(each) for each, _ in forms.dates.most_common(3))
        yield forms.any_dates, f"dates in several forms ({several})", [], "dates in several forms: write them in one"
    if forms.iso_times:
        yield forms.iso_times, "dates and times of ISO 8601", [{"type": "datetime"}], ""
    if forms.short_years:
        asked = "years of two digits leave the century open: write them with four digits"
        yield forms.short_years, "dates with a year of two digits", [], asked
    for pair, words in forms.truths.items():
        if {word.lower() for word in words} == set(pair):
            yes, no = (sorted(word for word in words if word.lower() == meant) for meant in pair)
            type_ = {"type": "boolean", "true": yes, "false": no}
            yield words.total(), f"true or false as {yes[0]} and {no[0]}", [type_], ""
    for count, name in forms.amounts.candidates():
        yield count, name, [], _ORDERED


def _number(forms: Forms, marks: tuple[str, str]) -> tuple[str, _Type]:
    """Numbers with these marks: in words, and the type, none where no type keeps all their digits."""
    whole = forms.whole[marks] == forms.numbers[marks]
    decimal, thousands = marks
    said = "whole numbers" if whole else "numbers with decimal commas" if decimal == "," else "numbers"
    if thousands:
        said += f"{' and' if ' with ' in said else ' with'} {_NAMES[thousands]} between thousands"
    kinds = [kind for kind in ("integer" if whole else "number", "decimal") if kind not in forms.lost[marks]]
    if not kinds:
        return said, {}
    found = {"type": kinds[0]}
    if decimal != "." and not whole:
        found["decimal"] = decimal
    return said, {**found, "thousands": thousands} if thousands else found


_NAMES = {".": "points", ",": "commas", " ": "blanks", "'": "apostrophes"}


def _date(format: str, *, iso: bool = False) -> _Type:
    if format == "%Y-%m-%d" and iso:
        return {"type": "date"}
    return {"type": "datetime" if _is_timed(format) else "date", "format": format}


def _is_timed(format: str) -> bool:
    return "%H" in format or "%I" in format


def _misfits(forms: Forms, count: int, words: list[Word], show_data: bool, least: int) -> list[Misfit]:
    """The values that do not fit: usual words for missing ones, and others."""
    found = []
    missing = min(forms.missing.total(), forms.values - count)
    if missing:
        found.append(Misfit("missing-value words", missing, words))
    if others := forms.values - count - missing:
        often = max(least, _OFTEN)
        told = [Word(text, times) for text, times in forms.others.most_common(3) if times >= often] if show_data else []
        found.append(Misfit("other values", others, told))
    return found


class _Column:
    """What was seen of one column."""

    def __init__(self, name: str) -> None:
        self.name, self.records, self.missing, self.texts = name, 0, 0, 0
        self.forms = Forms()
        self.low: float | None = None
        self.high: float | None = None
        self.days = True  # all whole numbers are days as yyyymmdd
        self._dtypes: list[Any] = []
        self._kinds: Counter[str] = Counter()
        self._midnights = True

    @property
    def dtype(self) -> str:
        return str(self._dtypes[0]) if self._dtypes else "object"

    @property
    def read_as(self) -> str:
        """What the column was read as, in words."""
        kinds = [kind for kind, count in self._kinds.items() if count]
        if not kinds:
            return "no values"
        if set(kinds) == {"whole numbers", "numbers"}:
            return "numbers"
        if len(kinds) > 1:
            return f"mixed: {', '.join(sorted(kinds))}"
        return "dates" if kinds[0] == "dates and times" and self._midnights else kinds[0]

    def add(self, values: pd.Series[Any]) -> None:
        if values.dtype not in self._dtypes:
            self._dtypes.append(values.dtype)
        self.records += len(values)
        present = values.dropna()
        self.missing += len(values) - len(present)
        dtype = present.dtype
        if isinstance(dtype, pd.CategoricalDtype):
            self._kinds["categories"] += len(present)
        elif pd.api.types.is_object_dtype(dtype):
            self._add_objects(present)
        elif pd.api.types.is_bool_dtype(dtype):
            self._kinds["true or false"] += len(present)
        elif pd.api.types.is_numeric_dtype(dtype):
            self._add_numbers(present, whole=pd.api.types.is_integer_dtype(dtype))
        elif pd.api.types.is_datetime64_any_dtype(dtype):
            self._kinds["dates and times"] += len(present)
            self._midnights = self._midnights and bool((present == present.dt.normalize()).all())
        elif pd.api.types.is_string_dtype(dtype):
            self._add_text(pa.array(present, _LARGE, from_pandas=True))
        else:
            self._kinds[str(dtype)] += len(present)

    def _add_text(self, text: Any) -> None:
        self._kinds["text"] += len(text)
        self.texts += len(text)
        self.forms.add(text.combine_chunks() if isinstance(text, pa.ChunkedArray) else text)

    def _add_numbers(self, present: pd.Series[Any], *, whole: bool) -> None:
        self._kinds["whole numbers" if whole else "numbers"] += len(present)
        if not len(present):
            return
        low, high = present.min(), present.max()
        self.low = low if self.low is None else min(self.low, low)
        self.high = high if self.high is None else max(self.high, high)
        self.days = self.days and whole and low >= 19000101 and high <= 21991231
        if self.days:
            texts = present.astype("int64").drop_duplicates().astype(str)
            made = pc.match_substring_regex(
                pa.array(texts, _LARGE), "^[0-9]{4}(0[1-9]|1[0-2])(0[1-9]|[12][0-9]|3[01])$"
            )
            self.days = bool(pc.all(made).as_py())

    def _add_objects(self, present: pd.Series[Any]) -> None:
        kinds = present.map(lambda value: _KIND_OF.get(type(value), "nested values"))
        for kind in kinds.unique():
            some = present[kinds == kind]
            if kind == "text":
                self._add_text(pa.array([_safe(each) for each in some], _LARGE))
            else:
                self._kinds[kind] += len(some)
                self.forms.add_typed(len(some), kind)


_KIND_OF = {str: "text", bool: "true or false", int: "whole numbers", float: "numbers"}


def _safe(text: str) -> str:
    """Text without halves of characters."""
    return text.encode("utf-8", "replace").decode()
