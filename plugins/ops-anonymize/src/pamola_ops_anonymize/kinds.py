"""What the values of a column are, where its name says nothing: postal codes, years, or coordinates."""

from __future__ import annotations

import re
from collections.abc import Hashable, Mapping
from itertools import pairwise
from typing import Any

import numpy as np

from .dependence import Coded

SAMPLE = 1000
SHARE = 0.9
FIRST_YEAR, LAST_YEAR = 1880, 2100
DECIMALS = 4
NEAR = 0.02

_CODES = (
    r"[A-Z]{1,2}\d[A-Z\d]? ?\d[A-Z]{2}",  # United Kingdom
    r"[A-Z]\d[A-Z] ?\d[A-Z]\d",  # Canada
    r"\d{4} ?[A-Z]{2}",  # the Netherlands
    r"\d{2}-\d{3}",  # Poland
    r"\d{4}-\d{3}",  # Portugal
    r"\d{5}-\d{4}",  # the United States
    r"\d{3} \d{2}",  # Sweden, Czechia, Greece
    r"[A-Z]{1,2}-\d{4,5}",  # with a country
)
_POSTAL = re.compile("|".join(_CODES))
_DIGITS = re.compile(r"\d{5}")


def looks_postal(values: Any) -> bool:
    """Whether texts are written like postal codes; five digits are, if some begin with a zero."""
    texts = [str(value).strip().upper() for value in values.dropna().unique()[:SAMPLE]]
    if len(texts) < 3:
        return False
    written = sum(_POSTAL.fullmatch(text) is not None for text in texts)
    digits = [text for text in texts if _DIGITS.fullmatch(text)]
    if any(text.startswith("0") for text in digits):
        written += len(digits)
    return written >= SHARE * len(texts)


def looks_like_years(column: Coded) -> bool:
    """Whether all numbers are whole and between 1880 and 2100, and there are five or more."""
    if column.numbers is None or column.values < 5:
        return False
    present = column.numbers[np.isfinite(column.numbers)]
    return bool(len(present) and (present % 1 == 0).all() and FIRST_YEAR <= present.min() <= present.max() <= LAST_YEAR)


def coordinates(columns: Mapping[Hashable, Coded]) -> dict[Hashable, Hashable]:
    """Neighbouring columns that look like latitude and longitude of places near each other, each with the other.

    Both have four decimals or more, and vary by less than a fiftieth of their size, as coordinates of a city or region.
    """
    found: dict[Hashable, Hashable] = {}
    names = [name for name, column in columns.items() if column.numbers is not None]
    for one, other in pairwise(names):
        if one in found:
            continue
        for latitude, longitude in ((one, other), (other, one)):
            if _is_coordinate(columns[latitude], 90.0) and _is_coordinate(columns[longitude], 180.0):
                found |= {latitude: longitude, longitude: latitude}
                break
    return found


def _is_coordinate(column: Coded, limit: float) -> bool:
    assert column.numbers is not None
    present = column.numbers[np.isfinite(column.numbers)][:SAMPLE]
    if len(present) < 20 or column.values < len(present) / 10 or np.abs(present).max() > limit:
        return False
    scaled = present * 10 ** (DECIMALS - 1)
    fine = np.abs(scaled - np.rint(scaled)) > 1e-6
    return bool(fine.mean() >= 0.8 and present.std() <= NEAR * abs(present.mean()))
