"""An operation that does what no operation should fails by name or is put right, and the rest of the run goes on."""

from __future__ import annotations

import json
import time

import pytest

PLUGIN = """\
import os, signal, sys, threading, time
import pandas
from pamola_tasks import Operation, OperationResult, hookimpl, writes

class Mute(Exception):
    def __str__(self): raise RuntimeError("no text")

class Moody(Exception):
    def __str__(self): raise SystemExit(3)
    __repr__ = __str__

class Deep(Exception):
    def __str__(self): return str(self)

class Hidden(Exception):
    def __getattribute__(self, name): raise RuntimeError("no attribute")

class Kind(type):
    @property
    def __name__(cls): raise RuntimeError("no name")

class Nameless(Exception, metaclass=Kind):
    pass

class Bad:
    def __str__(self): raise RuntimeError("no text")

def round_about(): return (lambda d: d.update(me=d) or d)({})

def nested(depth):
    found = {}
    for _ in range(depth): found = {"a": [found]}
    return found

def late(ctx, data):
    def go():
        time.sleep(0.3)
        for action in (lambda: data(ctx), lambda: ctx.artifact("late", "txt").__enter__()):
            try:
                action()
                said = "accepted"
            except Exception as error:
                said = str(error)
            with open(os.environ["SAID"], "a") as file:
                file.write(said + "\\n")
    threading.Thread(target=go).start()

def raises(error):
    raise error

def caused():
    try:
        raise Mute
    except Mute as error:
        raise ValueError("that") from error

def tower():
    error = ValueError("one of 2 ** 40")
    for _ in range(40):
        error = ExceptionGroup("twice the same", [error, error])
    return error

def write(ctx):
    ctx.data.write("a", pandas.DataFrame({"n": [1]}))

def all_descriptors(opened):
    while True:
        opened.append(open(os.devnull))

ODD = {
    "metrics in a circle": lambda ctx: OperationResult.success(round_about()),
    "metrics far too deep": lambda ctx: OperationResult.success(nested(100000)),
    "metrics too deep": lambda ctx: OperationResult.success(nested(40)),
    "a number too long": lambda ctx: OperationResult.success({"n": 10 ** 5000}),
    "a metric without text": lambda ctx: OperationResult.success({"n": Bad()}),
    "metrics in a list": lambda ctx: OperationResult(metrics=[1]),
    "a warning without text": lambda ctx: ctx.warn(Bad()),
    "artifacts that are none": lambda ctx: OperationResult.success({}, ["a.txt"]),
    "file descriptors kept": lambda ctx: all_descriptors([]),
    "file descriptors left": lambda ctx: all_descriptors(sys.__dict__.setdefault("left", [])),
    "error without text": lambda ctx: raises(Mute()),
    "error that leaves": lambda ctx: raises(Moody()),
    "error without end": lambda ctx: raises(Deep()),
    "error without attributes": lambda ctx: raises(Hidden()),
    "error without a name": lambda ctx: raises(Nameless()),
    "caused by one": lambda ctx: caused(),
    "a group of them": lambda ctx: raises(ExceptionGroup("several", [Mute()])),
    "a tower of groups": lambda ctx: raises(tower()),
    "a failure without text": lambda ctx: OperationResult.failure(Mute()),
}

LEFT = {
    "umask": lambda ctx: os.umask(0o777),
    "folder": lambda ctx: os.chdir("/"),
    "environment": lambda ctx: (os.environ.update(LEFT_BEHIND="x"), os.environ.pop("HOME")),
    "signal": lambda ctx: signal.signal(signal.SIGTERM, signal.SIG_IGN),
    "alarm": lambda ctx: signal.setitimer(signal.ITIMER_REAL, 0.2),
    "mask": lambda ctx: signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM}),
    "output": lambda ctx: setattr(sys, "stdout", None),
    "closed output": lambda ctx: (sys.stdout.close(), sys.stderr.close()),
    "closed descriptors": lambda ctx: (os.close(1), os.close(2)),
}

class Odd(Operation):
    output_dataset: str = writes("a")
    how: str = ""

    def execute(self, ctx):
        ctx.data.write(self.output_dataset, pandas.DataFrame({"n": [1]}))
        if self.how in ODD:
            return ODD[self.how](ctx)
        if self.how in LEFT:
            LEFT[self.how](ctx)
        if self.how == "late":
            late(ctx, write)
        if self.how.startswith("fork"):
            pid = os.fork()
            if pid == 0 and self.how == "fork that raises":
                raise ValueError("in the child")
            if pid:
                os.waitpid(pid, 0)
        return OperationResult.success()

class Fine(Operation):
    output_dataset: str = writes("b")
    wait: float = 0

    def execute(self, ctx):
        time.sleep(self.wait)
        mask = os.umask(0)
        os.umask(mask)
        handler = signal.getsignal(signal.SIGTERM)
        state = [mask, os.getcwd(), sorted(os.environ), handler is signal.SIG_IGN, sys.stdout is None]
        blocked = sorted(signal.pthread_sigmask(signal.SIG_BLOCK, ()))
        ctx.data.write(self.output_dataset, pandas.DataFrame({"state": [repr([*state, blocked])]}))
        return OperationResult.success()

@hookimpl
def pamola_add_operations():
    return {"Odd": Odd, "Fine": Fine}
"""
TASK = """\
task_id: t
continue_on_error: true
retry: {{max_retries: 0}}
executor: {{kind: {kind}}}
operations:
{steps}
"""
STEP = """\
  - Odd: {{how: {how!r}, output_dataset: {a}}}
    id: odd-{a}
  - Fine: {{output_dataset: {b}, wait: {wait}}}
    id: fine-{b}
"""
ODD = [line.split('"')[1] for line in PLUGIN.partition("ODD = {")[2].partition("\n}")[0].splitlines()[1:]]
LEFT = [line.split('"')[1] for line in PLUGIN.partition("LEFT = {")[2].partition("\n}")[0].splitlines()[1:]]


