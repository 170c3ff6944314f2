"""European files: what is stated of them in a task's file, what of that is refused, and where."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

ROWS = "".join(
    f"Meier{i};{1 + i % 28:02}.{1 + i % 12:02}.{1950 + i % 50};{i % 3},{i % 10}0;{1 + i % 9}.{100 + i};{word}\n"
    for i in range(60)
    for word in [("ja", "nein")[i % 2]]
)
TABLE = "Name;Geburtsdatum;Größe;Einkommen;aktiv\n" + ROWS
WRITTEN = """\
data:
  datasets:
    kunden: {delimiter: ";", encoding: latin-1, decimal: ",", thousands: ".", date_format: "%d.%m.%Y"}
"""
TYPES = "data_types:\n  kunden: {Geburtsdatum: date, aktiv: {type: boolean, true: [ja], false: nein}}\n"
HEAD = "task_id: t\ninput_datasets: {kunden: DATA/raw/kunden.csv}\n"
DAY = "[0-9]{4}-[0-9]{2}-[0-9]{2}"
INTERVAL = rf"\[{DAY},{DAY}\)|(<|>=){DAY}"
STEPS = """\
operations:
  - DropOperation: {input_dataset: kunden, output_dataset: fewer, columns: [Name]}
  - AnonymizeOperation: {input_dataset: fewer, output_dataset: safe, k: 3, quasi_identifiers: [Geburtsdatum]}
