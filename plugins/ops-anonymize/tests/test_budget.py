"""Privacy budgets cannot be evaded by another name, another limit or another ledger: through the command line."""

from __future__ import annotations

import gzip
import json
import shutil
from pathlib import Path
from typing import Any

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
