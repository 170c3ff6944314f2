"""Time and loss of every strategy at several k, and how that stands to what is wanted.

    python benchmarks/bench_anonymize.py TABLE.csv HIERARCHIES [--rows N] [--bounds rounded]

TABLE: all columns are quasi-identifiers; HIERARCHIES: a folder with a file `…_COLUMN.csv` for each. Without them a
seeded table of 30,000 people is made, with built hierarchies. Time is a whole step: frame in memory to written file,
with its checks; beside it the processor's time, which other work on the machine hardly changes. `--rows` measures at
k = 5 tables of so many rows instead, resampled with seeded jitter of its numbers (slight, and so wide that nearly all
combinations differ), each in a process of its own, with the memory that the step takes. Cells are tight, as those of
other tools are, unless `--bounds` says otherwise:

    python benchmarks/bench_anonymize.py TABLE.csv --rows 1000000,10000000
"""

from __future__ import annotations

import argparse
import logging
import multiprocessing
import platform
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pamola_tasks import Kernel
from pamola_tasks_compat import TaskRunner

WANTED_SET = {2: 0.0085, 5: 0.0275, 10: 0.0500, 50: 0.1352}
WANTED_HIER = {2: 0.0240, 5: 0.0570, 10: 0.0825, 50: 0.1580}
SECONDS = {"mondrian": 0.5, "hierarchy": 3.0}


def people(rows: int) -> pd.DataFrame:
    """A made table with columns such as a census has."""
    rng = np.random.default_rng(30)
    return pd.DataFrame(
        {
            "age": rng.integers(17, 91, rows),
            "sex": rng.choice(["f", "m"], rows),
            "region": rng.choice([f"region {n}" for n in range(40)], rows, p=_falling(40)),
            "work": rng.choice([f"work {n}" for n in range(14)], rows, p=_falling(14)),
            "school": rng.choice([f"school {n}" for n in range(16)], rows, p=_falling(16)),
        }
    )


def _falling(count: int) -> Any:
    parts = 1 / np.arange(1, count + 1)
    return parts / parts.sum()


