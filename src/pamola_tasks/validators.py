"""Validators for the parameters of operations: they refuse what cannot be meant, when the operation is made.

    columns: list[str] = attrs.field(validator=some_columns)
    share: float | None = attrs.field(default=None, validator=number(0, 1))

Types are checked before, by the annotations; what these add is the meaning. Each raises `ParameterError`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, get_args

import attrs

from pamola_tasks.errors import ParameterError

Check = Callable[[Any, "attrs.Attribute[Any]", Any], None]


def wrong(operation: Any, parameter: str, expected: str, value: Any) -> ParameterError:
    """The error for a parameter that cannot be used."""
    return ParameterError(f"{type(operation).__name__}: `{parameter}` has to be {expected}, not {value!r}")


def column_names(operation: Any, attribute: attrs.Attribute[Any], value: Any) -> None:
    """A validator: a list of column names, none of them twice."""
    if not isinstance(value, (list, tuple)) or not all(isinstance(name, str) for name in value):
        raise wrong(operation, attribute.name, "a list of column names", value)
    twice = sorted({name for name in value if list(value).count(name) > 1})
    if twice:
        raise ParameterError(f"{type(operation).__name__}: `{attribute.name}` names {', '.join(twice)} twice")


def some_columns(operation: Any, attribute: attrs.Attribute[Any], value: Any) -> None:
    """A validator: a list of at least one column name."""
    column_names(operation, attribute, value)
    if not value:
        raise ParameterError(f"{type(operation).__name__}: `{attribute.name}` is empty: name at least one column")


def columns_of_person(person: str | list[str] | None) -> list[str]:
    """The columns that together say whose record it is, as a parameter names them: one, several or none."""
    return [person] if isinstance(person, str) else list(person or ())


def person_columns(operation: Any, attribute: attrs.Attribute[Any], value: Any) -> None:
    """A validator: the name of a column, or a list of several; or None where that is the default."""
    if value is not None or attribute.default is not None:
        some_columns(operation, attribute, columns_of_person(value) if isinstance(value, str) else value)


def one_of(allowed: Any) -> Check:
    """A validator: one of the words of a Literal."""
    words = get_args(allowed)

    def check(operation: Any, attribute: attrs.Attribute[Any], value: Any) -> None:
        if value not in words:
            raise wrong(operation, attribute.name, f"one of {', '.join(words)}", value)

    return check


def whole_number(least: int) -> Check:
    """A validator: a whole number of at least `least`, or None where that is the default."""

    def check(operation: Any, attribute: attrs.Attribute[Any], value: Any) -> None:
        if value is None and attribute.default is None:
            return
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            raise wrong(operation, attribute.name, f"a whole number of {least} or more", value)

    return check


def is_number(value: Any) -> bool:
    """Whether this is a finite number, and no truth value."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def number(least: float = -math.inf, most: float = math.inf) -> Check:
    """A validator: a finite number from `least` to `most`, or None where that is the default."""
    low, high = math.isfinite(least), math.isfinite(most)
    limits = {(True, True): f"from {least:g} to {most:g}", (True, False): f"of {least:g} or more"}
    limits |= {(False, True): f"of {most:g} or less"}
    expected = f"a number {limits[low, high]}" if low or high else "a finite number"

    def check(operation: Any, attribute: attrs.Attribute[Any], value: Any) -> None:
        if value is None and attribute.default is None:
            return
        if not is_number(value) or not least <= value <= most:
            raise wrong(operation, attribute.name, expected, value)

    return check
