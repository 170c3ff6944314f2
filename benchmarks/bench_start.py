"""How fast a run starts, and what a further step costs, beside `python -c pass` and the tools that are installed.

    python benchmarks/bench_start.py [ROUNDS]

Processor time of whole processes with all that they start (user and system), and time on the clock for steps that run
at the same time; each measured run alternates with `python -c pass`, and medians are printed. Tools: where
`PAMOLA_BENCH_PEERS` names a folder, the environments `doit`, `luigi` and `kedro` in it, as far as they are there.
"""

from __future__ import annotations

import compileall
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

MANY = 100
WANTED = {"one step": 18, "100 steps": 30, "100 unchanged": 22, "--help": 7}
WAITING = 0.4  # eight steps of 0.2 s, four at a time

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

NODES = """\
import time

from pamola_tasks import Operation, OperationResult, hookimpl


class Node(Operation):
    number: int
    seconds: float

    def execute(self, ctx):
        time.sleep(self.seconds)
        return OperationResult.success()


@hookimpl
def pamola_add_operations():
    return {"Node": Node}
"""

DOIT = """\
import time
DOIT_CONFIG = {{"backend": "dbm", "verbosity": 0}}
def act(i):
    time.sleep({seconds})
    with open(f"out/{{i}}", "w") as file:
        file.write(str(i))
def task_c():
    for i in range({steps}):
        before = [f"out/{{i - 1}}"] if i and {chain} else []
        yield {{"name": f"{{i:03d}}", "actions": [(act, [i])], "targets": [f"out/{{i}}"], "file_dep": before,
               "uptodate": [True]}}
"""

LUIGI = """\
import luigi, time
class T(luigi.Task):
    i = luigi.IntParameter()
    def requires(self):
        return T(i=self.i - 1) if {chain} and self.i else []
    def output(self):
        return luigi.LocalTarget(f"out/{{self.i}}")
    def run(self):
        time.sleep({seconds})
        with self.output().open("w") as file:
            file.write("x")
class All(luigi.WrapperTask):
    def requires(self):
        return T(i={steps} - 1) if {chain} else [T(i=i) for i in range({steps})]
"""

KEDRO = """\
import time
from kedro.pipeline import Pipeline, node
def made(i):
    def act(x=0):
        time.sleep({seconds})
        return x
    act.__name__ = f"f{{i}}"
    return act
def register_pipelines():
    inputs = [f"d{{i - 1}}" if {chain} and i else None for i in range({steps})]
    nodes = [node(made(i), inputs[i], f"d{{i}}", name=f"n{{i:03d}}") for i in range({steps})]
    return {{"__default__": Pipeline(nodes)}}
"""
KEDRO_PROJECT = '[tool.kedro]\npackage_name = "bp"\nproject_name = "bp"\nkedro_init_version = "{version}"\n'

Command = Callable[[Path, int, float, bool], list[str]]


def write(folder: Path, name: str, text: str) -> None:
    """A file of a project."""
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(text)


def pamola(folder: Path, steps: int, seconds: float, chain: bool, executor: str = "threads") -> list[str]:
    """A project of ours, and the command that runs it."""
    write(folder, ".pamola.toml", "")
    write(folder, "nodes.py", NODES)
    listed = "".join(f"  - Node: {{number: {i}, seconds: {seconds}}}\n    id: n{i}\n" for i in range(steps))
    write(folder, "configs/t.yaml", f"task_id: t\ntask_type: bench\noperations:\n{listed}")
    at_once = [] if chain else ["--jobs", "4", "--executor", executor]
    script = str(Path(sys.executable).parent / "pamola-task")
    return [script, "--plugin", "nodes.py", "--quiet", "run", "t", *at_once]


def pamola_processes(folder: Path, steps: int, seconds: float, chain: bool) -> list[str]:
    """The same with steps in processes."""
    return pamola(folder, steps, seconds, chain, "processes")


def doit(folder: Path, steps: int, seconds: float, chain: bool) -> list[str]:
    """The same for doit."""
    (folder / "out").mkdir(exist_ok=True)
    write(folder, "dodo.py", DOIT.format(steps=steps, seconds=seconds, chain=chain))
    return [program("doit"), "run", *([] if chain else ["-n", "4", "-P", "thread"])]


def luigi(folder: Path, steps: int, seconds: float, chain: bool) -> list[str]:
    """The same for luigi."""
    write(folder, "bp.py", LUIGI.format(steps=steps, seconds=seconds, chain=chain))
    return [program("luigi"), "--local-scheduler", "--module", "bp", "All", *([] if chain else ["--workers", "4"])]


def kedro(folder: Path, steps: int, seconds: float, chain: bool) -> list[str]:
    """The same for kedro."""
    code = "from importlib.metadata import version; print(version('kedro'))"
    asked = [program("kedro").removesuffix("kedro") + "python", "-c", code]
    version = subprocess.run(asked, capture_output=True, text=True, check=True).stdout.strip()
    write(folder, "pyproject.toml", KEDRO_PROJECT.format(version=version) + 'source_dir = "src"\n')
    write(folder, "src/bp/__init__.py", "")
    write(folder, "src/bp/settings.py", "")
    write(folder, "src/bp/pipeline_registry.py", KEDRO.format(steps=steps, seconds=seconds, chain=chain))
    write(folder, "conf/base/catalog.yml", "")
    write(folder, "conf/local/.gitkeep", "")
    parallel = ["--runner=ThreadRunner", "--runner-params=max_workers=4"]
    return [program("kedro"), "run", *([] if chain else parallel)]


