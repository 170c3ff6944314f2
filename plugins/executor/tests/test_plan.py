"""The steps of a plan, as a run drives them."""

from __future__ import annotations

import logging
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from pamola_tasks import Operation, OperationContext, OperationResult
from pamola_tasks.errors import MaxRetriesExceededError, PlanError, SecurityError
from pamola_tasks.plan import Plan
from pamola_tasks.protocols import RetrySettings, RunOptions
from pamola_tasks_executor import TaskOperationExecutor, plugin


class Nothing(Operation):
    """Does nothing."""

    def execute(self, ctx: OperationContext) -> OperationResult:
        return OperationResult.success()


class Driver:
    """A run that raises what it is told to."""

    def __init__(self, outcomes: dict[str, list[Any]] | None = None, *, skips: tuple[str, ...] = ()) -> None:
        self.outcomes, self.skips = outcomes or {}, skips
        self.events: list[tuple[Any, ...]] = []
        self.results: dict[str, OperationResult] = {}
        self.stopped = False
        self.run: Any = SimpleNamespace(record=SimpleNamespace(steps=[]))
        self.call_in_parent: Callable[[Callable[[], None]], None] = lambda call: call()

    def prepare(self, step: Any) -> bool:
        self.events.append(("prepare", step.id))
        return step.id not in self.skips

    def attempt(self, step: Any) -> OperationResult:
        self.events.append(("attempt", step.id))
        waiting = self.outcomes.get(step.id)
        outcome = waiting.pop(0) if waiting else None
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome or OperationResult.success()

    def retried(self, step: Any, attempt: int, error: BaseException, wait: float) -> None:
        self.events.append(("retried", step.id, attempt, str(error)))

    def complete(self, step: Any, result: OperationResult) -> None:
        self.events.append(("complete", step.id, result.status.value))
        self.results[step.id] = result
        self.stopped = self.stopped or result.failed


def plan(*options: dict[str, Any]) -> Plan:
    made = Plan()
    for stated in options:
        made.add(Nothing(), options=stated)
    return made


def executor(**config: Any) -> TaskOperationExecutor:
    retry = config.pop("retry", RetrySettings(max_retries=2, initial_wait=0.001))
    return TaskOperationExecutor(SimpleNamespace(retry=retry, **config), logging.getLogger("test"))


def test_steps_run_in_order_and_those_not_wanted_are_left_out() -> None:
    driver = Driver(skips=("b",))
    executor().run_plan(plan({"id": "a"}, {"id": "b"}, {"id": "c"}), driver)
    assert driver.events == [
        ("prepare", "a"),
        ("attempt", "a"),
        ("complete", "a", "success"),
        ("prepare", "b"),
        ("prepare", "c"),
        ("attempt", "c"),
        ("complete", "c", "success"),
    ]


def test_a_step_is_tried_again_and_the_run_is_told() -> None:
    driver = Driver({"a": [ConnectionError("one"), ConnectionError("two")]})
    executor().run_plan(plan({"id": "a"}), driver)
    assert driver.events[1:] == [
        ("attempt", "a"),
        ("retried", "a", 1, "one"),
        ("attempt", "a"),
        ("retried", "a", 2, "two"),
        ("attempt", "a"),
        ("complete", "a", "success"),
    ]
    assert driver.results["a"].attempts == 3


def test_a_step_that_goes_on_failing_gives_the_limit_error_with_the_real_message_and_trace() -> None:
    driver = Driver({"a": [ConnectionError("the line is dead")] * 5})
    executor().run_plan(plan({"id": "a"}, {"id": "b"}), driver)
    result = driver.results["a"]
    assert isinstance(result.exception, MaxRetriesExceededError)
    assert result.error_message == "a: gave up after 3 attempts: ConnectionError: the line is dead"
    assert "ConnectionError: the line is dead" in (result.error_trace or "")
    assert "b" not in driver.results


def test_an_error_that_lasts_comes_through_as_it_is() -> None:
    refused = SecurityError("refused")
    driver = Driver({"a": [refused]})
    executor().run_plan(plan({"id": "a"}), driver)
    assert driver.results["a"].exception is refused
    assert driver.results["a"].attempts == 1


def test_a_steps_own_retry_settings_override_single_keys() -> None:
    class Odd(Exception):
        pass

    driver = Driver({"a": [ConnectionError()], "b": [Odd(), Odd(), Odd()]})
    driver.complete = lambda step, result: driver.results.update({step.id: result})  # type: ignore[method-assign]
    executor().run_plan(plan({"id": "a", "retry": {"max_retries": 0}}, {"id": "b", "retry": {"on": ["Odd"]}}), driver)
    assert isinstance(driver.results["a"].exception, ConnectionError)
    assert driver.results["a"].attempts == 1
    assert driver.results["b"].attempts == 3


def test_what_cannot_be_done_is_refused_before_anything_runs() -> None:
    driver = Driver()
    steps = plan(
        {"id": "slow", "timeout": 0.0},
        {"id": "typo", "retry": {"max_retry": 3}},
        {"id": "low", "retry": {"backoff": 0.5}},
        {"id": "never", "retry": {"on": ["ValueError"]}},
    )
    with pytest.raises(PlanError) as caught:
        executor().run_plan(steps, driver)
    assert driver.events == []
    said = str(caught.value)
    for words in (
        "step slow: timeout must be more than 0, not 0.0",
        "max_retries",
        "step low: retry: backoff must be at least 1",
        "step never: retry.on names ValueError",
    ):
        assert words in said


def test_ctrl_c_in_a_step_leaves_the_plan_at_once() -> None:
    driver = Driver({"a": [KeyboardInterrupt()]})
    with pytest.raises(KeyboardInterrupt):
        executor().run_plan(plan({"id": "a"}, {"id": "b"}), driver)
    assert driver.events == [("prepare", "a"), ("attempt", "a")]


def test_the_plugin_provides_the_executor_and_objects_for_it_alone() -> None:
    config = SimpleNamespace(retry=RetrySettings(), plugin=lambda name: None)
    run: Any = SimpleNamespace(config=config, logger=logging.getLogger(), reporter=None, options=RunOptions())
    run.executor = plugin.pamola_provide_executor(run=run)
    assert isinstance(run.executor, TaskOperationExecutor)
    slow = plan({"timeout": -5.0})
    assert len(list(plugin.pamola_check_plan(run=run, plan=slow))) == 1
    run.executor = object()
    assert list(plugin.pamola_check_plan(run=run, plan=slow)) == []
