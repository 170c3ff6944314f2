"""What this plugin adds: house rules that plans and releases are held to, and the command `policy`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pamola_tasks import Command, Service, hookimpl

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pamola_tasks.plan import Plan, Step
    from pamola_tasks.protocols import Config, ReleaseTable, ReportSection, RunServices

    from .house import House

PAMOLA_HOOK_API = 1


@hookimpl
def pamola_add_settings() -> str:
    return "pamola_tasks_policies.settings:PoliciesSettings"


@hookimpl
def pamola_add_commands() -> dict[str, Command]:
    about = "Show the house rules of the project, or hold past runs against them."
    return {"policy": Command("pamola_tasks_policies.command:command", help=about, writes=False)}


@hookimpl
def pamola_add_services() -> dict[str, Service]:
    return {"policies": Service("pamola_tasks_policies.house:House", after="config", default="pamola-tasks-policies")}


@hookimpl(trylast=True)
def pamola_provide_policies(run: RunServices) -> House:
    from .house import House

    return House(run)


@hookimpl
def pamola_check_config(config: Config) -> list[str]:
    from .settings import problems

    return list(problems(config))


@hookimpl
def pamola_check_plan(run: RunServices, plan: Plan) -> list[str]:
    house: House = run.policies
    return house.problems_of_plan(plan)


@hookimpl
def pamola_add_fingerprint_parts(run: RunServices, step: Step) -> dict[str, str]:
    house: House = run.policies
    return house.fingerprint(step)


@hookimpl
def pamola_check_release(run: RunServices, tables: Iterable[ReleaseTable]) -> list[str]:
    house: House = run.policies
    return house.problems_of_release(tables)


@hookimpl
def pamola_add_report_sections(run: RunServices) -> list[ReportSection]:
    house: House = run.policies
    return house.sections()
