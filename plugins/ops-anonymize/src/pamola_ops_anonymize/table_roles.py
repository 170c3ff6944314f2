"""What the columns of a table look like, judged together.

A column is a direct identifier by its name or values (`identifier_rule`). It is a quasi-identifier because it holds
dates; because of what its name says (`naming`), or the values of a category; because it is one column of a category of
which others are quasi-identifiers; or because it is a function of quasi-identifiers (`dependence`), whatever it is
called. Else it is sensitive if its name or its values say so, or if it is a function of such a column. How many records
the quasi-identifiers single out is said with each (`separation`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Hashable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from . import identifier_rule as rule
from .dependence import MANY, Coded, functions_of, one_of_several
from .kinds import coordinates, looks_like_years, looks_postal
from .naming import Meaning, meaning_of, meanings_of, words_of
from .roles import COUNTED, DIRECT, INSENSITIVE, QUASI, SENSITIVE, Likely
from .separation import singling_out

RECORDS = 10_000
PERSONS = 50
MANY_RECORDS = (1.5, 20)  # of a person, on average
CATEGORIES = 100
SHARE_OF_MEANING = 0.6
SOURCES = 30
ROUNDS = 3
SEXES = frozenset(("f m", "m w", "m v", "k m", "h m", "f h", "m zh"))  # as initials, in several languages


def _meaning_of_values(values: Any) -> Meaning | None:
    """What the values of a category say, if most records have one that says it."""
    if not rule.is_text(values.dropna()):
        return None
    counts = values.dropna().astype(str).value_counts()
    if len(counts) == 2 and " ".join(sorted("".join(words_of(str(value))) for value in counts.index)) in SEXES:
        return meaning_of("sex")
    if not 2 <= len(counts) <= CATEGORIES:
        return None
    said: Counter[Meaning] = Counter()
    for value, count in counts.items():
        for meaning in set(meanings_of(str(value))):
            said[meaning] += int(count)
    most = said.most_common(1)
    return most[0][0] if most and most[0][1] >= SHARE_OF_MEANING * counts.sum() else None


def roles_of(frame: pd.DataFrame, judged: Collection[Hashable], quasi: Collection[Hashable]) -> Likely:
    """Direct identifiers, quasi-identifiers and sensitive columns among the judged ones, with reasons.

    Args:
        frame: The table.
        judged: The columns to judge.
        quasi: Columns that are known to be quasi-identifiers.
    """
    found: Likely = {DIRECT: {}, QUASI: {}, SENSITIVE: {}}
    places: dict[Hashable, list[int]] = {}
    for at, column in enumerate(frame.columns):
        places.setdefault(column, []).append(at)  # two columns may share a name
    others: list[Hashable] = []
    for name in places:
        if name not in judged:
            continue
        reasons = (rule.direct_reason(str(name), frame.iloc[:, at]) for at in places[name])
        if reason := next(filter(None, reasons), None):
            found[DIRECT][name] = reason
        else:
            others.append(name)
    rows = _rows(frame, [places[name][0] for name in found[DIRECT]])
    looked_at = {name: frame.iloc[rows, places[name][0]] for name in [*others, *quasi] if name in places}
    columns = {name: Coded.of(values) for name, values in looked_at.items()}
    unsaid = []
    for name in others:
        role, reason = _role_of_one(str(name), looked_at[name], columns[name])
        if role in found:
            found[role][name] = reason
        elif not role:
            unsaid.append(name)
    for one, other in coordinates({name: columns[name] for name in unsaid}).items():
        found[QUASI][one] = f"its values, with those of {other}, look like coordinates"
    held = {name: getattr(meaning_of(str(name)), "name", "") for name in others if columns[name].values > 1}
    if "body" in held.values():
        weights = [name for name, what in held.items() if what == "weight"]
        found[QUASI].update(
            dict.fromkeys(weights, "its name says that it holds a weight, and others hold a body height")
        )
    _follow(columns, others, unsaid, found, [name for name in quasi if name in places])
    _note_functions(columns, found[QUASI])
    known = {name: Coded.of(frame.iloc[:, places[name][0]]) for name in [*quasi, *found[QUASI]] if name in places}
    for name, text in singling_out(known).items():
        if name in found[QUASI]:
            found[QUASI][name] += f"{COUNTED}{text}"
    return found


def computed_from(frame: pd.DataFrame, names: Collection[Hashable], quasi: Sequence[Hashable]) -> dict[Hashable, str]:
    """Of these columns those from which quasi-identifiers can be computed, or the other way round, and how.

    Args:
        frame: The table; names of its columns are unique.
        names: The columns to look at.
        quasi: Its quasi-identifiers.
    """
    looked_at = frame.iloc[_rows(frame, [])]
    columns = {name: Coded.of(looked_at[name]) for name in (*names, *quasi)}
    return dict(functions_of(columns, list(names), list(quasi)[:SOURCES]))


def _rows(frame: pd.DataFrame, direct: Sequence[int]) -> npt.NDArray[np.intp]:
    """Records to look at: a random sample, and one of each person where an identifier repeats."""
    rows = np.random.default_rng(0).permutation(len(frame))[:RECORDS]
    for at in direct:
        first = ~frame.iloc[rows, at].astype(str).duplicated().to_numpy()
        if PERSONS <= first.sum() < len(rows):
            rows = rows[first]
    return rows


def _role_of_one(name: str, values: Any, column: Coded) -> tuple[str, str]:
    """The role of a column by its kind, its name or its values, and why; an empty role where they say nothing."""
    if rule.is_dates(values):
        return QUASI, "it holds dates, and others may know when something happened to a person"
    if column.values < 2:
        return INSENSITIVE, "it has one value"
    says, meaning = "its name says that it holds", meaning_of(name)
    if meaning is None:
        says, meaning = "its values say that it holds", _meaning_of_values(values)
    if meaning is None and looks_like_years(column):
        return QUASI, "its values look like years, and others may know when something happened to a person"
    if meaning is None and rule.is_text(values.dropna()) and looks_postal(values):
        return QUASI, "its values are written like postal codes"
    if meaning is None:
        return "", ""
    return meaning.role, f"{says} {meaning.what}" + (", which others may know" if meaning.role == QUASI else "")


def _note_functions(columns: Mapping[Hashable, Coded], found: dict[Hashable, str]) -> None:
    """Add to the reasons which of the columns are functions of others, those of shorter names: `expersq` of `exper`."""
    by_itself = [name for name, reason in found.items() if reason.startswith(("its ", "it holds"))]
    fine = sorted((name for name in by_itself if columns[name].values >= MANY), key=lambda name: len(str(name)))
    for place, name in enumerate(fine[:SOURCES]):
        how = functions_of(columns, [name], fine[:place]).get(name, "")
        if how.startswith("a function"):
            found[name] += f", and it is {how}"


def _is_of_persons(column: Coded) -> bool:
    """Whether a column has as many values, each as often, as an id of persons with several records has."""
    return column.values >= PERSONS and MANY_RECORDS[0] <= len(column.codes) / column.values <= MANY_RECORDS[1]


def _follow(
    columns: Mapping[Hashable, Coded],
    others: Sequence[Hashable],
    unsaid: Collection[Hashable],
    found: Likely,
    stated: Sequence[Hashable],
) -> None:
    """Find what belongs to quasi-identifiers or is a function of them, then what is a function of sensitive columns."""
    for _ in range(ROUNDS):
        sources = [*stated, *found[QUASI]]
        left = [name for name in others if not any(name in of_role for of_role in found.values())]
        more = one_of_several(columns, [name for name in left if name in unsaid], sources)
        more |= functions_of(columns, [name for name in left if name not in more], sources[:SOURCES])
        if not more:
            break
        for name, reason in more.items():
            if reason.startswith("it determines") and _is_of_persons(columns[name]):
                found[DIRECT][name] = f"{reason}, as an id of persons does of whom each has several records"
            else:
                found[QUASI][name] = reason
    left = [name for name in others if not any(name in of_role for of_role in found.values())]
    found[SENSITIVE].update(functions_of(columns, left, list(found[SENSITIVE])[:SOURCES]))
