"""Parquet files of other tools: dates of all centuries, and the same columns whatever way a file is read."""

from __future__ import annotations

import datetime
import io
import re
from itertools import chain
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as arrow_parquet
import pytest

from pamola_tasks.errors import DataError
from pamola_tasks_data import parquet

DATES = ["0001-01-01", "1582-10-15", "1600-02-29T12:30:15.123456", "1677-01-01", "1970-01-01", "2262-12-31",
         "2300-06-15", "9999-12-31T23:59:59.999999"]  # fmt: skip


def every_way(project: Any, columns: list[str], **stated: Any) -> pd.DataFrame:
    """The table of `t.parquet`, alike whole, by columns in any order, and in pieces."""

    def source() -> Any:
        return project.source(t="t.parquet", **stated)

    whole = source().frame("t")
    assert list(whole) == columns == source().columns("t")
    assert source().schema("t") == {name: str(dtype) for name, dtype in whole.dtypes.items()}
    pd.testing.assert_frame_equal(source().frame("t", columns[::-1]), whole[columns[::-1]])
    for name in columns:
        pd.testing.assert_frame_equal(source().frame("t", [name]), whole[[name]])
    for size in (1, 3, len(whole)):
        pd.testing.assert_frame_equal(pd.concat(source().chunks("t", size), ignore_index=True), whole)
        pieces = pd.concat(source().chunks("t", size, columns[-1:]), ignore_index=True)
        pd.testing.assert_frame_equal(pieces, whole[columns[-1:]])
    return whole


def test_int96_times_of_all_centuries_are_what_spark_wrote(project: Any) -> None:
    values = pd.Series([None, *DATES], dtype="datetime64[us]")
    table = pa.table({"at": pa.array(values).cast(pa.timestamp("us")), "n": list(range(9))})
    arrow_parquet.write_table(table, project.root / "t.parquet", use_deprecated_int96_timestamps=True)
    found = every_way(project, ["at", "n"])
    assert found["at"].tolist()[1:] == values.tolist()[1:]


def test_int96_times_keep_nanoseconds_or_are_refused(project: Any) -> None:
    values = pd.Series(["2024-01-31T10:30:15.123456789", None, "1970-01-01"], dtype="datetime64[ns]")
    arrow_parquet.write_table(
        pa.table({"at": values}), project.root / "t.parquet", use_deprecated_int96_timestamps=True
    )
    assert every_way(project, ["at"])["at"].tolist()[0] == values[0]
    far = pa.table({"at": pa.array(pd.Series(["9999-12-31", "2024-01-31"], dtype="datetime64[us]")), "n": [1, 2]})
    written = io.BytesIO()
    arrow_parquet.write_table(
        far, written, use_deprecated_int96_timestamps=True, compression="none", use_dictionary=False
    )
    julian = (2_440_588 + 19_753).to_bytes(4, "little")  # 2024-01-31
    data = written.getvalue().replace(bytes(8) + julian, (1).to_bytes(8, "little") + julian)
    assert data != written.getvalue()
    project.put("t.parquet", data)
    with pytest.raises(DataError, match="column 'at' has times to the nanosecond"):
        project.source(t="t.parquet").frame("t")


INDEXES = {
    "a named range": (pd.RangeIndex(5, 25, 5, name="id"), [5, 10, 15, 20]),
    "a range that falls": (pd.RangeIndex(4, 0, -1, name="id"), [4, 3, 2, 1]),
    "stored numbers": (pd.Index([7, 3, 9, 1], name="id"), [7, 3, 9, 1]),
    "texts": (pd.Index(list("abcd"), name="id"), list("abcd")),
    "dates": (pd.DatetimeIndex(["1600-01-01", "2024-01-01", "2300-01-01", "9999-12-31"], name="id"), None),
    "categories": (pd.CategoricalIndex(list("abab"), name="id"), list("abab")),
}


@pytest.mark.parametrize("name", INDEXES)
def test_an_index_with_a_name_is_a_column(project: Any, name: str) -> None:
    index, values = INDEXES[name]
    frame = pd.DataFrame({"b": [1, 2, None, 4], "c": list("wxyz")}, index=index)
    frame.to_parquet(project.root / "t.parquet", row_group_size=3)
    found = every_way(project, ["id", "b", "c"])
    assert found["id"].tolist() == (values or index.tolist())


