"""Whole runs: several steps at a time, on threads and in processes."""

from __future__ import annotations

import base64
import hashlib
import itertools
import json
import os
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

import attrs
import pytest
from noisy_steps import Join, Noise
from parallel_steps import (
    Crash,
    Fail,
    Flaky,
    Given,
    Hang,
    Hog,
    Interrupt,
    Meet,
    Slow,
    Watch,
    gone,
    pids,
    wait_for,
)

from pamola_tasks import Kernel, Operation, OperationContext, OperationResult
from pamola_tasks.errors import PlanError, StepTimeout
from pamola_tasks_executor import remote

KEPT: Any = {"checkpoints.keep_intermediate": True}
KINDS = pytest.mark.parametrize("kind", ["threads", "processes"])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "project"
    made.mkdir()
    (made / ".pamola.toml").touch()
    lines = [f"{number},{number % 7}" for number in range(2000)]
    (made / "people.csv").write_text("\n".join(["id,group", *lines]) + "\n")
    return made


def run(folder: Path, task: Any, *plugins: Any, kind: str = "threads", **configuration: Any) -> Any:
    kernel = Kernel(project=folder, plugins=plugins)
    overrides = {"seed": 7, "retry.max_retries": 0, "parallel_processes": 4, "executor.kind": kind, **configuration}
    return kernel.run(task, overrides=overrides)


def noisy() -> Given:
    return Given(
        (Noise, {"input_dataset": "people", "output_dataset": "one"}, {"id": "a"}),
        (Noise, {"input_dataset": "people", "output_dataset": "two"}, {"id": "b"}),
        (Join, {"left": "one", "right": "two", "output_dataset": "both"}, {"id": "c"}),
        (Noise, {"input_dataset": "people", "output_dataset": "three"}, {"id": "d"}),
        input_datasets={"people": "people.csv"},
    )


def files_of(folder: Path) -> dict[str, str]:
    """Hashes of all that steps left."""
    root = folder / "DATA" / "processed" / "t_1"
    found = [*root.joinpath("output").rglob("*"), *root.joinpath(".state", "steps").rglob("*")]
    return {str(p.relative_to(root)): hashlib.sha256(p.read_bytes()).hexdigest() for p in found if p.is_file()}


def picture(outcome: Any) -> Any:
    """All that a run recorded, but for what tells of time."""
    changing = {"run_id", "started", "finished", "seconds", "creation_time", "peak_memory_bytes", "root", "parallel"}
    changing |= {"peak_memory_mb", "own_process"}
    changing.add("report_files")  # a report tells of time, so its hash does

    def plain(value: Any) -> Any:
        if attrs.has(type(value)):
            value = {f.name: getattr(value, f.name) for f in attrs.fields(type(value))}
        if isinstance(value, dict):
            return [(key, plain(item)) for key, item in value.items() if key not in changing]
        return [plain(item) for item in value] if isinstance(value, (list, tuple)) else value

    return plain(outcome.record), list(outcome.results)


def report_of(outcome: Any) -> Any:
    report = json.loads(outcome.report.read_text())
    for step in report["operations"]:
        step.pop("seconds", None)
    return [(s["step"], s["status"], s["metrics"], s["warnings"]) for s in report["operations"]], report["warnings"]


# ---------------------------------------------------------------- the same results, whatever ends first


