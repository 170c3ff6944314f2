"""Random tables through every format: what was written is read, whole and in pieces, or refused in words.

Each table is written by the project's writer (whole and in pieces), and by pandas, pyarrow or the standard
library; it is read with types stated and without. What a cell must say is worked out from the Python value that was
drawn, which is what pandas or pyarrow give for it with an explicit type. `PAMOLA_FUZZ=N` (`nox -s fuzz`) tries N
tables for each claim instead of 18.
"""

from __future__ import annotations

import base64
import datetime as dt
import json
import math
import os
import re
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import attrs
import numpy as np
import openpyxl
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import xlsxwriter
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from pamola_tasks.errors import DataError

MANY = "PAMOLA_FUZZ" in os.environ
EXAMPLES = settings(
    max_examples=int(os.environ.get("PAMOLA_FUZZ", "18")),
    derandomize=not MANY,
    database=None,
    phases=list(Phase) if MANY else [Phase.generate],
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
FORMATS = ["csv", "parquet", "jsonl", "xlsx"]
DTYPES = {"text": "str", "integer": "Int64", "number": "float64", "boolean": "boolean", "category": "category"}


@attrs.frozen
class Column:
    """A column: what it holds as Python values, how it is made, and the type that may be stated for it."""

    kind: str
    values: list[Any]
    dtype: Any = object
    stated: str | None = None

    @property
    def series(self) -> pd.Series[Any]:
        return pd.Series(self.values, dtype=self.dtype)


def of(kind: str, cells: Any, dtype: Any = object, stated: str | None = None) -> tuple[Any, ...]:
    return kind, cells, dtype, stated


CODES = [
    "007",
    "1.50",
    "1.5",
    "250.0",
    "250.00",
    "1E5",
    "1e5",
    "1e-05",
    "12E-4",
    "+49",
    "-0",
    "0",
    "00",
    "0x1F",
    "1_000",
    "NA",
    "nan",
    "null",
    "None",
    "True",
    "False",
    "true",
    "inf",
    "-inf",
    "Infinity",
    "now",
    "today",
    "2024-01-31",
    "31.01.2024",
    "1,5",
    "1.234,5",
    "123456789012345678",
    "9" * 25,
    "0.1234567890123456789",
    ".5",
    "5.",
    "1e400",
    "5e-324",
    "0.30000000000000004",
    "-",
    "=1+1",
    "#N/A",
    "1 ",
    " 1",
    "\t1",
]
ODD = [
    " ",
    "\t",
    "\n",
    "\r",
    "\r\n",
    '"',
    '""',
    "'",
    ",",
    ";",
    "|",
    "a,b",
    'a"b',
    "a\nb",
    "\x00",
    "\x01",
    "\x1b",
    "\x7f",
    "\x85",
    "\xa0",
    "\u2028",
    "\ufeff",
    "\ufeffa",
    "e\u0301",
    "\u00e9",
    "\U0001f600",
    "\U0010ffff",
    "\u202eabc",
    "_x0041_",
    "_x000D_",
    "_x005F_",
    "\\",
    "\\n",
    "\ufffe",
    "\uffff",
    "\u3000",
    "\ud7ff",
    "# comment",
    "sep=;",
]
TEXTS = st.text(st.characters(codec="utf-8"), max_size=6) | st.sampled_from(ODD) | st.sampled_from(CODES)
INTEGERS = st.integers(-(2**63), 2**63 - 1) | st.integers(-3, 3) | st.sampled_from([2**53, 2**53 + 1, -(10**15)])
DAYS = st.dates()
MIDNIGHTS = (DAYS | st.none()).map(lambda day: day and dt.datetime.combine(day, dt.time()))
TIMES = st.datetimes() | DAYS.map(lambda day: dt.datetime.combine(day, dt.time()))
NEAR = dt.datetime(1678, 1, 1), dt.datetime(2261, 1, 1)
SAFE = dt.datetime(2, 1, 1), dt.datetime(9998, 1, 1)  # of which no zone makes another year 0 or 10,000
OFFSETS = st.integers(-14 * 60, 14 * 60).map(lambda minutes: dt.timezone(dt.timedelta(minutes=minutes)))
DECIMALS = st.decimals(allow_nan=False, allow_infinity=False, places=2, min_value=-(10**12), max_value=10**12)
NESTED = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False, allow_infinity=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=5,
)
LISTS = st.lists(st.integers(-9, 9), max_size=3)
KINDS = [
    *(
        of(f"{s}int{b}", st.integers(*ends), f"{s}int{b}", "integer" if (s, b) != ("u", 64) else "decimal")
        for b in (8, 16, 32, 64)
        for s, ends in (("", (-(2 ** (b - 1)), 2 ** (b - 1) - 1)), ("u", (0, 2**b - 1)))
    ),
    of("Int64", INTEGERS | st.none(), "Int64", "integer"),
    of("UInt64", st.integers(0, 2**64 - 1) | st.none(), "UInt64", "decimal"),
    of("Int8", st.integers(-128, 127) | st.none(), "Int8", "integer"),
    of(
        "float64",
        st.floats() | st.sampled_from([-0.0, 5e-324, 0.1 + 0.2, 1e22, 1e16, 1e15, math.inf]),
        "float64",
        "number",
    ),
    of("whole floats", st.integers(-5, 5).map(float) | st.none(), "float64", "number"),
    of("float32", st.floats(width=32), "float32", "number"),
    of("Float64", st.floats(allow_nan=False) | st.none(), "Float64", "number"),
    of("bool", st.booleans(), "bool", "boolean"),
    of("boolean", st.booleans() | st.none(), "boolean", "boolean"),
    of("text", TEXTS, "str", "text"),
    of("text or none", TEXTS | st.none(), "str", "text"),
    of("codes", st.sampled_from(CODES) | st.none(), "str", "text"),
    of("digits", st.integers(0, 999).map(str) | st.none(), "str", "text"),
    of("text objects", TEXTS | st.none(), object, "text"),
    of("category", st.sampled_from(["b", "a", "", "1", "007", None]), "category", "category"),
    of(
        "ordered",
        st.sampled_from(["low", "high", None]),
        pd.CategoricalDtype(["low", "mid", "high"], ordered=True),
        "category",
    ),
    of("numbered", st.sampled_from([3, 1, 2]), "category", "integer"),
    of("dates", DAYS | st.none(), object, "date"),
    of("days", MIDNIGHTS, "datetime64[us]", "date"),
    of("days in s", MIDNIGHTS, "datetime64[s]", "date"),
    of("times", TIMES | st.none(), "datetime64[us]", "datetime"),
    of("nanoseconds", st.datetimes(*NEAR) | st.none(), "datetime64[ns]", "datetime"),
    of("time objects", st.datetimes() | st.none(), object, "datetime"),
    *(
        of(
            zone,
            st.datetimes(*(SAFE if zone == "UTC" else NEAR), timezones=st.just(ZoneInfo(zone))) | st.none(),
            f"datetime64[us, {zone}]",
            "datetime",
        )
        for zone in ("UTC", "Europe/Berlin", "America/New_York", "Asia/Kathmandu", "Australia/Lord_Howe")
    ),
    of(
        "fixed",
        st.datetimes(*SAFE, timezones=st.just(dt.timezone(dt.timedelta(hours=-3, minutes=-30)))),
        pd.DatetimeTZDtype("us", dt.timezone(dt.timedelta(hours=-3, minutes=-30))),
        "datetime",
    ),
    of("offsets", st.datetimes(*SAFE, timezones=OFFSETS) | st.none(), object, "datetime"),
    of("hours", st.times() | st.none()),
    of("spans of time", st.timedeltas(dt.timedelta(-9999), dt.timedelta(9999)) | st.none(), "timedelta64[us]"),
    of("decimals", DECIMALS | st.none(), object, "decimal"),
    of("long decimals", st.decimals(allow_nan=False, allow_infinity=False) | st.none(), object, "decimal"),
    of("bytes", st.binary(max_size=5) | st.none()),
    of("lists", LISTS | st.none()),
    of("records", st.fixed_dictionaries({"a": st.integers(0, 9), "b": TEXTS}) | st.none()),
    of("nested", NESTED),
    of("big integers", st.integers(-(10**30), 10**30) | st.none(), object, "decimal"),
    of("mixed", st.sampled_from([1, "1", "a", True, 1.5, None, 2**70])),
    of("nothing", st.none()),
    of("no numbers", st.none(), "Int64", "integer"),
    of("no texts", st.none(), "str", "text"),
    of("no times", st.none(), "datetime64[us]", "datetime"),
]
NAMES = st.text(st.characters(codec="utf-8"), max_size=4) | st.sampled_from(
    [
        "a",
        "b",
        "n",
        "1",
        "a b",
        "a.b",
        "A",
        " a",
        "a,b",
        'a"b',
        "a\nb",
        "é",
        "e\u0301",
        "None",
        "index",
        "0",
        "__index_level_0__",
    ]
)


