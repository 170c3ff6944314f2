"""An input that is rewritten while a run reads it: the step fails, and no later run takes its result for good."""

from __future__ import annotations

import gzip
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from pamola_tasks import BaseTask, Kernel, Operation, OperationContext, OperationResult, hookimpl, reads, writes
from pamola_tasks.kernel import Outcome

FORMATS = ["csv", "csv.gz", "parquet", "jsonl", "json", "xlsx"]


def people(rows: int) -> pd.DataFrame:
    return pd.DataFrame({"person": range(rows), "name": [f"n{number}" for number in range(rows)]})


def content(format: str, rows: int, folder: Path) -> bytes:
    """The bytes of a file of that format with so many people."""
    frame, path = people(rows), folder / "made"
    if format == "parquet":
        frame.to_parquet(path)
    elif format == "xlsx":
        frame.to_excel(path, index=False, engine="xlsxwriter")
    elif format in ("json", "jsonl"):
        frame.to_json(path, orient="records", lines=format == "jsonl")
    else:
        text = frame.to_csv(index=False).encode()
        path.write_bytes(gzip.compress(text) if format.endswith("gz") else text)
    return path.read_bytes()


def in_place(path: Path, data: bytes) -> None:
    """Rewrite a file, its times as they were."""
    times = path.stat()
    path.write_bytes(data)
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))


def by_rename(path: Path, data: bytes) -> None:
    """Put another file into its place."""
    new = path.with_name("new")
    new.write_bytes(data)
    new.replace(path)


class Copy(Operation):
    """Copy a table; how it is read is a parameter."""

    input_dataset: str = reads()
    output_dataset: str = writes()
    how: str = "frame"

    def execute(self, ctx: OperationContext) -> OperationResult:
        """Read it, call what the test wants called meanwhile, write it."""
        name = self.input_dataset
        if self.how == "frame":
            frame = ctx.data.frame(name)
        elif self.how == "chunks":
            frame = pd.concat(list(ctx.data.chunks(name, 7)), ignore_index=True)
        elif self.how == "first chunk":
            frame = next(iter(ctx.data.chunks(name, 7)))
        elif self.how == "schema":
            frame = pd.DataFrame({"column": list(ctx.data.schema(name))})
        else:
            with ctx.data.open_raw(name) as file:
                frame = pd.DataFrame({"size": [len(file.read())]})
        DURING()
        ctx.data.write(self.output_dataset, frame)
        return OperationResult.success()


def DURING() -> None:
    """What happens after the step has read its input."""


class Interferes:
    """Rewrites the input of a run when its first step starts, and mends it when that has ended."""

    PAMOLA_PLUGIN_NAME = "interferes"

    def __init__(self, change: Callable[[], None], mend: Callable[[], None]) -> None:
        self.change, self.mend = change, mend

    @hookimpl
    def pamola_on_step_started(self, run: Any, step: Any) -> None:
        """Rewrite."""
        self.change()

    @hookimpl
    def pamola_on_step_finished(self, run: Any, step: Any, result: Any) -> None:
        """Mend."""
        self.mend()


class Copies(BaseTask):
    """One step that copies the input."""

    def __init__(self, path: Path, how: str, **configuration: Any) -> None:
        super().__init__("t_copies", "test", "Copy", input_datasets={"people": str(path)})
        self.how = how

    def configure_operations(self) -> None:
        """Add it."""
        self.add_operation(Copy, input_dataset="people", output_dataset="copy", how=self.how)


@pytest.fixture
def root(tmp_path: Path, nothing_around: None) -> Path:
    (tmp_path / "root").mkdir()
    (tmp_path / "root" / ".pamola.toml").touch()
    return tmp_path / "root"


def run(root: Path, path: Path, how: str, *plugins: Any, **overrides: Any) -> Outcome:
    kernel = Kernel.discover(root, plugins=list(plugins))
    return kernel.run(Copies(path, how), overrides={"output_format": "parquet", **overrides})


def assert_refused(outcome: Outcome) -> None:
    assert not outcome.success
    assert "people" in str(outcome.error)
    assert "changed while this run read it" in str(outcome.error)
    assert not outcome.record.outputs


@pytest.mark.parametrize("rewrite", [in_place, by_rename])
@pytest.mark.parametrize("how", ["frame", "chunks", "first chunk", "schema", "raw"])
@pytest.mark.parametrize("format", FORMATS)
def test_an_input_that_is_another_one_while_its_step_runs_fails_the_step(
    root: Path, format: str, how: str, rewrite: Callable[[Path, bytes], None]
) -> None:
    path = root / f"people.{format}"
    whole, half = content(format, 120, root), content(format, 60, root)
    path.write_bytes(whole)
    outcome = run(root, path, how, Interferes(lambda: rewrite(path, half), lambda: rewrite(path, whole)))
    assert_refused(outcome)
    again = run(root, path, how)
    assert again.success
    assert again.results["Copy"].status.value == "success", "nothing of the failed run is taken for a result"
    if how in ("frame", "chunks"):
        assert len(again.datasets["copy"]) == 120
