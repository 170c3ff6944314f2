"""How a table is read is part of what a step was made of: where it changes, what reads the table runs again."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from installed import Cli

TASK = """\
task_id: t
input_datasets: {a: DATA/raw/a.csv}
operations:
  - DropOperation: {input_dataset: a, output_dataset: b, columns: [sex]}
  - DropOperation: {input_dataset: b, output_dataset: c, columns: [spare]}
checkpoints: {keep_intermediate: true}
"""
Run = Callable[..., list[dict[str, Any]]]


@pytest.fixture
def run(place: Path, cli: Cli) -> Run:
    """Write the task with these lines behind it, run it, and tell of each step what became of it and why."""
    rows = "age;sex;spare;city\n20;m;1;Poznań\n20;m;2;NA\n21;f;3;1,5\n21;f;4;\n"
    (place / "DATA/raw/a.csv").write_bytes(rows.encode("iso8859-2"))

    def run(*lines: str, arguments: tuple[str, ...] = (), task: str = TASK, code: int = 0) -> list[dict[str, Any]]:
        (place / "configs/t.yaml").write_text(task + "\n".join(lines) + "\n")
        planned = json.loads(cli("show", "t", "--json", cwd=place, code=0).stdout)["steps"]
        done = json.loads(cli("run", "t", "--json", *arguments, cwd=place, code=code).stdout)["steps"]
        if not arguments:
            assert (planned[0]["would"] == "skip") == (done[0]["status"] == "skipped")
            assert done[0]["reason"] == planned[0]["reason"].replace("never finished", "")
        return done

    return run


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        (["default_encoding: iso8859-2"], "a: read with encoding 'iso8859-2' instead of none stated"),
        (["default_delimiter: ';'"], "a: read with delimiter ';' instead of none stated"),
        (['default_quotechar: "\'"'], 'a: read with quotechar "\'" instead of none stated'),
        (["data: {missing_values: ['', NA]}"], "a: read with missing_values '', 'NA' instead of ''"),
        (["data: {column_limit: 50}"], "a: read with column_limit 50 instead of 100000"),
        (["data: {expansion_limit: 300}"], "a: read with expansion_limit 300.0 instead of 200.0"),
        (["data_types: {a: {age: text}}"], "a: read with type of column 'age' text instead of none stated"),
        (["data: {trim: true}"], "a: read with trim True instead of none stated"),
        (["data: {decimal: ','}"], "a: read with decimal ',' instead of '.'"),
        (["data: {thousands: _}"], "a: read with thousands '_' instead of none stated"),
        (["data: {date_format: '%d.%m.%Y'}"], "a: read with date_format '%d.%m.%Y' instead of none stated"),
        (["data: {datasets: {a: {encoding: iso8859-2}}}"], "a: read with encoding 'iso8859-2' instead of none stated"),
        (["data: {datasets: {a: {missing_values: ['', NA]}}}"], "a: read with missing_values '', 'NA' instead of ''"),
        (
            ["data_types: {a: {city: {type: text, missing: [NA]}}}"],
            "a: read with type of column 'city' text missing ('NA',) instead of none stated",
        ),
        (["data_types: {city: category}"], "a: read with type of column 'city' category instead of none stated"),
    ],
)
def test_a_step_runs_again_when_its_table_is_read_in_another_way_and_says_which(
    run: Run, lines: list[str], words: str
) -> None:
    """Back again, too, and not once more when nothing changed."""
    run()
    assert {step["status"] for step in run()} == {"skipped"}
    first = run(*lines)[0]
    assert first["status"] == "success"
    assert words in first["reason"].split("; ")
    assert {step["status"] for step in run(*lines)} == {"skipped"}
    assert run()[0]["status"] == "success"


@pytest.mark.parametrize(
    "lines",
    [
        ["# a comment"],
        ["log_level: DEBUG"],
        ["retry: {max_retries: 3}"],
        ["chunk_size: 7"],
        ["description: Another."],
        ["data: {unverified_inputs: [other]}"],
        ["data: {datasets: {other: {encoding: iso8859-2, decimal: ','}}}"],
    ],
)
def test_what_changes_nothing_of_reading_runs_nothing_again(run: Run, lines: list[str]) -> None:
    run()
    assert {step["status"] for step in run(*lines)} == {"skipped"}


def test_a_type_stated_for_an_intermediate_dataset_runs_again_only_what_reads_it(run: Run) -> None:
    run()
    first, second = run("data_types: {b: {age: text}}")
    assert first["status"] == "skipped"
    assert (second["status"], second["reason"]) == (
        "success",
        "b: read with type of column 'age' text instead of none stated",
    )


def test_settings_of_text_files_change_nothing_of_intermediate_ones(run: Run, place: Path, cli: Cli) -> None:
    """They are Parquet, whatever is stated of CSV; the output is written in another way, and says so."""
    run()
    first, second = run("default_delimiter: ';'")
    assert "a: read with delimiter ';' instead of none stated" in first["reason"]
    assert second["reason"] == "output delimiter is new"
    assert (place / "DATA/processed/t/output/c.csv").read_text().startswith("age;city\n")
    assert [step["status"] for step in run("output_format: parquet", "default_delimiter: ';'")] == [
        "skipped",
        "success",
    ]
    assert [step["status"] for step in run("output_format: parquet", "default_delimiter: ';'", "chunk_size: 3")] == [
        "skipped",
        "skipped",
    ]


def test_an_override_and_other_processes_count_alike(run: Run) -> None:
    run("execution: {mode: processes}")
    changed = run("execution: {mode: processes}", arguments=("--set", "default_encoding=iso8859-2"))
    assert changed[0]["reason"].startswith("a: read with encoding 'iso8859-2' instead of none stated")
    assert run("default_encoding: iso8859-2", "execution: {mode: processes}")[0]["status"] == "skipped"


def test_the_file_that_the_warning_asked_for_is_written(run: Run, place: Path) -> None:
    """Whoever states the encoding that a warning asked for gets the right file by running again."""
    run()
    run("default_encoding: iso8859-2")
    assert "Poznań" in (place / "DATA/processed/t/output/c.csv").read_bytes().decode("iso8859-2")


def test_checkpoints_of_before_say_once_that_reading_was_not_recorded(run: Run, place: Path) -> None:
    from pamola_tasks_checkpoints.fingerprint import changes

    run()
    line = (place / "DATA/processed/t/.state/journal.jsonl").read_text().splitlines()[0]
    now = json.loads(line.partition(" ")[2])["fingerprint"]
    before = {key: text for key, text in now.items() if not key.startswith("data reading")}
    assert changes(before, now) == ["how a is read was not recorded"]
    assert changes({}, {"data reading a: format": "'csv'", "input a": "x"}) == ["input a is new"]


@pytest.mark.parametrize(("name", "meant"), [("latin-2", "latin2"), ("utf_9", "utf_8"), ("xyzzy", "use a name like")])
def test_an_encoding_that_nobody_knows_is_refused_before_the_run(
    run: Run, place: Path, cli: Cli, name: str, meant: str
) -> None:
    (place / "configs/t.yaml").write_text(f"{TASK}default_encoding: {name}\n")
    said = cli("config", "check", "t", cwd=place, code=2)
    assert f"default_encoding: there is no encoding '{name}'" in said.stdout + said.stderr
    assert meant in said.stdout + said.stderr
