"""What a task's report says of how it ended, in the form of this release and of the framework's forerunner."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import attrs

if TYPE_CHECKING:
    from pamola_tasks.protocols import Files

_ENDED_WELL = ("success", "completed")


@attrs.frozen(kw_only=True)
class Ending:
    """How the last run of a task ended: `status` is `success`, what went wrong, or empty when nothing says it."""

    success: bool
    status: str
    seconds: float | None = None
    finished: str | None = None
    error: Mapping[str, Any] | None = None

    @property
    def reason(self) -> str:
        """Why it is not a success, in words."""
        message = (self.error or {}).get("message")
        return f"it ended with status {self.status or 'unknown'}" + (f": {message}" if message else "")


def read_report(files: Files, path: str) -> dict[str, Any]:
    """A JSON report; a ValueError where it is none."""
    try:
        report = json.loads(files.read(path, "report"))
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    if not isinstance(report, dict):
        raise ValueError("it is not a JSON object")
    return report


def of_report(report: Mapping[str, Any]) -> Ending:
    """How a run ended, from its report."""
    run = report.get("run")
    if not isinstance(run, Mapping):
        run = {}
    status = str(run.get("status") or report.get("status") or "")
    said = report.get("success")
    success = status in _ENDED_WELL if run or not isinstance(said, bool) else said
    seconds = run.get("seconds", report.get("execution_time"))
    return Ending(
        success=success,
        status=status or ("success" if success else ""),
        seconds=seconds if isinstance(seconds, (int, float)) else None,
        finished=_text(run.get("finished") or report.get("completion_time") or report.get("timestamp")),
        error=None if success else _error(report, run),
    )


def of_record(record: Mapping[str, Any]) -> Ending:
    """How a run ended, from its record in the history."""
    success = bool(record.get("success"))
    error = record.get("error")
    return Ending(
        success=success,
        status=str(record.get("status") or ("success" if success else "failed")),
        seconds=record.get("execution_time"),
        finished=_text(record.get("finished") or record.get("timestamp")),
        error=error if isinstance(error, Mapping) and not success else None,
    )


def _error(report: Mapping[str, Any], run: Mapping[str, Any]) -> Mapping[str, Any] | None:
    errors = report.get("errors")
    listed = errors if isinstance(errors, list) else []
    for found in (run.get("error"), report.get("error_info"), *listed):
        if isinstance(found, Mapping):
            return found
        if isinstance(found, str):
            return {"message": found}
    return None


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None
