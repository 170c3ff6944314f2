"""Operations of pamola-core beside ours, each with its own libraries; the real package, in a Python of its own."""

from __future__ import annotations

import csv
import json
import os
from pathlib import Path
from typing import Any

import pytest

from pamola_ops_pamola_core.operation import PamolaCoreOperation
from pamola_tasks.errors import ParameterError

PYTHON = os.environ.get("PAMOLA_CORE_PYTHON", "")

TASK = """\
task_id: mixed
task_type: test
input_datasets: {people: DATA/raw/people.csv}
continue_on_error: true
operations:
  - PamolaCoreOperation:
      operation: AttributeSuppressionOperation
      arguments: {field_name: ssn}
      input_dataset: people
      output_dataset: fewer
      lineage: {person: [person], name: [name], age: [age], city: [city], income: [income]}
    id: suppress
    python: PYTHON
  - PamolaCoreOperation:
      operation: PartialMaskingOperation
      arguments: {field_name: name, mask_char: "#", unmasked_prefix: 2}
      input_dataset: fewer
      output_dataset: masked
    id: mask
    python: PYTHON
  - PamolaCoreOperation:
      operation: "pamola_core.anonymization:NumericGeneralizationOperation"
      arguments: {field_name: age, strategy: binning, bin_count: 3, binning_method: equal_width}
      input_dataset: masked
      output_dataset: binned
    id: bin
    python: PYTHON
  - AnonymizeOperation: {input_dataset: binned, output_dataset: safe, quasi_identifiers: [age, city], k: 5}
  - ProfileOperation: {dataset_name: binned}
  - PamolaCoreOperation:
      operation: NumericGeneralizationOperation
      arguments: {field_name: age, strategy: guessing}
      input_dataset: people
      output_dataset: guessed
    id: guess
    python: PYTHON
  - PamolaCoreOperation:
      operation: NumericGeneralizationOperation
      arguments: {field_name: name, strategy: rounding, precision: 1}
      input_dataset: people
      output_dataset: rounded
    id: text
    python: PYTHON
  - PamolaCoreOperation:
      operation: SplitFieldsOperation
      arguments:
        {id_field: person, field_groups: {who: [name, city], money_of_who: [income]}}
      input_dataset: people
      output_tables: {who: people_who, money_of_who: people_money}
    id: split
    python: PYTHON
  - PamolaCoreOperation:
      operation: SplitFieldsOperation
      arguments: {id_field: person, field_groups: {who: [name], rest: [income]}}
      input_dataset: people
      output_tables: {who: one_of_two}
    id: half
    python: PYTHON
"""


def project(place: Path, python: str) -> Path:
    """A project whose task has steps of both, and a table of 120 people."""
    rows = "".join(
        f"{n},Person {n:03d},{900000 + n * 37},{20 + n % 9 * 5},{'ab'[n % 2]},{2.5 * n}\n" for n in range(120)
    )
    (place / "DATA/raw/people.csv").write_text("person,name,ssn,age,city,income\n" + rows)
    (place / "configs/mixed.yaml").write_text(
        TASK.replace("    python: PYTHON\n", f"    python: {python}\n" * bool(python))
    )
    venv = Path(python).parent.parent
    (place / "configs/prj_config.yaml").write_text(f"allow_external: true\nallowed_external_paths: [{venv}]\n")
    return place


def run(cli: Any, place: Path, *more: str) -> tuple[dict[str, Any], dict[str, str]]:
    """The report of a run, and the status of each step."""
    cli("run", "mixed", "--set", "seed=7", *more, cwd=place)
    report: dict[str, Any] = json.loads((place / "DATA/reports/mixed_report.json").read_text())
    return report, {step["step"]: step["status"] for step in report["operations"]}


