"""Parquet files of other tools: dates of all centuries, and the same columns whatever way a file is read."""

from __future__ import annotations

import io
import re
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as arrow_parquet
import pytest

from pamola_tasks.errors import DataError

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
