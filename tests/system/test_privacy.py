"""What is released really is k-anonymous, counted by others than us; what is encrypted cannot be read."""

from __future__ import annotations

import base64
import collections
import csv
import json
import os
import subprocess
from pathlib import Path

import pytest

QUASI_IDENTIFIERS = ["age", "sex", "race", "education", "marital-status", "native-country", "workclass"]


def task_on(table: str, quasi_identifiers: list[str], k: int) -> str:
    return json.dumps(
        {
            "task_id": "t_release",
            "input_datasets": {"people": table},
            "operations": [
                {
                    "AnonymizeOperation": {
                        "input_dataset": "people",
                        "output_dataset": "safe",
                        "k": k,
                        "quasi_identifiers": quasi_identifiers,
                        "sensitive_attributes": ["salary-class"],
                    }
                }
            ],
        }
    )


def test_pycanon_finds_k_in_what_was_released_of_adult_and_every_row_is_accounted_for(cli, project, adult):
    (project / "DATA/raw/adult.csv").write_bytes(adult.read_bytes())
    (project / "configs/t_release.json").write_text(task_on("DATA/raw/adult.csv", QUASI_IDENTIFIERS, 5))
    outcome = json.loads(cli("run", "t_release", "--json", cwd=project, code=0).stdout)
    released = project / outcome["outputs"][0]["path"]
    with released.open(newline="") as file:
        rows = list(csv.DictReader(file))
    metrics = outcome["steps"][0]["metrics"]
    assert len(rows) + metrics["rows_suppressed"] == metrics["rows_in"] == 30_162
    counted = collections.Counter(tuple(row[name] for name in QUASI_IDENTIFIERS) for row in rows)
    assert min(counted.values()) >= 5
    verifier = os.environ.get("PAMOLA_PYCANON_PYTHON")
    if not verifier:
        pytest.skip("counted by hand only: PAMOLA_PYCANON_PYTHON names no Python that has pycanon")
    script = (
        "import sys, json, pandas as pd; from pycanon import anonymity;"
        "table = pd.read_csv(sys.argv[1], dtype=str, keep_default_na=False);"
        "print(anonymity.k_anonymity(table, json.loads(sys.argv[2])))"
    )
    found = subprocess.run(
        [verifier, "-c", script, str(released), json.dumps(QUASI_IDENTIFIERS)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert int(found.stdout) >= 5
    raw = subprocess.run(
        [
            verifier,
            "-c",
            script.replace("sys.argv[1],", "sys.argv[1], sep=';',"),
            str(adult),
            json.dumps(QUASI_IDENTIFIERS),
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    assert int(raw.stdout) == 1, "the check tells raw data from released data"


@pytest.fixture
def secret_project(project: Path) -> Path:
    """Outside the project: a table with planted values. In it: a task that encrypts."""
    names = [f"Zaphodine{number:03d}Quux" for number in range(200)]
    lines = ["name,age,city", *(f"{name},{20 + i % 40},City{i % 3}" for i, name in enumerate(names))]
    outside = project.parent / "outside"
    outside.mkdir()
    (outside / "people.csv").write_text("\n".join(lines) + "\n")
    (project / "configs/secret.json").write_text(
        json.dumps(
            {
                "task_id": "secret",
                "use_encryption": True,
                "allow_external": True,
                "allowed_external_paths": [str(outside)],
                "input_datasets": {"people": str(outside / "people.csv")},
                "operations": [
                    {"ProfileOperation": {"dataset_name": "people", "output_prefix": "p", "min_count": 1}},
                    {
                        "AnonymizeOperation": {
                            "input_dataset": "people",
                            "output_dataset": "safe",
                            "k": 4,
                            "quasi_identifiers": ["age", "city"],
                            "on_identifiers": "warn",
                        }
                    },
                ],
            }
        )
    )
    return project


def key() -> dict[str, str]:
    return {"PAMOLA_KEY": base64.b64encode(os.urandom(32)).decode()}


def test_with_encryption_no_planted_value_can_be_read_anywhere_in_the_project(cli, secret_project):
    done = cli("-v", "run", "secret", cwd=secret_project, env=key(), code=0)
    found = [
        str(path.relative_to(secret_project))
        for path in secret_project.rglob("*")
        if path.is_file() and "configs" not in path.parts and b"Zaphodine" in path.read_bytes()
    ]
    assert found == []
    assert "Zaphodine" not in done.stdout + done.stderr
    released = secret_project / "DATA/processed/secret/output/safe.csv"
    assert released.read_bytes().startswith(b"ptask/1")
    report = json.loads((secret_project / "DATA/reports/secret_report.json").read_text())
    assert all(output["encrypted"] for output in report["outputs"])


def test_without_encryption_the_same_search_finds_the_values(cli, secret_project):
    cli("run", "secret", "--set", "use_encryption=false", cwd=secret_project, code=0)
    assert b"Zaphodine" in (secret_project / "DATA/processed/secret/output/safe.csv").read_bytes()


def test_an_encrypted_run_goes_on_with_its_key_and_not_with_another(cli, secret_project):
    mine = key()
    cli("run", "secret", cwd=secret_project, env=mine, code=0)
    again = json.loads(cli("run", "secret", "--json", cwd=secret_project, env=mine, code=0).stdout)
    assert {step["status"] for step in again["steps"]} == {"skipped"}


def test_no_key_and_nothing_runs(cli, secret_project):
    refused = cli("run", "secret", cwd=secret_project, code=4)
    assert "key" in refused.stdout
    assert not list((secret_project / "DATA/processed/secret/output").iterdir())


NOTES = """
from pamola_tasks import Operation, OperationResult, hookimpl

PAMOLA_HOOK_API = 1

class Notes(Operation):
    def execute(self, ctx):
        with ctx.artifact("note", "json", "A note") as file:
            file.write(b"{}")
        return OperationResult.success()

@hookimpl
def pamola_add_operations():
    return {"Notes": Notes}
"""


def test_ten_runs_at_once_are_all_recorded(project, start):
    (project / "notes.py").write_text(NOTES)  # without pandas they start fast, and so are more nearly at once
    for number in range(10):
        (project / f"configs/t{number}.yaml").write_text(f"task_id: t{number}\noperations: [Notes]\n")
    processes = [start("--plugin", "notes.py", "run", f"t{number}", cwd=project) for number in range(10)]
    for process in processes:
        out, _ = process.communicate(timeout=120)
        assert process.returncode == 0, out
    log = json.loads((project / "configs/execution_log.json").read_text())
    assert sorted(record["task_id"] for record in log["executions"]) == [f"t{number}" for number in range(10)]
    for number in range(10):
        report = json.loads((project / f"DATA/reports/t{number}_report.json").read_text())
        assert report["run"]["status"] == "success"
