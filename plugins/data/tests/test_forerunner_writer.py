"""The small files beside the datasets, as the forerunner's `DataWriter` in compat writes them."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from pamola_tasks.errors import PathSecurityError
from pamola_tasks_compat.tasks import DataWriter


def writer_for(project: Any) -> Any:
    return DataWriter(project.files, task_dir=project.root / "task")


def load(path: Path) -> Any:
    return json.loads(path.read_text())


def test_frames_and_json_go_below_the_task_directory(project: Any) -> None:
    writer = writer_for(project)
    result = writer.write_dataframe(pd.DataFrame({"a": [1]}), "t")
    assert (result.path, result.format) == (project.root / "task/output/t.csv", "csv")
    assert result.size_bytes == result.path.stat().st_size
    assert result.sha256 == project.files.sha256(result.path)
    result = writer.write_json({"n": np.int64(3), "day": date(2024, 1, 1), "s": {2, 1}}, "j")
    assert load(result.path) == {"n": 3, "day": "2024-01-01", "s": [1, 2]}
    assert result.path.name == "j.json"


@pytest.mark.parametrize("name", ["../x", "a/b", "", "x\0", ".."])
def test_a_name_that_is_a_path_is_refused(project: Any, name: str) -> None:
    with pytest.raises(PathSecurityError):
        writer_for(project).write_json({}, name)
    with pytest.raises(PathSecurityError):
        writer_for(project).write_json({}, "x", subdir="../../elsewhere")
    assert not list(project.root.iterdir())


def test_json_is_encrypted_where_the_run_encrypts(project: Any) -> None:
    run = project.encrypted()
    path = writer_for(run).write_json({"alias": "PLAINTEXT"}, "codes").path
    assert b"PLAINTEXT" not in path.read_bytes()
    assert json.loads(run.files.read(path, "artifact")) == {"alias": "PLAINTEXT"}
