"""What a history of a million events costs: each command as a process of its own, beside reading the same bytes once.

    python benchmarks/bench_long_history.py [RUNS] [FOLDER]

Every run has three events and 200 tasks take turns; one run of 50 failed. The first command makes the indexes. Wanted,
with 334,000 runs: at most 1 s CPU, and at most 200 MB for `doctor --data`.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

TASKS = 200
COMMANDS = {
    "status": ["status"],
    "list": ["list"],
    "history": ["history"],
    "history t_007": ["history", "t_007"],
    "history --failed": ["history", "--failed"],
    "history --since 7d": ["history", "--since", "7d"],
    "history --since 7d --limit 100000 --json": ["history", "--since", "7d", "--limit", "100000", "--json"],
    "history rare": ["history", "rare"],
    "verify t_007 (exits 1: nothing recorded is there)": ["verify", "t_007"],
    "doctor --data": ["doctor", "--data"],
}
LIMIT = "reading and hashing the bytes of the history once (SHA-256)"


def events_of(runs: int) -> Iterator[dict[str, Any]]:
    """Begin, step and end of these runs, ten a minute, the last of them a minute ago."""
    from pamola_tasks.record import new_run_id
    from pamola_tasks_history import events

    begun = time.time() - 6 * runs - 60
    for number in range(runs):
        task = "rare" if number % 100_000 == 17 else f"t_{number % TASKS:03}"
        moments = [
            time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(begun + 6 * number + second)) for second in (0, 2, 4)
        ]
        failed = number % 50 == 0
        run_id = new_run_id()
        yield events.event("run_started", run_id, task, task_type="anonymization", started=moments[0], time=moments[0])
        yield events.event("step_finished", run_id, task, step="Mask", status="success", seconds=1.5, time=moments[1])
        sha = hashlib.sha256(run_id.encode()).hexdigest()
        home = f"DATA/processed/{task}"
        yield events.event(
            "run_failed" if failed else "run_finished",
            run_id,
            task,
            task_type="anonymization",
            status="operation_error" if failed else "success",
            success=not failed,
            started=moments[0],
            finished=moments[2],
            time=moments[2],
            execution_time=4.0,
            report_path=f"DATA/reports/{task}_report.json",
            input_files=[{"name": "customers", "path": "DATA/raw/customers.csv", "sha256": sha, "bytes": 10_000}],
            output_files=[{"path": f"{home}/output/safe.csv", "type": "csv", "description": "safe", "sha256": sha}],
            report_files=[
                {"path": f"DATA/reports/{task}/{run_id}.{kind}", "sha256": sha, "bytes": 9000}
                for kind in ("json", "html")
            ]
            + [{"path": f"{home}/manifest.json", "sha256": sha, "bytes": 900}],
            error={"type": "ValueError", "message": "a value is no number", "operation": "Mask"} if failed else None,
        )


def make(folder: Path, runs: int) -> None:
    """A project whose history has these runs."""
    from itertools import islice

    from pamola_tasks.storage import journal
    from pamola_tasks.storage.files import Files
    from pamola_tasks_history.segments import Segments
    from pamola_tasks_history.settings import MIB, HistorySettings
    from pamola_tasks_paths import ProjectGuard

    (folder / "configs").mkdir(parents=True)
    (folder / ".pamola.toml").touch()
    for number in range(TASKS):
        task = {"description": "A task.", "task_type": "anonymization", "operations": []}
        (folder / f"configs/t_{number:03}.json").write_text(json.dumps(task))
    (folder / "configs/rare.json").write_text(json.dumps({"operations": []}))
    files = Files(ProjectGuard(folder))
    segments = Segments(files, "configs/execution_log.jsonl", HistorySettings().segment_mib * MIB)
    entries = events_of(runs)
    while batch := list(islice(entries, 3000)):
        segments.close()
        journal.append(files, segments.log_path, batch, flush=False, before=segments.last_closed_line)


def measured(folder: Path, arguments: list[str], rounds: int = 2) -> tuple[float, float]:
    """CPU seconds and MB of a command's process, of the last round."""
    command = [sys.executable, "-m", "pamola_tasks", *arguments]
    for _ in range(rounds):
        process = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        said = process.stderr.read() if process.stderr is not None else b""
        _, status, usage = os.wait4(process.pid, 0)
        if os.waitstatus_to_exitcode(status) not in (0, 1):
            raise SystemExit(f"{' '.join(arguments)}: {said.decode()}")
    scale = 1e6 if sys.platform == "darwin" else 1e3
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss / scale


def reading(folder: Path) -> tuple[float, int]:
    """CPU seconds of reading and hashing all of the history, and its bytes."""
    before, size = resource.getrusage(resource.RUSAGE_SELF), 0
    hashed = hashlib.sha256()
    for path in sorted((folder / "configs").rglob("*.jsonl")):
        with path.open("rb") as file:
            while data := file.read(1 << 20):
                hashed.update(data)
                size += len(data)
    after = resource.getrusage(resource.RUSAGE_SELF)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, size


def main() -> None:
    """Measure and print."""
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 334_000
    with tempfile.TemporaryDirectory(dir=sys.argv[2] if len(sys.argv) > 2 else None) as name:
        folder = Path(name) / "project"
        begun = time.perf_counter()
        make(folder, runs)
        seconds, size = reading(folder)
        closed = len(list((folder / "configs/execution_log.segments").glob("*.jsonl")))
        print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}")
        print(f"{3 * runs:,} events of {runs:,} runs, {size / 1e6:.0f} MB in {closed} closed segments and one file")
        print(f"made in {time.perf_counter() - begun:.0f} s")
        print(f"{LIMIT}: {seconds:.2f} s CPU")
        cold, _ = measured(folder, ["status"], 1)
        print(f"status, without indexes: {cold:.2f} s CPU")
        print(f"a start (--version): {measured(folder, ['--version'])[0]:.2f} s CPU")
        for what, arguments in COMMANDS.items():
            cpu, memory = measured(folder, arguments, 1 if "verify" in what or "doctor" in what else 2)
            print(f"{what}: {cpu:.2f} s CPU, {memory:.0f} MB", flush=True)


if __name__ == "__main__":
    main()
