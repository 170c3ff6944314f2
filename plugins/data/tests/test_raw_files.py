"""Files that are no tables: opened by the name of a dataset, guarded, decrypted and hashed as tables are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pamola_tasks import BaseTask, Kernel, Operation, OperationContext, OperationResult, reads
from pamola_tasks.errors import DataError

CONTENT = b"# no table at all\nkeep: [a, b]\n"


class ReadsRules(Operation):
    """Counts the lines of a file of rules."""

    rules: str = reads()

    def execute(self, ctx: OperationContext) -> OperationResult:
        with ctx.data.open_raw(self.rules) as file:
            return OperationResult.success({"lines": len(file.readlines()), "file": ctx.data.path(self.rules)})


class Rules(BaseTask):
    def __init__(self, path: str = "rules.yaml") -> None:
        super().__init__("t_rules", auxiliary_datasets={"rules": path})

    def configure_operations(self) -> None:
        self.add_operation(ReadsRules, rules="rules")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / ".pamola.toml").touch()
    (tmp_path / "rules.yaml").write_bytes(CONTENT)
    return tmp_path


def run(folder: Path, task: BaseTask | None = None) -> Any:
    return Kernel.discover(project=folder).run(task or Rules())


def test_a_file_that_is_no_table_is_an_input_like_others(folder: Path) -> None:
    first = run(folder)
    assert first.success, first.error
    assert first.record.metrics["ReadsRules"] == {"lines": 2, "file": "rules.yaml"}
    (known,) = first.record.inputs
    assert (known.name, known.path, len(known.sha256)) == ("rules", "rules.yaml", 64)
    assert run(folder).record.steps[0].status == "skipped"
    (folder / "rules.yaml").write_bytes(CONTENT + b"more: []\n")
    again = run(folder).record.steps[0]
    assert (again.status, again.metrics["lines"]) == ("success", 3)
    assert "rules" in again.reason


def test_it_is_guarded_and_decrypted(project: Any, folder: Path) -> None:
    outside = folder.parent / "outside.yaml"
    outside.write_bytes(CONTENT)
    assert type(run(folder, Rules(str(outside))).error).__name__ == "PathSecurityError"
    project.encrypted().files.write("secret.yaml", CONTENT, "data")
    assert CONTENT not in (folder / "secret.yaml").read_bytes()
    source = project.encrypted().source(rules="secret.yaml", gone="gone.yaml")
    with source.open_raw("rules") as file:
        assert file.read() == CONTENT
    with pytest.raises(DataError, match=r"gone.*no such file"), source.open_raw("gone"):
        raise AssertionError("it is not there")
    source.add_multi_file_dataset("two", ["a.csv", "b.csv"])
    with pytest.raises(DataError, match="has 2 files"), source.open_raw("two"):
        raise AssertionError("which of them")
