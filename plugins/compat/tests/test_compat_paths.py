"""The functions that judge a path, and the defects of the origin's (C1 to C3, C6, C7)."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pamola_tasks.errors import PathSecurityError
from pamola_tasks.storage.files import check_name
from pamola_tasks_compat.paths import (
    get_system_specific_dangerous_paths,
    is_potentially_dangerous_path,
    is_within_allowed_paths,
    normalize_and_validate_path,
    validate_path_security,
    validate_paths,
)

posix_only = pytest.mark.skipif(os.name != "posix", reason="the paths are POSIX ones")


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project, and a current folder inside it."""
    root = (tmp_path / "project").resolve()
    (root / "DATA" / "raw").mkdir(parents=True)
    (root / ".pamola.toml").write_text("")
    monkeypatch.chdir(root / "DATA")
    monkeypatch.delenv("PAMOLA_PROJECT_ROOT", raising=False)
    return root


def refused(path: object, **options: object) -> bool:
    """Whether both modes refuse a path, each in its own way."""
    quietly = not validate_path_security(path, strict_mode=False, **options)  # type: ignore[arg-type]
    if quietly:
        with pytest.raises(PathSecurityError):
            validate_path_security(path, **options)  # type: ignore[arg-type]
    else:
        assert validate_path_security(path, **options)  # type: ignore[arg-type]
    return quietly


@posix_only
@pytest.mark.parametrize(
    "path",
    [
        "../x",
        "a/../../x",
        "~",
        "~/x",
        "~root/x",
        "$(id)/../x",
        "`id`/x",
        "${HOME}/x",
        "a|b",
        "/etc/passwd",
        "/proc/self/mem",
    ],
)
def test_33_traversal_shell_text_and_system_folders_are_refused(project: Path, path: str) -> None:
    assert refused(path)
    assert is_potentially_dangerous_path(path)
    assert refused(path, allow_external=True)


@posix_only
def test_33_a_symlink_out_of_the_allowed_roots_is_refused(project: Path) -> None:
    (project / "link").symlink_to("/etc/passwd")
    (project / "out").symlink_to("..")
    for path in ("link", str(project / "link"), "out/x", str(project / "out" / "x")):
        assert refused(path)
        assert refused(path, allowed_paths=[project])


@posix_only
def test_34_a_sibling_with_the_same_prefix_and_a_double_slash_are_refused() -> None:
    assert refused("/a/bc/x", allowed_paths=["/a/b"])
    assert refused("//etc/passwd", allowed_paths=["/a/b"])
    assert refused("//etc/passwd")
    assert not refused("/a/b/x", allowed_paths=["/a/b"])
    assert not refused("/a/b", allowed_paths=["/a/b"])


@posix_only
@pytest.mark.parametrize("path", ["/home/user/.ssh/id_rsa", "/home/other/x", "/run/secrets/x", "/usr/share/x"])
def test_c1_without_an_allow_list_only_the_project_is_allowed(project: Path, path: str) -> None:
    assert refused(path)
    assert not refused(str(project / "DATA" / "raw" / "x.csv"))
    assert not refused("DATA/raw/x.csv")


@posix_only
def test_c1_external_paths_are_allowed_when_asked_for_but_system_folders_never(project: Path) -> None:
    assert not refused("/srv/share/x.csv", allow_external=True)
    assert refused("/etc/passwd", allow_external=True)
    assert refused("/etc/passwd", allowed_paths=["/etc"])


@posix_only
def test_c2_a_prefix_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "allowed").mkdir()
    assert refused(str(tmp_path / "allowed-evil" / "f"), allowed_paths=[tmp_path / "allowed"])
    assert not is_within_allowed_paths(tmp_path / "allowed-evil" / "f", [tmp_path / "allowed"])
    assert is_within_allowed_paths(tmp_path / "allowed" / "f", [tmp_path / "allowed"])
    for harmless in ("/libfoo", "/devel", "/binary"):
        assert not is_potentially_dangerous_path(harmless)
        assert not refused(harmless, allow_external=True)


@posix_only
def test_c3_a_link_to_a_system_file_is_refused_without_an_allow_list_too(project: Path) -> None:
    (project / "passwd").symlink_to("/etc/passwd")
    assert refused("passwd")
    assert refused("passwd", allow_external=True)


@pytest.mark.parametrize("name", ["v1..2.csv", "R&D/x.csv", "a$b.csv", "file~", "a;b.csv", "100%.csv", "данные.csv"])
def test_c6_ordinary_names_are_accepted(project: Path, name: str) -> None:
    assert not refused(name)
    assert not refused(str(project / name))
    assert not is_potentially_dangerous_path(name)


@pytest.mark.parametrize("name", ["", " ", "a\0.csv", "a\nb.csv", "\n", "a\u202eb.csv"])
def test_c6_nul_newline_and_nothing_are_refused(project: Path, name: str) -> None:
    assert refused(name)
    assert refused(f"{project}/{name}") or not name.strip()


def test_c7_several_paths_are_judged_without_an_exception(project: Path) -> None:
    good, problems = validate_paths(["DATA/raw/x.csv", "../x", 3, "nul"])  # type: ignore[list-item]
    assert not good
    assert len(problems) == 3
    assert "'../x'" in problems[0]
    assert validate_paths(["DATA/raw/x.csv"]) == (True, [])


def test_c8_a_relative_path_is_taken_from_the_project_and_not_from_the_current_folder(project: Path) -> None:
    assert normalize_and_validate_path("DATA/raw/x.csv") == project / "DATA/raw/x.csv"
    assert normalize_and_validate_path("x.csv", base_dir=project / "DATA/raw") == project / "DATA/raw/x.csv"
    with pytest.raises(PathSecurityError):
        normalize_and_validate_path(str(project / "DATA" / "x.csv"), base_dir=project / "DATA/raw")


@posix_only
def test_a_normalized_path_has_no_links_left(project: Path) -> None:
    (project / "link").symlink_to("DATA/raw")
    assert normalize_and_validate_path("link/x.csv") == project / "DATA/raw/x.csv"


def test_the_project_root_can_be_named_in_the_environment(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PAMOLA_PROJECT_ROOT", str(tmp_path / "other"))
    assert refused(str(project / "x.csv"))
    assert not refused(str(tmp_path / "other" / "x.csv"))


def test_system_folders_are_listed() -> None:
    folders = get_system_specific_dangerous_paths()
    assert ("C:/Windows" if os.name == "nt" else "/etc") in folders


@pytest.mark.parametrize("name", ["t_1P", "a b", "данные", "v1..2"])
def test_a_plain_name_is_one_part(name: str) -> None:
    assert check_name(name, "task id") == name


@pytest.mark.parametrize(
    "name", ["sub/../../../outside", "/abs", "a/b", "a\\b", "..", ".", "", "nul", ".git", "a\nb", None]
)
def test_c5_a_task_id_that_is_a_path_is_refused(name: object) -> None:
    with pytest.raises(PathSecurityError, match="task id"):
        check_name(name, "task id")  # type: ignore[arg-type]
