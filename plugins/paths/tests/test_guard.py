"""The path guard of a run: the project, and further roots to read from."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pamola_tasks.errors import PathSecurityError
from pamola_tasks.protocols import Project
from pamola_tasks_paths.guard import ProjectGuard, diagnose


@pytest.fixture
def guard(folder: Path) -> ProjectGuard:
    return ProjectGuard(folder)


def test_nothing_outside_is_read_unless_allowed_and_then_never_written(guard: ProjectGuard, folder: Path) -> None:
    secret = str(folder.parent / "OUT" / "secret.txt")
    with pytest.raises(PathSecurityError, match="allowed_external_paths"):
        guard.open(secret)
    wider = guard.extended([folder.parent / "OUT"])
    with wider.open(secret) as file:
        assert file.read() == b"secret"
    assert wider.stat(secret).size == 6
    assert [name for name, _ in wider.iter(str(folder.parent / "OUT"))] == ["secret.txt"]
    for write in (
        lambda: wider.create(secret).__enter__(),
        lambda: wider.open(secret, "ab"),
        lambda: wider.unlink(secret),
        lambda: wider.replace(secret, "x"),
        lambda: wider.replace("data/a.csv", secret),
        lambda: wider.mkdirs(str(folder.parent / "OUT" / "d")),
        lambda: wider.remove_tree(str(folder.parent / "OUT")),
    ):
        with pytest.raises(PathSecurityError):
            write()
    with pytest.raises(PathSecurityError):
        guard.open(secret)


def test_a_single_file_can_be_allowed_and_its_neighbours_stay_closed(guard: ProjectGuard, folder: Path) -> None:
    out = folder.parent / "OUT"
    (out / "open.csv").write_text("x")
    wider = guard.extended([out / "open.csv"])
    with wider.open(str(out / "open.csv")) as file:
        assert file.read() == b"x"
    with pytest.raises(PathSecurityError):
        wider.open(str(out / "secret.txt"))


@pytest.mark.skipif(os.name != "posix", reason="needs symbolic links")
def test_a_link_does_not_lead_out_of_an_allowed_root(guard: ProjectGuard, folder: Path) -> None:
    shared = folder.parent / "shared"
    shared.mkdir()
    (shared / "link").symlink_to("../OUT/secret.txt")
    with pytest.raises(PathSecurityError):
        guard.extended([shared]).open(str(shared / "link"))


@pytest.mark.skipif(os.name != "posix", reason="the folders are POSIX ones")
@pytest.mark.parametrize("root", ["/", "/etc", "/proc/self", "/dev/shm"])
def test_system_folders_cannot_be_allowed(guard: ProjectGuard, root: str) -> None:
    with pytest.raises(PathSecurityError, match="system folder"):
        guard.extended([Path(root)])


def test_an_allowed_root_that_is_not_there_yet_gives_access_when_it_is(guard: ProjectGuard, folder: Path) -> None:
    later = folder.parent / "later"
    wider = guard.extended([later])
    assert not wider.exists(str(later / "x"))
    later.mkdir()
    (later / "x").write_text("x")
    assert wider.exists(str(later / "x"))


def test_doctor_says_how_the_project_is_guarded(folder: Path) -> None:
    assert [(found.subject, found.level) for found in diagnose(Project(folder))] == [
        ("path guard", "note" if os.name == "nt" else "ok")
    ]
    assert diagnose(None) == []
