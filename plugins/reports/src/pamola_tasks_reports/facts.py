"""The JSON report (schema 1) from what a run recorded and what the task itself added, and the manifest made of it."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Collection, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

import attrs

from pamola_tasks.errors import PamolaTaskError, PluginError
from pamola_tasks.plugins.discovery import versions
from pamola_tasks.plugins.manager import installed_redactor
from pamola_tasks.record import RunRecord, now, rfc3339
from pamola_tasks.storage.system import peak_memory, user_name
from pamola_tasks_reports.artifacts import ArtifactGroup, Inventory
from pamola_tasks_reports.formatting import plain
from pamola_tasks_reports.parts import COLUMN_LINEAGE, part
from pamola_tasks_reports.steps import seconds_outside, steps_of

if TYPE_CHECKING:
    from pamola_tasks.protocols import Config, Encryption, Places, Redactor, RunServices
    from pamola_tasks.record import Artifact, DatasetRecord

SCHEMA = 1
_PACKAGES = ("pamola-tasks", "attrs", "cattrs", "click", "cryptography", "numpy", "pandas", "pluggy", "pyarrow")


@attrs.define(kw_only=True)
class Added:
    """Facts that the task itself added, beside those the run recorded."""

    operations: list[dict[str, Any]] = attrs.Factory(list)
    artifacts: list[Artifact] = attrs.Factory(list)
    metadata: dict[str, Mapping[str, Any]] = attrs.Factory(dict)  #: further facts of artifacts, by path
    groups: dict[str, ArtifactGroup] = attrs.Factory(dict)
    metrics: dict[str, Any] = attrs.Factory(dict)  #: of the whole task
    errors: list[dict[str, Any]] = attrs.Factory(list)
    success: bool | None = None  #: None while it has not ended
    seconds: float | None = None
    error: dict[str, Any] | None = None
    encryption: dict[str, Any] | None = None


@attrs.define(kw_only=True)
class Source:
    """Where the facts of a report come from; what is None was not up when the run ended."""

    task: Mapping[str, str]
    record: RunRecord
    added: Added
    inventory: Inventory
    run: RunServices | None = None


def service(run: RunServices | None, name: str) -> Any:
    """A service of a run (or its `files`), or None where it is not up."""
    if run is None:
        return None
    try:
        return getattr(run, name)
    except PamolaTaskError:  # ServiceNotReady: initialization failed before it came up
        return None


def collect(source: Source) -> tuple[dict[str, Any], str]:
    """The report so far, redacted, values included; and why the sections of plugins are missing, if they are."""
    record, added = source.record, source.added
    succeeded = _success(record, added)
    error = _error(record, added, succeeded)
    made = [*record.artifacts, *(a for step in record.steps for a in step.artifacts), *added.artifacts]
    problems: list[str] = []
    artifacts = source.inventory.entries(made, added.metadata, problems)
    plan = tuple(getattr(source.run, "plan", None) or ())
    steps = steps_of(record, plan, record.finished is not None or succeeded is not None, source.inventory, problems)
    operations = steps + added.operations
    told = [text for entry in operations for text in entry.get("warnings", ())]
    report: dict[str, Any] = {
        "schema": SCHEMA,
        "task": dict(source.task),
        "run": _run(source, succeeded),
        "status": _status(record, succeeded),
        "success": succeeded,
        "verdict": attrs.evolve(record, success=succeeded is True).verdict,
        "error": error,
        "environment": _environment(),
        "plugins": _plugins(source.run),
        "configuration": _configuration(service(source.run, "config")),
        "inputs": [_dataset(dataset, source.inventory) for dataset in record.inputs],
        "outputs": [_dataset(dataset, source.inventory) for dataset in record.outputs],
        "operations": operations,
        "artifacts": artifacts,
        "artifact_groups": _groups(artifacts, added.groups),
        "metrics": {**record.metrics, **added.metrics},
        "warnings": list(dict.fromkeys([*record.warnings, *told, *problems])),
        "errors": _errors(record, added, error),
        "observer_failures": list(record.observer_failures),
        "plan_changes": list(record.plan_changes),
        "overrides": list(record.overrides),
        "encryption": _encryption(source),
    }
    report["sections"], problem = _sections(source.run, {*report, "sections"})
    if problem:
        failure = {"type": "report_error", "message": f"{problem}; the report has no sections of plugins"}
        report |= {"status": "failed", "success": False, "error": error or failure}
        report["errors"] = [*report["errors"], failure]
    redactor: Redactor = service(source.run, "redactor") or installed_redactor()
    redacted: dict[str, Any] = redactor.value(plain(report))
    return redacted, problem


def encrypts(source: Source) -> bool:
    """Whether the run encrypts what it writes, or was asked to and failed before it could."""
    encryption: Encryption | None = service(source.run, "encryption")
    if encryption is not None:
        return encryption.enabled
    config: Config | None = service(source.run, "config")
    return config is not None and config.use_encryption


def _encryption(source: Source) -> dict[str, Any]:
    """Whether and how the run encrypts."""
    if source.added.encryption is not None:
        return dict(source.added.encryption)
    encryption: Encryption | None = service(source.run, "encryption")
    if encryption is None:
        return {"enabled": encrypts(source)}
    return {"enabled": encryption.enabled, "mode": encryption.mode, "key_id": encryption.key_id}


def _configuration(config: Config | None) -> dict[str, Any]:
    """Every dotted key with its value and where that came from."""
    if config is None:
        return {}
    return {key: {"value": o.value, "layer": o.layer, "place": o.place} for key, o in config.origins().items()}


# ---------------------------------------------------------------- parts


def _success(record: RunRecord, added: Added) -> bool | None:
    if record.finished is not None or record.status not in ("running", "success"):
        return record.success
    return added.success


def _status(record: RunRecord, succeeded: bool | None) -> str:
    failed = "interrupted" if record.status == "interrupted" else "failed"
    return "running" if succeeded is None else "completed" if succeeded else failed


def _error(record: RunRecord, added: Added, succeeded: bool | None) -> dict[str, Any] | None:
    if succeeded:
        return None
    found = record.error or added.error or (added.errors[0] if added.errors else None)
    return dict(found) if found else None


def _run(source: Source, succeeded: bool | None) -> dict[str, Any]:
    record, added = source.record, source.added
    ended = record.finished or (now() if added.success is not None else None)
    status = record.status
    if status == "running" and succeeded is not None:
        status = "success" if succeeded else "failed"
    seconds = record.seconds if record.finished is not None or added.seconds is None else added.seconds
    return {
        "id": record.run_id,
        "status": status,
        "started": rfc3339(record.started),
        "finished": ended and rfc3339(ended),
        "seconds": round(seconds, 6),
        "seconds_outside_steps": round(seconds_outside(record), 6),
        "peak_memory_bytes": record.peak_memory_bytes or peak_memory(),
        "host": platform.node(),
        "user": user_name(),
        "resumed_from": record.resumed_from,
        "seed": record.seed,
        "folders": _folders(source),
    }


def _plugins(run: RunServices | None) -> list[dict[str, Any]]:
    keys = ("name", "distribution", "version", "services", "status", "reason")
    listed = run.kernel.plugins.report() if run is not None else []
    found = [{key: entry.get(key, "") for key in keys} for entry in listed]
    for row, entry in zip(found, listed, strict=True):
        if run is not None and (file := entry.get("file")):
            inside = os.path.relpath(os.path.realpath(file), run.files.root)
            row |= {"file": os.path.basename(file) if inside.startswith("..") else inside, "sha256": entry["sha256"]}
    return found


def _sections(run: RunServices | None, taken: Collection[str]) -> tuple[dict[str, Any], str]:
    if run is None:
        return {}, ""
    try:
        sections = run.kernel.report_sections(run, reserved=taken)
    except PluginError as error:
        return {}, str(error)
    return {s.key: {"title": s.title, "facts": dict(s.facts), "text": s.text} for s in sections}, ""


_OF_A_DATASET = "name path sha256 rows columns bytes format encrypted key_id step internal".split()


def _dataset(dataset: DatasetRecord, inventory: Inventory) -> dict[str, Any]:
    entry = {key: getattr(dataset, key) for key in _OF_A_DATASET}
    if dataset.is_elsewhere:
        return {**entry, "version": dataset.version, "encryption_mode": ""}
    if dataset.kind == "input" and not dataset.encrypted:  # as it was when it was read: it need not be opened once more
        return {**entry, "encryption_mode": "none" if dataset.path else ""}
    return {**entry, "encryption_mode": "", **inventory.encryption(dataset.path)}


def _folders(source: Source) -> dict[str, str]:
    """The folder of what may be released, and that of what must not."""
    places: Places | None = service(source.run, "places")
    if places is None or not source.record.task_id:
        return {}
    place = places.of(source.record.task_id)
    return {"released": place.directories["output"], "internal": place.internal}


def _groups(artifacts: list[dict[str, Any]], named: Mapping[str, ArtifactGroup]) -> dict[str, Any]:
    members: dict[str, list[str]] = {name: [] for name in named}
    for entry in artifacts:
        if entry["group"]:
            members.setdefault(entry["group"], []).append(entry["path"])
    said = {name: group.description for name, group in named.items()}
    return {
        name: {"name": name, "description": said.get(name, ""), "count": len(paths), "artifacts": paths}
        for name, paths in members.items()
    }


def _errors(record: RunRecord, added: Added, error: Mapping[str, Any] | None) -> list[dict[str, Any]]:
    """Every error once: recorded ones first, then those of failed steps that nobody recorded, then the task's own."""
    found: dict[tuple[str, str], dict[str, Any]] = {}
    of_steps = [
        {"type": "operation_error", "step": step.step, "operation": step.operation, **step.error}
        for step in record.steps
        if step.error is not None
    ]
    for entry in [*record.errors, *of_steps, *added.errors, *([error] if error else [])]:
        place, message = str(entry.get("step") or entry.get("operation") or ""), str(entry.get("message", ""))
        if place or message not in (known for _, known in found):
            found.setdefault((place, message), dict(entry))
    return list(found.values())


