"""Runs, kills, edits and reruns in any order, compared with a model of what has to be run and what comes out.

`PAMOLA_FUZZ=N` (`nox -s fuzz`) tries more and longer sequences.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import tempfile
from pathlib import Path
from typing import Any

import pytest
from chain_plugin import mixture
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from pamola_tasks import Kernel
from pamola_tasks.operation import operation_seed
from pamola_tasks.protocols import RunOptions
from pamola_tasks.storage import journal

PLUGIN = Path(__file__).resolve().parent.parent / "chain_plugin.py"
SEED = 5
READS = {"a": ["x"], "b": ["a"], "c": ["a", "y"], "d": ["b", "c"], "e": ["y"]}  # what each step reads; ids are outputs

pytestmark = [pytest.mark.slow, pytest.mark.skipif(not hasattr(os, "fork"), reason="runs are killed in a fork")]


class Task(RuleBasedStateMachine):
    """One task in a real folder, and what the model knows of it."""

    def __init__(self) -> None:
        super().__init__()
        self.root = Path(tempfile.mkdtemp(prefix="model-"))
        self.log = self.root.with_suffix(".log")
        os.environ["CHAIN_LOG"] = str(self.log)
        (self.root / ".pamola.toml").touch()
        (self.root / "configs").mkdir()
        self.more = dict.fromkeys(READS, 0)
        self.inputs = {"x": [1, 2, 3], "y": [7, 8, 9]}
        for name in self.inputs:
            self.write_input(name)
        self.write_task()
        # The model: for each finished step, on what it ran; and which outputs are as it left them.
        self.finished: dict[str, Any] = {}
        self.spoiled: set[str] = set()

    def write_input(self, name: str) -> None:
        (self.root / f"{name}.json").write_text(json.dumps(self.inputs[name]))

    def write_task(self) -> None:
        steps = [
            {"Mix": {"inputs": reads, "output_dataset": step, "more": self.more[step]}, "id": step}
            for step, reads in READS.items()
        ]
        task = {
            "task_id": "t",
            "seed": SEED,
            "input_datasets": {name: f"{name}.json" for name in self.inputs},
            "operations": steps,
            "checkpoints": {"keep_intermediate": True},
        }
        (self.root / "configs/t.json").write_text(json.dumps(task))

    # ------------------------------------------------------------ the model

    def values(self) -> dict[str, list[int]]:
        """What every dataset has to be."""
        found = dict(self.inputs)
        for step, reads in READS.items():
            found[step] = mixture([found[name] for name in reads], self.more[step], operation_seed(SEED, step))
        return found

    def basis(self, step: str) -> Any:
        """All that a step depends on."""
        values = self.values()
        return [self.more[step], *(values[name] for name in READS[step])]

    def to_run(self) -> list[str]:
        """The steps that a run has to do, in order."""
        return [s for s in READS if s in self.spoiled or s not in self.finished or self.finished[s] != self.basis(s)]

    def done(self, steps: list[str]) -> None:
        for step in steps:
            self.finished[step] = self.basis(step)
            self.spoiled.discard(step)

    # ------------------------------------------------------------ what is done to it

    def execute(self, **options: Any) -> bool:
        kernel = Kernel(self.root, modules=[str(PLUGIN)], disable=["logs", "reports"])
        return kernel.run("t", options=RunOptions(quiet=True, console=False, **options)).success

    def executed(self) -> list[str]:
        """The steps that were run since this was asked last."""
        steps = self.log.read_text().split() if self.log.exists() else []
        self.log.unlink(missing_ok=True)
        return steps

    @rule(restart=st.sampled_from([False, False, False, True]))
    def run(self, restart: bool) -> None:
        """The plain command, or with `--restart`."""
        expected = list(READS) if restart else self.to_run()
        assert self.execute(restart=restart)
        assert self.executed() == expected
        self.done(expected)

    @rule(appends=st.integers(0, 12), before=st.booleans())
    def run_and_kill(self, appends: int, before: bool) -> None:
        """A run that is killed at one of its appends to journal and history, before it or after it."""
        expected = self.to_run()
        pid = os.fork()
        if pid == 0:
            real, left = journal.append, [appends]

            def append(*arguments: Any, **more: Any) -> None:
                left[0] -= 1
                if left[0] < 0 and before:
                    os.kill(os.getpid(), signal.SIGKILL)
                real(*arguments, **more)
                if left[0] < 0:
                    os.kill(os.getpid(), signal.SIGKILL)

            journal.append = append
            with contextlib.suppress(BaseException):
                self.execute()
            os._exit(0)
        os.waitpid(pid, 0)
        executed = self.executed()
        assert executed == expected[: len(executed)], "finished steps are not run again, also by a run that is killed"
        recorded = self.recorded()
        finished = [step for step in executed if recorded.get(step, 0) > self.lines.get(step, 0)]
        assert finished == executed[: len(finished)]
        assert len(executed) - len(finished) <= 1, "only the step that ran when it was killed may run again"
        self.done(finished)
        for step in executed[len(finished) :]:  # its new output came into place, its line did not
            if self.finished.get(step) == self.basis(step):
                self.spoiled.discard(step)
            elif step in self.finished:
                self.spoiled.add(step)

    @rule(step=st.sampled_from(list(READS)), more=st.integers(0, 2))
    def change_parameter(self, step: str, more: int) -> None:
        """Edit the task's file."""
        self.more[step] = more
        self.write_task()

    @rule(name=st.sampled_from(["x", "y"]), value=st.integers(0, 2))
    def change_input(self, name: str, value: int) -> None:
        """Edit an input, its size and time of change kept."""
        path = self.root / f"{name}.json"
        before = path.stat()
        self.inputs[name] = [*self.inputs[name][:2], value]
        self.write_input(name)
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))

    @rule(step=st.sampled_from(list(READS)), delete=st.booleans())
    def damage_output(self, step: str, delete: bool) -> None:
        """Delete what a step left, or write something else into it."""
        for path in self.root.rglob(f"{step}.json"):
            self.spoiled.add(step)
            if delete:
                path.unlink()
            else:
                path.write_text("[999, 999, 999]")

    # ------------------------------------------------------------ what always holds

    def recorded(self) -> dict[str, int]:
        """How many complete lines the journal has for each step."""
        path = self.root / "DATA/processed/t/.state/journal.jsonl"
        found: dict[str, int] = {}
        for entry in journal.parse(path.read_bytes()).entries if path.exists() else []:
            found[entry["step_id"]] = found.get(entry["step_id"], 0) + 1
        return found

    @invariant()
    def finished_steps_are_what_the_journal_says(self) -> None:
        """Remembers how many lines there were, for the next kill."""
        self.lines = self.recorded()
        assert set(self.lines) == set(self.finished)

    @invariant()
    def outputs_are_what_their_steps_were_run_on(self) -> None:
        """Nothing half written, nothing of another parameter or input."""
        for step, basis in self.finished.items():
            if step not in self.spoiled:
                more, *tables = basis
                [path] = (self.root / "DATA/processed/t").rglob(f"{step}.json")
                assert json.loads(path.read_bytes()) == mixture(tables, more, operation_seed(SEED, step))

    def teardown(self) -> None:
        """Away with the folder."""
        shutil.rmtree(self.root)
        self.log.unlink(missing_ok=True)


def test_any_sequence_of_runs_kills_and_edits_is_as_the_model_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHAIN_LOG", "")
    more = "PAMOLA_FUZZ" in os.environ
    run_state_machine_as_test(
        Task,
        settings=settings(
            max_examples=400 if more else 12,
            stateful_step_count=40 if more else 15,
            deadline=None,
            derandomize=not more,
            suppress_health_check=list(HealthCheck),
        ),
    )
