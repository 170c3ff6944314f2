"""`pamola-task assess` on files as people have them, and the configurations that it drafts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

ODD = ["yes", "null", "-x", "#note", "a: b", "with blank", 'the "quoted"', "Größe/ü", "1e3", "[list]", "*", "line\nend"]


def patients(rows: int = 240) -> pd.DataFrame:
    """Visits of 120 patients, two each, with dates of birth and heights."""
    rng = np.random.default_rng(3)
    born = pd.to_datetime("1940-01-01") + pd.to_timedelta(rng.integers(0, 25_000, rows // 2), unit="D")
    once = pd.DataFrame(
        {
            "patient_id": [f"P{n:05d}" for n in range(rows // 2)],
            "date_of_birth": born,
            "height": rng.normal(1.7, 0.1, rows // 2).round(2),
            "sex": rng.choice(["f", "m"], rows // 2),
            "zip_code": rng.choice(["01067", "10115", "20095", "50667"], rows // 2),
        }
    )
    frame = pd.concat([once, once], ignore_index=True)
    return frame.assign(**{name: rng.integers(0, 3, rows) for name in ODD}, diagnosis=rng.choice(list("abcd"), rows))


@pytest.fixture
def tables(project: Path) -> Path:
    """One table in four formats in a project."""
    raw, frame = project / "DATA/raw", patients()
    frame.to_csv(raw / "Leute 2024.csv", sep=";", decimal=",", date_format="%d.%m.%Y", index=False)
    frame.to_parquet(raw / "visits.parquet")
    frame.to_excel(raw / "sheets.xlsx", index=False)
    frame.to_json(raw / "lines.jsonl", orient="records", lines=True, date_format="iso")
    return project


def test_drafts_run_and_hold_their_k(cli: Any, tables: Path) -> None:
    """Of each format, with names that YAML would take for something else; k is recounted from the released file."""
    found = {}
    for file in ("Leute 2024.csv", "visits.parquet", "sheets.xlsx", "lines.jsonl"):
        roles = [f"--role={name}=quasi" for name in ("yes", 'the "quoted"', "height")]
        roles.append("--role=diagnosis=insensitive")  # else the releases of one table would disclose it together
        shown = cli("assess", f"DATA/raw/{file}", "--k", 4, *roles, "--json", cwd=tables, code=0)
        found[file] = json.loads(shown.stdout)
    assert "no problems found" in cli("config", "check", cwd=tables, code=0).stdout
    for file, told in found.items():
        task = Path(told["draft"]).stem
        cli("run", task, cwd=tables, code=0)
        roles = {each["column"]: (each["role"], each["said"]) for each in told["columns"]}
        assert list(roles) == list(patients().columns)
        assert roles["patient_id"] == ("person", "proposed")
        assert roles["yes"] == ("quasi-identifier", "stated")
        text = (tables / told["draft"]).read_text()
        assert text.count("# proposed: ") == sum(said == "proposed" for _, said in roles.values())
        quasi = [name for name, (role, _) in roles.items() if role == "quasi-identifier"]
        (released,) = (tables / "DATA/processed" / task / "output").glob("*.csv")
        frame = pd.read_csv(released, dtype=str, keep_default_na=False)
        assert "patient_id" not in frame
        assert frame.groupby(quasi).size().min() >= 4, file
    types = found["Leute 2024.csv"]["columns"]
    assert {each["column"]: each["taken_for"] for each in types}["date_of_birth"] == "dates"
    assert {each["column"]: each["taken_for"] for each in types}["height"] == "numbers"


def test_the_screen_and_the_page(cli: Any, tables: Path) -> None:
    arguments = ["assess", "DATA/raw/visits.parquet", "--draft", "safe", "--sampling-fraction", "0.1"]
    shown = cli(*arguments, cwd=tables, code=0, env={"COLUMNS": "80"}).stdout
    first = shown.splitlines()[1]
    assert "120 persons" in first
    assert max(map(len, shown.splitlines())) <= 80
    for words in ("What k costs", "hierarchy", "Pitman", "special uniques", "configs/safe.yaml", "run safe"):
        assert words in shown
    assert "What k costs" in cli("report", "assess-visits", cwd=tables, code=0).stdout
    before = (tables / "configs/safe.yaml").read_text()
    again = json.loads(cli("assess", "DATA/raw/visits.parquet", "--no-draft", "--json", cwd=tables, code=0).stdout)
    assert again["draft"] is None
    refused = cli(*arguments, cwd=tables, code=2)
    assert "there is a task 'safe' already" in refused.stderr
    assert (tables / "configs/safe.yaml").read_text() == before
    assert not list((tables / "DATA/processed/assess-visits/output").iterdir())


def test_outside_of_a_project_nothing_is_written(cli: Any, tmp_path: Path) -> None:
    patients(60).to_csv(tmp_path / "people.csv", index=False)
    shown = cli("assess", "people.csv", cwd=tmp_path, code=0).stdout
    assert "nothing, outside of a project" in shown
    assert [path.name for path in tmp_path.iterdir()] == ["people.csv"]
    assert "pamola-task init" in cli("assess", "people.csv", "--draft", "mine", cwd=tmp_path, code=2).stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nothing.csv"], "does not exist"),
        (["DATA/raw/example.csv", "--role", "aeg=quasi"], "did you mean 'age'?"),
        (["DATA/raw/example.csv", "--role", "age=quesi"], "did you mean 'quasi'?"),
        (["DATA/raw/example.csv", "--role", "age"], "COLUMN=ROLE"),
        (["DATA/raw/example.csv", "--role", "age=quasi", "--role", "age=person"], "one role"),
        (["DATA/raw/example.csv", "--draft", "example"], "there is a task 'example' already"),
        (["DATA/raw/example.csv", "--draft", "a/b"], "a/b"),
        (["DATA/raw/example.csv", "--draft", "x", "--no-draft"], "contradict"),
        (["DATA/raw/example.csv", "--sampling-fraction", "0"], "sampling-fraction"),
    ],
)
def test_wrong_usage(cli: Any, project: Path, arguments: list[str], words: str) -> None:
    refused = cli("assess", *arguments, cwd=project)
    assert refused.returncode in (2, 4)
    assert words in refused.stderr


def test_whole_numbers_that_no_number_holds_are_read_as_text(cli: Any, project: Path) -> None:
    """Beyond 64 bits; the draft states it, and runs."""
    frame = patients(60)[["height", "sex", "zip_code"]].assign(serial=[str(10**25 + n) for n in range(60)])
    frame.to_csv(project / "DATA/raw/long.csv", index=False)
    shown = cli("assess", "DATA/raw/long.csv", "--json", cwd=project, code=0)
    told = json.loads(shown.stdout)
    assert {each["column"]: each["taken_for"] for each in told["columns"]}["serial"] == "text"
    assert "    serial: text" in (project / told["draft"]).read_text()
    cli("run", "long", cwd=project, code=0)
    refused = cli("assess", "DATA/raw/long.csv", "--k", 61, "--no-draft", cwd=project)
    assert refused.returncode in (2, 4)
    assert "`k` is 61, but long has 60 records" in refused.stderr
