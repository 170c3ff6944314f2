"""A whole run: CSV, profile, k-anonymity, pseudonyms, Parquet and CSV; beside the file alone, and plain pandas.

    python benchmarks/bench_pipeline.py [ROWS] [ROUNDS]

Each way runs in a process of its own and in turn; seconds by the clock and of the processor after the imports, medians.
Wanted of 1,000,000 rows of 15 columns: at most 4 times reading and writing the file with pyarrow, and at most a third
of `plain_pandas.py`.
"""

from __future__ import annotations

import base64
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

QUASI_IDENTIFIERS = ["age", "sex", "region", "school", "work"]
WAYS = ("pyarrow", "ours", "pandas")


def people(rows: int) -> pd.DataFrame:
    """A seeded table of 15 columns, with fewer than 50,000 combinations of the quasi-identifiers."""
    rng = np.random.default_rng(30)

    def words(kind: str, count: int) -> Any:
        parts = 1 / np.arange(1, count + 1)
        return rng.choice([f"{kind} {number}" for number in range(count)], rows, p=parts / parts.sum())

    person = rng.integers(0, max(1, rows // 5), rows)
    days = np.datetime64("2015-01-01") + rng.integers(0, 3650, rows)
    return pd.DataFrame(
        {
            "record": np.arange(rows) + 100_000,
            "email": [f"user{number}@example{number % 97}.org" for number in person],
            "age": rng.integers(17, 91, rows),
            "sex": rng.choice(["f", "m"], rows),
            "region": words("region", 12),
            "school": words("school", 6),
            "work": words("work", 4),
            "income": rng.lognormal(10, 0.6, rows).round(2),
            "balance": rng.normal(2500, 900, rows).round(2),
            "visits": rng.poisson(3, rows),
            "diagnosis": words("diagnosis", 40),
            "seen": days.astype(str),
            "device": words("device", 25),
            "active": rng.random(rows) < 0.8,
            "note": words("a remark of some length, number", 2000),
        }
    )


# ---------------------------------------------------------------- the ways, each in a process of its own


def pyarrow(table: str, folder: Path) -> tuple[float, float]:
    """Read and write the file, nothing else."""
    import pyarrow.csv
    import pyarrow.parquet

    before = time.perf_counter(), time.process_time()
    found = pyarrow.csv.read_csv(table)
    pyarrow.parquet.write_table(found, folder / "people.parquet")
    pyarrow.csv.write_csv(found, folder / "people.csv")
    return time.perf_counter() - before[0], time.process_time() - before[1]


def ours(table: str, folder: Path) -> tuple[float, float]:
    """The run, with its checks, checkpoints, history and report."""
    import pyarrow.csv
    import pyarrow.parquet  # noqa: F401 - imported before the time counts, as above

    from pamola_tasks import Kernel
    from pamola_tasks_compat import TaskRunner

    (folder / ".pamola.toml").touch()
    os.link(table, folder / "people.csv")
    task = TaskRunner(
        "t_pipeline",
        input_datasets={"people": "people.csv"},
        operation_configs=[
            {"operation": "ProfileOperation", "parameters": {"dataset_name": "people"}},
            {
                "operation": "AnonymizeOperation",
                "parameters": {
                    "input_dataset": "people",
                    "output_dataset": "anonymous",
                    "k": 5,
                    "quasi_identifiers": QUASI_IDENTIFIERS,
                    "output_format": "parquet",
                },
            },
            {
                "operation": "PseudonymizeOperation",
                "parameters": {
                    "input_dataset": "anonymous",
                    "output_dataset": "released",
                    "columns": ["email"],
                    "output_format": "csv",
                },
            },
        ],
        additional_options={"outputs": ["anonymous", "released"], "parallel_processes": 2},
    )
    before = time.perf_counter(), time.process_time()
    outcome = Kernel.discover(project=folder).run(task)
    spent = time.perf_counter() - before[0], time.process_time() - before[1]
    if not outcome.success:
        raise SystemExit(f"the run failed: {outcome.error}")
    for step in outcome.record.steps:
        print(f"  {step.operation} {step.seconds:.2f} s", file=sys.stderr)
    return spent


def pandas(table: str, folder: Path) -> tuple[float, float]:
    """`plain_pandas.py`."""
    import plain_pandas

    sys.argv[1:] = [table, str(folder)]
    before = time.perf_counter(), time.process_time()
    plain_pandas.main()
    return time.perf_counter() - before[0], time.process_time() - before[1]


def measured(way: str, table: Path, home: str) -> tuple[float, float]:
    """Seconds by the clock and of the processor of one way."""
    with tempfile.TemporaryDirectory(dir=home) as folder:
        answer = subprocess.run(
            [sys.executable, __file__, "--way", way, str(table), folder],
            env={**os.environ, "PAMOLA_KEY": base64.b64encode(bytes(range(32))).decode()},
            stdout=subprocess.PIPE,
            check=True,
        ).stdout
    clock, processor = json.loads(answer)
    return clock, processor


def main() -> None:
    """Measure and print."""
    if sys.argv[1:2] == ["--way"]:
        way, table, folder = sys.argv[2:]
        print(json.dumps(globals()[way](table, Path(folder))))
        return
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 3
    with tempfile.TemporaryDirectory() as home:
        path = Path(home) / "people.csv"
        frame = people(rows)
        frame.to_csv(path, index=False)
        combinations = len(frame[QUASI_IDENTIFIERS].drop_duplicates())
        print(
            f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, pandas {pd.__version__}"
        )
        print(f"{rows:,} rows, {path.stat().st_size / 1e6:.0f} MB, {combinations:,} combinations of quasi-identifiers")
        del frame
        found: dict[str, list[tuple[float, float]]] = {way: [] for way in WAYS}
        for _ in range(rounds):
            for way in WAYS:
                found[way].append(measured(way, path, home))
        clock, processor = ({way: statistics.median(s[i] for s in found[way]) for way in WAYS} for i in (0, 1))
        for way in WAYS:
            print(f"{way:10} {clock[way]:7.2f} s  {processor[way]:7.2f} s of the processor")
        for name, seconds in (("clock", clock), ("processor", processor)):
            ours_to_file, pandas_to_ours = seconds["ours"] / seconds["pyarrow"], seconds["pandas"] / seconds["ours"]
            print(f"by the {name}: {ours_to_file:.2f} × the file alone, {pandas_to_ours:.2f} × as fast as plain pandas")


if __name__ == "__main__":
    main()
