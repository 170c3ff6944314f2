"""House rules before a run, on what it releases, and on past runs; the rule of Safe Harbor on tables."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import command_line
import pandas as pd
import pytest
from installed import clean_environment

from pamola_tasks.errors import ConfigurationError
from pamola_tasks_policies.rules import SafeHarbor, read
from pamola_tasks_policies.safe_harbor import CATEGORIES, breaches

HOUSE = """\
k: {min: 10}
l: {min: 2, for: [diagnosis]}
suppression: {max: 0.05}
forbidden_columns: ["*_ID", mail]
required_operations: [AnonymizeOperation]
"""
ANONYMIZE = """\
input_datasets: {people: DATA/raw/people.csv}
operations:
  - AnonymizeOperation:
      {input_dataset: people, output_dataset: safe, k: 12, quasi_identifiers: [age, zip],
       sensitive_attributes: [diagnosis], direct_identifiers: [person_id, mail]}
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    root = tmp_path / "project"
    for folder in ("configs", "DATA/raw", "policies"):
        (root / folder).mkdir(parents=True)
    rows = [f"p{n},{20 + n % 75},{10_000 + n % 90 * 100},{'abc'[n % 3]},u{n}@example.org" for n in range(400)]
    (root / "DATA/raw/people.csv").write_text("\n".join(["person_id,age,zip,diagnosis,mail", *rows, ""]))
    (root / "configs/prj_config.yaml").write_text("policies: {rules: [policies/house.yaml]}\n")
    (root / "policies/house.yaml").write_text(HOUSE)
    (root / "configs/release.yaml").write_text(ANONYMIZE)
    return root


def ran(project: Path, *words: object, code: int) -> str:
    done = command_line.run([str(word) for word in words], project, clean_environment(project.parent / "home"))
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_a_release_is_measured_and_past_runs_are_held_against_later_rules(project: Path) -> None:
    """The released table itself is counted. A stricter rule refuses the plan, the bundle, and fails `policy test`."""
    ran(project, "run", "release", code=0)
    report = json.loads((project / "DATA/reports/release_report.json").read_text())
    checked = {each["rule"]: each for each in report["sections"]["policies"]["facts"]["checked"]}
    assert checked["10-anonymity"]["found"].startswith("measured 12 on age, zip")
    assert {each["met"] for each in checked.values()} == {"met"}
    found = json.loads(ran(project, "policy", "test", "--json", code=0))
    assert (found["not_met"], len(found["findings"])) == (0, 5)
    assert "10" in ran(project, "policy", "show", code=0)

    house = project / "policies/house.yaml"
    house.write_text(HOUSE.replace("min: 10", "min: 30"))
    assert "asks for k = 12, and policies/house.yaml for 30" in ran(project, "run", "release", code=2)
    assert "NOT MET" in ran(project, "policy", "test", "release", code=1)
    assert "measured 12" in ran(project, "release", "release", "--accept", "why", "--by", "me", code=5)

    (project / "DATA/processed/release/output/safe.csv").write_text("age\n1\n")
    found = json.loads(ran(project, "policy", "test", "--json", code=0))
    assert {each["met"] for each in found["findings"] if "anonymity" in each["rule"]} == {None}
    house.write_text(HOUSE.replace("mail", "zip"))
    assert "has zip" in ran(project, "policy", "test", "--json", code=1)


COPY = """\
from pamola_tasks import Operation, OperationResult, hookimpl, reads, writes

PAMOLA_HOOK_API = 1


class CopyOperation(Operation):
    source: str = reads()
    target: str = writes("kept")

    def execute(self, ctx):
        ctx.data.write(self.target, ctx.data.frame(self.source))
        return OperationResult.success()


@hookimpl
def pamola_add_operations():
    return {"CopyOperation": CopyOperation}
"""


def test_a_table_that_breaks_a_rule_is_not_published(project: Path) -> None:
    """Where the columns of a masked copy follow from the input's header and the plan, nothing is run.

    Where a step does not say which columns it writes, it fails, and nothing of it is in the output folder.
    """
    task, copy = project / "configs/masked.yaml", project / "copies.py"
    task.write_text(ANONYMIZE + "  - MaskOperation: {input_dataset: people, output_dataset: kept, columns: [zip]}\n")
    said = ran(project, "run", "masked", code=2)
    assert "step MaskOperation releases person_id, mail, which policies/house.yaml forbids" in said
    assert not [path for path in (project / "DATA").rglob("*.csv") if path.name != "people.csv"]
    task.write_text(ANONYMIZE + "  - CopyOperation: {source: people}\n")
    copy.write_text(COPY)
    said = ran(project, "--plugin", copy, "run", "masked", code=4)
    assert "kept: has person_id, mail (house rule forbidden_columns of policies/house.yaml)" in said
    assert [path.name for path in (project / "DATA/processed/masked/output").iterdir()] == ["safe.csv"]
    report = json.loads((project / "DATA/reports/masked_report.json").read_text())
    assert report["verdict"]["verdict"] == "not met"
    assert "u17@" not in said