# ---------------------------------------------------------------- the machine


@cache
def _environment() -> dict[str, Any]:
    """Python, platform, number of CPUs, and versions of the packages that results may depend on."""
    found = versions(_PACKAGES)
    return {
        "python": platform.python_version(),
        "platform": _system(),
        "cpu_count": os.cpu_count(),
        "packages": {name: found[name] for name in _PACKAGES if name in found},
    }


def _system() -> str:
    """What `platform.platform` says, which starts a process (`uname -p`) to say it."""
    if not sys.platform.startswith("linux"):
        return platform.platform()
    system = os.uname()
    libc = "".join(platform.libc_ver())
    return f"{system.sysname}-{system.release}-{system.machine}" + (f"-with-{libc}" if libc else "")


# ---------------------------------------------------------------- the manifest


def manifest_of(report: Mapping[str, Any]) -> dict[str, Any]:
    """The manifest from the (already redacted) report."""
    error = report.get("error")
    return {
        "schema": 1,
        "schema_version": "1.0",
        "task_id": report["task"]["id"],
        "task_type": report["task"]["type"],
        "run_id": report["run"]["id"],
        "generated_at": rfc3339(now()),
        "execution_time_seconds": report["run"]["seconds"],
        "status": report["status"],
        **_verdict(report["verdict"]),
        "pipeline_steps": [
            {"operation": entry["name"], **_file(entry, "step", "status"), "metrics": entry.get("metrics", {})}
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
        "inputs": [
            _file(entry, "name", "path", "sha256", "bytes", "rows", *({"version"} & entry.keys()))
            for entry in report["inputs"]
        ],
        COLUMN_LINEAGE: part(part(part(report, "sections"), COLUMN_LINEAGE), "facts"),
        "privacy_guarantees": {"formal_dp": _formal(report["verdict"]["datasets"])},
        "error_info": None if error is None else {key: error[key] for key in error if key != "traceback"},
    }


def _verdict(verdict: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "verdict": verdict["verdict"],
        "verdict_sentence": verdict["sentence"],
        "verdict_reasons": verdict["reasons"],
        "open_questions": verdict["open_questions"],
    }


def _formal(datasets: Mapping[str, Any]) -> bool:
    """Whether differential privacy, and nothing less, is claimed of each dataset that anything is claimed of."""
    return bool(datasets) and all(said.get("formal_dp", False) for said in datasets.values())


def _file(entry: Mapping[str, Any], *keys: str) -> dict[str, Any]:
    return {key: entry.get(key) for key in keys}
