"""Entry point of the pack: its operations, and the section of the report on what they measured."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pamola_tasks import hookimpl

if TYPE_CHECKING:
    from pamola_tasks.protocols import ReportSection, RunServices

PAMOLA_HOOK_API = 1


@hookimpl
def pamola_add_operations() -> dict[str, str]:
    return {
        "CorrelatedNoiseOperation": "pamola_ops_perturb.correlated_noise:CorrelatedNoiseOperation",
        "DateShiftOperation": "pamola_ops_perturb.date_shifting:DateShiftOperation",
        "PramOperation": "pamola_ops_perturb.pram:PramOperation",
        "RankSwapOperation": "pamola_ops_perturb.rank_swapping:RankSwapOperation",
        "RecordSwapOperation": "pamola_ops_perturb.record_swapping:RecordSwapOperation",
        "ShuffleOperation": "pamola_ops_perturb.shuffling:ShuffleOperation",
    }


@hookimpl
def pamola_add_report_sections(run: RunServices) -> list[ReportSection]:
    from .report_section import sections

    return sections(run.record)
