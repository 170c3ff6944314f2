"""Looking into a report, of which any part may be missing or of another shape."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any


def union(old: Iterable[Any], new: Iterable[Any]) -> list[Any]:
    """The items of both, each once, in their order."""
    return list(dict.fromkeys([*old, *new]))


def rows_by(rows: Iterable[Mapping[str, Any]], key: str) -> dict[str, Mapping[str, Any]]:
    """Rows by what they have under a key, without those that lack it."""
    return {str(row[key]): row for row in rows if row.get(key)}


def mapping(facts: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    """What is under a key, if it is a mapping; else an empty one."""
    found = facts.get(key)
    return found if isinstance(found, Mapping) else {}


def texts(facts: Mapping[str, Any], key: str) -> list[str]:
    """The items of a list under a key, as texts; none where there is another thing."""
    found = facts.get(key)
    return [str(item) for item in found] if isinstance(found, list) else []


def rows_of(facts: Mapping[str, Any], key: str) -> list[Mapping[str, Any]]:
    """The mappings in a list under a key; none where there is another thing."""
    found = facts.get(key)
    return [row for row in found if isinstance(row, Mapping)] if isinstance(found, list) else []
