"""The operation that measures how easily a person in a table is identified."""

from __future__ import annotations

import json
from typing import Any

import attrs
import numpy as np
import numpy.typing as npt
import pandas as pd

from pamola_tasks import Operation, OperationContext, OperationResult, reads
from pamola_tasks.errors import DataError, ParameterError

from . import charts
from .alike import Distinguish, tell_alike
from .columns import (
    column_names,
    columns_of_person,
    is_number,
    one_of,
    person_columns,
    positive,
    require,
    some_columns,
    text_of,
    whole_number,
    wrong,
)
from .identifiers import DIRECT, identifiers_of
from .measures import Grouping
from .models import Histogram, SensitiveValues
from .persons import Persons, repeated, smallest_class
from .read_as_text import warn_of_categories
from .risk_estimates import RecordRisks, by_weights, singled_out, unique_in_population, weights_of

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


def _share(operation: Any, attribute: attrs.Attribute[Any], value: Any) -> None:
    if not (is_number(value) and 0 < value <= 1):
        raise wrong(operation, attribute.name, "a number above 0 and at most 1", value)


def _one_column(operation: Any, attribute: attrs.Attribute[Any], value: Any) -> None:
    if not (value is None or isinstance(value, str)):
        raise wrong(operation, attribute.name, "the name of a column", value)


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
    sampling_fraction: float | None = attrs.field(default=None, validator=attrs.validators.optional(_share))
    weights: str | None = attrs.field(default=None, validator=_one_column)
    special_uniques: int | None = attrs.field(default=None, validator=whole_number(1))
    record_risks: bool = False
    risk_threshold: float = attrs.field(default=0.2, validator=_share)
    l: int = attrs.field(default=2, validator=whole_number(2))  # noqa: E741 - the letter is the measure's name
    c: float = attrs.field(default=3.0, validator=positive)
    distinguish: Distinguish = attrs.field(default="reader", validator=one_of(Distinguish))
    output_prefix: str | None = None

    version = "1.2"
    category = "metrics"

    def __attrs_post_init__(self) -> None:
        both = [name for name in self.sensitive_attributes if name in self.quasi_identifiers]
        if both:
            raise ParameterError(
                f"RiskOperation: {', '.join(both)} is in both `quasi_identifiers` and `sensitive_attributes`:"
                f" a column has one role"
            )
        if self.weights in {*self.quasi_identifiers, *self.sensitive_attributes, *columns_of_person(self.person)}:
            raise ParameterError(f"RiskOperation: {self.weights} is in `weights`, and has another role")

    def execute(self, ctx: OperationContext) -> OperationResult:
        """Read only the columns that are named, measure, and write the artifact `<output_prefix>_risk`."""
        of_person = columns_of_person(self.person)
        roles = {
            "quasi_identifiers": self.quasi_identifiers,
            "sensitive_attributes": self.sensitive_attributes,
            "person": of_person,
            "weights": [] if self.weights is None else [self.weights],
        }
        require(ctx, self.input_dataset, roles)
        frame = ctx.data.frame(
            self.input_dataset, list(dict.fromkeys(name for role in roles.values() for name in role))
        )
        if frame.empty:
            raise DataError(f"{self.input_dataset} has no records: there is no risk to measure")
        warn_of_categories(ctx, self.input_dataset, frame, self.quasi_identifiers)
        persons = Persons.in_columns(frame, of_person, self.input_dataset) if of_person else None
        grouping = Grouping.of(frame, self.quasi_identifiers, persons)
        if not of_person:
            self._warn_of_repeats(ctx, grouping)
        metrics = {"counted": grouping.counted} | self._reidentification(grouping)
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
            with ctx.artifact(
                f"{self.output_prefix or self.input_dataset}_record_risks",
                "csv",
                f"Risk of each record of {self.input_dataset}: not to be released",
                category="internal",
            ) as file:
                pd.DataFrame(of_record).to_csv(file, index_label="record")
        return OperationResult.success(metrics)

    def _estimates(self, ctx: OperationContext, frame: pd.DataFrame, grouping: Grouping) -> RecordRisks:
        """What is asked for beside the counts: by survey weights, of the population, of special uniques."""
        metrics: dict[str, Any] = {}
        of_record: dict[str, Floats] = {}
        fraction = self.sampling_fraction
        if self.weights is not None:
            weights = weights_of(frame, self.weights, self.input_dataset)
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
        if not likely:
            return
        frame = ctx.data.frame(self.input_dataset, likely)
        found = repeated(frame, likely)
        if found:
            smallest = smallest_class(frame, found, grouping.group, grouping.classes)
            ctx.warn(
                f"{self.input_dataset}: {', '.join(map(str, found))} repeats, so that one person may have several"
                f" records. Risks are those of records; {smallest}"
            )

    def _reidentification(self, grouping: Grouping) -> dict[str, Any]:
        """What an attacker who knows that a person is in the table can do with the table alone."""
        sizes, total = grouping.sizes, grouping.total
        risk = grouping.greatest(1.0 / sizes)
        uniques = int((risk == 1.0).sum())
        at_risk = int((risk > self.risk_threshold).sum())
        average = grouping.classes / total if grouping.persons is None else float(risk.mean())
        risks = _risks(float(risk.max()), average, at_risk, total, grouping.counted)
        return {
            "rows": len(grouping.group),
            **({} if grouping.persons is None else {"persons": total}),
            "k": grouping.k,
            "equivalence_classes": grouping.classes,
            "average_class_size": grouping.average_size,
            "largest_class": int(sizes.max()),
            "sample_uniques": uniques,
            "uniqueness": uniques / total,
            "class_sizes": _histogram(sizes, grouping.counted),
            "prosecutor": risks,
            "journalist": dict(risks),
            "marketer": average,
            "risk_threshold": self.risk_threshold,
        }

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
        columns = list(dict.fromkeys([*self.quasi_identifiers, *(of_person if told else ())]))
        people = ctx.data.frame(population, columns)
        persons = Persons.in_columns(people, of_person, population) if told else Persons.each(len(people))
        count = _matched(frame[self.quasi_identifiers], people[self.quasi_identifiers], persons, grouping)
        unmatched = int((count[grouping.group] == 0).sum())
        if unmatched:
            ctx.warn(
                f"{unmatched:,} of {len(frame):,} records of {self.input_dataset} match no record of {population}: it"
                f" is not the population, or its quasi-identifiers are written differently. These records count as"
                f" re-identified"
            )
        risk = grouping.greatest(1.0 / np.maximum(count, 1))
        at_risk = int((risk > self.risk_threshold).sum())
        average = float(risk.mean())
        alone = (grouping.sizes == 1) & (count == 1)
        return {
            "k_map": int(count.min()),
            "population_rows": len(people),
            **({"population_persons": persons.count} if told else {}),
            "population_uniques": int(alone.sum()),
            "records_like_nobody": unmatched,
            "journalist": _risks(float(risk.max()), average, at_risk, grouping.total, grouping.counted),
            "marketer": average,
        }


