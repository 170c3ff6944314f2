"""Columns that look like direct identifiers: the service `identifiers`, through which operation packs share one rule.

The rule that answers by default is in `identifier_rule`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple, Protocol


class LikelyIdentifier(NamedTuple):
    """A column, and in words why it looks like a direct identifier."""

    column: str
    reason: str


class Identifiers(Protocol):
    """The service `identifiers`: which columns look like direct identifiers (ISO/IEC 20889:2018)."""

    def reason(self, column: str, values: Any) -> str | None:
        """Why a column looks like a direct identifier, in words; None where it does not.

        Args:
            column: Its name.
            values: Its values, a pandas Series.
        """
        ...


class ByNamesAndValues:
    """The rule of `identifier_rule`."""

    def reason(self, column: str, values: Any) -> str | None:
        """The first reason found: by the name, else by the values."""
        from .identifier_rule import reason_by_name, reason_by_values  # many expressions, and most runs ask nothing

        return reason_by_name(column) or reason_by_values(column, values)


def identifiers_of(run: Any) -> Identifiers:
    """The service of a run, or the rule where the pack is not registered as a plugin."""
    found: Identifiers | None = getattr(run, "identifiers", None)
    return found or ByNamesAndValues()


def likely_identifiers(
    frame: Any, columns: Iterable[str], identifiers: Identifiers | None = None
) -> list[LikelyIdentifier]:
    """Those of the columns that look like direct identifiers, each with the first reason found."""
    found, rule = [], identifiers or ByNamesAndValues()
    for column in columns:
        reason = rule.reason(str(column), frame[column])
        if reason:
            found.append(LikelyIdentifier(str(column), reason))
    return found
