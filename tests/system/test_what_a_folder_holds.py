"""`output/` holds released tables and nothing else: what was measured, vaults and re-identified tables are apart."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pandas as pd
import pytest

KEY = {"PAMOLA_KEY": "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="}
TASK = """
task_id: t
input_datasets: {people: DATA/raw/people.csv, more: DATA/raw/more.csv}
operations:
  - ProfileOperation: {dataset_name: people}
  - CorrelationOperation: {primary_dataset: people, secondary_dataset: more, join_key: canary}
  - PseudonymizeOperation: {input_dataset: people, output_dataset: coded, columns: [canary], method: token,
                            vault_dataset: vault}
  - ReidentifyOperation: {input_dataset: coded, vault_dataset: vault, columns: [canary]}
  - AnonymizeOperation: {input_dataset: people, output_dataset: safe, quasi_identifiers: [age, town], k: 3,
                         direct_identifiers: [canary], sensitive_attributes: [illness], row_id: true}
  - RiskOperation: {input_dataset: safe, quasi_identifiers: [age, town]}
  - UtilityOperation: {original_dataset: people, anonymized_dataset: safe, quasi_identifiers: [age, town]}
outputs: [coded, safe, vault]
"""
KEPT = {
    "people_profile.json",
    "people_more_correlations.json",
    "vault.csv",
    "coded_reidentified.csv",
    "safe_row_ids.csv",
    "safe_anonymization.json",
    "safe_risk.json",
    "safe_utility.json",
}


@pytest.fixture
def folder(cli, project: Path) -> Path:
    people = pd.DataFrame(
        {
            "canary": [f"canary{n}" for n in range(60)],
            "age": [20 + n % 10 for n in range(60)],
            "town": [("Bern", "Oslo", "Rome")[n % 3] for n in range(60)],
            "illness": [("flu", "cold")[n % 2] for n in range(60)],
        }
    )
    people.to_csv(project / "DATA/raw/people.csv", index=False)
    people.assign(weight=range(60)).drop(columns="town").to_csv(project / "DATA/raw/more.csv", index=False)
    (project / "configs/t.yaml").write_text(TASK)
    done = cli("run", "t", cwd=project, env=KEY, code=0)
    told = " ".join(done.stdout.split())
    assert "internal DATA/processed/t/internal (8 files not to be released)" in told
    return project / "DATA/processed/t"


def test_only_released_tables_are_in_output(cli, project, folder):
    """Canaries of the original are nowhere in `output/`, a second run does nothing, and `verify` looks at both."""
    assert {path.name for path in (folder / "output").iterdir()} == {"coded.csv", "safe.csv"}
    assert not any(b"canary0" in path.read_bytes() for path in (folder / "output").iterdir())
    assert {path.name for path in (folder / "internal").iterdir()} == KEPT
    assert stat.S_IMODE((folder / "internal").stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in (folder / "internal").iterdir()} == {0o600}
    report = json.loads((project / "DATA/reports/t_report.json").read_text())
    assert report["run"]["folders"] == {
        "released": "DATA/processed/t/output",
        "internal": "DATA/processed/t/internal",
    }
    page = (project / "DATA/reports/t_report.md").read_text()
    assert "- May be released: `DATA/processed/t/output`\n- Not to be released: `DATA/processed/t/internal`" in page

    again = json.loads(cli("run", "t", "--json", cwd=project, env=KEY, code=0).stdout)
    assert {step["status"] for step in again["steps"]} == {"skipped"}
    assert "as recorded" in cli("verify", "t", cwd=project, env=KEY, code=0).stdout
    (folder / "internal/vault.csv").write_text("token,sealed\n")
    assert "internal/vault.csv" in cli("verify", "t", cwd=project, env=KEY, code=1).stdout
    ran = json.loads(cli("run", "t", "--json", cwd=project, env=KEY, code=0).stdout)["steps"]
    assert [step["step"] for step in ran if step["status"] == "success"] == ["PseudonymizeOperation"]


def test_what_is_no_longer_made_is_cleaned_in_both(cli, project, folder):
    """As is what an earlier version left in `output/`; and the vault serves another task from where it is."""
    (project / "configs/back.yaml").write_text(
        "task_id: back\ninput_datasets: {coded: DATA/processed/t/output/coded.csv,"
        " vault: DATA/processed/t/internal/vault.csv}\noperations:\n"
        "  - ReidentifyOperation: {input_dataset: coded, vault_dataset: vault, columns: [canary],"
        " output_dataset: known}\n"
    )
    assert '-->|"coded, vault"|' in cli("graph", cwd=project, code=0).stdout
    cli("run", "back", cwd=project, env=KEY, code=0)
    known = pd.read_csv(project / "DATA/processed/back/internal/known.csv")
    assert known["canary"].tolist() == [f"canary{n}" for n in range(60)]
    assert not list((project / "DATA/processed/back/output").iterdir())

    (project / "configs/t.yaml").write_text(TASK.replace("row_id: true", "row_id: false"))
    cli("run", "t", cwd=project, env=KEY, code=0)
    removed = cli("clean", "t", "--outputs", cwd=project, code=0).stdout
    assert "DATA/processed/t/internal/safe_row_ids.csv" in removed.split()
    assert {path.name for path in (folder / "internal").iterdir()} == KEPT - {"safe_row_ids.csv"}
