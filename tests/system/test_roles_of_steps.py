"""Steps on single columns say what these are and what became of them: in the report, and to who gets the release."""

from __future__ import annotations

import csv
import io
import json
import zipfile
from pathlib import Path

TASK = """
task_type: anonymization
input_datasets: {{people: DATA/raw/example.csv}}
operations:
{steps}
"""
COLUMNS = """\
  - GeneralizeOperation: {input_dataset: people, output_dataset: a, columns: [age], method: interval, edges: [0, 9, 60]}
  - TopBottomCodeOperation: {input_dataset: a, output_dataset: b, columns: [income], top: 50000}
  - MaskOperation: {input_dataset: b, output_dataset: out, columns: [person_id], insensitive_attributes: [gender]}
"""
CLASSES = """\
  - NoiseOperation: {input_dataset: people, output_dataset: a, columns: [income], scale: 9}
  - AnonymizeOperation: {input_dataset: a, output_dataset: b, k: 3, quasi_identifiers: [age, gender],
      sensitive_attributes: [diagnosis], direct_identifiers: [person_id], ties: fixed}
  - NoiseOperation: {input_dataset: b, output_dataset: out, columns: [income], scale: 9}
"""


def released(cli, project: Path, steps: str) -> tuple[dict[str, dict[str, str]], dict[str, dict[str, str]], bytes]:
    """By column: what the last step says of it, and the line of the dictionary; and the table."""
    (project / "configs/t.yaml").write_text(TASK.format(steps=steps.rstrip()))
    cli("run", "t", cwd=project, code=0)
    report = json.loads((project / "DATA/reports/t_report.json").read_text())
    cli("release", "t", "--to", "out.zip", "--accept", "why", "--by", "me", cwd=project, code=0)
    with zipfile.ZipFile(project / "out.zip") as bundle:
        lines = csv.DictReader(io.StringIO(bundle.read("dictionary.csv").decode()))
        table = bundle.read("data/out.csv")
    said = {row["column"]: row for row in report["operations"][-1]["metrics"]["roles"]}
    return said, {row["column"]: row for row in lines}, table


def test_roles_and_cut_points_of_steps_on_columns(cli, project):
    said, lines, table = released(cli, project, COLUMNS)
    assert {name: (row["role"], row["said"], row["done"]) for name, row in said.items()} == {
        "person_id": ("direct identifier", "stated", "characters masked"),
        "age": ("quasi-identifier", "stated", "intervals or groups"),
        "income": ("quasi-identifier", "stated", "cut at top or bottom"),
        "gender": ("insensitive", "stated", "unchanged"),
    }
    for name, row in said.items():
        assert (lines[name]["role"], lines[name]["done"]) == (row["role"], row["done"])
    assert lines["diagnosis"]["role"] == "not stated"
    cells = {row["age"] for row in csv.DictReader(io.StringIO(table.decode()))}
    assert set(lines["age"]["recoding"].partition(": ")[2].split("; ")) == cells == {"[9,60]", "*"}
    assert lines["age"]["recoding"].startswith("2 different cells: [9,60]")
    page = (project / "DATA/reports/t_report.md").read_text()
    assert "Columns of out" in page
    assert "intervals or groups" in page


def test_what_classes_made_is_said_by_a_step_after_them_too(cli, project):
    said, lines, table = released(cli, project, CLASSES)
    assert {name: (row["role"], row["done"]) for name, row in said.items()} == {
        "age": ("quasi-identifier", "intervals and sets"),
        "gender": ("quasi-identifier", "intervals and sets"),
        "income": ("quasi-identifier", "noise added"),
        "diagnosis": ("sensitive", "unchanged"),
    }
    shown = table.decode()
    for name in ("age", "gender"):
        values = lines[name]["recoding"].partition(": ")[2].split("; ")
        assert values
        assert all(value in shown for value in values)
    assert lines["diagnosis"]["recoding"] == lines["income"]["recoding"] == ""