def jittered(table: pd.DataFrame, rows: int, width: int) -> pd.DataFrame:
    """The table resampled, its numbers moved by up to half the width."""
    rng = np.random.default_rng(1)
    large = table.sample(rows, replace=True, random_state=1).reset_index(drop=True)
    for column in large.select_dtypes("number"):
        large[column] = large[column] * max(1, width // 7) + rng.integers(-(width // 2), width // 2 + 1, rows)
    return large


def most_memory() -> int:
    """The most bytes that this process has had in memory."""
    with Path("/proc/self/status").open() as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM"))


def measure_large(table: pd.DataFrame, rows: int, width: int, bounds: str) -> None:
    """Time and memory of a step on a large table, as multiples of what is allowed for it."""
    step(table.head(1000), {}, k=5)  # what is imported only once
    imported = most_memory()
    large = jittered(table, rows, width)
    size = int(large.memory_usage(deep=True).sum())
    made = most_memory()
    seconds, processor, metrics = step(large, {}, k=5, bounds=bounds)
    told = f"mondrian {rows:,} rows, {len(large.drop_duplicates()):,} combinations"
    print(line(told, 5, seconds, processor, metrics, wanted=False))
    peak = most_memory() - imported
    allowed, used = 6 * rows / 1e6, processor / rows * 1e6
    print(
        f"    {seconds / allowed:.2f} × the 6 s a million that are allowed ({used:.1f} s of the processor a million),"
        f" peak memory {peak / 2**20:,.0f} MiB ({(made - imported) / 2**20:,.0f} before the step)"
        f" = {peak / size:.2f} × memory_usage(deep=True); 4 are allowed",
        flush=True,
    )


def step(table: pd.DataFrame, hierarchies: dict[str, Path], **parameters: Any) -> tuple[float, float, dict[str, Any]]:
    """Seconds of the step, of the processor for the whole run, and the step's metrics."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / ".pamola.toml").touch()
        files = {}
        for column, path in hierarchies.items():
            (folder / f"h_{column}.csv").write_bytes(path.read_bytes())
            files[f"h_{column}"] = f"h_{column}.csv"
        settings = {
            "input_dataset": "table",
            "quasi_identifiers": list(table.columns),
            "on_identifiers": "warn",
            "hierarchies": {column: f"h_{column}" for column in hierarchies},
            **parameters,
        }
        task = TaskRunner(
            "t_bench",
            input_datasets={"table": "table.csv"},
            auxiliary_datasets=files,
            operation_configs=[{"operation": "AnonymizeOperation", "parameters": settings}],
        )
        logging.disable(logging.WARNING)
        kernel = Kernel.discover(project=folder)
        started, worked = time.perf_counter(), time.process_time()
        outcome = kernel.run(task, datasets={"table": table})
        seconds, processor = time.perf_counter() - started, time.process_time() - worked
        if not outcome.success:
            raise SystemExit(str(outcome.error))
        (record,) = outcome.record.steps
        return (record.seconds or seconds), processor, dict(record.metrics)


def line(strategy: str, k: int, seconds: float, processor: float, metrics: dict[str, Any], *, wanted: bool) -> str:
    """One row of the result, with ratios to what is wanted where that is known."""
    name = strategy.partition(" ")[0]
    over_lines = metrics.get("ncp_hier_of_file_lines")
    of_lines = "" if over_lines is None else f" (over lines of files {over_lines:.4f})"
    told = (
        f"{strategy:<24} {k:>3} {seconds:>7.2f} s ({processor:.2f})  NCP-set {metrics['ncp_set']:.4f}"
        f"  NCP-hier {metrics['ncp_hier']:.4f}{of_lines}  classes {metrics['equivalence_classes']:>6}"
        f"  k {metrics['k_measured']:>3}  suppressed {metrics['rows_suppressed']}"
    )
    if wanted and strategy in SECONDS:
        goal, loss = (WANTED_SET, "ncp_set") if name == "mondrian" else (WANTED_HIER, "ncp_hier_of_file_lines")
        told += f"  loss × {metrics[loss] / goal[k]:.2f}, time × {seconds / SECONDS[name]:.2f} of what is allowed"
    return told


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("table", nargs="?", type=Path)
    parser.add_argument("hierarchies", nargs="?", type=Path)
    parser.add_argument("--rows", help="of large tables, with commas between them")
    parser.add_argument("--bounds", choices=("tight", "cuts", "rounded"), default="tight")
    arguments = parser.parse_args()
    if arguments.table is None:
        table, hierarchies = people(30_000), {}
    else:
        with arguments.table.open("rb") as file:
            table = pd.read_csv(file, sep=None, engine="python")
        folder = arguments.hierarchies
        found = {column: sorted(folder.glob(f"*_{column}.csv")) for column in table.columns} if folder else {}
        hierarchies = {column: paths[0] for column, paths in found.items() if paths}
    print(f"{len(table):,} rows, {len(table.columns)} quasi-identifiers, Python {platform.python_version()}")
    if arguments.rows:
        spawn = multiprocessing.get_context("spawn")
        for rows in map(int, arguments.rows.split(",")):
            for width in (7, 1400):
                process = spawn.Process(target=measure_large, args=(table, rows, width, arguments.bounds))
                process.start()
                process.join()
        return
    wanted = len(table) == 30_162 and bool(hierarchies)
    for strategy, recoding in (
        ("mondrian", ""),
        ("hierarchy", ""),
        ("hierarchy", "full-domain"),
        ("microaggregation", ""),
        ("suppression", ""),
    ):
        for k in WANTED_SET:
            options = {"bounds": arguments.bounds, **({"recoding": recoding} if recoding else {})}
            stated = {} if strategy == "suppression" else hierarchies
            seconds, processor, metrics = step(table, stated, k=k, strategy=strategy, **options)
            print(line(f"{strategy} {recoding}".strip(), k, seconds, processor, metrics, wanted=wanted), flush=True)


if __name__ == "__main__":
    main()
