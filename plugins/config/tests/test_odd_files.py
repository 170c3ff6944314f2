"""Configuration files that are pipes, folders or links, and names of keys that would forge lines."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from pamola_tasks.errors import PathSecurityError
from pamola_tasks_cli.app import Invocation
from pamola_tasks_config.commands import command

posix_only = pytest.mark.skipif(sys.platform == "win32", reason="needs symbolic links and named pipes")


def make_pipe(path: Path) -> None:
    os.mkfifo(path)


ODD: dict[str, Callable[[Path], None]] = {
    "a named pipe": make_pipe,
    "a folder": Path.mkdir,
    "a link to a device": lambda path: path.symlink_to("/dev/zero"),
    "a link to a file elsewhere": lambda path: path.symlink_to("/etc/passwd"),
    "a link to nothing": lambda path: path.symlink_to("nowhere.yaml"),
    "a link to itself": lambda path: path.symlink_to(path.name),
}


@posix_only
@pytest.mark.parametrize("kind", ODD)
@pytest.mark.parametrize("name", ["t_1", "prj_config"])
def test_what_is_no_file_is_refused_and_never_passed_over(home: Any, kind: str, name: str) -> None:
    (home.root / "configs").mkdir()
    ODD[kind](home.root / f"configs/{name}.yaml")
    with pytest.raises(PathSecurityError, match=rf"configs/{name}\.yaml' is refused"):
        home.config()


@posix_only
def test_a_link_within_the_project_is_read_and_written_through(home: Any) -> None:
    kept = home.write("shared/t.yaml", "task_type: analysis # kept\nseed: 1\n")
    (home.root / "configs").mkdir()
    (home.root / "configs/t_1.yaml").symlink_to("../shared/t.yaml")
    assert home.config().seed == 1
    assert home.kernel.tasks.known()["t_1"].path == "configs/t_1.yaml"
    config = home.config(seed=2)
    config.save()
    assert kept.read_text().startswith("task_type: analysis # kept\nseed: 2\n")
    assert (home.root / "configs/t_1.yaml").is_symlink()


@posix_only
def test_a_folder_of_configurations_elsewhere_is_refused(home: Any, tmp_path_factory: pytest.TempPathFactory) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    (elsewhere / "t_1.yaml").write_text("seed: 1\n")
    (home.root / "configs").symlink_to(elsewhere)
    with pytest.raises(PathSecurityError):
        home.config()


@posix_only
def test_check_tells_of_every_file_that_is_none(home: Any) -> None:
    (home.root / "configs").mkdir()
    make_pipe(home.root / "configs/t_1.yaml")
    home.write("configs/t_2.yaml", "task_type: analysis\nseed: x\n")
    state = Invocation(str(home.root))
    state.kernel = home.kernel
    result = CliRunner().invoke(command, ["check", "--json"], obj=state)
    assert result.exit_code == 2
    assert json.loads(result.stdout)["problems"] == [
        "'configs/t_1.yaml' is refused: it is a named pipe, not a regular file",
        "configs/t_2.yaml:2:7: seed: expected a whole number or nothing, got text",
    ]


def test_a_key_with_a_line_end_stays_in_its_line(home: Any) -> None:
    home.write("configs/t_1.yaml", '"chunk_size\\n2026 ERROR": 1\n"seed\\e[2J ": 1\n"see\\u202ed": 1\nchunk_size: x\n')
    problems = home.problems()
    assert all(problem.isprintable() for problem in problems)
    assert problems[-1] == "configs/t_1.yaml:4:13: chunk_size: expected a whole number, got text"
