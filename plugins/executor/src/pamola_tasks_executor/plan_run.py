"""The steps of a plan, run with their retries and within their limits: one after the other, or several at a time."""

from __future__ import annotations

import os
import sys
import threading
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

from pamola_tasks.errors import OperationError, PamolaTaskError, PlanError
from pamola_tasks_executor.attempts import Attempts, as_result, never_retried, overridden
from pamola_tasks_executor.descendants import (
    adopt_orphans,
    counted,
    descendants,
    end_descendants,
    named,
    server_of_forks,
)
from pamola_tasks_executor.guarding import guarded
from pamola_tasks_executor.memory import measured, note
from pamola_tasks_executor.other_interpreter import end_idle, placed
from pamola_tasks_executor.parallel import Parallel

if TYPE_CHECKING:
    from pamola_tasks.plan import Plan, Step
    from pamola_tasks.protocols import RetrySettings, StepDriver
    from pamola_tasks.record import OperationResult
    from pamola_tasks_executor.elsewhere import Elsewhere
    from pamola_tasks_executor.parallel import Stop
    from pamola_tasks_executor.settings import ExecutorSettings


class PlanRun:
    """Runs the steps of plans: here, in processes of this machine, or all of them in the place that was given."""

    def __init__(
        self,
        config: Any,
        settings: ExecutorSettings,
        retry: RetrySettings,
        elsewhere: Elsewhere | None = None,
        owns_process: bool = False,
    ) -> None:
        self._config = config
        self.settings = settings
        self._retry = retry
        self._elsewhere = elsewhere
        self._owns_process = owns_process and sys.platform == "linux"

    def run(self, plan: Plan, driver: StepDriver) -> None:
        """See `TaskOperationExecutor.run_plan`."""
        if problems := self.objections(plan):
            raise PlanError(problems=tuple(problems))
        steps, before = _Steps(self, plan, driver), driver.call_in_parent
        if self._owns_process:
            adopt_orphans()
        in_thread = threading.current_thread() is not threading.main_thread()  # then others begin processes meanwhile
        there = descendants(os.getpid())
        try:
            many = min(self.at_a_time(), len(plan))
            parallel = Parallel({step.id: plan.needs(step) for step in plan}, steps, many)
            if parallel.threaded:
                driver.call_in_parent = parallel.call
            parallel.run()
        finally:
            driver.call_in_parent = before
            steps.close()
            but = {*there, server_of_forks()}
            if self._owns_process and (left := end_descendants(os.getpid(), but)):
                driver.run.warn(f"steps left {counted(left)} running, ended with the run")
            elif not in_thread and (left := list(named(descendants(os.getpid(), but)).values())):
                driver.run.warn(f"steps left {counted(left)} running; executor.kind: processes ends them")

    # ------------------------------------------------------------ what cannot be done

    def objections(self, plan: Plan) -> list[str]:
        """Why a plan cannot be run as it is asked for."""
        found = self._wrong_memory("executor.step_memory_limit_mb", self.settings.step_memory_limit_mb)
        return found + [problem for step in plan for problem in self._objections_to(step)]

    def _objections_to(self, step: Step) -> list[str]:
        found = self._wrong_memory(f"step {step.id}: step_memory_limit_mb", step.options.step_memory_limit_mb)
        timeout = step.options.timeout
        if timeout is not None and not timeout > 0:
            found.append(f"step {step.id}: timeout must be more than 0, not {timeout}")
        if self.runs_elsewhere(step):
            from pamola_tasks_executor import remote

            try:
                remote.dumps(step.operation, f"step {step.id}")
            except PamolaTaskError as problem:
                found.append(str(problem))
        try:
            settings = self.retry_settings(step)
        except PamolaTaskError as problem:
            return [*found, str(problem)]
        return found + [
            f"step {step.id}: retry.on names {name}, which is never retried: it indicates a wrong program or parameter"
            for name in never_retried(settings.on)
        ]

    def _wrong_memory(self, name: str, limit: int | None) -> list[str]:
        if limit is None:
            return []
        if sys.platform != "linux" and self._elsewhere is None:
            return [f"{name}: memory is watched on Linux only: leave it out"]
        return [] if limit > 0 else [f"{name} must be more than 0, not {limit}"]

    # ------------------------------------------------------------ what is asked for

    def at_a_time(self) -> int:
        """How many steps or operations may run at a time."""
        return max(1, int(getattr(self._config, "parallel_processes", 1) or 1))

    def retry_settings(self, step: Step) -> RetrySettings:
        return overridden(self._retry, f"step {step.id}: retry", **(step.options.retry or {}))

    def limits(self, step: Step) -> dict[str, Any]:
        """What a step may take, if it runs in a process of its own: `timeout` and `memory_mb`."""
        timeout, memory = step.options.timeout, step.options.step_memory_limit_mb
        return {
            "timeout": getattr(self._config, "timeout", None) if timeout is None else timeout,
            "memory_mb": self.settings.step_memory_limit_mb if memory is None else memory,
        }

    def runs_elsewhere(self, step: Step) -> bool:
        """Whether a step runs in another process than this one."""
        asked = self._elsewhere is not None or self.settings.kind == "processes"
        return asked or any(limit is not None for limit in self.limits(step).values())

    def place(self, plan: Plan) -> Elsewhere:
        """Where steps run that run elsewhere."""
        if self._elsewhere is not None:
            return self._elsewhere
        from pamola_tasks_executor.processes import Processes

        return Processes(_modules(plan))


