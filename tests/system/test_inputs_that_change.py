"""An input that is rewritten while a run reads it: the step fails, and no later run takes its result for good."""

from __future__ import annotations

import gzip
import os
import subprocess
import sys
from collections.abc import Callable
from functools import partial
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


@pytest.mark.parametrize("rewrite", [in_place, by_rename])
@pytest.mark.parametrize("how", ["frame", "chunks", "first chunk", "schema", "raw"])
@pytest.mark.parametrize("format", ["csv", "parquet", "jsonl", "xlsx"])
def test_the_same_holds_for_files_too_large_to_keep_in_memory(
    root: Path, monkeypatch: pytest.MonkeyPatch, format: str, how: str, rewrite: Callable[[Path, bytes], None]
) -> None:
    monkeypatch.setattr("pamola_tasks_data.source.KEPT", 0)
    path = root / f"people.{format}"
    whole, half = content(format, 120, root), content(format, 60, root)
    path.write_bytes(whole)
    assert_refused(run(root, path, how, Interferes(lambda: rewrite(path, half), lambda: rewrite(path, whole))))
    again = run(root, path, how)
    assert again.success
    assert again.results["Copy"].status.value == "success"


def test_an_input_that_changes_after_the_step_has_read_it_fails_the_step(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = root / "people.csv"
    path.write_bytes(content("csv", 120, root))
    monkeypatch.setattr(f"{__name__}.DURING", lambda: in_place(path, content("csv", 121, root)))
    assert_refused(run(root, path, "frame"))
    monkeypatch.undo()
    assert len(run(root, path, "frame").datasets["copy"]) == 121


def test_an_input_that_is_rewritten_with_the_same_bytes_is_the_same_input(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = root / "people.csv"
    path.write_bytes(content("csv", 120, root))
    monkeypatch.setattr(f"{__name__}.DURING", lambda: by_rename(path, path.read_bytes()))
    assert run(root, path, "frame").success
    monkeypatch.undo()
    assert run(root, path, "frame").results["Copy"].status.value == "skipped"


@pytest.mark.parametrize("rewrite", [in_place, by_rename])
def test_a_step_of_a_mixture_is_never_made(
    root: Path, monkeypatch: pytest.MonkeyPatch, rewrite: Callable[[Path, bytes], None]
) -> None:
    """The input is rewritten between two pieces, and is the old one again when the step ends."""
    monkeypatch.setattr("pamola_tasks_data.source.KEPT", 0)
    monkeypatch.setattr("pamola_tasks_data.verified.BLOCK", 64)
    path = root / "people.csv"
    whole = content("csv", 120, root)
    other = whole.replace(b"n1", b"x1")
    path.write_bytes(whole)
    kept: list[int] = []
    real = pd.concat

    def pieces(frames: list[pd.DataFrame], **options: Any) -> pd.DataFrame:
        kept.append(len(frames))
        return real(frames, **options)

    monkeypatch.setattr(pd, "concat", pieces)
    outcome = run(root, path, "chunks", Interferes(lambda: rewrite(path, other), lambda: rewrite(path, whole)))
    assert_refused(outcome)
    assert kept == [], "the step got no row of it"


def test_a_dataset_of_several_files_is_refused_where_one_of_them_changes(root: Path) -> None:
    class Several(Copies):
        """Reads two files as one table."""

        def configure_operations(self) -> None:
            """Name them."""
            self.data_source.add_multi_file_dataset("people", ["people.csv", "more.csv"])
            super().configure_operations()

    for name in ("people.csv", "more.csv"):
        (root / name).write_bytes(content("csv", 60, root))
    second, half = root / "more.csv", content("csv", 30, root)
    interferes = Interferes(lambda: in_place(second, half), lambda: None)
    kernel = Kernel.discover(root, plugins=[interferes])
    assert_refused(kernel.run(Several(root / "people.csv", "frame"), overrides={"output_format": "parquet"}))
    again = Kernel.discover(root).run(Several(root / "people.csv", "frame"), overrides={"output_format": "parquet"})
    assert len(again.datasets["copy"]) == 90


@pytest.mark.parametrize("how", ["frame", "first chunk", "schema", "raw"])
def test_a_step_in_another_process_is_refused_too(root: Path, how: str) -> None:
    path = root / "people.csv"
    whole, half = content("csv", 120, root), content("csv", 60, root)
    path.write_bytes(whole)
    interferes = Interferes(partial(in_place, path, half), partial(in_place, path, whole))
    outcome = run(root, path, how, interferes, **{"executor.kind": "processes"})
    assert not outcome.success
    assert "people" in str(outcome.error)
    assert "changed while" in str(outcome.error)
    again = run(root, path, how, **{"executor.kind": "processes"})
    assert again.success
    assert again.results["Copy"].status.value == "success"


def test_an_encrypted_input_is_refused_too(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PAMOLA_KEY", "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=")
    path, other = root / "people.csv", root / "other.csv"
    for file, rows in ((path, 120), (other, 60)):
        file.write_bytes(content("csv", rows, root))
        command = [sys.executable, "-m", "pamola_tasks", "encrypt", "--in-place", file.name]
        subprocess.run(command, cwd=root, check=True, capture_output=True)
    whole, half = path.read_bytes(), other.read_bytes()
    assert_refused(run(root, path, "chunks", Interferes(lambda: in_place(path, half), lambda: in_place(path, whole))))
    assert len(run(root, path, "chunks").datasets["copy"]) == 120


def test_an_intermediate_dataset_that_was_altered_is_not_read(root: Path) -> None:
    class Chain(Copies):
        """Copies twice."""

        def configure_operations(self) -> None:
            """Add both."""
            self.add_operation(Copy, input_dataset="people", output_dataset="middle", how="chunks")
            self.add_operation(Copy, input_dataset="middle", output_dataset="copy", how="raw", step={"id": "second"})

    class Alters:
        """Cuts the intermediate dataset when the second step starts."""

        PAMOLA_PLUGIN_NAME = "alters"

        @hookimpl
        def pamola_on_step_started(self, step: Any) -> None:
            """Cut it."""
            if step.id == "second":
                (middle,) = root.rglob("middle.parquet")
                middle.write_bytes(middle.read_bytes() + b"x")

    path = root / "people.csv"
    path.write_bytes(content("csv", 20, root))
    outcome = Kernel.discover(root, plugins=[Alters()]).run(Chain(path, ""), overrides={"output_format": "csv"})
    assert not outcome.success
    assert "middle" in str(outcome.error)
    again = Kernel.discover(root).run(Chain(path, ""), overrides={"output_format": "csv"})
    assert again.success
