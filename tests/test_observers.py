"""Observers see everything, stop nothing, and are left out when they go on failing."""

from __future__ import annotations

import os
import re
import signal
import threading
import time
from typing import Any

import pytest
from kernel_kit import Add, Count, Fail, Interrupted, Nothing, Reports, Steps, Watcher, kernel_of

from pamola_tasks import hookimpl
from pamola_tasks.plugins import observers
from pamola_tasks.protocols import RunOptions


class Raises:
    """An observer that fails at every step."""

    def __init__(self, error: BaseException) -> None:
        self.error = error
        self.asked = 0

    @hookimpl(tryfirst=True)
    def pamola_on_step_started(self, run: Any, step: Any) -> None:
        """Fail."""
        self.asked += 1
        if isinstance(self.error, ValueError):
            raise ValueError("odd")
        raise self.error


@pytest.mark.parametrize("error", [ValueError("odd"), SystemExit(9)])
def test_an_observer_that_raises_stops_neither_the_others_nor_the_run_and_the_report_names_it(
    error: BaseException,
) -> None:
    watcher, reports = Watcher(), Reports()
    outcome = kernel_of(Raises(error), watcher, reports).run(Steps(Nothing))
    assert outcome.success
    assert "step_started Nothing" in watcher.heard
    [failure] = outcome.record.observer_failures
    assert (failure["plugin"], failure["hook"]) == ("Raises", "pamola_on_step_started")
    assert failure["error"] == ("ValueError: odd" if isinstance(error, ValueError) else "it called sys.exit(9)")
    assert "Traceback" in failure["traceback"]
    assert reports.saved[-1]["observers"] == [failure]


def test_an_observer_is_left_out_after_three_failures_for_the_rest_of_the_run_only() -> None:
    raises, watcher = Raises(ValueError("odd")), Watcher()
    kernel = kernel_of(raises, watcher)
    outcome = kernel.run(Steps(*[Nothing] * 5))
    assert raises.asked == 3
    assert len(outcome.record.observer_failures) == 3
    assert "left out for the rest of this run" in outcome.record.observer_failures[-1]["error"]
    assert sum(event.startswith("step_started") for event in watcher.heard) == 5
    kernel.run(Steps(Nothing))
    assert raises.asked == 4


def test_an_observer_that_fails_at_the_end_is_still_named_in_the_report() -> None:
    class Late:
        @hookimpl
        def pamola_on_run_finished(self, run: Any) -> None:
            raise OSError("no network")

    reports = Reports()
    outcome = kernel_of(Late(), reports).run(Steps(Nothing))
    assert outcome.success
    assert len(reports.saved) == 2
    assert reports.saved[-1]["observers"][0]["error"] == "OSError: no network"


def test_ctrl_c_in_an_observer_interrupts_the_run() -> None:
    outcome = kernel_of(Raises(KeyboardInterrupt())).run(Steps(Nothing))
    assert outcome.status == "interrupted"


@pytest.mark.parametrize(
    ("step", "status"),
    [(Nothing, "success"), (Fail, "operation_error"), ("Unknown", "configuration_error"), (Interrupted, "interrupted")],
)
def test_every_run_that_started_is_finished_exactly_once(step: Any, status: str) -> None:
    watcher = Watcher()
    kernel_of(watcher).run(Steps(step))
    assert watcher.heard[0] == "run_started"
    assert [event for event in watcher.heard if event.startswith("run_")] == ["run_started", f"run_finished {status}"]


