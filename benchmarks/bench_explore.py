"""What exploring settings of a table takes, as a multiple of what the slowest of them takes alone.

    python benchmarks/bench_explore.py TABLE.csv [--quasi-identifiers age,sex,…] [--jobs N]

Forty settings: eight k, by mondrian, suppression, and hierarchy with three limits of suppression; and that of the task.
The slowest is the one whose step took longest; a task that has it is then run. At most 20 × is allowed.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

KS = "2,3,5,7,10,15,25,50"
COMMAND = Path(sys.executable).parent / "pamola-task"


def timed(folder: Path, *arguments: str) -> tuple[float, dict[str, Any]]:
    """Seconds of a command, and what it says as JSON."""
    started = time.perf_counter()
    command = [str(COMMAND), *arguments, "--json"]
    done = subprocess.run(command, cwd=folder, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    return time.perf_counter() - started, json.loads(done.stdout)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("table", type=Path)
    parser.add_argument("--quasi-identifiers", default="age,sex,race,native-country")
    parser.add_argument("--jobs", default="1")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / ".pamola.toml").touch()
        (folder / "configs").mkdir()
        (folder / "table.csv").write_bytes(arguments.table.read_bytes())
        (folder / "configs/t.yaml").write_text(
            "input_datasets: {t: table.csv}\noperations:\n  - AnonymizeOperation: {k: 4, on_identifiers: warn,"
            f" quasi_identifiers: [{arguments.quasi_identifiers}]}}\n"
        )
        grid = ("--k", KS, "--strategy", "hierarchy,mondrian,suppression", "--jobs", arguments.jobs)
        seconds, told = timed(folder, "explore", "t", *grid)
        reached = [each for each in told["settings"] if "problem" not in each]
        report = json.loads((folder / told["report"]).with_suffix(".json").read_bytes())
        steps = {step["step"]: step["seconds"] or 0.0 for step in report["operations"]}
        slowest = max((step for step in steps if not step.startswith(("looks", "exploration"))), key=steps.__getitem__)
        number = next(each["number"] for each in reached if each["dataset"] == slowest)
        timed(folder, "explore", "t", *grid, "--pick", str(number), "--name", "alone")
        alone, _ = timed(folder, "run", "alone")
        again, _ = timed(folder, "explore", "t", *grid)
    print(f"{len(told['settings'])} settings, {len(reached)} reached: {seconds:.1f} s, and {again:.1f} s again")
    print(
        f"slowest: {slowest}, {steps[slowest]:.2f} s of {sum(steps.values()):.1f} s; a task that has it: {alone:.2f} s"
    )
    print(f"explored / slowest alone: {seconds / alone:.1f} ×")


if __name__ == "__main__":
    main()
