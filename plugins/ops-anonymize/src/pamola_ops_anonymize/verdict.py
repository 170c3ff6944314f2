"""May a release go out? What it measures on all that looks knowable, and which questions are open."""

from __future__ import annotations

from collections.abc import Container, Hashable, Iterator, Mapping, Sequence
from typing import Any

import attrs

from .domains import Ints
from .identifiers import DIRECT, INSENSITIVE, QUASI, SENSITIVE
from .measures import Grouping
from .release import Release
from .roles import DROPPED, ColumnRole

MET, OPEN, NOT_MET = "met", "met with open questions", "not met"

_SHOWN = 8  # names in a sentence; `roles` has all


@attrs.frozen(kw_only=True)
class Knowable:
    """What a release measures on everything in it that outsiders may know of a person.

    Attributes:
        columns: Its quasi-identifiers, and the other released columns that look like some.
        k: Records (persons) of the smallest class; None where there is no record.
        unique: Records that are alone in theirs (persons who are, with at least one of their records).
        unique_share: Their share.
    """

    columns: list[str]
    k: int | None
    unique: int
    unique_share: float

    @classmethod
    def of(cls, release: Release, columns: Sequence[str], grouping: Grouping) -> Knowable:
        """Measure a release.

        Args:
            release: The release.
            columns: The columns that look knowable.
            grouping: Its classes by its quasi-identifiers, which are among these.
        """
        if len(columns) > len(release.loss):
            grouping = Grouping.of(release.coded, columns, release.persons)
        alone = None if grouping.persons is None else grouping.persons.alone(grouping.group, grouping.sizes)
        return cls.of_sizes(columns, grouping.sizes, grouping.total, alone)

    @classmethod
    def of_sizes(cls, columns: Sequence[str], sizes: Ints, total: int, alone: int | None = None) -> Knowable:
        """The same from the sizes of the classes by these columns; `total` records (persons) are released."""
        unique = int((sizes == 1).sum()) if alone is None else alone
        least = int(sizes.min()) if len(sizes) else None
        return cls(columns=list(columns), k=least, unique=unique, unique_share=unique / max(total, 1))


def knowable_columns(roles: Sequence[ColumnRole], looks: Container[Hashable]) -> list[str]:
    """The released columns that outsiders may know.

    Args:
        roles: The roles of all columns.
        looks: The columns that look like quasi-identifiers, whatever was said of them.
    """
    released = [each for each in roles if each.done != DROPPED]
    covered = [each.column for each in released if each.loss is not None]
    others = [each.column for each in released if each.loss is None and each.column in looks]
    return [*covered, *others]


def verdict_on(
    operation: Any,
    roles: Sequence[ColumnRole],
    knowable: Knowable,
    grouping: Grouping,
    metrics: Mapping[str, Any],
    said_of: Mapping[str, Container[Hashable]],
    repeats: str | None = None,
) -> dict[str, Any]:
    """The metric `verdict` of a release: whether what was asked is met, and which questions are open.

    Args:
        operation: The operation, with the quasi-identifiers that it used.
        roles: The roles of all columns.
        knowable: What was measured on all that looks knowable.
        grouping: The classes of the release.
        metrics: The metrics so far.
        said_of: The columns that look like direct identifiers (`direct`), and those from which quasi-identifiers can be
            computed (`telling`), whatever was stated of them.
        repeats: What was said of direct identifiers that repeat, where they do.
    """
    if not grouping.total:
        return {
            "dataset": operation.output_dataset,
            "verdict": NOT_MET,
            "sentence": f"no record is released, and k = {operation.k} claims nothing",
            "reasons": ["the release is empty"],
            "open_questions": [],
        }
    questions = [
        *_of_columns(operation, roles, knowable, grouping),
        *_of_stated(operation, roles, knowable, grouping, said_of),
        *_of_release(operation, metrics),
    ]
    if repeats and operation.person_columns:
        questions.append(f"Is each {' + '.join(operation.person_columns)} a person, and not less? {repeats}")
    elif repeats:
        questions.append(f"Should k count persons (`person`)? {repeats}")
    return {
        "dataset": operation.output_dataset,
        "verdict": OPEN if questions else MET,
        "sentence": _sentence(operation, knowable, grouping, metrics),
        "reasons": [],
        "open_questions": questions,
    }


def _sentence(operation: Any, knowable: Knowable, grouping: Grouping, metrics: Mapping[str, Any]) -> str:
    quasi = operation.quasi_identifiers
    counted = " persons" if grouping.persons is not None else ""
    where = " in the population" if operation.population else ""
    diverse = [f", l = {facts['l']} for {name}" for name, facts in metrics["l_diversity"].items()]
    columns = "1 column" if len(quasi) == 1 else f"{len(quasi)} columns"
    measured = f"k = {metrics['k_measured']}{counted}{where}{''.join(diverse)} on {columns} ({listed(quasi)})"
    more = [name for name in knowable.columns if name not in quasi]
    if not more:
        return f"{measured}, all that look knowable"
    here, share = " in the table" if where else "", percent(knowable.unique_share)
    return (
        f"{measured}; k = {knowable.k}{here}, {share} unique, on the {len(knowable.columns)} that look knowable"
        f" (these and {listed(more)})"
    )