def test_a_task_can_tighten_rules_but_not_loosen_them(project: Path) -> None:
    """`policies.rules` is the project's; `further` adds. Without the required operation nothing runs."""
    task = project / "configs/release.yaml"
    task.write_text(ANONYMIZE + "policies: {rules: []}\n")
    assert "only the project file states it, not the task file" in ran(project, "run", "release", code=2)
    task.write_text(ANONYMIZE)
    said = ran(project, "run", "release", "--set", "policies.rules=[]", code=2)
    assert "only the project file states it, not the command line" in said
    (project / "policies/more.yaml").write_text("forbidden_columns: [zip]\n")
    task.write_text(ANONYMIZE + "policies: {further: [policies/more.yaml]}\n")
    assert "releases zip, which policies/more.yaml forbids" in ran(project, "run", "release", code=2)
    copied = "  - MaskOperation: {input_dataset: people, columns: [mail]}\n"
    task.write_text(ANONYMIZE.partition("  - ")[0] + copied)
    assert "the plan has no step of AnonymizeOperation" in ran(project, "run", "release", code=2)
    task.write_text(ANONYMIZE + "policies: {further: [policies/none.yaml]}\n")
    assert "there is no file policies/none.yaml" in ran(project, "run", "release", code=2)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("k: {min: 1}", "k.min: this has to be a number of 2 or more"),
        ("k: {min: 2.5}", "k.min: this has to be a whole number"),
        ("k: {least: 5}", "'least' is unknown; it has min"),
        ("kk: {min: 5}", "there is no rule 'kk'"),
        ("t: {max: 2}", "t.max: this has to be a number from 0 to 1"),
        ("suppression: 3", "this has to be a mapping"),
        ("forbidden_columns: name", "this has to be a list of names"),
        ("safe_harbor: {small_zips: ['36']}", "'36' is not three digits"),
        ("k: &a {min: 5}", "anchors and aliases"),
        ("k: {min: 5", "rules.yaml:1:11: this is neither YAML nor JSON"),
    ],
)
def test_a_file_that_is_no_set_of_rules_is_refused(text: str, says: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        read(text.encode(), "rules.yaml")
    assert says in str(caught.value)


def test_postal_codes_in_a_file_of_rules_keep_their_zeros() -> None:
    found = read(b"safe_harbor: {small_zips: [036, 059], ages: [years]}\nmodels: {beta-likeness: {beta: 1.5}}", "r")
    assert found.safe_harbor == SafeHarbor(small_zips=frozenset({"036", "059"}), ages=("years",))
    assert found.models[0].parameters == {"beta": 1.5}


SMALL = SafeHarbor(small_zips=frozenset({"036"}))


@pytest.mark.parametrize(
    ("column", "cells", "says"),
    [
        ("zip", ["03601", "021"], "1 different postal codes of more than three digits (B)"),
        ("zip_code", ["036", "021**"], "1 postal codes of areas with 20,000 or fewer people"),
        ("zip", ["000", "021", "*", None], ""),
        ("ZipCode", [21, 100], "1 different postal codes of more than three digits"),
        ("admitted", pd.to_datetime(["2020-01-02", None]), "1 dates more exact than a year (C)"),
        ("born", ["[1990-01-01,1991-01-01]", "1990-01-03"], "dates more exact than a year"),
        ("born", ["1990", "1991"], ""),
        ("born", [1990, 1991], ""),
        ("age", [89, 90, 91], "2 different ages over 89"),
        ("age", [" >=90", "[80,89]", "90+", "*"], ""),
        ("patientAge", ["[85,97]"], "1 different ages over 89"),
        ("contact", ["a@b.org", "none"], "email addresses (F)"),
        ("number", ["078-05-1120"], "social security numbers (G)"),
        ("first_name", ["x"], "names (A)"),
        ("Patient ID", [1], "other unique numbers and codes (R)"),
        ("language", ["en"], ""),
        ("village", ["x"], ""),
    ],
)
def test_safe_harbor_judges_columns_by_name_and_cells(column: str, cells: Any, says: str) -> None:
    found = list(breaches(pd.DataFrame({column: cells}), SMALL))
    assert says in found[0] if says else found == [], found
    assert list(breaches(pd.DataFrame({column: cells}), SafeHarbor(harmless=(column,)))) == []


def test_safe_harbor_has_eighteen_categories_and_asks_for_the_list_of_small_areas() -> None:
    """45 CFR 164.514(b)(2)(i), (A) to (R)."""
    assert list(CATEGORIES) == [chr(code) for code in range(ord("A"), ord("R") + 1)]
    (said,) = breaches(pd.DataFrame({"zip": ["021"]}), SafeHarbor())
    assert "`small_zips` does not say" in said
