"""How long `pamola-task assess` takes, beside reading the same file once.

    python benchmarks/bench_assess.py ADULT.csv [ROWS] [ROUNDS]

Adult as it is, and ROWS (1,000,000 unless given) records resampled from it with 15 columns: each a person of its own,
and two records a person. Every command runs in a project of its own; reading is a process that reads the file into a
frame as the data plugin does. Medians of seconds and of seconds of the processor, start included.
"""

from __future__ import annotations

import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd

SCRIPT = str(Path(sys.executable).parent / "pamola-task")
READ = "import sys; from pamola_tasks_data.formats import CSV; CSV.read(open(sys.argv[1], 'rb'), None, {})"


def patients(adult: pd.DataFrame, rows: int, each: int) -> pd.DataFrame:
    """Records of Adult with a number, a zip code, a date of birth, an income, a count and a word: 15 columns.

    Args:
        adult: The table that records are drawn from.
        rows: How many.
        each: How many of them are one person's.
    """
    rng = np.random.default_rng(1)
    drawn = np.repeat(rng.integers(0, len(adult), rows // each), each)
    frame, number = adult.iloc[drawn].reset_index(drop=True), np.arange(len(drawn)) // each
    age = frame["age"].to_numpy()
    born = np.datetime64("2024-01-01") - (age * 365 + number * 7919 % 365).astype("timedelta64[D]")
    return frame.assign(
        patient_id=number + 1_000_000,
        zip_code=10_000 + number * 104_729 % 900,
        birth_date=born.astype("datetime64[D]").astype(str),
        income=rng.lognormal(10, 0.5, len(frame)).round(2),
        visits=rng.integers(0, 40, len(frame)),
        outcome=rng.choice(["fine", "ill", "better", "worse"], len(frame)),
    )


def measured(command: list[str], folder: Path) -> tuple[float, float]:
    """Seconds, and seconds of the processor, of a process."""
    began = time.perf_counter()
    with tempfile.TemporaryFile() as error:
        process = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=error)
        _, status, used = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - began
        if status:
            error.seek(0)
            raise SystemExit(error.read().decode())
    return seconds, used.ru_utime + used.ru_stime


def assessed(table: Path) -> tuple[float, float]:
    """What assessing a file takes in a project where nothing has run."""
    with tempfile.TemporaryDirectory() as home:
        (Path(home) / ".pamola.toml").touch()
        (Path(home) / "configs").mkdir()
        (Path(home) / table.name).hardlink_to(table)
        return measured([SCRIPT, "assess", table.name], Path(home))


def main() -> None:
    """Measure and print."""
    adult = pd.read_csv(sys.argv[1], sep=None, engine="python")
    rows = int(sys.argv[2]) if len(sys.argv) > 2 else 1_000_000
    rounds = int(sys.argv[3]) if len(sys.argv) > 3 else 3
    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, pandas {pd.__version__}")
    print(f"{'':30}{'seconds':>9}{'CPU':>9}   times reading (CPU)")
    with tempfile.TemporaryDirectory() as home:
        tables = {"adult": adult, "persons": patients(adult, rows, 1), "visits": patients(adult, rows, 2)}
        for name, frame in tables.items():
            path = Path(home) / f"{name}.csv"
            frame.to_csv(path, index=False)
            found: dict[str, list[tuple[float, float]]] = {"read": [], "assess": []}
            for _ in range(rounds):
                found["read"].append(measured([sys.executable, "-c", READ, str(path)], Path(home)))
                found["assess"].append(assessed(path))
            medians = {
                way: [statistics.median(column) for column in zip(*all_, strict=True)] for way, all_ in found.items()
            }
            for way, (seconds, cpu) in medians.items():
                times = f"   {cpu / medians['read'][1]:.1f}" if way == "assess" else ""
                what = f"{way} {name}, {len(frame):,} × {len(frame.columns)}"
                print(f"{what:30}{seconds:9.1f}{cpu:9.1f}{times}", flush=True)


if __name__ == "__main__":
    main()
