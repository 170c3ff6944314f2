"""Files and columns that a plan names and will not have are told before anything runs; a report has their lineage."""

import json
import shutil

import pandas as pd
import pytest

CONFIGS = {
    "wrong": """
input_datasets: {people: DATA/raw/people.csv}
operations:
  - DropOperation: {columns: [city]}
  - MaskOperation:
      columns: [person, city]
      insensitive_attributes: [agee]
  - RiskOperation: {input_dataset: people, quasi_identifiers: [age, Citty]}
""",
    "absent": """
input_datasets: {people: DATA/raw/nowhere.csv}
operations:
  - DropOperation: {columns: [city]}
  - MaskOperation: {columns: [city]}
""",
    "levels": """
input_datasets: {people: DATA/raw/people.csv}
auxiliary_datasets: {cities: DATA/raw/cities.csv, ragged: DATA/raw/ragged.csv}
operations:
  - GeneralizeOperation: {columns: [city], method: hierarchy, hierarchies: {city: cities}, levels: {city: 3}}
  - UtilityOperation:
      original_dataset: people
      anonymized_dataset: people_generalized
      quasi_identifiers: [city]
      hierarchies: {city: ragged}
""",
    "near": """
input_datasets: {people: DATA/raw/peple.csv}
operations:
  - DropOperation: {input_dataset: poeple, columns: [city]}
  - DropOperation: {input_dataset: people, columns: [city], output_dataset: fewer}
""",
    "unknown": """
input_datasets: {people: DATA/raw/people.csv}
operations:
  - StrangeOperation: {}
  - MaskOperation: {input_dataset: people_strange, columns: [anything]}
""",
    "first": """
input_datasets: {people: DATA/raw/people.csv}
operations:
  - DropOperation: {columns: [city], output_dataset: fewer}
""",
    "second": """
input_datasets: {fewer: DATA/processed/first/output/fewer.csv}
operations:
  - MaskOperation: {columns: [city]}
""",
    "third": """
input_datasets: {same: DATA/raw/same.parquet}
operations:
  - MaskOperation: {columns: [citty]}
""",
    "misplaced": """
input_datasets: {people: DATA/raw/people.csv}
id: people
operations:
  - DropOperation: {columns: [persn], id: drop, retry: {max_retries: 1}}
    seed: 3
  - MaskOperation: {timeout: 5, use_encryption: false, columns: [city], keep_first: one}
    continue_on_error: true
  - operation: MaskOperation
    id: second
    paramters: {}
    columns: [city, agee]
  - MaskOperation:
    columns: [city]
    output_dataset: again
""",
    "right": """
input_datasets: {people: DATA/raw/people.csv}
report_formats: [json, markdown]
operations:
  - GeneralizeOperation: {columns: [age], method: interval, width: 10}
  - SuppressOperation: {suppress: records, columns: [age], min_count: 2}
  - DropOperation: {columns: [person], output_dataset: safe}
  - ProfileOperation: {dataset_name: people, fields: [city]}
""",
}
_STEP = "is an option of the step: write it beside MaskOperation, not among its parameters"
_TASK = "is a key of the task: write it at the top level, outside `operations`"
_NESTED = "is a parameter of MaskOperation: write it under MaskOperation, indented further"
MISPLACED = [
    f"configs/misplaced.yaml:{text}"
    for text in (
        "3:1: id: 'id' is an option of a step: write it beside an operation",
        f"6:5: operations[0].seed: 'seed' {_TASK}",
        f"5:39: operations[0].DropOperation.id: 'id' {_STEP}".replace("Mask", "Drop"),
        f"5:49: operations[0].DropOperation.retry: 'retry' {_STEP}".replace("Mask", "Drop"),
        f"7:21: operations[1].MaskOperation.timeout: 'timeout' {_STEP}",
        f"7:33: operations[1].MaskOperation.use_encryption: 'use_encryption' {_TASK}",
        "7:85: operations[1].MaskOperation.keep_first: MaskOperation: keep_first: expected a whole number, got text",
        "11:5: operations[2].paramters: unknown key 'paramters' beside the operation: did you mean 'parameters'?",
        "12:5: operations[2].columns: 'columns' is a parameter of MaskOperation: write it under `parameters`",
        f"14:5: operations[3].columns: 'columns' {_NESTED}",
        f"15:5: operations[3].output_dataset: 'output_dataset' {_NESTED}",
        "5:31: operations[0].DropOperation.columns[0]: people has no column persn (named in `columns`):"
        " did you mean 'person'?",
        "12:21: operations[2].columns[1]: people_dropped has no column agee (named in `columns`): did you mean 'age'?",
    )
]
STRANGE = """
from pamola_tasks import Operation, OperationResult, hookimpl, reads, writes


class StrangeOperation(Operation):
    \"\"\"Add a column without saying so.\"\"\"

    input_dataset: str = reads("people")
    output_dataset: str = writes("{input}_strange")

    def execute(self, ctx):
        ctx.data.write(self.output_dataset, ctx.data.frame(self.input_dataset).assign(anything="x"))
        return OperationResult.success()


@hookimpl
def pamola_add_operations():
    return {"StrangeOperation": StrangeOperation}
"""


