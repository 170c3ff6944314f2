"""The operation that measures what an anonymized table keeps of its original."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import attrs
import numpy as np

from pamola_tasks import Effects, Operation, OperationContext, OperationResult, reads
from pamola_tasks.errors import DataError

from . import charts
from .columns import require, some_columns, whole_number
from .counted import Counted, classes_in
from .covering import ColumnUtility, column_utility
from .distributions import Distribution
from .domains import Domain
from .effects import document
from .hierarchies import Hierarchy, built_hierarchy, hierarchy_of_lines
from .hierarchy_files import stated_hierarchy
from .measures import Grouping


class UtilityOperation(Operation):
    """Measure what an anonymized table keeps of its original, from both tables as they are.

    Losses are two numbers. NCP-set: the part of the column's domain that a cell covers as published. NCP-hier: the part
    under the lowest label of a hierarchy that covers it; 1 less this is the granularity of V. S. Iyengar, KDD 2002.
    Normalized certainty penalty: J. Xu et al., KDD 2006. Discernibility: R. J. Bayardo and R. Agrawal, ICDE 2005.
    Normalized average class size: K. LeFevre, D. DeWitt and R. Ramakrishnan, ICDE 2006. A record that was left out
    loses 1 in each column.

    Args:
        original_dataset: The table as it was.
        anonymized_dataset: The table as it is released: values, intervals `[17,24]`, sets `{a|b}`, `*`, or labels.
        quasi_identifiers: The columns that were generalized.
        hierarchies: For columns the dataset that holds their hierarchy, as for `AnonymizeOperation`. Without one,
            numbers and dates get ranges of round width, and categories `*` alone.
        k: The k that was asked for: the average class size is then also reported in multiples of it.
        output_prefix: The result is written as `<output_prefix>_utility.json`; the anonymized table's name unless
            given.
    """

    original_dataset: str = reads()
    anonymized_dataset: str = reads()
    quasi_identifiers: list[str] = attrs.field(validator=some_columns)
    hierarchies: dict[str, str] = reads(attrs.Factory(dict))
    k: int | None = attrs.field(default=None, validator=whole_number(2))
    output_prefix: str | None = None

    version = "1.0"
    category = "metrics"
    scope = "aggregate"

    def effects(self, columns: Mapping[str, Sequence[str]]) -> Mapping[str, Effects]:
        """Losses follow from the quasi-identifiers of both tables."""
        quasi = self.quasi_identifiers
        losses = document({self.original_dataset: quasi, self.anonymized_dataset: quasi})
        needs = [(self.original_dataset, name) for name in self.hierarchies]
        return {f"{self.output_prefix or self.anonymized_dataset}_utility": Effects(whole=losses.whole, needs=needs)}

    def execute(self, ctx: OperationContext) -> OperationResult:
        """Read the columns named of both tables, measure, and write the artifact `<output_prefix>_utility`."""
        for dataset in (self.original_dataset, self.anonymized_dataset):
            require(ctx, dataset, {"quasi_identifiers": self.quasi_identifiers})
        require(ctx, self.original_dataset, {"hierarchies": self.hierarchies})
        original = Counted.of(ctx, self.original_dataset, self.quasi_identifiers)
        published = Counted.of(ctx, self.anonymized_dataset, self.quasi_identifiers)
        suppressed = original.rows - published.rows
        if not original.rows:
            raise DataError(f"{self.original_dataset} has no records: there is nothing to compare with")
        if suppressed < 0:
            raise DataError(
                f"{self.anonymized_dataset} has {-suppressed:,} records more than {self.original_dataset}:"
                f" it was not made from it"
            )
        columns: dict[str, ColumnUtility] = {}
        distributions: dict[str, Distribution] = {}
        ctx.stage("measuring")
        grouping = classes_in(ctx, self.anonymized_dataset, self.quasi_identifiers)
        for name in self.quasi_identifiers:
            domain, records = original.domain(name)
            texts, count = published.texts(name)
            hierarchy = self._hierarchy(ctx, name, domain)
            columns[name], distributions[name] = column_utility(domain, records, texts, count, hierarchy)
        metrics = self._metrics(columns, grouping, original.rows, suppressed)
        ctx.stage("writing")
        with ctx.artifact(
            f"{self.output_prefix or self.anonymized_dataset}_utility",
            "json",
            f"What {self.anonymized_dataset} keeps of {self.original_dataset}",
            category="metrics",
            tags=[charts.TAG],
        ) as file:
            settings = {name: value for name, value in self.parameters().items() if value is not None}
            told = {"schema": 1, "settings": settings, **metrics, charts.TAG: self._charts(columns, distributions)}
            file.write(json.dumps(told, indent=2, ensure_ascii=False, allow_nan=False).encode())
        return OperationResult.success(metrics)

    def _charts(self, columns: dict[str, ColumnUtility], distributions: dict[str, Distribution]) -> list[charts.Chart]:
        ncp_set = {name: found.ncp_set for name, found in columns.items()}
        ncp_hier = {name: found.ncp_hier for name, found in columns.items()}
        return [charts.losses(ncp_set, ncp_hier), *charts.distributions(distributions, self.k or 1)]

    def _metrics(
        self, columns: dict[str, ColumnUtility], grouping: Grouping, rows: int, suppressed: int
    ) -> dict[str, Any]:
        ncp_hier = float(np.mean([column.ncp_hier for column in columns.values()]))
        average = grouping.average_size
        normalized = None if average is None or self.k is None else average / self.k
        return {
            "rows_original": rows,
            "rows_anonymized": rows - suppressed,
            "rows_suppressed": suppressed,
            "ncp_set": float(np.mean([column.ncp_set for column in columns.values()])),
            "ncp_hier": ncp_hier,
            "granularity": 1.0 - ncp_hier,
            "k": grouping.k,
            "equivalence_classes": grouping.classes,
            "discernibility": grouping.discernibility(suppressed),
            "average_class_size": average,
            "average_class_size_over_k": normalized,
            "columns": {
                name: {**attrs.asdict(found), "granularity": 1.0 - found.ncp_hier} for name, found in columns.items()
            },
        }

    def _hierarchy(self, ctx: OperationContext, column: str, domain: Domain) -> Hierarchy:
        if column not in self.hierarchies:
            return built_hierarchy(domain)
        lines, file = stated_hierarchy(ctx, self.hierarchies[column], column, of=self.original_dataset)
        return hierarchy_of_lines(lines, domain, file)
