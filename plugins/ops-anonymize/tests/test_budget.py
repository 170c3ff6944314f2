"""Privacy budgets cannot be evaded by another name, another limit or another ledger: through the command line."""

from __future__ import annotations

import gzip
import json
import shutil
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from command_line import pamola

opendp = pytest.importorskip("opendp")

WAGES = "name,wage\n" + "".join(f"n{number},{number * 10}\n" for number in range(30))


def task(project: Path, task_id: str, file: str = "DATA/raw/staff.csv", name: str = "staff", **parameters: Any) -> None:
    """A task that adds noise; a JSON file is configuration too."""
    noise = {"input_dataset": name, "columns": ["wage"], "bounds": {"wage": [0, 1000]}, "epsilon": 0.6, **parameters}
    step = {"NoiseOperation": {"output_dataset": f"{task_id}_noisy", "on_identifiers": "drop", **noise}}
    stated = {"task_type": "noise", "input_datasets": {name: file}, "operations": [step]}
    (project / f"configs/{task_id}.json").write_text(json.dumps({"task_id": task_id, **stated}))


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "configs").mkdir()
    (tmp_path / "DATA/raw").mkdir(parents=True)
    (tmp_path / ".pamola.toml").touch()
    (tmp_path / "DATA/raw/staff.csv").write_text(WAGES)
    task(tmp_path, "a", budget_epsilon=1)
    done = pamola(tmp_path, "run", "a")
    assert done.returncode == 0, done.stderr
    return tmp_path


def spent(project: Path) -> float:
    (budget,) = json.loads(pamola(project, "budget", "--json").stdout)["budgets"]
    return float(budget["spent"]["epsilon"])


def refused(project: Path, task_id: str = "b") -> str:
    done = pamola(project, "run", task_id)
    assert done.returncode not in (0, 2), done.stdout + done.stderr
    assert not list(project.rglob(f"{task_id}_noisy.csv")), "nothing was released"
    return done.stdout + done.stderr


def test_another_name_of_dataset_task_or_file_is_the_same_budget(project: Path) -> None:
    task(project, "b")
    assert "the privacy budget 'staff' allows epsilon 1" in refused(project)
    task(project, "b", name="people")
    assert "(also called 'staff') allows epsilon 1" in refused(project)
    shutil.copy(project / "DATA/raw/staff.csv", project / "DATA/raw/persons.csv")
    task(project, "b", name="persons", file="DATA/raw/persons.csv", budget="new")
    assert "the privacy budget 'new' (also called 'staff')" in refused(project)
    assert spent(project) == 0.6


def test_another_form_of_the_file_is_the_same_budget(project: Path) -> None:
    made = pamola(project, "keys", "init", "--file", "k.key")
    assert made.returncode == 0, made.stderr
    (project / "configs/prj_config.json").write_text(
        json.dumps({"encryption_key_path": "k.key", "use_encryption": True})
    )
    packed = gzip.compress(WAGES.encode())
    (project / "DATA/raw/packed.csv.gz").write_bytes(packed)
    task(project, "b", name="packed", file="DATA/raw/packed.csv.gz")
    assert "(also called 'staff')" in refused(project)
    done = pamola(project, "encrypt", "DATA/raw/staff.csv", "--out", "DATA/raw/sealed.csv")
    assert done.returncode == 0, done.stderr
    task(project, "b", name="sealed", file="DATA/raw/sealed.csv")
    assert "(also called 'staff')" in refused(project)
    assert pamola(project, "encrypt", "--in-place", "DATA/raw/staff.csv").returncode == 0
    task(project, "b", name="fresh")
    assert "(also called 'staff')" in refused(project)


def test_a_table_that_another_task_derived_has_the_budget_of_its_input(project: Path) -> None:
    derive = {"DropOperation": {"input_dataset": "staff", "output_dataset": "derived", "columns": ["name"]}}
    stated = {"task_type": "x", "input_datasets": {"staff": "DATA/raw/staff.csv"}, "operations": [derive]}
    (project / "configs/d.json").write_text(json.dumps({"task_id": "d", **stated}))
    assert pamola(project, "run", "d").returncode == 0
    task(project, "b", name="derived", file="DATA/processed/d/output/derived.csv")
    assert "(also called 'staff')" in refused(project)


