"""The metrics of an assessment in words, for the screen and for the report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .identifiers import DIRECT, INSENSITIVE, PERSON, QUASI, SENSITIVE
from .verdict import percent

_ORDER = (DIRECT, PERSON, QUASI, SENSITIVE, INSENSITIVE)


def sentence_of(told: Mapping[str, Any]) -> str:
    """Who is unique on what."""
    return str(told.get("sentence") or "No column looks as if others know it of a person: state what they know.")


def by_role(columns: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The columns, those that identify first."""
    return sorted(columns, key=lambda each: _ORDER.index(each["role"]) if each["role"] in _ORDER else len(_ORDER))


def short_reason(column: Mapping[str, Any]) -> str:
    """Why a column has its role, without what it singles out, which the figures of the step have."""
    return "stated" if column["said"] == "stated" else str(column["reason"]).partition(";")[0]


def risks(told: Mapping[str, Any]) -> list[str]:
    """What others can find out, a sentence each."""
    if "prosecutor" not in told:
        return []
    risk, counted = told["prosecutor"], told["counted"]
    total = told.get("persons", told["rows"])
    at_risk = risk[f"{counted}_at_risk"]
    above, threshold = percent(risk["share_at_risk"]), percent(told["risk_threshold"])
    smallest = f"the smallest class has {told['k']:,} of {total:,} {counted}"
    found = [
        f"prosecutor and journalist {percent(risk['highest'])}: {smallest}",
        f"marketer {share(told['marketer'])}: the part of all {counted} that matches by quasi-identifiers get right",
        f"{at_risk:,} {counted} ({above}) have a risk above {threshold}",
    ]
    population = told.get("population_uniqueness")
    if population:
        models = ", ".join(
            f"{name} {share(population[key])}" if population[key] is not None else f"{name} none"
            for key, name in (("zayatz", "Zayatz"), ("pitman", "Pitman"), ("snb", "SNB"))
        )
        found.append(f"{population['meaning']} (by {population['model'].capitalize()}; {models})")
    special = told["special_uniques"]
    found.append(f"special uniques: {special['meaning']}")
    sets = [f"{', '.join(each['columns'])} ({each['records']:,})" for each in told["special_uniques_by_set"][:3]]
    return found + ([f"most are singled out by {'; '.join(sets)}"] if sets else [])


def questions(told: Mapping[str, Any]) -> list[str]:
    """What is open: of the data, and of proposed roles."""
    proposed = sum(each["said"] == "proposed" for each in told["columns"])
    found = [each for questions in told["open_questions"].values() for each in questions]
    if proposed:
        found.append(f"Are the {proposed} proposed roles right? --role COLUMN=ROLE states one")
    return found


def lost_where(told: Mapping[str, Any]) -> str:
    """What the costs are, and of how many records."""
    few = " –: too few for a class of k." if told.get("ks_out_of_reach") else ""
    return f"Part of the quasi-identifiers' precision that is lost, {told['costs_measured']}.{few}"


def costs(told: Mapping[str, Any]) -> tuple[list[str], list[list[str]]]:
    """The loss of each strategy at each k: headers, and a row a strategy."""
    found = told.get("costs") or ()
    ks = sorted({*(each["k"] for each in found), *told.get("ks_out_of_reach", ())})
    loss = {(each["strategy"], each["k"]): each["loss"] for each in found}
    rows = [
        [strategy, *(share(loss[strategy, k]) if (strategy, k) in loss else "–" for k in ks)]
        for strategy in dict.fromkeys(each["strategy"] for each in found)
    ]
    return ["strategy", *(f"k = {k}" for k in ks)], rows


def not_measured(told: Mapping[str, Any]) -> list[str]:
    """The strategies that were not measured, and why."""
    problems: Mapping[str, str] = told.get("costs_not_measured") or {}
    return [f"{strategy} was not measured: {why}" for strategy, why in problems.items()]


def proposal(choice: Mapping[str, Any]) -> str:
    """The settings that are proposed, and what they cost."""
    settings = ", ".join(f"{name} = {value}" for name, value in choice["settings"].items())
    return f"Proposed: {settings}; it loses {share(choice['loss'])} (on {choice['records']:,} records)"


def share(part: float) -> str:
    """A share in tenths of a percent."""
    return f"{100 * part:.1f} %"
