"""Kills runs of the chain (see `chain_plugin`) at system calls and moments, and looks at what the next run makes of it.

    python tests/system/killing.py FOLDER

Reads jobs from standard input, one JSON object a line, and answers each with one line:

    {"do": "trace"}                       the system calls of an undisturbed run on paths under the project
    {"do": "call", "call": …, "nth": …}   kill before the nth call of this name
    {"do": "moment", "seconds": …}        kill after so many seconds
    {"do": "error", "call": …, "nth": …, "error": "ENOSPC"}   let that call fail instead of killing
    {"do": "config", "error": "ENOSPC"}   save the task's configuration, letting each of its calls fail once in turn

Runs are forked from one process that has everything imported, so that a thousand of them take minutes. strace is
attached before the run begins, so that calls are counted from there.
"""

from __future__ import annotations

import contextlib
import gc
import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from pamola_tasks.storage import journal
from pamola_tasks_cli.app import run as command_line

HERE = Path(__file__).resolve().parent
CALLS = "openat,openat2,write,pwrite64,rename,renameat,renameat2,fsync,fdatasync,close,unlink,unlinkat,mkdir,mkdirat"
COMMAND = ["--plugin", str(HERE.parent / "chain_plugin.py"), "run", "chain"]


def make_project(root: Path) -> None:
    """The chain: fourteen steps that read what others write, six that leave artifacts, one input."""
    steps: list[dict[str, Any]] = []
    for n in range(14):
        inputs = ["numbers"] if n == 0 else [f"d{n - 1}", *([f"d{n // 2}"] if n % 3 == 0 else [])]
        steps.append({"Mix": {"inputs": inputs, "output_dataset": f"d{n}"}, "id": f"mix{n:02}"})
    steps += [{"Describe": {"input_dataset": f"d{2 * n}"}, "id": f"describe{n}"} for n in range(6)]
    task = {
        "task_id": "chain",
        "task_type": "test",
        "seed": 7,
        "input_datasets": {"numbers": "DATA/raw/numbers.json"},
        "outputs": ["d4", "d9"],
        "operations": steps,
    }
    for folder in ("configs", "DATA/raw"):
        (root / folder).mkdir(parents=True)
    (root / ".pamola.toml").touch()
    (root / "configs/chain.json").write_text(json.dumps(task))
    (root / "DATA/raw/numbers.json").write_text(json.dumps(list(range(50))))


