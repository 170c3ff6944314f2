"""Parts of a JSON report, as far as they are there and have the form: a report may be old, cut or edited."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Row = Mapping[str, Any]

COLUMN_LINEAGE = "column_lineage"  #: a section, where a plugin knows which columns follow from which


def part(facts: Row, key: str) -> Row:
    """An object of the report; empty where there is none."""
    found = facts.get(key)
    return found if isinstance(found, Mapping) else {}


def items(facts: Row, key: str) -> list[Any]:
    """A list of the report; empty where there is none."""
    found = facts.get(key)
    return found if isinstance(found, list) else []


def rows(facts: Row, key: str) -> list[Row]:
    """The objects in a list."""
    return [row for row in items(facts, key) if isinstance(row, Mapping)]


def named(facts: Row, key: str) -> dict[str, Row]:
    """The objects in an object, by name."""
    return {name: row for name, row in part(facts, key).items() if isinstance(row, Mapping)}


def steps(report: Row) -> list[Row]:
    """The steps among what was done, which a task's own entries are not."""
    return [entry for entry in rows(report, "operations") if entry.get("step")]
