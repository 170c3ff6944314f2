"""The operation that assesses a table: who is unique in it, what k-anonymity would cost, which settings to take."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from math import comb
from typing import Any

import attrs
import pandas as pd

from pamola_tasks import Effects, Operation, OperationContext, OperationResult, reads
from pamola_tasks.errors import DataError, ParameterError

from . import charts
from .anonymize import AnonymizeOperation
from .columns import column_names, columns_of_person, person_columns, some_of, whole_number, without
from .costs import MOST_GROUPED, Choice, Costs, chart_of, chosen, costs_of, grouped, sampled
from .effects import document
from .identifiers import (
    DIRECT,
    INSENSITIVE,
    PERSON,
    QUASI,
    SENSITIVE,
    ProposedRole,
    identifiers_of,
    proposed_roles,
)
from .measures import Grouping
from .parameter_checks import ROLES
from .persons import Persons, holds_names, repeated
from .read_as_text import unread
from .release_settings import Strategy
from .risk import share
from .risk_estimates import singled_out, unique_in_population
from .risk_measures import reidentification

_STATED = dict(zip(ROLES, (QUASI, SENSITIVE, DIRECT, INSENSITIVE), strict=True))
_MOST_LOOKED_AT = 300_000_000  # records times sets of columns, for special uniques
_MOST_TRIED_WHOLE = 100_000  # records up to which the choice is tried on the whole table


def _some_ks(operation: Any, attribute: attrs.Attribute[Any], value: Any) -> None:
    if not value or any(isinstance(k, bool) or not isinstance(k, int) or k < 2 for k in value):
        raise ParameterError(f"AssessOperation: `{attribute.name}` has to be a list of whole numbers of 2 or more")


class AssessOperation(Operation):
    """Assess a table before anything is released of it: roles of its columns, who is unique on what, what k costs.

    Everything is written to `internal/`. Roles that are not stated are proposed by what the columns look like. Risks:
    see RiskOperation, which has the sources; special uniques are those of SUDA2 (Manning and Haglin 2005). What a k
    would cost by each strategy is measured by anonymizing a sample, and the settings to take are those of least loss at
    `k` whose cells are true of each record.

    Args:
        input_dataset: The table.
        quasi_identifiers: Columns that together could identify a person. Proposed, like all roles, unless stated.
        sensitive_attributes: Columns worth protecting.
        direct_identifiers: Columns that identify a person.
        insensitive_attributes: Columns that are harmless, whatever they look like.
        person: Columns that together identify the person of a record. Proposed where a direct identifier repeats.
        hierarchies: For quasi-identifiers the dataset that holds their hierarchy, as `AnonymizeOperation` takes it.
        ranges: For quasi-identifiers of numbers the widths of ranges, likewise.
        suggested: Columns whose role above is a suggestion, and why: reports call it proposed, not stated.
        k: The k that settings are proposed for.
        ks: For which k the costs are measured.
        strategies: For which strategies.
        sample: Of at most how many records, drawn at random, the costs are measured.
        sampling_fraction: The part of a population that the table is a random sample of.
        special_uniques: The most columns of a minimal sample unique to look for; fewer where the table is so large that
            it would take minutes.
        risk_threshold: Records with a risk above this count as at risk.
        output_prefix: The result is written as `<output_prefix>_assessment.json`; the table's name unless given.
    """

    input_dataset: str = reads()
    quasi_identifiers: list[str] = attrs.field(factory=list, validator=column_names)
    sensitive_attributes: list[str] = attrs.field(factory=list, validator=column_names)
    direct_identifiers: list[str] = attrs.field(factory=list, validator=column_names)
    insensitive_attributes: list[str] = attrs.field(factory=list, validator=column_names)
    person: str | list[str] | None = attrs.field(default=None, validator=person_columns)
    hierarchies: dict[str, str] = reads(attrs.Factory(dict))
    ranges: dict[str, list[float]] = attrs.Factory(dict)
    suggested: dict[str, str] = attrs.Factory(dict)
    k: int = attrs.field(default=5, validator=whole_number(2))
    ks: list[int] = attrs.field(factory=lambda: [2, 3, 5, 10, 20, 50], validator=_some_ks)
    strategies: list[Strategy] = attrs.field(
        factory=lambda: ["hierarchy", "mondrian", "suppression", "microaggregation"], validator=some_of(Strategy)
    )
    sample: int = attrs.field(default=10_000, validator=whole_number(1))
    sampling_fraction: float | None = attrs.field(default=None, validator=attrs.validators.optional(share))
    special_uniques: int = attrs.field(default=3, validator=whole_number(1))
    risk_threshold: float = attrs.field(default=0.2, validator=share)
    output_prefix: str | None = None

    version = "1.1"
    category = "metrics"

    def __attrs_post_init__(self) -> None:
        named = [*self._stated()]
        twice = sorted({name for name, _ in named if [other for other, _ in named].count(name) > 1})
        if twice:
            raise ParameterError(f"AssessOperation: {', '.join(twice)} has several roles: a column has one role")
        if others := sorted(set(self.suggested).difference(name for name, _ in named)):
            raise ParameterError(f"AssessOperation: `suggested` names {', '.join(others)}, which has no role above")

    def _stated(self) -> Iterator[tuple[str, str]]:
        for parameter, role in _STATED.items():
            yield from ((name, role) for name in getattr(self, parameter))
        yield from ((name, PERSON) for name in columns_of_person(self.person))

    def effects(self, columns: Mapping[str, Sequence[str]]) -> Mapping[str, Effects]:
        """The assessment is one of all columns."""
        names = [*columns[self.input_dataset], *(name for name, _ in self._stated())]
        read = {self.input_dataset: names, **{name: columns[name] for name in self.hierarchies.values()}}
        return {f"{self.output_prefix or self.input_dataset}_assessment": document(read)}

    def execute(self, ctx: OperationContext) -> OperationResult:
        """Assess, and write the artifact `<output_prefix>_assessment`; the metrics are the same without charts."""
        ctx.stage("reading")
        frame = ctx.data.frame(self.input_dataset)
        ctx.stage("judging")
        self._check(frame)
        roles = proposed_roles(frame, dict(self._stated()), identifiers_of(ctx.run))
        roles |= {name: roles[name]._replace(said="proposed", reason=why) for name, why in self.suggested.items()}
        questions = self._with_person(frame, roles)
        told: dict[str, Any] = {
            "dataset": self.input_dataset,
            "rows": len(frame),
            "columns": [self._column(frame[name], str(name), role) for name, role in roles.items()],
        }
        quasi, person = _of(roles, QUASI), _of(roles, PERSON)
        questions += unread(ctx, self.input_dataset, frame, quasi)
        drawn: list[charts.Chart] = []
        if quasi:
            persons = Persons.in_columns(frame, person, self.input_dataset) if person else None
            self._refuse_k(
                len(frame) if persons is None else persons.count, "records" if persons is None else "persons"
            )
            ctx.stage("measuring")
            grouping = Grouping.of(frame, quasi, persons)
            told |= self._risks(frame, grouping, quasi)
            asked: dict[str, Any] = {"k": self.k, "quasi_identifiers": quasi, "person": person or None}
            asked |= {"hierarchies": self.hierarchies, "ranges": self.ranges}
            settings = AnonymizeOperation(input_dataset=self.input_dataset, **asked)
            told |= self._costs(ctx, frame, settings, _of(roles, SENSITIVE), persons, drawn)
            drawn[:0] = self._charts(told, grouping)
        told["open_questions"] = {self.input_dataset: questions} if questions else {}
        prefix = self.output_prefix or self.input_dataset
        ctx.stage("writing")
        about = f"Assessment of {self.input_dataset}: not to be released"
        with ctx.artifact(f"{prefix}_assessment", "json", about, category="internal", tags=[charts.TAG]) as file:
            settings_told = {name: value for name, value in self.parameters().items() if value is not None}
            document = {"schema": 1, "settings": settings_told, **told, charts.TAG: drawn}
            file.write(json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False).encode())
        return OperationResult.success(told)

    def _check(self, frame: pd.DataFrame) -> None:
        if not frame.columns.is_unique:
            twice = sorted({str(name) for name in frame.columns[frame.columns.duplicated()]})
            raise DataError(f"{self.input_dataset} has more than one column named {', '.join(twice)}: rename them")
        for name, role in self._stated():
            if name not in frame.columns:
                raise without(self.input_dataset, [name], role, frame.columns)
        if frame.empty:
            raise DataError(f"{self.input_dataset} has no records: there is nothing to assess")

    def _refuse_k(self, count: int, counted: str) -> None:
        if self.k > count:
            raise ParameterError(
                f"AssessOperation: `k` is {self.k:,}, but {self.input_dataset} has {count:,} {counted}, and no class"
                f" can have more: take a smaller k"
            )

    def _with_person(self, frame: pd.DataFrame, roles: dict[Any, ProposedRole]) -> list[str]:
        """Propose the person where a direct identifier repeats; what is open about it."""
        direct = _of(roles, DIRECT)
        found = {} if self.person else repeated(frame, direct)
        if not found:
            return []
        finest = max(found, key=lambda name: found[name])
        values, present = found[finest], int(frame[finest].notna().sum())
        said = f"{finest} has {values:,} different values in {present:,} records"
        if present < len(frame) or holds_names(finest) or roles[finest].said == "stated":
            return [f"Does a person have several records? {said}. If so, state it as the person"]
        roles[finest] = ProposedRole(PERSON, "proposed", f"{said}, so that a person has several records")
        return []

    def _column(self, column: pd.Series[Any], name: str, role: ProposedRole) -> dict[str, Any]:
        try:
            distinct: int | None = int(column.nunique())
        except TypeError:  # lists and the like
            distinct = None
        return {
            "column": name,
            "taken_for": taken_for(column),
            "distinct": distinct,
            "missing": int(column.isna().sum()),
            **role._asdict(),
        }

    def _risks(self, frame: pd.DataFrame, grouping: Grouping, quasi: list[str]) -> dict[str, Any]:
        found: dict[str, Any] = {
            "quasi_identifiers": quasi,
            "counted": grouping.counted,
            **reidentification(grouping, self.risk_threshold),
        }
        if self.sampling_fraction is not None:
            found["population_uniqueness"] = unique_in_population(grouping, self.sampling_fraction)
        most = min(self.special_uniques, len(quasi))
        while most > 1 and _sets(len(quasi), most) * len(frame) > _MOST_LOOKED_AT:
            most -= 1
        special = singled_out(grouping, frame, quasi, most, self.sampling_fraction, self.risk_threshold)
        found |= special.metrics
        return {"sentence": sentence(found, special.metrics["special_uniques_by_set"]), **found}

    def _costs(
        self,
        ctx: OperationContext,
        frame: pd.DataFrame,
        settings: AnonymizeOperation,
        sensitive: list[str],
        persons: Persons | None,
        drawn: list[charts.Chart],
    ) -> dict[str, Any]:
        """What k costs, and the choice; the chart goes to `drawn`."""
        needed = [*settings.quasi_identifiers, *settings.person_columns, *sensitive]
        part = sampled(frame[needed], self.sample, persons, ctx.rng)
        there = len(part)
        if persons is not None:
            there = Persons.in_columns(part, settings.person_columns, self.input_dataset).count
        ks = [k for k in sorted({*self.ks, self.k}) if k <= there]
        ctx.stage("trying")
        total = len(ks) * len(self.strategies)
        costs: Costs = costs_of(
            settings, ctx, part, ks, self.strategies, lambda done: ctx.progress(done, total, "settings")
        )
        columns, strategies = len(settings.quasi_identifiers), {each["strategy"] for each in costs.measured}
        slow = "suppression" in strategies and grouped(len(frame), columns, [self.k]) > MOST_GROUPED
        whole = part if slow or len(frame) > _MOST_TRIED_WHOLE else frame[needed]
        ctx.stage("choosing")
        choice: Choice | None = chosen(settings, ctx, whole, costs, sensitive)
        on = (
            f"on {len(part):,} of {len(frame):,} records"
            if len(part) < len(frame)
            else f"on all {len(frame):,} records"
        )
        if costs.measured:
            drawn.append(chart_of(costs, on))
        return {
            "costs_measured": on,
            "costs": costs.measured,
            "costs_not_measured": costs.problems,
            "ks_out_of_reach": sorted({*self.ks, self.k}.difference(ks)),
            "choice": None if choice is None else attrs.asdict(choice),
        }

    def _charts(self, told: Mapping[str, Any], grouping: Grouping) -> list[charts.Chart]:
        readings: dict[str, tuple[float | None, float]] = {
            "Prosecutor and journalist, highest": (None, told["prosecutor"]["highest"]),
            "Marketer, average": (None, told["marketer"]),
            f"Part of the {grouping.counted} at risk": (None, told["prosecutor"]["share_at_risk"]),
        }
        if "population_uniqueness" in told:
            readings["Unique in the population"] = (None, told["population_uniqueness"]["uniqueness"])
        return [charts.risk_gauge(readings, self.risk_threshold), charts.class_sizes({"": grouping.sizes})]


def _of(roles: Mapping[Any, ProposedRole], role: str) -> list[str]:
    return [name for name, each in roles.items() if each.role == role]


def _sets(columns: int, most: int) -> int:
    return sum(comb(columns, size) for size in range(1, most + 1))


def taken_for(column: pd.Series[Any]) -> str:
    """What a column was read as, in words."""
    types = pd.api.types
    if types.is_bool_dtype(column.dtype):
        return "true or false"
    if types.is_numeric_dtype(column.dtype):
        return "whole numbers" if types.is_integer_dtype(column.dtype) else "numbers"
    if types.is_datetime64_any_dtype(column.dtype):
        present = column.dropna()
        return "dates" if bool((present == present.dt.normalize()).all()) else "dates and times"
    return "categories" if isinstance(column.dtype, pd.CategoricalDtype) else "text"


def sentence(risks: Mapping[str, Any], sets: Sequence[Mapping[str, Any]]) -> str:
    """Who is unique on what.

    Args:
        risks: What `reidentification` and `singled_out` found.
        sets: The sets of columns that single most records out.
    """
    counted, uniques = risks["counted"], risks["sample_uniques"]
    total = risks.get("persons", risks["rows"])
    listed = ", ".join(risks["quasi_identifiers"])
    if not uniques:
        return f"None of {total:,} {counted} is the only one with its {listed}: at least {risks['k']:,} share each"
    said = f"{uniques:,} of {total:,} {counted} ({100 * uniques / total:.0f} %) are the only ones with their {listed}"
    few = min(sets, key=lambda each: (len(each["columns"]), -each["records"]), default=None)
    if few is None or len(few["columns"]) == len(risks["quasi_identifiers"]):
        return said
    records = "1 record" if few["records"] == 1 else f"{few['records']:,} records"
    verb = "singles" if len(few["columns"]) == 1 else "single"
    return f"{said}; {' and '.join(few['columns'])} alone {verb} out {records}"
