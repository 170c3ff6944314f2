"""`pamola-task explore`: what it shows is what a run gives, what was measured stays, and nothing is released."""

from __future__ import annotations

import csv
import json
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

QUASI = ["age", "sex", "town"]
TASK = """\
# As agreed with the registry
task_id: people
input_datasets: {people: DATA/raw/people.csv}
operations:
  - ProfileOperation: {dataset_name: people}
  - AnonymizeOperation:
      input_dataset: people
      k: 4  # see the contract
      quasi_identifiers: [age, sex, town]
      # what is protected
      sensitive_attributes:
        - diagnosis
      insensitive_attributes: [height]  # rounded
      direct_identifiers: [name]
      weights: {town: 2}
"""


def people(rows: int = 600) -> pd.DataFrame:
    rng = np.random.default_rng(5)
    return pd.DataFrame(
        {
            "name": [f"Person {n}" for n in range(rows)],
            "age": rng.integers(18, 90, rows),
            "sex": rng.choice(["f", "m"], rows),
            "town": rng.choice(["Aachen", "Berlin", "Celle", "Dresden", "Emden"], rows),
            "education": rng.choice(["low", "middle", "high"], rows),
            "height": rng.normal(170, 9, rows).round(),
            "diagnosis": rng.choice(list("abcd"), rows),
        }
    )


@pytest.fixture
def place(project: Path) -> Path:
    people().to_csv(project / "DATA/raw/people.csv", index=False)
    (project / "configs/people.yaml").write_text(TASK)
    return project


def told_of(shown: Any) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(shown.stdout)
    return found


def test_a_picked_setting_gives_the_figures_that_were_shown(cli: Any, place: Path) -> None:
    """Another k, strategy and role; recounted from the released file. The comments of the task's file stay."""
    grid = ("--k", "3,8", "--strategy", "hierarchy,mondrian", "--suppression", "0,0.05")
    role = ("--role", "education=quasi|sensitive")
    told = told_of(cli("explore", "people", *grid, *role, "--json", cwd=place, code=0))
    assert told["reached"] == len(told["settings"]) == 1 + 2 * 2 * (2 + 1)
    assert "no release is in the register" in cli("releases", "list", cwd=place, code=0).stderr
    assert not [path for path in (place / "DATA/processed/explore-people/output").rglob("*") if path.is_file()]
    page = (place / told["report"]).read_text()
    assert "Settings by risk and loss" in page
    for each in told["settings"]:  # the front, recounted
        others = [one for one in told["settings"] if one["quasi_identifiers"] == each["quasi_identifiers"]]
        better = [
            one
            for one in others
            if one["prosecutor"] <= each["prosecutor"]
            and one["loss"] <= each["loss"]
            and (one["prosecutor"], one["loss"]) != (each["prosecutor"], each["loss"])
        ]
        assert each["on_front"] == (not better)
        assert each["number"] in told["front"] or better

    wanted = {"k": 8, "strategy": "hierarchy", "suppression_limit": 0.05, "quasi_identifiers": [*QUASI, "education"]}
    setting = next(each for each in told["settings"] if wanted.items() <= each["changes"].items())
    pick = ("--pick", setting["number"], "--name", "taken")
    assert "run taken" in cli("explore", "people", *grid, *role, *pick, cwd=place, code=0).stdout
    text = (place / "configs/taken.yaml").read_text()
    for comment in ("# As agreed with the registry", "k: 8  # see the contract", "# what is protected", "# rounded"):
        assert comment in text
    cli("run", "taken", cwd=place, code=0)
    (step,) = (
        each
        for each in json.loads((place / "DATA/reports/taken_report.json").read_bytes())["operations"]
        if each["name"] == "AnonymizeOperation"
    )
    assert step["metrics"]["information_loss"] == pytest.approx(setting["loss"])
    assert step["metrics"]["rows_suppressed"] == setting["rows_suppressed"]
    assert step["metrics"]["knowable"] == setting["knowable"]
    (released,) = (place / "DATA/processed/taken/output").glob("*.csv")
    with released.open() as file:
        classes = Counter(tuple(row[name] for name in setting["quasi_identifiers"]) for row in csv.DictReader(file))
    assert min(classes.values()) == setting["k"] >= 8
    assert 1 / min(classes.values()) == setting["prosecutor"]
    assert len(classes) / classes.total() == pytest.approx(setting["marketer"])
    before = text
    again = cli("explore", "people", *grid, *role, *pick, cwd=place, code=2)
    assert "there is a task 'taken' already" in again.stderr
    assert (place / "configs/taken.yaml").read_text() == before


