"""The operation that adds random noise to numbers, with or without a guarantee of differential privacy."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import attrs
import numpy as np
import numpy.typing as npt
import pandas as pd

from pamola_tasks import OperationContext, OperationResult, writes
from pamola_tasks.errors import DataError, ParameterError

from .accounting import Limit, Spending
from .calibration import Calibrated, gaussian, laplace
from .column_operation import ColumnOperation
from .columns import (
    columns_of_person,
    is_number,
    one_of,
    person_columns,
    positive,
    require,
    require_numbers,
    whole_number,
    wrong,
)
from .identifiers import DIRECT, identifiers_of, likely_roles
from .origins import origins_of
from .persons import ContributionBound, repeated
from .privacy_budget import Request, ledger_of

Mechanism = Literal["laplace", "gaussian"]

Floats = npt.NDArray[np.float64]

MOST_DECIMALS = 15
"""More no float holds, and rounding to far more gives no number at all."""


def _fraction(operation: Any, attribute: attrs.Attribute[Any], value: Any) -> None:
    if value is not None and not (is_number(value) and 0 < value < 1):
        raise wrong(operation, attribute.name, "a number between 0 and 1", value)


def _decimals(operation: Any, attribute: attrs.Attribute[Any], value: Any) -> None:
    whole_number(0)(operation, attribute, value)
    if value is not None and value > MOST_DECIMALS:
        raise wrong(operation, attribute.name, f"a whole number of at most {MOST_DECIMALS}", value)


def _bounds(operation: Any, attribute: attrs.Attribute[Any], value: Any) -> None:
    if value is None:
        return
    pairs: list[Any] = list(value.values()) if isinstance(value, Mapping) else [None]
    for pair in pairs:
        fits = isinstance(pair, (list, tuple)) and len(pair) == 2 and all(is_number(end) for end in pair)
        if not fits or pair[0] >= pair[1]:
            raise wrong(operation, attribute.name, "for each column a list of its lowest and its highest value", value)


class NoiseOperation(ColumnOperation):
    """Add random noise to numbers: with differential privacy for each record, or of a scale that is given.

    With `epsilon` each cell is released by the Laplace mechanism (C. Dwork, F. McSherry, K. Nissim and A. Smith, TCC
    2006) or the Gaussian mechanism (C. Dwork and A. Roth 2014, appendix A), calibrated by OpenDP and sampled by
    OpenDP's own generator. Values are cut to `bounds` first: two people's values then differ by no more than their
    distance, the sensitivity. Each column costs `epsilon` and `delta`, columns add up, and a ledger keeps what was
    spent on the table's people; it refuses more before any data is read. The guarantee is for the cells of the
    columns, not for other columns, the number of records or which cells are missing. With `scale` noise is added and
    nothing is guaranteed. Missing values stay missing.

    Args:
        input_dataset: The table.
        output_dataset: What the table with noise is called.
        columns: Columns of numbers. They are written as floats.
        mechanism: `laplace`, or `gaussian`, which needs a `delta`.
        scale: Noise of this scale without a guarantee: the b of Laplace noise, the standard deviation of Gaussian.
        epsilon: Noise for this privacy loss, for each column.
        delta: With `gaussian`: the probability with which the loss may be greater.
        bounds: With `epsilon`: for each column the lowest and the highest value, known without looking at the data.
        sensitivity: With `epsilon`, in place of `bounds`: by how much two people's values may differ, which is on you.
        person: With `epsilon`: columns that together identify the person of a record, where one may have several. What
            `epsilon` and `delta` promise then holds for all of a person's cells in a column, not for each record.
        contributions: With `person`: how many records of a person are written at most; the others, later in the table,
            are left out. Noise grows with it.
        budget: What the budget in the ledger is called: `input_dataset` unless given. Tables that come from the same
            file share one whatever it is called; give other tables of the same people one name.
        budget_epsilon: How much epsilon may be spent of the budget altogether; the least that any step states holds,
            or what the project file states in `ops-anonymize.budgets`, which steps can only lower.
        budget_delta: The same for delta: 0 unless given.
        reproducible: Draw from the step's seeded generator, with the same scale. Anyone who knows the seed can take the
            noise away, so that the guarantee is void; nothing is entered as spent.
        decimals: To how many decimals the result is rounded, 15 at most, which costs nothing.
        on_identifiers: What happens to other columns of a published table that look like direct identifiers: `warn`
            keeps them, `drop` leaves them out, `fail` refuses to continue.
        insensitive_attributes: Columns that are harmless, whatever they look like.
        output_format: `csv`, `parquet` …, where it should differ from the task's.
    """

    output_dataset: str = writes("{input}_noisy")
    mechanism: Mechanism = attrs.field(default="laplace", validator=one_of(Mechanism))
    scale: float | None = attrs.field(default=None, validator=positive)
    epsilon: float | None = attrs.field(default=None, validator=positive)
    delta: float | None = attrs.field(default=None, validator=_fraction)
    bounds: dict[str, list[int | float]] | None = attrs.field(default=None, validator=_bounds)
    sensitivity: float | None = attrs.field(default=None, validator=positive)
    person: str | list[str] | None = attrs.field(default=None, validator=person_columns)
    contributions: int | None = attrs.field(default=None, validator=whole_number(1))
    budget: str | None = None
    budget_epsilon: float | None = attrs.field(default=None, validator=positive)
    budget_delta: float | None = attrs.field(default=None, validator=_fraction)
    reproducible: bool = False
    decimals: int | None = attrs.field(default=None, validator=_decimals)

    version = "1.2"

    def __attrs_post_init__(self) -> None:
        if (self.scale is None) == (self.epsilon is None):
            raise ParameterError(
                "NoiseOperation: give `epsilon` for differential privacy, or `scale` for noise without a guarantee"
            )
        if self.scale is not None:
            names = (
                *("delta", "bounds", "sensitivity", "person", "contributions"),
                *("budget", "budget_epsilon", "budget_delta"),
            )
            idle = [name for name in names if getattr(self, name) is not None]
            if idle:
                raise ParameterError(f"NoiseOperation: `{idle[0]}` does nothing with `scale`; it belongs to `epsilon`")
            return
        both = [name for name in columns_of_person(self.person) if name in self.columns]
        if both:
            raise ParameterError(f"NoiseOperation: {', '.join(both)} is in both `person` and `columns`")
        if (self.person is None) != (self.contributions is None):
            raise ParameterError(
                "NoiseOperation: `person` needs `contributions`, how many records of a person are written at most"
                if self.contributions is None
                else "NoiseOperation: `contributions` bounds the records of a person: name `person`"
            )
        if (self.bounds is None) == (self.sensitivity is None):
            raise ParameterError("NoiseOperation: `epsilon` needs either `bounds` or `sensitivity`")
        if self.bounds is not None and set(self.bounds) != set(self.columns):
            raise ParameterError("NoiseOperation: `bounds` has to name each of `columns`, and no other")
        if (self.mechanism == "gaussian") != (self.delta is not None):
            raise ParameterError("NoiseOperation: `delta` belongs to `mechanism: gaussian`, which needs it")
        if self.budget_delta is not None and self.budget_epsilon is None:
            raise ParameterError("NoiseOperation: `budget_delta` needs a `budget_epsilon` beside it")

    def execute(self, ctx: OperationContext) -> OperationResult:
        """Calibrate, see that the columns are there, enter what it costs, and only then read rows, chunk by chunk."""
        calibrated = {name: self._calibrated(name) for name in self.columns}
        metrics: dict[str, Any] = {
            "mechanism": self.mechanism,
            "scale": {name: found.scale for name, found in calibrated.items()},
            "generator": "OpenDP" if self._private else "seeded",
            "guarantee": "none",
        }
        of_person = columns_of_person(self.person)
        require(ctx, self.input_dataset, {"columns": self.columns, "person": of_person})
        if self.epsilon is not None:
            metrics |= self._spent(ctx, calibrated)
        noisy = dict.fromkeys(self.columns, 0)
        cut = dict.fromkeys(self.columns, 0)
        # a generator for each column: else the draws of one would depend on how many records are read at a time
        seeds = ctx.rng.integers(2**63, size=len(self.columns)).tolist()
        generators = {name: np.random.default_rng(seed) for name, seed in zip(self.columns, seeds, strict=True)}

        bound = ContributionBound(of_person, self.contributions or 1, self.input_dataset)

        looked = self.epsilon is None or bool(of_person)

        def add(piece: pd.DataFrame) -> pd.DataFrame:
            nonlocal looked
            if not looked and len(piece):
                looked = True
                self._warn_of_repeats(ctx, piece)
            piece = bound.kept(piece)
            written: dict[str, pd.Series[Any]] = {}
            for name in self.columns:
                require_numbers(self.input_dataset, piece[name], "columns")
                values = piece[name].to_numpy(dtype=np.float64, na_value=np.nan)
                there = ~np.isnan(values)
                inside, changed = self._within_bounds(name, values[there])
                cut[name] += changed
                values = values.copy()
                values[there] = self._with_noise(generators[name], inside, calibrated[name])
                noisy[name] += int(there.sum())
                written[name] = pd.Series(values, index=piece.index)
            return piece.assign(**written)

        rows, _, looks_like = self.rewritten(ctx, add)
        if self._private or self.epsilon is None:
            # how many values lie outside the bounds is itself a fact about the data, and is not told with a guarantee
            cut = {}
        return OperationResult.success(
            {
                **metrics,
                "rows": rows,
                "cells_with_noise": noisy,
                **({"cells_cut_to_bounds": cut} if cut else {}),
                **looks_like,
            }
        )

    def _warn_of_repeats(self, ctx: OperationContext, first: pd.DataFrame) -> None:
        """Warn where what is promised for each record is less for a person: an identifier repeats in the first rows."""
        others = [name for name in first.columns if name not in self.columns_with_roles()]
        found = repeated(first, likely_roles(first, others, identifiers_of(ctx.run))[DIRECT])
        if found:
            ctx.warn(
                f"{self.input_dataset}: {', '.join(map(str, found))} repeats in the first {len(first):,} records: one"
                f" person may have several. epsilon holds for each record: a person with n records loses n times as"
                f" much. State `person` and `contributions`"
            )

    @property
    def _private(self) -> bool:
        return self.epsilon is not None and not self.reproducible

    def _calibrated(self, name: str) -> Calibrated:
        if self.scale is not None:
            return Calibrated(self.scale, None, None)
        assert self.epsilon is not None
        if self.bounds is not None:
            low, high = self.bounds[name]
            sensitivity = float(high - low)
        else:
            assert self.sensitivity is not None
            sensitivity = float(self.sensitivity)
        # a person's records add up (basic composition): each gets its part of what is promised to the person
        each = 1 / (self.contributions or 1)
        if self.mechanism == "laplace":
            return laplace(sensitivity, self.epsilon * each, sampled_here=self.reproducible)
        assert self.delta is not None
        return gaussian(sensitivity, self.epsilon * each, self.delta * each)

    def _spent(self, ctx: OperationContext, calibrated: Mapping[str, Calibrated]) -> dict[str, Any]:
        """Enter the cost into the ledger, or say why there is none."""
        assert self.epsilon is not None
        cost = Spending(self.epsilon * len(self.columns), (self.delta or 0.0) * len(self.columns))
        if self.reproducible:
            void = (
                f"the noise in {self.output_dataset} comes from the step's seed (`reproducible: true`): anyone with the"
                f" seed can subtract it, so differential privacy is void. Nothing was entered as spent; do not release"
                f" the table"
            )
            ctx.warn(void)
            return {"guarantee": "void", "meaning": void, "epsilon": self.epsilon, "delta": self.delta or 0.0}
        ledger = ledger_of(ctx.run, ctx.directories.get_directory("configs"))
        name = self.budget or self.input_dataset
        _, after = ledger.spend(
            Request(
                budget=name,
                cost=cost,
                limit=None if self.budget_epsilon is None else Limit(self.budget_epsilon, self.budget_delta or 0.0),
                origins=origins_of(ctx.run, self.input_dataset),
                run_id=ctx.run.record.run_id,
                step=ctx.step.id,
                facts={
                    "task_id": ctx.run.record.task_id,
                    "dataset": self.input_dataset,
                    "columns": list(self.columns),
                    "mechanism": self.mechanism,
                },
            )
        )
        whose = "record" if self.person is None else "person"
        return {
            "guarantee": f"differential privacy of each {whose}'s cells in these columns",
            "epsilon": self.epsilon,
            "delta": self.delta or 0.0,
            "epsilon_by_opendp": {
                column: None if found.epsilon is None else found.epsilon * (self.contributions or 1)
                for column, found in calibrated.items()
            },
            "budget": name,
            "spent": cost.told(),
            "spent_altogether": after.spent.told(),
            "limit": None if after.limit is None else after.limit.told(),
        }

    def _within_bounds(self, name: str, values: Floats) -> tuple[Floats, int]:
        if self.bounds is not None:
            low, high = self.bounds[name]
            inside = np.clip(values, low, high)
            return inside, int((inside != values).sum())
        if not np.isfinite(values).all():
            raise DataError(f"{self.input_dataset}: column {name} holds infinite values, which no noise hides")
        return values, 0

    def _with_noise(self, generator: np.random.Generator, values: Floats, calibrated: Calibrated) -> Floats:
        if self._private:
            assert calibrated.release is not None
            noisy = np.asarray(calibrated.release(values) if len(values) else values, dtype=np.float64)
        elif self.mechanism == "laplace":
            noisy = values + generator.laplace(0.0, calibrated.scale, len(values))
        else:
            noisy = values + generator.normal(0.0, calibrated.scale, len(values))
        return noisy if self.decimals is None else noisy.round(self.decimals)
