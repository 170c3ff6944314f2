"""`TaskReporter`: collects the facts of a task, and writes the report of its run."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pamola_tasks.errors import PamolaTaskError, PluginError, ReportingError
from pamola_tasks.plugins.discovery import resolve
from pamola_tasks.record import Artifact, RunRecord, now, rfc3339
from pamola_tasks.storage import leftovers
from pamola_tasks.storage.files import check_name
from pamola_tasks_reports import facts
from pamola_tasks_reports.artifacts import ArtifactGroup, Inventory, look
from pamola_tasks_reports.privacy import without_values
from pamola_tasks_reports.store import Reports, altered, as_json, diagnose, pruned_by

if TYPE_CHECKING:
    from pamola_tasks.protocols import Diagnosis, Files, Lock, Places, ReportWriter, Role, RunServices

WRITERS = {
    "json": "pamola_tasks_reports.store:as_json",
    "md": "pamola_tasks_reports.markdown:as_markdown",
    "html": "pamola_tasks_reports.html:as_html",
}
SIGNED = (".json", ".whole", ".html", ".md")


class TaskReporter:
    """The report of one run of a task, from what `run.record` has and what the task adds. Safe to use from threads.

    Args:
        task_id: The task.
        task_type: Its type.
        description: What it does, for people.
        report_path: Of the JSON report, relative to the project's root; the other formats go beside it. Unless given,
            where `places` says, or in the root.
        version: The task's version.
        files: What files are opened with; those of the run unless given.
        places: Where reports of runs and the manifest go; those of the run unless given. Without, neither is written.
        run: The run; without it only what is added is reported.

    Raises:
        PathSecurityError: `task_id` is not a plain name, or the guard refuses `report_path`.
    """

    def __init__(
        self,
        task_id: str,
        task_type: str = "",
        description: str = "",
        report_path: str | Path | None = None,
        *,
        version: str = "",
        files: Files | None = None,
        places: Places | None = None,
        run: RunServices | None = None,
    ) -> None:
        self.task_id = check_name(task_id, "task id")
        self._files = files
        self._run = run
        self._lock = threading.RLock()
        self._saved = False
        self._added = facts.Added()
        places = places or facts.service(run, "places")
        self._reports = Reports(places, task_id) if places is not None else None
        newest = self._reports.newest() if self._reports is not None else f"{task_id}_report.json"
        self._report_path = str(report_path) if report_path is not None else newest
        record = run.record if run is not None else RunRecord(run_id="", task_id=task_id)
        opened = self._opener()
        if opened is not None:
            look(opened, self._report_path)  # refuses what leads out of the project
        self._source = facts.Source(
            task={"id": task_id, "type": task_type, "description": description, "version": version},
            record=record,
            added=self._added,
            inventory=Inventory(opened),
            run=run,
        )

    @classmethod
    def of_run(cls, run: RunServices) -> TaskReporter:
        """The reporter of a run, whatever of it came up."""
        kind, description, version = (str(getattr(run.task, k, "")) for k in ("task_type", "description", "version"))
        return cls(run.record.task_id, kind, description, version=version, run=run)

    def add_operation(self, name: str, status: str = "success", details: Mapping[str, Any] | None = None) -> None:
        """An entry of the task's own, beside those of the steps.

        Args:
            name: What was done.
            status: `success`, `warning`, `error` or another word.
            details: Facts. For an error the message is taken from `error_message`, `message` or `error`.
        """
        told, time, error = dict(details or {}), rfc3339(now()), None
        message = next((str(told[key]) for key in ("error_message", "message", "error") if told.get(key)), "")
        if status == "error":
            error = {"type": str(told.get("error_type", "error")), "message": message or f"{name} failed"}
        warning = f"{name}: {message}" if message else f"{name} ended with a warning"
        entry: dict[str, Any] = {
            "step": "",
            "name": name,
            "status": status,
            "seconds": told.get("execution_time"),
            "attempts": 1,
            "metrics": {},
            "artifacts": [],
            "error": error,
            "time": time,
            "details": told,
            "warnings": [warning] if status == "warning" else [],
        }
        with self._lock:
            self._added.operations.append(entry)
            if error is not None:
                self._added.errors.append({"operation": name, "time": time, **error})

    def add_artifact(
        self,
        artifact_type: str,
        path: str | Path,
        description: str = "",
        category: str = "output",
        tags: Sequence[str] | None = None,
        group_name: str | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> None:
        """A file that the task itself made. It is hashed when the report is written.

        Raises:
            PathSecurityError: The path leads out of the project.
        """
        text = str(path)
        files = self._opener()
        if files is not None:
            look(files, text)
            text = files.name(text)
        artifact = Artifact(artifact_type, text, description, category, list(tags or ()))
        with self._lock:
            self._added.artifacts.append(artifact)
            if metadata:
                self._added.metadata[text] = dict(metadata)
            if group_name:
                self.add_artifact_group(group_name).add_artifact(artifact)

    def add_artifact_group(self, name: str, description: str = "") -> ArtifactGroup:
        """The group of this name, made when it is new."""
        with self._lock:
            group = self._added.groups.setdefault(name, ArtifactGroup(name, description))
            group.description = group.description or description
            return group

    def add_metric(self, name: str, value: Any) -> None:
        """A number of the whole task."""
        with self._lock:
            self._added.metrics[name] = value

    def add_task_summary(
        self,
        success: bool,
        execution_time: float | None = None,
        metrics: Mapping[str, Any] | None = None,
        error_info: Mapping[str, Any] | None = None,
        encryption: Mapping[str, Any] | None = None,
    ) -> None:
        """How the task ended. Where the run recorded how it ended, the record holds."""
        with self._lock:
            self._added.success = success
            self._added.seconds = execution_time
            self._added.metrics.update(metrics or {})
            self._added.error = dict(error_info) if error_info else None
            self._added.encryption = dict(encryption) if encryption else None

    def generate_report(self) -> dict[str, Any]:
        """The report so far: redacted, and without values where the run encrypts.

        Raises:
            ReportingError: It cannot be made.
        """
        report, _ = self._collected()
        return without_values(report) if facts.encrypts(self._source) else report

    def _collected(self) -> tuple[dict[str, Any], str]:
        try:
            with self._lock:
                return facts.collect(self._source)
        except PamolaTaskError:
            raise
        except Exception as error:
            raise ReportingError(f"the report of {self.task_id} cannot be made: {error}") from error

    def save_report(self) -> Path:
        """Write the run's own report, then the newest one in all formats, then the manifest; each appears whole.

        Where the run encrypts, all of them do without what may quote data; an encrypted report has everything.

        Returns:
            The path of the newest JSON report.

        Raises:
            ReportingError: One of them cannot be written, and why; all others are.
        """
        whole, problem = self._collected()
        report = without_values(whole) if facts.encrypts(self._source) else whole
        files = self._opener()
        if files is None:
            raise ReportingError(f"the report of {self.task_id} cannot be written: the run has no access to files")
        self._remove_leftovers(files)
        document = as_json(report)
        if self._reports is not None and report["run"]["id"]:
            self._write(files, self._reports.of_run(report["run"]["id"]), document)
            if files.encrypts("artifact"):
                self._write(files, self._reports.whole(report["run"]["id"]), as_json(whole), "artifact")
        self._write(files, self._report_path, document)
        problems = [problem] if problem else []
        writers = self._writers()
        for extension in writers:
            if extension != "json":
                try:
                    self._write(files, self._beside(extension), self._rendered(extension, writers, report))
                except ReportingError as error:
                    problems.append(str(error))
        if self._reports is not None:
            self._write(files, self._reports.place.manifest, as_json(facts.manifest_of(report)))
        self._record_again()
        if problems:
            raise ReportingError("; ".join(problems))
        return files.root / self._report_path

    def _signed(self, name: str, document: bytes) -> bytes:
        """The document with its signature, where the project has a key that signs and the format has a place for it."""
        sign = getattr(facts.service(self._run, "encryption"), "sign", None)
        signature = sign(document) if sign is not None and name.endswith(SIGNED) else None
        if signature is None:
            return document
        text = f"ed25519 {signature[0]} {signature[1]}".encode()
        if name.endswith((".html", ".md")):
            return b"%s<!-- signature: %s -->\n" % (document, text)
        return b'%s,\n  "signature": "%s"\n}\n' % (document.removesuffix(b"\n}\n"), text)

    def _record_again(self) -> None:
        """Have the history know the hashes where it already has how the run ended: the report is written once more."""
        update = getattr(facts.service(self._run, "history"), "update", None)
        if self._saved and update is not None:
            record = self._source.record
            files = [{"path": path, **known} for path, known in record.report_files.items()]
            with contextlib.suppress(PamolaTaskError):  # that the history cannot be written was said already
                update(record.run_id, self.task_id, {"report_files": files})
        self._saved = True

    def diagnose(self) -> list[Diagnosis]:
        """What is damaged, missing or swapped among the reports and the manifest of the task."""
        files = self._opener()
        if files is None or self._reports is None:
            return []
        history = facts.service(self._run, "history")
        ask: Any = getattr(history, "get_task_execution_history", lambda task_id, limit: [])
        latest = history.find_latest_execution(self.task_id, success_only=False) if history is not None else None
        found = diagnose(files, self._reports, latest)
        ended = [record for record in ask(self.task_id, None) if record.get("report_files")]
        if ended and latest is not None and latest.get("task_run_id") != ended[0].get("task_run_id"):
            ended.insert(0, latest)  # it may have replaced what the one before it wrote
        said = {problem.finding.partition(" ")[0] for problem in found}
        more = altered(files, self._reports, ended, cache(lambda: pruned_by(history, self.task_id)))
        return found + [problem for problem in more if problem.finding.partition(" ")[0] not in said]

    def _remove_leftovers(self, files: Files) -> None:
        """Remove what a killed run had begun to write of its reports. Each file is written under the task's lock."""
        lock: Lock | None = facts.service(self._run, "lock")
        if self._run is not None and lock is not None and lock.after_a_crash:
            folder, newest = os.path.split(self._report_path)
            names = [newest, *(os.path.basename(self._beside(extension)) for extension in self._writers())]
            leftovers.remove_unpublished(files, folder, of=names)
            if self._reports is not None:
                leftovers.remove_unpublished(files, self._reports.place.run_reports)

    def _opener(self) -> Files | None:
        files: Files | None = self._files or facts.service(self._run, "files")
        return files

    def _beside(self, extension: str) -> str:
        return f"{self._report_path.removesuffix('.json')}.{extension}"

    def _writers(self) -> Mapping[str, str | ReportWriter]:
        """Those that plugins add, ours among them; without a kernel ours alone."""
        ask = getattr(getattr(self._run, "kernel", None), "report_writers", None)
        return ask() if callable(ask) else WRITERS

    def _rendered(self, extension: str, writers: Mapping[str, str | ReportWriter], report: Mapping[str, Any]) -> bytes:
        try:
            writer = writers[extension]
            write: ReportWriter = resolve(writer) if isinstance(writer, str) else writer
            return write(report)
        except Exception as error:
            whose = f" by plugin {writers.owner(extension).label}" if hasattr(writers, "owner") else ""
            problem = f"the {extension} report of {self.task_id} cannot be made{whose}"
            raise ReportingError(f"{problem}: {type(error).__name__}: {error}") from error

    def _write(self, files: Files, name: str, document: bytes, role: Role = "report") -> None:
        try:
            written = files.write(name, self._signed(name, document), role)
            known = {"sha256": written.sha256, "bytes": written.size}
            self._source.record.report_files[files.name(name)] = known
        except (OSError, PamolaTaskError) as error:
            raise ReportingError(f"the report cannot be written to {name}: {error}", path=name) from error


def unusable(run: RunServices) -> list[str]:
    """Why formats that other plugins add cannot be written; ours are imported when the report is written."""
    writers = run.kernel.contributions("pamola_add_report_writers", "report format")
    problems = []
    if "json" not in writers or writers.target("json") != WRITERS["json"]:
        whose = writers.owner("json").label if "json" in writers else "a format of another name"
        problems.append(f"the report format 'json' is replaced by {whose}: programs read it, so it cannot be")
    for extension in writers:
        if writers.target(extension) != WRITERS.get(extension):
            try:
                writers[extension]
            except PluginError as error:
                problems.append(str(error))
    return problems
