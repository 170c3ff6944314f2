"""A project on the disk, its history, and runs as the kernel would make them."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pamola_tasks.protocols import RunOptions, RunServices
from pamola_tasks.record import RunRecord, new_run_id, now
from pamola_tasks.storage.files import Files
from pamola_tasks.testing.places import MemoryLock
from pamola_tasks_compat.history import ExecutionLog
from pamola_tasks_directories.places import ProjectPlaces
from pamola_tasks_paths import ProjectGuard
from pamola_tasks_redaction.secrets import Redactor


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(ProjectGuard(tmp_path))


@pytest.fixture
def log(files: Files) -> ExecutionLog:
    return ExecutionLog(files)


@pytest.fixture
def make_run(files: Files) -> Callable[..., RunServices]:
    def make(task_id: str = "t_1") -> RunServices:
        run = RunServices()
        run.id = new_run_id()
        run.record = RunRecord(run_id=run.id, task_id=task_id)
        run.logger = logging.getLogger(f"test.{run.id}")
        run.files = files
        run.options = RunOptions()
        config: Any = SimpleNamespace(task_type="anonymization")
        run.provide("config", config)
        run.provide("redactor", Redactor())
        run.provide("places", ProjectPlaces(files))
        run.provide("lock", MemoryLock())
        return run

    return make


@pytest.fixture
def end(log: ExecutionLog) -> Callable[[RunServices, str], None]:
    def end(run: RunServices, status: str) -> None:
        run.record.status, run.record.success, run.record.finished = status, status == "success", now()
        log.run_finished(run)

    return end
