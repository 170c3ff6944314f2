"""The operation that adds noise with the correlations of the data."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import attrs
import numpy as np
import pandas as pd

from pamola_tasks import OperationContext, writes
from pamola_tasks.errors import ParameterError
from pamola_tasks.validators import number, one_of, some_columns

from .columns import Floats, numbers_of, with_numbers
from .linking import link_numbers
from .perturbing import PerturbOperation
from .utility import figures

Method = Literal["correlated", "correlated2"]
NOISE, DELTA = 150.0, 0.1


class CorrelatedNoiseOperation(PerturbOperation):
    """Add normal noise with the covariances of the columns, so that their correlations stay the same.

    J. Kim: A method for limiting disclosure in microdata based on random noise and transformation, Proceedings of the
    ASA Section on Survey Research Methods, 1986; methods and parameters as of sdcMicro's `addNoise`. Independent noise
    would make correlations smaller. Nothing is guaranteed: for differential privacy see `NoiseOperation`. Missing
    values stay missing.

    Args:
        input_dataset: The table.
        output_dataset: What the table with noise is called.
        columns: Columns of numbers, two or more. Whole numbers stay whole.
        method: `correlated` adds noise with `noise` percent of the columns' covariances: means and correlations stay,
            variances grow. `correlated2` also draws values towards their mean, by √(1 - `delta`²), so that variances
            and covariances stay, too; its noise is correlated as well, where that of sdcMicro is not.
        noise: Of `correlated`: the variance of the noise in percent of that of the column; 150 unless given.
        delta: Of `correlated2`: the standard deviation of the noise over that of the column, 0 to 1; 0.1 unless given.
        output_format: `csv`, `parquet` …, where it should differ from the task's.
    """

    output_dataset: str = writes("{input}_noisy")
    columns: list[str] = attrs.field(validator=some_columns)
    method: Method = attrs.field(default="correlated", validator=one_of(Method))
    noise: float | None = attrs.field(default=None, validator=number(0))
    delta: float | None = attrs.field(default=None, validator=number(0, 1))

    done: ClassVar[str] = "noise added"

    def __attrs_post_init__(self) -> None:
        if len(self.columns) < 2:
            raise ParameterError("CorrelatedNoiseOperation: `columns` needs two or more: one has no correlation")
        other = "delta" if self.method == "correlated" else "noise"
        if getattr(self, other) is not None:
            raise ParameterError(f"CorrelatedNoiseOperation: `{other}` does nothing with `method: {self.method}`")

    def changed(self) -> list[str]:
        """Those of `columns`."""
        return list(self.columns)

    def perturb(self, ctx: OperationContext, frame: pd.DataFrame) -> tuple[dict[str, pd.Series[Any]], dict[str, Any]]:
        """Add noise to all columns together."""
        values = np.stack([numbers_of(self.input_dataset, frame[n], "columns") for n in self.columns], axis=1)
        noisy = self._noisy(values, ctx.rng)
        written = {name: with_numbers(frame[name], noisy[:, n]) for n, name in enumerate(self.columns)}
        after = np.stack([each.to_numpy(dtype=np.float64, na_value=np.nan) for each in written.values()], axis=1)
        ctx.stage("measuring")
        return written, {
            "method": self.method,
            "record_linkage": link_numbers(values, after, ctx.rng),
            "utility": figures(self.columns, values, after, ctx.rng),
        }

    def _noisy(self, values: Floats, rng: np.random.Generator) -> Floats:
        complete = values[~np.isnan(values).any(axis=1)]
        if len(complete) < 2:
            return values
        size, directions = np.linalg.eigh(np.cov(complete, rowvar=False))
        drawn = rng.standard_normal(values.shape) @ (directions * np.sqrt(np.maximum(size, 0.0))).T
        if self.method == "correlated":
            return np.asarray(values + np.sqrt((NOISE if self.noise is None else self.noise) / 100) * drawn)
        delta = DELTA if self.delta is None else self.delta
        centre = complete.mean(axis=0)
        return np.asarray(centre + np.sqrt(1 - delta**2) * (values - centre) + delta * drawn)
