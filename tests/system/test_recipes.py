"""The recipes and the notebook of the manual, run as they are, where their libraries are installed.

`nox -s recipes` installs them: FastAPI and nbclient into one environment, Prefect and Airflow each into its own.
"""

from __future__ import annotations

import asyncio
import importlib.util
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
RECIPES = (ROOT / "docs/howto/recipes.md").read_text(encoding="utf-8")
Python = Callable[..., "subprocess.CompletedProcess[str]"]


def recipe(caption: str) -> str:
    """The file of the manual that has this caption."""
    found = re.search(rf"^:caption: {re.escape(caption)}\n\n(.*?)^```$", RECIPES, re.M | re.S)
    assert found is not None
    return found[1]


def needs(*modules: str) -> None:
    for module in modules:
        if importlib.util.find_spec(module) is None:
            pytest.skip(f"{module} is not installed: `nox -s recipes` installs it")


@pytest.fixture
def clinic(tmp_path: Path, python: Python) -> Path:
    """A folder with the project of the recipes."""
    done = python("-m", "pamola_tasks", "init", "clinic", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    return tmp_path


def test_ten_requests_at_once_run_ten_tasks(
    clinic: Path, nothing_around: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    needs("fastapi", "httpx")
    import httpx

    example = next((clinic / "clinic/configs").glob("example.*"))
    for number in range(9):
        text = example.read_text().replace("task_id: example", f"task_id: copy_{number}")
        (example.parent / f"copy_{number}{example.suffix}").write_text(text)
    monkeypatch.chdir(clinic)
    module: dict[str, Any] = {}
    exec(recipe("service.py"), module)

    async def ask() -> list[httpx.Response]:
        transport = httpx.ASGITransport(app=module["app"])
        async with httpx.AsyncClient(transport=transport, base_url="http://here", timeout=240) as client:
            names = ["example", *(f"copy_{number}" for number in range(9)), "nothing", "configs%2Fexample.yaml"]
            return await asyncio.gather(*(client.post(f"/runs/{name}") for name in names))

    *answers, missing, path = asyncio.run(ask())
    assert [answer.status_code for answer in answers] == [200] * 10, [answer.text for answer in answers]
    assert [answer.json()["status"] for answer in answers] == ["success"] * 10
    assert len({answer.json()["run"] for answer in answers}) == 10
    assert {missing.status_code, path.status_code} == {404}


@pytest.mark.parametrize(
    ("module", "file", "before", "says"),
    [
        ("prefect", "prefect_flow.py", (), "success"),
        ("airflow", "airflow_dag.py", ("db migrate", "dags reserialize"), "state=success"),
    ],
)
def test_schedulers_run_the_example(
    clinic: Path, python: Python, module: str, file: str, before: tuple[str, ...], says: str
) -> None:
    needs(module)
    (clinic / file).write_text(recipe(file))
    theirs = {"PREFECT_HOME": str(clinic / "prefect"), "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "150"}
    theirs |= {"AIRFLOW_HOME": str(clinic / "airflow"), "AIRFLOW__CORE__DAGS_FOLDER": str(clinic)}
    theirs |= {"AIRFLOW__CORE__LOAD_EXAMPLES": "False"}
    for command in before:
        python("-m", module, *command.split(), cwd=clinic, **theirs)
    done = python(file, cwd=clinic, **theirs)
    assert done.returncode == 0, done.stderr[-4000:]
    assert says in done.stdout + done.stderr
    (report,) = clinic.glob("clinic/DATA/reports/example_report.json")
    assert json.loads(report.read_text())["success"]


def test_steps_of_the_workflow_that_are_ours(clinic: Path, python: Python) -> None:
    """GitHub's own steps run there; the commands of ours run here."""
    yaml = pytest.importorskip("ruamel.yaml").YAML(typ="safe")
    (job,) = yaml.load(recipe(".github/workflows/nightly.yml"))["jobs"].values()
    ours = [step["run"] for step in job["steps"] if step.get("run", "").startswith("pamola-task ")]
    assert len(ours) == 2
    for command in ours:
        arguments = command.partition(" > ")[0].split()[1:]
        done = python("-m", "pamola_tasks", *arguments, cwd=clinic)
        assert done.returncode == 0, done.stderr


def test_notebook_of_the_manual(clinic: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Executed in an empty folder; each result shows itself as HTML, on at most a screen as text."""
    needs("nbclient", "ipykernel")
    import nbclient
    import nbformat

    notebook = nbformat.read(ROOT / "docs/howto/first-look.ipynb", as_version=4)
    kept = os.environ.get("PAMOLA_NOTEBOOK_TO")
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    for name in [name for name in os.environ if name.startswith("PAMOLA_") or name == "CI"]:
        monkeypatch.delenv(name)
    work = clinic / "work"
    work.mkdir()
    nbclient.NotebookClient(notebook, timeout=240, resources={"metadata": {"path": str(work)}}).execute()
    shown = [out["data"] for cell in notebook.cells for out in cell.get("outputs", ()) if "data" in out]
    assert len(shown) == 7
    assert all("text/html" in data for data in shown)
    assert all(len(data["text/plain"].splitlines()) < 45 for data in shown)
    drawn = "".join(
        out.text for cell in notebook.cells for out in cell.get("outputs", ()) if out.get("name") == "stderr"
    )
    assert "AnonymizeOperation" in drawn  # the bar
    pages = [data["text/html"] for data in shown if data["text/html"].startswith("<iframe")]
    assert len(pages) == 4
    if kept:  # to look at
        nbformat.write(notebook, Path(kept) / "first-look.ipynb")
