"""`TaskDependencyManager`: whether the tasks that a task depends on have succeeded, and what they left."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from pamola_tasks.errors import (
    DependencyError,
    DependencyFailedError,
    DependencyMissingError,
    InvalidParameterError,
    ValidationError,
)
from pamola_tasks.storage.files import check_name
from pamola_tasks_dependencies.matching import matching
from pamola_tasks_dependencies.reading import Ending, of_record, of_report, read_report

if TYPE_CHECKING:
    from pamola_tasks.protocols import Config, Files, Places, RunServices

_NOT_ENDED = ("running", "unknown")


class UnknownMetricError(InvalidParameterError, KeyError):
    """A task's report has no metric of that name."""

    code = "unknown_metric"


class _Latest(Protocol):
    def find_latest_execution(self, task_id: str, success_only: bool = True) -> dict[str, Any] | None: ...


class TaskDependencyManager:
    """What the tasks that a task depends on have left.

    A dependency is a task's id; or a path (`is_absolute_dependency`), of which nobody knows how it was made.

    Args:
        task_config: Gives `dependencies`, `continue_on_error` and `data_repository`.
        logger: Told of what is missing, under `continue_on_error`.
        files: What opens everything; the files of the project that `task_config.project_root` names, or the current
            folder lies in, unless given.
        history: The execution history, where there is one: what counts when there is no report, and what tells of
            runs that were killed.
        places: Where tasks keep what they have; those of the same project unless given.
        warn: Told of it in place of the logger.
    """

    def __init__(
        self,
        task_config: Config,
        logger: logging.Logger,
        *,
        files: Files | None = None,
        history: _Latest | None = None,
        places: Places | None = None,
        warn: Callable[[str], None] | None = None,
    ) -> None:
        self._config = task_config
        if files is None or places is None:
            run = _services_of_project(getattr(task_config, "project_root", None))
            files, places = files or run.files, places or run.places
        self._files = files
        self._places = places
        self._history = history
        self._warn = warn or (lambda message: logger.warning("%s", message))

    def is_absolute_dependency(self, dependency_id: str) -> bool:
        """Whether a dependency is named by a path, not by a task's id."""
        return os.sep in dependency_id or "/" in dependency_id or ":" in dependency_id

    def assert_dependencies_completed(self) -> bool:
        """Whether all tasks that this one depends on are there and succeeded.

        Returns:
            False only under `continue_on_error`, which makes warnings of the errors.

        Raises:
            DependencyMissingError: At least one has left nothing; the message names all that is wrong.
            DependencyFailedError: At least one did not succeed.
        """
        problems: list[DependencyError] = []
        for dependency_id in self._config.dependencies:
            try:
                if self.is_absolute_dependency(dependency_id):
                    self._accept_path(dependency_id)
                else:
                    self._assert_succeeded(dependency_id)
            except DependencyError as problem:
                problems.append(problem)
        if problems and not self._config.continue_on_error:
            missing = any(isinstance(found, DependencyMissingError) for found in problems)
            raise (DependencyMissingError if missing else DependencyFailedError)(
                "\n".join(map(str, problems)), dependencies=[found.details["dependency"] for found in problems]
            )
        for found in problems:
            self._warn(f"{found} (going on, because continue_on_error is on)")
        return not problems

    def _accept_path(self, path: str) -> None:
        if not self._files.exists(path):
            raise DependencyMissingError(f"the dependency {path} is not there, or not allowed", dependency=path)
        self._warn(f"the dependency {path} is a path: it is there, and nothing says whether it is complete")

    def _assert_succeeded(self, dependency_id: str) -> None:
        ending = self._ending(dependency_id)
        if ending is None:
            raise self._missing(dependency_id)
        if not ending.success:
            raise DependencyFailedError(
                f"the task {dependency_id!r}, which this one depends on, did not succeed: {ending.reason}; run it again"
                f" with `pamola-task run {dependency_id}`",
                dependency=dependency_id,
            )

    def _missing(self, dependency_id: str) -> DependencyMissingError:
        reports = self._places.folders["reports"]
        return DependencyMissingError(
            f"the task {dependency_id!r}, which this one depends on, has left no report in {reports}: run it"
            f" first with `pamola-task run {dependency_id}`",
            dependency=dependency_id,
        )

    def _ending(self, dependency_id: str) -> Ending | None:
        """How a task ended the last time; None when it has never ended.

        The report counts, unless the history knows of a later run, which was killed or could not write one.
        """
        check_name(dependency_id, "the dependency's id")
        latest = self._history.find_latest_execution(dependency_id, success_only=False) if self._history else None
        if latest is not None and latest.get("status") == "aborted":
            return of_record(latest)  # it left no report, and may have replaced a part of what was there
        if latest is not None and latest.get("status") in _NOT_ENDED:
            self._warn(f"the task {dependency_id!r} may be running now: what it left earlier is used")
            latest = self._history.find_latest_execution(dependency_id) if self._history else None
        path = self._find_report(dependency_id)
        if path is not None:
            try:
                told = of_report(read_report(self._files, path))
                recorded = told if latest is None else of_record(latest)
                return recorded if (recorded.finished or "") > (told.finished or "~") else told
            except (ValueError, OSError) as problem:
                if latest is None:
                    return Ending(
                        success=False, status="unknown", error={"message": f"its report {path} is no report: {problem}"}
                    )
                self._warn(f"{path} cannot be read ({problem}): the history tells how {dependency_id!r} ended")
        return None if latest is None else of_record(latest)

    def _find_report(self, dependency_id: str) -> str | None:
        reports = self._places.folders["reports"]
        newest = self._places.of(dependency_id).report()
        paths = (newest, f"{reports}/{dependency_id}.json", f"{reports}/{dependency_id}/report.json")
        return next((path for path in paths if self._files.exists(path)), None)

    def get_dependency_output(self, dependency_id: str, file_pattern: str | None = None) -> Path | list[Path]:
        """The output directory of a task, or the files beneath it that match.

        Args:
            file_pattern: `*.csv`, `**/*.json` …

        Raises:
            DependencyMissingError: There is no such directory; with `continue_on_error` only a warning.
        """
        if self.is_absolute_dependency(dependency_id):
            folder = self._files.name(dependency_id)
        else:
            folder = self._places.of(dependency_id).directories["output"]
        if not self._files.exists(folder):
            message = (
                f"there is no {folder}: the task {dependency_id!r}, which should have left it, has to be run first"
            )
            if not self._config.continue_on_error:
                raise DependencyMissingError(message, dependency=dependency_id)
            self._warn(message)
            return self._files.root / folder if file_pattern is None else []
        if file_pattern is None:
            return self._files.root / folder
        return [self._files.root / name for name in matching(self._files, folder, file_pattern)]

    def get_dependency_report(self, dependency_id: str) -> Path:
        """The JSON report of a task; with `continue_on_error` also one that is not there yet.

        Raises:
            ValidationError: The dependency is a path, and paths have no report.
            DependencyMissingError: There is none.
        """
        if self.is_absolute_dependency(dependency_id):
            raise ValidationError(f"the dependency {dependency_id!r} is a path, of which there is no report")
        check_name(dependency_id, "the dependency")
        path = self._find_report(dependency_id)
        if path is None:
            missing = self._missing(dependency_id)
            if not self._config.continue_on_error:
                raise missing
            self._warn(str(missing))
            path = self._places.of(dependency_id).report()
        return self._files.root / path

    def get_dependency_metrics(self, dependency_id: str, metric_path: str | None = None) -> dict[str, Any]:
        """The metrics in a task's report, by step; or one of them.

        Args:
            metric_path: Dotted, as `AnonymizeOperation.k`; gives `{"k": …}`.

        Raises:
            UnknownMetricError: The report has no such metric (an `InvalidParameterError`, and a `KeyError`).
            DependencyFailedError: The report cannot be read.
        """
        path = self.get_dependency_report(dependency_id)
        try:
            report = read_report(self._files, self._files.name(path))
        except FileNotFoundError:
            report = {}  # only under continue_on_error, which has warned
        except (ValueError, OSError) as problem:
            raise DependencyFailedError(
                f"the report of {dependency_id!r} ({self._files.name(path)}) cannot be read: {problem}",
                dependency=dependency_id,
            ) from problem
        metrics = _metrics(report)
        if metric_path is None:
            return metrics
        found = _at(metrics, metric_path.split("."))
        if found is None:
            known = ", ".join(_paths(metrics)[:20]) or "none"
            raise UnknownMetricError(
                f"the report of {dependency_id!r} has no metric {metric_path!r}; it has {known}", metric=metric_path
            )
        return found

    def get_dependency_status(self, dependency_id: str) -> dict[str, Any]:
        """How a task ended: `task_id, success, status, execution_time, completion_time, error_info, report_path`.

        Raises:
            DependencyMissingError: It has never ended; with `continue_on_error` that is a status without success.
        """
        if self.is_absolute_dependency(dependency_id):
            raise ValidationError(f"the dependency {dependency_id!r} is a path, of which there is no status")
        ending = self._ending(dependency_id)
        if ending is None:
            missing = self._missing(dependency_id)
            if not self._config.continue_on_error:
                raise missing
            ending = Ending(success=False, status="missing", error={"message": str(missing)})
        path = self._find_report(dependency_id)
        return {
            "task_id": dependency_id,
            "success": ending.success,
            "status": ending.status,
            "execution_time": ending.seconds,
            "completion_time": ending.finished,
            "error_info": ending.error,
            "report_path": None if path is None else str(self._files.root / path),
        }


