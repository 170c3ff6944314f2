"""Surrogates: realistic values in place of real ones, chosen by a keyed hash, so that one value always has the same.

Lists of names and the like are those of Faker, an extra, or the user's. Dates are moved by a number of days that
belongs to a person (as in MIMIC: A. Johnson et al., Scientific Data 3, 2016), so that intervals between them stay.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from datetime import date, timedelta
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Literal

import pandas as pd

from pamola_tasks.errors import DataError, OperationError, ParameterError

from .columns import MISSING, distinct_texts, text_column
from .pseudonyms import keyed_hash

Kind = Literal["name", "first_name", "last_name", "email", "city", "street_address", "company", "phone", "date", "list"]

FAKER = {
    "name": "name",
    "first_name": "first_name",
    "last_name": "last_name",
    "email": "ascii_safe_email",  # at example.org and the like, where nobody can be written to (RFC 2606)
    "city": "city",
    "street_address": "street_address",
    "company": "company",
    "phone": "phone_number",
}
_DRAWS = 100  # of another surrogate, where one is taken or is the value itself
_DATE = re.compile(r"\d{4}-\d\d-\d\d(?=$|[T ])", re.ASCII)

Draw = Callable[[bytes], str]


def from_list(values: Sequence[str]) -> Draw:
    """Draws from a list."""
    return lambda digest: values[int.from_bytes(digest, "big") % len(values)]


def faker_version() -> str:
    """The version of Faker that is installed, or nothing."""
    try:
        return version("faker")
    except PackageNotFoundError:
        return ""


def from_faker(kind: str, locale: str) -> Draw:
    """Draws what Faker makes of the kind for a locale, the same with the same version of Faker.

    Raises:
        OperationError: Faker is not installed.
        ParameterError: It does not know the locale.
    """
    try:
        from faker import Faker
    except ImportError as error:
        raise OperationError(
            f"`surrogate: {kind}` takes its values from Faker, which is not installed: install"
            f" pamola-ops-anonymize[surrogates], or give a list of your own (`surrogate: list`). No data was read"
        ) from error
    try:
        faker = Faker(locale)
    except (AttributeError, ImportError):
        raise ParameterError(f"Faker knows no locale {locale!r}: `locale` is one like en_US or de_DE") from None
    make = getattr(faker, FAKER[kind])

    def draw(digest: bytes) -> str:
        faker.seed_instance(int.from_bytes(digest, "big"))
        return " ".join(str(make()).split())

    return draw


class Surrogates:
    """Gives each value its surrogate.

    Args:
        key: The secret key.
        draw: What makes a surrogate of 32 bytes.
        choices: All that can be drawn, where it is a list.
    """

    def __init__(self, key: bytes, draw: Draw, choices: Sequence[str] | None = None) -> None:
        self.known: dict[str, str] = {}
        self._hash = keyed_hash(key)
        self._draw = draw
        self._choices = choices

    def make_injective(self, values: Iterable[str]) -> None:
        """Choose for all these values, so that no two have the same; in an order that the key determines.

        Raises:
            DataError: There are fewer surrogates than values.
        """
        distinct = sorted(set(values))
        digests = self._hash(distinct)
        taken: set[str] = set()
        for _, value in sorted(zip(digests, distinct, strict=True)):
            self.known[value] = made = self._free(value, taken, len(distinct))
            taken.add(made)

    def _free(self, value: str, taken: set[str], needed: int) -> str:
        for made in self._draws(value):
            if made not in taken and made != value:
                return made
        left = [choice for choice in self._choices or () if choice not in taken]
        if not left:
            there = f"; there are {len(self._choices):,}" if self._choices is not None else ""
            raise DataError(
                f"there are too few surrogates for {needed:,} distinct values to have one each (`injective`){there}:"
                f" give a longer list, or leave `injective` out"
            )
        return next((choice for choice in left if choice != value), left[0])

    def _draws(self, value: str) -> Iterable[str]:
        for number in range(_DRAWS):
            yield self._draw(self._hash([f"{number} {value}"])[0])

    def column(self, column: pd.Series[Any]) -> pd.Series[str]:
        """A piece of a column with each value replaced; missing values stay missing."""
        codes, texts = distinct_texts(column)
        for text in texts:
            if text not in self.known:
                draws = iter(self._draws(text))
                first = next(draws)
                self.known[text] = first if first != text else next((made for made in draws if made != text), first)
        return text_column(codes, [self.known[text] for text in texts], column.index)

    def facts(self) -> dict[str, int]:
        """How many values there were, how many share their surrogate, and how many surrogates are real values."""
        often = Counter(self.known.values())
        return {
            "distinct_values": len(self.known),
            "values_sharing_a_surrogate": sum(number for number in often.values() if number > 1),
            "surrogates_that_are_values": sum(made in self.known for made in often),
        }


class MovedDates:
    """Moves dates by a number of days for each person, from 1 to `most` forwards or backwards.

    Args:
        name: What the column is called in messages.
        key: The secret key.
        most: The largest number of days.
    """

    def __init__(self, name: str, key: bytes, most: int) -> None:
        self._name = name
        self._hash = keyed_hash(key)
        self._most = most
        self._days: dict[str, int] = {}

    def column(self, column: pd.Series[Any], persons: pd.Series[Any]) -> pd.Series[str]:
        """A piece of the column; times of day and missing values stay.

        Args:
            column: Complete dates of ISO 8601, with or without a time.
            persons: Whose they are, as text.

        Raises:
            DataError: A value is not a date, has no person, or would leave the years 1 to 9999.
        """
        codes, texts = distinct_texts(column)
        if odd := sum(not _is_date(text) for text in texts):
            raise DataError(
                f"column {self._name}: {odd:,} distinct values are not complete dates of ISO 8601 (2001-02-03, with or"
                f" without a time): state how dates are written in data_types"
            )
        if nobody := int((persons.isna() & (codes != MISSING)).sum()):
            raise DataError(f"column {self._name}: {nobody:,} dates have no person (`person`) to be moved with")
        moved = [
            None if code == MISSING else self._moved(texts[code], str(person))
            for code, person in zip(codes.tolist(), persons.tolist(), strict=True)
        ]
        return pd.Series(pd.array(moved, dtype="string"), index=column.index)

    def _moved(self, text: str, person: str) -> str:
        if person not in self._days:
            number = int.from_bytes(self._hash([person])[0], "big") % (2 * self._most)
            self._days[person] = number - self._most + (number >= self._most)
        try:
            return (date.fromisoformat(text[:10]) + timedelta(self._days[person])).isoformat() + text[10:]
        except OverflowError:
            raise DataError(f"column {self._name}: a date would leave the years 1 to 9999") from None


def _is_date(text: str) -> bool:
    if not _DATE.match(text):
        return False
    try:
        date.fromisoformat(text[:10])
    except ValueError:
        return False
    return True
