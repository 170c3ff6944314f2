"""The operation that publishes statistics of a table with differential privacy."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import attrs
import pandas as pd

from pamola_tasks import Effects, Operation, OperationContext, OperationResult, reads, writes
from pamola_tasks.errors import DataError, ParameterError

from .accounting import Spending
from .bounded import Bounded, keys_of
from .calibration import opendp
from .columns import (
    columns_of_person,
    is_whole,
    one_of,
    person_columns,
    positive,
    require,
    require_numbers,
    whole_number,
    wrong,
)
from .effects import Columns, document, of_each
from .figures import Bound, Figure, Noisy, added, figures_of
from .persons import Persons
from .sampled import Sample
from .spending import (
    Mechanism,
    check_loss,
    ledger_in,
    loss,
    probability,
    pure,
    request_of,
    rho_of_loss,
    spend,
    warn_of_repeats,
    whose,
    with_people,
)
from .statistics_asked import Statistic, asked, distinct
from .verdict import MET

MOST_GROUPS = 100_000
FACTS = ("statistic", "of", "value", "accuracy", "low", "high", "scale")
NEIGHBOURS = "tables that differ by all records of one {}, which one has and the other has not"


def _statistics(operation: Any, attribute: attrs.Attribute[Any], value: Any) -> None:
    asked(value)


def _groups(operation: Any, attribute: attrs.Attribute[Any], value: Any) -> None:
    if value is None:
        return
    lists = isinstance(value, Mapping) and value and all(isinstance(keys, list) for keys in value.values())
    if not lists or not all(distinct(keys) for keys in value.values()):
        raise wrong(operation, attribute.name, "for each column a list of the different values that make groups", value)
    if math.prod(map(len, value.values())) > MOST_GROUPS:
        raise ParameterError(f"PrivateStatisticsOperation: `by` makes more than {MOST_GROUPS:,} groups")
    taken = [name for name in value if name in FACTS]
    if taken:
        raise ParameterError(f"PrivateStatisticsOperation: `by` names {taken[0]}, a column of the result: rename it")


class PrivateStatisticsOperation(Operation):
    """Publish counts, sums, means, histograms and quantiles of a table with differential privacy, by group if asked.

    A statistic of many people needs far less noise than their cells (`NoiseOperation`). Noise of the discrete Laplace
    or Gaussian distribution is added to counts and sums (C. Canonne, G. Kamath and T. Steinke, NeurIPS 2020); quantiles
    are chosen from candidates (A. Smith, STOC 2011). OpenDP confirms what each costs, and draws. Groups, bins and
    candidates have to be known without looking at the data, so that which of them are empty is protected too; what
    remains known is whether the table has records at all, and the types of its columns. The whole loss is entered in
    the ledger once columns, types and bounds have been checked, before anything is drawn. The result is a table of the
    figures with intervals, and the same as JSON with how they were made.

    Args:
        input_dataset: The table.
        output_dataset: What the table of figures is called.
        statistics: By name, the statistics. Each has a `kind`: `count` (of records, or of the cells of a `column`),
            `persons`, `sum`, `mean`, `histogram` or `quantiles`; further `column`, `bounds` (lowest and highest value),
            `edges` or `categories` of a histogram, `quantiles` (0.25, 0.5 and 0.75 unless given) with `candidates`
            (their number, 101 unless given), and `share`, its part of the loss (1 unless given).
        by: For each column that makes groups the values that make one: the figures are those of each combination.
            Records with other values count nowhere.
        mechanism: `laplace`, or `gaussian`, which needs `delta` or `rho`.
        epsilon: The privacy loss of all statistics together.
        delta: With `gaussian`: the probability with which the loss may be greater.
        rho: With `gaussian`, in place of `epsilon` and `delta`: the loss by zCDP.
        person: Columns that together identify the person of a record, where one may have several. What is promised then
            holds for all of a person's records, not for each record.
        contributions: With `person`: how many records of a person count at most, in each group. Others, later in the
            table, do not. Noise grows with it.
        groups_per_person: With `person` and `by`: in how many groups a person counts at most, the first in the table.
        confidence: Of the interval from `low` to `high` of each figure. It is about noise only: neither about the
            sample, nor about values beyond bounds.
        clamp: Set counts below 0 to 0, and sums of values that cannot be below 0. That costs nothing, and makes small
            counts too large on average.
        budget: What the budget in the ledger is called: `input_dataset` unless given. Tables that come from the same
            file share one whatever it is called; give other tables of the same people one name.
        budget_epsilon: How much epsilon may be spent of the budget altogether; the least that any step states holds,
            or what the project file states in `ops-anonymize.budgets`, which steps can only lower.
        budget_delta: The delta that goes with it: 0 unless given.
        budget_rho: How much rho may be spent altogether, likewise.
        output_format: `csv`, `parquet` …, where it should differ from the task's.
    """

    input_dataset: str = reads()
    output_dataset: str = writes("{input}_statistics")
    statistics: dict[str, dict[str, Any]] = attrs.field(validator=_statistics)
    by: dict[str, list[Any]] | None = attrs.field(default=None, validator=_groups)
    mechanism: Mechanism = attrs.field(default="laplace", validator=one_of(Mechanism))
    epsilon: float | None = attrs.field(default=None, validator=loss)
    delta: float | None = attrs.field(default=None, validator=probability)
    rho: float | None = attrs.field(default=None, validator=loss)
    person: str | list[str] | None = attrs.field(default=None, validator=person_columns)
    contributions: int | None = attrs.field(default=None, validator=whole_number(1))
    groups_per_person: int | None = attrs.field(default=None, validator=whole_number(1))
    confidence: float = attrs.field(default=0.95, validator=probability)
    clamp: bool = False
    budget: str | None = None
    budget_epsilon: float | None = attrs.field(default=None, validator=positive)
    budget_delta: float | None = attrs.field(default=None, validator=probability)
    budget_rho: float | None = attrs.field(default=None, validator=positive)
    output_format: str | None = None

    category = "anonymization"
    version = "1.0"
    scope = "aggregate"

    def __attrs_post_init__(self) -> None:
        if (self.epsilon is None) == (self.rho is None):
            raise ParameterError("PrivateStatisticsOperation: give either `epsilon` or `rho`, the loss altogether")
        check_loss(self)
        grouped = self.person is not None and self.by is not None
        if grouped != (self.groups_per_person is not None):
            raise ParameterError(
                "PrivateStatisticsOperation: `person` with `by` needs `groups_per_person`, in how many groups a person"
                " counts at most"
                if grouped
                else "PrivateStatisticsOperation: `groups_per_person` belongs to `person` and `by`"
            )

    def effects(self, columns: Mapping[str, Sequence[str]]) -> Mapping[str, Effects]:
        """Figures follow from the columns of the statistics, of the groups and of the person; the groups are stated."""
        names = [each.column for each in asked(self.statistics).values() if each.column is not None]
        made = document({self.input_dataset: names}).whole
        of_group = of_each(self.input_dataset, self.by or (), "GROUP_BY")
        of_group += of_each(self.input_dataset, columns_of_person(self.person), "FILTER")
        figures: Columns = {name: [*made, *of_group] for name in ("value", "low", "high")}
        written: Columns = {name: figures.get(name, ()) for name in (*(self.by or ()), *FACTS)}
        facts = Effects(whole=[*made, *of_group])
        return {self.output_dataset: Effects(written), f"{self.output_dataset}_facts": facts}

    def execute(self, ctx: OperationContext) -> OperationResult:
        """See that budget, columns and types fit, enter what it costs, and only then draw the figures."""
        opendp()
        statistics, of_person = asked(self.statistics), columns_of_person(self.person)
        of_statistics = [each.column for each in statistics.values() if each.column is not None]
        roles = {"statistics": of_statistics, "by": list(self.by or ()), "person": of_person}
        there = require(ctx, self.input_dataset, roles)
        ledger, request = ledger_in(ctx), request_of(ctx, self, self._cost(statistics), columns=of_statistics)
        ledger.check(request)
        needed = list(dict.fromkeys([*of_statistics, *(self.by or ()), *of_person])) or there[:1]
        request = with_people(ctx, self, request)
        ledger.check(request)
        calibrated: dict[str, Noisy] = {}
        exact: dict[str, Any] = {}
        ctx.stage("counting")
        for piece, persons in self._pieces(ctx, needed, of_person):
            calibrated = calibrated or self._calibrated(ctx, statistics, piece)
            data = Bounded.of(piece, self.by or {}, persons, self._bound.records, self._bound.groups)
            for name, made in calibrated.items():
                found = made.exact(data)
                exact[name] = added(exact[name], found) if name in exact else found
        if not exact:
            raise DataError(f"{self.input_dataset} has no records: nothing was entered as spent")
        if not of_person:
            others = [name for name in ctx.data.columns(self.input_dataset) if name not in needed]
            warn_of_repeats(ctx, self, Sample.of(ctx, self.input_dataset, others))
        keys = keys_of(self.by or {})
        rows: list[dict[str, Any]] = []
        entered: dict[str, Any] = {}

        def drawn() -> Iterator[pd.DataFrame]:  # asked for by the writer, which by then has found nothing wrong either
            entered.update(spend(ledger, request))
            for name, values in exact.items():
                rows.extend(self._row(keys[each.group], name, each) for each in calibrated[name].draw(values))
            yield self._table(rows)

        ctx.stage("writing")
        ctx.data.write(self.output_dataset, drawn(), format=self.output_format)
        facts = self._facts(statistics, calibrated)
        with ctx.artifact(f"{self.output_dataset}_facts", "json", "statistics with differential privacy") as file:
            file.write(json.dumps({**facts, "figures": rows}, indent=2, ensure_ascii=False, allow_nan=False).encode())
        return OperationResult.success({**facts, **entered, "figures": len(rows), "verdict": self._verdict()})

    def _pieces(
        self, ctx: OperationContext, columns: list[str], of_person: list[str]
    ) -> Iterator[tuple[pd.DataFrame, Persons]]:
        """The records, and whose they are: in pieces, or all at once where a person may have several."""
        if of_person:
            frame = ctx.data.frame(self.input_dataset, columns)
            if len(frame):
                yield frame, Persons.in_columns(frame, of_person, self.input_dataset)
            return
        for piece in ctx.data.chunks(self.input_dataset, columns=columns):
            if len(piece):
                yield piece, Persons.each(len(piece))

    def _verdict(self) -> dict[str, Any]:
        """What is claimed of the figures, which are drawn by the mechanism that the claim is about."""
        loss = f"ρ = {self.rho:g}" if self.rho is not None else f"ε = {self.epsilon:g}"
        delta = f", δ = {self.delta:g}" if self.delta else ""
        return {
            "dataset": self.output_dataset,
            "verdict": MET,
            "sentence": f"differential privacy of each {whose(self)} of {self.input_dataset} with {loss}{delta}",
            "formal_dp": True,
        }

    @property
    def _bound(self) -> Bound:
        return Bound(
            mechanism=self.mechanism,
            records=self.contributions or 1,
            groups=self.groups_per_person or 1,
            confidence=self.confidence,
            clamp=self.clamp,
        )

    def _losses(self, statistics: Mapping[str, Statistic]) -> dict[str, float]:
        """The part of each statistic: epsilon of Laplace noise, rho of Gaussian."""
        if self.mechanism == "gaussian":
            altogether = rho_of_loss(self)
        else:
            assert self.epsilon is not None
            altogether = self.epsilon
        shares = math.fsum(each.share for each in statistics.values())
        return {name: altogether * each.share / shares for name, each in statistics.items()}

    def _cost(self, statistics: Mapping[str, Statistic]) -> Spending:
        if self.mechanism == "gaussian":
            return Spending(math.inf if self.epsilon is None else self.epsilon, self.delta or 0.0, rho_of_loss(self))
        assert self.epsilon is not None
        parts = [pure(part, 1) for part in self._losses(statistics).values()]
        return attrs.evolve(Spending.total(parts), epsilon=self.epsilon)

    def _calibrated(
        self, ctx: OperationContext, statistics: Mapping[str, Statistic], frame: pd.DataFrame
    ) -> dict[str, Noisy]:
        found = {}
        for name, part in self._losses(statistics).items():
            each, whole = statistics[name], False
            if each.column is not None and (each.bounds is not None or each.edges is not None):
                require_numbers(ctx, self.input_dataset, frame[each.column], "statistics")
                whole = is_whole(frame[each.column])
            found[name] = figures_of(each, part, self._bound, whole=whole)
        return found

    def _row(self, keys: Sequence[Any], name: str, figure: Figure) -> dict[str, Any]:
        told = attrs.asdict(figure, filter=attrs.filters.exclude("group"))
        return {**dict(zip(self.by or {}, keys, strict=True)), "statistic": name, **told}

    def _table(self, rows: list[dict[str, Any]]) -> pd.DataFrame:
        """The figures; numbers are whole where all of a column are."""
        table = pd.DataFrame(rows, columns=[*(self.by or ()), *FACTS])
        for name in ("value", "accuracy", "low", "high"):
            whole = all(row[name] is None or isinstance(row[name], int) for row in rows)
            table[name] = table[name].astype("Int64" if whole else "float64")
        return table

    def _facts(self, statistics: Mapping[str, Statistic], calibrated: Mapping[str, Noisy]) -> dict[str, Any]:
        """How the figures were made: parameters only, nothing of the data."""
        losses, unit = self._losses(statistics), "epsilon" if self.mechanism == "laplace" else "rho"
        return {
            "guarantee": f"differential privacy of each {whose(self)}",
            "neighbours": NEIGHBOURS.format(whose(self)),
            "mechanism": self.mechanism,
            "generator": "OpenDP",
            "arithmetic": "whole numbers",
            "epsilon": self.epsilon,
            "delta": self.delta or 0.0,
            "rho": self.rho,
            "contributions": self._bound.records,
            "groups_per_person": self._bound.groups,
            "confidence": self.confidence,
            "clamped": self.clamp,
            "statistics": {
                name: {
                    **attrs.asdict(each, filter=lambda field, value: value is not None),
                    unit: losses[name],
                    "scale": calibrated[name].scale,
                }
                for name, each in statistics.items()
            },
        }
