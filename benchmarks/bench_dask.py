"""What a second worker of a Dask cluster gains: eight steps that keep a processor busy and do not need each other.

    python benchmarks/bench_dask.py [--seconds 4]

A scheduler and one worker, then two, in processes of their own behind TLS; each run of the task is a new command. The
ratio is of the time from the start of the first of the eight to the end of the last, as the report has it. Before them
each worker has a step that waits, so that neither the start of the command nor that of the workers' processes counts.
At least 1.7 is aimed at; it takes two processors that nothing else uses.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from distributed import Client, Security

COMMAND = Path(sys.executable).parent / "pamola-task"
TASK = """\
import time
from pamola_tasks import BaseTask, Operation, OperationResult


class Busy(Operation):
    rounds: int = 0

    def execute(self, ctx):
        total = 0
        for number in range(self.rounds):
            total = (total * 31 + number) % 1_000_003
        return OperationResult.success({"total": total})


class Waits(Operation):
    def execute(self, ctx):
        time.sleep(5)
        return OperationResult.success()


class Eight(BaseTask):
    def __init__(self):
        super().__init__("eight")

    def configure_operations(self):
        for number in range(WORKERS):
            self.add_operation(Waits, step={"id": f"w{number}"})
        for number in range(8):
            self.add_operation(Busy, rounds=ROUNDS, step={"id": f"s{number}"})
"""


def rounds_of(seconds: float) -> int:
    """How many rounds of the step take so long here, alone."""
    started, total = time.perf_counter(), 0
    for number in range(2_000_000):
        total = (total * 31 + number) % 1_000_003
    return int(2_000_000 * seconds / (time.perf_counter() - started))


@contextlib.contextmanager
def cluster(folder: Path, workers: int) -> Iterator[str]:
    """The address of a scheduler that has so many workers."""
    made = Security.temporary()
    texts = {"ca": made.tls_ca_file, "cert": made.tls_client_cert, "key": made.tls_client_key}
    for name, text in texts.items():
        (folder / f"{name}.pem").write_text(text)
        (folder / f"{name}.pem").chmod(0o600)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    files = ["--tls-ca-file", "ca.pem", "--tls-cert", "cert.pem", "--tls-key", "key.pem", "--no-dashboard"]
    common = ["--host", "127.0.0.1", "--protocol", "tls", "--dashboard-address", "127.0.0.1:0", *files]
    address = f"tls://127.0.0.1:{port}"
    commands = [["scheduler", "--port", str(port)]]
    commands += [["worker", address, "--nthreads", "1", "--no-nanny", "--memory-limit", "0"]] * workers
    running = [
        subprocess.Popen(
            [sys.executable, "-m", "dask", *command, *common],
            cwd=folder,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for command in commands
    ]
    try:
        pem = {"tls_ca_file": texts["ca"], "tls_client_cert": texts["cert"], "tls_client_key": texts["key"]}
        with Client(address, security=Security(require_encryption=True, **pem), timeout=60) as client:
            client.wait_for_workers(workers, timeout=60)
        yield address
    finally:
        for process in reversed(running):
            process.kill()
            process.wait()


def measured(folder: Path, workers: int, rounds: int) -> float:
    """Seconds from the start of the first step that is measured to the end of the last, with so many workers."""
    (folder / "tasks.py").write_text(TASK.replace("ROUNDS", str(rounds)).replace("WORKERS", str(workers)))
    with cluster(folder, workers) as address:
        (folder / "configs/prj_config.yaml").write_text(
            f"dask: {{scheduler: '{address}', security: {{ca: ca.pem, cert: cert.pem, key: key.pem}}}}\n"
        )
        command = [str(COMMAND), "run", "tasks.py:Eight", "--executor", "dask", "--restart", "--json"]
        command += ["--jobs", str(workers)]
        done = subprocess.run(command, cwd=folder, check=True, stdout=subprocess.PIPE)
        report = json.loads((folder / json.loads(done.stdout)["report"]).with_suffix(".json").read_bytes())
    steps = [step for step in report["operations"] if step["step"].startswith("s")]
    starts = [datetime.fromisoformat(step["started"]).timestamp() for step in steps]
    last = max(start + float(step["seconds"]) for start, step in zip(starts, steps, strict=True))
    return last - min(starts)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=4.0, help="What each step takes, alone.")
    seconds = parser.parse_args().seconds
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / ".pamola.toml").touch()
        (folder / "configs").mkdir()
        rounds = rounds_of(seconds)
        one, two = measured(folder, 1, rounds), measured(folder, 2, rounds)
    print(f"eight steps of {seconds:g} s: {one:.1f} s on one worker, {two:.1f} s on two: {one / two:.2f} ×")


if __name__ == "__main__":
    main()