@pytest.fixture
def full(place):
    (place / "strange.py").write_text(STRANGE)
    for name, text in CONFIGS.items():
        (place / f"configs/{name}.yaml").write_text(f"task_id: {name}{text}")
    (place / "DATA/raw/cities.csv").write_text("a,north,any\nb,south,any\n")
    (place / "DATA/raw/ragged.csv").write_text("a,north,any\nb,south\n")
    return place


def test_all_columns_that_will_not_be_there_are_named_at_once(cli, full):
    """With line, reason and the name probably meant; nothing of columns of absent files, nor behind unknown effects.

    An output of another task may lack a column only because that task has not run since it was changed.
    """
    cli("run", "first", cwd=full, code=0)
    pd.read_csv(full / "DATA/raw/people.csv").to_parquet(full / "DATA/raw/same.parquet")
    done = cli("--plugin", "strange.py", "config", "check", "--json", cwd=full, code=2)
    assert [text.removesuffix(" (plugin data)") for text in json.loads(done.stdout)["problems"]] == [
        "configs/absent.yaml:2:26: input_datasets.people: there is no file DATA/raw/nowhere.csv (dataset people)",
        "configs/levels.yaml:5:83: operations[0].GeneralizeOperation.hierarchies.city: DATA/raw/cities.csv: the"
        " hierarchy of city has levels 1 to 2, and no level 3 (plugin ops-anonymize)",
        "configs/levels.yaml:10:27: operations[1].UtilityOperation.hierarchies.city: DATA/raw/ragged.csv, line 2: the"
        " hierarchy of city has 2 levels here and 3 in line 1: every line needs the same number of fields"
        " (plugin ops-anonymize)",
        *MISPLACED,
        "configs/near.yaml:4:36: operations[0].DropOperation.input_dataset: step DropOperation reads 'poeple', which is"
        " neither an input nor written: did you mean 'people'?",
        "configs/near.yaml:2:26: input_datasets.people: there is no file DATA/raw/peple.csv (dataset people):"
        " did you mean DATA/raw/people.csv?",
        "configs/third.yaml:4:31: operations[0].MaskOperation.columns[0]: same has no column citty (named in"
        " `columns`): did you mean 'city'?",
        "configs/wrong.yaml:6:25: operations[1].MaskOperation.columns[1]: people_dropped has no"
        " column city (named in `columns`): step DropOperation leaves it out of people",
        "configs/wrong.yaml:7:32: operations[1].MaskOperation.insensitive_attributes[0]: "
        "people_dropped has no column agee (named in `insensitive_attributes`): did you mean 'age'?",
        "configs/wrong.yaml:8:69: operations[2].RiskOperation.quasi_identifiers[1]: people has no"
        " column Citty (named in `quasi_identifiers`): did you mean 'city'?",
    ]
    assert "did you mean DATA/raw/people.csv?" in cli("show", "near", cwd=full, code=2).stderr
    failed = cli("run", "wrong", cwd=full, code=2)
    assert "steps   none" in failed.stdout
    assert failed.stdout.count("has no column") == 3
    missing = cli("run", "second", cwd=full, code=2)
    assert "fewer has no column city (named in `columns`): it has person, age" in missing.stdout


def test_an_encrypted_input_is_looked_at_with_its_key_and_left_alone_without(cli, full, home):
    cli("keys", "init", cwd=full, code=0)
    cli("encrypt", "--in-place", "DATA/raw/people.csv", cwd=full, code=0)
    told = cli("config", "check", "wrong", cwd=full, code=2)
    assert told.stderr.count("has no column") == 3
    for folder in home.rglob("keys"):
        shutil.rmtree(folder)
    assert "no problems found" in cli("config", "check", "wrong", cwd=full, code=0).stdout


def test_several_tasks_are_looked_at_before_the_first_runs(cli, full):
    """Of a task that needs another of them only what is written is told, and columns once that has run."""
    for name in ("unknown", "absent", "near", "misplaced", "levels"):
        (full / f"configs/{name}.yaml").unlink()
    refused = cli("run", "right", "first", "second", "third", "wrong", cwd=full, code=2)
    assert sum("has no column" in line for line in refused.stderr.splitlines()) == 3
    assert "there is no file DATA/raw/same.parquet" in refused.stderr
    assert not (full / "DATA/processed").exists()
    done = cli("run", "--all", "--continue-on-error", "--json", cwd=full, code=2)
    assert {each["task"]: each["status"] for each in json.loads(done.stdout)}["right"] == "success"


