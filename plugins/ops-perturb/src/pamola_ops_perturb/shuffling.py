"""The operation that shuffles numbers by a model of how they depend on others: data shuffling."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar

import attrs
import numpy as np
import pandas as pd

from pamola_tasks import OperationContext, writes
from pamola_tasks.errors import DataError, ParameterError
from pamola_tasks.validators import column_names, some_columns

from .columns import Floats, Ints, is_numeric, numbers_of
from .linking import link_numbers
from .perturbing import PerturbOperation
from .utility import correlations, figures, ordering, ranks, sampled

MOST_CATEGORIES = 50


class ShuffleOperation(PerturbOperation):
    """Shuffle confidential numbers among the records so that their dependence on other columns is kept: data shuffling.

    K. Muralidhar and R. Sarathy: Data shuffling, Management Science 52(5), 2006; method `ds` of sdcMicro's `shuffle`.
    Given the predictors alone, and never a record's own confidential values, new values are drawn from a normal copula
    with the rank correlations of the table; then the value of each rank takes the place of the drawn one of that rank.
    So each column keeps exactly its values, and rank correlations stay about the same, where they are monotonic.
    Missing values stay missing.

    Args:
        input_dataset: The table.
        output_dataset: What the perturbed table is called.
        columns: The confidential columns, of numbers.
        predictors: The columns that are not confidential and that these depend on: numbers, or categories of at most 50
            values; without any, the columns are shuffled together but independently of all others.
        output_format: `csv`, `parquet` …, where it should differ from the task's.
    """

    output_dataset: str = writes("{input}_shuffled")
    columns: list[str] = attrs.field(validator=some_columns)
    predictors: list[str] = attrs.field(factory=list, validator=column_names)

    role: ClassVar[str] = "sensitive"
    done: ClassVar[str] = "values shuffled"

    def __attrs_post_init__(self) -> None:
        if both := sorted(set(self.columns) & set(self.predictors)):
            raise ParameterError(f"ShuffleOperation: {both[0]} is both in `columns` and in `predictors`")

    def changed(self) -> list[str]:
        """Those of `columns`."""
        return list(self.columns)

    def decide(self) -> Mapping[str, Sequence[str]]:
        """Those of `predictors`."""
        return {"predictors": self.predictors} if self.predictors else {}

    def perturb(self, ctx: OperationContext, frame: pd.DataFrame) -> tuple[dict[str, pd.Series[Any]], dict[str, Any]]:
        """Draw normal scores, and map ranks back."""
        values = np.stack([numbers_of(self.input_dataset, frame[n], "columns") for n in self.columns], axis=1)
        predictors = list(self._predictors(frame))
        scores = drawn_scores(values, predictors, ctx.rng)
        written: dict[str, pd.Series[Any]] = {}
        after = np.full(values.shape, np.nan)
        for place, name in enumerate(self.columns):
            there = np.flatnonzero(~np.isnan(values[:, place]))
            taken = np.arange(len(frame))
            taken[there] = there[same_ranks(values[there, place], scores[there, place])]
            written[name] = frame[name].take(taken).set_axis(frame.index)
            after[:, place] = values[taken, place]
        ctx.stage("measuring")
        chosen = sampled(len(frame), ctx.rng)
        by = [ranks(column[chosen]) for column in predictors]
        kept = {
            name: {"before": one, "after": other}
            for name, one, other in zip(
                self.columns, _explained(values[chosen], by), _explained(after[chosen], by), strict=True
            )
        }
        return written, {
            "method": "data shuffling",
            "record_linkage": link_numbers(values, after, ctx.rng),
            "utility": figures(self.columns, values, after, ctx.rng),
            **({"rank_correlation_with_predictors": kept} if predictors else {}),
        }

    def _predictors(self, frame: pd.DataFrame) -> Iterable[Floats]:
        """Predictors as numbers: categories by an indicator for each but the first."""
        for name in self.predictors:
            column = frame[name]
            if is_numeric(column):
                yield numbers_of(self.input_dataset, column, "predictors")
                continue
            codes, values = pd.factorize(column, use_na_sentinel=False)
            if len(values) > MOST_CATEGORIES:
                raise DataError(
                    f"{self.input_dataset}: column {name} (named in `predictors`) has {len(values):,} categories, and a"
                    f" predictor at most {MOST_CATEGORIES}; group them before (GeneralizeOperation)"
                )
            for code in range(1, len(values)):
                yield (codes == code).astype(np.float64)


def same_ranks(values: Floats, scores: Floats) -> Ints:
    """For each score which value has its rank, both float64 of shape (records,) without NaN; ties as they come."""
    found = np.empty(len(values), dtype=np.int64)
    found[ordering(scores)] = ordering(values)
    return found


def normal_scores(ranked: Floats) -> Floats:
    """The normal quantile of each rank, (rank - 0.5) / n; 0 where a value is missing (NaN)."""
    from scipy.special import ndtri

    scores = ndtri((ranked - 0.5) / max(1, int((~np.isnan(ranked)).sum())))
    return np.asarray(np.nan_to_num(scores, nan=0.0))


def drawn_scores(values: Floats, predictors: Sequence[Floats], rng: np.random.Generator) -> Floats:
    """New normal scores of confidential columns, drawn given the predictors of each record.

    Args:
        values: Confidential columns, float64 of shape (rows, columns), NaN where missing.
        predictors: Each float64 of shape (rows,).
        rng: Draws.

    Returns:
        float64 of the shape of `values`.
    """
    confidential = values.shape[1]
    columns = [*values.T, *predictors]
    ranked = np.stack([ranks(column) for column in columns], axis=1)
    scores = [normal_scores(column) for column in ranked.T[confidential:]]
    middle = (np.sum(~np.isnan(ranked), axis=0) + 1) / 2
    for place in np.flatnonzero(2 * middle < len(ranked) + 1):
        ranked[np.isnan(ranked[:, place]), place] = middle[place]
    product = 2 * np.sin(np.pi * correlations(ranked) / 6)  # of a normal copula with these rank correlations
    own, between = product[:confidential, :confidential], product[:confidential, confidential:]
    weights = between @ np.linalg.pinv(product[confidential:, confidential:])
    left = own - weights @ between.T
    size, directions = np.linalg.eigh((left + left.T) / 2)
    spread = directions * np.sqrt(np.maximum(size, 0.0))  # rank correlations need not be those of a normal copula
    noise = rng.standard_normal(values.shape) @ spread.T
    if not predictors:
        return np.asarray(noise)
    return np.asarray(np.stack(scores, axis=1) @ weights.T + noise)


def _explained(values: Floats, by: Sequence[Floats]) -> list[float]:
    """Of each column the greatest absolute rank correlation with a predictor, whose ranks are given."""
    if not by:
        return [0.0] * values.shape[1]
    columns = np.stack([*map(ranks, values.T), *by], axis=1)
    found = np.abs(correlations(columns))[: values.shape[1], values.shape[1] :]
    return [float(row.max()) for row in found]
