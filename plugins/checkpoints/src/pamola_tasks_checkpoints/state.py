"""The state of a task as its own code sees it: which operations are done, with which metrics and artifacts.

It is a dict, because that is what a task's code is given, may add keys to, and saves.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from pamola_tasks.record import now, rfc3339
from pamola_tasks_checkpoints.entries import kept_metrics

if TYPE_CHECKING:
    from pamola_tasks.protocols import Files
    from pamola_tasks.record import SavedStep

REQUIRED = ("task_id", "operation_index", "operations_completed")


def state_after(task_id: str, files: Files, steps: Iterable[SavedStep]) -> dict[str, Any]:
    """The state after these steps have been finished, in this order."""
    moment = rfc3339(now())
    state: dict[str, Any] = {
        "task_id": task_id,
        "created_at": moment,
        "last_updated": moment,
        "operation_index": -1,
        "operations_completed": [],
        "operations_failed": [],
        "metrics": {},
        "artifacts": [],
    }
    artifacts: dict[str, dict[str, str]] = {}
    for saved in steps:
        done = {"index": saved.index, "name": saved.step_id, "timestamp": saved.time}
        state["operations_completed"].append(done)
        state["operation_index"] = max(state["operation_index"], saved.index)
        state["last_updated"] = saved.time
        if metrics := kept_metrics(files, saved):
            state["metrics"][saved.step_id] = metrics
        for output in saved.outputs:
            if output.kind in ("output", "artifact"):
                artifacts[output.path] = {
                    "path": output.path,
                    "type": str(output.artifact.get("artifact_type") or output.format),
                    "description": str(output.artifact.get("description") or output.name),
                    "timestamp": saved.time,
                }
    state["artifacts"] = list(artifacts.values())
    return state