def test_a_report_says_from_which_columns_of_the_inputs_each_released_column_follows(cli, full):
    cli("run", "right", cwd=full, code=0)
    report = json.loads((full / "DATA/reports/right_report.json").read_text())
    found = report["sections"]["column_lineage"]["facts"]

    def of(column, kind, masking=False):
        return {"dataset": "people", "column": column, "kind": kind, "masking": masking}

    assert found == {
        "safe": {
            "columns": {"age": [of("age", "TRANSFORMATION", True)], "city": [of("city", "IDENTITY")]},
            "whole": [of("age", "FILTER", True)],
        },
        "people_profile": {"columns": {}, "whole": [of("city", "AGGREGATION", True)]},
    }
    text = " ".join((full / "DATA/reports/right_report.md").read_text().split())
    assert "| safe | age | people.age (masked) | |" in text
    assert "| safe | which rows, in which order | | people.age (" in text
    manifest = json.loads((full / "DATA/processed/right/manifest.json").read_text())
    assert manifest["column_lineage"] == found
    cli("keys", "init", cwd=full, code=0)
    cli("run", "right", "--set", "use_encryption=true", cwd=full, code=0)
    encrypted = json.loads((full / "DATA/reports/right_report.json").read_text())
    assert encrypted["sections"]["column_lineage"]["facts"] == found, "names of columns are not withheld"


BEGINNINGS = {
    "book.xlsx": b"PK\x03\x04 cut off",
    "lines.jsonl": b'{"age": 1}\nage 2\n',
    "array.json": b'[{"age": 1}',
    "piece.parquet": b"PAR1",
    "quote.csv": b'age,"city\n1,a\n',
    "twice.csv": b"age,age\n1,2\n",
    "names.jsonl": b'{"agee": 1}\n',
    "bytes.csv": b"\x01\x02" * 100,
}


def test_inputs_that_cannot_be_read_are_named_before_anything_runs(cli, full):
    """Of every format, all at once; what a step reads as it is, such as a hierarchy, need not be a table."""
    for path in (full / "configs").glob("*.yaml"):
        path.unlink()
    for name, content in BEGINNINGS.items():
        (full / f"DATA/raw/{name}").write_bytes(content)
    (full / "DATA/raw/starred.csv").write_text("*,*,*\n")
    pd.DataFrame({"agee": [1]}).to_excel(full / "DATA/raw/names.xlsx", index=False)
    inputs = {name: f"DATA/raw/{name}" for name in [*BEGINNINGS, "names.xlsx", "starred.csv"]}
    steps = [
        {"MaskOperation": {"input_dataset": name, "output_dataset": f"out{place}", "columns": ["age"]}}
        for place, name in enumerate(inputs)
        if name != "starred.csv"
    ]
    recoded = {"columns": ["age"], "method": "hierarchy", "hierarchies": {"age": "starred.csv"}, "levels": {"age": 1}}
    steps[-1] = {"GeneralizeOperation": {"input_dataset": "names.xlsx", "output_dataset": "recoded", **recoded}}
    (full / "configs/all.json").unlink(missing_ok=True)
    (full / "configs/all.yaml").write_text(json.dumps({"input_datasets": inputs, "operations": steps}))
    failed = cli("run", "all", "--json", cwd=full, code=2)
    message = json.loads(failed.stdout)["error"]["message"]
    assert not (full / "DATA/processed/all/output").exists() or not any((full / "DATA/processed/all/output").iterdir())
    for words in (
        "input_datasets.book.xlsx: DATA/raw/book.xlsx: cannot be read: it is damaged",
        "DATA/raw/lines.jsonl: line 2 is not JSON",
        "DATA/raw/array.json: it is not JSON: line 1",
        "DATA/raw/piece.parquet: cannot be read: it is damaged",
        'DATA/raw/quote.csv: the quote " that opens a cell in line 1 (the header) is never closed',
        "DATA/raw/twice.csv: the header has 'age' more than once",
        "names.jsonl has no column age (named in `columns`): did you mean 'agee'?",
        "names.xlsx has no column age (named in `columns`): did you mean 'agee'?",
        "bytes.csv has no column age (named in `columns`): it has '\\x01\\x02",
    ):
        assert words in message, words
    assert "starred.csv: the header" not in message
    assert "\x01" not in message
