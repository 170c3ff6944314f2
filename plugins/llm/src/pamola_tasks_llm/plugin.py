"""What this plugin adds: the service `llm`, its settings and diagnosis, three operations, sections of reports."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from pamola_tasks import Service, hookimpl
from pamola_tasks.configuration import is_stated

if TYPE_CHECKING:
    from pamola_tasks.plan import Step
    from pamola_tasks.protocols import Config, Diagnosis, KernelView, Project, ReportSection, RunServices

    from .service import LanguageModel

PAMOLA_HOOK_API = 1


@hookimpl
def pamola_add_services() -> dict[str, Service]:
    return {"llm": Service("pamola_tasks_llm.service:LanguageModel", after="config", default="pamola-tasks-llm")}


@hookimpl(trylast=True)
def pamola_provide_llm(run: RunServices) -> LanguageModel:
    from .service import ConfiguredModel

    return ConfiguredModel(run)


@hookimpl
def pamola_add_settings() -> str:
    return "pamola_tasks_llm.settings:LlmSettings"


@hookimpl
def pamola_check_config(config: Config) -> Iterable[str]:
    if not is_stated(config, "llm"):
        return []
    from .settings import problems

    return list(problems(config))


@hookimpl
def pamola_add_operations() -> dict[str, str]:
    return {
        "DescribeOperation": "pamola_tasks_llm.describe:DescribeOperation",
        "RewriteTextOperation": "pamola_tasks_llm.rewrite:RewriteTextOperation",
        "SuggestOperation": "pamola_tasks_llm.suggest:SuggestOperation",
    }


@hookimpl
def pamola_add_fingerprint_parts(run: RunServices, step: Step) -> dict[str, str]:
    from .sections import fingerprint

    return fingerprint(run, step)


@hookimpl
def pamola_add_report_sections(run: RunServices) -> list[ReportSection]:
    from .sections import sections

    return sections(run.record)


@hookimpl
def pamola_add_diagnoses(project: Project | None, kernel: KernelView) -> Iterable[Diagnosis]:
    from .sections import diagnose

    return diagnose(project, kernel)
