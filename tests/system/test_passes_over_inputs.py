"""How often a run opens an input, reads through it, and calls between kernel and data plugin, counted."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from pamola_tasks import BaseTask, Kernel, Operation, OperationContext, OperationResult, hookimpl, reads, writes
from pamola_tasks.errors import PlanError

ROWS = 50_000


class CountingGuard:
    """A path guard that counts how often files are opened and how many bytes are read of them."""

    def __init__(self, guard: Any, opened: Counter[str], read: Counter[str]) -> None:
        self._guard, self._opened, self._read = guard, opened, read

    def __getattr__(self, name: str) -> Any:
        return getattr(self._guard, name)

    @contextlib.contextmanager
    def open(self, name: str, mode: str = "rb") -> Iterator[Any]:
        """Open it, counted."""
        with self._guard.open(name, mode) as file:
            self._opened[Path(name).name] += 1
            yield file if mode == "ab" else Counted(file, lambda size: self._read.update({Path(name).name: size}))


class Counted:
    """A file of which the bytes read are counted."""

    def __init__(self, file: Any, count: Callable[[int], None]) -> None:
        self._file, self._count = file, count

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)

    def read(self, size: int = -1) -> bytes:
        """Read, counted."""
        data: bytes = self._file.read(size)
        self._count(len(data))
        return data

    def readinto(self, buffer: Any) -> int:
        """Read, counted."""
        size: int = self._file.readinto(buffer)
        self._count(size)
        return size


class Counting:
    """Counts what goes through the path guard, and calls of the data services."""

    PAMOLA_PLUGIN_NAME = "counting"

    def __init__(self) -> None:
        self.opened: Counter[str] = Counter()
        self.read: Counter[str] = Counter()
        self.calls: list[str] = []

    @hookimpl(wrapper=True)
    def pamola_provide_path_guard(self) -> Iterator[None]:
        """The guard, counted."""
        guard = yield
        return CountingGuard(guard, self.opened, self.read)

    @hookimpl(wrapper=True)
    def pamola_provide_data_source(self) -> Iterator[None]:
        """The source, counted."""
        return Listened((yield), self.calls)

    @hookimpl(wrapper=True)
    def pamola_provide_data_writer(self) -> Iterator[None]:
        """The writer, counted."""
        return Listened((yield), self.calls)


class Listened:
    """A service of which calls are noted."""

    def __init__(self, service: Any, calls: list[str]) -> None:
        self._service, self._calls = service, calls

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._service, name)
        if not callable(found):
            return found

        def call(*arguments: Any, **named: Any) -> Any:
            if arguments:  # of one table
                self._calls.append(name)
            return found(*arguments, **named)

        return call


class Copies(BaseTask):
    """One step that leaves a column out, or many."""

    def __init__(self, path: str, operations: list[tuple[Any, dict[str, Any]]]) -> None:
        super().__init__("t_copies", "test", "Copy", input_datasets={"people": path})
        self.operations_wanted = operations

    def configure_operations(self) -> None:
        """Add them."""
        for operation, parameters in self.operations_wanted:
            self.add_operation(operation, **parameters)


class Copy(Operation):
    """Copy a table."""

    input_dataset: str = reads()
    output_dataset: str = writes()

    def execute(self, ctx: OperationContext) -> OperationResult:
        """Copy it."""
        ctx.data.write(self.output_dataset, ctx.data.frame(self.input_dataset))
        return OperationResult.success()


class Unread(Operation):
    """Declare an input and not read it."""

    input_dataset: str = reads()

    def execute(self, ctx: OperationContext) -> OperationResult:
        """Do nothing."""
        return OperationResult.success()


DROP = ("DropOperation", {"input_dataset": "people", "output_dataset": "fewer", "columns": ["city"]})
HARMLESS = (DROP[0], {**DROP[1], "insensitive_attributes": ["person", "name"]})
COPY = (Copy, {"input_dataset": "people", "output_dataset": "copy"})
UNREAD = (Unread, {"input_dataset": "people"})
PROFILE = ("ProfileOperation", {"dataset_name": "people"})


@pytest.fixture
def root(tmp_path: Path, nothing_around: None) -> Path:
    (tmp_path / ".pamola.toml").touch()
    frame = pd.DataFrame(
        {"person": range(ROWS), "name": [f"n{n}" for n in range(ROWS)], "city": ["a", "b"] * (ROWS // 2)}
    )
    frame.to_csv(tmp_path / "people.csv", index=False)
    frame.to_parquet(tmp_path / "people.parquet")
    frame.to_json(tmp_path / "people.jsonl", orient="records", lines=True)
    return tmp_path


def run(root: Path, path: str, *operations: Any, **overrides: Any) -> Counting:
    counting = Counting()
    kernel = Kernel.discover(root, plugins=[counting])
    outcome = kernel.run(Copies(path, list(operations)), overrides={"output_format": "parquet", **overrides})
    assert outcome.success, outcome.error
    return counting


@pytest.mark.parametrize("path", ["people.csv", "people.parquet", "people.jsonl"])
@pytest.mark.parametrize("operations", [(DROP,), (COPY,), (DROP, COPY, PROFILE)], ids=["pieces", "whole", "three"])
def test_a_cold_run_opens_an_input_once_and_reads_it_once(root: Path, path: str, operations: Any) -> None:
    counting = run(root, path, *operations)
    assert counting.opened[path] == 1
    assert counting.read[path] == (root / path).stat().st_size
    again = run(root, path, *operations)
    assert again.opened[path] == 1, "an unchanged run hashes it"


@pytest.mark.parametrize(("path", "times"), [("people.csv", 1), ("people.parquet", 2), ("people.jsonl", 0)])
def test_a_look_at_a_task_reads_only_where_columns_are_named(root: Path, path: str, times: int) -> None:
    """Parquet says at its begin whether it is encrypted, and at its end its columns; JSON lines only in all rows."""
    counting = Counting()
    kernel = Kernel.discover(root, plugins=[counting])
    kernel.plan(Copies(path, [DROP, COPY, PROFILE]))
    assert counting.opened[path] == times
    assert counting.read[path] < (root / path).stat().st_size / 4
    if times:
        with pytest.raises(PlanError, match="has no column town"):
            kernel.plan(Copies(path, [COPY, (DROP[0], {**DROP[1], "columns": ["town"]})]))
        assert counting.opened[path] == 2 * times


def test_from_csv_to_a_published_file_the_kernel_calls_the_data_services_six_times(root: Path) -> None:
    """`describe` before and after the step, `frame`, `write_dataset`, and the output is known and the input let go.

    `reading`, which is part of what the step is made of, the data plugin asks of its own source.
    """
    counting = run(root, "people.csv", COPY)
    calls = [call for call in counting.calls if call != "reading"]
    assert calls == ["describe", "frame", "write_dataset", "describe", "add_file_path", "release"]


@pytest.fixture
def too_large(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pamola_tasks_data.source.KEPT", 0)
    monkeypatch.setattr("pamola_tasks_data.verified.BLOCK", 4096)
    time.sleep(0.11)  # the times of a file that was written this moment do not show whether it changes


TYPES = {"people": {"person": "integer", "name": "text", "city": "text"}}
STATED = {"data_types": TYPES, "default_encoding": "utf-8"}


@pytest.mark.parametrize(
    ("path", "operation", "stated", "passes"),
    [
        ("people.csv", COPY, {}, 1),
        ("people.jsonl", COPY, {}, 1),
        ("people.parquet", COPY, {}, 2),
        ("people.csv", DROP, {}, 3),
        ("people.jsonl", DROP, {}, 3),
        ("people.parquet", DROP, {}, 5),
        ("people.csv", DROP, {"data_types": TYPES}, 3),
        ("people.csv", DROP, STATED, 2),
        ("people.jsonl", DROP, STATED, 3),
        ("people.csv", HARMLESS, STATED, 1),
    ],
)
@pytest.mark.usefixtures("too_large")
def test_an_input_too_large_to_keep_is_hashed_while_it_is_read(
    root: Path, path: str, operation: Any, stated: Any, passes: int
) -> None:
    """One pass for the rows; one before it for types or names that no row or header states, or a footer at the end.

    One to judge what columns of a published table look like that stay as they are, unless they are said to be harmless.
    Of Parquet another, before pieces and before the judging one, looks at texts that are stored once, a MiB of each
    column at most, before they are repeated: of so small a file they are nearly all.
    """
    counting = run(root, path, operation, **stated)
    assert whole_passes(counting, root / path) == passes
    again = run(root, path, operation, **stated)
    assert whole_passes(again, root / path) == 1, "an unchanged run hashes it"


@pytest.mark.parametrize("kind", ["threads", "processes"])
@pytest.mark.usefixtures("too_large")
def test_the_hash_made_while_reading_is_what_the_run_records(root: Path, kind: str) -> None:
    kernel = Kernel.discover(root)
    task = Copies("people.csv", [DROP, COPY, UNREAD])
    outcome = kernel.run(task, overrides={"executor.kind": kind})
    (read,) = outcome.record.inputs
    assert read.sha256 == hashlib.sha256((root / "people.csv").read_bytes()).hexdigest()
    again = kernel.run(Copies("people.csv", [DROP, COPY, UNREAD]), overrides={"executor.kind": kind})
    assert {result.status.value for result in again.results.values()} == {"skipped"}
    assert again.record.inputs[0].sha256 == read.sha256
    with (root / "people.csv").open("a") as file:
        file.write("0,n,a\n")
    changed = kernel.run(Copies("people.csv", [DROP, COPY, UNREAD]), overrides={"executor.kind": kind})
    assert {result.status.value for result in changed.results.values()} == {"success"}


def whole_passes(counting: Counting, path: Path) -> int:
    """How often a file was read through; beginnings that are looked at count for nothing."""
    return round(counting.read[path.name] / path.stat().st_size)


def test_the_hash_of_a_huge_input_is_a_part_of_the_time_of_its_step(cli, project):
    """In a run after one that succeeded it is made first, to see whether the input changed."""
    table = project / "DATA/raw/big.csv"
    task = "timeout: {}\ninput_datasets: {{raw: DATA/raw/big.csv}}\noperations:\n"
    task += "  - MaskOperation: {{input_dataset: raw, columns: [age]}}\n"
    (project / "configs/t.yaml").write_text(task.format(60))
    table.write_text("age\n12\n")
    cli("run", "t", cwd=project, code=0)
    table.write_bytes(b"age\n" + b"12\n" * 6_000_000)
    os.truncate(table, 3 << 30)
    time.sleep(0.2)  # of a file that is written this moment, the look at its header makes the hash
    (project / "configs/t.yaml").write_text(task.format(0.3))
    done = cli("-v", "run", "t", cwd=project, code=1)
    assert re.search(r"hashed [\d,]+ of 3,072 MiB of DATA/raw/big.csv in the time that its step may take", done.stdout)
    assert "hashing DATA/raw/big.csv (3072 MiB)" in done.stderr
