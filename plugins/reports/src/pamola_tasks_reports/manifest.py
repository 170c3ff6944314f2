"""The manifest beside a task's outputs: what was released, from what, by which steps, with hashes to check it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pamola_tasks.record import now, rfc3339

SCHEMA = 1


def manifest_of(report: Mapping[str, Any]) -> dict[str, Any]:
    """The manifest from the (already redacted) report."""
    error = report.get("error")
    return {
        "schema": SCHEMA,
        "schema_version": "1.0",
        "task_id": report["task"]["id"],
        "task_type": report["task"]["type"],
        "run_id": report["run"]["id"],
        "generated_at": rfc3339(now()),
        "execution_time_seconds": report["run"]["seconds"],
        "verdict": "PASS" if report["success"] else "FAIL",
        "pipeline_steps": [
            {
                "operation": entry["name"],
                "step": entry.get("step"),
                "status": entry["status"],
                "metrics": entry.get("metrics", {}),
            }
            for entry in report["operations"]
            if entry.get("step")
        ],
        "outputs": [
            _file(entry, "name", "path", "sha256", "bytes", "rows", "encrypted") for entry in report["outputs"]
        ],
        "artifacts": [
            _file(entry, "path", "type", "category", "description", "sha256", "bytes", "encrypted")
            for entry in report["artifacts"]
        ],
        "input_datasets": [entry["name"] for entry in report["inputs"]],
        "inputs": [_file(entry, "name", "path", "sha256", "bytes", "rows") for entry in report["inputs"]],
        "privacy_guarantees": {"formal_dp": False},
        "error_info": None if error is None else {key: error[key] for key in error if key != "traceback"},
    }


def _file(entry: Mapping[str, Any], *keys: str) -> dict[str, Any]:
    return {key: entry.get(key) for key in keys}
