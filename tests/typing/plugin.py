"""Plugins: hook implementations keep their types; commands, services and contributions are typed."""

from collections.abc import Callable, Generator, Iterator, Mapping
from pathlib import Path
from typing import Any, assert_type

from pamola_tasks import Command, OperationResult, Secret, hookimpl
from pamola_tasks.plan import Plan, Step
from pamola_tasks.protocols import Config, History, Project, Reporter, ReportSection, RunServices

PAMOLA_HOOK_API = 1


@hookimpl
def pamola_add_commands() -> dict[str, Command]:
    return {"audit": Command("my_plugin.audit:command", help="Audit a project.", writes=False)}


assert_type(pamola_add_commands(), dict[str, Command])


@hookimpl
def pamola_check_plan(plan: Plan) -> Iterator[str]:
    for step in plan:
        assert_type(step, Step)
        assert_type(step.id, str)
        if getattr(step.operation, "k", 10) < 10:
            yield f"step {step.id}: k must be 10 or more"


@hookimpl(wrapper=True)
def pamola_run_step(run: RunServices, step: Step) -> Generator[None, OperationResult, OperationResult]:
    run.logger.info("begins %s", step.id)
    result = yield
    assert_type(result, OperationResult)
    return result


@hookimpl(trylast=True)
def pamola_provide_history(run: RunServices) -> History:
    return run.history


@hookimpl
def pamola_on_run_finished(run: RunServices) -> None:
    assert_type(run.config, Config)
    assert_type(run.project, Project)
    assert_type(run.project.root, Path)
    assert_type(run.reporter, Reporter)
    assert_type(run.results, dict[str, OperationResult])
    assert_type(run.redact("text"), str)
    assert_type(run.id, str)


@hookimpl
def pamola_add_report_sections(run: RunServices) -> list[ReportSection]:
    return []


secret = Secret("hunter2", "password")
assert_type(secret.reveal(), str)
hook: Callable[[RunServices], Any] = pamola_on_run_finished
commands: Mapping[str, Command] = pamola_add_commands()
