"""The steps of a plan, run with their retries and within their limits: one after the other, or several at a time."""

from __future__ import annotations

import sys
import threading
import traceback
from functools import partial
from typing import TYPE_CHECKING, Any

from pamola_tasks.errors import OperationError, PamolaTaskError, PlanError
from pamola_tasks.operation import OperationResult
from pamola_tasks_executor import pickles, remote
from pamola_tasks_executor.attempts import Attempts, Tries, overruled
from pamola_tasks_executor.processes import Limits, Worker
from pamola_tasks_executor.together import Together
from pamola_tasks_executor.transient import never_retried

if TYPE_CHECKING:
    from pamola_tasks.plan import Plan, Step
    from pamola_tasks.protocols import RetrySettings, StepDriver
    from pamola_tasks_executor.settings import ExecutorSettings


class PlanRun:
    """Runs the steps of plans.

    Args:
        config: `parallel_processes` and `timeout` are read from it.
        settings: Where steps run.
        attempts: Makes the attempts at a step.
    """

    def __init__(self, config: Any, settings: ExecutorSettings, attempts: Attempts) -> None:
        self._config = config
        self._settings = settings
        self._attempts = attempts

    def run(self, plan: Plan, driver: StepDriver) -> None:
        """Run every step, each with its retries; as many at a time as `parallel_processes` says.

        Raises:
            PlanError: The plan asks for something that this executor cannot do.
        """
        problems = self.objections(plan)
        if problems:
            raise PlanError(problems=tuple(problems))
        description = self._description(plan, driver)
        workers = [Worker(description) for _ in range(min(self.at_a_time(), len(plan)))]
        if len(workers) > 1:
            Together(plan, driver, workers, partial(self._run_step, driver)).run()
            return
        try:
            for step in plan:
                if driver.stopped:
                    break
                if driver.prepare(step):
                    driver.complete(step, self._run_step(driver, step, workers[0]))
        finally:
            for worker in workers:
                worker.end()

    # ------------------------------------------------------------ what cannot be done

    def objections(self, plan: Plan) -> list[str]:
        """Why a plan cannot be run as it is asked for."""
        found = _wrong_memory("executor", self._settings.step_memory_limit_mb)
        for step in plan:
            found += self._objections_to(step)
        return found

    def _objections_to(self, step: Step) -> list[str]:
        found = _wrong_memory(f"step {step.id}", step.options.step_memory_limit_mb)
        timeout = step.options.timeout
        if timeout is not None and not timeout > 0:
            found.append(f"step {step.id}: timeout must be more than 0, not {timeout}")
        if self._limits_of(step) is not None:
            try:
                pickles.dumps(step.operation, f"step {step.id}")
            except PamolaTaskError as problem:
                found.append(str(problem))
        try:
            settings = self._settings_of(step)
        except PamolaTaskError as problem:
            return [*found, str(problem)]
        return found + [
            f"step {step.id}: retry.on names {name}, which is never tried again: it says that the program or its"
            f" parameters are wrong"
            for name in never_retried(settings.on)
        ]

    # ------------------------------------------------------------ what is asked for

    def _settings_of(self, step: Step) -> RetrySettings:
        return overruled(self._attempts.defaults, f"step {step.id}: retry", **(step.options.retry or {}))

    def _limits_of(self, step: Step) -> Limits | None:
        """What a step in a process of its own may take; None for one that runs on a thread here."""
        timeout, memory = step.options.timeout, step.options.step_memory_limit_mb
        limits = Limits(
            timeout=getattr(self._config, "timeout", None) if timeout is None else timeout,
            memory_mb=self._settings.step_memory_limit_mb if memory is None else memory,
        )
        return None if limits == Limits() and self._settings.kind == "threads" else limits

    def at_a_time(self) -> int:
        """How many steps or operations may run at a time."""
        return max(1, int(getattr(self._config, "parallel_processes", 1) or 1))

    def _description(self, plan: Plan, driver: StepDriver) -> bytes:
        apart = [step.id for step in plan if self._limits_of(step) is not None]
        if not apart:
            return b""
        try:
            return remote.describe_run(driver.run)
        except OperationError as problem:
            raise PlanError(f"step {apart[0]} needs a process of its own, and {problem}") from problem

    # ------------------------------------------------------------ one step

    def _run_step(
        self, driver: StepDriver, step: Step, worker: Worker, stop: threading.Event | None = None
    ) -> OperationResult:
        tries = Tries()
        settings = self._settings_of(step)
        limits = self._limits_of(step)

        def attempt() -> OperationResult:
            if limits is None:
                return driver.attempt(step)
            staged = driver.begin(step)
            attempt = remote.describe_step(driver.run, step)
            return remote.taken(worker.perform(step.id, attempt, partial(_on_message, driver, step), limits), staged)

        def tell(error: BaseException, number: int, wait: float) -> None:
            driver.call_in_parent(lambda: driver.retried(step, number, error, wait))

        try:
            result = self._attempts.make(attempt, settings, tries, tell, stop)
        except Exception as error:  # a step is a boundary: its failure is a result, with the traceback
            final = self._attempts.given_up(step.id, error, settings, tries) if settings.max_retries else error
            result = OperationResult.failure(final, "".join(traceback.format_exception(final)))
        result.attempts = tries.made
        result.execution_time = tries.seconds
        self._attempts.count(tries, not result.failed)
        return result


def _on_message(driver: StepDriver, step: Step, message: bytes) -> None:
    """Have the parent's services take what another process said while it performs a step."""
    said = pickles.loads(message)
    driver.call_in_parent(lambda: remote.pass_on(said, driver.run, step, partial(driver.progress, step)))


def _wrong_memory(where: str, limit: int | None) -> list[str]:
    if limit is None:
        return []
    name = "executor.step_memory_limit_mb" if where == "executor" else f"{where}: step_memory_limit_mb"
    if sys.platform != "linux":
        return [f"{name}: memory is watched on Linux only: leave it out"]
    return [] if limit > 0 else [f"{name} must be more than 0, not {limit}"]
