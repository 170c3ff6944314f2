"""From a table of PostgreSQL, anonymized, into a table: beside the same from Parquet to Parquet, and killed.

    python benchmarks/bench_sql.py [--rows 1000000] [--kills 20] [--rounds 1]

The table is that of `large_tables.py`, with columns that name people, anonymized with k = 5 by five quasi-identifiers.
The server is one of its own, in a temporary folder. Rows in a second are of the whole command; MiB are the most
resident memory of its process. Then the run is killed (SIGKILL) at moments spread over all of it, each time from the
beginning: the target has to be the old table or the whole new one, and the same command has to finish it.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import large_tables

sys.path.append(str(Path(__file__).parents[1] / "tests"))
from postgresql_server import SECRET, Server, started

COMMAND = [str(Path(sys.executable).parent / "pamola-task"), "run"]
STEP = {
    "input_dataset": "people",
    "k": 5,
    "quasi_identifiers": ["sex", "age", "education", "marital-status", "race"],
    "direct_identifiers": ["email"],
    "insensitive_attributes": [
        *("income", "born", "native-country", "workclass", "occupation", "salary-class", "region")
    ],
}
STATE = "select count(*), coalesce(sum(hashtextextended(q::text, 0)::numeric), 0)::text from out_people q"


def prepare(root: Path, server: Server, rows: int) -> None:
    """A project with the table as a file, and the same table on the server."""
    (root / "configs").mkdir()
    (root / ".pamola.toml").touch()
    (root / "DATA/raw").mkdir(parents=True)
    large_tables.write(rows, root / "DATA/raw/people.parquet", identified=True)
    database = {"url": server.url, "user": "owner", "password": "${env:BENCH_PASSWORD}", "write": ["out*"]}
    common = {"output_format": "parquet", "seed": 1, "sql": {"databases": {"bench": database}}}
    (root / "configs/prj_config.yaml").write_text(json.dumps(common))
    task: dict[str, Any] = {"operations": [{"AnonymizeOperation": STEP}]}
    file = {**task, "input_datasets": {"people": "DATA/raw/people.parquet"}}
    (root / "configs/file.yaml").write_text(json.dumps(file))
    table = {**task, "input_datasets": {"people": "postgresql://bench?table=people"}}
    table["sql"] = {"outputs": {"people_anonymized": "postgresql://bench?table=out_people"}}
    (root / "configs/table.yaml").write_text(json.dumps(table))
    with server.connected() as connection, connection.cursor() as cursor:
        for number, piece in enumerate(large_tables.pieces(rows, identified=True)):
            cursor.adbc_ingest("people", piece, mode="append" if number else "create")
        connection.commit()
    server("analyze people")


def run(root: Path, task: str) -> tuple[float, float]:
    """Seconds and MiB of a run from the beginning."""
    started = time.perf_counter()
    process = subprocess.Popen([*COMMAND, task, "--restart"], cwd=root, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    said = process.stdout.read()
    _, status, used = os.wait4(process.pid, 0)
    if status:
        sys.exit(f"{task} failed: {said}")
    return time.perf_counter() - started, used.ru_maxrss / (1024 if sys.platform != "darwin" else 1 << 20)


def killed(root: Path, server: Server, after: float) -> str:
    """What the target is after a run that was killed, in a word."""
    process = subprocess.Popen([*COMMAND, "table", "--restart"], cwd=root, stdout=subprocess.DEVNULL)
    try:
        process.wait(after)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGKILL)
        process.wait()
    while server("select pid from pg_stat_activity where application_name = 'pamola-tasks'"):
        time.sleep(0.05)
    left = [name for (name,) in server("select relname::text from pg_class where relname ~ '^(out|pamola)'")]
    if left != ["out_people"]:
        sys.exit(f"tables are left over: {left}")
    return str(server(STATE))


def main() -> None:
    """Print what was measured."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=1)
    arguments = parser.parse_args()
    os.environ["BENCH_PASSWORD"] = SECRET
    root = Path(tempfile.mkdtemp(prefix="bench-sql-"))
    try:
        with started() as server:
            prepare(root, server, arguments.rows)
            best: dict[str, float] = {}
            for _ in range(arguments.rounds):
                for task in ("file", "table"):
                    seconds, peak = run(root, task)
                    best[task] = min(best.get(task, seconds), seconds)
                    print(
                        f"{task:6} {seconds:6.1f} s  {arguments.rows / seconds:10,.0f} rows/s  {peak:6.0f} MiB",
                        flush=True,
                    )
                    report = json.loads((root / f"DATA/reports/{task}_report.json").read_text())
                    for step in report["operations"]:
                        print(f"       {step['step']:28} {step['seconds']:6.2f} s  {step['peak_memory_mb']} MiB")
            print(f"rows/s from table to table: {best['file'] / best['table']:.0%} of those from file to file")
            whole, counted = str(server(STATE)), {"old": 0, "new": 0}
            for moment in range(arguments.kills):
                server("drop table out_people", "create table out_people as select 7 as old")
                old = str(server(STATE))
                found = killed(root, server, best["table"] * (moment + 0.5) / arguments.kills)
                if found not in (old, whole):
                    sys.exit(f"half a table after kill {moment}: {found}")
                counted["old" if found == old else "new"] += 1
            subprocess.run([*COMMAND, "table"], cwd=root, check=True, stdout=subprocess.DEVNULL)
            again = "the whole" if str(server(STATE)) == whole else "ANOTHER"
            print(f"{arguments.kills} kills: {counted['old']} × the old table, {counted['new']} × the whole new one,")
            print(f"half a table never; then the same command: {again} table")
    finally:
        shutil.rmtree(root)


if __name__ == "__main__":
    main()
