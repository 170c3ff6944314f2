"""A dataset format from another distribution, installed with pip from a folder, as the manual says to write it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent

TASK = """\
task_id: copy
description: Leave a column out
input_datasets: {people: DATA/raw/people.csv}
operations:
  - DropOperation: {input_dataset: people, output_dataset: fewer, columns: [city]}
"""
SECOND = """\
from pamola_tasks import Contribution, hookimpl

@hookimpl
def pamola_add_dataset_formats():
    return {"csv": CONTRIBUTED}
"""


@pytest.fixture(scope="module")
def acme(extra_site: Callable[[Path], Path]) -> dict[str, str]:
    return {"PYTHONPATH": str(extra_site(HERE / "foreign_format"))}


@pytest.fixture
def copying(place: Path) -> Path:
    (place / "configs/copy.yaml").write_text(TASK)
    (place / "DATA/raw/people.csv").write_text("person,age,city\n1,007,a\n2,,b\n")
    return place


def test_it_replaces_csv(cli: Any, copying: Path, acme: dict[str, str]) -> None:
    cli("run", "copy", cwd=copying, env=acme, code=0)
    assert (copying / "DATA/processed/copy/output/fewer.csv").read_text() == "person,age\n1,007\n2,\n"
    report = json.loads((copying / "DATA/reports/copy_report.json").read_text())
    assert [plugin["version"] for plugin in report["plugins"] if plugin["name"] == "acme-formats"] == ["1.0"]
    again = cli("run", "copy", cwd=copying, env=acme, code=0)
    assert "1 unchanged since an earlier run" in again.stdout


def test_a_format_that_cannot_be_imported_matters_only_where_it_is_used(
    cli: Any, copying: Path, acme: dict[str, str]
) -> None:
    (copying / "configs/copy.yaml").write_text(TASK.replace("people.csv", "people.spss"))
    (copying / "DATA/raw/people.spss").write_text("x")
    failed = cli("run", "copy", cwd=copying, env=acme, code=2)
    said = failed.stdout + failed.stderr
    assert "acme-formats" in said
    assert "not_installed_lib.reader:SPSS" in said
    assert "No module named 'not_installed_lib'" in said


@pytest.mark.parametrize(
    ("contributed", "said"),
    [('"x:Y"', "both bring the dataset format 'csv'"), ('Contribution("x:Y", replaces="csv")', "both replace")],
)
def test_two_that_claim_one_format_are_an_error_that_names_both(
    cli: Any, copying: Path, acme: dict[str, str], contributed: str, said: str
) -> None:
    (copying / "second.py").write_text(SECOND.replace("CONTRIBUTED", contributed))
    failed = cli("--plugin", "second.py", "run", "copy", cwd=copying, env=acme)
    assert failed.returncode != 0
    text = " ".join(failed.stdout.split())
    assert said in text
    assert "second" in text
    assert ("acme-formats" if "replace" in said else "data") in text