def test_levels_of_an_index_are_columns_and_numbers_of_rows_are_not(project: Any) -> None:
    levels = pd.MultiIndex.from_arrays([[1, 1, 2, 2], list("abab")], names=["x", None])
    pd.DataFrame({"b": [1.5, 2, 3, 4]}, index=levels).to_parquet(project.root / "t.parquet")
    assert every_way(project, ["x", "b"])["x"].tolist() == [1, 1, 2, 2]
    for index in (pd.RangeIndex(7, 11), pd.Index([9, 4, 7, 1]), pd.Index(list("abcd"))):
        pd.DataFrame({"b": [1.5, 2, 3, 4]}, index=index).to_parquet(project.root / "t.parquet")
        every_way(project, ["b"])


def test_column_names_are_text(project: Any) -> None:
    """pandas notes that names were numbers, or pairs: they are text in the file."""
    pd.DataFrame({0: [1, 2], 1: ["a", None]}).to_parquet(project.root / "t.parquet")
    every_way(project, ["0", "1"])
    pairs = pd.DataFrame([[1, 2], [3, 4]], columns=pd.MultiIndex.from_tuples([("a", "b"), ("a", "c")]))
    pairs.to_parquet(project.root / "t.parquet")
    every_way(project, ["('a', 'b')", "('a', 'c')"])


def test_two_columns_of_one_name_are_refused(project: Any) -> None:
    table = pa.Table.from_arrays([pa.array([1]), pa.array([2])], names=["a", "a"])
    written = io.BytesIO()
    arrow_parquet.write_table(table, written)
    project.put("t.parquet", written.getvalue())
    for read in (
        lambda s: s.frame("t"),
        lambda s: s.frame("t", ["a"]),
        lambda s: list(s.chunks("t", 1)),
        lambda s: s.schema("t"),
    ):
        with pytest.raises(DataError, match="'a' more than once"):
            read(project.source(t="t.parquet"))


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_stated_times_of_other_units_keep_their_values(project: Any, unit: str) -> None:
    days = [*DATES[4:5], "2024-01-31"] if unit == "ns" else [day[:10] for day in DATES]
    values = pd.Series([None, *days], dtype="datetime64[us]").astype(f"datetime64[{unit}]")
    arrow_parquet.write_table(pa.table({"at": pa.array(values)}), project.root / "t.parquet")
    for stated in ({}, {"data_types": {"t": {"at": "date"}}}, {"data_types": {"t": {"at": "datetime"}}}):
        found = every_way(project, ["at"], **stated)
        assert found["at"].tolist()[1:] == [pd.Timestamp(day) for day in days]


def test_nanoseconds_are_not_dropped_for_a_stated_type(project: Any) -> None:
    at = pd.Series(["2024-01-31T00:00:00.000000001", None, "2024-01-31"], dtype="datetime64[ns]")
    arrow_parquet.write_table(pa.table({"at": at}), project.root / "t.parquet")
    for kind in ("date", "datetime"):
        with pytest.raises(DataError, match="1 value is given to the nanosecond"):
            project.source(t="t.parquet", data_types={"t": {"at": kind}}).frame("t")


@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin", "Asia/Kolkata"])
def test_days_of_a_zone_are_days_and_times_keep_their_zone(project: Any, zone: str) -> None:
    at = pd.Series(pd.to_datetime(["1600-01-01", "2024-07-01", None]).as_unit("us").tz_localize(zone))
    arrow_parquet.write_table(pa.table({"at": at}), project.root / "t.parquet")
    found = every_way(project, ["at"], data_types={"t": {"at": "date"}})
    assert found["at"].tolist()[:2] == [pd.Timestamp("1600-01-01"), pd.Timestamp("2024-07-01")]
    assert every_way(project, ["at"], data_types={"t": {"at": "datetime"}})["at"].tolist()[:2] == at.tolist()[:2]


_LAST = 253_402_300_799  # seconds to the end of the year 9999
_FIRST = -62_135_596_800
FAR = {
    "later in its zone": pa.array([0, _LAST * 10**6, None], pa.timestamp("us", "Europe/Berlin")),
    "later by an offset": pa.array([0, _LAST * 1000], pa.timestamp("ms", "+05:00")),
    "earlier in its zone": pa.array([0, _FIRST * 10**6], pa.timestamp("us", "America/New_York")),
    "after 9999": pa.array([0, (_LAST + 1) * 10**6], pa.timestamp("us")),
    "after 9999 in UTC": pa.array([0, (_LAST + 1) * 10**6], pa.timestamp("us", "UTC")),
    "far after 9999 in a zone": pa.array([0, 2**63 - 1], pa.timestamp("us", "Europe/Berlin")),
    "milliseconds taken for seconds": pa.array([0, 1_700_000_000_000_000], pa.timestamp("ms")),
    "a negative year": pa.array([0, _FIRST * 10**6 - 10**14], pa.timestamp("us")),
    "the year 0": pa.array([0, _FIRST * 10**6 - 1], pa.timestamp("us")),
    "a day after 9999": pa.array([0, 10**7], pa.date32()),
    "a day of a negative year": pa.array([0, -(10**6)], pa.date32()),
    "a day in a list": pa.array([[0], [10**7]], pa.list_(pa.date32())),
    "a time in an object": pa.array([{"a": 2**62}], pa.struct([("a", pa.timestamp("us"))])),
    "a time of a zone in a list": pa.array([[_LAST * 10**6]], pa.list_(pa.timestamp("us", "Europe/Berlin"))),
}


