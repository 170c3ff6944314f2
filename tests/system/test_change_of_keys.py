"""A change of keys does what it can, whatever else is in the folder of the project, and says what it left and why."""

from __future__ import annotations

import os
import sys

import pytest

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="names and permissions of Linux")
COMMANDS = [["rotate"], ["rotate", "--deep"], ["rekey", "--deep"], ["check", "--content"]]
ODD_NAMES = [b"Screenshot 2026-11-29 at 10:30.png", b"notes?.txt", b"b\xffd.txt", b"a|b", b"con*", b"od:d/inner.txt"]


@pytest.fixture
def files(cli, project):
    """Five encrypted files of a project with a key."""
    cli("keys", "init", cwd=project, code=0)
    found = [project / f"DATA/raw/{number}.csv" for number in range(5)]
    for path in found:
        path.write_text(path.name)
    cli("encrypt", "--in-place", *found, cwd=project, code=0)
    return found


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_odd_names_and_hard_links_stop_nothing(cli, project, files, command):
    for name in ODD_NAMES:
        path = os.fsencode(project) + b"/notes/" + name
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w") as file:
            file.write("a")
    os.link(files[1], project / "backup")
    before = files[1].read_bytes()
    cli("keys", *command, cwd=project, code=0)
    assert (files[1].read_bytes() == before) == (command[0] == "check")
    (project / "backup").unlink()
    cli("keys", "check", "--content", cwd=project, code=0)


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_what_cannot_be_read_is_left_and_named_and_all_else_is_done(cli, project, files, command):
    """A rotation goes on until the rest has been done: so long the old key is there."""
    others = [path for path in files if path != files[1]]
    before = [path.read_bytes() for path in others]
    files[1].chmod(0)
    done = cli("keys", *command, cwd=project, obeys=True, code=4)
    assert f"{files[1].name}: left as it is: Permission denied" in done.stderr
    assert all((path.read_bytes() == old) == (command[0] == "check") for path, old in zip(others, before, strict=True))
    files[1].chmod(0o600)
    cli("keys", "check", "--content", cwd=project, code=0)
    cli("keys", *command, cwd=project, code=0)
    assert "not finished" not in cli("keys", "check", "--content", cwd=project, code=0).stderr
