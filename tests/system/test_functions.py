"""Functions of packs on frames, as in a notebook: the result of a task, and nothing left on the disk."""

from __future__ import annotations

import ast
import inspect
import json
import os
import tempfile
from pathlib import Path

import pandas as pd
import pytest
from installed import Cli
from pandas.testing import assert_frame_equal

import pamola_tasks
from pamola_tasks import Kernel
from pamola_tasks.errors import PamolaTaskError, ParameterError

KEYS = ["age", "city"]


@pytest.fixture
def here(tmp_path: Path, nothing_around: None, home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty current folder, with the folder for temporary files in it."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    return tmp_path


def test_anonymize_gives_what_a_task_gives(place: Path, here: Path, home: Path, cli: Cli) -> None:
    """Frame and metrics are those of the command line on the same table, and no file is left."""
    people = pd.read_csv(place / "DATA/raw/people.csv")
    people.to_parquet(place / "DATA/raw/people.parquet")
    asked = {"k": 5, "quasi_identifiers": KEYS, "insensitive_attributes": ["person"]}
    safe, findings = pamola_tasks.anonymize(people, **asked)
    assert not list(home.rglob("*"))
    assert [path.name for path in here.rglob("*") if path.is_file() and place not in path.parents] == []
    step = {"AnonymizeOperation": {**asked, "input_dataset": "people", "output_dataset": "safe"}}
    task = {"task_id": "t", "seed": 1, "input_datasets": {"people": "DATA/raw/people.parquet"}, "operations": [step]}
    step["AnonymizeOperation"]["output_format"] = "parquet"
    (place / "configs/t.json").write_text(json.dumps(task))
    done = json.loads(cli("run", "t", "--json", cwd=place, code=0).stdout)
    (output,) = done["outputs"]
    table = pd.read_parquet(place / output["path"])
    one, other = (each.astype(str).sort_values(list(table)).reset_index(drop=True) for each in (safe, table))
    assert_frame_equal(one, other)
    metrics = done["steps"][0]["metrics"]
    assert metrics.keys() == findings.keys()
    assert {name for name in metrics if metrics[name] != findings[name]} <= {"verdict", "open_questions"}  # named safe
    assert findings["k_measured"] == safe.groupby(KEYS, observed=True, dropna=False).size().min()


@pytest.mark.parametrize(
    ("name", "asked", "metric"),
    [
        ("profile", {}, ("rows", 60)),
        ("assess", {"quasi_identifiers": KEYS}, ("k", 3)),
        ("risk", {"quasi_identifiers": KEYS}, ("k", 3)),
    ],
)
def test_functions_find_what_their_operations_do(
    place: Path, here: Path, home: Path, name: str, asked: dict[str, object], metric: tuple[str, int]
) -> None:
    people = pd.read_csv(place / "DATA/raw/people.csv")
    assert people.groupby(KEYS).size().min() == 3
    findings = getattr(pamola_tasks, name)(people, **asked)
    assert findings[metric[0]] == metric[1]
    assert len(repr(findings).splitlines()) < 40
    page = findings._repr_html_()
    assert page.startswith("<iframe")
    assert "&lt;script" not in page
    assert not list(home.rglob("*"))
    assert os.listdir(here / "temporary") == []


def test_errors_are_those_of_the_operation(here: Path, home: Path) -> None:
    frame = pd.DataFrame({"age": [1, 2, 3]})
    with pytest.raises(ParameterError, match=r"quasi_identifers.*did you mean"):
        pamola_tasks.anonymize(frame, k=2, quasi_identifiers=["age"], quasi_identifers=["age"])
    with pytest.raises(PamolaTaskError, match="agee"):
        pamola_tasks.risk(frame, quasi_identifiers=["agee"])
    with pytest.raises(ParameterError, match=r"quasi_identifiers.*list"):
        pamola_tasks.anonymize(frame, k=2, quasi_identifiers="age")
    with pytest.raises(ParameterError, match="leave 'output_dataset' out"):
        pamola_tasks.anonymize(frame, k=2, quasi_identifiers=["age"], output_dataset="y")
    with pytest.raises(ParameterError, match="leave 'dataset_name' out"):
        pamola_tasks.profile(frame, dataset_name="people")
    assert os.listdir(here / "temporary") == []
    with pytest.raises(AttributeError, match=r"no attribute 'anonymise'; plugins add .*anonymize"):
        pamola_tasks.anonymise  # noqa: B018


def test_type_checkers_know_the_functions_of_our_packs() -> None:
    """The signatures under `TYPE_CHECKING` have the names and parameters of what the plugins add."""
    tree = ast.parse(Path(str(pamola_tasks.__file__)).read_text())
    known = {node.name: node.args for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
    added = Kernel().contributions("pamola_add_functions", "the function")
    for name in added:
        written = known[name]
        shown = [*written.args, *written.kwonlyargs, *filter(None, [written.kwarg])]
        assert list(inspect.signature(added[name]).parameters) == [argument.arg for argument in shown]
    assert set(added) == {name for name in known if name != "_is_module" and not name.startswith("__")}
