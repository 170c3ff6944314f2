"""What happened in a run, for programs: the event hooks in small, without objects of the run."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

import attrs

from pamola_tasks.record import now, rfc3339

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pamola_tasks.protocols import RunServices
    from pamola_tasks.record import Artifact

_OF_DATASET = ("kind", "format", "rows", "bytes", "path")
_OF_ARTIFACT = {"artifact": "name", "type": "artifact_type", "category": "category", "bytes": "bytes"}


@attrs.frozen
class RunEvent:
    """Something that happened in a run; the manual, Files on disk, lists events and facts, under "Live file"."""

    event: str  #: the event hook without `pamola_on_`: `run_started`, `step_progress` …
    run: str  #: the run's id
    step: str = ""  #: the step's id; empty for the whole run
    facts: Mapping[str, Any] = attrs.field(factory=dict)  #: JSON values, redacted; no cell of a table
    at: datetime = attrs.field(factory=now)  #: when it happened, UTC

    @classmethod
    def of(cls, hook: str, run: RunServices, arguments: Mapping[str, Any]) -> RunEvent:
        """The event of a hook, from its arguments."""
        event, step = hook.removeprefix("pamola_on_"), arguments.get("step")
        facts = run.redactor.value(_facts(event, run, **arguments))
        return cls(event, run.id, step.id if step is not None else "", facts)

    def to_dict(self) -> dict[str, Any]:
        """JSON values: `at` (RFC 3339), `run`, `event`, `step` where there is one, and the facts."""
        of_step = {"step": self.step} if self.step else {}
        return {"at": rfc3339(self.at), "run": self.run, "event": self.event, **of_step, **self.facts}


def _facts(event: str, run: RunServices, step: Any = None, **said: Any) -> dict[str, Any]:
    record = run.record
    match event:
        case "run_started":
            return {"task": record.task_id}
        case "step_started":
            ids = [each.id for each in run.plan]
            why = next((each.reason for each in record.steps if each.step == step.id), "")
            place = {"number": ids.index(step.id) + 1, "of": len(ids)}
            return {"operation": step.name, "description": step.operation.description, "reason": why, **place}
        case "step_skipped":
            left = [_of_artifact(run, each) for each in run.results[step.id].artifacts]
            return {**said, "operation": step.name, "description": step.operation.description, "artifacts": left}
        case "step_retried":
            return {**said, "error": type(said["error"]).__name__}
        case "step_finished":
            result = said["result"]
            facts = {"status": result.status.value, "seconds": result.execution_time, "attempts": result.attempts}
            return facts | ({"error": _shown(run, result.error_message, result.exception)} if result.failed else {})
        case "dataset_read" | "dataset_written":
            dataset = said["dataset"]
            columns = None if dataset.columns is None else len(dataset.columns)
            return {"dataset": dataset.name, "columns": columns, **{key: getattr(dataset, key) for key in _OF_DATASET}}
        case "artifact":
            return _of_artifact(run, said["artifact"])
        case "run_finished":
            error = record.error and _shown(run, record.error["message"], record.error.get("exception_type"))
            return {"status": record.status, "seconds": record.seconds, **({"error": error} if error else {})}
    return said


def _of_artifact(run: RunServices, artifact: Artifact) -> dict[str, Any]:
    facts = {key: getattr(artifact, name) for key, name in _OF_ARTIFACT.items()}
    return {**facts, "tags": list(artifact.tags), "path": run.files.name(artifact.path)}


def _shown(run: RunServices, message: str | None, kind: Any) -> str:
    """An error, which may quote a cell where the run was asked to show data: then its class alone."""
    kind = kind if isinstance(kind, str) or kind is None else type(kind).__name__
    return (kind if run.options.show_data else message or kind) or "error"
