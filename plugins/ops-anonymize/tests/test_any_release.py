"""Any table, any settings: what is claimed is counted again in the written file, by `release_check` and the standard
library alone. Seeded, so that a failure can be looked at: the seed is the test's parameter."""

from __future__ import annotations

import datetime
import math
import random
from collections import Counter
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from alone import run
from release_check import covers, ends, read_set, smallest_class, with_row_ids

from pamola_ops_anonymize import AnonymizeOperation
from pamola_tasks.errors import DataRefused

ODD = ["", " ", "a", "{a|b}", "a|b", "\\", "}", 'say "x", y', "line\nbreak", "[1,2]", "[2020-01-01,2020-02-01]", "nan"]
SENSITIVE = ["illness", "wage", "note"]
KINDS = {"mondrian": "ranges", "hierarchy": "labels", "microaggregation": "representative", "suppression": "labels"}


def table(seed: int) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    rows = int(rng.choice([1, 4, 9, 25, 60, 120]))
    absent = rng.random((12, rows)) < 0.15

    def gaps(number: int, values: Any, dtype: Any = None) -> pd.Series:
        return pd.Series(values, dtype=dtype).mask(absent[number])

    days = pd.Timestamp("2020-10-20") + pd.to_timedelta(rng.integers(0, 300, rows), unit="h")
    return pd.DataFrame(
        {
            "constant": pd.Series(["x"] * rows),
            "nothing": pd.Series([None] * rows, dtype=object),
            "odd": gaps(0, rng.choice(np.array(ODD, dtype=object), rows)),
            "high": pd.Series([f"{number:04d}" for number in rng.permutation(rows)]),
            "whole": pd.Series(rng.integers(-20, 60, rows)),
            "large": pd.Series(rng.integers(2**62, 2**63 - 1, rows)),
            "gaps": gaps(1, rng.integers(0, 30, rows).astype(float)),
            "nullable": gaps(2, rng.integers(0, 9, rows), "Int64"),
            "float": pd.Series(rng.normal(size=rows).round(2)),
            "infinite": gaps(3, rng.choice([-0.0, 0.0, np.inf, -np.inf, 1e300, -3.25], rows)),
            "truth": gaps(4, rng.random(rows) < 0.3, "boolean"),
            "levels": pd.Series(pd.Categorical(rng.choice(["p", "q"], rows), categories=["o", "p", "q"])),
            "alike": pd.Series(
                pd.Categorical(np.array([[1, "1", 2][i] for i in rng.integers(0, 3, rows)], dtype=object))
            ),
            "moment": gaps(5, days),
            "zone": pd.Series(days).dt.tz_localize("UTC").dt.tz_convert("Europe/Berlin"),
            "day": gaps(6, [datetime.date(2000 + int(n) % 9, 1, 1 + int(n) % 28) for n in rng.integers(0, 99, rows)]),
            "decimal": gaps(7, [Decimal(int(n)).scaleb(-2) for n in rng.integers(-500, 500, rows)]),
            "illness": pd.Series(rng.choice(list("uvwxy"), rows)),
            "wage": gaps(8, rng.integers(0, 6, rows), "Int64"),
            "note": pd.Series(rng.choice(np.array(["", None, "a", "b"], dtype=object), rows)),
        }
    )


