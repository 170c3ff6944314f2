"""`pamola-task check-plugin`: which promises of the contract kit a plugin keeps."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import pytest
from installed import Cli
from installed import cli as cli
from installed import home as home

from pamola_tasks.errors import UsageError
from pamola_tasks_scaffold import check_plugin

LINKS = """
import os
from pathlib import Path
from pamola_tasks import hookimpl
from pamola_tasks.errors import DirectoryManagerError


class Folders:
    def __init__(self, run):
        names = {**run.places.of(run.record.task_id).directories, **run.places.folders}
        self.found = {kind: run.files.root / name for kind, name in names.items()}

    def ensure_directories(self):
        for path in self.found.values():
            path.mkdir(parents=True, exist_ok=True)
        return self.found

    def get_directory(self, dir_type):
        if dir_type not in self.found:
            raise DirectoryManagerError(dir_type)
        return self.found[dir_type]

    def get_artifact_path(self, artifact_name, artifact_type="json", subdir="output", include_timestamp=True):
        return self.get_directory(subdir) / f"{artifact_name}.{artifact_type}"

    def clean_temp_directory(self):
        return True


@hookimpl
def pamola_provide_directories(run):
    return Folders(run)
"""


def test_a_certificate_names_promises_that_hold_and_that_are_broken(cli: Cli, tmp_path: Path) -> None:
    """Here a temp directory that is never emptied."""
    (tmp_path / "folders.py").write_text(LINKS)
    said = json.loads(cli("--plugin", "folders.py", "check-plugin", "folders", "--json", code=1).stdout)
    found = {promise["test"]: promise for promise in said["promises"]}
    broken = [test for test, promise in found.items() if promise["result"] == "broken"]
    assert broken == ["test_temp_is_emptied_and_nothing_else"]
    assert found["test_an_unknown_type_is_an_error"]["result"] == "holds"
    assert found["test_they_are_made_where_places_says"]["subject"] == "directories"
    assert (said["holds"], said["plugin"]["name"]) == (False, "folders")
    assert {"kit", "pamola-tasks", "pytest", "python"} == set(said["versions"])


def test_without_pytest_it_says_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    """And runs nothing."""
    monkeypatch.setattr(check_plugin, "find_spec", lambda name: None)
    inner = getattr(check_plugin.command.callback, "__wrapped__", None)
    assert inner is not None
    with pytest.raises(UsageError, match=r"needs pytest: pip install 'pamola-tasks\[dev\]'"):
        inner(SimpleNamespace(), "history", False)
