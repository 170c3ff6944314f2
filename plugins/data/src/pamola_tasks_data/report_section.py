"""The section of a run's report on columns of its inputs that look like something else than they were read as."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pamola_tasks.protocols import ReportSection
from pamola_tasks_data.dataset import LOOKED_AT
from pamola_tasks_data.source import DataSource

if TYPE_CHECKING:
    from pamola_tasks.protocols import RunServices

_MOST = 200  # rows of the table


def columns_as_read(run: RunServices) -> ReportSection | None:
    """Columns of inputs that look like another type than they were read as, and those with something to decide."""
    source = vars(run).get("data_source")  # a run that failed early has none
    if not isinstance(source, DataSource):
        return None
    rows: list[dict[str, Any]] = []
    for dataset in run.config.input_datasets:
        for column in source.columns_seen(dataset):
            settings = [column.setting] if column.setting else []
            settings += [setting for question in column.questions for setting in question.settings]
            if column.unread or column.questions:
                rows.append(
                    {
                        "dataset": dataset,
                        "column": column.name,
                        "read as": column.read_as,
                        "values": column.in_words,
                        "to decide": "; ".join(question.text for question in column.questions),
                        "setting": " or ".join(settings),
                    }
                )
    if not rows:
        return None
    text = f"From the first {LOOKED_AT:,} rows of each column; `pamola-task data FILE` looks at all."
    return ReportSection(title="Columns as read", key="columns", facts={"columns": rows[:_MOST]}, text=text)