def program(name: str) -> str:
    """The program of a tool in its environment."""
    return str(Path(os.environ["PAMOLA_BENCH_PEERS"]) / name / "bin" / name)


def peers() -> dict[str, Command]:
    """The tools that are installed."""
    known: dict[str, Command] = {"doit": doit, "luigi": luigi, "kedro": kedro}
    folder = os.environ.get("PAMOLA_BENCH_PEERS")
    return {name: make for name, make in known.items() if folder and Path(program(name)).exists()}


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


# Runs a command and prints its time on the clock, and the processor time of it and all that it waited for.
METER = """
import json, os, resource, subprocess, sys, time
begun = time.perf_counter()
done = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
wall, used = time.perf_counter() - begun, resource.getrusage(resource.RUSAGE_CHILDREN)
if done.returncode:
    sys.exit(done.stderr.decode())
print(json.dumps([used.ru_utime + used.ru_stime, wall]))
"""


def measured(command: list[str], folder: Path, environment: dict[str, str]) -> tuple[float, float]:
    """Processor time and time on the clock of a command, in seconds."""
    meter = [sys.executable, "-S", "-c", METER, *command]
    done = subprocess.run(meter, cwd=folder, env=environment, check=True, stdout=subprocess.PIPE)
    processor, clock = json.loads(done.stdout)
    return processor, clock


class Case:
    """One line of the table: made anew for each round unless it is about what has not changed."""

    def __init__(self, tool: str, what: str, make: Command, steps: int, seconds: float = 0, chain: bool = True) -> None:
        self.tool, self.what, self.chain = tool, what, chain
        self._make, self._steps, self._seconds = make, steps, seconds
        self.command: list[str] = []
        self.runs: list[tuple[float, float]] = []
        self.bases: list[tuple[float, float]] = []

    def run(self, root: Path, environment: dict[str, str]) -> None:
        """Measure it once, and `python -c pass` before it."""
        folder = root / f"{self.tool}-{self.what.replace(' ', '-')}"
        again = "unchanged" in self.what
        if not again:
            shutil.rmtree(folder, ignore_errors=True)
        first = not folder.exists()
        folder.mkdir(exist_ok=True)
        command = self._make(folder, self._steps, self._seconds, self.chain) if first else self.command
        self.command = command
        environment = {**environment, "PYTHONPATH": str(folder)} if self.tool == "luigi" else environment
        if again and first:
            measured(command, folder, environment)
        self.bases.append(measured([sys.executable, "-c", "pass"], folder, environment))
        self.runs.append(measured(command, folder, environment))

    def row(self) -> str:
        """What came out."""
        processor, clock = (statistics.median(run[i] for run in self.runs) for i in (0, 1))
        base, base_clock = (statistics.median(run[i] for run in self.bases) for i in (0, 1))
        line = f"{self.tool:<18}{self.what:<28}{processor * 1000:7.0f} ms {processor / base:6.1f} x {clock:7.2f} s"
        if not self.chain:
            line += f" = {WAITING} s + {(clock - WAITING) / base_clock:.0f} x python -c pass"
        elif self.tool.startswith("pamola") and self.what in WANTED:
            line += f"   (wanted: at most {WANTED[self.what]} x)"
        return line


def main() -> None:
    """Measure and print."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 9
    dropped = ("PYTHONPATH", "PYTHONDONTWRITEBYTECODE")
    plain = {key: value for key, value in os.environ.items() if key not in dropped}
    plain |= {"KEDRO_DISABLE_TELEMETRY": "1", "DO_NOT_TRACK": "1"}
    script = str(Path(sys.executable).parent / "pamola-task")
    tools: dict[str, Command] = {"pamola-task": pamola, **peers()}
    cases: list[Case] = []
    for name, make in tools.items():
        cases += [Case(name, "one step", make, 1), Case(name, f"{MANY} steps", make, MANY)]
        if name != "kedro":  # which runs all nodes each time
            cases.append(Case(name, f"{MANY} unchanged", make, MANY))
        cases.append(Case(name, "8 x 0.2 s, four at a time", make, 8, 0.2, chain=False))
    cases.append(Case("pamola-task", "the same in processes", pamola_processes, 8, 0.2, chain=False))
    helps = {name: program(name) if name in peers() else script for name in tools}
    cases += [Case(name, "--help", lambda *_, of=path: [of, "--help"], 0) for name, path in helps.items()]
    with tempfile.TemporaryDirectory() as temporary:
        root = Path(temporary)
        install_fifty(root / "fifty")
        crowded = {**plain, "PYTHONPATH": str(root / "fifty")}
        more = Case("pamola-task", "--help, 50 more plugins", lambda *_: [script, "--help"], 0)
        for case in cases:  # the first run of each fills the system's cache of files, and Python's of bytecode
            case.run(root, plain)
        more.run(root, crowded)
        for case in [*cases, more]:
            case.runs.clear()
            case.bases.clear()
        begun = time.monotonic()
        for _ in range(rounds):
            for case in cases:
                case.run(root, plain)
            more.run(root, crowded)
    cores = f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"
    base = statistics.median(run[0] for case in cases for run in case.bases)
    print(f"{cores}; {rounds} rounds in {time.monotonic() - begun:.0f} s; python -c pass: {base * 1000:.1f} ms")
    for case in [*cases, more]:
        print(case.row())
    for name in tools:
        one, many = (
            statistics.median(run[0] for case in cases if (case.tool, case.what) == (name, what) for run in case.runs)
            for what in ("one step", f"{MANY} steps")
        )
        print(f"{name:<18}{'one step more':<28}{(many - one) / (MANY - 1) * 1000:7.2f} ms")


if __name__ == "__main__":
    main()
