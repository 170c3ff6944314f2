"""A profile of a table in pieces: the same however it is divided, and as near as it says where values are too many."""

from __future__ import annotations

import attrs
import numpy as np
import pandas as pd
import pytest

from pamola_ops_anonymize.identifiers import ByNamesAndValues
from pamola_ops_profile import counting, profile
from pamola_ops_profile.profile import Shown, class_sizes, profile_pieces
from pamola_ops_profile.table_profile import TableProfile

ROWS = 6000


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    rng = np.random.default_rng(3)
    return pd.DataFrame(
        {
            "id": [f"person {number}" for number in rng.integers(0, 5000, ROWS)],
            "amount": np.where(rng.random(ROWS) < 0.1, np.nan, rng.lognormal(3, 1, ROWS)),
            "day": pd.Timestamp("2020-01-01") + pd.to_timedelta(rng.integers(0, 400, ROWS), unit="D"),
            "whole": pd.array([1, None, 3, 4] * (ROWS // 4), dtype="Int64"),
            "group": pd.Categorical(rng.choice(["a", "b"], ROWS)),
            "zero": [0.0, -0.0, 1.0] * (ROWS // 3),
            "mixed": pd.Series([1, True, "1", 1.5, None, "x"] * (ROWS // 6), dtype=object),
            "lists": pd.Series([[1], "x", None] * (ROWS // 3), dtype=object),
        }
    )


def profiled(table: pd.DataFrame, rows: int) -> TableProfile:
    pieces = (table[start : start + rows].reset_index(drop=True) for start in range(0, len(table), rows))
    return profile_pieces(pieces, Shown(), lambda sample: None, lambda columns: class_sizes(table, columns))


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Limits that the table is beyond."""
    monkeypatch.setattr(counting, "_MOST", 1000)
    monkeypatch.setattr(counting, "_FEWEST", 1000)
    monkeypatch.setattr(counting, "_HASHES", 2000)
    monkeypatch.setattr(profile, "SAMPLE", 2500)


@pytest.mark.parametrize("limits", ["none", "few"])
def test_pieces_change_nothing(table: pd.DataFrame, limits: str, request: pytest.FixtureRequest) -> None:
    if limits != "none":
        request.getfixturevalue(limits)
    whole = attrs.asdict(profiled(table, ROWS))
    for rows in (97, 1000, ROWS - 1):
        assert attrs.asdict(profiled(table, rows)) == whole


@pytest.mark.usefixtures("few")
def test_what_is_estimated_is_as_near_as_it_says(table: pd.DataFrame) -> None:
    found = {column.name: column for column in profiled(table, 500).columns}
    assert {name for name, column in found.items() if column.approximate} == {"id", "amount", "lists"}
    assert "within" in found["id"].approximate
    for name in ("id", "amount"):
        counts = table[name].value_counts()
        assert found[name].distinct == pytest.approx(len(counts), rel=0.06)
        assert found[name].distinct != len(counts), "it is an estimate"
        assert found[name].rare_records == pytest.approx(counts[counts < 10].sum(), rel=0.06)
    amount = found["amount"]
    for share, value in amount.quantiles.items():
        assert (table["amount"].dropna() <= value).mean() == pytest.approx(float(share), abs=0.03)
    assert sum(bar.count for bar in amount.histogram) == pytest.approx(table["amount"].notna().sum(), rel=0.01)
    assert not found["id"].common_values, "no value that ten records of the sample have"


@pytest.mark.usefixtures("few")
def test_numbers_that_count_the_rows_are_found_by_a_sample_of_them(table: pd.DataFrame) -> None:
    """Whether they count is a matter of how many rows the table has, not the sample."""
    numbered = table.assign(tally=range(ROWS))
    whole = profile_pieces([numbered], Shown(), lambda _: ByNamesAndValues().role, lambda of: class_sizes(numbered, of))
    assert "count through the rows" in {column.name: column.reason for column in whole.columns}["tally"]
