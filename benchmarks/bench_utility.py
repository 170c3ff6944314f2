"""Time and memory of measuring a release's utility, beside what anonymizing the same table takes.

    python benchmarks/bench_utility.py [TABLE.csv] [--rows 150000,1500000]

TABLE is resampled to so many records and gets two columns of which nearly all values differ, an income and a date of
birth; without it seeded people are made. Cells are tight, so that each class has cells of its own: as many as there can
be. Each step runs in a process of its own, one after the other, from files. Beside seconds stand those of the
processor, which other work on the machine changes less, and the most memory that the step took on top of the imports.
At most 1 × of the time is allowed, and `memory_limit_mb`.
"""

from __future__ import annotations

import argparse
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

from pamola_tasks import Kernel
from pamola_tasks_compat import TaskRunner

Measured = tuple[float, float, float, dict[str, Any]]


def written(table: pd.DataFrame, rows: int, path: Path) -> list[str]:
    """Write the table with so many records and two columns more; the names of its columns."""
    rng = np.random.default_rng(1)
    large = table.sample(rows, replace=True, random_state=1).reset_index(drop=True)
    large["income"] = np.round(rng.lognormal(10, 0.8, rows), 2)
    large["born"] = pd.Timestamp("1930-01-01") + pd.to_timedelta(rng.integers(0, 26_000, rows), unit="D")
    large.to_csv(path, index=False)
    return list(large.columns)


def step(folder: Path, operation: str, datasets: dict[str, str], parameters: dict[str, Any]) -> Measured:
    """Run one step: its seconds, those of the processor, the mebibytes it took, and its metrics."""
    logging.disable(logging.WARNING)
    operations = [{"operation": operation, "parameters": parameters}]
    task = TaskRunner(f"t_{operation.lower()}", input_datasets=datasets, operation_configs=operations)
    kernel = Kernel.discover(project=folder)
    kernel.operations.get(operation)
    before, started, worked = most_memory(), time.perf_counter(), time.process_time()
    outcome = kernel.run(task)
    if not outcome.success:
        raise RuntimeError(str(outcome.error))
    (record,) = outcome.record.steps
    seconds = record.seconds or time.perf_counter() - started
    return seconds, time.process_time() - worked, (most_memory() - before) / 2**20, dict(record.metrics)


def alone(*arguments: Any) -> Measured:
    """The same in a process of its own."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(step, *arguments).result()


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("table", nargs="?", type=Path)
    parser.add_argument("--rows", default="150000,1500000", help="of tables, with commas between them")
    arguments = parser.parse_args()
    table = people(30_000) if arguments.table is None else pd.read_csv(arguments.table, sep=None, engine="python")
    for rows in map(int, arguments.rows.split(",")):
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            (folder / ".pamola.toml").touch()
            columns = written(table, rows, folder / "table.csv")
            size = (folder / "table.csv").stat().st_size / 1e6
            asked = {"quasi_identifiers": columns, "k": 5}
            made = {"input_dataset": "table", "on_identifiers": "warn", "bounds": "tight", **asked}
            first = alone(folder, "AnonymizeOperation", {"table": "table.csv"}, made)
            (released,) = folder.rglob("table_anonymized.csv")
            both = {"table": "table.csv", "released": str(released.relative_to(folder))}
            measured = {"original_dataset": "table", "anonymized_dataset": "released", **asked}
            second = alone(folder, "UtilityOperation", both, measured)
            print(f"{rows:,} records, {size:.0f} MB, {second[3]['equivalence_classes']:,} classes")
            for operation, (seconds, processor, memory, _) in (("anonymize", first), ("utility", second)):
                print(f"    {operation:<10} {seconds:7.2f} s ({processor:6.2f} s of the processor), {memory:6,.0f} MiB")
            print(f"    utility / anonymize: {second[0] / first[0]:.2f} × ({second[1] / first[1]:.2f} ×)", flush=True)


if __name__ == "__main__":
    main()