@pytest.mark.parametrize("what", FAR)
@pytest.mark.parametrize("kind", ["", "datetime", "text"])
def test_days_and_times_of_other_years_are_refused(project: Any, what: str, kind: str) -> None:
    """With the dataset and the column, and no part of the value."""
    arrow_parquet.write_table(pa.table({"at": FAR[what]}), project.root / "t.parquet")
    types = {"data_types": {"t": {"at": kind}}} if kind else {}
    for read in (lambda s: s.frame("t"), lambda s: s.frame("t", ["at"]), lambda s: list(s.chunks("t", 1))):
        with pytest.raises(DataError, match=r"'t'.*column 'at' (has|holds)") as caught:
            read(project.source(t="t.parquet", **types))
        assert not re.search(r"[0-9]{4}", str(caught.value).replace("1 to 9999", ""))


@pytest.mark.parametrize(
    ("zone", "ends"),
    [("UTC", (0, 0)), ("Europe/Berlin", (0, 3600)), ("America/New_York", (5 * 3600, 0)), ("+05:00", (0, 5 * 3600))],
)
def test_the_first_and_the_last_time_of_a_zone_are_read(project: Any, zone: str, ends: tuple[int, int]) -> None:
    seconds = [_FIRST + ends[0], _LAST - ends[1], None]
    at = pa.array([None if each is None else each * 10**6 for each in seconds], pa.timestamp("us", zone))
    arrow_parquet.write_table(pa.table({"at": at}), project.root / "t.parquet")
    for types in ({}, {"data_types": {"t": {"at": "datetime"}}}):
        found = every_way(project, ["at"], **types)["at"]
        assert found.dt.tz_convert("UTC").dt.year.tolist()[:2] == [1, 9999]


@pytest.mark.parametrize("zone", ["Mars/Olympus", "+25:00"])
def test_a_zone_that_is_not_known_is_named_with_its_column(project: Any, zone: str) -> None:
    arrow_parquet.write_table(pa.table({"seen": pa.array([0], pa.timestamp("us", zone))}), project.root / "t.parquet")
    for read in (lambda s: s.frame("t"), lambda s: s.schema("t"), lambda s: list(s.chunks("t", 1))):
        with pytest.raises(DataError, match=r"column 'seen' has times in .*, a zone that is not known"):
            read(project.source(t="t.parquet"))


LEVELS = pd.CategoricalDtype(["low", "mid", "high"], ordered=True)


@pytest.mark.parametrize(
    ("pieces", "categories", "ordered"),
    [
        ([[None, None], ["low", None]], ["low"], True),
        ([[None], [None]], [], True),
        ([["high", "mid"], ["low", "mid"]], ["low", "mid", "high"], True),
        ([["high"], ["low"]], ["high", "low"], False),  # which of them is less is in neither piece
        ([["low", "high"], ["mid", "high"]], ["low", "high", "mid"], False),
    ],
)
def test_categories_written_in_pieces_keep_every_value_and_no_wrong_order(
    project: Any, pieces: list[Any], categories: list[str], ordered: bool
) -> None:
    frames = [pd.DataFrame({"a": pd.Series(piece, dtype=LEVELS)}) for piece in pieces]
    project.writer().write_dataset(iter(frames), "t.parquet", name="t", format="parquet")
    found = project.source(t="t.parquet").frame("t")["a"]
    assert found.astype(object).where(found.notna(), None).tolist() == list(chain(*pieces))
    assert (found.cat.categories.tolist(), found.cat.ordered) == (categories, ordered)


def test_a_later_piece_may_have_many_more_categories(project: Any) -> None:
    """Arrow numbers few categories with a byte."""
    values = [["a"], [f"c{n}" for n in range(300)], [None]]
    frames = [pd.DataFrame({"a": pd.Series(each, dtype="category")}) for each in values]
    project.writer().write_dataset(iter(frames), "t.parquet", name="t", format="parquet")
    assert project.source(t="t.parquet").frame("t")["a"].dropna().tolist() == list(chain(*values[:2]))


