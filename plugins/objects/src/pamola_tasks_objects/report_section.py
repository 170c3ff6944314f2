"""The section of a run's report on objects: what was read and written, which version, and how changes are seen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pamola_tasks.protocols import ReportSection

if TYPE_CHECKING:
    from pamola_tasks.protocols import RunServices
    from pamola_tasks_objects.copies import Copies

_TEXT = (
    "`sha256` is the hash of the object's bytes, made while they were fetched or sent. An object can change after the"
    " run, and `pamola-task verify` does not ask the store. The copies of inputs are deleted after a successful run of"
    " all steps, unless `checkpoints.keep_intermediate` is set."
)


def objects(run: RunServices) -> list[ReportSection]:
    """One section, where the run read or wrote an object."""
    rows: list[dict[str, Any]] = []
    copies: Copies | None = vars(run).get("copies_of_objects")
    for name, (copy, how) in (copies.used if copies is not None else {}).items():
        state = copy.known.state
        rows.append(
            {
                "dataset": name,
                "object": copy.address,
                "what": f"read ({how})",
                "version": state.version,
                "ETag": state.etag,
                "modified": state.modified,
                "bytes": state.size,
                "changes seen by": state.seen_by,
                "sha256": copy.sha256,
            }
        )
    for step in run.record.steps:
        if step.operation == "WriteObjectOperation" and step.metrics.get("target"):
            found = step.metrics
            rows.append(
                {
                    "dataset": ", ".join(step.reads),
                    "object": found["target"],
                    "what": "written" if step.status != "skipped" else "written earlier, and unchanged",
                    "version": found.get("version"),
                    "ETag": found.get("etag"),
                    "modified": found.get("modified"),
                    "bytes": found.get("bytes"),
                    "changes seen by": found.get("changes_seen_by"),
                    "sha256": found.get("sha256"),
                }
            )
    return [ReportSection(title="Objects", key="objects", facts={"objects": rows}, text=_TEXT)] if rows else []
