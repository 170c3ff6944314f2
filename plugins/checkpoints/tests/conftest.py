"""A task's directory on the disk and its checkpoints."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pamola_tasks.record import SavedOutput, SavedStep, now, rfc3339
from pamola_tasks.storage.files import Files
from pamola_tasks_checkpoints import TaskContextManager
from pamola_tasks_paths import ProjectGuard

TASK_DIR = "DATA/processed/t_1"


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(ProjectGuard(tmp_path))


@pytest.fixture
def manage(files: Files) -> Callable[..., TaskContextManager]:
    def make(task_id: str = "t_1", **options: Any) -> TaskContextManager:
        return TaskContextManager(
            task_id,
            f"DATA/processed/{task_id}/.state",
            files=files,
            logger=logging.getLogger("test"),
            owner_of=lambda path: path.split("/")[2],
            **options,
        )

    return make


@pytest.fixture
def finish(files: Files) -> Callable[..., SavedStep]:
    """A finished step that has left one intermediate dataset and one artifact."""

    def make(step_id: str, index: int = 0, **facts: Any) -> SavedStep:
        outputs = []
        for kind, name in (("intermediate", "data.parquet"), ("artifact", "profile.json")):
            path = f"{TASK_DIR}/.state/steps/{step_id}/{name}"
            written = files.write(path, f"{kind} of {step_id}", "data")
            outputs.append(
                SavedOutput(kind=kind, name=name, path=path, sha256=written.sha256, bytes=written.size, format="x")
            )
        defaults: dict[str, Any] = {
            "run_id": "run",
            "time": rfc3339(now()),
            "fingerprint": {"operation": "Mask 1.0", "parameter k": "5"},
            "outputs": tuple(outputs),
            "metrics": {"rows": index},
        }
        return SavedStep(step_id=step_id, index=index, **{**defaults, **facts})

    return make
