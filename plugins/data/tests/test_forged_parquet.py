"""A Parquet file whose footer or pages lie is refused in words, without the memory that it asks for."""

from __future__ import annotations

import io
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pamola_tasks.errors import DataError

ROWS = 12345


def varint(number: int) -> bytes:
    """As Thrift's compact protocol writes a signed number."""
    rest, found = ((number << 1) ^ (number >> 63)) & (2**64 - 1), b""
    while rest > 127:
        found, rest = found + bytes([rest & 127 | 128]), rest >> 7
    return found + bytes([rest])


def table() -> tuple[bytes, bytes, Any]:
    """Pages, footer and metadata of a file with a column of numbers and one of texts."""
    made = io.BytesIO()
    cells = {"a": pa.array(range(ROWS)), "s": pa.array([f"t{place % 7}" for place in range(ROWS)])}
    pq.write_table(pa.table(cells), made, compression="none", use_dictionary=["s"])
    content = made.getvalue()
    begin = len(content) - 8 - int.from_bytes(content[-8:-4], "little")
    return content[:begin], content[begin:-8], pq.read_metadata(made)


PAGES, FOOTER, METADATA = table()
NUMBERS, TEXTS = (METADATA.row_group(0).column(place) for place in (0, 1))


def forged(footer: bytes, pages: bytes = PAGES) -> bytes:
    return pages + footer + len(footer).to_bytes(4, "little") + b"PAR1"


def changed(old: bytes, new: bytes, which: int = 0) -> bytes:
    """The file with other bytes in place of some in its footer."""
    parts = FOOTER.split(old)
    assert len(parts) > which + 1
    return forged(old.join(parts[: which + 1]) + new + old.join(parts[which + 1 :]))


def groups_repeated(times: int) -> bytes:
    """The file with its row group listed more than once."""
    begin = FOOTER.index(varint(ROWS)) + len(varint(ROWS)) + 2
    end = FOOTER.index(b"\x18\x0cARROW:schema") - 2
    rows = FOOTER[: begin - 2].replace(varint(ROWS), varint(times * ROWS))
    return forged(rows + b"\x19" + bytes([times << 4 | 12]) + FOOTER[begin:end] * times + FOOTER[end:])


COUNTS = ["rows of the file", "values of numbers", "values of texts", "rows of the group"]
LIES: dict[str, Callable[[], bytes]] = {
    **{
        f"{what}: {number:,}": lambda place=place, number=number: changed(
            b"\x16" + varint(ROWS), b"\x16" + varint(number), place
        )
        for place, what in enumerate(COUNTS)
        for number in (0, 1, -1, ROWS + 1, 10**9, 2**31, 2**62)
    },
    **{
        f"{what}: {number:,}": lambda old=old, which=which, number=number: changed(varint(old), varint(number), which)
        for what, old, which in (
            ("bytes of pages", NUMBERS.total_compressed_size, 1),  # behind those of pages expanded
            ("begin of numbers", NUMBERS.data_page_offset, 0),
            ("begin of texts", TEXTS.dictionary_page_offset, 0),
        )
        for number in (-1, len(PAGES) * 2, 2**40, 2**62)
    },
    "a row group twice": lambda: groups_repeated(2),
    "a row group ten times": lambda: groups_repeated(10),
    "no end": lambda: forged(FOOTER[:-20]),
    "a list of 2^40": lambda: forged(FOOTER.replace(b"\x19\x1c", b"\x19\xfc" + varint(2**39), 1)),
    "lists in lists": lambda: forged(FOOTER[:-1] + b"\x19" + b"\x19" * 5000),
    "rows that pages have not": lambda: forged(
        FOOTER, PAGES.replace(b"\x15" + varint(ROWS), b"\x15" + varint(ROWS - 1))
    ),
}


@pytest.mark.parametrize("lie", LIES)
def test_what_lies_is_refused_in_words_whole_and_in_pieces(project: Any, lie: str) -> None:
    project.put("t.parquet", LIES[lie]())
    for way in (lambda source: source.frame("t"), lambda source: list(source.chunks("t", 1000))):
        with pytest.raises(DataError, match=r"t\.parquet.*(damaged or forged|is damaged)"):
            way(project.source(t="t.parquet"))


NUMBER, TEXT = b"\x15\x02", b"\x15\x0c"  # the types INT32 and BYTE_ARRAY
TYPES = {
    "a schema of numbers, and texts": lambda: changed(TEXT, NUMBER),
    "a schema of texts, and numbers": lambda: changed(
        b"\x15\x04", TEXT, 2
    ),  # behind the version and the number of columns
    "a column of numbers, and a schema of texts": lambda: changed(b"\x15\x0c\x19", b"\x15\x02\x19"),
}
READING = """\
import sys
from pathlib import Path
from pamola_tasks.storage.files import Files
from pamola_tasks_data import DataReader, DataSource
from pamola_tasks_paths.guard import ProjectGuard
for name in sys.argv[2:]:
    try:
        DataSource(file_paths={"t": name}, reader=DataReader(Files(ProjectGuard(Path(sys.argv[1]))))).frame("t")
    except Exception as refused:
        print(type(refused).__name__, refused)
"""


def test_types_that_do_not_fit_their_schema_do_not_end_the_process(project: Any) -> None:
    """As they do in pyarrow, from which an exception of C++ comes that nothing catches."""
    names = [project.put(f"{place}.parquet", make()) for place, make in enumerate(TYPES.values())]
    command = [sys.executable, "-c", READING, str(project.root), *names]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("DataError") == done.stdout.count("damaged") == len(TYPES)


@pytest.mark.parametrize(
    "note", ["[]", "5", '{"index_columns": 5}', '{"index_columns": [{"name": "r", "start": "x"}]}']
)
def test_a_note_of_pandas_that_is_none_is_passed_over_or_refused_in_words(project: Any, note: str) -> None:
    pq.write_table(pa.table({"a": [1]}).replace_schema_metadata({"pandas": note}), project.root / "t.parquet")
    try:
        found = list(project.source(t="t.parquet").frame("t")["a"])
    except DataError as refused:
        found = [len(str(refused).split("pandas")) - 1]
    assert found == [1]
