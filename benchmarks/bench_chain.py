"""What a step costs: chains of operations that do nothing, with checkpoints, log, report and progress on.

    python benchmarks/bench_chain.py [ROUNDS]

CPU time of the process for a chain of 100 less that for a chain of 1, divided by 99. Wanted: at most 1 ms.
"""

from __future__ import annotations

import os
import platform
import resource
import statistics
import sys
import tempfile
from pathlib import Path

from pamola_tasks import BaseTask, Kernel, Operation, OperationContext, OperationResult


class NoOperation(Operation):
    """Do nothing."""

    def execute(self, ctx: OperationContext) -> OperationResult:
        """Do nothing."""
        return OperationResult.success()


class Chain(BaseTask):
    """So many operations that do nothing.

    Args:
        length: How many.
    """

    def __init__(self, length: int) -> None:
        super().__init__(f"chain-{length}", "benchmark", "Operations that do nothing")
        self.length = length

    def configure_operations(self) -> None:
        """Add them."""
        for _ in range(self.length):
            self.add_operation(NoOperation)


def cpu_of(kernel: Kernel, length: int, *, restart: bool) -> float:
    """CPU seconds of one run."""
    task = Chain(length)
    before = resource.getrusage(resource.RUSAGE_SELF)
    outcome = kernel.run(task, restart=restart)
    after = resource.getrusage(resource.RUSAGE_SELF)
    if not outcome.success:
        raise SystemExit(f"the chain failed: {outcome.error}")
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    """Measure and print."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 9
    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, {rounds} rounds")
    sys.stderr = open(os.devnull, "w")  # noqa: SIM115 - log lines are made, and go nowhere
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / ".pamola.toml").touch()
        kernel = Kernel.discover(project=folder)
        cpu_of(kernel, 1, restart=True)
        for what, restart in {"run": True, "rerun, nothing changed": False}.items():
            costs: dict[int, list[float]] = {1: [], 100: [], 400: []}
            for _ in range(rounds):
                for length, seconds in costs.items():
                    seconds.append(cpu_of(kernel, length, restart=restart))
            one, hundred, many = (statistics.median(costs[n]) * 1000 for n in (1, 100, 400))
            print(
                f"{what:<24}{one:6.1f} ms for 1, {hundred:6.1f} ms for 100, {many:6.1f} ms for 400:"
                f" {(hundred - one) / 99:.2f} and {(many - one) / 399:.2f} ms CPU a step"
            )


if __name__ == "__main__":
    main()
