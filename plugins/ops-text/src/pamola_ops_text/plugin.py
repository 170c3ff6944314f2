"""Entry point of the pack: its operation, the versions that its results depend on, and its section of the report."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pamola_tasks import hookimpl

if TYPE_CHECKING:
    from pamola_tasks.plan import Step
    from pamola_tasks.protocols import ReportSection, RunServices

PAMOLA_HOOK_API = 1


@hookimpl
def pamola_add_operations() -> dict[str, str]:
    return {"RedactTextOperation": "pamola_ops_text.redacting:RedactTextOperation"}


@hookimpl
def pamola_add_fingerprint_parts(run: RunServices, step: Step) -> dict[str, str]:
    if step.name != "RedactTextOperation":
        return {}
    from .versions import versions_of

    return versions_of(step.operation)


@hookimpl
def pamola_add_report_sections(run: RunServices) -> list[ReportSection]:
    from .report_section import sections

    return sections(run.record)
