"""What columns look like: the service `identifiers`, through which operation packs share one rule.

The rule that answers by default is in `table_roles` for a table, and in `identifier_rule` for a column alone.
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterable, Iterator, Mapping
from typing import Any, Protocol

from .roles import DIRECT as DIRECT
from .roles import INSENSITIVE as INSENSITIVE
from .roles import NOTHING_KNOWN as NOTHING_KNOWN
from .roles import PERSON as PERSON
from .roles import QUASI as QUASI
from .roles import SENSITIVE as SENSITIVE
from .roles import Likely as Likely
from .roles import LikelyRole as LikelyRole
from .roles import ProposedRole as ProposedRole


class Identifiers(Protocol):
    """The service `identifiers`: which columns look like identifiers (ISO/IEC 20889:2018).

    It may also have `roles(frame, columns, quasi)`, which judges a table as a whole, gives what `likely_roles` does,
    and is then asked in place of `role`; and `as_read(texts)`, which gives an array in which texts that a reader cannot
    distinguish are equal; a profile then counts them.
    """

    def role(self, column: str, values: Any) -> tuple[str, str] | None:
        """What a column looks like: `direct identifier` or `quasi-identifier`, and why; None for neither.

        Args:
            column: Its name.
            values: Its values, a pandas Series; of a large table those of a random sample. `values.attrs["records"]` is
                then how many records the table has.
        """
        ...


class ByNamesAndValues:
    """The rule of `table_roles` and `identifier_rule`."""

    def as_read(self, texts: Any) -> Any:
        """Texts such that those that a reader cannot distinguish are equal, as an Arrow array."""
        from .alike import all_as_read

        return all_as_read(texts)

    def role(self, column: str, values: Any) -> LikelyRole | None:
        """The first that has a reason: direct identifier by name, by values, quasi-identifier."""
        from . import identifier_rule as rule  # many expressions, and most runs ask nothing

        if reason := rule.direct_reason(column, values):
            return LikelyRole(DIRECT, reason)
        quasi = rule.quasi_reason(column, values)
        return LikelyRole(QUASI, quasi) if quasi else None

    def roles(self, frame: Any, columns: Collection[Hashable], quasi: Collection[Hashable]) -> Likely:
        """What columns look like beside all others of a table."""
        from .table_roles import roles_of

        return roles_of(frame, columns, quasi)


def identifiers_of(run: Any) -> Identifiers:
    """The service of a run, or the rule where the pack is not registered as a plugin."""
    found: Identifiers | None = getattr(run, "identifiers", None)
    return found or ByNamesAndValues()


def likely_roles(
    frame: Any, columns: Iterable[Any], identifiers: Identifiers, quasi: Collection[Hashable] = ()
) -> Likely:
    """For each role (`direct identifier`, `quasi-identifier`, `sensitive`) the columns that look like it, and why.

    Args:
        frame: The table.
        columns: Those to judge.
        identifiers: The service. One that has only `role` is asked column by column.
        quasi: Columns that are known to be quasi-identifiers.
    """
    judged = set(columns)
    found: Likely = {DIRECT: {}, QUASI: {}, SENSITIVE: {}}
    of_table = getattr(identifiers, "roles", None)
    if of_table is not None:
        return found | dict(of_table(frame, judged, tuple(quasi)))
    for looks, column in _one_by_one(frame, judged, identifiers):
        found.setdefault(looks[0], {})[column] = looks[1]
    return found


def likely_direct_identifiers(frame: Any, columns: Iterable[Any], identifiers: Identifiers) -> dict[Hashable, str]:
    """The columns that look like direct identifiers, each judged alone, and why."""
    found = _one_by_one(frame, set(columns), identifiers)
    return {column: looks[1] for looks, column in found if looks[0] == DIRECT}


def _one_by_one(
    frame: Any, judged: Collection[Hashable], identifiers: Identifiers
) -> Iterator[tuple[tuple[str, str], Hashable]]:
    for position, column in enumerate(frame.columns):  # by position, since two columns may share a name
        looks = identifiers.role(str(column), frame.iloc[:, position]) if column in judged else None
        if looks:
            yield looks, column


def proposed_roles(
    frame: Any, stated: Mapping[Hashable, str], identifiers: Identifiers | None = None
) -> dict[Hashable, ProposedRole]:
    """A role for every column of a table: what a person stated, else what the column looks like, and why.

    Separation and distinction: R. Motwani and Y. Xu, Efficient algorithms for masking and finding quasi-identifiers,
    2007.

    Args:
        frame: The table.
        stated: Roles that are known: `direct identifier`, `quasi-identifier`, `sensitive`, `insensitive`, `person`.
        identifiers: The service; the pack's own rule unless given.

    Returns:
        In the order of the table's columns. A column that looks like nothing in particular is `insensitive`.
    """
    others = [column for column in frame.columns if column not in stated]
    quasi = [column for column, role in stated.items() if role == QUASI]
    likely = likely_roles(frame, others, identifiers or ByNamesAndValues(), quasi)
    looks = {
        column: ProposedRole(role, "proposed", reason)
        for role, found in likely.items()
        for column, reason in found.items()
    }
    nothing = ProposedRole(INSENSITIVE, "proposed", NOTHING_KNOWN)
    return {
        column: ProposedRole(stated[column], "stated", "stated") if column in stated else looks.get(column, nothing)
        for column in frame.columns
    }
