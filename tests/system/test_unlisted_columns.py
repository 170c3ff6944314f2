"""Columns without a role: what looks like an identifier is in no release unless asked for, and is always reported."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

KEY = {"PAMOLA_KEY": "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="}
QUASI = ["AGE (years)", "SEX"]
NAMES = ["Customer ID", "E-MAIL (work)", "contact", "Name (full)"]
ROLES = {"input_dataset": "people", "output_dataset": "safe", "k": 3, "quasi_identifiers": QUASI}


def people(rows: int = 60) -> pd.DataFrame:
    """Names in capitals, with units and remarks; `contact` is recognized by its values alone."""
    return pd.DataFrame(
        {
            "Customer ID": [f"K{i % 9}" for i in range(rows)],
            "E-MAIL (work)": "none",
            "contact": [f"zaphod{i}@example.org" for i in range(rows)],
            "Name (full)": [f"Zaphod {i % 7}" for i in range(rows)],
            "AGE (years)": [20 + i % 40 for i in range(rows)],
            "SEX": ["fm"[i % 2] for i in range(rows)],
            "HEIGHT [cm]": [150 + i % 30 for i in range(rows)],
            "treated": pd.date_range("2024-01-01", periods=rows),
            "visits": [i * i // 7 % 5 for i in range(rows)],
        }
    )


def written(project: Path, *operations: dict[str, Any], format: str = "csv", **settings: Any) -> None:
    """A table, and the task `t` of these operations."""
    path = project / f"DATA/raw/people.{format}"
    if format == "csv":
        people().to_csv(path, index=False)
    else:
        people().to_parquet(path)
    task = {"task_id": "t", "input_datasets": {"people": str(path)}, "operations": list(operations), **settings}
    (project / "configs/t.json").write_text(json.dumps(task))


def columns(project: Path, name: str = "safe") -> list[str]:
    with (project / f"DATA/processed/t/output/{name}.csv").open(newline="") as file:
        return next(csv.reader(file))


def text_of(project: Path) -> str:
    """The words of the page of the report, without those that explain them on hover."""
    return re.sub(r"<[^>]+>", "", (project / "DATA/reports/t_report.html").read_text())


@pytest.mark.parametrize("format", ["csv", "parquet"])
def test_likely_identifiers_are_dropped_unless_asked_for_and_that_is_said_everywhere(cli, project, format):
    written(project, {"AnonymizeOperation": ROLES}, format=format)
    done = cli("run", "t", cwd=project, code=0)
    assert columns(project) == [*QUASI, "HEIGHT [cm]", "treated", "visits"]
    told = " ".join(done.stdout.split())
    assert "safe: dropped columns that look like direct identifiers: Customer ID (its name says" in told
    assert "contact (its values look like e-mail addresses)" in told
    assert "`insensitive_attributes`" in told
    assert "`on_identifiers: warn`" in told
    assert "zaphod" not in done.stdout + done.stderr

    report = json.loads((project / "DATA/reports/t_report.json").read_text())
    metrics = report["operations"][0]["metrics"]
    assert metrics["dropped_columns"] == list(metrics["likely_identifiers"]) == NAMES
    assert metrics["unlisted_columns"] == ["HEIGHT [cm]", "treated", "visits"]
    shown = text_of(project)
    (warning,) = [text for text in report["warnings"] if "look like direct identifiers" in text]
    assert all(name in warning for name in NAMES)
    assert "dropped columns that look like direct identifiers" in shown

    said = json.loads(cli("run", "t", "--restart", "--json", cwd=project, code=0).stdout)
    assert said["warnings"] == report["warnings"]
    assert said["steps"][0]["metrics"]["likely_identifiers"] == metrics["likely_identifiers"]
    again = cli("run", "t", cwd=project, code=0)
    assert "dropped columns that look like direct identifiers" in again.stdout, "also where the step is skipped"


@pytest.mark.parametrize("format", ["csv", "parquet"])
def test_likely_quasi_identifiers_without_a_role_are_a_warning(cli, project, format):
    written(project, {"AnonymizeOperation": ROLES}, format=format)
    said = json.loads(cli("run", "t", "--json", cwd=project, code=0).stdout)
    (told,) = [text for text in said["warnings"] if "quasi-identifiers" in text]
    assert re.search(r"HEIGHT \[cm\] \(its name says .*\); treated \(it holds dates", told)
    assert "visits" not in told
    assert "k = 3 does not cover them" in told
    assert list(said["steps"][0]["metrics"]["likely_quasi_identifiers"]) == ["HEIGHT [cm]", "treated"]
    shown = text_of(project)
    assert "HEIGHT [cm] (its name says that it holds a body height or look, which others may know" in shown


def test_unlisted_quasi_identifiers_can_refuse_the_release(cli, project):
    written(project, {"AnonymizeOperation": {**ROLES, "on_unlisted": "fail"}})
    done = cli("run", "t", cwd=project, code=4)
    assert "columns without a role that look like quasi-identifiers: HEIGHT [cm] (" in " ".join(done.stdout.split())
    assert "zaphod" not in done.stdout + done.stderr
    assert list((project / "DATA/processed").rglob("safe.*")) == []

    settled = {"insensitive_attributes": ["HEIGHT [cm]"], "sensitive_attributes": ["treated"], "on_unlisted": "fail"}
    written(project, {"AnonymizeOperation": {**ROLES, **settled}})
    cli("run", "t", cwd=project, code=0)

    written(project, {"AnonymizeOperation": {**ROLES, "on_unlisted": "quasi?"}})
    assert "on_unlisted: expected one of 'warn', 'fail'" in cli("run", "t", cwd=project, code=2).stdout


def test_a_role_that_somebody_gave_wins(cli, project):
    listed = {"quasi_identifiers": [*QUASI, "Customer ID"], "sensitive_attributes": ["Name (full)"]}
    kept = {"insensitive_attributes": ["contact", "E-MAIL (work)", "HEIGHT [cm]", "treated"]}
    written(project, {"AnonymizeOperation": {**ROLES, **listed, **kept}})
    said = json.loads(cli("run", "t", "--json", cwd=project, code=0).stdout)
    assert columns(project) == list(people().columns)
    assert not [text for text in said["warnings"] if "look like" in text]

    written(project, {"AnonymizeOperation": {**ROLES, "insensitive_attributes": ["Contact"]}})
    assert "no column Contact (named in `insensitive_attributes`)" in cli("run", "t", cwd=project, code=2).stdout
    written(project, {"AnonymizeOperation": {**ROLES, "insensitive_attributes": ["SEX"]}})
    done = cli("run", "t", cwd=project, code=2)
    assert "SEX is in both `quasi_identifiers` and `insensitive_attributes`" in " ".join(done.stdout.split())


def test_they_are_kept_on_request_with_a_warning(cli, project):
    written(project, {"AnonymizeOperation": {**ROLES, "on_identifiers": "warn"}})
    done = cli("run", "t", cwd=project, code=0)
    assert set(NAMES) < set(columns(project))
    assert "keeps columns that look like direct identifiers: Customer ID" in " ".join(done.stdout.split())


def test_an_encrypted_release_drops_them_too(cli, project):
    written(project, {"AnonymizeOperation": {**ROLES, "output_format": "parquet"}}, use_encryption=True)
    said = json.loads(cli("run", "t", "--json", cwd=project, env=KEY, code=0).stdout)
    assert said["steps"][0]["metrics"]["dropped_columns"] == NAMES
    report = json.loads((project / "DATA/reports/t_report.json").read_text())
    assert set(report["outputs"][0]["columns"]) == {*QUASI, "HEIGHT [cm]", "treated", "visits"}
    assert sum("look like" in text for text in report["warnings"]) == 2


def masked(**parameters: Any) -> dict[str, Any]:
    of = {"input_dataset": "people", "output_dataset": "safe", "columns": ["contact"]}
    return {"MaskOperation": {**of, **parameters}}


STEPS: list[tuple[str, dict[str, Any], list[str]]] = [
    ("MaskOperation", {"columns": ["contact"]}, ["contact"]),
    ("PseudonymizeOperation", {"columns": ["Customer ID"]}, ["Customer ID"]),
    ("DropOperation", {"columns": ["E-MAIL (work)"]}, ["E-MAIL (work)"]),
    ("GeneralizeOperation", {"columns": ["AGE (years)"], "method": "interval", "width": 10}, []),
    ("TopBottomCodeOperation", {"columns": ["visits"], "top": 3}, []),
    ("NoiseOperation", {"columns": ["visits"], "scale": 1}, []),
    ("SuppressOperation", {"columns": ["visits"], "suppress": "records", "values": [4]}, []),
    ("SuppressOperation", {"columns": ["contact"], "suppress": "attributes"}, ["contact"]),
]


@pytest.mark.parametrize(("operation", "parameters", "treated"), STEPS)
def test_operations_on_columns_warn_of_the_identifiers_that_they_publish(cli, project, operation, parameters, treated):
    named = {"input_dataset": "people", "output_dataset": "safe", **parameters}
    left = [name for name in NAMES if name not in treated]

    def told() -> list[str]:
        outcome = json.loads(cli("run", "t", "--json", cwd=project, env=KEY, code=0).stdout)
        assert list(outcome["steps"][0]["metrics"]["likely_identifiers"]) == left
        return [text for text in outcome["warnings"] if "direct identifiers" in text]

    written(project, {operation: named}, chunk_size=7)
    (kept,) = told()
    assert "safe keeps columns that look like direct identifiers: " in kept
    assert all((f"{name} (" in kept) == (name in left) for name in NAMES)
    assert set(left) < set(columns(project))

    written(project, {operation: {**named, "on_identifiers": "drop"}}, chunk_size=7)
    (dropped,) = told()
    assert "safe: dropped columns that look like direct identifiers: " in dropped
    assert not set(left) & set(columns(project))


def test_what_earlier_steps_treat_and_what_is_harmless_is_no_warning(cli, project):
    """The last step publishes what the first ones protect; its own process knows that too."""
    pseudonyms = {"input_dataset": "people", "output_dataset": "a", "columns": ["Customer ID", "E-MAIL (work)"]}
    dropped = {"input_dataset": "a", "output_dataset": "b", "columns": ["Name (full)"]}
    written(
        project,
        {"PseudonymizeOperation": pseudonyms},
        {"DropOperation": dropped},
        {**masked(input_dataset="b"), "timeout": 200},
    )
    said = json.loads(cli("run", "t", "--json", cwd=project, env=KEY, code=0).stdout)
    assert [text for text in said["warnings"] if "look like" in text] == []

    harmless = [name for name in NAMES if name != "contact"]
    written(project, masked(insensitive_attributes=harmless, on_identifiers="fail"))
    cli("run", "t", cwd=project, code=0)
    written(project, masked(insensitive_attributes=harmless[1:], on_identifiers="fail"))
    done = cli("run", "t", cwd=project, code=4)
    assert "columns that look like direct identifiers: Customer ID" in " ".join(done.stdout.split())
    written(project, masked(insensitive_attributes=["name"]))
    assert "no column name (named in `insensitive_attributes`)" in cli("run", "t", cwd=project, code=2).stdout


def test_values_restored_on_purpose_are_no_warning_but_what_follows_is(cli, project):
    tokens = {"input_dataset": "people", "output_dataset": "a", "columns": ["contact"], "method": "token"}
    restored = {"input_dataset": "a", "vault_dataset": "vault", "output_dataset": "b", "columns": ["contact"]}
    steps = [{"PseudonymizeOperation": {**tokens, "vault_dataset": "vault"}}, {"ReidentifyOperation": restored}]
    written(project, *steps)
    said = json.loads(cli("run", "t", "--json", cwd=project, env=KEY, code=0).stdout)
    assert [text for text in said["warnings"] if "look like" in text] == []
    written(project, *steps, masked(input_dataset="b", columns=["visits"]))
    assert "contact (its values" in " ".join(cli("run", "t", cwd=project, env=KEY, code=0).stdout.split())


def test_a_table_that_a_later_step_changes_is_not_judged(cli, project):
    written(project, masked(output_dataset="a"), {"AnonymizeOperation": {**ROLES, "input_dataset": "a"}})
    said = json.loads(cli("run", "t", "--json", cwd=project, code=0).stdout)
    assert "likely_identifiers" not in said["steps"][0]["metrics"]
    assert set(NAMES) & set(columns(project)) == {"contact"}, "masked before"


def test_of_adult_the_quasi_identifiers_that_were_left_out_are_named(cli, project, adult):
    (project / "DATA/raw/adult.csv").write_bytes(adult.read_bytes())
    asked = ["age", "sex", "race", "native-country"]
    step = {"AnonymizeOperation": {"input_dataset": "adult", "k": 5, "quasi_identifiers": asked}}
    task = {"task_id": "t", "input_datasets": {"adult": "DATA/raw/adult.csv"}, "operations": [step]}
    (project / "configs/t.json").write_text(json.dumps(task))
    said = json.loads(cli("run", "t", "--json", cwd=project, code=0).stdout)
    assert set(said["steps"][0]["metrics"]["likely_quasi_identifiers"]) == {
        "marital-status", "education", "workclass", "occupation",
    }  # fmt: skip
    assert said["steps"][0]["metrics"]["dropped_columns"] == []
    assert len(said["warnings"]) == 1


def test_profiles_judge_by_the_same_service_and_warn_where_none_is_there(cli, project):
    written(project, {"ProfileOperation": {"dataset_name": "people"}})
    found = json.loads(cli("run", "t", "--json", cwd=project, code=0).stdout)["steps"][0]["metrics"]
    assert found["likely_direct_identifiers"] == NAMES
    assert found["likely_quasi_identifiers"] == [*QUASI, "HEIGHT [cm]", "treated"]
    alone = json.loads(
        cli("--no-plugin", "ops-anonymize", "run", "t", "--restart", "--json", cwd=project, code=0).stdout
    )
    assert alone["steps"][0]["metrics"]["likely_quasi_identifiers"] == []
    assert "so none is marked: install pamola-ops-anonymize" in alone["warnings"][0]