def settings(draw: random.Random, columns: list[str]) -> dict[str, Any]:
    how: dict[str, Any] = {
        "k": draw.choice([2, 3, 5, 12]),
        "quasi_identifiers": draw.sample(columns, draw.randint(1, 5)),
        "strategy": draw.choice(list(KINDS)),
        "nulls": draw.choice(["value", "suppress"]),
        "suppressed_records": draw.choice(["drop", "keep"]),
        "sensitive_attributes": draw.sample(SENSITIVE, draw.randint(0, 2)),
    }
    how["bounds"] = draw.choice(["rounded", "tight"])
    how["output"] = draw.choice([KINDS[how["strategy"]], "labels" if how["strategy"] == "suppression" else "ranges"])
    how["weights"] = {name: draw.choice([0.1, 3]) for name in how["quasi_identifiers"][:1]}
    asked = draw.choice(["", "l", "entropy", "recursive", "t", "delta"]) if how["sensitive_attributes"] else ""
    if asked in ("l", "entropy", "recursive"):
        how |= {"l": 2, "l_diversity": "distinct" if asked == "l" else asked}
        how |= {"c": 4} if asked == "recursive" else {}
    elif asked == "t":
        how |= {"t": draw.choice([0.2, 0.5]), "t_distance": draw.choice(["ordered", "categorical"])}
    elif asked == "delta":
        how["delta"] = 2.5
    if how["strategy"] == "hierarchy":
        how["recoding"] = draw.choice(["local", "full-domain"])
        how["suppression_limit"] = draw.choice([0, 0.1, 1]) if asked not in ("t", "delta") else 0
    return how


def read(path: Path) -> pd.DataFrame:
    """The written table; None for a missing cell, which in Parquet is not the empty text."""
    return pd.read_parquet(path).astype(object).where(lambda cells: cells.notna(), None)


@pytest.mark.parametrize("seed", range(60))
def test_the_written_file_holds_what_is_claimed_of_it(seed: int, tmp_path: Path) -> None:
    frame, draw = table(seed), random.Random(seed)
    how = settings(draw, [name for name in frame.columns if name not in SENSITIVE])
    operation = AnonymizeOperation(
        input_dataset="people", row_id=True, output_format="parquet", **({"method": "k-anonymity"} | how)
    )
    frame = frame[[*how["quasi_identifiers"], *SENSITIVE]]  # what is not generalized has to be of one type in Parquet
    result = run(operation, frame, tmp_path)
    if result.failed:
        assert isinstance(result.exception, DataRefused), result.error_message
        assert "the whole table as one class violates it" in str(result.error_message)
        return
    (path,) = tmp_path.rglob("people_anonymized.parquet")
    released = with_row_ids(read(path), tmp_path)
    rows_are_accounted_for(frame, released, how, result.metrics)
    if released.empty:
        return
    columns = how["quasi_identifiers"]
    assert (smallest_class(released, columns) or 0) >= how["k"]
    assert smallest_class(released, columns) == result.metrics["k_measured"]
    for name in how["sensitive_attributes"]:
        sensitive_values_are_as_promised(released, columns, frame[name], how, result.metrics["sensitive"][name])
    if how["output"] == "ranges":
        for name in columns:
            cells_are_true_and_lose_what_is_told(frame[name], released, how, result.metrics)


def rows_are_accounted_for(
    frame: pd.DataFrame, released: pd.DataFrame, how: dict[str, Any], told: dict[str, Any]
) -> None:
    numbers = released["row_id"].tolist()
    assert numbers == sorted(set(numbers))
    assert set(numbers) <= set(range(len(frame)))
    assert told["rows_in"] == len(frame)
    assert told["rows_out"] == len(released)
    assert told["rows_suppressed"] == len(frame) - len(released) + told["rows_suppressed_kept"]
    nulls = int(frame[how["quasi_identifiers"]].isna().any(axis=1).sum()) if how["nulls"] == "suppress" else 0
    assert told["rows_suppressed_for_nulls"] == nulls
    if len(frame) - nulls >= how["k"]:
        assert told["rows_suppressed"] - nulls <= how.get("suppression_limit", 0) * (len(frame) - nulls)
    for name in SENSITIVE:
        before = [None if pd.isna(value) else value for value in frame[name].iloc[numbers]]
        assert released[name].tolist() == before