def for_run(run: RunServices) -> TaskDependencyManager:
    """The dependencies of a run's task."""
    return TaskDependencyManager(
        run.config,
        run.logger,
        files=run.files,
        history=run.history,
        places=run.places,
        warn=run.warn,
    )


def _services_of_project(root: str | Path | None) -> RunServices:
    """What knows the project's layout, for a manager that is used without a run."""
    from pamola_tasks.kernel import Kernel

    return Kernel.discover(project=root).services(None, upto="places")


def _metrics(report: Mapping[str, Any]) -> dict[str, Any]:
    """All metrics: those of steps under the step's id, and those of the task."""
    operations = report.get("operations")
    steps = {
        str(item.get("step") or item.get("name")): item["metrics"]
        for item in (operations if isinstance(operations, list) else ())
        if isinstance(item, dict) and item.get("metrics")
    }
    own = report.get("metrics")
    return {**steps, **(own if isinstance(own, dict) else {})}


def _at(metrics: Any, parts: list[str]) -> dict[str, Any] | None:
    """What stands at a dotted path, under its last name; names may have dots themselves. None when nothing does."""
    for count in range(len(parts), 0, -1):
        key = ".".join(parts[:count])
        if isinstance(metrics, Mapping) and key in metrics:
            if count == len(parts):
                return {key: metrics[key]}
            below = _at(metrics[key], parts[count:])
            if below is not None:
                return below
    return None


def _paths(metrics: Mapping[str, Any], before: str = "") -> list[str]:
    found: list[str] = []
    for key, value in metrics.items():
        found += _paths(value, f"{before}{key}.") if isinstance(value, Mapping) else [f"{before}{key}"]
    return found
