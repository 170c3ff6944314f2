"""`pamola-task data`, and what runs, profiles and reports say of columns."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

DAYS = pd.date_range("1931-01-29", periods=100, freq="41D").strftime("%d.%m.%Y").tolist()


@pytest.fixture
def tables(tmp_path: Path) -> Path:
    """A folder that is no project, with a table in it."""
    frame = pd.DataFrame(
        {"Geburtsdatum": DAYS, "age": [n if n % 14 else "unknown" for n in range(100)], "SECRET": "SECRET"}
    )
    frame.to_csv(tmp_path / "people.csv", index=False, sep=";", encoding="utf-16")
    frame.to_excel(tmp_path / "people.xlsx", index=False)
    return tmp_path


def test_the_command_says_how_a_file_was_read_and_what_decides(cli: Any, tables: Path) -> None:
    shown = cli("data", "people.csv", cwd=tables, code=0).stdout
    for words in (
        "people: 100 rows, 3 columns",
        "delimiter  ;",
        "encoding   utf-16",
        "Geburtsdatum  text              dates as dd.mm.yyyy (100 %)",
        'data_types: {people: {Geburtsdatum: {type: date, format: "%d.%m.%Y"}}}',
        "92 % whole numbers, 8 % missing-value words: 'unknown' ×8",
        'data: {missing_values: ["", unknown]}',
    ):
        assert words in shown
    (found,) = json.loads(cli("data", "people.xlsx", "--name", "leute", "--json", cwd=tables, code=0).stdout)
    assert (found["dataset"], found["format"], found["records"]) == ("leute", "xlsx", 100)
    first = found["columns"][0]
    assert (first["looks_like"], first["share"], first["in_words"]) == (
        "dates as dd.mm.yyyy",
        1.0,
        "dates as dd.mm.yyyy (100 %)",
    )
    assert "leute" in first["setting"]


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["nothing.csv"], 2, "there is no file nothing.csv"),
        (["nothing.csv", "--delimiter", ";"], 2, "are for files"),
        (["people.xlsx", "--sheet", "two"], 1, "there is no sheet 'two'"),
        (["broken.csv"], 1, "row 2, which has 3"),
    ],
)
def test_the_command_refuses_what_cannot_be_read(
    cli: Any, tables: Path, arguments: list[str], code: int, words: str
) -> None:
    (tables / "broken.csv").write_text("a,b\n1,SECRET,2\n")
    done = cli("data", *arguments, cwd=tables, code=code)
    assert words in done.stderr
    assert "SECRET" not in done.stdout + done.stderr


def test_a_risk_on_a_release_takes_no_interval_for_a_misread_number(cli: Any, place: Path) -> None:
    """Most cells of a released column may be single numbers: which it was read as is no mistake of the reader."""
    (place / "DATA/raw").mkdir(parents=True, exist_ok=True)
    ages = [20 + n % 15 for n in range(300)] + [61, 62, 63, 64, 65]
    (place / "DATA/raw/p.csv").write_text("age\n" + "".join(f"{age}\n" for age in ages))
    (place / "configs/t.yaml").write_text(
        "input_datasets: {p: DATA/raw/p.csv}\n"
        "operations:\n  - AnonymizeOperation: {input_dataset: p, output_dataset: s, k: 3, quasi_identifiers: [age]}\n"
        "  - RiskOperation: {input_dataset: s, quasi_identifiers: [age]}\n"
    )
    done = cli("run", "t", cwd=place, code=0)
    assert "was read as text" not in done.stdout + done.stderr


def test_the_command_describes_the_inputs_of_a_task(cli: Any, place: Path) -> None:
    (place / "DATA/raw").mkdir(parents=True, exist_ok=True)
    (place / "DATA/raw/p.csv").write_text("seen,n\n" + "".join(f"{day},1\n" for day in DAYS))
    (place / "configs/t.yaml").write_text(
        "input_datasets: {p: DATA/raw/p.csv}\n"
        "operations:\n  - ProfileOperation: {dataset_name: p}\n"
        "  - AnonymizeOperation: {input_dataset: p, k: 2, quasi_identifiers: [seen], direct_identifiers: [n]}\n"
    )
    setting = 'data_types: {p: {seen: {type: date, format: "%d.%m.%Y"}}}'
    assert setting in cli("data", "t", cwd=place, code=0).stdout
    done = cli("run", "t", cwd=place, code=0)
    assert "quasi-identifier seen holds dates as dd.mm.yyyy (100 %), but was read as text" in done.stdout + done.stderr
    report = json.loads(cli("report", "t", "--json", cwd=place, code=0).stdout)
    (row,) = report["sections"]["columns"]["facts"]["columns"]
    assert (row["column"], row["values"], row["setting"]) == ("seen", "dates as dd.mm.yyyy (100 %)", setting)
    profile = next(each for each in report["operations"] if each["step"] == "ProfileOperation")
    assert profile["metrics"]["columns_that_look_like"] == {"seen": "dates as dd.mm.yyyy (100 %)"}
    with (place / "configs/t.yaml").open("a") as file:
        file.write(setting + "\n")
    silent = cli("run", "t", cwd=place, code=0)
    assert "was read as text" not in silent.stdout + silent.stderr
    assert "stated" in cli("data", "t", cwd=place, code=0).stdout


def test_a_table_with_blanks_after_its_commas_is_read_once_they_are_trimmed(cli: Any, place: Path) -> None:
    """As the UCI repository has Adult: what to set is said by the command, the error and the hierarchy."""
    schools, sexes = ("Bachelors", "HS-grad", "11th"), ("Male", "Female")
    rows = [f"{20 + n % 50}, ?, {1000 + n % 7}, {schools[n % 3]}, {sexes[n % 2]}\n" for n in range(120)]
    (place / "DATA/raw/adult.csv").write_text("age, workclass, fnlwgt, education, sex\n" + "".join(rows) + "\n")
    (place / "DATA/raw/edu.csv").write_text("education;level1\nBachelors;Higher\nHS-grad;Other\n11th;Other\n")
    task = (
        "input_datasets: {adult: DATA/raw/adult.csv}\nauxiliary_datasets: {edu: DATA/raw/edu.csv}\n"
        "operations:\n  - AnonymizeOperation: {input_dataset: adult, k: 3, strategy: hierarchy,"
        " quasi_identifiers: [age, education, sex], hierarchies: {education: edu}}\n"
    )
    (place / "configs/t.yaml").write_text(task)
    shown = cli("data", "t", cwd=place, code=0).stdout
    assert "4 columns: a blank before or after the name\n      data: {trim: true}" in shown
    assert "4 columns: 120 values begin or end with a blank\n      data: {trim: true}" in shown
    assert "data_types" not in shown
    failed = cli("run", "t", cwd=place, code=2)
    assert "4 of these begin or end with a blank: set data: {trim: true}" in failed.stdout + failed.stderr
    (place / "configs/t.yaml").write_text(task + 'data: {trim: true, missing_values: ["", "?"]}\n')
    assert cli("data", "t", cwd=place, code=0).stdout.count("whole numbers (100 %)") == 2
    done = cli("run", "t", cwd=place, code=0)
    assert "line 1 of the hierarchy of education is its header, and was left out" in done.stdout + done.stderr
    released = pd.read_csv(next((place / "DATA").rglob("adult_anonymized.csv")))
    assert list(released.columns) == ["age", "workclass", "fnlwgt", "education", "sex"]
    assert len(released) == 120
    assert set(released["education"]) <= {*schools, "Higher", "Other", "*"}


@pytest.mark.parametrize(
    ("cells", "types", "warned"),
    [
        (DAYS, "", "dates as dd.mm.yyyy"),
        ([f"{n},5" for n in range(100)], "", "numbers with decimal commas"),
        ([n if n % 14 else "unknown" for n in range(100)], "", "92 % whole numbers"),
        (["250.0", "250.00"] * 50, "", "numbers (100 %)"),
        ([f"{n % 12 + 1:02}/{n % 11 + 1:02}/1990" for n in range(100)], "", "dd/mm/yyyy or mm/dd/yyyy"),
        (["250.0", "250.00"] * 50, "data_types: {p: {q: text}}", ""),
        ([f"0{n:04}" for n in range(100)], "", ""),
        ([n if n % 5 else "unknown" for n in range(100)], "", ""),
        ([n if n % 5 else "unknown" for n in range(100)], "data: {type_share: 0.7}", "80 % whole numbers"),
        (list(range(100)), "", ""),
        ([f"{n % 24}:30" for n in range(100)], "", "times of day (100 %)"),
        ([f"{n} kg" for n in range(100)], "data_types: {p: {q: text}}", ""),
    ],
)
def test_quasi_identifiers_of_numbers_or_dates_are_no_categories_without_a_warning(
    cli: Any, place: Path, cells: list[Any], types: str, warned: str
) -> None:
    pd.DataFrame({"q": cells, "s": "x"}).to_csv(place / "DATA/raw/p.csv", index=False, sep=";")
    (place / "configs/t.yaml").write_text(
        "input_datasets: {p: DATA/raw/p.csv}\n"
        "operations:\n  - RiskOperation: {input_dataset: p, quasi_identifiers: [q]}\n"
        f"  - AnonymizeOperation: {{input_dataset: p, k: 2, quasi_identifiers: [q]}}\n{types}\n"
    )
    run = json.loads(cli("run", "t", "--json", cwd=place, code=0).stdout)
    told = [warning for warning in run["warnings"] if "is treated as a category" in warning]
    assert len(told) == bool(warned)
    mend = "or give them a hierarchy" if "times" in warned else "data_types: {p: {q: "
    assert all(warned in warning and mend in warning for warning in told)


def test_the_command_asks_whether_the_first_line_is_data(cli: Any, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("01.01.1990;m;C50.1\n02.01.1991;f;C61\n")
    shown = cli("data", "t.csv", cwd=tmp_path, code=0).stdout
    assert "header: the first line looks like data, not like names" in shown.partition("To decide")[2]


@pytest.mark.parametrize("ending", ["csv", "xlsx", "jsonl"])
def test_what_the_command_says_to_set_holds_for_the_format(cli: Any, place: Path, ending: str) -> None:
    """Settings of CSV files do nothing for others: there, the type of the column is what decides."""
    frame = pd.DataFrame({"grade": ["a", "b", "unknown", "c"] * 5, "town": [" Bern", "Rom ", "Oslo", "Lima"] * 5})
    {"csv": frame.to_csv, "xlsx": frame.to_excel}.get(ending, lambda *_, **__: None)(
        place / f"DATA/raw/b.{ending}", index=False
    )
    if ending == "jsonl":
        frame.to_json(place / "DATA/raw/b.jsonl", orient="records", lines=True)
    task = f"task_id: t\ninput_datasets: {{b: DATA/raw/b.{ending}}}\noperations:\n"
    task += "  - DropOperation: {input_dataset: b, output_dataset: c, columns: [town]}\n"
    (place / "configs/t.yaml").write_text(task)
    for column, missing in (("grade", 5), ("town", 0)):
        (found,) = json.loads(cli("data", "t", "--json", cwd=place, code=0).stdout)
        told = {each["name"]: each for each in found["columns"]}[column]
        (line,) = [setting for question in told["questions"] for setting in question["settings"]]
        (place / "configs/t.yaml").write_text(f"{task}{line}\n")
        (found,) = json.loads(cli("data", "t", "--json", cwd=place, code=0).stdout)
        told = {each["name"]: each for each in found["columns"]}[column]
        assert (told["missing"], told["questions"]) == (missing, []), line
        (place / "configs/t.yaml").write_text(task)


def test_minus_zero_is_another_code_than_zero(cli: Any, place: Path) -> None:
    (place / "DATA/raw/codes.csv").write_text("code,n\n0,1\n-0,2\n5,-0.5\n")
    (found,) = json.loads(cli("data", "DATA/raw/codes.csv", "--json", cwd=place, code=0).stdout)
    assert [(each["read_as"], each["in_words"]) for each in found["columns"]] == [
        ("text", "whole numbers (100 %)"),
        ("numbers", "numbers (100 %)"),
    ]
