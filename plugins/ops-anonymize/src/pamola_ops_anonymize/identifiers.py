"""What columns look like: the service `identifiers`, through which operation packs share one rule.

The rule that answers by default is in `identifier_rule`.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from typing import Any, NamedTuple, Protocol

DIRECT = "direct identifier"
QUASI = "quasi-identifier"


class LikelyRole(NamedTuple):
    """What a column looks like, and why, in words."""

    role: str
    reason: str


class Identifiers(Protocol):
    """The service `identifiers`: which columns look like identifiers (ISO/IEC 20889:2018).

    It may also have `as_read(texts)`, which gives an array in which texts that a reader cannot distinguish are equal; a
    profile then counts them.
    """

    def role(self, column: str, values: Any) -> tuple[str, str] | None:
        """What a column looks like: `direct identifier` or `quasi-identifier`, and why; None for neither.

        Args:
            column: Its name.
            values: Its values, a pandas Series.
        """
        ...


class ByNamesAndValues:
    """The rule of `identifier_rule`."""

    def as_read(self, texts: Any) -> Any:
        """Texts such that those that a reader cannot distinguish are equal, as an Arrow array."""
        from .alike import all_as_read

        return all_as_read(texts)

    def role(self, column: str, values: Any) -> LikelyRole | None:
        """The first that has a reason: direct identifier by name, by values, quasi-identifier."""
        from . import identifier_rule as rule  # many expressions, and most runs ask nothing

        if reason := rule.reason_by_name(column) or rule.reason_by_values(column, values):
            return LikelyRole(DIRECT, reason)
        quasi = rule.quasi_reason(column, values)
        return LikelyRole(QUASI, quasi) if quasi else None


def identifiers_of(run: Any) -> Identifiers:
    """The service of a run, or the rule where the pack is not registered as a plugin."""
    found: Identifiers | None = getattr(run, "identifiers", None)
    return found or ByNamesAndValues()


def likely_roles(frame: Any, columns: Iterable[Any], identifiers: Identifiers) -> dict[str, dict[Hashable, str]]:
    """For each role (`direct identifier`, `quasi-identifier`) the columns that look like it, with the reason."""
    found: dict[str, dict[Hashable, str]] = {DIRECT: {}, QUASI: {}}
    judged = set(columns)
    for position, column in enumerate(frame.columns):  # by position, since two columns may share a name
        role, reason = (identifiers.role(str(column), frame.iloc[:, position]) if column in judged else None) or (
            "",
            "",
        )
        if role:
            found.setdefault(role, {})[column] = reason
    return found
