"""The operation that measures how easily a person in a table is identified."""

from __future__ import annotations

import json
from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import attrs
import numpy as np
import pandas as pd

from pamola_tasks import Effects, Operation, OperationContext, OperationResult, reads
from pamola_tasks.errors import DataError, ParameterError

from . import charts
from .alike import Distinguish, tell_alike
from .columns import (
    column_names,
    columns_of_person,
    is_number,
    one_column,
    one_of,
    person_columns,
    positive,
    require,
    some_columns,
    text_of,
    whole_number,
    wrong,
)
from .counted import classes_in, combinations_in, fits, values_in
from .domains import Floats, Ints, counted
from .effects import document, if_all
from .identifiers import DIRECT, identifiers_of
from .measures import Grouping
from .persons import Persons, holds_names, smallest_class
from .read_as_text import warn_of_categories
from .risk_estimates import RecordRisks, by_weights, singled_out, unique_in_population, weights_of
from .risk_measures import disclosure, records, reidentification, risks_of
from .verdict import percent


def share(operation: Any, attribute: attrs.Attribute[Any], value: Any) -> None:
    """A validator: a number above 0 and at most 1."""
    if not (is_number(value) and 0 < value <= 1):
        raise wrong(operation, attribute.name, "a number above 0 and at most 1", value)


_LARGE = 1_000_000  # records beyond which the columns of a warning are not read whole


