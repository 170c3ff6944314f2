"""What columns look like is judged on all records, or a random sample of them, however the table is cut into pieces."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from installed import Cli
from installed import cli as cli
from installed import home as home
from installed import place as place

from pamola_ops_anonymize import sampled
from pamola_tasks import Kernel
from pamola_tasks_compat import TaskRunner

STEPS = """
  - GeneralizeOperation: {output_dataset: grouped, columns: [age], method: interval, width: 10}
  - PseudonymizeOperation: {output_dataset: keyed, columns: [code], method: hmac-sha256}
  - MaskOperation: {output_dataset: masked, columns: [code], method: partial, keep_last: 2}
  - TopBottomCodeOperation: {output_dataset: coded, columns: [age], top: 50}
  - SuppressOperation: {output_dataset: cells, columns: [town], suppress: cells, values: [t1]}
  - SuppressOperation: {output_dataset: fewer, columns: [town], suppress: records, values: [t0]}
  - DropOperation: {output_dataset: dropped, columns: [code]}
  - NoiseOperation: {output_dataset: noisy, columns: [age], epsilon: 1, bounds: {age: [0, 100]}, reproducible: true}
""".replace("{output_dataset", "{input_dataset: a, on_identifiers: drop, output_dataset")


def table(root: Path, rows: int, harmless: int) -> None:
    """A table of which cc and pid look harmless in the first records: later cc never repeats, and pid does."""
    (root / ".pamola.toml").touch()
    (root / "DATA/raw").mkdir(parents=True, exist_ok=True)
    with (root / "DATA/raw/a.csv").open("w") as file:
        file.write("cc,tally,age,code,town,patient_id\n")
        for row in range(rows):
            cc, patient = ("x", row) if row < harmless else (f"{row:09d}", row // 2)
            file.write(f"{cc},{row + 1},{row % 60},c{row % 70},t{row % 9},{patient}\n")


def test_steps_on_columns_judge_others_alike_in_any_pieces(cli: Cli, place: Path) -> None:
    """The same bytes, metrics and warnings in pieces of 100 and as a whole; with `fail`, none is written."""
    table(place, 2_100, 100)
    config = f"task_id: t\nseed: 7\ninput_datasets: {{a: DATA/raw/a.csv}}\noperations:{STEPS}"
    (place / "configs/t.yaml").write_text(config)
    cli("keys", "init", cwd=place, code=0)
    found = []
    for setting in ("use_vectorization=true", "chunk_size=100"):
        done = cli("run", "t", "--restart", "--json", "--set", setting, cwd=place, code=0)
        said = json.loads(done.stdout)
        files = {path.name: path.read_bytes() for path in (place / "DATA/processed/t/output").glob("*.csv")}
        found.append((files, {step["step"]: step["metrics"] for step in said["steps"]}, said["warnings"]))
    files, _, warnings = found[0]
    assert len(files) == 8
    assert not [name for name, content in files.items() if b"cc" in content.splitlines()[0].split(b",")]
    assert sum("cc (nearly every value occurs once (2,001 distinct in 2,100))" in said for said in warnings) == 7
    assert sum("cc (nearly every value occurs once (1,779 distinct in 1,866))" in said for said in warnings) == 1
    assert sum("patient_id repeats, so that one person may have several records" in said for said in warnings) == 1
    assert found[1] == found[0]

    (place / "configs/t.yaml").write_text(config.replace("drop,", "fail,"))
    done = cli("run", "t", "--restart", "--json", "--set=chunk_size=100", cwd=place, code=4)
    assert "2,001 distinct in 2,100" in json.loads(done.stdout)["error"]["message"]


@pytest.mark.parametrize("operation", ["GeneralizeOperation", "NoiseOperation"])
def test_a_large_table_is_judged_by_the_same_sample_in_any_pieces(
    operation: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of what is counted in a sample, no count is said; numbers that count the rows are found by how many these are."""
    monkeypatch.setattr(sampled, "SAMPLE", 1_000)
    monkeypatch.setattr(sampled, "_KEPT", 1_250)
    table(tmp_path, 4_000, 150)
    how: dict[str, Any] = {"method": "interval", "width": 10}
    if operation == "NoiseOperation":
        how = {"epsilon": 1, "bounds": {"age": [0, 100]}, "reproducible": True}
    step = {"input_dataset": "a", "output_dataset": "out", "columns": ["age"], "on_identifiers": "drop", **how}
    found = []
    for size in (7, 100, 4_000):
        task = TaskRunner(
            "t",
            input_datasets={"a": "DATA/raw/a.csv"},
            operation_configs=[{"operation": operation, "parameters": step}],
        )
        outcome = Kernel.discover(tmp_path).run(task, restart=True, overrides={"chunk_size": size, "seed": 3})
        assert outcome.success, outcome.error
        (result,) = outcome.results.values()
        (file,) = (tmp_path / "DATA/processed").rglob("out.csv")
        found.append((file.read_bytes(), dict(result.metrics), list(outcome.record.warnings)))
    assert found[0] == found[1] == found[2]
    content, metrics, warnings = found[0]
    assert content.splitlines()[0] == b"age,code,town"
    assert metrics["likely_identifiers"] == {
        "cc": "nearly every value occurs once, in a random sample of 1,000 records",
        "tally": "its whole numbers never repeat and count through the rows, in a random sample of 1,000 records",
        "patient_id": metrics["likely_identifiers"]["patient_id"],
    }
    assert not [said for said in warnings if "distinct" in said]
    repeats = "patient_id repeats in a random sample of 1,000 records" in " ".join(warnings)
    assert repeats == (operation == "NoiseOperation")


def test_an_assessment_is_the_same_again(tmp_path: Path) -> None:
    """Its sample comes from the seed, and chance between classes, which a release gets from the system, is the same."""
    table(tmp_path, 3_000, 100)
    roles = {"quasi_identifiers": ["age", "town"], "sensitive_attributes": ["code"]}
    roles["insensitive_attributes"] = ["cc", "tally", "patient_id"]
    step = {"input_dataset": "a", **roles, "sample": 1_000, "ks": [5], "strategies": ["mondrian", "hierarchy"]}
    found = []
    for settings in ({"chunk_size": 7}, {"chunk_size": 3_000}, {"memory_limit_mb": 1}):
        task = TaskRunner(
            "t",
            input_datasets={"a": "DATA/raw/a.csv"},
            operation_configs=[{"operation": "AssessOperation", "parameters": step}],
        )
        outcome = Kernel.discover(tmp_path).run(task, restart=True, overrides={"seed": 3, **settings})
        assert outcome.success, outcome.error
        (result,) = outcome.results.values()
        found.append(json.loads(json.dumps(result.metrics)))
    assert found[0]["choice"]["settings"]["l"] == 2
    assert found[0]["costs_measured"] == "on 1,000 of 3,000 records"
    assert found[1] == found[0]
    assert found[2] == found[0]
