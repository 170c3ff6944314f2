from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import command_line
import pytest

SHARED = Path(__file__).resolve().parents[4] / "shared"

# The columns of the patients, made small for a table of a person's own.
PEOPLE = "full_name;age;town;sex;illness\n" + "".join(
    f"Person Number{n};{20 + n % 40};Town {n % 3};{'fm'[n % 2]};{('flu', 'cold', 'none')[n % 3]}\n" for n in range(300)
)


@pytest.fixture(scope="session")
def empty_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture
def pamola(tmp_path: Path, empty_home: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs the installed command line as a person would, from an empty folder with an empty home."""
    here = tmp_path / "here"
    here.mkdir()
    temporary = tmp_path / "tmp"
    temporary.mkdir()

    def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
        environment = {key: value for key, value in os.environ.items() if not key.startswith("PAMOLA_")}
        environment |= {"HOME": str(empty_home), "TMPDIR": str(temporary), "COLUMNS": "100"}
        return command_line.run([str(argument) for argument in arguments], here, environment)

    run.temporary = temporary  # type: ignore[attr-defined]
    return run


@pytest.fixture(scope="session")
def demo_project(tmp_path_factory: pytest.TempPathFactory, empty_home: Path) -> tuple[Path, dict[str, Any]]:
    """A project that `demo --keep --json` left, and what it said; made once, not to be changed."""
    folder = tmp_path_factory.mktemp("kept") / "demo"
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PAMOLA_")}
    done = subprocess.run(
        [sys.executable, "-m", "pamola_tasks", "demo", "--keep", str(folder), "--rows", "3000", "--json"],
        cwd=empty_home,
        env={**environment, "HOME": str(empty_home)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return folder, json.loads(done.stdout)


@pytest.fixture
def people(tmp_path: Path) -> Path:
    """A person's own table, with semicolons."""
    path = tmp_path / "my people.csv"
    path.write_text(PEOPLE)
    return path


@pytest.fixture
def adult(tmp_path: Path) -> Path:
    source = SHARED / "data" / "adult.csv"
    if not source.is_file():
        pytest.skip("the Adult table is not here: it lies in ../shared/data, which is no part of the project")
    path = tmp_path / "adult.csv"
    shutil.copyfile(source, path)
    return path