class RiskOperation(Operation):
    """Measure the risk of re-identification of a table, and what its classes reveal about sensitive attributes.

    Classes are records that are alike in all quasi-identifiers; a missing cell is a value like any other. k-anonymity:
    L. Sweeney, 2002. Prosecutor, journalist and marketer risk: K. El Emam and F. K. Dankar, JAMIA 15(5), 2008, and
    F. K. Dankar and K. El Emam, PAIS 2010. k-map: L. Sweeney, 2002. l-diversity: A. Machanavajjhala et al., 2007.
    t-closeness: N. Li, T. Li and S. Venkatasubramanian, ICDE 2007.

    Args:
        input_dataset: The table: as it was, or as it is to be released.
        population_dataset: A table of the people among whom an attacker would search, with the same quasi-identifiers
            written in the same way. Without it the table itself is the population, and no k-map is reported.
        quasi_identifiers: Columns that together could identify a person.
        sensitive_attributes: Columns whose values an attacker would like to learn.
        person: Columns that together identify the person of a record (a household in the same way), where a person
            may have several records: classes, risks and uniques then count persons, each with the greatest risk of
            their records and one vote for l, t and δ. The population's persons are counted where it has these columns.
        sampling_fraction: The part of a population that the table is a random sample of: how many persons are unique
            there is then estimated by the models of Zayatz (1991), Pitman (Hoshino 2001) and SNB (Chen and
            Keller-McNulty 1998), of which a decision rule takes one (Dankar et al. 2012). With `weights` and without
            this, the number of records over the sum of the weights.
        weights: The column of survey weights: how many persons of the population a record represents. The risk of each
            record and of the table are then estimated, too (Benedetti and Franconi 1998, as in μ-Argus and sdcMicro).
        special_uniques: The most columns of a minimal sample unique to look for (SUDA2: Manning and Haglin 2005);
            records that few columns single out are special uniques. Not looked for unless given.
        record_risks: Whether to write a file `<output_prefix>_record_risks.csv` that is not to be released: the risks
            and scores of each record, with its number in the input, counted from 0.
        risk_threshold: Records with a risk above this count as at risk; 0.2 means classes of fewer than 5.
        l: For which l recursive (c, l)-diversity is measured: the least c that the table does not reach.
        c: The c of recursive (c, l)-diversity, for which the greatest l is reported.
        distinguish: How sensitive values are compared for diversity: as a `reader` does, for whom case, blanks around a
            value, Unicode form and invisible characters do not count, or `exact`, as they are.
        output_prefix: The result is written as `<output_prefix>_risk.json`; the table's name unless given.
    """

    input_dataset: str = reads()
    population_dataset: str | None = reads(None)
    quasi_identifiers: list[str] = attrs.field(validator=some_columns)
    sensitive_attributes: list[str] = attrs.field(factory=list, validator=column_names)
    person: str | list[str] | None = attrs.field(default=None, validator=person_columns)
    sampling_fraction: float | None = attrs.field(default=None, validator=attrs.validators.optional(share))
    weights: str | None = attrs.field(default=None, validator=one_column)
    special_uniques: int | None = attrs.field(default=None, validator=whole_number(1))
    record_risks: bool = False
    risk_threshold: float = attrs.field(default=0.2, validator=share)
    l: int = attrs.field(default=2, validator=whole_number(2))  # noqa: E741 - the letter is the measure's name
    c: float = attrs.field(default=3.0, validator=positive)
    distinguish: Distinguish = attrs.field(default="reader", validator=one_of(Distinguish))
    output_prefix: str | None = None

    version = "1.2"
    category = "metrics"
    scope = "aggregate"

    def __attrs_post_init__(self) -> None:
        both = [name for name in self.sensitive_attributes if name in self.quasi_identifiers]
        if both:
            raise ParameterError(
                f"RiskOperation: {', '.join(both)} is in both `quasi_identifiers` and `sensitive_attributes`:"
                f" a column has one role"
            )
        if self.weights in {*self.quasi_identifiers, *self.sensitive_attributes, *columns_of_person(self.person)}:
            raise ParameterError(f"RiskOperation: {self.weights} is in `weights`, and has another role")

    def effects(self, columns: Mapping[str, Sequence[str]]) -> Mapping[str, Effects]:
        """Risks follow from who is alike in what, here and in the population; and what classes reveal, from more."""
        person, weights = columns_of_person(self.person), self._roles["weights"]
        alike = {self.input_dataset: [*self.quasi_identifiers, *person]}
        found = {"record_risks": document({self.input_dataset: weights}, alike)} if self.record_risks else {}
        if (population := self.population_dataset) is not None:
            alike[population] = [*self.quasi_identifiers, *if_all(person, columns[population])]
        found["risk"] = document({self.input_dataset: [*self.sensitive_attributes, *weights]}, alike)
        return {f"{self.output_prefix or self.input_dataset}_{kind}": effects for kind, effects in found.items()}

    @property
    def _roles(self) -> dict[str, list[str]]:
        return {
            "quasi_identifiers": self.quasi_identifiers,
            "sensitive_attributes": self.sensitive_attributes,
            "person": columns_of_person(self.person),
            "weights": [] if self.weights is None else [self.weights],
        }

    def execute(self, ctx: OperationContext) -> OperationResult:
        """Count the combinations of the columns named, measure, and write the artifact `<output_prefix>_risk`."""
        of_person = columns_of_person(self.person)
        require(ctx, self.input_dataset, self._roles)
        ctx.stage("counting")
        frame, grouping = self._classes(ctx)
        ctx.stage("measuring")
        if not grouping.total:
            raise DataError(f"{self.input_dataset} has no records: there is no risk to measure")
        warn_of_categories(ctx, self.input_dataset, frame, self.quasi_identifiers)
        if not of_person:
            self._warn_of_repeats(ctx, grouping)
        metrics = {"counted": grouping.counted} | reidentification(grouping, self.risk_threshold)
        if self.population_dataset is not None:
            metrics |= self._in_population(ctx, frame, self.population_dataset, grouping)
        estimates = self._estimates(ctx, frame, grouping)
        metrics |= estimates.metrics
        metrics["sensitive_attributes"] = {
            name: disclosure(grouping, frame[name], self.l, self.c, self.distinguish)
            for name in self.sensitive_attributes
        }
        found = {name: told["values_read_alike"] for name, told in metrics["sensitive_attributes"].items()}
        tell_alike(ctx, self.input_dataset, found, self.distinguish)
        metrics["open_questions"] = {self.input_dataset: self._questions(metrics)}
        ctx.stage("writing")
        with ctx.artifact(
            f"{self.output_prefix or self.input_dataset}_risk",
            "json",
            f"Re-identification risk of {self.input_dataset}",
            category="metrics",
            tags=[charts.TAG],
        ) as file:
            settings = {name: value for name, value in self.parameters().items() if value is not None}
            told = {"schema": 1, "settings": settings, **metrics, charts.TAG: self._charts(metrics, grouping)}
            file.write(json.dumps(told, indent=2, ensure_ascii=False, allow_nan=False).encode())
        if self.record_risks:
            of_record = {"risk": 1.0 / grouping.sizes[grouping.group], **estimates.of_record}
            name = f"{self.output_prefix or self.input_dataset}_record_risks"
            about = f"Risk of each record of {self.input_dataset}: not to be released"
            with ctx.artifact(name, "csv", about, category="internal") as file:
                pd.DataFrame(of_record).to_csv(file, index_label="record")
        return OperationResult.success(metrics)

    def _classes(self, ctx: OperationContext) -> tuple[pd.DataFrame, Grouping]:
        """The cells that are measured, and their classes: those of distinct combinations unless records matter."""
        quasi, of_person = self.quasi_identifiers, columns_of_person(self.person)
        cells = [*quasi, *self.sensitive_attributes]
        if of_person or self.weights is not None or self.record_risks:
            more = [] if self.weights is None else [self.weights]
            frame = ctx.data.frame(self.input_dataset, list(dict.fromkeys([*cells, *of_person, *more])))
            persons = Persons.in_columns(frame, of_person, self.input_dataset) if of_person else None
            return frame, Grouping.of(frame, quasi, persons)
        if self.sensitive_attributes or self.special_uniques or self.population_dataset:
            frame, times = combinations_in(ctx, self.input_dataset, cells)
            return frame, Grouping.of(frame, quasi, times=times)
        first = next(iter(ctx.data.chunks(self.input_dataset, columns=quasi)))
        return first, classes_in(ctx, self.input_dataset, quasi)

    def _estimates(self, ctx: OperationContext, frame: pd.DataFrame, grouping: Grouping) -> RecordRisks:
        """What is asked for beside the counts: by survey weights, of the population, of special uniques."""
        metrics: dict[str, Any] = {}
        of_record: dict[str, Floats] = {}
        fraction = self.sampling_fraction
        if self.weights is not None:
            weights = weights_of(ctx, frame, self.weights, self.input_dataset)
            found = by_weights(grouping, weights, self.risk_threshold, ctx.warn)
            metrics |= found.metrics
            of_record |= found.of_record
            fraction = fraction or min(1.0, grouping.sizes.sum() / metrics["population_estimated"])
        if fraction is not None:
            metrics["population_uniqueness"] = unique_in_population(grouping, fraction)
        if self.special_uniques is not None:
            quasi = self.quasi_identifiers
            found = singled_out(grouping, frame, quasi, self.special_uniques, fraction, self.risk_threshold)
            metrics |= found.metrics
            of_record |= found.of_record
        return RecordRisks(metrics, of_record)

    def _warn_of_repeats(self, ctx: OperationContext, grouping: Grouping) -> None:
        """Warn where a column that is called like a direct identifier repeats: a person may be in a class twice."""
        named = {*self.quasi_identifiers, *self.sensitive_attributes}
        identifiers = identifiers_of(ctx.run)
        empty = pd.Series([], dtype=object)
        others = [name for name in ctx.data.columns(self.input_dataset) if name not in named]
        likely = [name for name in others if (identifiers.role(name, empty) or ("",))[0] == DIRECT]
        found: dict[Hashable, int] = {}
        for name in [name for name in likely if not holds_names(name)] or likely:
            values, there = values_in(ctx, self.input_dataset, name)
            if 0 < values < there:
                found[name] = values
        if found:
            ctx.warn(
                f"{self.input_dataset}: {', '.join(map(str, found))} repeats, so that one person may have several"
                f" records. Risks are those of records; {self._smallest(ctx, found, grouping.total)}"
            )

    def _smallest(self, ctx: OperationContext, found: Mapping[Hashable, int], many: int) -> str:
        """How many persons the smallest class holds, unless the table is too large to be read, and what to do."""
        columns = list(dict.fromkeys([*self.quasi_identifiers, *map(str, found)]))
        if many > _LARGE or not fits(ctx, self.input_dataset, columns):
            return f"state `person: [{max(found, key=lambda name: found[name])}]` to count persons"
        frame = ctx.data.frame(self.input_dataset, columns)
        grouping = Grouping.of(frame, self.quasi_identifiers)
        return smallest_class(frame, found, grouping.group, grouping.classes)

    def _questions(self, metrics: dict[str, Any]) -> list[str]:
        """What the verdict on a release asks because of this measurement."""
        counted, risks = metrics["counted"], metrics["journalist"]
        if not (few := risks[f"{counted}_at_risk"]):
            return []
        many = metrics.get("persons", metrics["rows"])
        columns = ", ".join(self.quasi_identifiers)
        return [
            f"May {few:,} of {many:,} {counted} have a risk of re-identification above"
            f" {percent(self.risk_threshold)}, up to {percent(risks['highest'])}, on {columns}?"
        ]

    def _charts(self, metrics: dict[str, Any], grouping: Grouping) -> list[charts.Chart]:
        readings: dict[str, tuple[float | None, float]] = {
            "Prosecutor, highest": (None, metrics["prosecutor"]["highest"]),
            "Journalist, highest": (None, metrics["journalist"]["highest"]),
            "Marketer, average": (None, metrics["marketer"]),
            f"Part of the {grouping.counted} at risk": (None, metrics["prosecutor"]["share_at_risk"]),
        }
        if "individual_risk" in metrics:
            readings["Individual, average"] = (None, metrics["individual_risk"]["global"])
        if "population_uniqueness" in metrics:
            readings["Unique in the population"] = (None, metrics["population_uniqueness"]["uniqueness"])
        return [
            charts.risk_gauge(readings, self.risk_threshold),
            charts.class_sizes({"": grouping.sizes}),
        ]

    def _in_population(
        self, ctx: OperationContext, frame: pd.DataFrame, population: str, grouping: Grouping
    ) -> dict[str, Any]:
        """What changes where the attacker has to find the person in a larger table first."""
        require(ctx, population, {"quasi_identifiers": self.quasi_identifiers})
        of_person = columns_of_person(self.person)
        told = bool(of_person) and set(of_person) <= set(ctx.data.columns(population))
        quasi, persons, times = self.quasi_identifiers, None, None
        if told:
            people = ctx.data.frame(population, list(dict.fromkeys([*quasi, *of_person])))
            persons = Persons.in_columns(people, of_person, population)
        else:
            people, times = combinations_in(ctx, population, quasi)
        there = len(people) if times is None else int(times.sum())
        count = _matched(frame[quasi], people[quasi], grouping, persons, times)
        unmatched = records(grouping, count[grouping.group] == 0)
        if unmatched:
            ctx.warn(
                f"{unmatched:,} of {records(grouping):,} records of {self.input_dataset} match no record of"
                f" {population}: it is not the population, or its quasi-identifiers are written differently. These"
                f" records count as re-identified"
            )
        risk, _ = risks_of(grouping, 1.0 / np.maximum(count, 1), self.risk_threshold)
        alone = (grouping.sizes == 1) & (count == 1)
        return {
            "k_map": int(count.min()),
            "population_rows": there,
            **({} if persons is None else {"population_persons": persons.count}),
            "population_uniques": int(alone.sum()),
            "records_like_nobody": unmatched,
            "journalist": risk,
            "marketer": risk["average"],
        }


def _matched(
    sample: pd.DataFrame, population: pd.DataFrame, grouping: Grouping, persons: Persons | None, times: Ints | None
) -> Ints:
    """For each class of the sample the records (persons) of the population in it, cells compared as written."""
    columns = list(sample.columns)
    together = pd.concat([_texts(sample), _texts(population[columns])], ignore_index=True)
    group = Grouping.of(together, columns).group
    classes, theirs = int(group.max()) + 1, group[len(sample) :]
    there = counted(theirs, classes, times) if persons is None else persons.in_classes(theirs, classes)
    of_class = np.zeros(grouping.classes, dtype=np.int64)
    of_class[grouping.group] = there[group[: len(sample)]]
    return of_class


def _texts(frame: pd.DataFrame) -> pd.DataFrame:
    """Cells as text: a release holds text where its source held numbers."""
    return pd.DataFrame({name: frame[name].map(text_of, na_action="ignore").astype("string") for name in frame.columns})
