"""Numbers and dates as people write them, beside Python's own readers: the same value, or none."""

from __future__ import annotations

import datetime
import re
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from fuzzing import examples
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pamola_tasks_data import notation
from pamola_tasks_data.directives import format_problem

MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()
WRITTEN = {
    "%d.%m.%Y": lambda at: f"{at.day:02}.{at.month:02}.{at.year:04}",
    "%m/%d/%Y": lambda at: f"{at.month}/{at.day}/{at.year:04}",
    "%Y%m%d": lambda at: f"{at.year:04}{at.month:02}{at.day:02}",
    "%d-%b-%Y": lambda at: f"{at.day}-{MONTHS[at.month - 1].upper()}-{at.year:04}",
    "%Y.%j": lambda at: f"{at.year:04}.{at.timetuple().tm_yday:03}",
    "%d.%m.%Y %H:%M:%S.%f": lambda at: f"{at.day}.{at.month}.{at.year:04} {at.time().isoformat('microseconds')}",
    "%F %I:%M %p": lambda at: f"{at.date()} {at.hour % 12 or 12:02}:{at.minute:02} {'ap'[at.hour // 12]}m",
}


def column(cells: list[str]) -> Any:
    return pa.array(cells, pa.large_string())


@pytest.mark.parametrize("format", WRITTEN)
@settings(max_examples=60, deadline=None)
@given(moments=st.lists(st.datetimes(), min_size=1, max_size=40))
def test_moments_are_read_in_the_format_that_they_are_written_in(format: str, moments: list[Any]) -> None:
    assert not format_problem(format, time="M" in format or "H" in format)
    whole = {"%d.%m.%Y %H:%M:%S.%f": moments, "%F %I:%M %p": [at.replace(second=0, microsecond=0) for at in moments]}
    expected = whole.get(format) or [at.replace(hour=0, minute=0, second=0, microsecond=0) for at in moments]
    assert notation.by_format(column([WRITTEN[format](at) for at in moments]), format).to_pylist() == expected


DIGITS = st.text("0123456789.-/: ", max_size=12)


@settings(max_examples=examples(200), deadline=None)
@given(cells=st.lists(DIGITS, min_size=1, max_size=40))
def test_other_texts_are_no_dates(cells: list[str]) -> None:
    def expected(cell: str) -> datetime.datetime | None:
        if not re.fullmatch(r"\d{1,2}\.\d{1,2}\.\d{4}", cell):
            return None
        try:
            return datetime.datetime(*map(int, reversed(cell.split("."))))  # type: ignore[arg-type]
        except ValueError:
            return None

    assert notation.by_format(column(cells), "%d.%m.%Y").to_pylist() == [expected(cell) for cell in cells]


@settings(max_examples=examples(200), deadline=None)
@given(
    moments=st.lists(
        st.datetimes(datetime.datetime(1, 1, 3), datetime.datetime(9999, 12, 29)), min_size=1, max_size=40
    ),
    minutes=st.integers(-840, 840),
    form=st.sampled_from(["%s", "week", "basic", "ordinal"]),
)
def test_every_complete_form_of_iso_8601_is_the_same_moment(moments: list[Any], minutes: int, form: str) -> None:
    zone = datetime.timezone(datetime.timedelta(minutes=minutes))
    cells = []
    for at in moments:
        year, week, day = at.isocalendar()
        date, time, offset = f"{at.date()}", at.time().isoformat(), at.replace(tzinfo=zone).isoformat()[-6:]
        if form == "week":
            date = f"{year:04}-W{week:02}-{day}"
        elif form == "ordinal":
            date = f"{at.year:04}-{at.timetuple().tm_yday:03}"
        elif form == "basic":
            date, time, offset = (
                part.replace("-", "", 1 + (part is date)).replace(":", "") for part in (date, time, offset)
            )
            offset = at.replace(tzinfo=zone).isoformat()[-6:].replace(":", "")
        cells.append(f"{date}T{time}{offset}")
    found, zoned = notation.iso(column(cells))
    delta = datetime.timedelta(minutes=minutes)
    assert zoned.to_pylist() == [True] * len(moments)
    assert found.to_pylist() == [at - delta for at in moments]


@settings(max_examples=examples(300), deadline=None)
@given(
    cells=st.lists(st.text("0123456789.,'+-e ", max_size=12), min_size=1, max_size=40),
    marks=st.sampled_from([(",", "."), (".", ","), (",", ""), (".", "'"), (",", " "), (".", ".")]),
)
@example(cells=["0'000", "1'000"], marks=(".", "'"))  # no group follows a leading zero
def test_numbers_are_those_of_their_marks(cells: list[str], marks: tuple[str, str]) -> None:
    decimal, thousands = marks

    def expected(cell: str) -> Decimal | None:
        groups = rf"[1-9]\d{{0,2}}(?:{re.escape(thousands)}\d{{3}})+|\d+" if thousands else r"\d+"
        fraction = "" if decimal == thousands else rf"(?:{re.escape(decimal)}\d*)?"
        alone = "" if decimal == thousands else rf"|{re.escape(decimal)}\d+"
        if not re.fullmatch(rf"[+-]?(?:(?:{groups}){fraction}{alone})(?:e[+-]?\d+)?", cell):
            return None
        plain = cell.replace(thousands, "") if thousands else cell
        return Decimal(plain.replace(decimal, "."))

    found = notation.numbers(column(cells), decimal, thousands).to_pylist()
    assert [text if text is None else Decimal(text) for text in found] == [expected(cell) for cell in cells]