def test_numbers_after_a_piece_of_missing_categories_are_refused(project: Any) -> None:
    nothing = pd.DataFrame({"a": pd.Series([None], dtype=LEVELS)})
    with pytest.raises(DataError, match=r"column 'a' is .* in the first piece"):
        project.writer().write_dataset(
            iter([nothing, pd.DataFrame({"a": [1]})]), "t.parquet", name="t", format="parquet"
        )


def repeated(kind: str, rows: int, length: int, *, stored_as: bool) -> bytes:
    """A file that names one long text in every second row, after a row without any."""
    numbers = pa.array([None, *(n % 2 for n in range(rows))], pa.int32())
    texts = pa.array(["x" * length, "y"], pa.binary() if kind == "bytes" else pa.string())
    cells: Any = pa.DictionaryArray.from_arrays(numbers, texts)
    if kind == "lists":
        cells = pa.ListArray.from_arrays(pa.array(range(rows + 2), pa.int32()), cells)
    elif kind == "records":
        cells = pa.StructArray.from_arrays([cells], ["x"])
    elif kind == "maps":
        keys = pa.array(["k"] * (rows + 1))
        cells = pa.MapArray.from_arrays(pa.array(range(rows + 2), pa.int32()), keys, cells)
    file = io.BytesIO()
    arrow_parquet.write_table(pa.table({"n": range(rows + 1), "a": cells}), file, store_schema=stored_as)
    return file.getvalue()


