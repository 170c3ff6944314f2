"""The operation that makes a table k-anonymous, and says what that did and did not achieve."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any, Literal, get_args

import attrs
import pandas as pd

from pamola_tasks import Operation, OperationContext, OperationResult, reads, writes
from pamola_tasks.errors import DataError, ParameterError

from . import charts
from .asked_models import promise_of
from .claims import check_promise, check_release, k_map
from .columns import column_names, is_number, one_of, some_columns, whole_number
from .conditions import Measured, Promise
from .hierarchy_files import stated_hierarchy
from .identifiers import DIRECT, QUASI, identifiers_of, likely_roles
from .measures import Grouping
from .privacy_models import Distance, Diversity, registered_models
from .release import Release, anonymized, mean_loss
from .release_settings import (
    OUTPUTS,
    HierarchySource,
    Nulls,
    Output,
    Recoding,
    Settings,
    Strategy,
    SuppressedRecords,
)
from .unlisted import OnIdentifiers, OnUnlisted, identifiers_to_drop, judge_quasi_identifiers

Method = Literal["k-anonymity", "l-diversity", "t-closeness", "k-map", "delta-disclosure"]

ROLES = ("quasi_identifiers", "sensitive_attributes", "direct_identifiers", "insensitive_attributes")
ROW_ID = "row_id"

_RISKS = ("Prosecutor and journalist, highest", "Marketer, average")


def _number(at_least: float, below: float = math.inf, *, above: bool = False) -> Any:
    def check(_: Any, attribute: attrs.Attribute[Any], value: Any) -> None:
        if value is None:
            return
        if not is_number(value) or not (value > at_least if above else value >= at_least) or not value <= below:
            words = f"{'above' if above else 'at least'} {at_least:g}" + (
                f", at most {below:g}" if below < math.inf else ""
            )
            raise ParameterError(f"AnonymizeOperation: `{attribute.name}` has to be a number, {words}, not {value!r}")

    return check


class AnonymizeOperation(Operation):
    """Generalize the quasi-identifiers of a table so that at least k records share each combination.

    Direct identifiers are dropped. The step measures k, l, t and δ on what it writes, and fails where they fall short
    of the claim. Sources of the methods: k-anonymity (Sweeney 2002), by Mondrian partitioning (LeFevre, DeWitt and
    Ramakrishnan 2006), recoding by hierarchies, or microaggregation (Domingo-Ferrer and Torra 2005); l-diversity
    (Machanavajjhala and others 2007); t-closeness (Li, Li and Venkatasubramanian 2007); k-map (Sweeney 2001);
    δ-disclosure privacy (Brickell and Shmatikov 2008). Of the measures: normalized certainty penalty (Xu and others
    2006); discernibility (Bayardo and Agrawal 2005); average class size (LeFevre and others 2006).

    Args:
        input_dataset: The table to anonymize.
        output_dataset: What the anonymized table is called.
        k: How many records must share each combination of quasi-identifiers, 2 or more.
        quasi_identifiers: Columns that together could identify a person: these are generalized.
        method: `k-anonymity`, `l-diversity` (needs `l`), `t-closeness` (needs `t`), `delta-disclosure` (needs `delta`),
            `k-map` (needs `population`, in which k is then counted). `l`, `t` and `delta` bind with every method.
        strategy: How classes are found: `mondrian` divides the table, `hierarchy` climbs generalization hierarchies,
            `microaggregation` groups records that are close to each other (MDAV).
        sensitive_attributes: Columns worth protecting: left as they are, their l and t are measured.
        l: Least l-diversity of every sensitive attribute in every class.
        l_diversity: `distinct`, `entropy`, or `recursive` (which needs `c`).
        c: Of recursive (c, l)-diversity: the most frequent value has to be rarer than c times the l-th and rarer ones.
        t: Greatest distance between the values in a class and in the table, 0 to 1.
        t_distance: `ordered` (values next to each other are close), `categorical` (all are equally far apart), or
            `auto`: ordered for numbers, dates and ordered categoricals.
        delta: Least upper bound of |ln(part in the class / part in the table)| over all sensitive values.
        models: Further privacy models by name, each with its parameters: `{l-diversity: {l: 3}}`, or a model that
            another plugin brings. All of them bind.
        population: For k-map the dataset that the table is a sample of; it has the quasi-identifiers.
        hierarchies: For columns the dataset that holds their hierarchy: a line a value, first the value, then what it
            becomes at each level. Built where nothing is stated: ranges for numbers, month, year and decade
            for dates, `*` for the rest.
        ranges: For columns of numbers how wide the ranges of each level of a built hierarchy are: `[5, 10, 20]`.
        recoding: With `hierarchy`: `local` takes for each class the lowest level that does, `full-domain` one level
            for a whole column.
        suppression_limit: With `hierarchy`: the part of the records that may be suppressed to lose less, 0 to 1.
        suppressed_records: `drop` leaves suppressed records out; `keep` writes them with `*` for every
            quasi-identifier, where together they meet what is asked of a class.
        nulls: `value`: a missing quasi-identifier is a value like any other; `suppress`: its record is left out.
        weights: For quasi-identifiers how much their loss matters, 1 where nothing is stated.
        output: What is written for a class: `ranges` (intervals and sets), `labels` of the hierarchies, or a
            `representative` (median, most frequent category). Unless given what suits the strategy.
        direct_identifiers: Columns that identify a person: dropped.
        insensitive_attributes: Columns that are harmless, whatever they look like: left as they are.
        on_identifiers: What happens to a column without a role that looks like a direct identifier: `drop` leaves it
            out, `warn` keeps it (both with a warning), `fail` refuses to continue.
        on_unlisted: What happens where a column without a role looks like a quasi-identifier: `warn` keeps it and
            warns, `fail` refuses to continue.
        output_format: `csv`, `parquet` …, where it should differ from the task's.
        row_id: Whether to add a column `row_id` with the number of the record in the input, counted from 0.
    """

    input_dataset: str = reads()
    output_dataset: str = writes("{input}_anonymized")
    k: int = attrs.field(validator=whole_number(2))
    quasi_identifiers: list[str] = attrs.field(validator=some_columns)
    method: Method = attrs.field(default="k-anonymity", validator=one_of(Method))
    strategy: Strategy = attrs.field(default="mondrian", validator=one_of(Strategy))
    sensitive_attributes: list[str] = attrs.field(factory=list, validator=column_names)
    l: float | None = attrs.field(default=None, validator=_number(1))  # noqa: E741 - the field's own term
    l_diversity: Diversity = attrs.field(default="distinct", validator=one_of(Diversity))
    c: float | None = attrs.field(default=None, validator=_number(0, above=True))
    t: float | None = attrs.field(default=None, validator=_number(0, 1))
    t_distance: Distance = attrs.field(default="auto", validator=one_of(Distance))
    delta: float | None = attrs.field(default=None, validator=_number(0, above=True))
    models: dict[str, dict[str, Any]] = attrs.field(factory=dict)
    population: str | None = reads(None)
    hierarchies: dict[str, str] = reads(attrs.Factory(dict))
    ranges: dict[str, list[float]] = attrs.field(factory=dict)
    recoding: Recoding = attrs.field(default="local", validator=one_of(Recoding))
    suppression_limit: float = attrs.field(default=0.0, validator=_number(0, 1))
    suppressed_records: SuppressedRecords = attrs.field(default="drop", validator=one_of(SuppressedRecords))
    nulls: Nulls = attrs.field(default="value", validator=one_of(Nulls))
    weights: dict[str, float] = attrs.field(factory=dict)
    output: Output | None = None
    direct_identifiers: list[str] = attrs.field(factory=list, validator=column_names)
    insensitive_attributes: list[str] = attrs.field(factory=list, validator=column_names)
    on_identifiers: OnIdentifiers = attrs.field(default="drop", validator=one_of(OnIdentifiers))
    on_unlisted: OnUnlisted = attrs.field(default="warn", validator=one_of(OnUnlisted))
    output_format: str | None = None
    row_id: bool = False

    version = "1.3"
    category = "anonymization"

    def __attrs_post_init__(self) -> None:
        for position, role in enumerate(ROLES):
            for other in ROLES[position + 1 :]:
                both = [name for name in getattr(self, role) if name in getattr(self, other)]
                if both:
                    raise ParameterError(
                        f"AnonymizeOperation: {', '.join(both)} is in both `{role}` and `{other}`:"
                        f" a column has one role"
                    )

        self._check_models()
        self._check_columns_of_options()

    def _check_models(self) -> None:
        needed = {"l-diversity": "l", "t-closeness": "t", "delta-disclosure": "delta", "k-map": "population"}
        name = needed.get(self.method)
        if name is not None and getattr(self, name) is None:
            raise ParameterError(f"AnonymizeOperation: method {self.method} needs `{name}`")
        if self.population is not None and self.method != "k-map":
            raise ParameterError("AnonymizeOperation: `population` is for method k-map: k is counted in it")
        asked = [name for name in ("l", "t", "delta") if getattr(self, name) is not None]
        if asked and not self.sensitive_attributes:
            raise ParameterError(
                f"AnonymizeOperation: `{asked[0]}` protects sensitive attributes, and `sensitive_attributes` is empty"
            )
        recursive = self.l_diversity == "recursive"
        if recursive != (self.c is not None):
            raise ParameterError("AnonymizeOperation: recursive (c, l)-diversity needs `c`, and nothing else has one")
        if self.l is None and self.l_diversity != "distinct":
            raise ParameterError(f"AnonymizeOperation: `l_diversity: {self.l_diversity}` needs `l`")
        if self.l is not None and self.l_diversity != "entropy" and self.l != int(self.l):
            raise ParameterError(f"AnonymizeOperation: `l` has to be a whole number, not {self.l!r}")
        if self.strategy != "hierarchy":
            for name, default in (("suppression_limit", 0.0), ("recoding", "local")):
                if getattr(self, name) != default:
                    raise ParameterError(f"AnonymizeOperation: `{name}` is for strategy hierarchy")
        if self.suppression_limit and (self.t is not None or self.delta is not None):
            raise ParameterError(
                "AnonymizeOperation: `suppression_limit` does not go with `t` or `delta`: leaving records out would"
                " change the table that classes are compared with"
            )
        if self.output is not None and self.output not in get_args(Output):
            raise ParameterError(
                f"AnonymizeOperation: `output` has to be one of {', '.join(get_args(Output))}, not {self.output!r}"
            )
        if self.method == "k-map" and self.suppressed_records == "keep":
            raise ParameterError(
                "AnonymizeOperation: `suppressed_records: keep` does not go with k-map: a suppressed record matches the"
                " whole population"
            )
        if self.method == "k-map" and self.output == "representative":
            raise ParameterError(
                "AnonymizeOperation: k-map counts the records that a cell covers, which a representative does not"
                " state: set `output` to `ranges` or `labels`"
            )

    def _check_columns_of_options(self) -> None:
        for option in ("hierarchies", "ranges", "weights"):
            other = sorted(set(getattr(self, option)) - set(self.quasi_identifiers))
            if other:
                raise ParameterError(
                    f"AnonymizeOperation: `{option}` names {', '.join(other)}, which is not a quasi-identifier"
                )
        both = sorted(set(self.hierarchies) & set(self.ranges))
        if both:
            raise ParameterError(f"AnonymizeOperation: {', '.join(both)} has both a hierarchy and `ranges`")
        for column, weight in self.weights.items():
            if not (math.isfinite(weight) and weight > 0):
                raise ParameterError(f"AnonymizeOperation: the weight of {column} has to be above 0, not {weight!r}")
        for column, widths in self.ranges.items():
            if not widths or not all(math.isfinite(width) and width > 0 for width in widths):
                raise ParameterError(f"AnonymizeOperation: `ranges` of {column} have to be numbers above 0")

    def execute(self, ctx: OperationContext) -> OperationResult:
        """Anonymize, check, write; metrics and the artifact `<output_dataset>_anonymization` describe the result."""
        frame = ctx.data.frame(self.input_dataset)
        self._check_columns(frame)
        with_role = self.columns_with_roles()
        unlisted = [name for name in frame.columns if name not in with_role]
        likely = likely_roles(frame, unlisted, identifiers_of(ctx.run))
        dropped = [*self.direct_identifiers, *identifiers_to_drop(self, ctx, likely[DIRECT])]
        judge_quasi_identifiers(self, ctx, likely[QUASI])
        rows = len(frame)

        kept = frame.drop(columns=dropped).reset_index(drop=True)
        promise = promise_of(self, registered_models(ctx.run))
        release = anonymized(
            kept,
            self.quasi_identifiers,
            self.k,
            self._settings(ctx, promise),
            lambda done: ctx.progress(done, rows, "rows"),
        )
        grouping = check_release(
            release.coded, self.quasi_identifiers, self.k, rows, release.dropped, release.population
        )
        measured = {name: grouping.measured(release.coded[name], promise) for name in self.sensitive_attributes}
        check_promise(promise, measured, grouping.sizes)
        if release.coded.empty:
            ctx.warn(
                f"{self.input_dataset} has {rows - release.suppressed_for_nulls} records, fewer than k={self.k}:"
                f" all of them were suppressed, and {self.output_dataset} is empty"
            )
        elif self.suppressed_records == "keep" and release.dropped:
            ctx.warn(
                f"{self.output_dataset}: {release.dropped:,} suppressed records are dropped, not kept with `*`:"
                f" together they do not meet the requirements of a class"
            )
        metrics = self._metrics(release, grouping, rows)
        metrics["l_diversity"] = self._diversity(release.coded, grouping, ctx)
        metrics["sensitive"] = self._told(measured)
        metrics |= promise.claims([found for found in measured.values() if found is not None])
        if self.models:
            metrics["models"] = promise.told(measured, grouping.sizes)
        metrics["dropped_columns"] = dropped
        metrics["unlisted_columns"] = [name for name in unlisted if name not in dropped]
        metrics["likely_identifiers"] = likely[DIRECT]
        metrics["likely_quasi_identifiers"] = likely[QUASI]

        # Parquet would keep the categories, and who groups by them later would get the empty ones too
        output = release.frame if ctx.data.format_of(self.output_dataset) == "parquet" else release.coded
        if self.row_id:
            output = output.assign(**{ROW_ID: output.index.to_numpy()})
        ctx.data.write(self.output_dataset, output)
        with ctx.artifact(
            f"{self.output_dataset}_anonymization",
            "json",
            f"How {self.output_dataset} was anonymized, with its remaining utility",
            tags=[charts.TAG],
        ) as file:
            settings = {name: value for name, value in self.parameters().items() if value is not None}
            told = {"schema": 1, "settings": settings, **metrics, charts.TAG: self._charts(release, grouping)}
            file.write(json.dumps(told, indent=2, ensure_ascii=False).encode())
        ctx.progress(rows, rows, "rows")
        return OperationResult.success(metrics=metrics)

    def _check_columns(self, frame: pd.DataFrame) -> None:
        if not frame.columns.is_unique:
            twice = sorted({str(name) for name in frame.columns[frame.columns.duplicated()]})
            raise DataError(f"{self.input_dataset} has more than one column named {', '.join(twice)}: rename them")
        for role in ROLES:
            absent = [name for name in getattr(self, role) if name not in frame.columns]
            if absent:
                raise DataError(
                    f"{self.input_dataset} has no column {', '.join(absent)} (named in `{role}`);"
                    f" it has {', '.join(map(str, frame.columns))}"
                )
        if self.row_id and ROW_ID in frame.columns and ROW_ID not in self.direct_identifiers:
            raise DataError(f"{self.input_dataset} has a column {ROW_ID} already: rename it, or leave out `row_id`")
        if frame.empty:
            raise DataError(f"{self.input_dataset} has no records: there is nothing to anonymize")

    def columns_with_roles(self) -> frozenset[str]:
        """The columns that the task says something of."""
        return frozenset(name for role in ROLES for name in getattr(self, role))

    def _settings(self, ctx: OperationContext, promise: Promise) -> Settings:
        sources = {column: HierarchySource(widths=tuple(widths)) for column, widths in self.ranges.items()}
        for column, name in self.hierarchies.items():
            lines, file = stated_hierarchy(ctx, name, column, of=self.input_dataset)
            sources[column] = HierarchySource(file=file, lines=lines)
        population = None
        if self.population is not None:
            population = ctx.data.frame(self.population, columns=self.quasi_identifiers)
        return Settings(
            strategy=self.strategy,
            recoding=self.recoding,
            promise=promise,
            sensitive=self.sensitive_attributes,
            suppression_limit=self.suppression_limit,
            suppressed_records=self.suppressed_records,
            nulls=self.nulls,
            importance=self.weights,
            output=self.output or OUTPUTS[self.strategy],
            hierarchies=sources,
            population=population,
        )

    def _told(self, measured: Mapping[str, Measured | None]) -> dict[str, Any]:
        return {
            name: {**found.told(), "meaning": found.meaning(name)}
            for name, found in measured.items()
            if found is not None
        }

    def _metrics(self, release: Release, grouping: Grouping, rows: int) -> dict[str, Any]:
        measured_k = grouping.k
        if release.population is not None:
            measured_k = k_map(release.coded, release.population, self.quasi_identifiers)
        return {
            "method": self.method,
            "strategy": self.strategy,
            "k_claimed": self.k,
            "k_measured": measured_k,
            "k_before": release.k_before,
            "equivalence_classes": grouping.classes,
            "equivalence_classes_before": len(release.sizes_before),
            "rows_in": rows,
            "rows_out": len(release.coded),
            "rows_suppressed": release.suppressed,
            "rows_suppressed_for_nulls": release.suppressed_for_nulls,
            "rows_suppressed_kept": release.suppressed - release.dropped,
            "ncp_set": mean_loss(release.ncp_set),
            "ncp_hier": mean_loss(release.ncp_hier),
            "ncp_set_by_column": release.ncp_set,
            "ncp_hier_by_column": release.ncp_hier,
            "information_loss": release.information_loss,
            "information_loss_by_column": release.loss,
            "average_class_size": grouping.average_size,
            "discernibility": grouping.discernibility(release.dropped),
        }

    def _charts(self, release: Release, grouping: Grouping) -> list[charts.Chart]:
        before = charts.highest_and_average(release.sizes_before)
        after = charts.highest_and_average(grouping.sizes)
        # k-map counts in a population that an attacker would search: its risk is not that of the table alone
        names = ("Highest, within the table", "Average, within the table") if self.population else _RISKS
        return [
            charts.risk_gauge(dict(zip(names, zip(before, after, strict=True), strict=True)), 1.0 / self.k),
            charts.class_sizes({"before": release.sizes_before, "after": grouping.sizes}, self.k),
            charts.losses(release.ncp_set, release.ncp_hier),
            *charts.distributions(release.distributions, self.k),
        ]

    def _diversity(self, released: pd.DataFrame, grouping: Grouping, ctx: OperationContext) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for attribute in self.sensitive_attributes:
            diversity = grouping.diversity(released[attribute])
            if diversity is None:
                continue
            meaning = diversity.meaning(attribute, len(released))
            found[attribute] = {**attrs.asdict(diversity), "meaning": meaning}
            if diversity.l == 1:
                ctx.warn(f"{self.output_dataset}: {meaning}")
        return found