@st.composite
def tables(draw: Any) -> dict[str, Column]:
    rows = draw(st.sampled_from([0, 1, 2, 3, 7, 8, 15]))
    names = draw(st.lists(NAMES, min_size=1, max_size=3, unique=True))
    columns = {}
    for name in names:
        kind, cells, dtype, stated = draw(st.sampled_from(KINDS))
        some = draw(st.lists(cells, min_size=rows, max_size=rows))
        columns[name] = Column(kind, some, dtype, stated)
    return columns


# ---------------------------------------------------------------- what a cell must say


def is_nothing(value: Any) -> bool:
    return value is None or value is pd.NA or value is pd.NaT or (isinstance(value, float) and value != value)


def says(found: Any, meant: Any, column: Column, format: str) -> bool:
    """Whether a cell that was read says what was written."""
    if format == "xlsx by others" and (meant == b"" or (isinstance(meant, float) and math.isinf(meant))):
        # openpyxl leaves such cells empty; pandas writes bytes as Python shows them
        return is_nothing(found) or found == str(meant) or says(found, meant, column, "xlsx")
    if is_nothing(meant):
        return is_nothing(found) or (format in BLANK and found == "") or (found == "null" and column.kind == "nested")
    if format in BLANK and meant == "":
        return is_nothing(found) or found == ""
    if isinstance(meant, str) and column.kind not in ("nested", "mixed"):
        if isinstance(found, str):
            return found == meant or (format == "xlsx by others" and found == re.sub("\r\n?", "\n", meant))  # as XML is
        return not is_nothing(found) and said_by(found, meant)
    if format == "xlsx by others" and is_nothing(found) and isinstance(meant, dt.date):
        return meant.year == 1  # with the number of the day before, which is none: a warning tells
    if is_nothing(found):
        return False
    if isinstance(meant, (list, dict)) or column.kind == "nested":
        return without_nulls(as_json(found)) == without_nulls(meant) or found == str(meant)
    if isinstance(meant, bytes):
        if format in ("csv by others", "xlsx by others"):
            return bool(found == str(meant))  # as pandas writes them
        return isinstance(found, str) and base64.b64decode(found, validate=True) == meant
    if isinstance(meant, bool):
        return (
            found is meant
            or (isinstance(found, np.bool_) and bool(found) == meant)
            or str(found).lower() == str(meant).lower()
        )
    if column.kind == "mixed":
        said = str(float(meant) if format == "xlsx by others" and meant == 2**70 else meant).lower()
        return str(found).lower().removesuffix(".0") == said
    if isinstance(meant, dt.datetime):
        meant = meant if meant.tzinfo is None else meant.astimezone(dt.UTC)
        if format == "xlsx by others":  # Excel has milliseconds
            early = meant.year < 1900 and {dt.timedelta(0), dt.timedelta(1)}  # of which a warning tells
            return any(
                abs(meant - time_of(found) - off) <= dt.timedelta(milliseconds=1) for off in early or {dt.timedelta()}
            )
        return bool(time_of(found) == meant)
    if isinstance(meant, dt.date):
        return says(found, dt.datetime.combine(meant, dt.time()), column, format)
    if isinstance(meant, dt.time):
        read = dt.time.fromisoformat(found) if isinstance(found, str) else found
        if format == "xlsx by others":  # Excel has milliseconds
            return bool(abs(seconds_of(read) - seconds_of(meant)) <= 1e-3)
        return bool(read == meant)
    if isinstance(meant, dt.timedelta):
        seconds = pd.Timedelta(found).total_seconds() if isinstance(found, (str, dt.timedelta)) else float(found)
        if format == "xlsx by others" and isinstance(found, (int, float)):
            seconds *= 86_400  # pandas writes days, as plain numbers
        return bool(abs(seconds - meant.total_seconds()) < (1e-2 if format.startswith("xlsx") else 1e-6))
    if isinstance(meant, float):
        return float_of(found, meant, column, format)
    if format == "xlsx by others" and not isinstance(found, str):  # which write floats
        written = (f"{float(meant):.16G}", f"{meant:.16G}", meant)  # the second of decimals, which are rounded once
        return float(found) in map(float, written)
    return isinstance(found, (str, int, np.integer, float, Decimal)) and Decimal(str(found)) == Decimal(meant)


