"""Time and memory of counting combinations: the engines of `tables`, beside `groupby` of the whole table in pandas.

    python benchmarks/bench_combinations.py [--rows 1000000] [--repeats 3] [--limit 1000]

Seeded people with five columns, in Parquet. Each way to count runs in a process of its
own, one after the other in turn, from the file; seconds are those of the processor, which other work on the machine
changes less, and the best of the repeats. Memory is the most that was taken on top of the imports. Ratios are to
`groupby`, which is the only one that needs the whole table in memory. All have to find the same combinations.
"""

from __future__ import annotations

import argparse
import hashlib
import logging
import multiprocessing
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from bench_anonymize import most_memory, people

from pamola_tasks import BaseTask, Kernel, Operation, OperationResult, reads
from pamola_tasks_tables.protocol import weight_name

WAYS = ("groupby", "pieces", "duckdb")


class CombinationsOperation(Operation):
    """Count combinations.

    Args:
        input_dataset: The table.
        columns: The columns.
        way: How.
    """

    input_dataset: str = reads()
    columns: list[str]
    way: str

    def execute(self, ctx: Any) -> OperationResult:
        """Count, and say how many there are, a hash of their weights, and what it took."""
        before, worked = most_memory(), time.process_time()
        if self.way == "groupby":
            frame = pd.concat(list(ctx.data.chunks(self.input_dataset, 1 << 40, self.columns)))
            weights = frame.groupby(self.columns, dropna=False, observed=True, sort=True).size().to_numpy()
        else:
            stream = ctx.run.tables.of(ctx).combinations(self.input_dataset, self.columns)
            weight = weight_name(self.columns)
            weights = np.concatenate([batch.column(weight).to_numpy() for batch in stream])
        taken = {"seconds": time.process_time() - worked, "mib": (most_memory() - before) / 2**20}
        digest = hashlib.sha256(np.sort(weights).astype("<i8").tobytes()).hexdigest()
        return OperationResult.success({**taken, "combinations": len(weights), "digest": digest})


class Counting(BaseTask):
    """A task with this one step."""

    def __init__(self, columns: list[str], way: str) -> None:
        super().__init__(f"t_{way}", "benchmark", "Counts.", input_datasets={"people": "people.parquet"})
        self.counted: dict[str, Any] = {"input_dataset": "people", "columns": columns, "way": way}

    def configure_operations(self) -> None:
        """Count."""
        self.add_operation(CombinationsOperation, **self.counted)


def counted(folder: Path, columns: list[str], way: str, limit: int) -> dict[str, Any]:
    """What one way to count took."""
    logging.disable(logging.WARNING)
    settings: dict[str, Any] = {"memory_limit_mb": limit}
    if way != "groupby":
        settings["tables"] = {"engine": way}
    outcome = Kernel.discover(project=folder).run(Counting(columns, way), overrides=settings, restart=True)
    if not outcome.success:
        raise RuntimeError(str(outcome.error))
    return dict(outcome.record.steps[0].metrics)


def alone(*arguments: Any) -> dict[str, Any]:
    """The same in a process of its own."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(counted, *arguments).result()


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--limit", type=int, default=1000, help="memory_limit_mb of the engines")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / ".pamola.toml").touch()
        table = people(arguments.rows)
        columns = list(table.columns)
        table.to_parquet(folder / "people.parquet", row_group_size=100_000)
        del table
        found: dict[str, list[dict[str, Any]]] = {way: [] for way in WAYS}
        for _ in range(arguments.repeats):
            for way in WAYS:
                found[way].append(alone(folder, columns, way, arguments.limit))
    if len({each["digest"] for of_way in found.values() for each in of_way}) > 1:
        raise SystemExit("the combinations are not the same")
    base = min(each["seconds"] for each in found["groupby"])
    most = max(each["mib"] for each in found["groupby"])
    print(f"{arguments.rows:,} rows, {len(columns)} columns, {found['pieces'][0]['combinations']:,} combinations")
    for way, of_way in found.items():
        seconds, mib = min(each["seconds"] for each in of_way), max(each["mib"] for each in of_way)
        print(f"{way:8} {seconds:7.2f} s CPU  {seconds / base:5.2f} x   {mib:7.0f} MiB  {mib / most:5.2f} x")


if __name__ == "__main__":
    main()
