"""The installed `pamola-task`, in a process of its own for every command, without starting an interpreter each time.

Most of what a short command takes is imports, and taking modules apart at the end. On Linux processes are forked from
ones that have imported kernel, plugins and what these import; each then runs the installed script from its first line,
in the environment and folder that it is given, to the functions that are registered with `atexit`. Where a command's
own path to modules has some of these, nothing of ours is imported before. Commands go to two such processes in turn, so
that no two in a row hash strings alike. Where the interpreter itself is told something it is started; what a test says
of how one starts and ends is seen in one that was started.
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import importlib
import itertools
import json
import os
import pkgutil
import runpy
import signal
import subprocess
import sys
import tempfile
import threading
import traceback
from collections.abc import Iterable, Iterator
from functools import cache
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

SCRIPT = Path(sys.executable).parent / ("pamola-task.exe" if os.name == "nt" else "pamola-task")
LIBRARIES = ("attrs", "cattrs", "click", "pluggy", "yaml", "pandas", "pyarrow.csv", "pyarrow.parquet", "duckdb")
LIBRARIES += ("adbc_driver_postgresql.dbapi",)
AT_THE_START = ("PYTHON", "LANG", "LC_", "TZ")  # variables that only a new interpreter obeys, but for PYTHONPATH

BEGAN, TEMPORARY = dict(os.environ), tempfile.gettempdir()


class Forking:
    """A process that forks commands, one at a time; it has imported what is ours if it is `warm`."""

    def __init__(self, *, warm: bool) -> None:
        self.process = subprocess.Popen(
            [sys.executable, __file__, *(["warm"] if warm else [])],
            env={name: value for name, value in os.environ.items() if name != "PYTHONPATH"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )

    def run(self, arguments: list[str], cwd: Path, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
        """Run a command to its end; whoever stops waiting ends it."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        with tempfile.TemporaryDirectory(dir=TEMPORARY) as folder:
            files = [Path(folder) / name for name in ("stdout", "stderr")]
            command = {"arguments": arguments, "cwd": str(cwd), "environment": environment, "files": [*map(str, files)]}
            answer = b""
            try:
                self.process.stdin.write(json.dumps(command).encode() + b"\n")
                self.process.stdin.flush()
                answer = self.process.stdout.readline()
            finally:
                if not answer:
                    self.end()
            out, err = (file.read_text() for file in files)
            return subprocess.CompletedProcess([str(SCRIPT), *arguments], int(answer), out, err)

    def prepare(self, libraries: tuple[str, ...]) -> None:
        """Import more before commands are forked: libraries that each of many commands would import."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps({"libraries": libraries}).encode() + b"\n")
        self.process.stdin.flush()
        self.process.stdout.readline()

    def end(self) -> None:
        """Kill it, with what it has forked."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.communicate()
        forking.cache_clear()


@cache
def forking(*, warm: bool) -> itertools.cycle[Forking]:
    """Two of them, in turn."""
    made = [Forking(warm=warm), Forking(warm=warm)]
    for each in made:
        atexit.register(each.end)
    return itertools.cycle(made)


def prepare(*libraries: str) -> None:
    """Have processes for commands import libraries before they are forked, where any are forked."""
    for _ in range(2 if sys.platform == "linux" else 0):
        next(forking(warm=True)).prepare(libraries)


def run(
    arguments: list[str], cwd: Path, environment: dict[str, str], before: tuple[str, ...] = ()
) -> subprocess.CompletedProcess[str]:
    """Run `pamola-task` with nothing on standard input, behind another command or not."""
    changed = {name for name in {*environment, *BEGAN} if environment.get(name) != BEGAN.get(name)}
    changed.discard("PYTHONPATH")
    if sys.platform == "linux" and not before and not any(name.startswith(AT_THE_START) for name in changed):
        return next(forking(warm=not takes_the_place(environment.get("PYTHONPATH", "")))).run(
            arguments, cwd, environment
        )
    return started(arguments, cwd, environment, before)


def takes_the_place(path: str) -> bool:
    """Whether a command's own path to modules has one that is imported before, or that a start looks for."""
    before = {*LIBRARIES, "sitecustomize", "usercustomize", *packages()}
    names = {name.partition(".")[0] for name in before}
    folders = [Path(folder) for folder in path.split(os.pathsep) if folder]
    return any((folder / name).exists() for folder in folders for each in names for name in (each, f"{each}.py"))


@cache
def packages() -> frozenset[str]:
    """Packages of the kernel and of the plugins that are installed here."""
    return frozenset(
        {"pamola_tasks", *(point.module.partition(".")[0] for point in entry_points(group="pamola_tasks"))}
    )


def pamola(project: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run `pamola-task` in a project, in the environment of the tests."""
    return run(list(words), project, dict(os.environ))


def started(
    arguments: list[str], cwd: Path, environment: dict[str, str], before: tuple[str, ...] = ()
) -> subprocess.CompletedProcess[str]:
    """Run `pamola-task` by an interpreter of its own."""
    return subprocess.run(
        [*before, str(SCRIPT), *arguments],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        timeout=240,
        stdin=subprocess.DEVNULL,
        check=False,
    )


def become(command: dict[str, Any]) -> None:
    """Turn this process into one that runs the script."""
    environment: dict[str, str] = command["environment"]
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(command["cwd"])
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    for number, path in enumerate(command["files"], start=1):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), number)
    os.closerange(3, 64)
    sys.modules["numpy"].random.seed()  # the rest of the family draws other numbers
    tempfile.tempdir = None  # found out in another environment
    sys.argv = [str(SCRIPT), *command["arguments"]]
    more = environment.get("PYTHONPATH", "")
    sys.path[:1] = [str(SCRIPT.parent), *(more.split(os.pathsep) if more else ())]
    leave = os._exit  # a run replaces it
    try:
        runpy.run_path(str(SCRIPT), run_name="__main__")
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        traceback.print_exc()
        code = 1
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    leave(code)


def ours() -> Iterator[str]:
    """The modules of kernel and plugins that are installed here, but for programs and what is imported for long."""
    for package in sorted(packages()):
        module = importlib.import_module(package)
        for each in pkgutil.walk_packages(module.__path__, f"{package}."):
            if not each.name.endswith((".__main__", ".recognizers")):  # spaCy takes seconds that few commands need
                yield each.name


def serve(*, warm: bool) -> None:
    """Fork a process for each line of standard input and answer with its exit code."""
    imported([*LIBRARIES, *(ours() if warm else ())])
    for line in iter(lambda: read_line(0), b""):
        command = json.loads(line)
        if "libraries" in command:
            imported(command["libraries"])
            os.write(1, b"0\n")
            continue
        pid = os.fork()
        if pid == 0:
            return become(command)
        os.write(1, b"%d\n" % os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))


def imported(names: Iterable[str]) -> None:
    """Import modules, and keep what they made from being looked at by each garbage collection of each child."""
    for name in names:
        with contextlib.suppress(ImportError):  # of a library that is not installed here
            importlib.import_module(name)
    gc.collect()
    gc.freeze()


def read_line(descriptor: int) -> bytes:
    """A line, and nothing that is behind it: what is read ahead would be the child's too."""
    line = bytearray()
    while not line.endswith(b"\n"):
        part = os.read(descriptor, 65536)
        if not part:
            return b""
        line += part
    return bytes(line)


if __name__ == "__main__":
    serve(warm=sys.argv[1:] == ["warm"])