class _Steps:
    """The steps of one plan, by id: the `Jobs` of a run."""

    def __init__(self, plan_run: PlanRun, plan: Plan, driver: StepDriver) -> None:
        self._plan_run = plan_run
        self._plan = plan
        self._driver = driver
        self._place: Elsewhere | None = None
        self._run = b""
        self.apart = apart = [step.id for step in plan if plan_run.runs_elsewhere(step)]
        if apart:
            from pamola_tasks_executor import remote

            try:
                self._run = remote.describe_run(driver.run)
            except OperationError as problem:
                raise PlanError(f"step {apart[0]} needs its own process, and {problem}") from problem
            self._place = plan_run.place(plan)

    @cached_property
    def _variables(self) -> dict[str, str]:
        """What another machine has to be told, by a place that can."""
        from pamola_tasks_executor import remote

        return remote.variables_of(self._driver.run) if getattr(self._place, "carries_keys", False) else {}

    @property
    def stopped(self) -> bool:
        return self._driver.stopped

    def prepare(self, name: str) -> bool:
        return self._driver.prepare(self._plan[name])

    def perform(self, name: str, stop: Stop) -> OperationResult:
        step, driver = self._plan[name], self._driver
        attempts = Attempts(self._plan_run.retry_settings(step))
        attempt = partial(self._here, step, stop)
        if self._place is not None and self._plan_run.runs_elsewhere(step):
            attempt = partial(self._elsewhere, self._place, step, stop)

        def retried(error: BaseException, number: int, wait: float) -> None:
            driver.call_in_parent(lambda: driver.retried(step, number, error, wait))

        once, many = partial(attempts.once, attempt), partial(attempts.make, step.id, attempt, retried, stop)
        return as_result(many if attempts.settings.max_retries else once, attempts)

    def _here(self, step: Step, stop: Stop) -> OperationResult:
        """One attempt, made by this process."""
        with stop.reach.within(), measured(partial(note, self._driver.run, step.id, own_process=False)):
            return guarded(f"step {step.id}", partial(self._driver.attempt, placed(self._plan_run.settings, step)))

    def _elsewhere(self, place: Elsewhere, step: Step, stop: Stop) -> OperationResult:
        """One attempt, made by another process."""
        from pamola_tasks_executor import remote
        from pamola_tasks_executor.elsewhere import Work, await_answer

        driver = self._driver
        staged = driver.begin(step)
        work = Work(
            step_id=step.id,
            root=driver.run.files.root,
            run=self._run,
            attempt=remote.describe_step(driver.run, step, staged),
            variables=self._variables,
            **self._plan_run.limits(step),
        )
        origin, warn = f"step {step.id}: {type(place).__name__}", partial(driver.run.warn, step=step.id)
        answer = await_answer(place, work, lambda message: remote.pass_on(message, driver, step, origin), warn, stop)
        return remote.taken(answer, driver, step, staged, origin)

    def complete(self, name: str, result: OperationResult) -> None:
        self._driver.complete(self._plan[name], result)

    def close(self) -> None:
        end_idle(self._driver.run)
        try:
            if self._place is not None:
                self._place.close()
        except Exception as error:  # what the steps gave is here
            self._driver.run.warn(f"closing {type(self._place).__name__} failed: {type(error).__name__}")


def _modules(plan: Plan) -> list[str]:
    """What is imported once for all processes: what this one has of ours, and what reads datasets, if a step does."""
    ours = [name for name in sys.modules if name.startswith(("pamola_tasks", "pamola_ops")) and "." in name]
    tables = ["pandas", "pyarrow", "pyarrow.parquet"] if any(step.reads or step.writes for step in plan) else []
    return ["pamola_tasks_executor.performing", *ours, *tables]