BLANK = ("xlsx", "xlsx by others", "csv by others")


def as_json(found: Any) -> Any:
    try:
        return json.loads(found) if isinstance(found, str) else found
    except ValueError:
        return None


def without_nulls(value: Any) -> Any:
    """Of objects, whose keys Arrow makes the fields of all cells of a column."""
    if isinstance(value, dict):
        return {key: without_nulls(each) for key, each in value.items() if each is not None}
    if isinstance(value, int) and abs(value) > 2**53:  # as ECMAScript writes floats, too
        return float(value)
    return [without_nulls(each) for each in value] if isinstance(value, list) else value


def said_by(found: Any, text: str) -> bool:
    if isinstance(found, (bool, np.bool_)):
        return str(bool(found)) == text
    return float(text) == found if isinstance(found, float) else str(found) == text


def seconds_of(time: dt.time) -> float:
    return time.hour * 3600 + time.minute * 60 + time.second + time.microsecond / 1e6


def time_of(found: Any) -> Any:
    """In UTC where it says an offset."""
    if isinstance(found, str):
        found = re.sub(r"(\.\d{6})\d{3}", r"\1", found)
        found = dt.datetime.fromisoformat(found)
    elif isinstance(found, dt.date) and not isinstance(found, dt.datetime):
        found = dt.datetime.combine(found, dt.time())
    if isinstance(found, pd.Timestamp):
        found = found.to_pydatetime(warn=False)
    return found if found.tzinfo is None else found.astimezone(dt.UTC)


