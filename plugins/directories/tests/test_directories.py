"""Behaviours 30 to 32, the defects C4, C5, C8, C9, and what else the directory manager promises."""

from __future__ import annotations

import logging
import os
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pamola_tasks.errors import DirectoryCreationError, DirectoryManagerError, PathSecurityError, PathValidationError
from pamola_tasks.storage.files import Files
from pamola_tasks_directories.manager import TaskDirectoryManager
from pamola_tasks_directories.places import ProjectPlaces
from pamola_tasks_directories.settings import DirectoriesSettings

guard = pytest.importorskip("pamola_tasks_paths.guard", reason="a real path guard is needed")
posix_only = pytest.mark.skipif(os.name != "posix", reason="needs symbolic links")

STANDARD = ["task", "input", "output", "dictionaries", "temp", "logs", "state"]
STANDARD += ["raw", "processed", "reports", "configs", "project_logs"]


def run_of(files: Files, task_id: str = "t_1P", data_repository: str = "DATA", extra: Any = ()) -> Any:
    return SimpleNamespace(
        config=SimpleNamespace(data_repository=data_repository),
        files=files,
        logger=logging.getLogger("t"),
        places=ProjectPlaces(files, data_repository, extra),
        record=SimpleNamespace(task_id=task_id),
    )


@pytest.fixture
def project(tmp_path: Path) -> Path:
    root = (tmp_path / "project").resolve()
    root.mkdir()
    return root


@pytest.fixture
def files(project: Path) -> Files:
    return Files(guard.ProjectGuard(project))


@pytest.fixture
def manager(files: Files) -> TaskDirectoryManager:
    made = TaskDirectoryManager(run_of(files))
    made.ensure_directories()
    return made


