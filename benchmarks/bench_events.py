"""What it costs to watch a run: stages, progress, the live file and ETAs, of a run of a million rows.

    python benchmarks/bench_events.py [ROUNDS] [ROWS]

Whole runs of `pamola-task` alternate, with the progress plugin and without it (`--no-plugin progress`); the medians of
their processor times (user and system, all threads) are printed, and of the differences within pairs. Both times the
operations report: without the plugin no observer hears of it.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd

WANTED = 0.02
TASK = """\
task_id: big
task_type: anonymization
input_datasets: {people: DATA/raw/people.parquet}
operations:
  - ProfileOperation: {dataset_name: people, output_prefix: before}
  - AnonymizeOperation:
      input_dataset: people
      output_dataset: safe
      k: 5
      quasi_identifiers: [age, zip, sex]
      sensitive_attributes: [diagnosis]
  - ProfileOperation: {dataset_name: safe, output_prefix: after}
"""


def seconds_of(command: list[str], folder: Path) -> float:
    """Processor seconds of a process."""
    before = os.times()
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    after = os.times()
    return after.children_user - before.children_user + after.children_system - before.children_system


def main(rounds: int, rows: int) -> int:
    command = [str(Path(sys.executable).parent / "pamola-task")]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for made in ("configs", "DATA/raw"):
            (folder / made).mkdir(parents=True)
        (folder / ".pamola.toml").touch()
        (folder / "configs/big.yaml").write_text(TASK)
        draw = np.random.default_rng(1)
        table = {"age": draw.integers(18, 90, rows), "zip": draw.integers(0, 900, rows)}
        table |= {"sex": draw.choice(["f", "m"], rows), "diagnosis": draw.choice(list("abcdefgh"), rows)}
        pd.DataFrame(table).to_parquet(folder / "DATA/raw/people.parquet", index=False)
        run = ["run", "big", "--restart"]
        kinds = {"watched": [*command, *run], "not watched": [*command, "--no-plugin", "progress", *run]}
        took: dict[str, list[float]] = {kind: [] for kind in kinds}
        for number in range(rounds + 1):
            order = list(kinds) if number % 2 else list(reversed(kinds))
            for kind in order:
                seconds = seconds_of(kinds[kind], folder)
                if number:  # the first of each warms up
                    took[kind].append(seconds)
        events = sum(1 for _ in (folder / "DATA/processed/big/.state/live.jsonl").open())
    for kind, seconds_each in took.items():
        print(f"{kind:<12} {statistics.median(seconds_each):7.2f} s of processor time, median of {rounds}")
    pairs = [with_it / without - 1 for with_it, without in zip(*took.values(), strict=True)]
    cost = statistics.median(pairs)  # how busy the machine is changes from pair to pair
    print(f"{events} events in the live file of a run of {rows:,} rows")
    print(f"cost: {cost:+.2%}, the median of the differences within pairs (at most {WANTED:.0%} is wanted)")
    return int(cost > WANTED)


if __name__ == "__main__":
    sys.exit(main(*map(int, (sys.argv[1:] + ["7", "1000000"][len(sys.argv) - 1 :])[:2])))
