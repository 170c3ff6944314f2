"""Where a project is: behaviours 15 and 16."""

from __future__ import annotations

import uuid
import warnings
from pathlib import Path
from typing import Any

import pytest

from pamola_tasks.errors import ProjectError, ValidationError
from pamola_tasks.storage.trust import MARKERS
from pamola_tasks_compat.tasks import is_valid_project_root
from pamola_tasks_config import find_project_root
from pamola_tasks_config.projects import locate, project_at


@pytest.mark.parametrize("marker", MARKERS)
def test_a_project_is_found_upwards_by_each_of_its_markers(tmp_path: Path, marker: str) -> None:
    (tmp_path / marker).parent.mkdir(exist_ok=True)
    (tmp_path / marker).write_text("{}" if marker.endswith("json") else "")
    deep = tmp_path / "a" / "b"
    deep.mkdir(parents=True)
    found = locate(deep, {})
    assert (found.root, found.marker, found.warnings) == (tmp_path.resolve(), marker, ())
    assert is_valid_project_root(tmp_path)
    assert not is_valid_project_root(deep)


def test_the_variable_overrides_every_marker(tmp_path: Path) -> None:
    (tmp_path / ".pamolaProject").write_text("")
    other = tmp_path / "other"
    other.mkdir()
    assert locate(tmp_path, {"PAMOLA_PROJECT_ROOT": str(other)}).root == other.resolve()
    with pytest.raises(ProjectError, match="PAMOLA_PROJECT_ROOT"):
        locate(tmp_path, {"PAMOLA_PROJECT_ROOT": str(tmp_path / "absent")})


def test_the_search_stops_at_the_depth_that_is_set(tmp_path: Path) -> None:
    (tmp_path / ".pamolaProject").write_text("")
    deep = tmp_path / "a" / "b" / "c"
    deep.mkdir(parents=True)
    assert locate(deep, {"PAMOLA_MAX_SEARCH_DEPTH": "4"}).marker
    assert not locate(deep, {"PAMOLA_MAX_SEARCH_DEPTH": "3"}).marker
    for wrong in ("0", "-1", "x", "1e3", "9" * 30):
        with pytest.raises(ProjectError, match="PAMOLA_MAX_SEARCH_DEPTH"):
            locate(deep, {"PAMOLA_MAX_SEARCH_DEPTH": wrong})


def test_without_a_marker_the_folder_itself_is_the_root_with_one_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PAMOLA_MAX_SEARCH_DEPTH", "1")
    monkeypatch.chdir(tmp_path)
    with pytest.warns(UserWarning, match="no project was found") as caught:
        assert find_project_root() == tmp_path.resolve()
    assert len(caught) == 1


def test_the_current_folders_project_is_found_from_below(home: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    (home.root / "scripts").mkdir()
    monkeypatch.chdir(home.root / "scripts")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert find_project_root() == home.root.resolve()


def test_the_id_is_read_from_its_file_and_must_be_a_uuid(home: Any) -> None:
    assert project_at(home.root).id == ""
    made = str(uuid.uuid4())
    home.write(".pamola/id", made + "\n")
    assert project_at(home.root).id == made
    home.write(".pamola/id", "something else")
    with pytest.raises(ProjectError, match="holds no UUID"):
        project_at(home.root)


def test_of_a_yaml_and_a_json_project_file_yaml_is_used_and_a_warning_names_both(home: Any) -> None:
    home.write("configs/prj_config.yaml", "seed: 1\n")
    home.write("configs/prj_config.json", '{"seed": 2}')
    config = home.config()
    assert config.seed == 1
    (warning,) = config.warnings
    assert "configs/prj_config.yaml" in warning
    assert "configs/prj_config.json" in warning


def test_a_malformed_project_file_is_a_validation_error_that_names_it_and_stays(home: Any) -> None:
    path = home.write("configs/prj_config.yaml", "seed: [1\n")
    before = path.read_bytes()
    with pytest.raises(ValidationError, match=r"configs/prj_config\.yaml:2:1"):
        home.config()
    assert path.read_bytes() == before


def test_folders_named_otherwise_in_an_old_project_file_are_pointed_out(home: Any) -> None:
    home.write("configs/prj_config.yaml", "directory_structure: {raw: inputs}\ntask_dir_suffixes: [input, output]\n")
    (warning,) = home.config().warnings
    assert warning.startswith("configs/prj_config.yaml:1:22: directory_structure: has no effect")


def test_a_folder_that_is_asked_for_is_the_root_and_has_its_own_id(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inner = tmp_path / "inner"
    for folder in (tmp_path, inner):
        (folder / ".pamola").mkdir(parents=True)
        (folder / ".pamola" / "id").write_text(str(uuid.uuid4()))
    (tmp_path / ".pamola.toml").touch()
    assert project_at(inner).root == tmp_path
    monkeypatch.setenv("PAMOLA_PROJECT_ROOT", str(tmp_path))
    found = project_at(inner, asked=True)
    assert (found.root, found.id) == (inner, (inner / ".pamola" / "id").read_text())
