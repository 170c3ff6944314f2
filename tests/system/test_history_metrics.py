"""`pamola-task history --metrics`: the figures of a run are those of its report, and are recorded with the run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

KEY = {"PAMOLA_KEY": "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="}
TASK = """\
task_id: t
input_datasets: {people: DATA/raw/people.csv}
operations:
  - id: coarse
    AnonymizeOperation:
      {input_dataset: people, output_dataset: coarse, k: 5, quasi_identifiers: [age, city],
       direct_identifiers: [person], register: false}
  - id: diverse
    AnonymizeOperation:
      {input_dataset: people, output_dataset: diverse, k: 3, quasi_identifiers: [age], direct_identifiers: [person],
       strategy: hierarchy,
       sensitive_attributes: [city], l: 2, register: false}
  - ProfileOperation: {dataset_name: people}
"""


@pytest.fixture
def runs(cli, place) -> Path:
    """A run that releases two tables and encrypts, and one that failed before it."""
    (place / "configs/t.yaml").write_text(TASK)
    table = place / "DATA/raw/people.csv"
    jobs = ["occupation", *(("clerk", "nurse", "cook", "baker", "smith")[n % 5] for n in range(60))]
    table.write_text("".join(f"{line},{job}\n" for line, job in zip(table.read_text().splitlines(), jobs, strict=True)))
    table = table.rename(place / "away.csv")
    cli("run", "t", "--set", "use_encryption=true", cwd=place, env=KEY, code=2)
    table.rename(place / "DATA/raw/people.csv")
    cli("run", "t", "--set", "use_encryption=true", cwd=place, env=KEY, code=0)
    return place


def test_figures_of_runs_are_listed_by_step(cli, runs):
    done, failed = json.loads(cli("history", "t", "--json", cwd=runs, env=KEY, code=0).stdout)
    assert "figures" not in failed
    (report,) = [json.loads(path.read_text()) for path in (runs / "DATA/reports/t").glob(f"{done['task_run_id']}.json")]
    metrics: dict[str, Any] = {step["step"]: step["metrics"] for step in report["operations"]}
    assert done["figures"].keys() == {"coarse", "diverse"}
    for step, figures in done["figures"].items():
        about = figures.pop("columns")
        assert figures == {key: metrics[step][key] for key in figures}
        assert {"k_claimed", "k_measured", "information_loss", "rows_in", "rows_out"} <= figures.keys()
        assert about == {"coarse": ["age", "city"], "diverse": ["age"]}[step]
    assert {"l_claimed", "l_measured"} <= done["figures"]["diverse"].keys()
    lines = cli("history", "--metrics", cwd=runs, code=0, env={"COLUMNS": "240"}).stdout.splitlines()
    assert "k (claimed)" in lines[0]
    assert "l (claimed)" in lines[0]
    coarse, diverse, before = lines[1:]
    told = done["figures"]
    assert done["task_run_id"][:18] in coarse
    assert f"{told['coarse']['k_measured']} (5)" in coarse
    assert coarse.endswith("60        age, city; knowable too: occupation")
    known = told["coarse"]["knowable"]
    assert known["columns"] == ["age", "city", "occupation"]
    assert f"k = {known['k']}, {round(100 * known['unique_share'])} % unique, on 3" in coarse
    assert f"{told['coarse']['information_loss']:.4g} set" in coarse
    assert f"{told['diverse']['information_loss']:.4g} hier" in diverse
    assert f"{told['diverse']['k_measured']} (3)" in diverse
    assert "2 (2)" in diverse
    assert failed["task_run_id"][:18] in before
    assert "(" not in before
    lines = cli("history", "--metrics", cwd=runs, code=0, env={"COLUMNS": "80"}).stdout.splitlines()
    assert max(map(len, lines)) <= 80
    claims = [line.split()[-2:] for line in lines if line.startswith("k (claimed)")]
    assert claims == [[str(told["coarse"]["k_measured"]), "(5)"], [str(told["diverse"]["k_measured"]), "(3)"]]
