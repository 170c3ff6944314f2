"""Files in a task's output directory that its newest run did not make: each by what it is, and removed accordingly."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

OPERATIONS = """\
from pamola_tasks import Operation, OperationResult, hookimpl, writes
import pandas

class Make(Operation):
    output_dataset: str = writes("a")

    def execute(self, ctx):
        ctx.data.write(self.output_dataset, pandas.DataFrame({"n": [1, 2]}))
        return OperationResult.success()

@hookimpl
def pamola_add_operations():
    return {"Make": Make}
"""


@pytest.fixture
def left(cli, project) -> Path:
    """The output directory: `c` is of the newest run, `a` of an earlier one, `b` too and edited since."""
    (project / "ops.py").write_text(OPERATIONS)
    folder = project / "DATA/processed/t/output"
    for name in "abc":
        (project / "configs/t.yaml").write_text(f"operations:\n  - Make: {{output_dataset: {name}}}\n")
        if name == "c":
            (folder / "b.csv").write_text("n\n3\n")
            (folder / "notes.txt").write_text("mine")
        done = cli("--plugin", "ops.py", "run", "t", cwd=project, code=0).stdout
    for said in ("notes.txt: not made by this task", "a.csv: no longer made", "b.csv: edited since run"):
        assert said in done
    return folder


def test_what_was_edited_and_what_is_the_users_stays_and_is_named(cli, project, left):
    status = cli("status", "t", cwd=project, code=0).stdout
    assert "made by no run" in status.partition("notes.txt")[0].splitlines()[-1]
    done = cli("clean", "--outputs", "t", cwd=project, code=0)
    assert sorted(path.name for path in left.iterdir()) == ["b.csv", "c.csv", "notes.txt"]
    assert "b.csv was edited since run" in done.stderr
    assert "notes.txt was not left by a run of t" in done.stderr
    cli("clean", "--force", "t", cwd=project, code=2)
    kept = json.loads(cli("clean", "--outputs", "--force", "t", "--json", cwd=project, code=0).stdout)["kept"]
    assert [Path(each["path"]).name for each in kept] == ["notes.txt"]
    assert sorted(path.name for path in left.iterdir()) == ["c.csv", "notes.txt"]
    rows = json.loads(cli("verify", "t", "--json", cwd=project, code=1).stdout)["records"]
    assert [row["why"] for row in rows] == ["not made by this task: take it out of the directory"]
    assert "clean --outputs" not in json.dumps(rows)
