"""What the execution history costs: eight writers beside SQLite, an append to a long log, a question to 100,000 runs.

    python benchmarks/bench_history.py [ROUNDS] [FOLDER]

Every append waits until the disk has it; so does every commit of SQLite (WAL, synchronous=FULL). Wanted: at least 1.5
times the rate of SQLite; append 10,000 at most 1.5 times append 100; the last 10 runs of a task under 50 ms.
"""

from __future__ import annotations

import os
import platform
import shutil
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

WRITERS, APPENDS, RUNS = 8, 200, 100_000


def log_of(folder: Path) -> Any:
    """The history of a project in this folder, and its files."""
    from pamola_tasks.storage.files import Files
    from pamola_tasks_compat.history import ExecutionLog
    from pamola_tasks_paths import ProjectGuard

    folder.mkdir(exist_ok=True)
    files = Files(ProjectGuard(folder))
    return ExecutionLog(files), files


def write(kind: str, folder: Path, number: int) -> None:
    """One writer: say that it is ready, wait for a word, append."""
    from pamola_tasks.storage import journal
    from pamola_tasks_history import events

    if kind == "sqlite":
        connection = sqlite3.connect(folder / "history.db", timeout=60, isolation_level=None)
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
    else:
        log, files = log_of(folder)
    print("ready", flush=True)
    sys.stdin.readline()
    for count in range(APPENDS):
        entry = events.event("run_started", f"run-{number}-{count}", f"t_{number}", task_type="benchmark")
        if kind == "sqlite":
            row = (entry["run_id"], entry["task_id"], entry["time"], journal.encode(entry))
            connection.execute("INSERT INTO events VALUES (?, ?, ?, ?)", row)
        elif kind == "append":
            journal.append(files, log.log_path, [entry], flush=True)
        else:
            log.record_task_execution(entry["task_id"], "benchmark", True, 0.1, None)


def rate(kind: str, folder: Path) -> float:
    """Appends a second of eight writers."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    if kind == "sqlite":
        connection = sqlite3.connect(folder / "history.db")
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("CREATE TABLE events (run_id TEXT, task_id TEXT, time TEXT, line BLOB)")
        connection.commit()
        connection.close()
    command = [sys.executable, __file__, "--write", kind, str(folder)]
    writers = [
        subprocess.Popen([*command, str(number)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for number in range(WRITERS)
    ]
    for writer in writers:
        assert writer.stdout is not None
        writer.stdout.readline()
    begun = time.perf_counter()
    for writer in writers:
        assert writer.stdin is not None
        writer.stdin.write("go\n")
        writer.stdin.close()
    for writer in writers:
        if writer.wait() != 0:
            raise SystemExit("a writer failed")
    seconds = time.perf_counter() - begun
    check(kind, folder)
    return WRITERS * APPENDS / seconds


def check(kind: str, folder: Path) -> None:
    """Everything that was written is there."""
    if kind == "sqlite":
        (found,) = sqlite3.connect(folder / "history.db").execute("SELECT count(*) FROM events").fetchone()
    else:
        found = (folder / "configs/execution_log.jsonl").read_bytes().count(b"\n")
    if found != WRITERS * APPENDS:
        raise SystemExit(f"{kind}: {found} of {WRITERS * APPENDS} are there")


def flush_time(folder: Path) -> float:
    """Median seconds of an fdatasync after a write of 300 bytes."""
    seconds = []
    with open(folder / "flushed", "ab", buffering=0) as file:
        for _ in range(300):
            file.write(b"x" * 300)
            begun = time.perf_counter()
            os.fdatasync(file.fileno())
            seconds.append(time.perf_counter() - begun)
    return statistics.median(seconds)


def growth(folder: Path) -> tuple[float, float]:
    """Median seconds of an append round number 100, and round number 10,000."""
    from pamola_tasks.storage import journal
    from pamola_tasks_history import events

    log, files = log_of(folder)
    seconds = []
    for count in range(10_050):
        entry = events.event("run_started", f"run-{count}", "t_1", task_type="benchmark")
        begun = time.perf_counter()
        journal.append(files, log.log_path, [entry], flush=True)
        seconds.append(time.perf_counter() - begun)
    return statistics.median(seconds[50:150]), statistics.median(seconds[9950:10_050])


def questions(folder: Path) -> dict[str, float]:
    """Seconds of questions to a log of 100,000 runs, each in a history opened for it."""
    from pamola_tasks.storage import journal
    from pamola_tasks_history import events

    log, files = log_of(folder)
    now = time.time()
    entries: list[dict[str, Any]] = []
    for number in range(RUNS):
        task = "rare" if number % 5000 == 0 else f"t_{number % 200}"
        moment = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now - 60 * (RUNS - number)))
        record = {"task_id": task, "task_run_id": f"run-{number}", "timestamp": moment, "success": True}
        outputs = [{"path": f"DATA/processed/{task}/output/a.csv", "type": "csv", "description": "a"}]
        [end] = events.of_record({**record, "status": "success", "started": moment, "output_files": outputs})
        entries += [{**end, "event": "run_started"}, end]
    journal.append(files, log.log_path, entries, flush=False)
    asked = {
        "last 10 runs of a rare task, first time": lambda log: log.get_task_execution_history("rare"),
        "last 10 runs of a rare task, warm": lambda log: log.get_task_execution_history("rare"),
        "last 10 runs of any task, warm": lambda log: log.get_task_execution_history("t_17"),
        "who wrote a file, warm": lambda log: log.find_task_by_output("DATA/processed/rare/output/a.csv"),
        "a task that never ran, warm": lambda log: log.get_task_execution_history("absent"),
    }
    found = {}
    for what, ask in asked.items():
        times = []
        for _ in range(1 if "first" in what else 9):
            opened, _ = log_of(folder)
            begun = time.perf_counter()
            answer = ask(opened)
            times.append(time.perf_counter() - begun)
            if ("never" in what) == bool(answer):
                raise SystemExit(f"{what}: {answer}")
        found[what] = statistics.median(times)
    found["size of the log in MB"] = files.stat(log.log_path).size / 1e6
    return found


def main() -> None:
    """Measure and print."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 7
    where = sys.argv[2] if len(sys.argv) > 2 else None
    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, {rounds} rounds")
    with tempfile.TemporaryDirectory(dir=where) as name:
        folder = Path(name)
        print(f"fdatasync of the disk: {flush_time(folder) * 1e6:.0f} µs (median of 300)")
        rates: dict[str, list[float]] = {"append": [], "sqlite": [], "record": []}
        for _ in range(rounds):
            for kind, measured in rates.items():
                measured.append(rate(kind, folder / "rates"))
        ours, theirs, records = (statistics.median(rates[kind]) for kind in rates)
        ratio = statistics.median(a / b for a, b in zip(rates["append"], rates["sqlite"], strict=True))
        print(f"{WRITERS} writers × {APPENDS}: {ours:,.0f} appends/s")
        print(f"SQLite {sqlite3.sqlite_version}, WAL, FULL, the same: {theirs:,.0f} commits/s")
        print(f"ratio, median of the rounds: {ratio:.1f}")
        print(f"whole records, with the file for other tools: {records:,.0f}/s")
        early, late = growth(folder / "growth-of-log")
        print(f"append 100: {early * 1e6:.0f} µs, append 10,000: {late * 1e6:.0f} µs: {late / early:.2f} times")
        for what, value in questions(folder / "many").items():
            print(f"{what}: {value:.1f}" if "size" in what else f"{what}: {value * 1000:.1f} ms")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--write"]:
        write(sys.argv[2], Path(sys.argv[3]), int(sys.argv[4]))
    else:
        main()
