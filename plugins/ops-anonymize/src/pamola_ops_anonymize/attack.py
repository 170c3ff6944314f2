"""The operation that attacks a release, and says how often that succeeds."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, get_args

import attrs
import pandas as pd

from pamola_tasks import Effects, Operation, OperationContext, OperationResult, reads
from pamola_tasks.errors import DataError, ParameterError

from . import charts
from .attacked import AttackedColumn, AttackedTables, common_domain
from .attacking import AttackName, Attacks, Found
from .columns import (
    column_names,
    columns_of_person,
    is_number,
    person_columns,
    require,
    some_columns,
    some_of,
    whole_number,
    wrong,
)
from .domains import Domain
from .effects import document, if_all
from .hierarchies import Hierarchy, built_hierarchy, hierarchy_of_lines
from .hierarchy_files import stated_hierarchy
from .minimality import Excluded, made_by, minimality
from .persons import Persons
from .strangers import check_control

NEEDED: dict[AttackName, tuple[str, ...]] = {
    "inference": ("sensitive_attributes",),
    "membership": ("control_dataset",),
    "intersection": ("other_release", "sensitive_attributes"),
    "minimality": ("sensitive_attributes",),
}
"""The parameters that attacks need, beside those that are never left out."""

ON_REQUEST: tuple[AttackName, ...] = ("minimality",)
"""What is tried only where `attacks` names it: it anonymizes the table many times."""


def _confidence(operation: Any, attribute: attrs.Attribute[Any], value: Any) -> None:
    if not (is_number(value) and 0 < value < 1):
        raise wrong(operation, attribute.name, "a number between 0 and 1", value)


def _two_lists(operation: Any, attribute: attrs.Attribute[Any], value: Any) -> None:
    if value is None:
        return
    if not isinstance(value, (list, tuple)) or len(value) != 2:
        raise wrong(operation, attribute.name, "two lists of columns", value)
    for names in value:
        some_columns(operation, attribute, names)
    both = [name for name in value[0] if name in value[1]]
    if both:
        raise ParameterError(f"AttackOperation: `{attribute.name}` names {', '.join(both)} in both lists")


class AttackOperation(Operation):
    """Attack a release: how often singling out, linking and inference succeed on its people, and on others.

    Each attack is tried on persons of the original and, where there is a control of people who are not in it, on these:
    what it finds out about them it finds out about all people, and no release can prevent. The risk is
    (a - c) / (1 - c), with a confidence interval, where a and c are the centres of the Wilson intervals of both rates,
    not the plain rates: M. Giomi, F. Boenisch, C. Wehmeyer and B. Tasnádi, A unified framework for quantifying privacy
    risk in synthetic data, PoPETs 2023(2). It and its interval end at 0 and 1; `risk_unclipped` and the ends
    `risk_low_unclipped` and `risk_high_unclipped` do not. Without a control a guess takes its place. Distances to
    closest records: M. Platzer and T. Reutterer, Frontiers in Big Data 4, 2021. Several releases: S. R. Ganta and
    others, KDD 2008. Downcoding: A. Cohen, USENIX Security 2022. Minimality: R. C.-W. Wong and others, VLDB 2007.

    Args:
        original_dataset: The table as it was, with the people who are in the release.
        anonymized_dataset: The table as it is released: values, intervals `[17,24]`, sets `{a|b}`, `*`, or labels.
        quasi_identifiers: Columns that attackers know of a person.
        sensitive_attributes: Columns whose values they would like to know.
        control_dataset: People of the same kind who were held out: they may not be in the release. `HoldOutOperation`
            divides a table. Refused where its people, or more of its records than chance explains, are in the original.
        other_release: Another release of the same people, or several, for `intersection`.
        person: Columns that together identify the person of a record (a household in the same way): each person is
            attacked once, and singled out if no other satisfies a predicate. The original has them, the control may.
        attacks: Which ones: `singling_out`, `linkability`, `inference` of each sensitive attribute, `membership` (needs
            a control), `record_linkage` (distances to the closest records), `intersection` (needs another release),
            `downcoding` (what ends of intervals and members of sets say of single records), `minimality` (whether the
            known algorithm says which of two persons of a class has which sensitive values: it anonymizes the table
            again, for up to half a million records altogether or 10 pairs, and needs the AnonymizeOperation that makes
            the release in the same task). All that the other settings allow unless given, but for `minimality`.
        linked_columns: For `linkability` the columns of one attacker and those of another; the first and the second
            half of the quasi-identifiers unless given.
        predicate_columns: Of how many columns the predicates of `singling_out` are, beside those of one column.
        hierarchies: For columns the dataset that holds their hierarchy, as for `AnonymizeOperation`, where the release
            has its labels.
        attempts: How many persons or predicates each attack is tried on at most, drawn at random by the task's seed.
            Where fewer predicates are found, these are the attempts; fewer than 30 are warned of.
        confidence: Of the intervals.
        output_prefix: The result is written as `<output_prefix>_attacks.json`; the release's name unless given.
    """

    original_dataset: str = reads()
    anonymized_dataset: str = reads()
    quasi_identifiers: list[str] = attrs.field(validator=some_columns)
    sensitive_attributes: list[str] = attrs.field(factory=list, validator=column_names)
    control_dataset: str | None = reads(None)
    other_release: str | list[str] | None = reads(None)
    person: str | list[str] | None = attrs.field(default=None, validator=person_columns)
    attacks: list[AttackName] | None = attrs.field(
        default=None, validator=attrs.validators.optional(some_of(AttackName))
    )
    linked_columns: list[list[str]] | None = attrs.field(default=None, validator=_two_lists)
    predicate_columns: int = attrs.field(default=3, validator=whole_number(2))
    hierarchies: dict[str, str] = reads(attrs.Factory(dict))
    attempts: int = attrs.field(default=500, validator=whole_number(10))
    confidence: float = attrs.field(default=0.95, validator=_confidence)
    output_prefix: str | None = None

    version = "1.1"
    category = "metrics"

    def __attrs_post_init__(self) -> None:
        both = [name for name in self.sensitive_attributes if name in self.quasi_identifiers]
        if both:
            raise ParameterError(
                f"AttackOperation: {', '.join(both)} is in both `quasi_identifiers` and `sensitive_attributes`:"
                f" a column has one role"
            )
        other = sorted(set(self.hierarchies) - set(self._columns))
        if other:
            raise ParameterError(f"AttackOperation: `hierarchies` names {', '.join(other)}, which is not attacked")
        for attack in self.attacks or ():
            absent = self._lacking(attack)
            if absent:
                raise ParameterError(f"AttackOperation: `attacks: [{attack}]` needs {absent}")

    def _lacking(self, attack: AttackName) -> str:
        """What an attack needs that is not stated, in words."""
        absent = next((name for name in NEEDED.get(attack, ()) if not getattr(self, name)), None)
        if attack == "linkability" and len(self._linked[1]) == 0:
            return "`linked_columns`, or two quasi-identifiers"
        return "" if absent is None else f"`{absent}`"

    @property
    def _others(self) -> list[str]:
        return columns_of_person(self.other_release)

    @property
    def _linked(self) -> list[list[str]]:
        half = (len(self.quasi_identifiers) + 1) // 2
        return self.linked_columns or [self.quasi_identifiers[:half], self.quasi_identifiers[half:]]

    @property
    def _columns(self) -> list[str]:
        """All columns that are compared."""
        linked = [name for names in self.linked_columns or () for name in names]
        return list(dict.fromkeys([*self.quasi_identifiers, *self.sensitive_attributes, *linked]))

    def effects(self, columns: Mapping[str, Sequence[str]]) -> Mapping[str, Effects]:
        """Rates of success follow from the columns that are compared, and from whose records these are."""
        tables = [self.original_dataset, self.anonymized_dataset, self.control_dataset, *self._others]
        named = {name: [*self._columns] for name in tables if name is not None}
        persons = {self.original_dataset: columns_of_person(self.person)}
        if self.control_dataset is not None:
            there = if_all(columns_of_person(self.person), columns[self.control_dataset])
            persons[self.control_dataset] = list(there)
        return {f"{self.output_prefix or self.anonymized_dataset}_attacks": document(named, persons)}

    def execute(self, ctx: OperationContext) -> OperationResult:
        """Read the columns named of all tables, attack, and write the artifact `<output_prefix>_attacks`."""
        of_person = columns_of_person(self.person)
        ctx.stage("reading")
        original = self._read(ctx, self.original_dataset, of_person)
        released = self._read(ctx, self.anonymized_dataset)
        others = {name: self._read(ctx, name) for name in self._others}
        control, strangers = None, None
        persons = self._persons(original, of_person, self.original_dataset)
        if self.control_dataset is not None:
            told = set(of_person) <= set(ctx.data.columns(self.control_dataset))
            control = self._read(ctx, self.control_dataset, of_person if told else [])
            strangers = self._persons(control, of_person if told else [], self.control_dataset)
            check_control(original, control, self._columns, of_person if told else [], self.control_dataset)
        domains = {
            name: common_domain(original[name], None if control is None else control[name]) for name in self._columns
        }
        hierarchies = {name: self._hierarchy(ctx, name, domain) for name, (domain, _) in domains.items()}

        def tables(frame: pd.DataFrame, dataset: str) -> AttackedTables:
            columns = {
                name: AttackedColumn.of(len(original), frame[name], hierarchies[name], domains[name], dataset)
                for name in self._columns
            }
            return AttackedTables(columns, len(frame))

        attacks = Attacks(
            tables=tables(released, self.anonymized_dataset),
            released=released,
            known=self.quasi_identifiers,
            sensitive=self.sensitive_attributes,
            linked=self._linked,
            persons=persons,
            strangers=strangers,
            identified=bool(of_person),
            attempts=self.attempts,
            predicate_columns=self.predicate_columns,
            others=[tables(frame, name) for name, frame in others.items()],
            minimality=lambda: self._minimality(ctx),
            rng=ctx.rng,
        )
        names = self.attacks or [
            name for name in get_args(AttackName) if name not in ON_REQUEST and not self._lacking(name)
        ]
        found: list[Found] = []
        ctx.stage("attacking")
        for one in attacks.run(names):
            found.append(one)
            if one.warning:
                ctx.warn(one.warning)
            ctx.progress(len(found), len(names), "attacks")
        metrics = self._metrics(found, persons, strangers, len(released))
        ctx.stage("writing")
        with ctx.artifact(
            f"{self.output_prefix or self.anonymized_dataset}_attacks",
            "json",
            f"Attacks on {self.anonymized_dataset}",
            category="metrics",
            tags=[charts.TAG],
        ) as file:
            settings = {name: value for name, value in self.parameters().items() if value is not None}
            told_all = {"schema": 1, "settings": settings, **metrics, charts.TAG: self._charts(found)}
            file.write(json.dumps(told_all, indent=2, ensure_ascii=False, allow_nan=False).encode())
        return OperationResult.success(metrics)

    def _read(self, ctx: OperationContext, dataset: str, more: list[str] | None = None) -> pd.DataFrame:
        roles = {
            "quasi_identifiers": self.quasi_identifiers,
            "sensitive_attributes": self.sensitive_attributes,
            "linked_columns": [name for names in self.linked_columns or () for name in names],
            "person": more or [],
        }
        require(ctx, dataset, roles)
        frame: pd.DataFrame = ctx.data.frame(dataset, list(dict.fromkeys([*self._columns, *(more or [])])))
        if frame.empty:
            raise DataError(f"{dataset} has no records: there is nothing to attack")
        return frame

    def _minimality(self, ctx: OperationContext) -> Excluded:
        made = made_by(
            ctx, self.anonymized_dataset, self.original_dataset, self.quasi_identifiers, self.sensitive_attributes
        )
        absent = [name for name in made.hierarchies.values() if name not in self.hierarchies.values()]
        if absent:
            raise ParameterError(
                f"AttackOperation: `attacks: [minimality]` needs {', '.join(absent)} in `hierarchies`, as the step that"
                f" makes {self.anonymized_dataset} has them"
            )
        names = [*made.quasi_identifiers, *made.sensitive_attributes, *made.person_columns]
        frame = ctx.data.frame(self.original_dataset, list(dict.fromkeys(names)))
        return minimality(made, ctx, frame, self.attempts, ctx.rng)

    def _persons(self, frame: pd.DataFrame, columns: list[str], dataset: str) -> Persons:
        return Persons.in_columns(frame, columns, dataset) if columns else Persons.each(len(frame))

    def _hierarchy(self, ctx: OperationContext, column: str, domain: Domain) -> Hierarchy:
        if column not in self.hierarchies:
            return built_hierarchy(domain)
        lines, file = stated_hierarchy(ctx, self.hierarchies[column], column, of=self.original_dataset)
        return hierarchy_of_lines(lines, domain, file)

    def _metrics(self, found: list[Found], persons: Persons, strangers: Persons | None, records: int) -> dict[str, Any]:
        attacks = {one.key: one.told(self.confidence) for one in found}
        tried = [one for one in found if one.of_persons and one.rate is not None and one.rate.attempts]
        greatest = max(tried, key=self._risk, default=None)
        return {
            "persons": persons.count,
            "persons_control": None if strangers is None else strangers.count,
            "records_released": records,
            "confidence": self.confidence,
            "quasi_identifiers": self.quasi_identifiers,
            "greatest_risk": None if greatest is None else self._risk(greatest),
            "greatest_risk_of": None if greatest is None else greatest.key,
            "attacks": attacks,
        }

    def _risk(self, one: Found) -> float:
        assert one.rate is not None
        return one.rate.risk(self.confidence)[0]

    def _charts(self, found: list[Found]) -> list[charts.Chart]:
        rates = [one for one in found if one.rate is not None and one.rate.attempts]
        if not rates:
            return []
        told = {one.label: one.rate.told(self.confidence) for one in rates if one.rate is not None}
        return [charts.attacks(told)]
