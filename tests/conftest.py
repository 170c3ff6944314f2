"""What the tests of the kernel share; the tests under `system/` drive the installed command line."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from installed import Cli as Cli
from installed import clean_environment as clean_environment
from installed import cli as cli
from installed import home as home
from installed import nothing_around as nothing_around
from installed import place as place
from installed import project as project
from installed import python as python
from installed import start as start

ROOT = Path(__file__).resolve().parent.parent
SHARED = ROOT.parent / "shared"


@pytest.fixture(scope="session")
def adult() -> Path:
    """UCI Adult, which lies beside the checkout and is not part of it."""
    path = SHARED / "data" / "adult.csv"
    if not path.exists():
        pytest.skip("the Adult table is not beside this checkout (../shared/data)")
    return path


@pytest.fixture(scope="session")
def extra_site(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Path], Path]:
    """Install a distribution from a folder into a place of its own (`pip install --target`); gives that place."""

    def install(source: Path) -> Path:
        copied = tmp_path_factory.mktemp("source") / source.name
        shutil.copytree(source, copied, ignore=shutil.ignore_patterns("__pycache__"))
        target = tmp_path_factory.mktemp("site")
        # without hatchling here, pip installs it anew for every distribution
        here = ["--no-build-isolation"] if importlib.util.find_spec("hatchling") else []
        done = subprocess.run(
            [sys.executable, "-m", "pip", "install", "-q", "--no-deps", *here, "--target", str(target), str(copied)],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return target

    return install
