"""The operation that makes a table k-anonymous, and says what that did and did not achieve."""

from __future__ import annotations

import json
from collections.abc import Hashable, Mapping, Sequence
from typing import Any, Literal

import attrs
import pandas as pd

from pamola_tasks import Effects, Operation, OperationContext, OperationResult, reads, writes
from pamola_tasks.errors import DataError

from . import charts
from .alike import Distinguish, tell_alike
from .asked_models import promise_of
from .claims import check_promise, check_release, released_classes
from .column_roles import roles_of, stated_roles
from .columns import column_names, columns_of_person, one_of, person_columns, some_columns, whole_number, without
from .conditions import Measured, Promise
from .counted_table import CountedTable, table_of
from .hierarchy_files import stated_hierarchy
from .identifiers import DIRECT, INSENSITIVE, PERSON, QUASI, SENSITIVE, identifiers_of, likely_roles
from .isolation import isolation
from .models import SensitiveValues
from .parameter_checks import ROLES, check_parameters, number
from .persons import PersonRecords, Persons
from .privacy_models import Distance, Diversity, registered_models
from .read_as_text import warn_of_categories
from .registering import register_columns, stated_columns
from .release_charts import charts_of
from .release_effects import effects_of_release
from .release_facts import diversity, figures, randomness, representatives, tell_little
from .release_settings import (
    OUTPUTS,
    OUTPUTS_OF_KMAP,
    Bounds,
    HierarchySource,
    Nulls,
    OnRealRecords,
    Output,
    Recoding,
    Settings,
    Strategy,
    SuppressedRecords,
)
from .roles import of_sample
from .table_roles import computed_from
from .ties import Ties
from .unlisted import OnIdentifiers, OnUnlisted, identifiers_to_drop, judge_quasi_identifiers
from .updating import Update
from .verdict import knowable_columns, verdict_on
from .whole_table import WholeTable

