"""What reading and writing a table in each format costs, beside pyarrow, pandas and (where installed) polars.

    python benchmarks/bench_reading.py [ROWS] [ROUNDS]

1,000,000 rows of 15 columns unless ROWS says otherwise. Each way runs in a process of its own and in turn; seconds of
the processor after the imports, and the most memory of the process; medians. All end with a pandas or polars frame.
"""

from __future__ import annotations

import contextlib
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from importlib import import_module
from pathlib import Path
from typing import Any

import pandas as pd

FORMATS = ("csv", "parquet", "jsonl")
OURS = [f"pamola_tasks_data.{name}" for name in ("csv_reading", "csv_writing", "parquet", "json_files")]
PEERS = {"csv": ("pyarrow", "pandas", "polars"), "parquet": ("pandas", "polars"), "jsonl": ("pandas", "polars")}


def our_format(extension: str) -> Any:
    """A dataset format of the data plugin."""
    from pamola_tasks_data.formats import CSV, JSON_LINES, PARQUET

    return {"csv": CSV, "parquet": PARQUET, "jsonl": JSON_LINES}[extension]


def read_with(way: str, path: str) -> Any:
    """The whole file as a frame, by one library."""
    extension = Path(path).suffix[1:]
    if way == "ours":
        with Path(path).open("rb") as file:
            return our_format(extension).read(file, None, {})
    if way == "polars":
        import polars

        return {"csv": polars.read_csv, "parquet": polars.read_parquet, "jsonl": polars.read_ndjson}[extension](path)
    if way == "pyarrow":
        import pyarrow.csv

        return pyarrow.csv.read_csv(path).to_pandas()
    readers = {"csv": pd.read_csv, "parquet": pd.read_parquet, "jsonl": lambda path: pd.read_json(path, lines=True)}
    return readers[extension](path)


def write_with(way: str, frame: Any, path: str) -> None:
    """The frame as a file, by one library."""
    extension = Path(path).suffix[1:]
    if way == "ours":
        with Path(path).open("wb") as file:
            our_format(extension).write([frame], file, {})
    elif way == "polars":
        {"csv": frame.write_csv, "parquet": frame.write_parquet, "jsonl": frame.write_ndjson}[extension](path)
    elif way == "pyarrow":
        import pyarrow as pa
        import pyarrow.csv

        pyarrow.csv.write_csv(pa.Table.from_pandas(frame), path)
    elif extension == "csv":
        frame.to_csv(path, index=False)
    elif extension == "parquet":
        frame.to_parquet(path, index=False)
    else:
        frame.to_json(path, orient="records", lines=True)


def alone(way: str, path: str) -> None:
    """Print seconds of reading, seconds of writing, and the highest memory, once all is imported."""
    with contextlib.suppress(ImportError):
        import pyarrow.csv
        import pyarrow.parquet  # noqa: F401

        for name in OURS if way == "ours" else (way,):
            import_module(name)
    began = time.process_time()
    frame = read_with(way, path)
    read = time.process_time()
    with Path("/proc/self/status").open() as status:
        peak = next(int(line.split()[1]) for line in status if line.startswith("VmHWM"))
    write_with(way, frame, str(Path(path).with_name(f"written{Path(path).suffix}")))
    print(json.dumps([read - began, time.process_time() - read, peak / 1024]))


def main() -> None:
    """Measure and print."""
    if sys.argv[1:2] == ["--way"]:
        alone(*sys.argv[2:])
        return
    from bench_pipeline import people

    rows = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 3
    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, pandas {pd.__version__}")
    print(f"{rows:,} rows of 15 columns; seconds of the processor to read and to write, MiB once read")
    with tempfile.TemporaryDirectory() as home:
        frame = people(rows)
        for extension in FORMATS:
            path = f"{home}/people.{extension}"
            write_with("pandas", frame, path)
            ways = [way for way in ("ours", *PEERS[extension]) if way != "polars" or _is_there("polars")]
            found: dict[str, list[list[float]]] = {way: [] for way in ways}
            for _ in range(rounds):
                for way in ways:
                    command = [sys.executable, __file__, "--way", way, path]
                    found[way].append(json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout))
            for way in ways:
                read, write, peak = (statistics.median(column) for column in zip(*found[way], strict=True))
                print(f"  {extension:8}{way:8}{read:7.2f} {write:7.2f} {peak:7.0f}", flush=True)


def _is_there(name: str) -> bool:
    from importlib.util import find_spec

    return find_spec(name) is not None


if __name__ == "__main__":
    main()
