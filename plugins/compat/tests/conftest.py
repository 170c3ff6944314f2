"""A project on the disk, and its history."""

from __future__ import annotations

from pathlib import Path

import pytest

from pamola_tasks.protocols import Files as FilesProtocol
from pamola_tasks.storage.files import Files
from pamola_tasks_compat.history import ExecutionLog
from pamola_tasks_paths import ProjectGuard


@pytest.fixture
def files(tmp_path: Path) -> FilesProtocol:
    return Files(ProjectGuard(tmp_path))


@pytest.fixture
def log(files: FilesProtocol) -> ExecutionLog:
    return ExecutionLog(files)