def float_of(found: Any, meant: float, column: Column, format: str) -> bool:
    found = float(found)
    if column.kind == "float32":
        found, meant = float(np.float32(found)), float(np.float32(meant))
    if format.startswith("xlsx"):  # Excel keeps no more digits
        return found == float(f"{meant:.16G}") or (column.kind == "float32" and found == meant)
    return found == meant and math.copysign(1, found) == math.copysign(1, meant)


# ---------------------------------------------------------------- writing and reading


def frame_of(table: dict[str, Column]) -> pd.DataFrame:
    return pd.DataFrame({name: column.series for name, column in table.items()})


def by_others(project: Any, table: dict[str, Column], format: str) -> None:
    path, frame = project.root / f"t.{'xlsx' if format in BOOKS else format}", frame_of(table)
    if format == "csv":
        frame.to_csv(path, index=False, lineterminator="\r\n")
    elif format == "parquet":
        pq.write_table(pa.Table.from_pandas(frame), path)
    elif format == "jsonl":
        with path.open("w", encoding="utf-8") as file:
            for row in zip(*(column.values for column in table.values()), strict=True):
                cells = {name: None if is_nothing(cell) else cell for name, cell in zip(table, row, strict=True)}
                file.write(json.dumps(cells, ensure_ascii=False, default=iso) + "\n")
    else:
        BOOKS[format](path, table)


def with_openpyxl(path: Any, table: dict[str, Column]) -> None:
    book = openpyxl.Workbook()
    for row in rows_of(table):
        book.active.append(row)
    book.save(path)


def with_xlsxwriter(path: Any, table: dict[str, Column]) -> None:
    spans = any(isinstance(cell, dt.timedelta) for column in table.values() for cell in column.values)
    format = "[h]:mm:ss.000" if spans else "yyyy-mm-dd hh:mm:ss.000"  # one for both
    if spans and any(isinstance(cell, dt.date) for column in table.values() for cell in column.values):
        raise ValueError
    with xlsxwriter.Workbook(path, {"default_date_format": format}) as book:
        sheet = book.add_worksheet()
        for place, row in enumerate(rows_of(table)):
            sheet.write_row(place, 0, row)


def with_pandas(path: Any, table: dict[str, Column]) -> None:
    frame_of(table).to_excel(path, index=False)


BOOKS = {"openpyxl": with_openpyxl, "xlsxwriter": with_xlsxwriter, "pandas": with_pandas}


def rows_of(table: dict[str, Column]) -> list[list[Any]]:
    rows = [tuple(table), *zip(*(column.values for column in table.values()), strict=True)]
    return [[None if is_nothing(cell) else cell for cell in row] for row in rows]


def iso(value: Any) -> Any:
    return (
        base64.b64encode(value).decode()
        if isinstance(value, bytes)
        else str(value)
        if not hasattr(value, "isoformat")
        else value.isoformat()
    )


def read(project: Any, format: str, types: dict[str, Any] | None, size: int | None) -> pd.DataFrame | str:
    """The table, or the words in which it was refused, without their numbers."""
    source = project.source(t=f"t.{format}", data_types={"t": types} if types else None)
    try:
        if size is None:
            return source.frame("t")
        pieces = list(source.chunks("t", size))
        assert all(len(piece) <= size for piece in pieces)
        assert len({tuple(map(str, piece.dtypes)) for piece in pieces}) == 1, [piece.dtypes for piece in pieces]
        return pd.concat(pieces, ignore_index=True) if len(pieces) > 1 else pieces[0]
    except DataError as refused:
        return in_words(refused)


