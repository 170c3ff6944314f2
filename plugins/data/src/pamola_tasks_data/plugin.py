"""What this plugin adds: reading and writing datasets, and five formats for them."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from pamola_tasks import Command, hookimpl
from pamola_tasks.plugins.discovery import versions

if TYPE_CHECKING:
    from pamola_tasks.plan import Plan, Step
    from pamola_tasks.protocols import Config, DataSource, DataWriter, ReportSection, RunServices

PAMOLA_HOOK_API = 1


@hookimpl
def pamola_add_settings() -> str:
    return "pamola_tasks_data.settings:DataSettings"


@hookimpl
def pamola_check_config(config: Config) -> list[str]:
    """How tables are said to be written, where that cannot be."""
    from pamola_tasks_data.stated import config_problems

    return list(config_problems(config))


@hookimpl(trylast=True)
def pamola_provide_data_source(run: RunServices) -> DataSource:
    from pamola_tasks_data.provider import data_source

    return data_source(run)


@hookimpl(trylast=True)
def pamola_provide_data_writer(run: RunServices) -> DataWriter:
    from pamola_tasks_data.provider import data_writer

    return data_writer(run)


@hookimpl
def pamola_add_dataset_formats() -> dict[str, str]:
    names = {"csv": "CSV", "parquet": "PARQUET", "json": "JSON", "jsonl": "JSON_LINES", "xlsx": "EXCEL"}
    return {extension: f"pamola_tasks_data.formats:{name}" for extension, name in names.items()}


@hookimpl
def pamola_add_commands() -> dict[str, Command]:
    text = "Describe what the columns of a file, or of a task's inputs, are read as, and what is ambiguous."
    return {"data": Command("pamola_tasks_data.command:command", help=text, writes=False)}


@hookimpl
def pamola_add_report_sections(run: RunServices) -> list[ReportSection]:
    """What columns of the inputs look like, where they were read as something else; and what follows from which."""
    from pamola_tasks_data.column_lineage import column_lineage
    from pamola_tasks_data.report_section import columns_as_read

    return [section for section in (columns_as_read(run), column_lineage(run)) if section is not None]


@hookimpl
def pamola_check_plan(run: RunServices, plan: Plan) -> list[str]:
    """Types are stated for datasets that there are, steps name files and columns that there are, the disk has room."""
    from pamola_tasks_data.plan_problems import plan_problems
    from pamola_tasks_data.provider import check_room
    from pamola_tasks_data.stated import unknown_datasets

    if problems := [*unknown_datasets(run, plan), *plan_problems(run, plan)]:
        return problems
    check_room(run, plan)
    return []


@hookimpl
def pamola_add_fingerprint_parts(run: RunServices, step: Step) -> dict[str, str]:
    """Versions of the libraries that values depend on, and how each dataset is read and written."""
    parts = dict(_library_versions())
    if step.reads and (reading := getattr(run.data_source, "reading", None)) is not None:
        for name in step.reads:
            parts |= {f"reading {name}: {option}": text for option, text in reading(name).items()}
    if any(run.plan.is_final(name, run.config.outputs) for name in step.writes):
        from pamola_tasks_data.provider import writing

        format = getattr(step.operation, "output_format", None) or run.config.output_format
        parts |= {f"output {option}": text for option, text in writing(run, format).items()}
    return parts


@cache
def _library_versions() -> dict[str, str]:
    return {f"version {name}": version for name, version in versions(("pandas", "numpy", "pyarrow")).items()}
