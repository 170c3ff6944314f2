"""Canonical JSON of cells: the examples of RFC 8785, and what goes beyond JSON."""

from __future__ import annotations

import datetime
import decimal
import json
import struct
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pamola_tasks_data.cells import json_of, text_of

# RFC 8785, appendix B: the bits of a double, and how it is written.
NUMBERS = {
    "0000000000000000": "0",
    "8000000000000000": "0",
    "0000000000000001": "5e-324",
    "8000000000000001": "-5e-324",
    "7fefffffffffffff": "1.7976931348623157e+308",
    "4340000000000000": "9007199254740992",
    "4430000000000000": "295147905179352830000",
    "44b52d02c7e14af5": "9.999999999999997e+22",
    "44b52d02c7e14af6": "1e+23",
    "444b1ae4d6e2ef4e": "999999999999999700000",
    "444b1ae4d6e2ef50": "1e+21",
    "3eb0c6f7a0b5ed8c": "9.999999999999997e-7",
    "3eb0c6f7a0b5ed8d": "0.000001",
    "41b3de4355555553": "333333333.3333332",
    "becbf647612f3696": "-0.0000033333333333333333",
    "43143ff3c1cb0959": "1424953923781206.2",
}


@pytest.mark.parametrize(("bits", "written"), NUMBERS.items())
def test_numbers_are_written_as_the_rfc_has_them(bits: str, written: str) -> None:
    assert json_of(struct.unpack(">d", bytes.fromhex(bits))[0]) == written


def test_keys_are_in_the_order_of_their_utf_16() -> None:
    """RFC 8785, section 3.2.3."""
    keys = {"\u20ac": 1, "\r": 2, "\ufb33": 3, "1": 4, "\U0001f600": 5, "\x80": 6, "\xf6": 7}
    assert list(json.loads(json_of(keys)).values()) == [2, 4, 6, 7, 1, 5, 3]


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (2**70, "1180591620717411303424"),
        (decimal.Decimal("1.10"), "1.10"),
        (b"ab0", "YWIw"),
        (memoryview(b"ab0"), "YWIw"),
        (datetime.date(1, 1, 1), "0001-01-01"),
        (datetime.datetime(2020, 1, 1), "2020-01-01"),
        (datetime.datetime(2020, 1, 1, 5), "2020-01-01T05:00:00"),
        (datetime.time(4, 5), "04:05:00"),
        (np.array([[1, 2.5], [3, 4]]), "[[1,2.5],[3,4]]"),
        (np.int8(3), "3"),
        ({3, 1, 2}, "[1,2,3]"),
        ((), "[]"),
        ({"a": pd.NA, "b": float("nan"), "c": None}, '{"a":null,"b":null,"c":null}'),
        ({1: True, None: [b"x"]}, '{"1":true,"null":["eA=="]}'),
        (["\ud800", '"\\\n'], '["\\ud800","\\"\\\\\\n"]'),
        ("text stays", "text stays"),
    ],
)
def test_what_goes_beyond_json(value: Any, written: str) -> None:
    assert text_of(value) == written


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(-(2.0**53), 2.0**53) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=20,
)


@settings(suppress_health_check=[HealthCheck.too_slow])  # a busy machine draws slowly
@given(JSON)
def test_any_reader_finds_the_same_value_and_equal_ones_are_written_alike(value: Any) -> None:
    written = json_of(value)
    assert json.loads(written) == value
    assert json_of(json.loads(written)) == written


def test_depth_is_no_limit() -> None:
    value: Any = []
    for _ in range(5000):
        value = [value]
    assert json_of(value) == "[" * 5001 + "]" * 5001
