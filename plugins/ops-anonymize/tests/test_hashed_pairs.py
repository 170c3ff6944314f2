"""Pairs of texts counted by hashes: exact while they are few, near beyond, and the same in pieces of any size."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from pamola_ops_anonymize import hashed_pairs
from pamola_ops_anonymize.hashed_pairs import HashedPairs


@pytest.mark.parametrize(("most", "near"), [(1 << 22, 0.0), (2000, 0.1)])
@pytest.mark.parametrize("of_group", [None, 2])
def test_groups_are_counted(most: int, near: float, of_group: int | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hashed_pairs, "MOST", most)
    rng = np.random.default_rng(1)
    pairs = pd.DataFrame({"group": rng.integers(0, 3000, 20_000), "member": rng.integers(0, 9000, 20_000)}).astype(str)
    pairs.loc[:200, "group"] = [f"alone {number}" for number in range(201)]
    members = pairs.groupby("group")["member"].nunique()
    found = []
    for rows in (20_000, 13, 1000):
        counted = HashedPairs(of_group)
        for start in range(0, len(pairs), rows):
            piece = pairs[start : start + rows]
            counted.add(piece["group"], piece["member"])
        found.append((counted.times, *counted.members.tolist()))
    times, *of_groups = found[0]
    assert found == found[:1] * 3
    assert (times > 1) == (near > 0)
    assert times * len(of_groups) == pytest.approx(len(members), rel=near)
    assert times * of_groups.count(1) == pytest.approx((members == 1).sum(), rel=3 * near)
    wanted = members.clip(upper=of_group or 10_000).sum()
    assert times * sum(of_groups) == pytest.approx(wanted, rel=near)