def test_persons_in_another_file_draw_on_the_same_budget(project: Path) -> None:
    """A subset, other columns, another format and another name of the column; but not the same numbers of a list."""
    everybody = pd.DataFrame(
        {"mail": [f"{one}{other}@x.org" for one in "abcde" for other in "klmnopqr"], "wage": range(40)}
    )
    raw = project / "DATA/raw"
    everybody.to_csv(raw / "all.csv", index=False)
    part = everybody[30:].rename(columns={"mail": "contact"}).assign(age=50)
    part.to_parquet(raw / "part.parquet")
    others = everybody.assign(mail="y" + everybody["mail"]).assign(staff_id=range(40), wage=1)
    others.to_csv(raw / "others.csv", index=False)
    pd.DataFrame({"staff_id": range(50), "wage": 3}).to_csv(raw / "numbered.csv", index=False)
    pd.DataFrame({"number": range(50), "wage": 4}).to_csv(raw / "renamed.csv", index=False)
    how = {"budget_epsilon": 1, "epsilon": 0.6}
    of_one = {"contributions": 1}
    names = {"first": "all.csv", "b": "part.parquet", "c": "others.csv", "d": "numbered.csv", "e": "renamed.csv"}
    persons = {"b": {"person": "contact", **of_one}, "d": {"person": "staff_id", **of_one}}
    persons["e"] = {"person": "number", **of_one}
    for name, file in names.items():
        task(project, name, name=name, file=f"DATA/raw/{file}", **how, **persons.get(name, {}))
    assert pamola(project, "run", "first").returncode == 0
    said = refused(project, "b")
    assert "(also called 'first'), which persons of this table share by contact, allows epsilon 1" in said
    done = pamola(project, "run", "c")
    assert done.returncode == 0, done.stderr
    assert "share by staff_id (if these are other persons" in refused(project, "d")
    assert pamola(project, "run", "e").returncode == 0, "numbers of a list, under another name"
    (config := project / "configs/prj_config.json").write_text(
        json.dumps({"ops-anonymize": {"populations": {"c": "clerks", "d": "drivers"}}})
    )
    done = pamola(project, "run", "d")
    assert done.returncode == 0, done.stderr
    config.unlink()
    sealed = list(project.rglob("persons-*.sealed"))
    assert len(sealed) == 4
    assert not any(b"x.org" in path.read_bytes() for path in sealed)
    for path in sealed:
        path.unlink()
    everybody.assign(mail="z" + everybody["mail"], wage=5).to_csv(raw / "new.csv", index=False)
    task(project, "g", name="g", file="DATA/raw/new.csv", **how)
    assert "the privacy budget 'g'" in refused(project, "g"), "persons that are unknown may be these"


def test_a_limit_is_lowered_by_a_task_and_not_raised(project: Path) -> None:
    task(project, "b", budget_epsilon=100)
    assert "allows epsilon 1," in refused(project)
    task(project, "b", budget_epsilon=0.7, epsilon=0.2)
    assert "allows epsilon 0.7," in refused(project)


def test_the_project_file_raises_a_limit_and_no_task_does(project: Path) -> None:
    (project / "configs/prj_config.json").write_text(
        json.dumps({"ops-anonymize": {"budgets": {"staff": {"epsilon": 2}}}})
    )
    task(project, "b", budget_epsilon=100)
    assert pamola(project, "run", "b").returncode == 0
    assert spent(project) == 1.2
    task(project, "c", epsilon=0.9)
    assert "allows epsilon 2," in refused(project, "c")
    stated = json.loads((project / "configs/c.json").read_text())
    stated["ops-anonymize"] = {"budgets": {"staff": {"epsilon": 50}}}
    (project / "configs/c.json").write_text(json.dumps(stated))
    done = pamola(project, "run", "c")
    assert done.returncode == 2
    assert "only the project file states it, not the task file" in done.stderr


@pytest.mark.parametrize("with_key", [False, True])
def test_a_ledger_that_is_missing_older_or_edited_allows_nothing_and_is_reported(project: Path, with_key: bool) -> None:
    if with_key:
        made = pamola(project, "keys", "init", "--file", "k.key")
        assert made.returncode == 0, made.stderr
        (project / "configs/prj_config.json").write_text(
            json.dumps({"encryption_key_path": "k.key", "use_encryption": True})
        )
    ledger = project / "configs/privacy_ledger.jsonl"
    first = ledger.read_bytes()
    task(project, "b", epsilon=0.1)
    assert pamola(project, "run", "b").returncode == 0
    task(project, "b", epsilon=0.05)
    whole = ledger.read_bytes()
    edited, cut = whole.replace(b'"epsilon":0.6', b'"epsilon":0.1'), whole.splitlines(True)[1]
    for content in (first, edited) if with_key else (None, b"", first, edited, cut):
        ledger.unlink(missing_ok=True)
        if content is not None:
            ledger.write_bytes(content)
        done = pamola(project, "run", "b")
        assert done.returncode == 1, content
        assert "The spent budget is unknown" in done.stdout + done.stderr
        assert pamola(project, "budget").returncode != 0
        assert "privacy_ledger" in pamola(project, "doctor").stdout
    ledger.write_bytes(whole + b'abcdef12 {"schema":2,"ev')  # as a crash leaves it, before anything is spent
    assert pamola(project, "run", "b").returncode == 0


