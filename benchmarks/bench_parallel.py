"""Independent steps at the same time: eight of 0.2 s with four workers, on threads and in processes.

    python benchmarks/bench_parallel.py [ROUNDS]

Wall time of `Kernel.run`, medians. Start-up is that of a run of four steps that do nothing, on the same workers: it
pays for services, log, report, checkpoints, and for starting processes. Wanted: at most 1.25 times 0.40 s beyond it.
"""

from __future__ import annotations

import os
import platform
import statistics
import sys
import tempfile
import time
from pathlib import Path

from pamola_tasks import BaseTask, Kernel, Operation, OperationContext, OperationResult

STEPS, SECONDS, WORKERS = 8, 0.2, 4
IDEAL = STEPS * SECONDS / WORKERS


class Sleep(Operation):
    """Take some time."""

    seconds: float

    def execute(self, ctx: OperationContext) -> OperationResult:
        """Wait."""
        time.sleep(self.seconds)
        return OperationResult.success()


class Sleepers(BaseTask):
    """So many independent steps that take so many seconds.

    Args:
        many: How many.
        seconds: How long each.
    """

    def __init__(self, many: int, seconds: float) -> None:
        super().__init__(f"sleepers-{many}", "benchmark", "Steps that wait")
        self.many, self.seconds = many, seconds

    def configure_operations(self) -> None:
        """Add them."""
        for _ in range(self.many):
            self.add_operation(Sleep, seconds=self.seconds)


def wall(kernel: Kernel, task: BaseTask, kind: str, workers: int) -> float:
    """Seconds of one run."""
    began = time.perf_counter()
    outcome = kernel.run(task, overrides={"executor.kind": kind, "parallel_processes": workers}, restart=True)
    if not outcome.success:
        print(f"the run failed: {outcome.error}")
        raise SystemExit(1)
    return time.perf_counter() - began


def main() -> None:
    """Measure and print."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 7
    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, {rounds} rounds")
    sys.stderr = open(os.devnull, "w")  # noqa: SIM115 - log lines are made, and go nowhere
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / ".pamola.toml").touch()
        kernel = Kernel.discover(project=folder)
        wall(kernel, Sleepers(WORKERS, 0.0), "threads", WORKERS)
        for kind, workers in (("threads", 1), ("threads", WORKERS), ("processes", WORKERS)):
            starts, all_in_all = [], []
            for _ in range(rounds):
                starts.append(wall(kernel, Sleepers(WORKERS, 0.0), kind, workers))
                all_in_all.append(wall(kernel, Sleepers(STEPS, SECONDS), kind, workers))
            start, seconds = statistics.median(starts), statistics.median(all_in_all)
            print(
                f"{kind:<10}{workers} at a time {seconds:6.2f} s, start-up {start:5.2f} s,"
                f" steps {seconds - start:5.2f} s = {(seconds - start) / IDEAL:.2f} times {IDEAL:.2f} s"
            )


if __name__ == "__main__":
    main()