@pytest.fixture(params=["threads", "processes"])
def run(request, cli, project):
    """Run a task in which steps that do something odd have a fine one behind them; (what was printed, the report)."""
    (project / "odd.py").write_text(PLUGIN)

    def go(hows, code, wait=0):
        names = [(f"a{number or ''}", f"b{number or ''}") for number in range(len(hows))]
        listed = [STEP.format(how=how, a=a, b=b, wait=wait) for how, (a, b) in zip(hows, names, strict=True)]
        outputs = "output_datasets: [" + ", ".join(name for both in names for name in both) + "]\n"
        (project / "configs/t.yaml").write_text(TASK.format(kind=request.param, steps="".join(listed)) + outputs)
        said = {"SAID": str(project / "said.txt")}
        done = cli("--plugin", "odd.py", "run", "t", cwd=project, env=said, code=code)
        return done, json.loads((project / "DATA/reports/t_report.json").read_text())

    return go


def steps(report):
    return {step["step"]: step["status"] for step in report["operations"]}


def outputs(project):
    return sorted(path.name for path in (project / "DATA/processed/t/output").glob("*"))


def staged(project):
    return list(project.rglob("*.new"))


@pytest.mark.parametrize(
    "hows", [[how for how in ODD if "descr" not in how], *([how] for how in ODD if "descr" in how)]
)
def test_what_cannot_be_written_down_fails_the_step_by_name_and_nothing_else(run, project, hows):
    done, report = run(hows, 1)
    said = steps(report)
    assert [said[f"odd-a{number or ''}"] for number in range(len(hows))] == ["error"] * len(hows)
    assert [said[f"fine-b{number or ''}"] for number in range(len(hows))] == ["success"] * len(hows)
    for name in said:
        assert name.startswith("fine") or name in done.stderr + done.stdout
    assert "Traceback" not in done.stderr
    assert outputs(project) == sorted(f"b{number or ''}.csv" for number in range(len(hows)))
    assert staged(project) == []


def test_what_an_operation_leaves_behind_is_put_right(run, project):
    """The fine step behind each one finds what the first found, which has a step behind it that leaves nothing."""
    done, report = run(["", *LEFT], 0, wait=0.5)
    assert "t succeeded" in done.stdout
    assert set(steps(report).values()) == {"success"}
    found = [(project / f"DATA/processed/t/output/b{number or ''}.csv") for number in range(len(LEFT) + 1)]
    assert [path.read_text() for path in found] == [found[0].read_text()] * len(found)
    assert {path.stat().st_mode for path in (project / "DATA/processed/t/output").glob("*")} == {
        found[0].stat().st_mode
    }


@pytest.mark.parametrize("how", ["fork", "fork that raises"])
def test_a_process_that_returns_twice_ends_once(run, project, how):
    done, report = run([how], 0)
    assert steps(report) == {"odd-a": "success", "fine-b": "success"}
    assert done.stdout.count("t succeeded") == 1
    events = [
        json.loads(line.partition(" ")[2])["event"]
        for line in (project / "configs/execution_log.jsonl").read_text().splitlines()
    ]
    assert events == ["run_started", "step_finished", "step_finished", "run_finished"]
    assert "odd-a" in done.stderr


def test_a_step_that_has_ended_writes_no_more(run, project):
    _, report = run(["late"], 0, wait=1)
    assert steps(report) == {"odd-a": "success", "fine-b": "success"}
    assert outputs(project) == ["a.csv", "b.csv"]
    assert staged(project) == []
    said = (project / "said.txt").read_text().splitlines()
    assert len(said) == 2
    assert all("step odd-a has ended" in line for line in said)


