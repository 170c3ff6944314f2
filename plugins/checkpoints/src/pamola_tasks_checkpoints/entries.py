"""A finished step as the journal has it: its entry, the files that it left, and its metrics; and the state after some.

The state of a task is a dict, because that is what a task's code is given, may add keys to, and saves.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import attrs

from pamola_tasks.record import SavedOutput, SavedStep, now, rfc3339

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pamola_tasks.plan import Step
    from pamola_tasks.protocols import Files, Redactor, RunServices
    from pamola_tasks.record import Artifact

METRICS = "metrics"  # the kind of a saved output that is neither a dataset nor an artifact
DROPPED = "dropped"  # that of an intermediate dataset which was deleted after a successful run


def to_entry(saved: SavedStep) -> dict[str, Any]:
    """A finished step as a journal entry."""
    return {"schema": 1, "event": "step", **attrs.asdict(saved)}


def from_entry(entry: Mapping[str, Any]) -> SavedStep:
    """A finished step from its journal entry; a ValueError where that is not of this form."""
    try:
        known = {f.name for f in attrs.fields(SavedStep)}
        kept = {key: value for key, value in entry.items() if key in known and key != "outputs"}
        outputs = tuple(
            SavedOutput(**{**item, "columns": None if item.get("columns") is None else tuple(item["columns"])})
            for item in entry["outputs"]
        )
        saved = SavedStep(**{**kept, "warnings": tuple(kept.get("warnings", ()))}, outputs=outputs)
    except (KeyError, TypeError) as problem:
        raise ValueError(f"not a finished step: {problem}") from problem
    if not isinstance(saved.step_id, str) or not isinstance(saved.fingerprint, dict):
        raise ValueError("not a finished step: its id or fingerprint has the wrong type")
    return saved


def saved_artifact(artifact: Artifact, redact: Redactor) -> SavedOutput:
    """An artifact that a step left, with the secrets in what is said of it hidden."""
    known = {name: getattr(artifact, name) for name in ("name", "path", "sha256", "encrypted")}
    facts = attrs.asdict(artifact, filter=attrs.filters.exclude("root"))  # a project can be moved
    facts |= {key: redact.value(facts[key]) for key in ("description", "category", "tags", "group")}
    return SavedOutput(kind="artifact", bytes=artifact.bytes or 0, artifact=facts, **known)


def keep_metrics(run: RunServices, step: Step, metrics: Mapping[str, Any]) -> SavedOutput:
    """Keep a step's metrics in an encrypted file beside its datasets: they may quote data.

    The journal itself is readable.
    """
    path = str(run.directories.get_directory("state") / "steps" / step.id / "metrics.json")
    file = run.files.write(path, json.dumps(metrics), "state")
    name = run.files.name(path)
    return SavedOutput(kind=METRICS, name=METRICS, path=name, sha256=file.sha256, bytes=file.size, encrypted=True)


def kept_metrics(files: Files, saved: SavedStep) -> dict[str, Any]:
    """The metrics of a finished step, from its journal entry or from their file."""
    for output in saved.outputs:
        if output.kind == METRICS:
            found: dict[str, Any] = json.loads(files.read(output.path, "state"))
            return found
    return dict(saved.metrics)


def locked(files: Files, output: SavedOutput) -> str:
    """Why an output that is there cannot be used: it was encrypted with an unavailable key. Else nothing."""
    refusal = files.refusal(output.path)
    return f"{output.kind} {output.name} ({output.path}) cannot be decrypted: {refusal}" if refusal else ""


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