Method = Literal["k-anonymity", "l-diversity", "t-closeness", "k-map", "delta-disclosure"]


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
            member of a set is one record's alone in its class, with rare extremes coded as `<20` and `>=75`; with
            strategy mondrian, at its `cuts`, so that the cells of all classes tile the domain;
            or `tight`, the least and greatest value and all categories of the class, which single people out.
        on_real_records: What happens to representatives that are the values of a record, but not of all in the class:
            `warn` publishes them with a warning, `avoid` takes the next best values, or `*`.
        ties: Where sensitive values are protected: `random` lets the system's randomness decide between nearly equal
            classes, so that no class shows what its sensitive values forbade (Wong and others, VLDB 2007); `fixed`
            gives the same release each time, in other projects, too.
        direct_identifiers: Columns that identify a person: dropped.
        insensitive_attributes: Columns that are harmless, whatever they look like: left as they are.
        unconfirmed: Columns whose roles here were proposed by a program, as `pamola-task assess` drafts them: the
            verdict asks whether they are right until a person takes them out of this list.
        on_identifiers: What happens to a column without a role that looks like a direct identifier: `drop` leaves it
            out, `warn` keeps it (both with a warning), `fail` refuses to continue.
        on_unlisted: What happens where a column without a role looks like a quasi-identifier: `warn` keeps it and
            warns, `fail` refuses to continue, `quasi` takes it for a quasi-identifier.
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
    on_real_records: OnRealRecords = attrs.field(default="warn", validator=one_of(OnRealRecords))
    ties: Ties = attrs.field(default="random", validator=one_of(Ties))
    direct_identifiers: list[str] = attrs.field(factory=list, validator=column_names)
    insensitive_attributes: list[str] = attrs.field(factory=list, validator=column_names)
    unconfirmed: list[str] = attrs.field(factory=list, validator=column_names)
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

    def effects(self, columns: Mapping[str, Sequence[str]]) -> Mapping[str, Effects]:
        """Classes decide on cells of quasi-identifiers, and on which records are released, sorted by their cells."""
        return effects_of_release(self, columns)

    def execute(self, ctx: OperationContext) -> OperationResult:
        """Anonymize, check, write; metrics and the artifact `<output_dataset>_anonymization` describe the result."""
        table = table_of(ctx, self.input_dataset)
        frame = table.judged
        ctx.stage("judging")
        self._check_columns(frame)
        stated = stated_roles(self)
        judged = [name for name in frame.columns if stated.get(name) in (None, SENSITIVE, INSENSITIVE)]
        looks = likely_roles(frame, judged, identifiers_of(ctx.run), self.quasi_identifiers)
        if table.rows > len(frame):  # of a sample no counts are said
            looks = {role: {name: of_sample(why, len(frame)) for name, why in of.items()} for role, of in looks.items()}
        quasi = {name: reason for name, reason in looks[QUASI].items() if name not in stated}
        added = judge_quasi_identifiers(self, ctx, quasi)
        used = {**self.parameters(), "quasi_identifiers": [*self.quasi_identifiers, *added]}
        return (type(self)(**used) if added else self)._released(ctx, table, stated, looks)

    def _released(
        self,
        ctx: OperationContext,
        table: WholeTable | CountedTable,
        stated: Mapping[str, str],
        looks: Mapping[str, Mapping[Hashable, str]],
    ) -> OperationResult:
        """Release a table of whose columns the task stated the roles of some; `looks` says what others look like."""
        frame = table.judged
        unlisted = [name for name in frame.columns if name not in stated]
        likely: dict[str, dict[Hashable, str]] = {
            role: {name: why for name, why in found.items() if name in unlisted} for role, found in looks.items()
        }
        identifying = [*self.direct_identifiers, *likely[DIRECT]]
        dropped = [
            *dict.fromkeys(name for name, role in stated.items() if role in (DIRECT, PERSON)),
            *identifiers_to_drop(self, ctx, likely[DIRECT]),
        ]
        free = [name for name in self.quasi_identifiers if name not in self.hierarchies]
        warn_of_categories(ctx, self.input_dataset, frame, free)
        rows = table.rows

        promise = promise_of(self, registered_models(ctx.run))
        release = table.released(self, promise, dropped, identifying)
        ctx.stage("measuring")
        grouping = check_release(
            release.coded,
            self.quasi_identifiers,
            self.k,
            rows + release.counterfeits,
            release.dropped,
            release.population,
            release.persons,
            release.persons_of_population,
            release.times,
        )
        repeats = table.repeats(self, [*self.direct_identifiers, *looks[DIRECT]], release, grouping)
        measured = {name: grouping.measured(release.coded[name], promise) for name in self.sensitive_attributes}
        classes = released_classes(release, grouping, self.quasi_identifiers, promise)
        check_promise(promise, measured, classes)
        tell_little(self, ctx, release, grouping, rows)
        metrics = figures(self, release, grouping, rows)
        metrics |= representatives(self, ctx, table.kept, release)
        metrics |= randomness(self, promise)
        metrics |= {"released_in_parts": table.cut} if table.cut else {}
        metrics |= isolation(self, ctx, table.isolated(self, release, grouping), grouping)
        values = {
            name: SensitiveValues.of(release.coded[name], self.distinguish, release.times)
            for name in self.sensitive_attributes
        }
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
        roles = roles_of(self, frame.columns, stated, likely, dropped, release.loss)
        others = [name for name, role in stated.items() if role in (SENSITIVE, INSENSITIVE)]
        said_of = {"direct": looks[DIRECT], "telling": computed_from(frame, others, self.quasi_identifiers)}
        shown = knowable_columns(roles, {**looks[QUASI], **said_of["direct"], **said_of["telling"]})
        metrics["releases"] = table.write(self, release, shown, grouping)
        ctx.stage("measuring")
        knowable = table.knowable(release, shown, grouping)
        metrics["roles"] = [attrs.asdict(each) for each in roles]
        metrics["knowable"] = attrs.asdict(knowable)
        metrics["verdict"] = verdict_on(self, roles, knowable, grouping, metrics, said_of, repeats)
        if self.keep_order:
            ctx.warn(
                f"{self.output_dataset} keeps the order of {self.input_dataset} (`keep_order`): who knows that order,"
                f" or finds the table sorted, learns whose records these are"
            )
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
        return frozenset(stated_roles(self))

    def settings_for(self, ctx: OperationContext, promise: Promise, frame: pd.DataFrame) -> Settings:
        """How a table is to be anonymized; `frame` has the columns of `person`, if they are stated."""
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
            on_real_records=self.on_real_records,
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
