"""The operations of the pack: they read datasets, and leave a JSON document and numbers for the report."""

from __future__ import annotations

import json
import math
from typing import Any

import attrs
import pandas as pd

from pamola_tasks import Operation, OperationContext, OperationResult, reads
from pamola_tasks.errors import DataError, ParameterError

from .charts import TAG, charts_of_correlations, charts_of_profile
from .correlation import Correlation, correlate
from .joining import join
from .profile import profile_table
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

    version = "1.1"
    category = "profiling"

    def execute(self, ctx: OperationContext) -> OperationResult:
        """Profile, and leave `<output_prefix>_profile.json`."""
        frame = self._table(ctx)
        total = len(frame.columns)
        identifiers = getattr(ctx.run, "identifiers", None)  # a service that another pack adds
        if identifiers is None:
            ctx.warn(
                "no plugin says which columns look like direct identifiers or quasi-identifiers, so none is marked:"
                " install pamola-ops-anonymize, or another plugin that provides `identifiers`"
            )
        profile = profile_table(
            frame,
            role_of=identifiers.role if identifiers is not None else None,
            as_read=getattr(identifiers, "as_read", None),
            min_count=self.min_count,
            top=self.top,
            bins=self.bins,
            progress=lambda done: ctx.progress(done, total, "columns"),
        )
        alike = {column.name: column.read_alike for column in profile.columns if column.read_alike}
        if alike:
            listed = ", ".join(f"{column} ({number:,})" for column, number in alike.items())
            ctx.warn(
                f"{self.dataset_name} has values that differ from another only in case, blanks, Unicode form or"
                f" invisible characters: {listed}"
            )
        as_read = self._as_read(ctx)
        name = artifact_name(self.output_prefix or self.dataset_name, "profile")
        with ctx.artifact(name, "json", f"Profile of {self.dataset_name}", category="metrics", tags=[TAG]) as file:
            document = {"dataset": self.dataset_name, **attrs.asdict(profile), TAG: charts_of_profile(profile)}
            file.write(as_json({**document, "as_read": as_read}))
        return OperationResult.success(metrics={**self._metrics(profile), **_told_of(as_read)})

    def _table(self, ctx: OperationContext) -> pd.DataFrame:
        if self.fields is None:
            frame: pd.DataFrame = ctx.data.frame(self.dataset_name)
        else:
            there = ctx.data.columns(self.dataset_name)
            absent = [name for name in self.fields if name not in there]
            if absent:
                raise DataError(f"{self.dataset_name} has no column {', '.join(absent)} (named in `fields`)")
            frame = ctx.data.frame(self.dataset_name, columns=self.fields)
        if not frame.columns.is_unique:
            raise DataError(f"{self.dataset_name} has two columns of the same name: rename one")
        return frame

    def _as_read(self, ctx: OperationContext) -> list[dict[str, Any]]:
        """What the data source takes each column for, without words that fewer than `min_count` records have."""
        describe = getattr(ctx.run.data_source, "describe_columns", None)
        described = [] if describe is None else describe(self.dataset_name, self.fields, least=self.min_count)
        return [{**attrs.asdict(column), "in_words": column.in_words} for column in described]

    def _metrics(self, profile: TableProfile) -> dict[str, Any]:
        roles: dict[str, list[str]] = {"direct identifier": [], "quasi-identifier": [], "": []}
        for column in profile.columns:
            roles[column.role].append(column.name)
        return {
            "rows": profile.records,
            "columns": len(profile.columns),
            "missing_cells": profile.missing_cells,
            "duplicate_rows": profile.duplicate_records,
            "values_read_alike": {column.name: column.read_alike for column in profile.columns if column.read_alike},
            "likely_direct_identifiers": roles["direct identifier"],
            "likely_quasi_identifiers": roles["quasi-identifier"],
            "smallest_class": profile.exposure.smallest_class if profile.exposure else None,
            "unique_records": profile.exposure.unique_records if profile.exposure else None,
        }


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

    def __attrs_post_init__(self) -> None:
        if self.primary_dataset == self.secondary_dataset:
            raise ParameterError(
                f"`primary_dataset` and `secondary_dataset` are both {self.primary_dataset}: name two datasets"
            )

    def execute(self, ctx: OperationContext) -> OperationResult:
        """Join, correlate, and leave `<output_prefix>_correlations.json`."""
        tables = {name: ctx.data.frame(name) for name in (self.primary_dataset, self.secondary_dataset)}
        joined = join(tables, self.join_key)
        pairs, left_out = correlate(
            joined.frame,
            min_records=self.min_count,
            progress=lambda done, total: ctx.progress(done, total, "pairs"),
        )
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