@pytest.mark.skipif(not PYTHON, reason="pamola-core: `nox -s tests` makes its Python")
def test_a_task_mixes_our_steps_and_those_of_pamola_core(cli: Any, place: Path) -> None:
    """Three operations with their pins and two with ours; errors with their codes, and without cells; then skipped."""
    project(place, PYTHON)
    report, status = run(cli, place)
    done = dict.fromkeys(("suppress", "mask", "bin", "split", "AnonymizeOperation", "ProfileOperation"), "success")
    assert status == {**done, "guess": "error", "text": "error", "half": "error"}
    rows = list(csv.DictReader((place / "DATA/processed/mixed/output/safe.csv").open()))
    assert len(rows) == 120
    assert all("-" in row["age"] for row in rows), "ages are ranges"
    assert "ssn" not in rows[0]

    facts = report["sections"]["interpreters"]["facts"]
    there = {each["distribution"].lower(): each["version"] for each in facts["libraries"]}
    assert (there["pamola-core"], there["pandas"], there["pyarrow"]) == ("1.0.0.dev4", "2.2.2", "14.0.2")
    assert __import__("pandas").__version__ != there["pandas"]
    assert facts["interpreters"][0]["steps"] == "suppress, mask, bin, guess, text, split, half"
    for name, columns in (("who", ["person", "name", "city"]), ("money", ["person", "income"])):
        rows = list(csv.reader((place / f"DATA/processed/mixed/output/people_{name}.csv").open()))
        assert (rows[0], len(rows)) == (columns, 121)
    assert report["metrics"]["mask"]["values_masked"] == 120
    assert json.loads((place / "DATA/processed/mixed/internal/mask_metrics.json").read_text())["values_masked"] == 120

    errors = {error["step"]: error["message"] for error in report["errors"]}
    assert "CONFIG_INVALID" in errors["guess"]
    assert "'guessing' is not valid" in errors["guess"], "its arguments were checked before it had a row"
    assert "FIELD_VALUE_ERROR" in errors["text"]
    assert "OUTPUT_TABLES" in errors["half"]
    everything = "".join(path.read_text() for path in (place / "DATA/reports").rglob("*") if path.is_file())
    assert "Person 00" not in everything
    kept = [
        path for path in (place / "DATA/processed").rglob("*") if "pamola-core" in path.name or path.suffix == ".log"
    ]
    assert kept == []

    report, status = run(cli, place, "--skip", "guess", "--skip", "text", "--skip", "half")
    assert {status[name] for name in done} == {"skipped"}


def test_a_step_names_the_interpreter_that_has_pamola_core(cli: Any, place: Path) -> None:
    done = cli("run", "mixed", cwd=project(place, ""), code=2)
    assert "step suppress: name the interpreter that has pamola-core" in done.stdout.replace("\n", " ")


def test_what_is_stated_of_columns_is_their_lineage() -> None:
    known = {"operation": "MaskOperation", "input_dataset": "people", "output_dataset": "masked"}
    step = PamolaCoreOperation(**known, lineage={"name": ["name"], "half": ["age", "city"]}, masking=["name"])
    effects = step.effects({"people": ["name", "age", "city"]})["masked"].columns
    assert [(e.dataset, e.column, e.masking) for e in effects["name"]] == [("people", "name", True)]
    assert [e.column for e in effects["half"]] == ["age", "city"]
    assert PamolaCoreOperation(**known).effects({"people": ["name"]}) == {}
    several = PamolaCoreOperation(operation="SplitFieldsOperation", input_dataset="p", output_tables={"a": "one"})
    assert several.output_datasets() == ("one",)
    with pytest.raises(ParameterError, match="leave one of them out") as error:
        PamolaCoreOperation(**known, output_tables={"a": "one"}, lineage={})
    assert len(error.value.problems) == 2
    with pytest.raises(ParameterError, match="use_encryption belongs to the task") as error:
        PamolaCoreOperation(
            operation="no name", input_dataset="people", arguments={"use_encryption": True}, masking=["x"]
        )
    assert len(error.value.problems) == 3
