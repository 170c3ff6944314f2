from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest

sys.path.insert(0, str(Path(__file__).parent))

SHARED = Path(__file__).resolve().parents[4] / "shared"


@pytest.fixture(scope="session", autouse=True)
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A home of the tests' own: a key in that of their user would be one of every project."""
    folder = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOME", str(folder))
        patch.setenv("XDG_DATA_HOME", str(folder / "data"))
        yield folder


@pytest.fixture(scope="session")
def adult() -> pd.DataFrame:
    path = SHARED / "data" / "adult.csv"
    if not path.is_file():
        pytest.skip("the Adult table is not here: it lies in ../shared/data, which is no part of the project")
    with path.open("rb") as file:
        return pd.read_csv(file, sep=";")


@pytest.fixture(scope="session")
def adult_hierarchies(adult: pd.DataFrame) -> dict[str, bytes]:
    folder = SHARED / "data" / "adult_hierarchies"
    return {column: (folder / f"adult_hierarchy_{column}.csv").read_bytes() for column in adult.columns}