def everything(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


def test_30_the_standard_directories_exist_and_are_listed_by_type(manager: TaskDirectoryManager, project: Path) -> None:
    assert everything(project) == [
        "DATA",
        "DATA/processed",
        "DATA/processed/t_1P",
        "DATA/processed/t_1P/.state",
        "DATA/processed/t_1P/dictionaries",
        "DATA/processed/t_1P/input",
        "DATA/processed/t_1P/logs",
        "DATA/processed/t_1P/output",
        "DATA/processed/t_1P/temp",
        "DATA/raw",
        "DATA/reports",
        "configs",
        "logs",
    ]
    directories = manager.ensure_directories()
    assert sorted(directories) == sorted(STANDARD)
    assert all(path.is_dir() for path in directories.values())
    assert manager.get_directory("output") == project / "DATA/processed/t_1P/output"


def test_30_an_unknown_type_raises_and_names_those_there_are(manager: TaskDirectoryManager) -> None:
    with pytest.raises(DirectoryManagerError, match=r"visualizations.*dictionaries"):
        manager.get_directory("visualizations")


def test_31_an_artifact_path_lies_in_the_asked_directory_with_the_right_extension(
    manager: TaskDirectoryManager, project: Path
) -> None:
    task = project / "DATA/processed/t_1P"
    plain = manager.get_artifact_path("masked", "csv", "dictionaries", include_timestamp=False)
    assert plain == task / "dictionaries" / "masked.csv"
    stamped = manager.get_artifact_path("masked")
    assert stamped.parent == task / "output"
    assert re.fullmatch(r"masked_\d{8}_\d{6}\.json", stamped.name)
    nested = manager.get_artifact_path("plot", ".png", "output/plots", include_timestamp=False)
    assert nested == task / "output/plots/plot.png"
    assert nested.parent.is_dir()


def test_32_the_temp_directory_is_emptied_and_still_exists(manager: TaskDirectoryManager) -> None:
    temp = manager.get_directory("temp")
    (temp / "deep" / "er").mkdir(parents=True)
    (temp / "deep" / "er" / "x").write_text("x")
    (temp / "y").write_text("y")
    assert manager.clean_temp_directory()
    assert list(temp.iterdir()) == []
    temp.rmdir()
    assert manager.clean_temp_directory()
    assert list(temp.iterdir()) == []


@posix_only
def test_c9_links_in_temp_are_deleted_and_what_they_lead_to_stays(
    manager: TaskDirectoryManager, tmp_path: Path
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "keep").write_text("keep")
    temp = manager.get_directory("temp")
    (temp / "to_directory").symlink_to(outside)
    (temp / "broken").symlink_to("nowhere")
    assert manager.clean_temp_directory()
    assert list(temp.iterdir()) == []
    assert (outside / "keep").read_text() == "keep"


@posix_only
def test_a_temp_directory_that_is_a_link_is_left_alone_and_said(
    manager: TaskDirectoryManager, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "keep").write_text("keep")
    temp = manager.get_directory("temp")
    temp.rmdir()
    temp.symlink_to(outside)
    assert not manager.clean_temp_directory()
    assert (outside / "keep").exists()
    assert "could not be emptied" in caplog.text


def test_c4_an_import_lands_in_the_task_under_a_plain_name(manager: TaskDirectoryManager, project: Path) -> None:
    (project / "DATA/raw/x.csv").write_text("a\n1\n")
    copy = manager.import_external_file(project / "DATA/raw/x.csv", new_name="y.csv")
    assert copy == manager.get_directory("input") / "y.csv"
    assert copy.read_text() == "a\n1\n"
    assert manager.import_external_file("DATA/raw/x.csv", "dictionaries").read_text() == "a\n1\n"


@pytest.mark.parametrize("name", ["../../../escaped.txt", "/abs.txt", "a/b.txt", "..", "", "a\nb", "nul"])
def test_c4_a_new_name_that_leads_elsewhere_is_refused(manager: TaskDirectoryManager, project: Path, name: str) -> None:
    (project / "DATA/raw/x.csv").write_text("x")
    before = everything(project.parent)
    with pytest.raises(PathValidationError):
        manager.import_external_file("DATA/raw/x.csv", new_name=name)
    assert everything(project.parent) == before


@pytest.mark.parametrize(
    "asked",
    [
        {"artifact_name": "x", "subdir": "../../evil"},
        {"artifact_name": "x", "subdir": "/evil"},
        {"artifact_name": "x", "subdir": "output/../../../evil"},
        {"artifact_name": "a/b"},
        {"artifact_name": "../../x"},
        {"artifact_name": "x", "artifact_type": "json/../../y"},
        {"artifact_name": ""},
    ],
)
def test_c4_an_artifact_name_or_directory_that_leads_elsewhere_is_refused_and_nothing_is_made(
    manager: TaskDirectoryManager, project: Path, asked: dict[str, str]
) -> None:
    before = everything(project.parent)
    for stamped in (True, False):
        with pytest.raises(PathValidationError):
            manager.get_artifact_path(**asked, include_timestamp=stamped)  # type: ignore[arg-type]
    assert everything(project.parent) == before


@posix_only
def test_an_artifact_directory_that_is_a_link_out_of_the_project_is_refused(
    manager: TaskDirectoryManager, tmp_path: Path
) -> None:
    (manager.get_directory("output") / "link").symlink_to(tmp_path)
    with pytest.raises(PathValidationError):
        manager.get_artifact_path("x", subdir="output/link")


def test_files_from_elsewhere_are_imported_only_where_the_configuration_allows(
    files: Files, manager: TaskDirectoryManager, tmp_path: Path
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "x.csv").write_text("x")
    with pytest.raises(PathValidationError, match="allowed_external_paths"):
        manager.import_external_file(outside / "x.csv")
    wider = TaskDirectoryManager(run_of(Files(files.guard.extended([outside]))))
    assert wider.import_external_file(outside / "x.csv").read_text() == "x"
    with pytest.raises(DirectoryManagerError, match="no such file"):
        wider.import_external_file(outside / "none.csv")


@pytest.mark.parametrize("task_id", ["sub/../../../outside", "/absolute", "..", "a/b", "", "a\nb"])
def test_c5_a_task_id_that_is_a_path_is_refused_before_anything_is_made(
    files: Files, project: Path, task_id: str
) -> None:
    before = everything(project.parent)
    with pytest.raises(PathValidationError, match="task id"):
        TaskDirectoryManager(run_of(files, task_id)).ensure_directories()
    assert everything(project.parent) == before


def test_c8_relative_paths_are_taken_from_the_project_then_the_repository_never_the_current_folder(
    manager: TaskDirectoryManager, project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for folder in (tmp_path / "here", project, project / "DATA"):
        (folder / "raw").mkdir(parents=True, exist_ok=True)
    (tmp_path / "here/raw/x.csv").write_text("current folder")
    (project / "DATA/raw/x.csv").write_text("repository")
    monkeypatch.chdir(tmp_path / "here")
    assert manager.import_external_file("raw/x.csv").read_text() == "repository"
    (project / "raw/x.csv").write_text("root")
    assert manager.import_external_file("raw/x.csv").read_text() == "root"
    assert manager.import_external_file(project / "DATA/raw/x.csv").read_text() == "repository"
    for outside in ("../here/raw/x.csv", str(tmp_path / "here/raw/x.csv"), "//etc/passwd"):
        with pytest.raises(PathValidationError):
            manager.import_external_file(outside)


def test_extra_directories_are_made_when_the_settings_ask_for_them(files: Files, project: Path) -> None:
    extra = DirectoriesSettings(extra=["visualizations"]).extra
    manager = TaskDirectoryManager(run_of(files, extra=extra))
    assert manager.ensure_directories()["visualizations"] == project / "DATA/processed/t_1P/visualizations"
    assert manager.get_directory("visualizations").is_dir()
    with pytest.raises(DirectoryManagerError, match="standard"):
        run_of(files, extra=["output"])
    with pytest.raises(PathSecurityError):
        run_of(files, extra=["../x"])


def test_directories_outside_the_project_are_not_made(files: Files, tmp_path: Path) -> None:
    before = everything(tmp_path)
    for outside in ("../data", str(tmp_path / "x")):
        manager = TaskDirectoryManager(run_of(files, data_repository=outside))
        with pytest.raises(PathValidationError):
            manager.ensure_directories()
    assert [name for name in everything(tmp_path) if not name.startswith("project")] == [
        name for name in before if not name.startswith("project")
    ]


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write everywhere")
def test_a_directory_that_the_system_refuses_is_named(files: Files, project: Path) -> None:
    project.chmod(0o500)
    try:
        with pytest.raises(DirectoryCreationError, match="DATA"):
            TaskDirectoryManager(run_of(files)).ensure_directories()
    finally:
        project.chmod(0o700)


def test_an_import_uses_the_files_of_the_run_as_they_are_at_that_moment(files: Files, project: Path) -> None:
    """A run's files begin to encrypt after its directories exist: a copy made later must be encrypted too."""

    class Shouting:
        enabled = True

        def is_encrypted(self, head: bytes) -> bool:
            return False

        def writer(self, raw: Any, *, role: str, task_id: str) -> Any:
            return SimpleNamespace(
                write=lambda data: raw.write(bytes(data).upper()), flush=raw.flush, close=lambda: None, closed=False
            )

    run = run_of(files)
    manager = TaskDirectoryManager(run)
    manager.ensure_directories()
    (project / "DATA/raw/x.csv").write_text("plain")
    run.files = files.encrypting(Shouting())  # type: ignore[arg-type]
    assert manager.import_external_file("DATA/raw/x.csv").read_text() == "PLAIN"
