from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

SHARED = Path(__file__).resolve().parents[4] / "shared"


@pytest.fixture(scope="session")
def adult() -> pd.DataFrame:
    path = SHARED / "data" / "adult.csv"
    if not path.is_file():
        pytest.skip("the Adult table is not here: it lies in ../shared/data, which is no part of the project")
    with path.open("rb") as file:
        return pd.read_csv(file, sep=";")