def _risks(highest: float, average: float, at_risk: int, total: int, counted: str) -> dict[str, Any]:
    return {
        "highest": highest,
        "average": average,
        f"{counted}_at_risk": at_risk,
        "share_at_risk": at_risk / total,
    }


def _matched(sample: pd.DataFrame, population: pd.DataFrame, persons: Persons, grouping: Grouping) -> Ints:
    """For each class of the sample the persons of the population in it, cells compared as they are written."""
    columns = list(sample.columns)
    together = pd.concat([_texts(sample), _texts(population[columns])], ignore_index=True)
    group = Grouping.of(together, columns).group
    there = persons.in_classes(group[len(sample) :], int(group.max()) + 1)
    of_class = np.zeros(grouping.classes, dtype=np.int64)
    of_class[grouping.group] = there[group[: len(sample)]]
    return of_class


def _texts(frame: pd.DataFrame) -> pd.DataFrame:
    """Cells as text: a release holds text where its source held numbers."""
    return pd.DataFrame({name: frame[name].map(text_of, na_action="ignore").astype("string") for name in frame.columns})


def _histogram(sizes: Ints, counted: str) -> dict[str, dict[str, int]]:
    """Classes, and records or persons, by size of the class, in ranges that double."""
    edges = [1, 2, 3, 5, 10, 20, 50, 100, 1000]
    found: dict[str, dict[str, int]] = {}
    for low, following in zip(edges, [*edges[1:], None], strict=True):
        inside = (sizes >= low) & (True if following is None else sizes < following)
        if inside.any():
            label = f"{low}+" if following is None else str(low) if following == low + 1 else f"{low}-{following - 1}"
            found[label] = {"equivalence_classes": int(inside.sum()), counted: int(sizes[inside].sum())}
    return found


def disclosure(
    grouping: Grouping, column: pd.Series[Any], least: int, c: float, distinguish: Distinguish = "reader"
) -> dict[str, Any]:
    """What the classes reveal about a sensitive attribute; a missing value is a value.

    Distinct, entropy and recursive (c, l)-diversity: A. Machanavajjhala, D. Kifer, J. Gehrke and
    M. Venkitasubramaniam: l-diversity, ACM TKDD 1(1), 2007. t-closeness: N. Li, T. Li and S. Venkatasubramanian, ICDE
    2007, section 4, by earth mover's distance, ordered for numbers and dates (and ordered categoricals), equal for
    categories. δ-disclosure: J. Brickell and V. Shmatikov, KDD 2008.

    Args:
        grouping: The classes.
        column: The attribute, of the same records.
        least: The l for which the c of recursive diversity is reported.
        c: The c for which the l of recursive diversity is reported.
        distinguish: How values are distinguished for diversity: as a reader does, or as they are (`exact`).
    """
    values = SensitiveValues.of(column, distinguish)
    histogram = grouping.histogram(values)
    distinct = histogram.distinct()
    diversity = grouping.diversity(values)
    assert diversity is not None  # there is a record
    ratio = float(histogram.recursive(least).max())
    delta = float(histogram.disclosure().max())
    told: dict[str, Any] = {
        "distinct_l": int(distinct.min()),
        "entropy_l": float(histogram.entropy().min()),
        "recursive_c": _finite(ratio),
        "recursive_c_is_for_l": least,
        "recursive_l": _recursive_l(histogram, c),
        "recursive_l_is_for_c": c,
        "t": float(histogram.distance(ordered=values.ordered).max()),
        "t_categorical": float(histogram.distance(ordered=False).max()),
        "distance": "ordered" if values.ordered else "categorical",
        "delta": _finite(delta),
        "values_read_alike": values.read_alike,
        "exposed_classes": diversity.exposed_classes,
        "exposed_records": diversity.exposed_records,
        "meaning": diversity.meaning(str(column.name), grouping.total, grouping.counted),
    }
    return told


def _recursive_l(histogram: Histogram, c: float) -> int:
    """The greatest l for which every class is recursively (c, l)-diverse; 1 where not even 2 is reached.

    The l-th and rarer values become fewer as l grows, so that the first l that fails is the end.
    """
    reached = 1
    while reached < int(histogram.distinct().min()) and bool((histogram.recursive(reached + 1) < c).all()):
        reached += 1
    return reached


def _finite(value: float) -> float | None:
    """None for an infinite measure: JSON has no word for it."""
    return value if np.isfinite(value) else None