def sensitive_values_are_as_promised(
    released: pd.DataFrame, columns: list[str], original: pd.Series, how: dict[str, Any], told: dict[str, Any]
) -> None:
    values = released[original.name].tolist()
    whole, records = Counter(values), len(values)
    scale = sorted(value for value in whole if value is not None) + ([None] if None in whole else [])
    classes: dict[tuple[Any, ...], Counter[Any]] = {}
    for cells, value in zip(released[columns].itertuples(index=False, name=None), values, strict=True):
        classes.setdefault(cells, Counter())[value] += 1
    ordered = how.get("t_distance", "auto") == "ordered" or (how.get("t_distance") is None and original.name == "wage")
    distinct, entropy, recursive, t, delta = math.inf, math.inf, 0.0, 0.0, 0.0
    for own in classes.values():
        size = sum(own.values())
        blank = own[None] + own[""]  # most readers of CSV take the one for the other
        others = [count for value, count in own.items() if value not in (None, "")]
        counts = sorted([*others, blank] if blank else others, reverse=True)
        distinct = min(distinct, len(counts))
        entropy = min(entropy, math.exp(-sum(n / size * math.log(n / size) for n in counts)))
        recursive = max(recursive, counts[0] / sum(counts[1:]) if len(counts) > 1 else math.inf)
        gaps = [own[value] / size - whole[value] / records for value in scale]
        moved = sum(abs(sum(gaps[: at + 1])) for at in range(len(gaps))) / max(1, len(gaps) - 1)
        t = max(t, moved if ordered else sum(map(abs, gaps)) / 2)
        changes = (abs(math.log(own[v] / size / (whole[v] / records))) if own[v] else math.inf for v in scale)
        delta = max(delta, *changes)
    assert told["l_distinct"] == distinct
    assert told["l_entropy"] == pytest.approx(entropy)
    assert (told["recursive_c_above"] or math.inf) == pytest.approx(recursive)
    assert told["t"] == pytest.approx(t)
    assert (math.inf if told["delta"] is None else told["delta"]) == pytest.approx(delta)
    kind = how.get("l_diversity")
    assert kind != "distinct" or distinct >= how["l"]
    assert kind != "entropy" or entropy >= how["l"] - 1e-9
    assert kind != "recursive" or recursive < how["c"]
    assert t <= how.get("t", 1) + 1e-9
    assert "delta" not in how or delta < how["delta"]


def cells_are_true_and_lose_what_is_told(
    original: pd.Series, released: pd.DataFrame, how: dict[str, Any], told: dict[str, Any]
) -> None:
    name = original.name
    original = original.astype(str) if name == "alike" else original  # 1 and "1" are written alike
    cells = released[name].tolist()
    values = original.iloc[released["row_id"]].tolist()
    wrong = [(cell, value) for cell, value in zip(cells, values, strict=True) if not covers(cell, as_read(value))]
    assert wrong == []
    present = [as_read(value) for value in original if not pd.isna(value)]
    if name == "infinite" or not present:
        return
    loss = float(len(original) - len(released))
    for cell in cells:
        loss += loss_of(cell, present)
    assert told["ncp_set_by_column"][name] == pytest.approx(loss / len(original), abs=1e-6)


def as_read(value: Any) -> Any:
    """A value as `release_check` compares it: numbers as floats, days as moments."""
    if isinstance(value, np.bool_):
        return bool(value)
    if isinstance(value, datetime.date) and not isinstance(value, datetime.datetime):
        return pd.Timestamp(value)
    return float(value) if isinstance(value, Decimal) else value


def loss_of(cell: str | None, present: list[Any]) -> float:
    if cell is None:
        return 0.0
    if cell == "*":
        return 1.0
    if isinstance(present[0], str | bool):
        known = {str(value) for value in present}
        return 0.0 if cell in known else (len(read_set(cell)) - 1) / max(1, len(known) - 1)
    if not cell.startswith(("[", "<", ">=")):
        return 0.0
    low, high, _ = ends(cell)
    read = pd.Timestamp if isinstance(present[0], pd.Timestamp) else float
    least, most = read(min(present)), read(max(present))
    return ((most if high is None else read(high)) - (least if low is None else read(low))) / (most - least)