class Killer:
    """Runs the chain in a project that is made anew for every job."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.project = folder / "project"
        self.log = folder / "steps-run"
        self.output = folder / "output"
        os.environ["CHAIN_LOG"] = str(self.log)
        make_project(folder / "pristine")
        self.renew()
        self.run_here()  # imports all that a run imports, once for all the forks to come
        gc.freeze()
        self.renew()
        if self.run() != 0:
            raise SystemExit(self.output.read_text())
        self.wanted = self.left()
        self.seconds = 0.0

    def renew(self) -> None:
        """The project as it is before the first run."""
        shutil.rmtree(self.project, ignore_errors=True)
        shutil.copytree(self.folder / "pristine", self.project)
        self.log.unlink(missing_ok=True)
        self.log.touch()

    def left(self) -> dict[str, str]:
        """Every output, intermediate dataset and artifact, with the hash of its bytes."""
        home = self.project / "DATA/processed/chain"
        found = [
            path for part in ("output", "internal", "dictionaries", ".state/steps") for path in (home / part).rglob("*")
        ]
        return {
            str(path.relative_to(home)): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in found
            if path.is_file()
        }

    # ------------------------------------------------------------ one run

    def begin(self, command: list[str] = COMMAND) -> tuple[int, int]:
        """Fork a run, or another command, that waits for a word on the pipe; its pid, and where to speak."""
        hears, tells = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.close(tells)
            os.read(hears, 1)
            os.close(hears)
            os.chdir(self.project)
            descriptor = os.open(self.output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
            os.dup2(descriptor, 1)
            os.dup2(descriptor, 2)
            code = 1
            try:
                command_line(command)
            except SystemExit as end:
                code = int(end.code or 0)
            finally:
                sys.stdout.flush()
                os._exit(code)
        os.close(hears)
        return pid, tells

    def run_here(self) -> None:
        """A run in this process."""
        os.chdir(self.project)
        with open(self.output, "w") as output, contextlib.redirect_stdout(output), contextlib.suppress(SystemExit):
            command_line(COMMAND)
        os.chdir(self.folder)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)

    def run(self) -> int:
        """A run that nobody disturbs; its exit code."""
        pid, pipe = self.begin()
        os.close(pipe)
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

    def run_traced(self, *options: str, command: list[str] = COMMAND) -> tuple[int, list[str]]:
        """A run under strace; its exit code, and the lines of the trace."""
        trace = self.folder / "trace"
        pid, pipe = self.begin(command)
        arguments = ["strace", "-y", "-s", "0", "-o", str(trace), "-e", f"trace={CALLS}", *options, "-p", str(pid)]
        tracer = subprocess.Popen(arguments, stderr=subprocess.DEVNULL)
        status = Path(f"/proc/{pid}/status")
        while "TracerPid:\t0\n" in status.read_text():
            if tracer.poll() is not None:
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)
                raise SystemExit("strace cannot attach to a process here")
            time.sleep(0.001)
        os.close(pipe)
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        tracer.wait()
        return code, trace.read_text(errors="replace").splitlines()

    # ------------------------------------------------------------ jobs

    def trace(self) -> list[dict[str, Any]]:
        """The calls of an undisturbed run on paths under the project, each with its number among those of its name."""
        self.renew()
        code, lines = self.run_traced()
        if code != 0:
            raise SystemExit(self.output.read_text())
        return self.numbered(lines)

    def numbered(self, lines: list[str]) -> list[dict[str, Any]]:
        """The calls in a trace that are on paths under the project."""
        counts: dict[str, int] = {}
        found = []
        for line in lines:
            name = line.partition("(")[0]
            if not name.isidentifier():
                continue
            counts[name] = counts.get(name, 0) + 1
            if (site := self.site(line)) is not None:
                found.append({"call": name, "nth": counts[name], "site": site})
        return found

    def site(self, line: str) -> str | None:
        """What is done to which file, without what differs from step to step; None for files elsewhere."""
        root = str(self.project)
        name, _, arguments = line.rpartition(" = ")[0].partition("(")
        places = re.findall(r"<([^<>]*)>", arguments)
        if not any(place == root or place.startswith(f"{root}/") for place in places) or f'<{root}>, "/' in arguments:
            return None  # elsewhere, also by an absolute name while the project is the current folder
        names = re.findall(r'"([^"]*)"', arguments) if not name.startswith("write") else []
        how = " creating" if "O_CREAT" in arguments else " folder" if "O_DIRECTORY" in arguments else ""
        text = " ".join([name + how, *(place.replace(root, "") or "/" for place in places), *names])
        text = re.sub(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f-]{22}", "RUN", text)
        text = re.sub(r"tmp-pamola-[0-9a-f]+", "tmp", text)
        text = re.sub(r"\.[0-9a-f]{8}(?=\.new)", "", text)  # of an attempt
        return re.sub(r"(?<![a-z])(d\d+|describe\d|mix\d\d)|(?<=_)d\d+", "N", text)

    def kill_at_call(self, call: str, nth: int) -> dict[str, Any]:
        """Kill before a call."""
        self.renew()
        code, lines = self.run_traced("-e", f"inject={call}:signal=SIGKILL:when={nth}")
        last = next((line for line in reversed(lines) if line.startswith(f"{call}(")), "")
        return {"killed": code == -signal.SIGKILL, "site": self.site(last), **self.after()}

    def kill_at_moment(self, seconds: float) -> dict[str, Any]:
        """Kill after a time."""
        self.renew()
        pid, pipe = self.begin()
        os.close(pipe)
        time.sleep(seconds)
        os.kill(pid, signal.SIGKILL)
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        return {"killed": code == -signal.SIGKILL, **self.after()}

    def fail_call(self, call: str, nth: int, error: str) -> dict[str, Any]:
        """Let a call fail."""
        self.renew()
        code, lines = self.run_traced("-e", f"inject={call}:error={error}:when={nth}")
        last = next((line for line in lines if "(INJECTED)" in line), "")
        said = self.output.read_text()
        return {"code": code, "said": said, "site": self.site(last), "failed": last, **self.after()}

    def fail_config_save(self, error: str) -> dict[str, Any]:
        """Let each call of `config save` fail once: the file is the old or the new one, the error names it."""
        self.renew()
        path = self.project / "configs/chain.json"
        old = json.loads(path.read_bytes())
        command = [*COMMAND[:2], "config", "save", "chain", "--set", "seed=8"]
        wrong = []
        calls = [call for call in self.numbered(self.run_traced(command=command)[1]) if "close" not in call["call"]]
        for call in calls:
            self.renew()
            inject = f"inject={call['call']}:error={error}:when={call['nth']}"
            code, _ = self.run_traced("-e", inject, command=command)
            now, said = json.loads(path.read_bytes()), self.output.read_text()
            if now not in (old, {**old, "seed": 8}) or (code == 0) != (now["seed"] == 8):
                wrong.append(f"{call}: code {code}, the file says {now}")
            if code != 0 and "write" in call["call"] and "configs/chain.json" not in said:
                wrong.append(f"{call}: it said {said}")
            if any(is_stray(found.name) for found in path.parent.iterdir()):
                wrong.append(f"{call}: something is left beside the file")
        return {"tried": len(calls), "wrong": wrong}

    def after(self) -> dict[str, Any]:
        """What the plain command makes of it: what is wrong with that, in words."""
        finished = self.finished()
        before = len(self.log.read_text().split())
        code = self.run()
        wrong = []
        if code != 0:
            wrong.append(f"the rerun ended with {code}: {self.output.read_text()}")
        again = sorted(set(self.log.read_text().split()[before:]) & finished)
        if again:
            wrong.append(f"finished steps were run again: {again}")
        left = self.left()
        if left != self.wanted:
            odd = sorted(path for path in {*left, *self.wanted} if left.get(path) != self.wanted.get(path))
            wrong.append(f"the outputs are others: {odd}")
        stray = [str(path.relative_to(self.project)) for path in self.project.rglob("*") if is_stray(path.name)]
        if stray:
            wrong.append(f"stray files: {stray}")
        return {"finished": len(finished), "wrong": [*wrong, *self.unsound()]}

    def finished(self) -> set[str]:
        """The steps whose line in the journal is complete."""
        path = self.project / "DATA/processed/chain/.state/journal.jsonl"
        entries = journal.parse(path.read_bytes()).entries if path.exists() else []
        return {entry["step_id"] for entry in entries if entry["event"] == "step"}

    def unsound(self) -> list[str]:
        """What is wrong with history and report after the rerun."""
        wrong = []
        history = journal.parse((self.project / "configs/execution_log.jsonl").read_bytes())
        if history.damaged or history.torn:
            wrong.append(f"the history is damaged: {history.damaged}, torn: {history.torn}")
        begun = {entry["run_id"] for entry in history.entries if entry["event"] == "run_started"}
        ended = {e["run_id"] for e in history.entries if e["event"] in ("run_finished", "run_failed", "run_aborted")}
        if begun - ended:
            wrong.append(f"{len(begun - ended)} runs without an end in the history")
        for name in (
            "configs/execution_log.json",
            "DATA/reports/chain_report.json",
            "DATA/processed/chain/manifest.json",
        ):
            try:
                json.loads((self.project / name).read_bytes())
            except (OSError, ValueError) as problem:
                wrong.append(f"{name}: {problem}")
        return wrong


def is_stray(name: str) -> bool:
    """Whether a name is one of a file or folder that is only there while something is being written."""
    return ".tmp-pamola-" in name or name.endswith(".new")


def main() -> None:
    """Do what standard input says."""
    killer = Killer(Path(sys.argv[1]))
    for line in sys.stdin:
        job = json.loads(line)
        match job.pop("do"):
            case "trace":
                answer: Any = killer.trace()
            case "call":
                answer = {**job, **killer.kill_at_call(**job)}
            case "moment":
                answer = {**job, **killer.kill_at_moment(**job)}
            case "config":
                answer = {**job, **killer.fail_config_save(**job)}
            case "error":
                answer = {**job, **killer.fail_call(**job)}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
