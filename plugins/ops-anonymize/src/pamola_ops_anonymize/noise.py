"""The operation that adds random noise to numbers, with or without a guarantee of differential privacy."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import attrs
import numpy as np
import numpy.typing as npt
import pandas as pd

from pamola_tasks import Effects, OperationContext, OperationResult, writes
from pamola_tasks.errors import DataError, ParameterError

from .accounting import Spending
from .calibration import Calibrated, gaussian, gaussian_of_rho, laplace, opendp
from .column_operation import ColumnOperation
from .columns import (
    columns_of_person,
    is_number,
    is_whole,
    one_of,
    person_columns,
    positive,
    require,
    require_numbers,
    whole_number,
    wrong,
)
from .effects import hidden, of_each
from .persons import ContributionBound, Persons
from .roles import NOISE
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

Numbers = npt.NDArray[Any]

WHOLE, ROUNDED = "whole numbers, discrete noise", "exact, rounded once to floats"
CLAMPED = (
    "cells beyond the bounds were set to the bound after noise was added: that costs nothing, and means of the column"
    " are nearer to the middle than they were"
)

MOST_DECIMALS = 15
"""More no float holds, and rounding to far more gives no number at all."""


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
    2006) or, with `delta` or `rho`, by the Gaussian mechanism (M. Bun and T. Steinke, TCC 2016). OpenDP confirms what
    it costs, and draws the noise: for columns of whole numbers that of the discrete distributions (C. Canonne, G.
    Kamath and T. Steinke, NeurIPS 2020), so that cells stay whole; for others exactly, rounded once, so that the bits
    of a float give nothing away (I. Mironov, CCS 2012). Values are cut to `bounds` first: two people's values then
    differ by no more than their distance, the sensitivity. Each column costs `epsilon` and `delta`, or `rho`, and a
    ledger keeps what was spent on the table's people. It refuses more before any data is read, and is charged once
    columns and types have been checked, before noise is drawn. The guarantee is for the cells of the columns, not for
    other columns, the number of records or which cells are missing. With `scale` noise is added and nothing is
    guaranteed. Missing values stay missing.

    Args:
        input_dataset: The table.
        output_dataset: What the table with noise is called.
        columns: Columns of numbers. Whole numbers stay whole, unless `data_types` states `number`.
        mechanism: `laplace`, or `gaussian`, which needs `delta` or `rho`.
        scale: Noise of this scale without a guarantee: the b of Laplace noise, the standard deviation of Gaussian.
        epsilon: Noise for this privacy loss, for each column.
        delta: With `gaussian`: the probability with which the loss may be greater.
        rho: With `gaussian`, in place of `epsilon` and `delta`: the loss of each column by zCDP, which adds up best.
        bounds: With a guarantee: for each column the lowest and the highest value, known without looking at the data.
        sensitivity: In place of `bounds`: by how much two people's values may differ, which is on you.
        clamp: Set cells beyond `bounds` to the bound after noise was added. That costs nothing, and draws the means of
            columns towards the middle.
        person: With a guarantee: columns that together identify the person of a record, where one may have several.
            What is promised then holds for all of a person's cells in a column, not for each record.
        contributions: With `person`: how many records of a person are written at most; the others, later in the table,
            are left out. Laplace noise grows with it, Gaussian noise with its root.
        budget: What the budget in the ledger is called: `input_dataset` unless given. Tables that come from the same
            file, or have a person in common by `person` or an identifier, share one whatever it is called; give other
            tables of the same people one name.
        budget_epsilon: How much epsilon may be spent of the budget altogether; the least that any step states holds,
            or what the project file states in `ops-anonymize.budgets`, which steps can only lower.
        budget_delta: The delta that goes with it: 0 unless given.
        budget_rho: How much rho may be spent altogether, likewise.
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
    epsilon: float | None = attrs.field(default=None, validator=loss)
    delta: float | None = attrs.field(default=None, validator=probability)
    rho: float | None = attrs.field(default=None, validator=loss)
    bounds: dict[str, list[int | float]] | None = attrs.field(default=None, validator=_bounds)
    sensitivity: float | None = attrs.field(default=None, validator=positive)
    clamp: bool = False
    person: str | list[str] | None = attrs.field(default=None, validator=person_columns)
    contributions: int | None = attrs.field(default=None, validator=whole_number(1))
    budget: str | None = None
    budget_epsilon: float | None = attrs.field(default=None, validator=positive)
    budget_delta: float | None = attrs.field(default=None, validator=probability)
    budget_rho: float | None = attrs.field(default=None, validator=positive)
    reproducible: bool = False
    decimals: int | None = attrs.field(default=None, validator=_decimals)

    version = "1.3"
    done = NOISE

    def __attrs_post_init__(self) -> None:
        if [self.scale, self.epsilon, self.rho].count(None) != 2:
            raise ParameterError(
                "NoiseOperation: give `epsilon` for differential privacy, or `scale` for noise without a guarantee"
                " (or `rho` in place of `epsilon` and `delta`)"
            )
        if self.scale is not None:
            names = (
                *("delta", "bounds", "sensitivity", "person", "contributions"),
                *("budget", "budget_epsilon", "budget_delta", "budget_rho"),
            )
            idle = [name for name in names if getattr(self, name) is not None] + ["clamp"] * self.clamp
            if idle:
                raise ParameterError(f"NoiseOperation: `{idle[0]}` does nothing with `scale`; it belongs to `epsilon`")
            return
        both = [name for name in columns_of_person(self.person) if name in self.columns]
        if both:
            raise ParameterError(f"NoiseOperation: {', '.join(both)} is in both `person` and `columns`")
        if (self.bounds is None) == (self.sensitivity is None):
            raise ParameterError("NoiseOperation: `epsilon` needs either `bounds` or `sensitivity`")
        if self.bounds is not None and set(self.bounds) != set(self.columns):
            raise ParameterError("NoiseOperation: `bounds` has to name each of `columns`, and no other")
        if self.clamp and self.bounds is None:
            raise ParameterError("NoiseOperation: `clamp` needs `bounds`")
        check_loss(self)

    def effects(self, columns: Mapping[str, Sequence[str]]) -> Mapping[str, Effects]:
        """The columns are hidden; whose records there are decides which of them stay."""
        whole = of_each(self.input_dataset, columns_of_person(self.person), "FILTER")
        return {self.output_dataset: self.effects_of(columns, hidden(self.input_dataset, self.columns), whole=whole)}

    def execute(self, ctx: OperationContext) -> OperationResult:
        """See that budget, columns and types fit, enter what it costs, and only then draw noise, chunk by chunk."""
        of_person = columns_of_person(self.person)
        roles = {"columns": self.columns, "person": of_person, "insensitive_attributes": self.insensitive_attributes}
        require(ctx, self.input_dataset, roles)
        metrics: dict[str, Any] = {
            "mechanism": self.mechanism,
            "generator": "OpenDP" if self._private else "seeded",
            "guarantee": "none",
        }
        enter: Callable[[], dict[str, Any]] = dict
        if self._private:
            told, enter = self._prepared(ctx)
            metrics |= told
        elif self.scale is None:
            metrics |= self._void(ctx)
        calibrated: dict[str, Calibrated] = {}
        noisy, cut, clamped = (dict.fromkeys(self.columns, 0) for _ in range(3))
        # a generator for each column: else the draws of one would depend on how many records are read at a time
        seeds = ctx.rng.integers(2**63, size=len(self.columns)).tolist()
        generators = {name: np.random.default_rng(seed) for name, seed in zip(self.columns, seeds, strict=True)}
        bound = ContributionBound(of_person, self.contributions or 1, self.input_dataset)

        def add(piece: pd.DataFrame) -> pd.DataFrame:
            nonlocal enter
            if len(piece):  # now that the writer, which asks for it, has found nothing wrong either
                metrics.update(enter())
                enter = dict
            piece = bound.kept(piece)
            written: dict[str, pd.Series[Any]] = {}
            for name in self.columns:
                if name not in calibrated:
                    calibrated[name] = self._calibrated(name, whole=is_whole(piece[name]))
                require_numbers(ctx, self.input_dataset, piece[name], "columns")
                there = piece[name].notna().to_numpy()
                inside, changed = self._within_bounds(name, piece[name][there])
                values = self._with_noise(generators[name], inside, calibrated[name])
                values, beyond = self._clamped(name, values)
                cut[name] += changed
                clamped[name] += beyond
                noisy[name] += len(values)
                written[name] = _with_gaps(values, there, piece.index)
            return piece.assign(**written)

        look = None if self.scale is not None or of_person else partial(warn_of_repeats, ctx, self)
        within = ContributionBound(of_person, self.contributions or 1, self.input_dataset)
        among = (within.kept, of_person) if of_person else None
        rows, _, looks_like = self.rewritten(ctx, add, among=among, look=look)
        if self._private:
            metrics["arithmetic"] = {name: WHOLE if found.whole else ROUNDED for name, found in calibrated.items()}
            metrics["epsilon_by_opendp"] = {name: found.epsilon for name, found in calibrated.items()}
        if self._private or self.scale is not None:
            # how many values lie outside the bounds is itself a fact about the data, and is not told with a guarantee
            cut = {}
        return OperationResult.success(
            {
                **metrics,
                "scale": {name: found.scale for name, found in calibrated.items()},
                "rows": rows,
                "cells_with_noise": noisy,
                **({"cells_cut_to_bounds": cut} if cut else {}),
                **({"cells_clamped": clamped, "clamp": CLAMPED} if self.clamp else {}),
                **looks_like,
            }
        )

    @property
    def _private(self) -> bool:
        return self.scale is None and not self.reproducible

    def _calibrated(self, name: str, *, whole: bool) -> Calibrated:
        if self.scale is not None:
            return Calibrated(self.scale, None, None)
        sensitivity = float(self.sensitivity or 0)
        if self.bounds is not None:
            low, high = self._bounds_of(name, whole=whole)
            sensitivity = float(high - low)
        # a person's records are one release of as many values: their L1 and L2 distances
        records = self.contributions or 1
        how: dict[str, Any] = {"whole": whole, "sampled_here": self.reproducible}
        if self.mechanism == "laplace":
            assert self.epsilon is not None
            return laplace(sensitivity * records, self.epsilon, **how)
        sensitivity *= math.sqrt(records)
        if self.rho is not None:
            return gaussian_of_rho(sensitivity, self.rho, **how)
        assert self.epsilon is not None
        assert self.delta is not None
        return gaussian(sensitivity, self.epsilon, self.delta, **how)

    def _bounds_of(self, name: str, *, whole: bool) -> tuple[float, float]:
        """The bounds of a column; of whole numbers the outermost whole ones within them."""
        assert self.bounds is not None
        low, high = self.bounds[name]
        if whole:
            low, high = max(math.ceil(low), -(2**62)), min(math.floor(high), 2**62)
            if low >= high:
                raise DataError(
                    f"{self.input_dataset}: column {name} holds whole numbers, and its bounds hold no two of them:"
                    f" nothing was entered as spent"
                )
        return low, high

    def _void(self, ctx: OperationContext) -> dict[str, Any]:
        void = (
            f"the noise in {self.output_dataset} comes from the step's seed (`reproducible: true`): anyone with the"
            f" seed can subtract it, so differential privacy is void. Nothing was entered as spent; do not release"
            f" the table"
        )
        ctx.warn(void)
        return {"guarantee": "void", "meaning": void, "epsilon": self.epsilon, "delta": self.delta or 0.0}

    def _prepared(self, ctx: OperationContext) -> tuple[dict[str, Any], Callable[[], dict[str, Any]]]:
        """Refuse what a wrong parameter or table stops; what is reported, and what enters the cost."""
        opendp()
        if self.mechanism == "laplace":
            assert self.epsilon is not None
            # each record of a person gets its part of what is promised to the person
            part = self.epsilon / (self.contributions or 1)
            cost = attrs.evolve(
                pure(part, len(self.columns) * (self.contributions or 1)), epsilon=self.epsilon * len(self.columns)
            )
        else:
            each = (math.inf if self.epsilon is None else self.epsilon), self.delta or 0.0, rho_of_loss(self)
            cost = Spending(*(part * len(self.columns) for part in each))
        ledger, request = ledger_in(ctx), request_of(ctx, self, cost, columns=list(self.columns))
        ledger.check(request)
        told = {
            "guarantee": f"differential privacy of each {whose(self)}'s cells in these columns",
            "epsilon": self.epsilon,
            "delta": self.delta or 0.0,
            "rho": self.rho,
        }
        if not self._checked(ctx):
            ctx.warn(f"{self.input_dataset} has no records: nothing was entered as spent")
        request = with_people(ctx, self, request)
        ledger.check(request)
        return told, partial(spend, ledger, request)

    def _checked(self, ctx: OperationContext) -> int:
        """Read the table for what would stop the step, and count its records; nothing of it is kept."""
        records = 0
        of_person = columns_of_person(self.person)
        for piece in ctx.data.chunks(self.input_dataset, columns=[*self.columns, *of_person]):
            if not len(piece):
                continue
            for name in self.columns:
                require_numbers(ctx, self.input_dataset, piece[name], "columns")
                if not records:
                    self._calibrated(name, whole=is_whole(piece[name]))
                self._within_bounds(name, piece[name][piece[name].notna()])
            if of_person:
                Persons.in_columns(piece, of_person, self.input_dataset)
            records += len(piece)
        return records

    def _within_bounds(self, name: str, column: pd.Series[Any]) -> tuple[Numbers, int]:
        """The values of a column, and how many of them were changed."""
        whole = is_whole(column)
        values = column.to_numpy(dtype=np.int64 if whole else np.float64, copy=True)
        if self.bounds is not None:
            inside = np.clip(values, *self._bounds_of(name, whole=whole))
            return inside, int((inside != values).sum())
        if not np.isfinite(values).all():
            raise DataError(f"{self.input_dataset}: column {name} holds infinite values, which no noise hides")
        return values, 0

    def _with_noise(self, generator: np.random.Generator, values: Numbers, calibrated: Calibrated) -> Numbers:
        if self._private:
            assert calibrated.release is not None
            noisy = np.asarray(calibrated.release(values) if len(values) else values, dtype=values.dtype)
        else:
            draw = generator.laplace if self.mechanism == "laplace" else generator.normal
            drawn = draw(0.0, calibrated.scale, len(values))
            noisy = values + (np.rint(drawn).astype(np.int64) if values.dtype == np.int64 else drawn)
        return noisy if self.decimals is None or noisy.dtype == np.int64 else noisy.round(self.decimals)

    def _clamped(self, name: str, values: Numbers) -> tuple[Numbers, int]:
        if not self.clamp:
            return values, 0
        inside = np.clip(values, *self._bounds_of(name, whole=values.dtype == np.int64))
        return inside, int((inside != values).sum())


def _with_gaps(values: Numbers, there: npt.NDArray[np.bool_], index: pd.Index) -> pd.Series[Any]:
    """A column with these values where something was, and missing values elsewhere."""
    if values.dtype == np.int64:
        whole = np.zeros(len(there), dtype=np.int64)
        whole[there] = values
        return pd.Series(pd.arrays.IntegerArray(whole, ~there), index=index)
    cells = np.full(len(there), np.nan)
    cells[there] = values
    return pd.Series(cells, index=index)