"""


def put(project: Path, task: str, name: str = "t", table: str = TABLE) -> None:
    (project / "DATA/raw/kunden.csv").write_bytes(table.encode("latin-1"))
    (project / f"configs/{name}.yaml").write_text(task)


def released(project: Path, name: str, task: str = "t") -> pd.DataFrame:
    return pd.read_csv(project / f"DATA/processed/{task}/output/{name}.csv")


@pytest.mark.parametrize("types", [TYPES, ""], ids=["types stated", "no types"])
def test_a_semicolon_file_is_released_as_numbers_and_intervals_of_dates(cli, project, types):
    put(project, HEAD + WRITTEN + types + STEPS)
    cli("config", "check", "t", cwd=project, code=0)
    cli("run", "t", cwd=project, code=0)
    safe = released(project, "safe")
    assert sorted(safe["Größe"]) == sorted(i % 3 + i % 10 / 10 for i in range(60))
    assert sorted(safe["Einkommen"]) == sorted(1000 * (1 + i % 9) + 100 + i for i in range(60))
    assert safe["Geburtsdatum"].str.fullmatch(INTERVAL).all()


def test_what_a_task_has_written_is_read_as_tasks_write(cli, project):
    """What the project says of all files does not hold for the outputs that other tasks and steps read."""
    put(project, HEAD + STEPS + "outputs: [fewer]\n")
    (project / "configs/u.yaml").write_text(
        "task_id: u\ninput_datasets: {fewer: DATA/processed/t/output/fewer.csv}\noperations:\n"
        "  - DropOperation: {input_dataset: fewer, output_dataset: least, columns: [aktiv]}\n"
    )
    (project / "configs/prj_config.yaml").write_text(
        'default_delimiter: ";"\ndata: {decimal: ",", thousands: ".", date_format: "%d.%m.%Y"}\n'
        'data_types:\n  Geburtsdatum: {type: date, format: "%d.%m.%Y"}\n  Einkommen: {type: number, decimal: ","}\n'
    )
    for task in ("t", "u"):
        cli("run", task, cwd=project, code=0)
    t, u = (pd.read_csv(project / f"DATA/processed/{at}.csv", sep=";") for at in ("t/output/fewer", "u/output/least"))
    pd.testing.assert_frame_equal(t.drop(columns="aktiv"), u)
    assert u["Größe"][11] == 2.1


def test_a_file_in_the_input_directory_of_a_task_is_one_of_people(cli, project):
    put(
        project, HEAD.replace("DATA/raw/", "DATA/processed/t/input/") + STEPS + 'data: {decimal: ",", thousands: "."}\n'
    )
    (project / "DATA/processed/t/input").mkdir(parents=True)
    (project / "DATA/raw/kunden.csv").rename(project / "DATA/processed/t/input/kunden.csv")
    cli("run", "t", cwd=project, code=0)
    assert sorted(released(project, "safe")["Einkommen"]) == sorted(1000 * (1 + i % 9) + 100 + i for i in range(60))


WRONG = {
    "data_types: {kunden: {Name: {type: text, fromat: x}}}": "unknown key 'fromat': did you mean 'format'?",
    "data_types: {kunden: {Name: {type: dtae}}}": "unknown type 'dtae' for column 'Name': use one of text",
    "data_types: {kunden: {Name: {format: '%Y'}}}": "'type'",
    "data_types: {kunden: {Name: {type: date, format: dd.mm.yyyy}}}": "no directive: did you mean '%d.%m.%Y'?",
    "data_types: {kunden: {Name: {type: date, format: '%d.%m.%y'}}}": "%y does not say the century",
    "data_types: {kunden: {Name: {type: date, format: '%d.%m.'}}}": "leaves open which day it is",
    "data_types: {kunden: {Name: {type: date, format: '%d.%m.%Y %H:%M'}}}": "%H is part of a time",
    "data_types: {kunden: {Name: {type: datetime, format: '%d.%m.%Y'}}}": "has no hour",
    "data_types: {kunden: {Name: {type: date, format: '%Q.%m.%Y'}}}": "unknown directive %Q",
    "data_types: {kunden: {Name: {type: text, format: '%d.%m.%Y'}}}": "'format' is for date and datetime, not for text",
    "data_types: {kunden: {Name: {type: number, decimal: ',', thousands: ','}}}": "',' is the mark of decimals, too",
    "data_types: {kunden: {Name: {type: number, decimal: '::'}}}": "'::' is more than one character",
    "data_types: {kunden: {Name: {type: number, decimal: '1'}}}": "'1' cannot be a mark in numbers",
    "data_types: {kunden: {Name: {type: boolean, true: ja}}}": "state words for true and for false",
    "data_types: {kunden: {Name: {type: boolean, true: ja, false: [nein, JA]}}}": "'ja' cannot mean both",
    "data_types: {kunden: {Name: {type: category, order: [a, b, a]}}}": "a category is there twice",
    "data_types: {kunden: {Name: {type: text, trim: ja}}}": "expected true or false",
    "data_types: {Name: {type: date, format: '%d'}}": "leaves open which day it is",
    "data: {decimal: ',', thousands: ','}": "',' is the mark of decimals, too",
    "data: {date_format: '%d.%m.%y'}": "%y does not say the century",
    "data: {datetime_format: '%d.%m.%Y'}": "has no hour",
    "data: {decimel: ','}": "did you mean 'decimal'?",
    "data: {datasets: {kunden: {delimeter: ';'}}}": "did you mean 'delimiter'?",
    "data: {datasets: {kunden: {delimiter: ';;'}}}": "expected one character, got 2",
    "data: {datasets: {kunden: {encoding: latin-2}}}": "there is no encoding 'latin-2': did you mean 'latin2'?",
    "data: {datasets: {kunden: {encoding: rot13}}}": "there is no encoding 'rot13'",
    "data: {datasets: {kunden: {thousands: '.'}}}": "'.' is the mark of decimals, too",
    "data: {datasets: {kundne: {delimiter: ';'}}}": "there is no such dataset: did you mean 'kunden'?",
    "data: {datasets: {kunden: {sheet: x}}}": "it has no effect on a file of this format",
    "default_encoding: latin-2": "there is no encoding 'latin-2': did you mean 'latin2'?",
    "default_encoding: utf9": "there is no encoding 'utf9'",
    "default_delimiter: ';;'": "expected one character, got 2",
}  # fmt: skip


@pytest.mark.parametrize("line", WRONG)
def test_what_cannot_be_stated_is_refused_at_its_line(cli, project, line: str):
    put(project, HEAD + line + "\n" + STEPS)
    done = cli("config", "check", "t", cwd=project)
    assert done.returncode in (1, 2)
    said = " ".join((done.stdout + done.stderr).split())
    assert WRONG[line] in said
    assert "configs/t.yaml:3" in said


@pytest.mark.parametrize(("name", "words"), [("kundne", "did you mean 'kunden'?"), ("other", "there are ")])
def test_types_of_a_dataset_that_the_task_has_not_are_refused_at_their_line(cli, project, name: str, words: str):
    line = f"data_types: {{{name}: {{Name: text}}}}"
    put(project, HEAD + line + "\n" + STEPS)
    for command in (("run", "t"), ("run", "t", "--dry-run")):
        done = cli(*command, cwd=project)
        said = " ".join((done.stdout + done.stderr).split())
        assert done.returncode in (1, 2)
        assert f"there is no such dataset: {words}" in said
        assert "configs/t.yaml:3" in said
    (project / "configs/t.yaml").write_text(HEAD + STEPS)
    (project / "configs/prj_config.yaml").write_text(line + "\n")  # for all tasks, of which others may have it
    done = cli("run", "t", "--dry-run", cwd=project, code=0)
    assert ("did you mean 'kunden'?" in done.stdout + done.stderr) == (name == "kundne")
    (project / "configs/prj_config.yaml").unlink()
    (project / "configs/t.yaml").write_text(HEAD + line.replace(name, "fewer") + "\n" + STEPS)
    cli("run", "t", "--dry-run", cwd=project, code=0)


def test_values_that_do_not_fit_are_counted_with_the_row_of_the_first(cli, project):
    table = TABLE.replace("05.05.1954", "31.02.1954").replace("06.06.1955", "6.6.55")
    put(project, HEAD + WRITTEN + TYPES + STEPS, table=table)
    said = " ".join(cli("run", "t", cwd=project, code=1).stdout.split())
    assert "column 'Geburtsdatum': 2 values are not written as %d.%m.%Y, of 60 rows, the first in row 5" in said
    assert "31.02" not in said
    put(project, HEAD + WRITTEN + TYPES.replace("ja", "jawohl") + STEPS)
    said = " ".join(cli("run", "t", cwd=project, code=1).stdout.split())
    assert "column 'aktiv': 30 values are none of 'jawohl', 'nein'" in said


def test_the_schema_knows_the_settings(cli, project):
    schema: dict[str, Any] = json.loads(cli("config", "schema", "--json", cwd=project, code=0).stdout)
    data = json.dumps(schema)
    assert all(f'"{key}"' in data for key in ("datetime_format", "thousands", "datasets", "quotechar"))


@pytest.mark.parametrize("format", ["csv", "parquet", "jsonl"])
def test_types_hold_on_the_way_through_published_datasets(cli, project, format):
    """A stated date stays one where the next step, or another task, reads what was published: never exact dates."""
    put(project, HEAD + WRITTEN + TYPES + STEPS + f"outputs: [fewer]\noutput_format: {format}\n")
    (project / "configs/u.yaml").write_text(
        f"task_id: u\ninput_datasets: {{fewer: DATA/processed/t/output/fewer.{format}}}\noperations:\n"
        "  - AnonymizeOperation: {input_dataset: fewer, output_dataset: safe, k: 3,"
        " quasi_identifiers: [Geburtsdatum]}\n"
        + ("data_types: {fewer: {Geburtsdatum: date}}\n" if format == "jsonl" else "")
    )
    if format == "jsonl":  # JSON has no dates: here the type has to be stated of what is published, too
        task = (project / "configs/t.yaml").read_text()
        (project / "configs/t.yaml").write_text(
            task.replace("data_types:\n", "data_types:\n  fewer: {Geburtsdatum: date}\n")
        )
    for task in ("t", "u"):
        cli("run", task, cwd=project, code=0)
        cli("run", task, "--set", "output_format=csv", cwd=project, code=0)
        cells = released(project, "safe", task)["Geburtsdatum"]
        assert cells.str.fullmatch(INTERVAL).all(), task
        cli("run", task, cwd=project, code=0)


def test_a_type_stated_for_columns_of_any_dataset_does_not_hold_for_what_they_were_generalized_to(cli, project):
    types = TYPES + '  Einkommen: {type: number, decimal: ",", thousands: "."}\n  Größe: number\n'
    roles = "quasi_identifiers: [Einkommen]"
    steps = (
        f"operations:\n  - AnonymizeOperation: {{input_dataset: kunden, output_dataset: safe, k: 3, {roles}}}\n"
        f"  - UtilityOperation: {{original_dataset: kunden, anonymized_dataset: safe, {roles}}}\n"
        "  - RiskOperation: {input_dataset: safe, quasi_identifiers: [Einkommen]}\n"
    )
    put(project, HEAD + WRITTEN + types + steps)
    cli("run", "t", cwd=project, code=0)
    put(project, HEAD + WRITTEN + types + steps + "chunk_size: 7\n")
    cli("run", "t", "--restart", cwd=project, code=0)


@pytest.mark.parametrize(
    ("stated", "got"),
    [
        ("type: text, missing: [k.A., 099]", "a whole number"),
        ("type: integer, missing: -9", "a whole number"),
        ("type: number, missing: [9.90]", "a number"),
        ("type: category, order: [01, 02]", "a whole number"),
        ("type: category, order: [low, true]", "true or false"),
        ("type: boolean, true: [01], false: ['00']", "a whole number"),
        ("type: boolean, true: [ja], false: 0", "a whole number"),
        ("type: boolean, true: [true], false: [nein]", "true or false"),
    ],
)
def test_words_that_yaml_has_as_other_values_need_quotes(cli, project, stated, got):
    """Their text is lost: `099` would be the word `99`."""
    put(project, f"{HEAD}{WRITTEN}data_types:\n  kunden:\n    Name: {{{stated}}}\n{STEPS}")
    said = cli("config", "check", "t", cwd=project, code=2).stderr
    assert "configs/t.yaml:8:" in said
    assert f"column 'Name': expected text, got {got}: put quotes around it" in said
