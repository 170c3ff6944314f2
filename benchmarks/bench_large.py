"""Peak memory and speed of each operation on tables that grow: what a row costs, and what does not fit.

    python benchmarks/bench_large.py [--rows 300000,1000000,3000000] [--only Risk,Profile] [--format csv] [--whole]

Tables are those of `large_tables.py`, with columns that name people. Each step runs in a process of its own, one after
the other, from file to file. MiB are the most resident memory of the process, imports included; beside them stand what
each further row took between the smallest table and the largest, in bytes, and seconds of the processor. A step that
works in pieces takes next to no bytes a row.
"""

from __future__ import annotations

import argparse
import base64
import logging
import multiprocessing
import os
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import large_tables
from bench_anonymize import most_memory

from pamola_tasks import Kernel
from pamola_tasks.protocols import RunOptions
from pamola_tasks_compat import TaskRunner

WHOLE = "BENCH_WHOLE"  # a variable of the processes that take tables whole
QUASI = list(large_tables.QUASI_IDENTIFIERS)
TABLE = {"input_dataset": "table", "on_identifiers": "warn"}
BOTH = {"original_dataset": "table", "anonymized_dataset": "released", "quasi_identifiers": QUASI}
INCOME = {"income": [0, 100_000]}
STATISTICS = {"people": {"kind": "count"}, "earned": {"kind": "mean", "column": "income", "bounds": [0, 100_000]}}
AGES = {"columns": ["age"], "method": "interval", "width": 10}

Steps = dict[str, tuple[str, dict[str, Any]]]
STEPS: Steps = {
    "Profile": ("ProfileOperation", {"dataset_name": "table"}),
    "Risk": ("RiskOperation", {"input_dataset": "table", "quasi_identifiers": QUASI}),
    "Risk, l": (
        "RiskOperation",
        {"input_dataset": "table", "quasi_identifiers": QUASI[:7], "sensitive_attributes": ["occupation"]},
    ),
    "Utility": ("UtilityOperation", BOTH),
    "Attack": ("AttackOperation", {**BOTH, "sensitive_attributes": ["income"]}),
    "Assess": ("AssessOperation", {"input_dataset": "table", "quasi_identifiers": QUASI}),
    "Anonymize": ("AnonymizeOperation", {**TABLE, "quasi_identifiers": QUASI, "k": 5}),
    "Generalize": ("GeneralizeOperation", {**TABLE, **AGES}),
    "Pseudonymize": ("PseudonymizeOperation", {**TABLE, "columns": ["email"], "method": "hmac-sha256"}),
    "Pseudonymize, token": (
        "PseudonymizeOperation",
        {**TABLE, "columns": ["email"], "method": "token", "vault_dataset": "vault"},
    ),
    "Mask": ("MaskOperation", {**TABLE, "columns": ["email"], "method": "partial", "keep_last": 4}),
    "TopBottomCode": ("TopBottomCodeOperation", {**TABLE, "columns": ["income"], "top_quantile": 0.99}),
    "Suppress cells": ("SuppressOperation", {**TABLE, "columns": QUASI, "suppress": "cells", "min_count": 5}),
    "Suppress records": ("SuppressOperation", {**TABLE, "columns": QUASI, "suppress": "records", "min_count": 5}),
    "Drop": ("DropOperation", {**TABLE, "columns": ["email"]}),
    "Noise": ("NoiseOperation", {**TABLE, "columns": ["income"], "epsilon": 1, "bounds": INCOME}),
    "PrivateStatistics": (
        "PrivateStatisticsOperation",
        {"input_dataset": "table", "statistics": STATISTICS, "epsilon": 1},
    ),
    "HoldOut": ("HoldOutOperation", {"input_dataset": "table"}),
    "HoldOut, persons": ("HoldOutOperation", {"input_dataset": "table", "person": "email"}),
    "Correlation": (
        "CorrelationOperation",
        {"primary_dataset": "table", "secondary_dataset": "released", "join_key": "email"},
    ),
}