def test_a_command_that_is_terminated_before_its_tasks_begin_says_so(start, project):
    """It ended with 130 and "interrupted", as after Ctrl-C."""
    slow = "import time\n@hookimpl\ndef pamola_add_operations():\n    open('begun', 'w').close()\n    time.sleep(60)\n"
    (project / "slow.py").write_text(f"from pamola_tasks import hookimpl\n{slow}")
    process = start("--plugin", "slow.py", "run", "--all", "--jobs", "2", cwd=project)
    while not (project / "begun").exists():
        assert process.poll() is None
        time.sleep(0.05)
    process.terminate()
    out, _ = process.communicate(timeout=120)
    assert (process.returncode, "terminated" in out) == (143, True)


def test_a_thread_that_never_ends_does_not_keep_the_command(cli, project):
    """Python waits for it without end; it is named, and ended with the process."""
    endless = "threading.Thread(target=threading.Event().wait, name='endless').start()"
    (project / "starts.py").write_text(
        "import threading\nfrom pamola_tasks import Operation, OperationResult, hookimpl\n"
        f"class Starts(Operation):\n    def execute(self, ctx):\n        {endless}\n"
        "        return OperationResult.success()\n"
        "@hookimpl\ndef pamola_add_operations(): return {'Starts': Starts}\n"
    )
    (project / "configs/t.yaml").write_text("operations: [Starts: {}]\n")
    done = cli("--plugin", "starts.py", "run", "t", cwd=project, code=0)
    assert "ended with the process: endless" in done.stderr
    assert "t succeeded" in done.stdout


REPLACED = {
    "json.dumps": "lambda *a, **k: '{}'",
    "os.write": "lambda descriptor, data: len(data)",
    "os.replace": "lambda *a, **k: None",
    "builtins.open": "None",
    "zlib.crc32": "lambda data: 0",
}
REPLACES = """\
import builtins, json, os, zlib
from pamola_tasks import Operation, OperationResult, hookimpl

class Replaces(Operation):
    what: str = ""
    by: str = ""

    def execute(self, ctx):
        exec(f"{self.what} = {self.by}")
        return OperationResult.success()

@hookimpl
def pamola_on_run_started(run):
    if run.config.description == "observer":
        json.dumps = lambda *a, **k: "{}"

@hookimpl
def pamola_add_operations():
    return {"Replaces": Replaces}
"""


def test_functions_that_an_operation_replaces_are_put_back(cli, project):
    """One of several steps after the other: all are recorded, and the run with its end."""
    steps = [{"Replaces": {"what": what, "by": by}, "id": what.replace(".", "_")} for what, by in REPLACED.items()]
    (project / "replaces.py").write_text(REPLACES)
    (project / "configs/t.json").write_text(json.dumps({"operations": steps}))
    cli("--plugin", "replaces.py", "run", "t", cwd=project, code=0)
    assert json.loads(cli("history", "t", "--json", cwd=project, code=0).stdout)[0]["status"] == "success"
    told = cli("--plugin", "replaces.py", "run", "t", cwd=project, code=0).stdout
    assert f"0 done, {len(steps)} unchanged" in told


def test_a_run_whose_end_cannot_be_read_back_is_no_success(cli, project):
    (project / "replaces.py").write_text(REPLACES)
    (project / "configs/t.json").write_text(
        json.dumps({"description": "observer", "operations": [{"Replaces": {"what": "self.x", "by": "1"}}]})
    )
    done = cli("--plugin", "replaces.py", "run", "t", cwd=project, code=1)
    assert "cannot be read back" in done.stdout + done.stderr


TANGLED = """\
import sys
from pamola_tasks import Operation, OperationResult, hookimpl

def circle():
    one, other = ValueError("one"), KeyError("other")
    one.__cause__ = one.__context__ = other
    other.__cause__ = other.__context__ = one
    raise one

def chain(length):
    if not length:
        raise ValueError("the first")
    try:
        chain(length - 1)
    except ValueError as error:
        raise ValueError("the next") from error

class Tangled(Operation):
    how: str = ""

    def execute(self, ctx):
        exec(self.how, globals())
        return OperationResult.success()

@hookimpl
def pamola_add_operations():
    return {"Tangled": Tangled}
"""


def test_errors_with_tangled_causes_and_emptied_import_paths(cli, project):
    """Causes in circles and in long chains took for ever; without finders, no report was written."""
    hows = {"circle": "circle()", "chain": "chain(300)", "finders": "sys.meta_path.clear()",
            "paths": "sys.path.clear()"}  # fmt: skip
    steps = [{"Tangled": {"how": how}, "id": name} for name, how in hows.items()]
    (project / "tangled.py").write_text(TANGLED)
    (project / "configs/t.json").write_text(json.dumps({"continue_on_error": True, "operations": steps}))
    cli("--plugin", "tangled.py", "run", "t", cwd=project, code=1)
    operations = json.loads((project / "DATA/reports/t_report.json").read_text())["operations"]
    assert [(each["step"], each["status"]) for each in operations] == [
        ("circle", "error"), ("chain", "error"), ("finders", "success"), ("paths", "success")
    ]  # fmt: skip
