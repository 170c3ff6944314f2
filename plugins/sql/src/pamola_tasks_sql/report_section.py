"""The section of a run's report on tables of databases: what was read and written, and how changes are seen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pamola_tasks.protocols import ReportSection

if TYPE_CHECKING:
    from pamola_tasks.protocols import RunServices

_TEXT = (
    "A database can change after the run, and `pamola-task verify` does not ask it. `sha256` is the hash of the file"
    " that the run read the table into (deleted after a successful run, unless `checkpoints.keep_intermediate` is set),"
    " or of the output that the table was filled from, which `verify` checks."
)


def tables(run: RunServices) -> list[ReportSection]:
    """One section, where a step of the run read or wrote a table."""
    rows: list[dict[str, Any]] = []
    for step in run.record.steps:
        where = step.metrics.get("source") or step.metrics.get("target")
        if step.operation in ("ReadTableOperation", "WriteTableOperation") and where:
            rows.append(
                {
                    "step": step.step,
                    "table": where,
                    "dataset": ", ".join([*step.reads, *step.writes]),
                    "what": "read" if step.writes else "written",
                    "rows": step.metrics.get("rows"),
                    "order": step.metrics.get("order", ""),
                    "changes seen by": step.metrics.get("changes_seen_by"),
                    "fingerprint": step.metrics.get("fingerprint"),
                    "sha256": step.metrics.get("sha256"),
                }
            )
    return [ReportSection(title="Databases", key="databases", facts={"tables": rows}, text=_TEXT)] if rows else []
