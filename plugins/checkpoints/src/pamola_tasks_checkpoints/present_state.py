"""The state of a task as its own code sees it: which operations are done, with which metrics and artifacts.

It is a dict, because that is what a task's code is given, may add keys to, and saves.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from pamola_tasks.record import now, rfc3339
from pamola_tasks_checkpoints.entries import kept_metrics

if TYPE_CHECKING:
    from pamola_tasks.record import SavedStep
    from pamola_tasks.storage.files import Files


def empty(task_id: str) -> dict[str, Any]:
    """The state before anything was done."""
    moment = rfc3339(now())
    return {
        "task_id": task_id,
        "created_at": moment,
        "last_updated": moment,
        "operation_index": -1,
        "operations_completed": [],
        "operations_failed": [],
        "metrics": {},
        "artifacts": [],
    }


def update(state: dict[str, Any], updates: Mapping[str, Any]) -> None:
    """Change keys; a mapping is merged into the mapping that is there."""
    for key, value in updates.items():
        present = state.get(key)
        merges = isinstance(present, dict) and isinstance(value, Mapping)
        state[key] = {**present, **value} if merges else value  # type: ignore[dict-item]
    state["last_updated"] = rfc3339(now())


def complete(state: dict[str, Any], index: int, name: str, metrics: Mapping[str, Any] | None) -> None:
    """Note that an operation ended well."""
    time = rfc3339(now())
    done = {"index": index, "name": name, "timestamp": time}
    state["operations_completed"] = [*_without(state["operations_completed"], name), done]
    state["operations_failed"] = _without(state["operations_failed"], name)
    if metrics:
        state["metrics"] = {**state["metrics"], name: dict(metrics)}
    state["last_updated"] = time
    _settle(state)


def fail(state: dict[str, Any], index: int, name: str, error_info: Mapping[str, Any] | str) -> None:
    """Note that an operation failed: it does not count as done, whatever comes after it."""
    failure = {"index": index, "name": name, "timestamp": rfc3339(now()), "error": error_info}
    state["operations_failed"] = [*_without(state["operations_failed"], name), failure]
    state["operations_completed"] = _without(state["operations_completed"], name)
    _settle(state)


def add_artifact(state: dict[str, Any], path: str, artifact_type: str, description: str) -> None:
    """Note a file that was made, once."""
    entry = {"path": path, "type": artifact_type, "description": description, "timestamp": rfc3339(now())}
    state["artifacts"] = [*(item for item in state["artifacts"] if item["path"] != path), entry]


def note(files: Files, steps: Iterable[SavedStep], state: dict[str, Any]) -> None:
    """Put finished steps into a state."""
    done = {item["name"]: item for item in state["operations_completed"]}
    artifacts = {item["path"]: item for item in state["artifacts"]}
    metrics = dict(state["metrics"])
    for saved in steps:
        done.pop(saved.step_id, None)
        done[saved.step_id] = {"index": saved.index, "name": saved.step_id, "timestamp": saved.time}
        if found := kept_metrics(files, saved):
            metrics[saved.step_id] = found
        for output in saved.outputs:
            if output.kind in ("output", "artifact"):
                artifacts[output.path] = {
                    "path": output.path,
                    "type": str(output.artifact.get("artifact_type") or output.format),
                    "description": str(output.artifact.get("description") or output.name),
                    "timestamp": saved.time,
                }
        state["last_updated"] = saved.time
    state["operations_completed"] = list(done.values())
    state["operations_failed"] = [item for item in state["operations_failed"] if item["name"] not in done]
    state["metrics"] = metrics
    state["artifacts"] = list(artifacts.values())
    _settle(state)


def _settle(state: dict[str, Any]) -> None:
    """The operation index is that of the last completed operation before the first one that failed."""
    failed = min((item["index"] for item in state["operations_failed"]), default=None)
    done = [item["index"] for item in state["operations_completed"] if failed is None or item["index"] < failed]
    state["operation_index"] = max(done, default=-1)


def _without(items: list[dict[str, Any]], name: str) -> list[dict[str, Any]]:
    return [item for item in items if item["name"] != name]
