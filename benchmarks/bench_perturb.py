"""Seconds of each operation of pamola-ops-perturb at a million records: the change, its measures, and all of a step.

    python benchmarks/bench_perturb.py [RECORDS]

`perturb` is what the operation does with the table in memory, measures of risk and utility included: at most 5 seconds
are wanted of it. Beside it, for comparison, is one stable `numpy.argsort` of each column that the operation changes, of
which a rank swap or shuffle needs at least one. `step` is a run of one step, in which the table is hashed, copied and
written as CSV, too. All are seconds of the processor.
"""

from __future__ import annotations

import importlib
import sys
import time
from typing import Any

import numpy as np
import pandas as pd

from pamola_tasks.functions import run_on

CASES: list[tuple[str, dict[str, Any]]] = [
    ("PramOperation", {"columns": ["religion"], "strata": ["sex"]}),
    ("RankSwapOperation", {"columns": ["income", "age", "savings"], "p": 5}),
    (
        "RecordSwapOperation",
        {
            "hierarchy": ["country", "region", "town"],
            "similar": [["size", "sex"], ["size"]],
            "risk_variables": ["band", "religion"],
            "hid": "household",
        },
    ),
    ("ShuffleOperation", {"columns": ["income", "savings"], "predictors": ["age", "religion"]}),
    ("CorrelatedNoiseOperation", {"columns": ["income", "age", "savings"], "noise": 10}),
    ("DateShiftOperation", {"columns": ["admitted"], "person": "household"}),
]


def population(records: int) -> pd.DataFrame:
    """Persons in households of three, in five countries."""
    rng = np.random.default_rng(1)
    normal = rng.multivariate_normal([0, 0, 0], [[1, 0.6, 0.3], [0.6, 1, 0.4], [0.3, 0.4, 1]], records)
    household = np.arange(records) // 3
    homes = household.max() + 1
    country = rng.integers(0, 5, homes)
    region = country * 10 + rng.integers(0, 6, homes)
    town = region * 100 + rng.integers(0, 20, homes)
    age = (45 + 12 * normal[:, 1]).round().clip(0, 100).astype("int64")
    return pd.DataFrame(
        {
            "household": household,
            "country": country[household],
            "region": region[household],
            "town": town[household],
            "size": rng.integers(1, 6, homes)[household],
            "sex": rng.choice(["f", "m"], homes)[household],
            "religion": rng.choice(list("abcdefgh"), records, p=[0.5, 0.2, 0.1, 0.08, 0.06, 0.03, 0.02, 0.01]),
            "income": np.exp(normal[:, 0] + 8).round(2),
            "age": age,
            "band": age // 10,
            "savings": normal[:, 2] * 1000,
            "admitted": pd.Timestamp("2020-01-01") + pd.to_timedelta(rng.integers(0, 1000, records), unit="D"),
        }
    )


def main() -> None:
    """Run them all, one after the other."""
    records = int(sys.argv[1]) if sys.argv[1:] else 1_000_000
    frame = population(records)
    print(f"{records:,} records\n{'operation':26}{'columns':>9}{'argsort':>9}{'perturb':>9}{'step':>9}")
    for name, parameters in CASES:
        operation = vars(importlib.import_module("pamola_ops_perturb"))["__getattr__"](name)
        changed = operation(input_dataset="table", **parameters).changed()
        sort = sum(sorting(frame[column]) for column in changed)
        spent: list[float] = []
        operation.perturb = timed(operation.perturb, spent)
        began = time.process_time()
        run_on(frame, name, writes="output_dataset", **parameters)
        step = time.process_time() - began
        print(f"{name:26}{len(changed):9}{sort:9.2f}{sum(spent):9.2f}{step:9.2f}", flush=True)


def sorting(column: pd.Series[Any]) -> float:
    """Seconds of a stable sort of a column; of texts, of their numbers in the order of appearance."""
    values = pd.factorize(column)[0] if column.dtype == "str" else column.to_numpy()
    began = time.process_time()
    np.argsort(values, kind="stable")
    return time.process_time() - began


def timed(perturb: Any, spent: list[float]) -> Any:
    """The method, which then notes its seconds."""

    def measured(*given: Any) -> Any:
        began = time.process_time()
        try:
            return perturb(*given)
        finally:
            spent.append(time.process_time() - began)

    return measured


if __name__ == "__main__":
    main()
