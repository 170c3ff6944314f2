"""A run with just the services that the logging service may ask for."""

from __future__ import annotations

import logging
import types
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pamola_tasks.protocols import Project, RunOptions, RunServices
from pamola_tasks.record import RunRecord
from pamola_tasks.storage.files import Files
from pamola_tasks_directories.places import ProjectPlaces
from pamola_tasks_logs.settings import LogSettings
from pamola_tasks_paths.guard import ProjectGuard
from pamola_tasks_redaction.secrets import Redactor

RUN_ID = "01990000-0000-7000-8000-000000000001"


def _make_run(
    root: Path, *, task_id: str | None = "t_1", level: str = "INFO", options: Any = None, **settings: int
) -> Any:
    run = RunServices()
    run.id = RUN_ID
    run.task = types.SimpleNamespace(task_id=task_id) if task_id else None  # type: ignore[assignment]
    run.record = RunRecord(run_id=RUN_ID, task_id=task_id or "")
    run.options = options or RunOptions(console=False)
    run.files = Files(ProjectGuard(root))
    run.provide("project", Project(root))
    config = types.SimpleNamespace(log_level=level, plugin=lambda name: LogSettings(**settings))
    run.provide("config", config)
    run.provide("redactor", Redactor())
    run.provide("places", ProjectPlaces(run.files))
    return run


@pytest.fixture
def make_run() -> Callable[..., Any]:
    """Makes runs whose services are up to `places`."""
    return _make_run


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., tuple[logging.LoggerAdapter[logging.Logger], Any]]]:
    """Makes a logger with the handlers of a run, and the service; closed when the test ends."""
    from pamola_tasks_logs.service import RunLogs

    opened: list[tuple[logging.Logger, RunLogs]] = []

    def begin(root: Path = tmp_path, **given: Any) -> tuple[logging.LoggerAdapter[logging.Logger], Any]:
        run = _make_run(root, **given)
        logs = RunLogs(run)
        logger = logging.Logger("task.t_1", logging.DEBUG)
        for handler in logs.handlers:
            logger.addHandler(handler)
        opened.append((logger, logs))
        return logging.LoggerAdapter(logger, {"run_id": RUN_ID, "task_id": "t_1", "step_id": ""}), logs

    yield begin
    for _logger, logs in opened:
        logs.close()