def test_a_step_that_is_tried_again_pays_once_and_a_slip_nothing(project: Path) -> None:
    (project / "flaky.py").write_text(
        "from pamola_tasks import hookimpl\n"
        "tried = []\n"
        "@hookimpl(wrapper=True)\n"
        "def pamola_run_step(run, step):\n"
        "    result = yield\n"
        "    tried.append(step)\n"
        "    if len(tried) < 3:\n"
        "        raise OSError(11, 'try again')\n"
        "    return result\n"
    )
    task(project, "b", epsilon=0.1)
    stated = json.loads((project / "configs/b.json").read_text()) | {
        "retry": {"max_retries": 5, "backoff": 1, "max_wait": 0.01}
    }
    (project / "configs/b.json").write_text(json.dumps(stated))
    done = pamola(project, "--plugin", "flaky.py", "run", "b")
    assert done.returncode == 0, done.stderr
    assert spent(project) == pytest.approx(0.7)
    task(project, "c", columns=["wagee"], bounds={"wagee": [0, 1]})
    slip = pamola(project, "run", "c")
    assert slip.returncode == 2, slip.stderr
    assert "no column wagee" in slip.stdout
    assert spent(project) == pytest.approx(0.7)


def test_a_run_that_is_killed_has_spent_and_the_same_again_is_never_over_the_limit(project: Path) -> None:
    """What was drawn before the kill may have been seen, so that the repetition is charged like any other."""
    (project / "killer.py").write_text(
        "import os\n"
        "from pamola_tasks import hookimpl\n"
        "@hookimpl(wrapper=True)\n"
        "def pamola_run_step(run, step):\n"
        "    result = yield\n"
        "    os.kill(os.getpid(), 9)\n"
    )
    task(project, "b", epsilon=0.3)
    assert pamola(project, "--plugin", "killer.py", "run", "b").returncode == -9
    assert spent(project) == pytest.approx(0.9)
    assert "allows epsilon 1," in refused(project)
    assert spent(project) == pytest.approx(0.9)


def test_a_budget_of_the_project_in_rho(project: Path) -> None:
    (project / "configs/prj_config.json").write_text(
        json.dumps({"ops-anonymize": {"budgets": {"staff": {"rho": 0.3}}}})
    )
    task(project, "b", epsilon=None, mechanism="gaussian", rho=0.1)
    assert pamola(project, "run", "b").returncode == 0
    task(project, "c", epsilon=None, mechanism="gaussian", rho=0.1)
    assert "allows rho 0.3, rho 0.28 of it is spent" in refused(project, "c")
    (budget,) = json.loads(pamola(project, "budget", "--json").stdout)["budgets"]
    assert budget["zcdp"]["rho"] == pytest.approx(0.28), "0.6 without delta is 0.18"
    assert budget["left"]["rho"] == pytest.approx(0.02)
    (project / "configs/prj_config.json").write_text(
        json.dumps({"ops-anonymize": {"budgets": {"staff": {"delta": 1e-6}}}})
    )
    wrong = pamola(project, "budget")
    assert wrong.returncode == 2
    assert "a budget states epsilon" in wrong.stderr


def test_the_command_shows_what_is_left_and_every_entry(project: Path) -> None:
    shown = pamola(project, "budget").stdout
    assert "staff" in shown
    assert "epsilon 0.6" in shown
    assert "epsilon 0.4" in shown
    assert "NoiseOperation" in pamola(project, "budget", "staff").stdout
    told = json.loads(pamola(project, "budget", "staff", "--json").stdout)["budgets"][0]
    assert told["limit"] == {"epsilon": 1.0, "delta": 0.0}
    assert told["left"]["epsilon"] == pytest.approx(0.4)
    assert [entry["task_id"] for entry in told["entries"]] == ["a"]
    assert pamola(project, "budget", "nobody").returncode == 2