def test_events_are_never_told_two_at_a_time_even_when_threads_make_progress() -> None:
    import threading
    import time

    from pamola_tasks import Operation, OperationResult

    inside = 0
    most = 0

    class Slow:
        @hookimpl
        def pamola_on_step_progress(self, run: Any, step: Any, done: float) -> None:
            nonlocal inside, most
            inside += 1
            most = max(most, inside)
            time.sleep(0.002)
            inside -= 1

    class Threads(Operation):
        def execute(self, ctx: Any) -> OperationResult:
            threads = [threading.Thread(target=lambda: ctx.progress(1, 1)) for _ in range(8)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            return OperationResult.success()

    assert kernel_of(Slow()).run(Steps(Threads)).success
    assert most == 1


def test_an_executor_that_tries_again_tells_observers_and_the_attempt_before_leaves_nothing() -> None:
    import traceback

    from pamola_tasks import Operation, OperationResult, reads, writes

    told: list[str] = []

    class Retries:
        @hookimpl
        def pamola_provide_executor(self, run: Any) -> Any:
            class Executor:
                def run_plan(self, plan: Any, driver: Any) -> None:
                    for step in plan:
                        if not driver.prepare(step):
                            continue
                        try:
                            result = driver.attempt(step)
                        except Exception as error:
                            driver.retried(step, 1, error, 0.5)
                            try:
                                result = driver.attempt(step)
                            except Exception as again:
                                result = OperationResult.failure(again, traceback.format_exc())
                        driver.complete(step, result)

            return Executor()

        @hookimpl
        def pamola_on_step_retried(self, step: Any, attempt: int, error: BaseException, wait: float) -> None:
            told.append(f"{step.id} {attempt} {error} {wait}")

    class Shaky(Operation):
        input_dataset: str = reads()
        output_dataset: str = writes("steady")

        def execute(self, ctx: Any) -> OperationResult:
            ctx.data.write("steady", [1])
            with ctx.artifact("note", "txt") as file:
                file.write(b"x")
            if not told:
                raise OSError("shaken")
            return OperationResult.success()

    kernel = kernel_of(Retries())
    outcome = kernel.run(
        Steps((Shaky, {"input_dataset": "n"}), (Count, {"input_dataset": "steady"})), datasets={"n": []}
    )
    assert outcome.success
    assert told == ["Shaky 1 shaken 0.5"]
    assert outcome.record.steps[0].attempts == outcome.results["Shaky"].attempts == 2
    assert [artifact.name for artifact in outcome.record.artifacts] == ["note", "count_steady"]


def test_a_wrapper_around_steps_sees_each_attempt_and_may_change_the_result() -> None:
    class Times:
        @hookimpl(wrapper=True)
        def pamola_run_step(self, run: Any, step: Any) -> Any:
            result = yield
            result.metrics["wrapped"] = step.id
            return result

    class Forbids:
        @hookimpl(wrapper=True)
        def pamola_run_step(self, run: Any, step: Any) -> Any:
            if step.id == "Count":
                raise PermissionError("not this one")
            return (yield)

    outcome = kernel_of(Times(), Forbids()).run(
        Steps((Add, {"input_dataset": "n"}), (Count, {"input_dataset": "n"})), datasets={"n": [1]}
    )
    assert outcome.record.metrics == {"Add": {"values": 1, "wrapped": "Add"}}
    assert outcome.results["Count"].error_message == "not this one"


class Hangs:
    """An observer that waits for what never comes; once it is named as slow, or at once, Ctrl-C is pressed."""

    def __init__(self, *, at_once: bool = False) -> None:
        self.at_once = at_once

    @hookimpl
    def pamola_on_step_started(self, run: Any, step: Any) -> None:
        """Wait."""
        threading.Thread(target=self.interrupt, args=(run.record,)).start()
        time.sleep(20)

    def interrupt(self, record: Any) -> None:
        while not self.at_once and not record.observer_failures:
            time.sleep(0.01)
        time.sleep(0.1)
        os.kill(os.getpid(), signal.SIGINT)


@pytest.mark.skipif(os.name == "nt", reason="sends an interrupt to this process alone")
def test_an_observer_over_its_budget_is_named_with_its_place_while_it_hangs_and_ctrl_c_abandons_that_call(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(observers, "OBSERVER_BUDGET", 0.2)
    watcher = Watcher()
    outcome = kernel_of(Hangs(), watcher).run(Steps(Nothing), options=RunOptions(console=False))
    assert outcome.success, outcome.error
    assert "step_started Nothing" in watcher.heard
    slow, abandoned = outcome.record.observer_failures
    assert (slow["plugin"], slow["hook"]) == ("Hangs", "pamola_on_step_started")
    assert "it took longer than" in slow["error"]
    assert "time.sleep(20)" in slow["traceback"]
    assert re.match(r"it was abandoned after \d+ s", abandoned["error"])
    said = capsys.readouterr().err
    assert "observer Hangs has been in pamola_on_step_started" in said
    assert "time.sleep(20)" in said


@pytest.mark.skipif(os.name == "nt", reason="sends an interrupt to this process alone")
def test_ctrl_c_within_the_budget_interrupts_the_run_as_ever() -> None:
    outcome = kernel_of(Hangs(at_once=True)).run(Steps(Nothing))
    assert outcome.status == "interrupted"


def test_no_thread_is_left_looking_after_a_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(observers, "OBSERVER_BUDGET", 0.05)
    kernel_of(Watcher()).run(Steps(Nothing))
    for thread in threading.enumerate():
        if thread.name == "observer watch":
            thread.join(60)
            assert not thread.is_alive()
