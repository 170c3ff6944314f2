"""The operations of the pack: they read datasets, and leave a JSON document and numbers for the report."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

import attrs
import pandas as pd

from pamola_tasks import Effect, Effects, Operation, OperationContext, OperationResult, reads
from pamola_tasks.errors import DataError, ParameterError

from .charts import TAG, charts_of_correlations, charts_of_profile
from .correlation import Correlation, correlate
from .joining import join
from .profile import RoleOf, Shown, class_sizes, profile_pieces
from .table_profile import TableProfile


def _at_least_one(_: Any, attribute: attrs.Attribute[Any], value: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ParameterError(f"`{attribute.name}` has to be a whole number of 1 or more, not {value!r}")


def _prefix(_: Any, attribute: attrs.Attribute[Any], value: Any) -> None:
    if value is not None and (not isinstance(value, str) or not value.strip()):
        raise ParameterError(f"`{attribute.name}` has to be a name for the files that are written, not {value!r}")


def artifact_name(prefix: str, kind: str) -> str:
    """`before` gives `before_profile`; `customer_profile` stays as it is."""
    return prefix if prefix.endswith(kind) else f"{prefix}_{kind}"


class ProfileOperation(Operation):
    """Describe a table: types, missing and distinct values, quantiles, histograms, likely identifiers.

    No value in the profile rests on fewer than `min_count` records, nor can one be derived from it by subtraction.
    That is the threshold rule, with secondary suppression, of A. Hundepool et al.: Statistical Disclosure Control,
    Wiley 2012. Quantiles are by nearest rank, as means of `min_count` neighbours; the deviation is that of a sample.

    The table is read piece by piece. What columns look like is judged on a random sample of 100,000 records. All else
    is exact, but for columns of a million distinct values (of fewer in wide tables, of more if they are numbers): which
    of their facts are of that sample, and how near they are, is stated with each (`approximate`).

    Args:
        dataset_name: The table.
        output_prefix: The profile is written as `<output_prefix>_profile.json`; the dataset's name unless given.
        fields: Columns to profile; all unless given.
        min_count: Values that fewer records have are not listed; quantiles are means of so many neighbouring values.
        top: How many of the most frequent values are listed.
        bins: Bars of a histogram, before those of few records are joined.
    """

    dataset_name: str = reads()
    output_prefix: str | None = attrs.field(default=None, validator=_prefix)
    fields: list[str] | None = None
    min_count: int = attrs.field(default=10, validator=_at_least_one)
    top: int = attrs.field(default=20, validator=_at_least_one)
    bins: int = attrs.field(default=20, validator=_at_least_one)

    version = "1.2"
    category = "profiling"
    scope = "aggregate"

    def effects(self, columns: Mapping[str, Sequence[str]]) -> Mapping[str, Effects]:
        """The profile describes the columns that are named, or all."""
        names = columns[self.dataset_name] if self.fields is None else self.fields
        name = artifact_name(self.output_prefix or self.dataset_name, "profile")
        return {name: Effects(whole=_counted(self.dataset_name, names))}

    def execute(self, ctx: OperationContext) -> OperationResult:
        """Profile, and leave `<output_prefix>_profile.json`."""
        columns = self._columns(ctx)
        identifiers = getattr(ctx.run, "identifiers", None)  # a service that another pack adds
        if identifiers is None:
            ctx.warn(
                "no plugin says which columns look like direct identifiers or quasi-identifiers, so none is marked:"
                " install pamola-ops-anonymize, or another plugin that provides `identifiers`"
            )
        ctx.stage("counting")
        profile = profile_pieces(
            ctx.data.chunks(self.dataset_name, columns=columns),
            Shown(self.min_count, self.top, self.bins, getattr(identifiers, "as_read", None)),
            lambda sample: _roles(sample, identifiers),
            lambda quasi: _class_sizes(ctx, self.dataset_name, quasi),
            progress=lambda done: ctx.progress(done, None, "rows"),
        )
        alike = {column.name: column.read_alike for column in profile.columns if column.read_alike}
        if alike:
            listed = ", ".join(f"{column} ({number:,})" for column, number in alike.items())
            ctx.warn(
                f"{self.dataset_name} has values that differ from another only in case, blanks, Unicode form or"
                f" invisible characters: {listed}"
            )
        as_read = self._as_read(ctx)
        ctx.stage("writing")
        name = artifact_name(self.output_prefix or self.dataset_name, "profile")
        with ctx.artifact(name, "json", f"Profile of {self.dataset_name}", category="metrics", tags=[TAG]) as file:
            document = {"dataset": self.dataset_name, **attrs.asdict(profile), TAG: charts_of_profile(profile)}
            file.write(as_json({**document, "as_read": as_read}))
        return OperationResult.success(metrics={**self._metrics(profile), **_told_of(as_read)})

    def _columns(self, ctx: OperationContext) -> list[str]:
        there: list[str] = ctx.data.columns(self.dataset_name)
        absent = [name for name in self.fields or () if name not in there]
        if absent:
            raise DataError(f"{self.dataset_name} has no column {', '.join(absent)} (named in `fields`)")
        columns = there if self.fields is None else self.fields
        if len(set(columns)) < len(columns):
            raise DataError(f"{self.dataset_name} has two columns of the same name: rename one")
        return columns

    def _as_read(self, ctx: OperationContext) -> list[dict[str, Any]]:
        """What the data source takes each column for, without words that fewer than `min_count` records have."""
        describe = getattr(ctx.run.data_source, "describe_columns", None)
        described = [] if describe is None else describe(self.dataset_name, self.fields, least=self.min_count)
        return [{**attrs.asdict(column), "in_words": column.in_words} for column in described]

    def _metrics(self, profile: TableProfile) -> dict[str, Any]:
        roles: dict[str, list[str]] = {"direct identifier": [], "quasi-identifier": [], "sensitive": []}
        for column in profile.columns:
            roles.setdefault(column.role, []).append(column.name)
        return {
            "rows": profile.records,
            "columns": len(profile.columns),
            "missing_cells": profile.missing_cells,
            "duplicate_rows": profile.duplicate_records,
            "values_read_alike": {column.name: column.read_alike for column in profile.columns if column.read_alike},
            "likely_direct_identifiers": roles["direct identifier"],
            "likely_quasi_identifiers": roles["quasi-identifier"],
            "likely_sensitive_attributes": roles["sensitive"],
            "exposure": profile.exposure.told() if profile.exposure else None,
            "approximate": {column.name: column.approximate for column in profile.columns if column.approximate},
        }


def _class_sizes(ctx: OperationContext, dataset: str, columns: list[str]) -> tuple[Any, Any]:
    """The sizes of the classes of a table, and how many have each: by the service `tables`, if it is there."""
    ctx.stage("measuring")
    tables = getattr(ctx.run, "tables", None)
    if tables is None:
        return class_sizes(ctx.data.frame(dataset, columns=columns), columns)
    sizes, classes = tables.of(ctx).class_sizes(dataset, columns)
    return sizes, classes


def _roles(frame: pd.DataFrame, identifiers: Any) -> RoleOf | None:
    """What columns look like: of the table as a whole, where the service judges it, else of each alone."""
    of_table = getattr(identifiers, "roles", None)
    if of_table is None:
        return getattr(identifiers, "role", None)
    found = of_table(frame, set(frame.columns), ())
    of = {str(column): (role, why) for role, reasons in found.items() for column, why in reasons.items()}
    return lambda column, _: of.get(column)


def _told_of(as_read: list[dict[str, Any]]) -> dict[str, Any]:
    """What columns look like that were read as something else, and what there is to decide."""
    otherwise = {each["name"]: each["in_words"] for each in as_read if each["looks_like"] != each["read_as"]}
    asked = {each["name"]: [question["text"] for question in each["questions"]] for each in as_read}
    return {
        "columns_that_look_like": otherwise,
        "columns_to_decide": {name: "; ".join(questions) for name, questions in asked.items() if questions},
    }


class CorrelationOperation(Operation):
    """Join two tables on a key, and measure how strongly each pair of their columns goes together.

    Pearson (1895) and Spearman (1904) for two columns of numbers, Cramér's V (H. Cramér: Mathematical methods of
    statistics, 1946, 21.9) for two of categories, the correlation ratio (R. A. Fisher: Statistical methods for research
    workers, 1925) for one of each. A record that has several partners counts once for each of them.

    Args:
        primary_dataset: A table.
        secondary_dataset: Another.
        join_key: The column that both have.
        output_prefix: The result is written as `<output_prefix>_correlations.json`; the names of both datasets unless
            given.
        min_count: Least number of records that a measure may rest on.
    """

    primary_dataset: str = reads()
    secondary_dataset: str = reads()
    join_key: str
    output_prefix: str | None = attrs.field(default=None, validator=_prefix)
    min_count: int = attrs.field(default=10, validator=_at_least_one)

    version = "1.0"
    category = "profiling"

    def effects(self, columns: Mapping[str, Sequence[str]]) -> Mapping[str, Effects]:
        """The measures are those of all columns of both tables, joined on the key."""
        tables = (self.primary_dataset, self.secondary_dataset)
        found = [Effect(table, self.join_key, "JOIN") for table in tables]
        for table in tables:
            found += _counted(table, [name for name in columns[table] if name != self.join_key])
        return {artifact_name(self.output_prefix or "_".join(tables), "correlations"): Effects(whole=found)}

    def __attrs_post_init__(self) -> None:
        if self.primary_dataset == self.secondary_dataset:
            raise ParameterError(
                f"`primary_dataset` and `secondary_dataset` are both {self.primary_dataset}: name two datasets"
            )

    def execute(self, ctx: OperationContext) -> OperationResult:
        """Join, correlate, and leave `<output_prefix>_correlations.json`."""
        ctx.stage("reading")
        tables = {name: ctx.data.frame(name) for name in (self.primary_dataset, self.secondary_dataset)}
        ctx.stage("joining")
        joined = join(tables, self.join_key)
        ctx.stage("correlating")
        pairs, left_out = correlate(
            joined.frame,
            min_records=self.min_count,
            progress=lambda done, total: ctx.progress(done, total, "pairs"),
        )
        ctx.stage("writing")
        facts = {
            "primary_dataset": self.primary_dataset,
            "secondary_dataset": self.secondary_dataset,
            "join_key": self.join_key,
            "rows_joined": len(joined.frame),
            "keys_in_both": joined.keys,
            "rows_unmatched": joined.unmatched,
        }
        name = artifact_name(self.output_prefix or f"{self.primary_dataset}_{self.secondary_dataset}", "correlations")
        description = f"Correlations of {self.primary_dataset} and {self.secondary_dataset}, joined on {self.join_key}"
        with ctx.artifact(name, "json", description, category="metrics", tags=[TAG]) as file:
            file.write(
                as_json(
                    {
                        **facts,
                        "min_count": self.min_count,
                        "pairs": [attrs.asdict(pair) for pair in pairs],
                        "left_out": [attrs.asdict(column) for column in left_out],
                        TAG: charts_of_correlations(pairs),
                    }
                )
            )
        across = [pair for pair in pairs if self._is_across(pair)]
        strongest = sorted(across, key=lambda pair: -pair.strength)[:5]
        return OperationResult.success(
            metrics={
                **facts,
                "pairs": len(pairs),
                "columns_left_out": len(left_out),
                "strongest_across": {f"{pair.left} ~ {pair.right}": pair.strength for pair in strongest},
            }
        )

    def _is_across(self, pair: Correlation) -> bool:
        of_primary = [name.startswith(f"{self.primary_dataset}.") for name in (pair.left, pair.right)]
        return of_primary == [True, False]


def _counted(dataset: str, names: Sequence[str]) -> list[Effect]:
    """Columns of which only what many records have in common is shown."""
    return [Effect(dataset, name, "AGGREGATION", masking=True) for name in names]


def as_json(document: dict[str, Any]) -> bytes:
    """A document of schema 1 as UTF-8 JSON; what is not a finite number becomes null."""
    return json.dumps(_finite({"schema": 1, **document}), indent=2, ensure_ascii=False, allow_nan=False).encode(
        "utf-8", "backslashreplace"
    )


def _finite(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_finite(item) for item in value]
    return value
