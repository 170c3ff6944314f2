"""`TaskDependencyManager` with the methods of the forerunner: report, metrics and status of a dependency."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from pamola_tasks.errors import DependencyFailedError, InvalidParameterError, ValidationError
from pamola_tasks.kernel import Kernel
from pamola_tasks.protocols import Files, Places, RunServices
from pamola_tasks.storage.files import check_name
from pamola_tasks_compat.owners import owned


class UnknownMetricError(InvalidParameterError, KeyError, code="unknown_metric"):
    """A task's report has no metric of that name."""


class TaskDependencyManager:
    """What the tasks that a task depends on have left. What is not here is the plugin's own.

    Args:
        task_config: Gives `dependencies` and `continue_on_error`.
        logger: Learns what is missing, under `continue_on_error`.
        files: The project's files; those of the project that `task_config.project_root` names, or the current folder
            is in, unless given.
        places: Where tasks keep what they have; those of the same project unless given.
        options: As the plugin's class takes them.
    """

    def __init__(
        self,
        task_config: Any,
        logger: logging.Logger,
        *,
        files: Files | None = None,
        places: Places | None = None,
        **options: Any,
    ) -> None:
        if files is None or places is None:
            root = getattr(task_config, "project_root", None)
            run = Kernel.discover(project=root).services(None, upto="places")
            files, places = files or run.files, places or run.places
        options.setdefault("warn", lambda message: logger.warning("%s", message))
        made = owned("dependencies", "pamola_tasks_dependencies.manager", "TaskDependencyManager")
        self._manager: Any = made(task_config, files=files, places=places, **options)
        self._config, self._files, self._places, self._warn = task_config, files, places, options["warn"]

    @classmethod
    def of(cls, run: RunServices, manager: Any = None) -> Self:
        """The same for a run: for its service, or for another manager of dependencies."""
        made = cls.__new__(cls)
        made._manager, made._config, made._files = manager or run.dependencies, run.config, run.files
        made._places, made._warn = run.places, run.warn
        return made

    def __getattr__(self, name: str) -> Any:
        return getattr(self.__dict__["_manager"], name) if "_manager" in self.__dict__ else self.__getattribute__(name)

    def get_dependency_report(self, dependency_id: str) -> Path:
        """The JSON report of a task; with `continue_on_error` also one that is not there yet.

        Raises:
            ValidationError: The dependency is a path, and paths have no report.
            DependencyMissingError: There is none.
        """
        if self._manager.is_absolute_dependency(dependency_id):
            raise ValidationError(f"the dependency {dependency_id!r} is a path, of which there is no report")
        check_name(dependency_id, "the dependency")
        path: str | None = self._manager.find_report(dependency_id)
        if path is None:
            missing = self._manager.missing(dependency_id)
            if not self._config.continue_on_error:
                raise missing
            self._warn(str(missing))
            path = str(self._places.of(dependency_id).report())
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
            report = _of_reading("read_report")(self._files, self._files.name(path))
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
        if self._manager.is_absolute_dependency(dependency_id):
            raise ValidationError(f"the dependency {dependency_id!r} is a path, of which there is no status")
        ending = self._manager.ending(dependency_id)
        if ending is None:
            missing = self._manager.missing(dependency_id)
            if not self._config.continue_on_error:
                raise missing
            ending = _of_reading("Ending")(success=False, status="missing", error={"message": str(missing)})
        path = self._manager.find_report(dependency_id)
        return {
            "task_id": dependency_id,
            "success": ending.success,
            "status": ending.status,
            "execution_time": ending.seconds,
            "completion_time": ending.finished,
            "error_info": ending.error,
            "report_path": None if path is None else str(self._files.root / path),
        }


def _of_reading(name: str) -> Any:
    return owned("dependencies", "pamola_tasks_dependencies.reading", name)


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
