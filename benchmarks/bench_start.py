"""What `pamola-task --help` costs, in multiples of `python -c pass`, alone and with 50 more plugins installed.

    python benchmarks/bench_start.py [ROUNDS]

CPU time of whole processes, measured in turn; medians. Wanted: at most 14, and at most 1.3 times that with 50 more.
"""

from __future__ import annotations

import compileall
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

PLUGIN = '''\
"""A plugin such as there are many: a command and an operation."""

from pamola_tasks import Command, hookimpl

PAMOLA_HOOK_API = 1


@hookimpl
def pamola_add_commands():
    return {{"extra-{number}": Command("extra_{number}.command:command", help="Extra command {number}.")}}


@hookimpl
def pamola_add_operations():
    return {{"Extra{number}Operation": "extra_{number}.operation:Extra{number}Operation"}}
'''


def install_fifty(folder: Path) -> None:
    """Lay out 50 distributions as pip would, each with an entry point."""
    for number in range(50):
        package = folder / f"extra_{number}"
        package.mkdir(parents=True)
        (package / "__init__.py").touch()
        (package / "plugin.py").write_text(PLUGIN.format(number=number))
        info = folder / f"extra_{number}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: extra-{number}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[pamola_tasks]\nextra-{number} = extra_{number}.plugin\n")
    compileall.compile_dir(folder, quiet=2)


def cpu_of(command: list[str], environment: dict[str, str]) -> float:
    """User and system seconds of one process."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    """Measure and print."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 15
    with tempfile.TemporaryDirectory() as folder:
        install_fifty(Path(folder))
        plain = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
        crowded = {**plain, "PYTHONPATH": folder}
        script = str(Path(sys.executable).parent / "pamola-task")
        cases = {
            "python -c pass": ([sys.executable, "-c", "pass"], plain),
            "--help": ([script, "--help"], plain),
            "--help, 50 more plugins": ([script, "--help"], crowded),
            "--version": ([script, "--version"], plain),
            "plugins": ([script, "plugins"], plain),
        }
        for command, environment in cases.values():  # the first run of each fills the system's cache of files
            cpu_of(command, environment)
        measured: dict[str, list[float]] = {name: [] for name in cases}
        for _ in range(rounds):
            for name, (command, environment) in cases.items():
                measured[name].append(cpu_of(command, environment))
    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, {rounds} rounds")
    base = statistics.median(measured["python -c pass"])
    for name, seconds in measured.items():
        median = statistics.median(seconds)
        print(f"{name:<26}{median * 1000:7.1f} ms CPU  {median / base:5.1f} x python -c pass")
    more = statistics.median(measured["--help, 50 more plugins"]) / statistics.median(measured["--help"])
    print(f"50 more plugins: {more:.2f} x --help")


if __name__ == "__main__":
    main()