def test_parallel_runs_leave_what_a_sequential_run_leaves_byte_for_byte_and_in_its_order(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = {}
    for kind, many in (("threads", 1), ("threads", 4), ("processes", 4)):
        if many > 1:
            late = tmp_path / f"late-{kind}"
            late.mkdir()
            monkeypatch.setenv("LATE", str(late))  # step a, the first of the plan, now ends after b and d have drawn
        watch = Watch()
        outcome = run(folder, noisy(), watch, kind=kind, parallel_processes=many, **KEPT)
        assert outcome.success, outcome.error
        order = [what.split()[1] for what in watch.heard if what.startswith("finished")]
        assert (order == ["a", "b", "c", "d"]) == (many == 1)
        found[kind, many] = picture(outcome), report_of(outcome), files_of(folder)
        journal = folder / "DATA" / "processed" / "t_1" / ".state" / "journal.jsonl"
        assert len(journal.read_text().splitlines()) == 4
        outcome = run(folder, noisy(), kind=kind, parallel_processes=many, **KEPT)
        assert [step.status for step in outcome.record.steps] == ["skipped"] * 4
        subprocess.run(["rm", "-r", str(folder / "DATA")], check=True)
    (record, report, files), *others = found.values()
    assert files, "the sequential run left nothing"
    for other in others:
        assert other[2] == files
        assert other[1] == report
        for (name, value), (_, was) in zip(other[0][0], record[0], strict=True):
            assert (name, value) == (name, was)
        assert other[0] == record


@KINDS
def test_two_noisy_steps_are_not_correlated(folder: Path, kind: str) -> None:
    outcome = run(folder, noisy(), kind=kind, parallel_processes=2)
    assert outcome.success, outcome.error
    assert abs(outcome.results["c"].metrics["correlation"]) < 0.1


@KINDS
def test_observers_hear_of_everything_one_at_a_time_in_the_main_thread(folder: Path, kind: str) -> None:
    watch = Watch()
    outcome = run(folder, noisy(), watch, kind=kind)
    assert outcome.success, outcome.error
    assert (watch.elsewhere, watch.overlapped) == ([], False)
    for step, dataset in (("a", "one"), ("b", "two"), ("d", "three")):
        of_step = [what for what in watch.heard if what.split()[1] == step]
        assert of_step[0] == f"started {step}"
        assert of_step[-1] == f"finished {step} success"
        for what in (f"progress {step} 2", f"read {step} people 2000", f"written {step} {dataset}"):
            assert what in of_step
        assert of_step.index(f"stage {step} adding noise") < of_step.index(f"progress {step} 1")
        assert f"artifact {step} spread_{step}" in of_step
    logs = [file.read_text() for file in folder.rglob("*.log")]
    assert logs
    for log in logs:
        assert "[a] noise was added by a" in log
        assert log.count("all are noisy") == 1
    report = json.loads(outcome.report.read_text())
    assert report["metrics"]["noise of a"] == 2000
    assert report["inputs"][0]["rows"] == 2000


# ---------------------------------------------------------------- at the same time


@KINDS
def test_independent_steps_really_run_at_the_same_time(folder: Path, tmp_path: Path, kind: str) -> None:
    many = 8 if kind == "threads" else 4
    steps = [(Meet, {"folder": str(tmp_path), "many": many}, {}) for _ in range(many)]
    outcome = run(folder, Given(*steps), kind=kind, parallel_processes=many)
    assert outcome.success, outcome.error
    workers = {result.metrics["pid"] for result in outcome.results.values()}
    assert (os.getpid() in workers, len(workers)) == ((True, 1) if kind == "threads" else (False, many))
    assert all(gone(pid) or pid == os.getpid() for pid in workers)


def test_no_more_steps_run_at_a_time_than_is_said(folder: Path) -> None:
    class Counts(Operation):
        here, most = 0, 0

        def execute(self, ctx: OperationContext) -> OperationResult:
            kind = type(self)
            kind.here += 1
            kind.most = max(kind.most, kind.here)
            next(itertools.islice(itertools.count(), 200_000, None))
            kind.here -= 1
            return OperationResult.success()

    assert run(folder, Given(*[(Counts, {}, {})] * 12), parallel_processes=3).success
    assert 1 <= Counts.most <= 3


def test_jobs_and_executor_of_the_command_line_override_the_configuration(folder: Path, tmp_path: Path) -> None:
    (folder / "tasks.py").write_text(
        "from pamola_tasks import BaseTask, Operation, OperationResult\n"
        "import os, pathlib, time\n"
        "class InScript(Operation):\n"
        "    def execute(self, ctx):\n"
        f"        here = pathlib.Path({str(tmp_path)!r})\n"
        "        (here / f'{ctx.step.id}.here').write_text(str(os.getpid()))\n"
        "        while len(list(here.glob('*.here'))) < 2: time.sleep(0.01)\n"
        "        return OperationResult.success({'pid': os.getpid(), 'parent': os.getppid()})\n"
        "class Two(BaseTask):\n"
        "    def __init__(self): super().__init__('t_two')\n"
        "    def configure_operations(self):\n"
        "        self.add_operation(InScript); self.add_operation(InScript)\n"
    )
    (folder / "configs").mkdir()
    (folder / "configs" / "t_two.yaml").write_text("parallel_processes: 1\n")
    command = [sys.executable, "-m", "pamola_tasks", "run", "tasks.py:Two", "--json", "--jobs", "2"]
    for more in (["--executor", "processes"], ["--executor", "threads", "--restart"], ["--timeout", "60", "--restart"]):
        for file in tmp_path.glob("*.here"):
            file.unlink()
        done = subprocess.run([*command, *more], cwd=folder, capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, done.stderr
        metrics = [step["metrics"] for step in json.loads(done.stdout)["steps"]]
        assert len({m["pid"] for m in metrics}) == (1 if "threads" in more else 2)
    done = subprocess.run([*command, "--executor", "nobody"], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "unknown executor 'nobody': there are threads, processes" in done.stderr


# ---------------------------------------------------------------- failures


@KINDS
def test_an_error_comes_back_whole(folder: Path, kind: str) -> None:
    outcome = run(folder, Given((Fail, {"message": "the real message"}, {"id": "bad"})), kind=kind)
    result = outcome.results["bad"]
    assert type(result.exception) is ConnectionRefusedError
    assert result.error_message == "the real message"
    for words in ("the first cause", "in deep_inside", "raise ConnectionRefusedError(message)"):
        assert words in (result.error_trace or "")
    assert outcome.record.error["step"] == "bad"


def test_an_error_that_cannot_be_sent_is_told_in_words(folder: Path) -> None:
    outcome = run(folder, Given((Fail, {"odd": True}, {"id": "bad"})), kind="processes")
    assert outcome.results["bad"].error_message.startswith("Odd: odd ")
    assert "raise Odd(1, 2)" in outcome.results["bad"].error_trace


def test_after_a_failure_nothing_begins_and_what_runs_on_threads_ends_well(folder: Path, tmp_path: Path) -> None:
    task = Given(
        (Slow, {"file": str(tmp_path / "failing")}, {"id": "slow"}),
        (Fail, {"after": str(tmp_path / "slow.slow"), "leaves": str(tmp_path / "failing")}, {"id": "bad"}),
        (Fail, {}, {"id": "later"}),
    )
    outcome = run(folder, task, parallel_processes=2)
    assert {name: result.status.value for name, result in outcome.results.items()} == {
        "slow": "success",
        "bad": "error",
    }
    assert outcome.record.error["step"] == "bad"
    assert run(folder, task, parallel_processes=1).results["slow"].status.value == "skipped"


def test_after_a_failure_what_runs_in_processes_is_stopped(folder: Path, tmp_path: Path) -> None:
    task = Given(
        (Hang, {"folder": str(tmp_path)}, {"id": "hang"}),
        (Fail, {"after": str(tmp_path / "hang.pid")}, {"id": "bad"}),
        (Fail, {}, {"id": "later"}),
    )
    outcome = run(folder, task, kind="processes", parallel_processes=2)
    assert list(outcome.results) == ["hang", "bad"]
    assert outcome.results["hang"].error_message == "step hang was stopped, because the run ends"
    assert outcome.record.error["step"] == "bad", "the cause, not what was stopped for it"
    assert outcome.error is outcome.results["bad"].exception
    assert len(pids(tmp_path)) == 2
    for pid in pids(tmp_path):
        wait_for(lambda pid=pid: gone(pid))
    assert files_of(folder) == {}


@KINDS
def test_with_continue_on_error_the_first_failure_of_the_plan_is_the_runs(
    folder: Path, tmp_path: Path, kind: str
) -> None:
    task = Given(
        (Fail, {"message": "first", "after": str(tmp_path / "second")}, {"id": "a"}),
        (Fail, {"message": "second", "leaves": str(tmp_path / "second")}, {"id": "b"}),
        (Meet, {"folder": str(tmp_path), "many": 1}, {"id": "c"}),
    )
    outcome = run(folder, task, kind=kind, continue_on_error=True, parallel_processes=2)
    assert [result.status.value for result in outcome.results.values()] == ["error", "error", "success"]
    assert outcome.record.error["message"] == "first"
    assert outcome.error is outcome.results["a"].exception
    assert [error["step"] for error in outcome.record.errors] == ["a", "b"]


@KINDS
def test_a_step_is_tried_again_wherever_it_runs(folder: Path, tmp_path: Path, kind: str) -> None:
    watch = Watch()
    options = {"id": "a", "retry": {"max_retries": 1, "initial_wait": 0.01}}
    task = Given((Flaky, {"folder": str(tmp_path)}, options), (Meet, {"folder": str(tmp_path), "many": 1}, {}))
    outcome = run(folder, task, watch, kind=kind)
    assert outcome.success, outcome.error
    assert outcome.results["a"].attempts == 2
    assert "retried a 1 ConnectionError" in watch.heard
    assert watch.elsewhere == []


def test_a_process_that_dies_is_a_failure_of_its_step_alone(folder: Path, tmp_path: Path) -> None:
    task = Given((Crash, {}, {"id": "a"}), (Meet, {"folder": str(tmp_path), "many": 1}, {"id": "b"}))
    outcome = run(folder, task, kind="processes", parallel_processes=1, continue_on_error=True)
    assert outcome.results["a"].error_message == "step a: its process died (signal SIGKILL)"
    assert outcome.results["b"].status.value == "success"


# ---------------------------------------------------------------- limits


def test_a_step_that_takes_too_long_is_really_stopped_and_leaves_nothing(folder: Path, tmp_path: Path) -> None:
    task = Given((Hang, {"folder": str(tmp_path)}, {"id": "hang", "timeout": 0.5}))
    outcome = run(folder, task, parallel_processes=1, **{"retry.max_retries": 2, "retry.initial_wait": 0.0})
    assert isinstance(outcome.error, StepTimeout)
    assert str(outcome.error) == "step hang took longer than 0.5 s and was stopped"
    assert outcome.results["hang"].attempts == 1, "it is not tried again unless that was said"
    assert len(pids(tmp_path)) == 2
    for pid in pids(tmp_path):
        assert pid != os.getpid()
        wait_for(lambda pid=pid: gone(pid))
    assert files_of(folder) == {}
    assert not list((folder / "DATA").rglob("*.new"))


def test_a_step_that_takes_too_long_is_tried_again_where_that_is_said(folder: Path, tmp_path: Path) -> None:
    options = {"id": "hang", "retry": {"max_retries": 1, "on": ["StepTimeout"], "initial_wait": 0.0}}
    outcome = run(folder, Given((Hang, {"folder": str(tmp_path)}, options)), timeout=0.3)
    assert outcome.results["hang"].attempts == 2
    assert "gave up after 2 attempts" in outcome.results["hang"].error_message


def test_a_time_limit_runs_the_step_in_a_process_of_its_own_and_the_others_here(folder: Path, tmp_path: Path) -> None:
    steps = [(Meet, {"folder": str(tmp_path), "many": 2}, {"timeout": limit}) for limit in (60, None)]
    outcome = run(folder, Given(*steps))
    assert outcome.success, outcome.error
    assert [r.metrics["pid"] == os.getpid() for r in outcome.results.values()] == [False, True]


@pytest.mark.skipif(sys.platform != "linux", reason="memory is watched on Linux only")
def test_a_step_that_takes_too_much_memory_is_stopped(folder: Path) -> None:
    task = Given(
        (Hog, {"megabytes": 20}, {"id": "small"}),
        (Hog, {"megabytes": 2000}, {"id": "large"}),
        (Hog, {"megabytes": 350}, {"id": "allowed", "step_memory_limit_mb": 2000}),
    )
    more = {"executor.step_memory_limit_mb": 300, "continue_on_error": True}
    outcome = run(folder, task, parallel_processes=1, **more)
    status = {name: result.status.value for name, result in outcome.results.items()}
    assert status == {"small": "success", "large": "error", "allowed": "success"}
    assert "more than the 300 MiB of its step_memory_limit_mb" in outcome.results["large"].error_message


@pytest.mark.skipif(sys.platform != "linux", reason="memory is watched on Linux only")
def test_a_memory_limit_of_one_step_leaves_the_others_on_their_threads(folder: Path, tmp_path: Path) -> None:
    steps = [(Meet, {"folder": str(tmp_path), "many": 2}, options) for options in ({"step_memory_limit_mb": 900}, {})]
    outcome = run(folder, Given(*steps))
    assert [r.metrics["pid"] == os.getpid() for r in outcome.results.values()] == [False, True]
    refused = run(folder, Given((Meet, {"folder": str(tmp_path), "many": 1}, {"step_memory_limit_mb": 0})))
    assert "step Meet: step_memory_limit_mb must be more than 0, not 0" in str(refused.error)


def test_what_cannot_be_sent_to_a_process_is_refused_by_name_before_anything_runs(folder: Path, tmp_path: Path) -> None:
    class Local(Operation):
        def execute(self, ctx: OperationContext) -> OperationResult:
            return OperationResult.success()

    task = Given((Meet, {"folder": str(tmp_path), "many": 1}, {"id": "a"}), (Local, {}, {"id": "b", "timeout": 5}))
    outcome = run(folder, task)
    assert isinstance(outcome.error, PlanError)
    assert "step b cannot be sent to another process" in str(outcome.error)
    assert outcome.results == {}
    assert run(folder, Given((Local, {}, {}), (Local, {}, {}))).success

    class Unsendable:
        PAMOLA_PLUGIN_NAME = "unsendable"

        def __init__(self) -> None:
            self.lock = lambda: None

    outcome = run(folder, Given((Meet, {"folder": str(tmp_path), "many": 1}, {"id": "a"})), Unsendable(), timeout=120)
    assert "step a needs its own process, and plugin unsendable cannot be sent" in str(outcome.error)


# ---------------------------------------------------------------- the same kernel over there


def test_a_process_comes_to_the_same_configuration_and_finds_the_key_by_itself(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = base64.b64encode(bytes(range(32))).decode()
    monkeypatch.setenv("PAMOLA_KEY", key)
    sent: list[bytes] = []
    plain = remote.dumps

    def noting(value: Any, what: str) -> bytes:
        data = plain(value, what)
        sent.append(data)
        return data

    monkeypatch.setattr(remote, "dumps", noting)
    outcome = run(folder, noisy(), kind="processes", use_encryption=True, output_format="json")
    assert outcome.success, outcome.error
    assert [(d.format, d.encrypted) for d in outcome.record.outputs] == [("json", True)] * 2
    assert all(d.encrypted for d in outcome.record.intermediates)
    assert len(outcome.datasets["both"]) == 2000
    assert sent
    for secret in (key.encode(), bytes(range(32)), bytes(range(32)).hex().encode()):
        assert not any(secret in data for data in sent)


def test_frames_given_for_inputs_are_there_in_a_process_too(folder: Path) -> None:
    import pandas as pd

    task = Given(
        (Noise, {"input_dataset": "people", "output_dataset": "one"}, {"id": "a"}), input_datasets={"people": "x.csv"}
    )
    outcome = Kernel(project=folder).run(
        task, overrides={"executor.kind": "processes"}, datasets={"people": pd.DataFrame({"id": [1, 2, 3]})}
    )
    assert outcome.success, outcome.error
    assert len(outcome.datasets["one"]) == 3


def test_keys_that_a_task_was_given_are_never_sent(folder: Path, tmp_path: Path) -> None:
    task = Given((Meet, {"folder": str(tmp_path), "many": 1}, {"id": "a"}), encryption_keys={"people": "k" * 43 + "="})
    assert "keys are not sent to other processes" in str(run(folder, task, timeout=120).error)


# ---------------------------------------------------------------- Ctrl-C

SCRIPT = """\
import sys
from pathlib import Path
sys.path.insert(0, {importable!r})
from parallel_steps import Fail, Given, Hang, Slow

class Task(Given):
    def __init__(self):
        super().__init__({steps})
"""


def started(folder: Path, steps: str, *options: str) -> subprocess.Popen[str]:
    importable = str(Path(__file__).parent / "importable")
    (folder / "script.py").write_text(SCRIPT.format(importable=importable, steps=steps))
    command = [sys.executable, "-m", "pamola_tasks", "run", "script.py:Task", "--jobs", "2", "--json", *options]
    # A process that was begun in the background of a shell ignores Ctrl-C, and so do those that it begins.
    hear = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
    return subprocess.Popen(
        command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=hear
    )


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_processes_end_with_the_run_however_it_ends(folder: Path, tmp_path: Path, number: signal.Signals) -> None:
    hang = f"(Hang, {{'folder': {str(tmp_path)!r}}}, "
    steps = hang + "{'id': 'one'}), " + hang + "{'id': 'two'})"
    process = started(folder, steps, "--executor", "processes")
    wait_for(lambda: (tmp_path / "one.pid").exists() and (tmp_path / "two.pid").exists())
    workers = [int((tmp_path / f"{name}.pid").read_text()) for name in ("one", "two")]
    process.send_signal(number)
    process.wait(120)
    assert process.returncode == {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGKILL: -9}[number]
    for pid in workers if number == signal.SIGKILL else pids(tmp_path):
        wait_for(lambda pid=pid: gone(pid))
    for pid in pids(tmp_path):  # what a killed worker had started itself is nobody's any more
        if not gone(pid):
            os.kill(pid, signal.SIGKILL)
    out, _ = process.communicate(timeout=120)
    if number != signal.SIGKILL:
        assert json.loads(out)["status"] == "interrupted"


def test_ctrl_c_lets_steps_on_threads_end_and_records_them(folder: Path, tmp_path: Path) -> None:
    file = tmp_path / "go"
    steps = f"(Slow, {{'file': {str(file)!r}}}, {{'id': 'one'}}), (Slow, {{'file': {str(file)!r}}}, {{'id': 'two'}})"
    process = started(folder, steps + f", (Slow, {{'file': {str(file)!r}}}, {{'id': 'three'}})")
    wait_for(lambda: (tmp_path / "one.slow").exists() and (tmp_path / "two.slow").exists())
    process.send_signal(signal.SIGINT)
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(0.3)
    file.touch()
    out, _ = process.communicate(timeout=120)
    said = json.loads(out)
    assert (process.returncode, said["status"]) == (130, "interrupted")
    assert [(step["step"], step["status"]) for step in said["steps"]] == [("one", "success"), ("two", "success")]


def test_a_second_ctrl_c_leaves_steps_on_threads_alone(folder: Path, tmp_path: Path) -> None:
    file = tmp_path / "never"
    steps = f"(Slow, {{'file': {str(file)!r}}}, {{'id': 'one'}}), (Slow, {{'file': {str(file)!r}}}, {{'id': 'two'}})"
    process = started(folder, steps)
    wait_for(lambda: (tmp_path / "one.slow").exists() and (tmp_path / "two.slow").exists())
    process.send_signal(signal.SIGINT)
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(0.5)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=120)
    assert process.returncode == 130


def test_ctrl_c_in_a_step_on_a_thread_interrupts_the_run(folder: Path, tmp_path: Path) -> None:
    task = Given((Interrupt, {}, {"id": "a"}), (Meet, {"folder": str(tmp_path), "many": 1}, {"id": "b"}))
    outcome = run(folder, task, parallel_processes=2)
    assert outcome.status == "interrupted"
    assert outcome.results["b"].status.value == "success"


def test_a_script_without_the_guard_is_not_run_again_by_its_processes(folder: Path) -> None:
    (folder / "plain.py").write_text(
        "from pamola_tasks import BaseTask, Operation, OperationResult\n"
        "class Here(Operation):\n"
        "    def execute(self, ctx):\n"
        "        return OperationResult.success()\n"
        "class Plain(BaseTask):\n"
        "    def __init__(self, name): super().__init__(name)\n"
        "    def configure_operations(self): self.add_operation(Here, step={'timeout': 60})\n"
        "for name in ('t_one', 't_two'):\n"
        "    print(name, Plain(name).run())\n"
    )
    done = subprocess.run(
        [sys.executable, "plain.py"], cwd=folder, capture_output=True, text=True, timeout=120, check=False
    )
    tried = ["t_one False", "t_two False"]  # by each of the two processes, when it imported the script
    assert done.stdout.splitlines() == [*tried, "t_one True", *tried, "t_two True"]