KINDS = ["texts", "bytes", "lists", "records", "maps"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("stored_as", [True, False])
def test_a_long_text_that_is_stored_once_and_named_often_is_refused_before_it_is_repeated(
    project: Any, kind: str, stored_as: bool
) -> None:
    """Some kilobytes that would be a gigabyte, and more by the row."""
    data = repeated(kind, 20_000, 100_000, stored_as=stored_as)
    assert len(data) < 200_000
    (project.root / "t.parquet").write_bytes(data)
    before = pa.total_allocated_bytes()
    peak = pa.default_memory_pool().max_memory()
    for read in (lambda of: of.frame("t"), lambda of: list(of.chunks("t", 7)), lambda of: of.frame("t", ["a"])):
        with pytest.raises(DataError, match=r"expand to more than .* data\.expansion_limit"):
            read(project.source(t="t.parquet"))
    assert pa.default_memory_pool().max_memory() - peak < 100 << 20
    assert pa.total_allocated_bytes() - before < 10 << 20
    assert len(project.source(t="t.parquet").frame("t", ["n"])) == 20_001


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("stored_as", [True, False])
def test_texts_read_by_number_are_those_that_are_read_otherwise(
    monkeypatch: pytest.MonkeyPatch, kind: str, stored_as: bool
) -> None:
    monkeypatch.setattr("pamola_tasks_data.repeated_texts.HARMLESS", 1)
    data = repeated(kind, 2_000, 5_000, stored_as=stored_as)
    found, wanted = (
        parquet.read(io.BytesIO(data), None, {"expansion_limit": limit}) for limit in (200.0, float("inf"))
    )
    pd.testing.assert_frame_equal(found, wanted)
    pieces = list(parquet.chunks(io.BytesIO(data), 700, None, {"expansion_limit": 200.0}))
    for piece in pieces:
        piece["a"] = piece["a"].astype(wanted["a"].dtype)
    pd.testing.assert_frame_equal(pd.concat(pieces, ignore_index=True), wanted)


TEXT_COLUMNS = {
    "few": [f"t{place % 5}" for place in range(3_000)],
    "missing": [None if place % 3 else "é" for place in range(3_000)],
    "nothing": [None] * 3_000,
    "other ones in each group": [f"{place // 1_000}{place % 2}" for place in range(3_000)],
    "empty": ["", "x", None] * 1_000,
    "all different": [f"person {place}" for place in range(3_000)],
    "a.b": ["a.b", " "] * 1_500,
}


@pytest.mark.parametrize("names", [None, ["few"], ["a.b", "missing"]])
@pytest.mark.parametrize("type_", [pa.string(), pa.large_string(), pa.string_view()])
def test_texts_are_read_whole_as_they_were_written(project: Any, type_: Any, names: list[str] | None) -> None:
    """Those that the file names by number, in each of its row groups or in some, and others."""
    table = pa.table({name: pa.array(cells, type_) for name, cells in TEXT_COLUMNS.items()})
    arrow_parquet.write_table(table, project.root / "t.parquet", row_group_size=1_000, dictionary_pagesize_limit=4_000)
    found = project.source(t="t.parquet").frame("t", names)
    assert {name: str(dtype) for name, dtype in found.dtypes.items()} == dict.fromkeys(names or TEXT_COLUMNS, "str")
    for name in names or TEXT_COLUMNS:
        assert found[name].astype(object).where(found[name].notna(), None).tolist() == TEXT_COLUMNS[name]


def test_row_groups_do_not_depend_on_the_pieces(project: Any) -> None:
    """The same file, byte for byte, of a frame and of its pieces, and no row group without bounds."""
    rows = 140_000
    numbers = np.arange(rows)
    frame = pd.DataFrame({"n": numbers, "text": [f"text {n % 977}" * (n % 7) for n in numbers], "half": numbers / 2})
    files = []
    for size in (rows, 50_000, 9_999):
        pieces = (frame.iloc[start : start + size] for start in range(0, rows, size))
        files.append(project.root / f"by_{size}.parquet")
        project.writer().write_dataset(pieces, files[-1].name, name="t", format="parquet")
    assert len({file.read_bytes() for file in files}) == 1
    groups = arrow_parquet.ParquetFile(files[0]).metadata
    assert [groups.row_group(at).num_rows for at in range(groups.num_row_groups)] == [131_072, rows - 131_072]


@pytest.mark.parametrize(
    ("first", "later"),
    [
        ([{"a": 1}], [{"a": 1, "b": 2}]),
        ([{"a": 1}], [{"b": 2}]),
        ([[{"a": 1}]], [[{"a": 1, "b": 2}]]),
        ([True], [2]),
        ([1], [True]),
        ([datetime.date(2020, 1, 1)], [datetime.datetime(2020, 1, 1, 5)]),
        ([pd.Timestamp("2020-01-01", tz="UTC")], [pd.Timestamp("2020-01-01")]),
        (pd.Series([1.5], dtype="float32"), [0.1]),
        (pd.Series([1], dtype="int8"), [300]),
        ([1], [1.5]),
        (["a"], [1]),
    ],
)
def test_a_later_piece_that_would_lose_something_is_refused(project: Any, first: Any, later: Any) -> None:
    """As the type of the first, times of days, fields of records and digits would be gone."""
    pieces = iter([pd.DataFrame({"a": first}), pd.DataFrame({"a": later})])
    with pytest.raises(DataError, match=r"column 'a' is .* in the first piece"):
        project.writer().write_dataset(pieces, "t.parquet", name="t", format="parquet")


@pytest.mark.parametrize(
    ("first", "later", "found"),
    [
        ([1], [2.0], [1, 2]),
        ([1.5], [2], [1.5, 2]),
        (pd.Series([1.5], dtype="float32"), [0.5], [1.5, 0.5]),
        ([True], [None], [True, None]),
        ([[1.5]], [[float("nan")]], ["[1.5]", "[null]"]),
        ([[1]], [[]], ["[1]", "[]"]),
        ([{"a": 1}], [None], ['{"a":1}', None]),
        ([pd.Timestamp("2020-01-01", tz="UTC")], [pd.NaT], [pd.Timestamp("2020-01-01", tz="UTC"), None]),
    ],
)
def test_a_later_piece_that_fits_is_written_as_the_first(project: Any, first: Any, later: Any, found: Any) -> None:
    pieces = iter([pd.DataFrame({"a": first}), pd.DataFrame({"a": later})])
    project.writer().write_dataset(pieces, "t.parquet", name="t", format="parquet")
    column = project.source(t="t.parquet").frame("t")["a"].astype(object)
    assert column.where(column.notna(), None).tolist() == found


@pytest.mark.parametrize("size", [None, 1])
def test_times_of_day_finer_than_microseconds_are_refused_in_words(project: Any, size: int | None) -> None:
    for nanoseconds in (1000, 1):
        times = pa.array([nanoseconds, None], pa.time64("ns"))
        arrow_parquet.write_table(pa.table({"t": times}), project.root / "t.parquet")
        source = project.source(t="t.parquet")
        if nanoseconds == 1000:
            found = source.frame("t") if size is None else next(source.chunks("t", size))
            assert found["t"].iloc[0].microsecond == 1
            continue
        with pytest.raises(DataError, match="column 't' holds times of day to the nanosecond"):
            source.frame("t") if size is None else list(source.chunks("t", size))