Measured = tuple[float, float, float]


def step(folder: Path, operation: str, datasets: dict[str, str], parameters: dict[str, Any], task: str) -> Measured:
    """Run one step: its seconds, those of the processor, and the most mebibytes that the process took."""
    logging.disable(logging.WARNING)
    operations = [{"operation": operation, "parameters": parameters}]
    runner = TaskRunner(task, input_datasets=datasets, operation_configs=operations)
    started, worked = time.perf_counter(), time.process_time()
    options = RunOptions(overrides={"use_vectorization": WHOLE in os.environ})
    outcome = Kernel.discover(project=folder).run(runner, options=options)
    if not outcome.success:
        raise RuntimeError(str(outcome.error))
    return time.perf_counter() - started, time.process_time() - worked, most_memory() / 2**20


def alone(*arguments: Any) -> Measured:
    """The same in a process of its own."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(step, *arguments).result()


def project(folder: Path, rows: int, format: str) -> dict[str, str]:
    """A project with a table of so many rows and a release of it, whose ages are generalized: its datasets."""
    (folder / ".pamola.toml").touch()
    Kernel.discover(project=folder)
    large_tables.write(rows, folder / f"table.{format}", identified=True)
    datasets = {"table": f"table.{format}"}
    parameters = {**TABLE, **AGES, "output_dataset": "released", "output_format": format}
    alone(folder, "GeneralizeOperation", datasets, parameters, "t_release")
    (released,) = folder.rglob(f"released.{format}")
    return {**datasets, "released": str(released.relative_to(folder))}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", default="300000,1000000,3000000", help="of tables, with commas between them")
    parser.add_argument("--only", default="", help="beginnings of the names of steps, with commas between them")
    parser.add_argument("--format", choices=("csv", "parquet"), default="csv")
    parser.add_argument("--whole", action="store_true", help="take tables whole (`use_vectorization`)")
    arguments = parser.parse_args()
    os.environ |= {WHOLE: "1"} if arguments.whole else {}
    os.environ["PAMOLA_KEY"] = base64.b64encode(bytes(range(32))).decode()
    chosen = tuple(arguments.only.split(","))
    names = [name for name in STEPS if name.startswith(chosen)]
    found: dict[str, dict[int, Measured]] = {name: {} for name in names}
    sizes = [int(rows) for rows in arguments.rows.split(",")]
    for rows in sizes:
        with tempfile.TemporaryDirectory() as place:
            folder = Path(place)
            datasets = project(folder, rows, arguments.format)
            for number, name in enumerate(names):
                operation, parameters = STEPS[name]
                reads = {key: datasets[key] for key in datasets if key in map(str, parameters.values())}
                try:
                    found[name][rows] = alone(folder, operation, reads, parameters, f"t_{number}")
                    seconds, worked, memory = found[name][rows]
                    print(f"  {name}, {rows:,} rows: {memory:,.0f} MiB, {worked:.1f} s ({seconds:.1f} s)", flush=True)
                except RuntimeError as problem:
                    print(f"{name}, {rows:,} rows: {problem}"[:200], flush=True)
                for output in folder.glob(f"**/t_{number}/**/*.{arguments.format}"):
                    output.unlink()
    print(f"{'':<20}" + "".join(f"{rows:>13,} rows " for rows in sizes) + " bytes a row")
    for name in names:
        told = "".join(
            f"{memory:7,.0f} MiB {worked:5.1f} s" if rows in found[name] else f"{'-':>19}"
            for rows in sizes
            for _, worked, memory in [found[name].get(rows, (0.0, 0.0, 0.0))]
        )
        measured = sorted(found[name])
        grown = ""
        if len(measured) > 1:
            first, last = measured[0], measured[-1]
            grown = f"{(found[name][last][2] - found[name][first][2]) * 2**20 / (last - first):12,.0f}"
        print(f"{name:<20}{told}{grown}", flush=True)


if __name__ == "__main__":
    main()
