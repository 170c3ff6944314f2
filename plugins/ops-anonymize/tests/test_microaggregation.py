"""MDAV against the paper's own steps, written down record by record."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from alone import run

from pamola_ops_anonymize import AnonymizeOperation
from pamola_ops_anonymize.conditions import Conditions
from pamola_ops_anonymize.domains import encode
from pamola_ops_anonymize.microaggregation import microaggregate


def mdav(points: np.ndarray, k: int) -> set[frozenset[int]]:
    """J. Domingo-Ferrer and V. Torra, 2005, algorithm 5.1."""
    left = list(range(len(points)))
    classes = []

    def away(place: int, center: np.ndarray) -> float:
        return float(((points[place] - center) ** 2).sum())

    def take(center: int) -> None:
        nearest = sorted(left, key=lambda place: away(place, points[center]))[:k]
        classes.append(frozenset(nearest))
        left[:] = [place for place in left if place not in nearest]

    while len(left) >= 3 * k:
        middle = points[left].mean(axis=0)
        far = max(left, key=lambda place: away(place, middle))
        opposite = max(left, key=lambda place: away(place, points[far]))
        take(far)
        take(opposite)
    if len(left) >= 2 * k:
        middle = points[left].mean(axis=0)
        take(max(left, key=lambda place: away(place, middle)))
    classes.append(frozenset(left))
    return set(classes)


@pytest.mark.parametrize("k", [2, 3, 7])
@pytest.mark.parametrize("records", [40, 41, 60])
def test_classes_are_those_of_the_algorithm(k: int, records: int) -> None:
    rng = np.random.default_rng(records)
    frame = pd.DataFrame(
        {"a": rng.random(records), "b": rng.normal(size=records), "c": rng.choice(list("xyz"), records)}
    )
    encoded = [encode(frame[name]) for name in frame.columns]
    importance = np.array([1.0, 2.0, 0.5])
    found = microaggregate(
        np.stack([codes for _, codes in encoded]),
        [domain for domain, _ in encoded],
        importance,
        Conditions(k, np.ones(records, dtype=np.int64)),
    )
    scaled = [(frame[name] - frame[name].min()) / (frame[name].max() - frame[name].min()) for name in ("a", "b")]
    indicators = np.stack([(frame["c"] == letter) / np.sqrt(2) for letter in "xyz"], axis=1) * np.sqrt(0.5)
    points = np.column_stack([scaled[0], scaled[1] * np.sqrt(2.0), indicators])
    assert {frozenset(np.flatnonzero(found == each).tolist()) for each in np.unique(found)} == mdav(points, k)


def as_cell(value: object) -> str:
    return "" if pd.isna(value) else value if isinstance(value, str) else f"{value:g}"


def test_representatives_that_are_whole_records_are_counted(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    people = pd.DataFrame(
        {
            "age": rng.integers(20, 60, 300),
            "height": rng.normal(170, 9, 300).round(1),
            "sex": rng.choice(["f", "m"], 300),
        }
    )
    columns = list(people.columns)
    operation = AnonymizeOperation(input_dataset="people", quasi_identifiers=columns, strategy="microaggregation", k=5)
    result = run(operation, people, tmp_path)
    (path,) = tmp_path.rglob("people_anonymized.csv")
    released = pd.read_csv(path).drop_duplicates()
    real = len(released.merge(people.drop_duplicates(), on=columns))
    assert real > 0
    found = (result.metrics["representatives"], result.metrics["representatives_that_are_records"])
    assert found == (len(released), real)
    assert any(f"{real} of {len(released)} representatives are the values of a record" in t for t in result.warnings)


@pytest.mark.parametrize("domains", [(60, 2, 3), (2, 2, 2), (4, 1, 900)], ids=str)
def test_representatives_that_are_avoided_are_no_record(domains: tuple[int, ...], tmp_path: Path) -> None:
    """Of any record: only what all records of a class have is written as it is; with few values some become `*`."""
    rng = np.random.default_rng(3)
    people = pd.DataFrame({"age": rng.integers(0, domains[0], 240), "sex": rng.integers(0, domains[1], 240)})
    people = people.assign(sex=people["sex"].map(str).radd("s"), pay=rng.integers(0, domains[2], 240))
    people.loc[::17, "pay"] = None
    columns = list(people.columns)
    for way in ("warn", "avoid"):
        operation = AnonymizeOperation(
            input_dataset="people",
            quasi_identifiers=columns,
            strategy="microaggregation",
            k=5,
            on_real_records=way,  # type: ignore[arg-type]
            row_id=True,
            keep_order=True,
        )
        result = run(operation, people, tmp_path / way)
        assert not result.failed, result.error_message
        (path,) = (tmp_path / way).rglob("people_anonymized.csv")
        released = pd.read_csv(path, dtype=str, keep_default_na=False)
        originals = people.astype(object).map(as_cell)
        records = set(map(tuple, originals.to_numpy().tolist()))
        rows = list(map(tuple, released[columns].to_numpy().tolist()))
        real = {row for row in rows if row in records}
        assert len(real) == result.metrics["representatives_that_are_records"]
        wrong = [
            row
            for row, was in zip(rows, originals.to_numpy().tolist(), strict=True)
            if row in records and row != tuple(was)
        ]
        assert bool(wrong) == (way == "warn")
        assert result.metrics["k_measured"] >= 5
