"""Runs with just the services that a reporter may ask for, on real files."""

from __future__ import annotations

import types
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from pamola_tasks.protocols import Origin, Project, ReportSection, RunServices
from pamola_tasks.record import Artifact, DatasetRecord, RunRecord, StepRecord
from pamola_tasks.secret import Secret
from pamola_tasks.storage.files import Files
from pamola_tasks_directories.places import ProjectPlaces
from pamola_tasks_paths.guard import ProjectGuard
from pamola_tasks_redaction.secrets import Redactor

RUN_ID = "01990000-0000-7000-8000-000000000001"
STARTED = datetime(2026, 3, 1, 9, 30, tzinfo=UTC)


class _Config:
    data_repository = "DATA"
    use_encryption = False

    def origins(self) -> dict[str, Origin]:
        return {
            "seed": Origin(value=7, layer="command line", place="--set"),
            "db_password": Origin(
                value=Secret("hunter2-hunter2"), layer="project file", place="configs/prj_config.yaml:3:1"
            ),
            "retry.max_retries": Origin(value=3, layer="default", place="built in"),
        }


def _kernel(sections: tuple[ReportSection, ...]) -> Any:
    listed = [
        {
            "name": "reports",
            "distribution": "pamola-tasks-reports",
            "version": "0.1.0",
            "status": "loaded",
            "reason": "",
            "services": ["reporter"],
            "hooks": [],
        }
    ]
    return types.SimpleNamespace(
        plugins=types.SimpleNamespace(report=lambda: listed), report_sections=lambda run, reserved: list(sections)
    )


def _make_run(
    root: Path, *, upto: str = "executor", success: bool = True, encrypts: bool = False, sections: Any = ()
) -> Any:
    """A run that has ended. `upto`: `files`, `config` or everything."""
    run: Any = RunServices()
    run.id = RUN_ID
    run.task = types.SimpleNamespace(
        task_id="t_1", task_type="analysis", description="Anonymize patients", version="1.2"
    )
    run.kernel = _kernel(sections)
    run.files = Files(ProjectGuard(root))
    run.provide("project", Project(root))
    run.provide("places", ProjectPlaces(run.files))
    run.record = RunRecord(run_id=RUN_ID, task_id="t_1", started=STARTED, seed=7)
    if upto == "files":
        run.record.error = {"type": "configuration_error", "message": "configs/t_1.yaml:3:1: k must be a number"}
        run.record.status = "configuration_error"
        run.record.finished = STARTED + timedelta(seconds=0.1)
        return run
    run.provide("redactor", Redactor())
    run.redact.register("hunter2-hunter2")
    config = _Config()
    config.use_encryption = encrypts
    run.provide("config", config)
    if upto == "config":
        run.record.error = {"type": "initialization_error", "message": "no room for directories"}
        run.record.status = "initialization_error"
        run.record.finished = STARTED + timedelta(seconds=0.1)
        return run
    run.provide("encryption", types.SimpleNamespace(enabled=encrypts, mode="simple" if encrypts else "none", key_id=""))
    _fill(run.record, root)
    if success:
        run.record.status, run.record.success = "success", True
    else:
        _fail(run.record)
    run.record.finished = STARTED + timedelta(seconds=12.5)
    return run


def _fill(record: RunRecord, root: Path) -> None:
    output = root / "DATA/processed/t_1/output"
    output.mkdir(parents=True, exist_ok=True)
    (output / "safe.csv").write_bytes(b"age\n[17,24]\n")
    (output / "profile.json").write_bytes(b"{}")
    record.inputs.append(
        DatasetRecord(
            name="patients",
            kind="input",
            path="DATA/raw/patients.csv",
            format="csv",
            sha256="a" * 64,
            bytes=1_234_567,
            rows=30162,
            columns=("age", "zipcode"),
        )
    )
    record.outputs.append(
        DatasetRecord(
            name="safe",
            kind="output",
            path="DATA/processed/t_1/output/safe.csv",
            format="csv",
            sha256="b" * 64,
            bytes=12,
            rows=30000,
            columns=("age", "zipcode"),
            step="anonymize",
        )
    )
    profile = Artifact("json", "DATA/processed/t_1/output/profile.json", "Profile", "metrics", ["before"], "profiles")
    metrics = {"rows": 30162, "top_values": {"Smith": 42}, "missing": {"age": 0.25}, "engine": "pandas"}
    record.steps.append(
        StepRecord(
            step="profile",
            operation="ProfileOperation",
            status="success",
            description="Describe every column.",
            started=STARTED,
            seconds=2.5,
            attempts=1,
            metrics=metrics,
            artifacts=[profile],
            reads=["patients"],
        )
    )
    record.steps.append(
        StepRecord(
            step="anonymize",
            operation="AnonymizeOperation",
            status="success",
            started=STARTED,
            seconds=10.0,
            attempts=2,
            metrics={"k": 5, "suppressed": 162, "example": "Smith, Jane"},
            settings={"method": "k-anonymity", "k": 5},
            reads=["patients"],
            writes=["safe"],
        )
    )
    record.artifacts.append(profile)
    record.metrics.update({step.step: step.metrics for step in record.steps})
    record.warnings.append("column `ssn` looks like a direct identifier")


def _fail(record: RunRecord) -> None:
    step = record.steps[1]
    step.status = "error"
    step.error = {"type": "ValueError", "message": "k is larger than the table", "traceback": "Traceback …\nValueError"}
    record.status, record.success = "operation_error", False
    record.error = {
        "type": "operation_error",
        "exception_type": "ValueError",
        "message": "k is larger than the table",
        "operation": "AnonymizeOperation",
        "step": "anonymize",
    }
    record.errors.append(
        {"type": "operation_error", "step": "anonymize", "operation": "AnonymizeOperation", **step.error}
    )
    record.observer_failures.append(
        {
            "plugin": "watch (pamola-watch 0.3)",
            "hook": "pamola_on_step_started",
            "error": "KeyError: 'x'",
            "traceback": "…",
        }
    )
    record.plan_changes.append("sampler (pamola-sampler 1.0) changed the plan from a to a, b")
    record.overrides.append("plugin veto (pamola-veto 1.0) was left out on purpose")


@pytest.fixture
def make_run() -> Callable[..., Any]:
    """Makes runs that have ended; see `_make_run`."""
    return _make_run
