"""Columns that look like quasi-identifiers: harmless alone, identifying in combination.

By name: age, birth, sex, race, origin, place, family, education and work, which are what outsiders know of people and
what public registers hold (L. Sweeney: Simple demographics often identify people uniquely, 2000). By kind: dates, since
others may know when something happened to a person.
"""

from __future__ import annotations

import re
from typing import Any

import pandas as pd

_WORDS = (
    r"age|birth|born|dob|yob|sex|gender|race|ethnicity|ethnic|nationality|citizenship|native|religion|language"
    r"|zip|zipcode|postcode|postal|plz|city|town|village|municipality|county|district|province|state|region|country"
    r"|suburb|neighbou?rhood|latitude|longitude|lat|lon|lng|geohash"
    r"|marital|married|civil|household|children|dependents|education|degree|school|university"
    r"|occupation|profession|job|employer|workplace|workclass|industry|rank|height"
)
_NAME = re.compile(rf"(^|.* )({_WORDS})( .*|$)")


def likely_quasi_identifier(column: str, values: pd.Series[Any]) -> str | None:
    """Why a column looks like a quasi-identifier, in words, or None."""
    split = re.sub(r"([a-z])([A-Z])", r"\1 \2", column)
    if _NAME.match(" ".join(re.findall(r"[^\W_]+", split)).lower()):
        return "its name says that it holds something that others may know of a person"
    if pd.api.types.is_datetime64_any_dtype(values.dtype):
        return "it holds dates, and others may know when something happened to a person"
    return None
