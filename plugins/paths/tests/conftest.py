from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from pamola_tasks_paths.opening import FinalPath, Walk, best_opener
from pamola_tasks_paths.saferoot import SafeRoot

OPENERS = {"best": best_opener, "walk": Walk, "final path": FinalPath}


@pytest.fixture(params=list(OPENERS))
def how(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The root, with a file and a sibling folder outside it that holds a secret."""
    root = tmp_path / "ROOT"
    (root / "data").mkdir(parents=True)
    (root / "data" / "a.csv").write_text("a,b\n1,2\n")
    (tmp_path / "OUT").mkdir()
    (tmp_path / "OUT" / "secret.txt").write_text("secret")
    return root


@pytest.fixture
def root(folder: Path, how: str) -> Iterator[SafeRoot]:
    with SafeRoot(folder, opener=OPENERS[how]) as safe:
        yield safe