def in_words(refused: DataError) -> str:
    said = re.sub(r"t\.(csv|parquet|jsonl|xlsx)", "t.x", str(refused))
    assert "t.x" in said
    return re.sub(r"values? (is|are)|[0-9][0-9,]*", "#", said)


def check(project: Any, table: dict[str, Column], format: str, kind: str) -> None:
    rows = list(zip(*(column.values for column in table.values()), strict=True))
    if format == "jsonl" and not rows:
        return  # a file without lines, which names no columns
    if kind == "csv by others" and not rows and len(table) == 1 and set("".join(table)) & set(";|\t"):
        return  # a line that reads as the names of several columns
    cells = [*table, *(cell for row in rows for cell in row)]
    if kind == "xlsx by others" and (
        "" in table or any("\r" in name for name in table) or any(str(cell)[:1] == "=" for cell in cells)
    ):
        return  # a sheet has a name for each column, XML has no \\r, and openpyxl takes such a text for a formula
    if kind == "xlsx by others" and any(isinstance(cell, int) and abs(cell) > 2**53 for cell in cells):
        return  # its numbers are doubles
    if kind == "xlsx by others" and rows and all(is_nothing(cell) or cell in ("", b"") for cell in rows[-1]):
        return  # rows without values at the end of a sheet are none
    stated = {name: column.stated for name, column in table.items() if column.stated}
    for types in (None, stated):
        whole = read(project, format, types, None)
        for size in (1, 7, 15):
            pieces = read(project, format, types, size)
            if isinstance(whole, str) or isinstance(pieces, str):
                assert isinstance(whole, str) is isinstance(pieces, str), (types, size, whole, pieces)
                same = pieces == whole or pieces.split(": ")[:2] == whole.split(": ")[:2]
                both = all("(data_types: " in said for said in (whole, pieces))  # of two, each finds another first
                assert same or (both and len(stated) > 1), (whole, pieces)
            else:
                for name in whole.columns[[each == "category" for each in whole.dtypes]]:  # a piece has its own
                    assert str(pieces[name].dtype) in ("category", "str", "object")
                    pieces[name] = pieces[name].astype(whole[name].dtype)
                pd.testing.assert_frame_equal(pieces, whole, check_exact=True, obj=f"pieces of {size}, {types}")
                if size > 1:
                    continue
                schema = project.source(t=f"t.{format}", data_types={"t": types} if types else None).schema("t")
                assert schema == {name: str(dtype) for name, dtype in whole.dtypes.items()}
        if isinstance(whole, pd.DataFrame):
            compare(whole, table, types or {}, kind)


def compare(whole: pd.DataFrame, table: dict[str, Column], types: dict[str, Any], kind: str) -> None:
    assert list(whole.columns) == list(table)
    assert len(whole) == max(len(column.values) for column in table.values())
    for name, column in table.items():
        found = whole[name].astype(object).tolist()
        wrong = [pair for pair in zip(found, column.values, strict=True) if not says(*pair, column, kind)]
        assert not wrong, (column.kind, types.get(name), wrong[:3], whole[name].dtype)
        if types.get(name) in DTYPES:
            assert str(whole[name].dtype) == DTYPES[types[name]]


@pytest.mark.parametrize("format", FORMATS)
@EXAMPLES
@given(table=tables(), size=st.sampled_from([None, 1, 7]))
def test_what_is_written_is_read_again_or_refused_in_words(
    project: Any, format: str, table: dict[str, Column], size: int | None
) -> None:
    frame = frame_of(table)
    pieces = (
        frame if size is None else (frame.iloc[start : start + size] for start in range(0, max(len(frame), 1), size))
    )
    try:
        project.writer().write_dataset(pieces, f"t.{format}", name="t", format=format)
    except DataError as refused:
        in_words(refused)
        return
    check(project, table, format, format)


@pytest.mark.parametrize("format", [*FORMATS[:3], *BOOKS])
@EXAMPLES
@given(table=tables())
def test_what_others_write_is_read_or_refused_in_words(project: Any, format: str, table: dict[str, Column]) -> None:
    try:
        by_others(project, table, format)
    except Exception:  # what the other cannot write
        return
    extension = "xlsx" if format in BOOKS else format
    check(project, table, extension, f"{extension} by others")