def _of_columns(operation: Any, roles: Sequence[ColumnRole], knowable: Knowable, grouping: Grouping) -> Iterator[str]:
    """Which roles of released columns are not stated."""
    open_ = [each for each in roles if each.is_open and each.column not in operation.unconfirmed]
    kept = {role: [each.column for each in open_ if each.role == role] for role in _OPEN}
    if kept[DIRECT]:
        yield f"May {listed(kept[DIRECT])} be released? {_looks_direct(kept[DIRECT])}"
    if kept[QUASI]:
        yield (
            f"May others know {listed(kept[QUASI])} of a person? k = {operation.k} does not cover that: on"
            f" {listed(knowable.columns)} k is {knowable.k}, and {knowable.unique:,} of {grouping.total:,}"
            f" {grouping.counted} are unique"
        )
    if operation.unconfirmed:
        right = "Is the role right that was" if len(operation.unconfirmed) == 1 else "Are the roles right that were"
        yield f"{right} proposed for {listed(operation.unconfirmed)}? `unconfirmed` lists what is still to be confirmed"
    for role in (SENSITIVE, INSENSITIVE):
        if kept[role]:
            verb = "is" if len(kept[role]) == 1 else "are"
            proposed = f"No role is stated; proposed as {role}, and released unchanged by this step"
            yield f"What {verb} {listed(kept[role])}? {proposed}"


def _of_stated(
    operation: Any,
    roles: Sequence[ColumnRole],
    knowable: Knowable,
    grouping: Grouping,
    said_of: Mapping[str, Container[Hashable]],
) -> Iterator[str]:
    """What a stated role does not answer: a column that identifies by itself, or shows what a quasi-identifier was."""
    if knowable.k is None or knowable.k >= min(operation.k, grouping.k or 0):
        return
    kept = [each.column for each in roles if each.said == "stated" and each.done != DROPPED and each.loss is None]
    many = f"on {listed(knowable.columns)} k is {knowable.k}"
    if direct := [name for name in kept if name in said_of["direct"]]:
        yield f"May {listed(direct)} be released as stated? {_looks_direct(direct)}: {many}"
    if telling := [name for name in kept if name in said_of["telling"]]:
        yield (
            f"May {listed(telling)} be released as stated? From such a column others can compute what quasi-identifiers"
            f" were, or the other way round: {many}"
        )


def _looks_direct(columns: Sequence[str]) -> str:
    return f"{'It looks' if len(columns) == 1 else 'They look'} like what identifies a person directly"


_OPEN = (DIRECT, QUASI, SENSITIVE, INSENSITIVE)


def _of_release(operation: Any, metrics: Mapping[str, Any]) -> Iterator[str]:
    """What the release discloses though it is as it was asked for."""
    for name, facts in metrics["l_diversity"].items():
        if facts["l"] == 1:
            yield f"May {name} of a known person follow from their class? {facts['meaning']}"
    if metrics.get("isolated_classes_measured"):
        yield f"May one end of an interval single a record out? {metrics['isolation']}"
    if real := metrics.get("representatives_that_are_records"):
        yield f"May {real:,} of {metrics['representatives']:,} classes be written as the values of one of the records?"
    releases = metrics.get("releases") or {}
    if few := releases.get("persons_below_k"):
        yield (
            f"May others join this with earlier releases? {few:,} of {releases['persons']:,} persons share their"
            f" classes in all of them with fewer than k - 1 = {operation.k - 1} others"
        )
    if disclosed := releases.get("persons_disclosed"):
        yield f"May a sensitive value of {disclosed:,} persons follow from this and earlier releases together?"
    if unknown := releases.get("not_compared_with"):
        yield (
            f"Are people of earlier releases in {operation.output_dataset}? It has no column to recognise persons by,"
            f" and was not compared with releases of the same quasi-identifiers: {listed(list(map(str, unknown)))}"
        )
    if operation.keep_order:
        yield "May the order of the input be known? The records are in it (`keep_order`)"


def listed(names: Sequence[str]) -> str:
    """Names in a sentence: the first few, and how many more there are."""
    if len(names) <= _SHOWN:
        return ", ".join(names)
    return f"{', '.join(names[:_SHOWN])} and {len(names) - _SHOWN} more"


def percent(share: float) -> str:
    """A share in whole percents, never 0 % or 100 % where it is not."""
    rounded = round(100 * share)
    if rounded == 0 and share > 0:
        return "under 1 %"
    return "over 99 %" if rounded == 100 and share < 1 else f"{rounded} %"
