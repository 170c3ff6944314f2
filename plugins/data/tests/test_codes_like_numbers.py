"""Codes that look like numbers stay text; numbers that keep all their texts apart are numbers."""

from __future__ import annotations

from functools import reduce
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pamola_tasks_data.decimals import merges_texts
from pamola_tasks_data.inference import TEXT_DTYPE, recognized
from pamola_tasks_data.kinds import Kind

CODES = {
    "trailing zeros": ["250.0", "250.00"],
    "outline": ["1", "1.0", "1.10", "1.1"],
    "one zero more": ["1.5", "2.50", "2.5"],
    "point only": ["5.", "5"],
    "no zero before the point": [".5", "0.5"],
    "negative": ["-1.50", "-1.5"],
    "beside a missing one": ["1.5", "", "1.50"],
    "underflow": ["1e-400", "2.5"],
    "underflow without exponent": ["0." + "0" * 330 + "1", "1.5"],
    "overflow": ["1.0e+309", "1.0"],
    "subnormal": ["3e-324", "5e-324"],
    "exponent beside none": ["1e-05", "0.00001"],
    "two exponents": ["1.50e+05", "1.5e+05"],
    "code with an exponent": ["12E-4", "34E-5"],
    "short code with an exponent": ["1E-7", "2E-3"],
    "more digits than it needs": ["0.1", "0.10000000000000001"],
    "more digits than it holds": ["0.12345678901234567", "0.5"],
    "full-width digits": ["５", "６"],
    "sign": ["+5", "6"],
    "blank": ["5 ", "6"],
    "leading zero": ["0.5", "01.5"],
    "zero with a minus among whole numbers": ["-0", "3", "0"],
    "zero with a minus alone": ["-0", "-0"],
    "zero with a minus and another zero": ["-0", "0.0", "-0.0"],
    "two zeros": ["0e+00", "0.0"],
    "zero with a plus": ["+0", "0", "1.5"],
    "zero with another exponent": ["0e0", "1.5", "-0"],
    "zero behind a zero": ["-00", "1.5"],
    "long beside a fraction": ["1234567890123456789", "1.5"],
}
NUMBERS = {
    "money": ["12.50", "13.00", "-0.10"],
    "shortest": ["1", "2.5", "3.25"],
    "as Python writes them": ["1.0", "2.5", "1e-05", "1.5e+20"],
    "as C writes them": ["1.500000e+05", "0.000000e+00", "2.500000e-07"],
    "no zero before the point": [".50", ".25", "-.75"],
    "zeros that meet nothing": ["1.5", "2.50"],
    "both zeros": ["-0.0", "0.0", "1.5"],
    "both zeros, one without a point": ["-0", "0.0"],
    "zero with a minus, fractions later": ["-0", "3", "0.5", "0"],
    "fractions, zero with a minus later": ["0.5", "3", "-0"],
    "zero with a minus beside exponents": ["1e-05", "-0"],
    "seventeen digits": ["0.12345678901234568", "0.5"],
}
CASES = [*((cells, TEXT_DTYPE) for cells in CODES.values()), *((cells, "float64") for cells in NUMBERS.values())]


@pytest.mark.parametrize(("cells", "dtype"), CASES, ids=[*CODES, *(f"number: {name}" for name in NUMBERS)])
@pytest.mark.parametrize("rows", [1, 24_000])
def test_two_texts_never_become_one_number(project: Any, cells: list[str], dtype: str, rows: int) -> None:
    """Together, far apart in a long file, in pieces, and in a file each: always the same type and the same texts."""
    if rows > 1:
        cells = [each for cell in cells for each in [cell] * (rows // len(cells))]
    text = [f"{cell},{'k' * 200}\n" for cell in cells]
    project.put("t.csv", "x,y\n" + "".join(text))
    half = len(cells) // 2
    project.put("a.csv", "x,y\n" + "".join(text[:half]))
    project.put("b.csv", "x,y\n" + "".join(text[half:]))
    whole = project.source(t="t.csv").frame("t")
    assert str(whole["x"].dtype) == dtype
    source = project.source(t="t.csv")
    pieces = list(source.chunks("t", max(1, half)))
    assert source.schema("t")["x"] == dtype
    source.add_multi_file_dataset("two", ["a.csv", "b.csv"])
    for other in (pd.concat(pieces, ignore_index=True), source.frame("two"), pd.concat(source.chunks("two", half))):
        pd.testing.assert_frame_equal(other.reset_index(drop=True), whole)
    if dtype == TEXT_DTYPE:
        assert whole["x"].fillna("").tolist() == cells


ODD = ["1e-05", "1e+20", "1.5e-07", "2.50e+03", "0.00001", "inf", ".5", "5.", "1E-7", "1.0E10", "0.10000000000000001"]
PLAIN = st.builds(
    "{}{}{}".format,
    st.sampled_from(["", "-"]),
    st.sampled_from("0 1 2 10".split()),
    st.sampled_from("|.0|.5|.50|.05".split("|")),
)


@settings(deadline=None)
@given(st.lists(st.one_of(PLAIN, st.sampled_from(ODD)), min_size=1, max_size=3), st.data())
def test_columns_are_numbers_exactly_where_no_two_texts_are_one(pool: list[str], data: Any) -> None:
    """Whole and put together from pieces of one row; `-0.0` and `0.0` are two numbers, of which whole ones have one."""
    cells = data.draw(st.lists(st.sampled_from(pool), min_size=1, max_size=5))
    column = pa.array(cells, pa.large_string())
    parts = [recognized(column.slice(row, 1))[0] for row in range(len(cells))]
    found = {(float(cell), cell.startswith("-")) for cell in cells}
    wanted = len(found) == len(set(cells)) and all(part.type is not None for part in parts)
    wanted = wanted and ("-0" not in cells or any(part.type == pa.float64() for part in parts))
    for kind in (recognized(column)[0].of_all, reduce(Kind.merged, parts).of_all):
        assert (kind.type is not None and not (kind.may_merge_texts and merges_texts([column]))) == wanted
