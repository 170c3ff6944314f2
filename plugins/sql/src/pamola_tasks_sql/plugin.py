"""What this plugin adds: tables of databases as inputs and outputs of a task, by steps that read and write them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pamola_tasks import hookimpl

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pamola_tasks.plan import Plan, Step
    from pamola_tasks.protocols import Config, ReportSection, RunServices
    from pamola_tasks.record import SavedStep

PAMOLA_HOOK_API = 1


@hookimpl
def pamola_add_settings() -> str:
    return "pamola_tasks_sql.settings:SqlSettings"


@hookimpl
def pamola_add_operations() -> dict[str, str]:
    names = ("ReadTableOperation", "WriteTableOperation")
    return {name: f"pamola_tasks_sql.operations:{name}" for name in names}


@hookimpl
def pamola_check_config(config: Config) -> Iterable[str]:
    from pamola_tasks_sql.settings import problems

    return list(problems(config))


@hookimpl
def pamola_modify_plan(run: RunServices, plan: Plan) -> None:
    """A step that reads each input that is a table, and one that writes each output that becomes one."""
    from pamola_tasks_sql.planning import add_steps

    add_steps(run, plan)


@hookimpl
def pamola_check_plan(run: RunServices, plan: Plan) -> Iterable[str]:
    """Only databases and tables that the project file allows, and passwords by reference."""
    from pamola_tasks_sql.planning import plan_problems

    return list(plan_problems(run, plan))


@hookimpl
def pamola_check_skip(run: RunServices, step: Step, saved: SavedStep) -> Iterable[str]:
    """A table that a step read, or wrote, is as it was then."""
    from pamola_tasks_sql.planning import skip_problems

    return list(skip_problems(run, step, saved))


@hookimpl
def pamola_add_report_sections(run: RunServices) -> list[ReportSection]:
    from pamola_tasks_sql.report_section import tables

    return tables(run)
