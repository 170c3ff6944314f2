"""The roles that columns have in a release: stated by a person or proposed, and what became of each column."""

from __future__ import annotations

import re
from collections.abc import Hashable
from typing import Any, NamedTuple

import attrs

DIRECT = "direct identifier"
QUASI = "quasi-identifier"
SENSITIVE = "sensitive"
INSENSITIVE = "insensitive"
PERSON = "person"
NOTHING_KNOWN = "nothing in its name or values says that it concerns a person"

COUNTED = "; alone it singles out "  # begins what a reason says of counts
_DISTINCT = re.compile(r" \([\d,]+ distinct(?: in [\d,]+)?\)")

DROPPED, UNCHANGED = "dropped", "unchanged"
#: What operations on columns do to theirs.
MASKED, PSEUDONYMS, NOISE = "characters masked", "pseudonyms", "noise added"
CODED, GROUPED, CELLS = "cut at top or bottom", "intervals or groups", "rare cells suppressed"


def without_counts(reason: str) -> str:
    """A reason without what it says of whom a column singles out."""
    return reason.partition(COUNTED)[0]


def of_sample(reason: str, records: int) -> str:
    """A reason found in a random sample: what it counts there are no counts of the table."""
    return _DISTINCT.sub(f", in a random sample of {records:,} records", without_counts(reason))


Likely = dict[str, dict[Hashable, str]]


class LikelyRole(NamedTuple):
    """What a column looks like, and why, in words."""

    role: str
    reason: str


class ProposedRole(NamedTuple):
    """The role of a column, `said` by a person (`stated`) or by the data (`proposed`), and why, in words."""

    role: str
    said: str
    reason: str


@attrs.frozen(kw_only=True)
class ColumnRole:
    """What one column of the input is, and what became of it.

    Attributes:
        column: Its name.
        role: `direct identifier`, `quasi-identifier`, `sensitive`, `insensitive` or `person`.
        said: `stated` by a person, or `proposed`.
        reason: Why it is proposed.
        done: What became of it, in words.
        loss: Of a quasi-identifier the information lost, 0 to 1.
    """

    column: str
    role: str
    said: str
    reason: str = ""
    done: str = UNCHANGED
    loss: float | None = None

    @property
    def is_open(self) -> bool:
        """Whether it is released without protection by classes, and its role is not stated."""
        return self.said == "proposed" and self.done != DROPPED and not self.loss


def said_by(operation: Any) -> dict[str, ColumnRole]:
    """What an operation on columns says of these by its parameters, and what steps before it said of all."""
    found: dict[str, ColumnRole] = dict(operation.roles_before)
    for name in operation.columns:
        role = found[name].role if name in found else operation.role
        found[name] = ColumnRole(column=name, role=role, said="stated", done=operation.done)
    for name in operation.insensitive_attributes:
        done = found[name].done if name in found else UNCHANGED
        found[name] = ColumnRole(column=name, role=INSENSITIVE, said="stated", done=done)
    return found