def test_a_killed_exploration_continues_and_more_settings_join(cli: Any, place: Path, start: Any) -> None:
    """What had been measured when it was killed is not measured again, nor what an earlier grid had."""
    people(20_000).to_csv(place / "DATA/raw/people.csv", index=False)
    grid = ("explore", "people", "--k", "2,3,4,5,6,7,8,9", "--strategy", "mondrian")
    steps = place / "DATA/processed/explore-people/.state/steps"
    running = start(*grid, cwd=place)
    try:
        while running.poll() is None and len([*steps.glob("mondrian*/*")]) < 2:
            time.sleep(0.01)
    finally:
        running.kill()
        running.communicate()
    measured = len([*steps.glob("mondrian*/*")])
    assert 2 <= measured < 8
    assert skipped(cli, place, *grid) >= measured - 1
    assert skipped(cli, place, *grid) == 8 + 2
    assert skipped(cli, place, "explore", "people", "--k", "2,9,10", "--strategy", "mondrian", "--jobs", 2) == 1 + 3


def skipped(cli: Any, place: Path, *arguments: Any) -> int:
    told = told_of(cli(*arguments, "--json", cwd=place, code=0))
    assert all("problem" not in each for each in told["settings"])
    report = json.loads((place / told["report"]).with_suffix(".json").read_bytes())
    return sum(each["status"] == "skipped" for each in report["operations"])


def test_settings_that_cannot_be_had_are_told_and_the_rest_is_measured(cli: Any, place: Path) -> None:
    """A task in Python whose table an earlier step makes: what to write is said, since no file lists its steps."""
    (place / "task.py").write_text(
        "from pamola_tasks import BaseTask\n"
        "class Masked(BaseTask):\n"
        "    def __init__(self):\n"
        "        super().__init__('masked', 'x', 'y', input_datasets={'people': 'DATA/raw/people.csv'})\n"
        "    def configure_operations(self):\n"
        "        self.add_operation('DropOperation', input_dataset='people', output_dataset='few',\n"
        "            columns=['height'])\n"
        "        self.add_operation('AnonymizeOperation', input_dataset='few', k=3, t=0.6,\n"
        "            direct_identifiers=['name'],\n"
        "            quasi_identifiers=['age', 'sex', 'town'], sensitive_attributes=['diagnosis'])\n"
    )
    grid = ("--k", "5,601", "--strategy", "hierarchy", "--suppression", "0,0.1")
    shown = cli("explore", "task.py", *grid, "--pick", "2", cwd=place, code=0).stdout
    assert "`suppression_limit` does not go with `t`" in shown
    assert "lists no operations in a file" in shown
    assert "k: 5" in shown
    assert 'strategy: "hierarchy"' in shown
    assert "5 settings of AnonymizeOperation, 3 reached" in shown
    assert not [*(place / "DATA/processed/explore-masked/output").rglob("*.csv")]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--k", "1"), "--k: '1' is not a whole number of 2 or more"),
        (("--strategy", "mondrain"), "did you mean 'mondrian'?"),
        (("--suppression", "2"), "--suppression: '2' is not a number from 0 to 1"),
        (("--role", "towm=quasi"), "did you mean 'town'?"),
        (("--role", "town=quasy"), "did you mean 'quasi'?"),
        (("--step", "other"), "--step: name the step of people to explore, one of AnonymizeOperation"),
        (("--k", "2", "--strategy", "mondrian", "--pick", "9"), "--pick: there are 2 settings, and no 9"),
        (("--name", "other"), "--name and --force belong to --pick"),
        (("--k", ",".join(map(str, range(2, 700)))), "settings are too many"),
    ],
)
def test_wrong_options_are_refused(cli: Any, place: Path, arguments: tuple[str, ...], said: str) -> None:
    shown = cli("explore", "people", *arguments, cwd=place, code=2)
    assert said in shown.stderr
    assert not (place / "DATA/processed/explore-people").exists()
