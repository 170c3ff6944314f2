"""The operation that makes a table k-anonymous, and says what that did and did not achieve."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Literal

import attrs
import pandas as pd

from pamola_tasks import Operation, OperationContext, OperationResult, reads, writes
from pamola_tasks.errors import DataError

from . import charts
from .alike import Distinguish, tell_alike
from .asked_models import promise_of
from .claims import check_promise, check_release, released_classes
from .columns import column_names, columns_of_person, one_of, person_columns, some_columns, whole_number, without
from .conditions import Measured, Promise
from .hierarchy_files import stated_hierarchy
from .identifiers import DIRECT, QUASI, identifiers_of, likely_roles
from .isolation import isolation
from .measures import Grouping
from .models import SensitiveValues
from .parameter_checks import ROLES, check_parameters, number
from .persons import PersonRecords, Persons, repeated, smallest_class
from .privacy_models import Distance, Diversity, registered_models
from .read_as_text import warn_of_categories
from .registering import Registration, register_columns, stated_columns
from .release import Release
from .release_charts import charts_of
from .release_facts import diversity, figures, randomness, representatives
from .release_settings import (
    OUTPUTS,
    OUTPUTS_OF_KMAP,
    Bounds,
    HierarchySource,
    Nulls,
    Output,
    Recoding,
    Settings,
    Strategy,
    SuppressedRecords,
)
from .row_order import by_cells
from .ties import Ties
from .unlisted import OnIdentifiers, OnUnlisted, identifiers_to_drop, judge_quasi_identifiers
from .updating import Update, release_of

Method = Literal["k-anonymity", "l-diversity", "t-closeness", "k-map", "delta-disclosure"]

ROW_ID = "row_id"


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
            `microaggregation` groups records that are close to each other (MDAV), `suppression` keeps cells or writes
            `*` (local suppression).
        exact: With `suppression`: whether to find the fewest cells to suppress, weighted by `weights`, that there are,
            for k alone. For small tables: refused where it takes too long.
        sensitive_attributes: Columns worth protecting: left as they are, their l and t are measured.
        l: Least l-diversity of every sensitive attribute in every class.
        l_diversity: `distinct`, `entropy`, or `recursive` (which needs `c`).
        c: Of recursive (c, l)-diversity: the most frequent value has to be rarer than c times the l-th and rarer ones.
        t: Greatest distance between the values in a class and in the table, 0 to 1.
        t_distance: `ordered` (values next to each other are close), `categorical` (all are equally far apart), or
            `auto`: ordered for numbers, dates and ordered categoricals.
        delta: Least upper bound of |ln(part in the class / part in the table)| over all sensitive values.
        distinguish: How sensitive values are compared for diversity: as a `reader` does, for whom case, blanks around a
            value, Unicode form and invisible characters do not count, or `exact`, as they are.
        models: Further privacy models by name, each with its parameters: `{alpha-k-anonymity: {alpha: 0.5}}` (Wong and
            others 2006), `{beta-likeness: {beta: 1, likeness: enhanced}}` (Cao and Karras 2012; `basic` unless stated),
            or a model that another plugin brings. All of them bind.
        person: Columns that together identify the person of a record (a household in the same way), where a person
            may have several records: k, l, t, δ, k-map and suppression then count persons, each with one vote for l, t
            and δ. They are dropped unless they are quasi-identifiers. ((X, Y)-anonymity: K. Wang and B. C. M. Fung,
            Anonymizing sequential releases, KDD 2006.)
        person_records: `together` puts all records of a person into one class, so that who knows several of them learns
            no more than from one; `apart` lets each be in the class that suits it, which loses less.
        population: For k-map the dataset that the table is a sample of; it has the quasi-identifiers, and may have the
            columns of `person`.
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
        bounds: Where cells end: `rounded` out to bounds of the whole column, so that no end of an interval and no
            member of a set is one record's alone in its class, with rare extremes coded as `<20` and `>=75`; or
            `tight`, the least and greatest value and all categories of the class, which single people out.
        ties: Where sensitive values are protected: `random` lets the system's randomness decide between nearly equal
            classes, so that no class shows what its sensitive values forbade (Wong and others, VLDB 2007); `fixed`
            gives the same release each time.
        direct_identifiers: Columns that identify a person: dropped.
        insensitive_attributes: Columns that are harmless, whatever they look like: left as they are.
        on_identifiers: What happens to a column without a role that looks like a direct identifier: `drop` leaves it
            out, `warn` keeps it (both with a warning), `fail` refuses to continue.
        on_unlisted: What happens where a column without a role looks like a quasi-identifier: `warn` keeps it and
            warns, `fail` refuses to continue.
        output_format: `csv`, `parquet` …, where it should differ from the task's.
        keep_order: Whether records stay in the input's order, which discloses whose they are to an attacker who knows
            it. They are sorted by their released cells otherwise.
        register: How the project's register of releases recognises persons: `true` by `person` or else by direct
            identifiers, or by columns that are named here (dropped like those of `person`), or `false`: not at all. A
            release that discloses too much together with earlier ones is refused.
        max_disclosed: Of how many persons a sensitive value may follow for certain from this release and earlier ones,
            though no release discloses it alone.
        max_below_k: The share of the persons who may share their classes in all these releases with fewer than k - 1
            others.
        update: For a table that grows: `append` leaves the classes of an earlier release as they are and makes others
            of new persons; `m-invariant` keeps for each person the set of sensitive values in their class, of `l`
            values, and adds counterfeit records where that takes them (Xiao and Tao 2007); `none` continues no earlier
            release.
        row_id: Whether to write a file `<output_dataset>_row_ids.csv` that is not to be released: for each released
            record its number in the input, counted from 0.
    """

    input_dataset: str = reads()
    output_dataset: str = writes("{input}_anonymized")
    k: int = attrs.field(validator=whole_number(2))
    quasi_identifiers: list[str] = attrs.field(validator=some_columns)
    method: Method = attrs.field(default="k-anonymity", validator=one_of(Method))
    strategy: Strategy = attrs.field(default="mondrian", validator=one_of(Strategy))
    exact: bool = False
    sensitive_attributes: list[str] = attrs.field(factory=list, validator=column_names)
    l: float | None = attrs.field(default=None, validator=number(1))  # noqa: E741 - the field's own term
    l_diversity: Diversity = attrs.field(default="distinct", validator=one_of(Diversity))
    c: float | None = attrs.field(default=None, validator=number(0, above=True))
    t: float | None = attrs.field(default=None, validator=number(0, 1))
    t_distance: Distance = attrs.field(default="auto", validator=one_of(Distance))
    delta: float | None = attrs.field(default=None, validator=number(0, above=True))
    distinguish: Distinguish = attrs.field(default="reader", validator=one_of(Distinguish))
    models: dict[str, dict[str, Any]] = attrs.field(factory=dict)
    person: str | list[str] | None = attrs.field(default=None, validator=person_columns)
    person_records: PersonRecords = attrs.field(default="together", validator=one_of(PersonRecords))
    population: str | None = reads(None)
    hierarchies: dict[str, str] = reads(attrs.Factory(dict))
    ranges: dict[str, list[float]] = attrs.field(factory=dict)
    recoding: Recoding = attrs.field(default="local", validator=one_of(Recoding))
    suppression_limit: float = attrs.field(default=0.0, validator=number(0, 1))
    suppressed_records: SuppressedRecords = attrs.field(default="drop", validator=one_of(SuppressedRecords))
    nulls: Nulls = attrs.field(default="value", validator=one_of(Nulls))
    weights: dict[str, float] = attrs.field(factory=dict)
    output: Output | None = None
    bounds: Bounds = attrs.field(default="rounded", validator=one_of(Bounds))
    ties: Ties = attrs.field(default="random", validator=one_of(Ties))
    direct_identifiers: list[str] = attrs.field(factory=list, validator=column_names)
    insensitive_attributes: list[str] = attrs.field(factory=list, validator=column_names)
    on_identifiers: OnIdentifiers = attrs.field(default="drop", validator=one_of(OnIdentifiers))
    on_unlisted: OnUnlisted = attrs.field(default="warn", validator=one_of(OnUnlisted))
    output_format: str | None = None
    keep_order: bool = False
    register: bool | str | list[str] = attrs.field(default=True, validator=register_columns)
    max_disclosed: int = attrs.field(default=0, validator=whole_number(0))
    update: Update = attrs.field(default="none", validator=one_of(Update))
    max_below_k: float = attrs.field(default=1.0, validator=number(0, 1))
    row_id: bool = False

    version = "2.0"
    category = "anonymization"

    def __attrs_post_init__(self) -> None:
        check_parameters(self)

    def execute(self, ctx: OperationContext) -> OperationResult:
        """Anonymize, check, write; metrics and the artifact `<output_dataset>_anonymization` describe the result."""
        frame = ctx.data.frame(self.input_dataset)
        self._check_columns(frame)
        with_role = self.columns_with_roles()
        of_persons = [*self.person_columns, *stated_columns(self)]
        unlisted = [name for name in frame.columns if name not in with_role and name not in of_persons]
        likely = likely_roles(frame, unlisted, identifiers_of(ctx.run))
        dropped = [
            *dict.fromkeys((*self.direct_identifiers, *(name for name in of_persons if name not in with_role))),
            *identifiers_to_drop(self, ctx, likely[DIRECT]),
        ]
        judge_quasi_identifiers(self, ctx, likely[QUASI])
        free = [name for name in self.quasi_identifiers if name not in self.hierarchies]
        warn_of_categories(ctx, self.input_dataset, frame, free)
        rows = len(frame)

        kept = frame.drop(columns=dropped).reset_index(drop=True)
        promise = promise_of(self, registered_models(ctx.run))
        registration = Registration(self, ctx, frame, [*self.direct_identifiers, *likely[DIRECT]])
        how = self._settings(ctx, promise, frame)
        release = release_of(self, ctx, registration, kept, how, lambda done: ctx.progress(done, rows, "rows"))
        grouping = check_release(
            release.coded,
            self.quasi_identifiers,
            self.k,
            rows + release.counterfeits,
            release.dropped,
            release.population,
            release.persons,
            release.persons_of_population,
        )
        if not self.person_columns:
            self._warn_of_repeats(ctx, frame, [*self.direct_identifiers, *likely[DIRECT]], release, grouping)
        measured = {name: grouping.measured(release.coded[name], promise) for name in self.sensitive_attributes}
        classes = released_classes(release, grouping, self.quasi_identifiers, promise)
        check_promise(promise, measured, classes)
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
        elif grouping.classes == 1 and len(release.sizes_before) > 1:
            ctx.warn(
                f"{self.output_dataset}: all records are in one equivalence class, so that nothing is left of the"
                f" quasi-identifiers: require less, or leave out the quasi-identifier or sensitive attribute that asks"
                f" for it"
            )
        metrics = figures(self, release, grouping, rows)
        metrics |= representatives(self, ctx, kept, release)
        metrics |= randomness(self, promise)
        metrics |= isolation(self, ctx, kept, release, grouping)
        values = {name: SensitiveValues.of(release.coded[name], self.distinguish) for name in self.sensitive_attributes}
        metrics["l_diversity"] = diversity(self, values, grouping, ctx)
        metrics["values_read_alike"] = {name: found.read_alike for name, found in values.items()}
        tell_alike(ctx, self.output_dataset, metrics["values_read_alike"], self.distinguish)
        metrics["sensitive"] = self._told(measured)
        metrics |= promise.claims([found for found in measured.values() if found is not None], classes)
        if self.models:
            metrics["models"] = promise.told(measured, classes)
        metrics["dropped_columns"] = dropped
        metrics["unlisted_columns"] = [name for name in unlisted if name not in dropped]
        metrics["likely_identifiers"] = likely[DIRECT]
        metrics["likely_quasi_identifiers"] = likely[QUASI]

        metrics["releases"] = registration.compare(release, grouping)

        # Parquet would keep the categories, and who groups by them later would get the empty ones too
        output = release.frame if ctx.data.format_of(self.output_dataset) == "parquet" else release.coded
        if self.keep_order:
            ctx.warn(
                f"{self.output_dataset} keeps the order of {self.input_dataset} (`keep_order`): who knows that order,"
                f" or finds the table sorted, learns whose records these are"
            )
        else:
            output = output.iloc[by_cells(release.coded)]
        registration.written(ctx.data.write(self.output_dataset, output.reset_index(drop=True)))
        if self.row_id:
            with ctx.artifact(
                f"{self.output_dataset}_row_ids",
                "csv",
                f"Which record of {self.input_dataset} each record of {self.output_dataset} is: not to be released",
                category="internal",
            ) as file:
                file.write(("\n".join([ROW_ID, *map(str, output.index.tolist())]) + "\n").encode())
        with ctx.artifact(
            f"{self.output_dataset}_anonymization",
            "json",
            f"How {self.output_dataset} was anonymized, with its remaining utility",
            category="metrics",
            tags=[charts.TAG],
        ) as file:
            settings = {name: value for name, value in self.parameters().items() if value is not None}
            told = {"schema": 1, "settings": settings, **metrics, charts.TAG: charts_of(self, release, grouping)}
            file.write(json.dumps(told, indent=2, ensure_ascii=False).encode())
        ctx.progress(rows, rows, "rows")
        return OperationResult.success(metrics=metrics)

    def _check_columns(self, frame: pd.DataFrame) -> None:
        if not frame.columns.is_unique:
            twice = sorted({str(name) for name in frame.columns[frame.columns.duplicated()]})
            raise DataError(f"{self.input_dataset} has more than one column named {', '.join(twice)}: rename them")
        others = {"person": self.person_columns, "register": stated_columns(self)}
        for role, named in {**{role: getattr(self, role) for role in ROLES}, **others}.items():
            absent = [name for name in named if name not in frame.columns]
            if absent:
                raise without(self.input_dataset, absent, role, frame.columns)
        if frame.empty:
            raise DataError(f"{self.input_dataset} has no records: there is nothing to anonymize")

    @property
    def person_columns(self) -> list[str]:
        """The columns of `person`."""
        return columns_of_person(self.person)

    def columns_with_roles(self) -> frozenset[str]:
        """The columns that the task says something of."""
        return frozenset(name for role in ROLES for name in getattr(self, role))

    def _warn_of_repeats(
        self, ctx: OperationContext, frame: pd.DataFrame, identifiers: list[Any], release: Release, grouping: Grouping
    ) -> None:
        """Warn where counting records counts a person several times: a direct identifier repeats."""
        found = repeated(frame, identifiers)
        if not found or release.coded.empty:
            return
        listed = ", ".join(f"{name} ({count:,} different in {len(frame):,} records)" for name, count in found.items())
        released = frame[list(found)].iloc[release.coded.index]
        ctx.warn(
            f"{self.output_dataset} has direct identifiers that repeat, so a person may have several records: {listed}."
            f" k = {self.k} counts records; {smallest_class(released, found, grouping.group, grouping.classes)}"
        )

    def _settings(self, ctx: OperationContext, promise: Promise, frame: pd.DataFrame) -> Settings:
        sources = {column: HierarchySource(widths=tuple(widths)) for column, widths in self.ranges.items()}
        for column, name in self.hierarchies.items():
            lines, file = stated_hierarchy(ctx, name, column, of=self.input_dataset)
            sources[column] = HierarchySource(file=file, lines=lines)
        population, persons, persons_there = None, None, None
        if self.person_columns:
            persons = Persons.in_columns(frame, self.person_columns, self.input_dataset)
        if self.population is not None:
            of_persons = [name for name in self.person_columns if name not in self.quasi_identifiers]
            told = set(self.person_columns) <= set(ctx.data.columns(self.population))
            population = ctx.data.frame(
                self.population, columns=[*self.quasi_identifiers, *(of_persons if told else ())]
            )
            if self.person_columns and told:
                persons_there = Persons.in_columns(population, self.person_columns, self.population)
            population = population[self.quasi_identifiers]
        return Settings(
            strategy=self.strategy,
            recoding=self.recoding,
            promise=promise,
            sensitive=self.sensitive_attributes,
            suppression_limit=self.suppression_limit,
            suppressed_records=self.suppressed_records,
            nulls=self.nulls,
            importance=self.weights,
            # k-map counts the records that a cell covers, and a representative does not say which these are
            output=self.output or (OUTPUTS[self.strategy] if population is None else OUTPUTS_OF_KMAP[self.strategy]),
            bounds=self.bounds,
            ties=self.ties,
            hierarchies=sources,
            population=population,
            persons=persons,
            persons_of_population=persons_there,
            person_records=self.person_records,
            exact=self.exact,
        )

    def _told(self, measured: Mapping[str, Measured | None]) -> dict[str, Any]:
        return {
            name: {**found.told(), "meaning": found.meaning(name)}
            for name, found in measured.items()
            if found is not None
        }
