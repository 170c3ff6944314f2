"""Operations on single records never hold more than a chunk of them, also where they count over the table first."""

from __future__ import annotations

import weakref
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from pamola_ops_anonymize import (
    DropOperation,
    GeneralizeOperation,
    HoldOutOperation,
    MaskOperation,
    NoiseOperation,
    PseudonymizeOperation,
    SuppressOperation,
    TopBottomCodeOperation,
)
from pamola_tasks import Kernel, Operation, OperationContext, OperationResult, reads
from pamola_tasks.storage.files import Files
from pamola_tasks_compat import TaskRunner
from pamola_tasks_data import DataSource
from pamola_tasks_paths.guard import ProjectGuard

ROWS, CHUNK = 250_000, 100_000  # the chunk is what a task has unless it says otherwise
WHO: Any = {"input_dataset": "people", "columns": ["age"]}


class Watched(DataSource):
    """A data source that notes how much it was asked for at once."""

    whole: list[list[str]]
    pieces: list[int]
    most: int

    def frame(self, name: str, columns: Sequence[str] | None = None) -> pd.DataFrame:
        self.whole.append(list(columns or ["all"]))
        return super().frame(name, columns)

    def chunks(self, name: str, size: int, columns: Sequence[str] | None = None) -> Iterator[pd.DataFrame]:
        alive: list[weakref.ref[pd.DataFrame]] = []
        for piece in super().chunks(name, size, columns):
            self.pieces.append(len(piece))
            alive.append(weakref.ref(piece))
            held = [frame for frame in (reference() for reference in alive) if frame is not None]
            self.most = max(self.most, sum(map(len, held)))
            del held
            yield piece
            del piece


# a table that is published is read once more than it takes to change it: what its other columns look like
EACH: list[tuple[Any, int]] = [
    (DropOperation(**WHO), 2),
    (MaskOperation(**WHO), 2),
    (GeneralizeOperation(**WHO, method="interval", width=10), 2),
    (TopBottomCodeOperation(**WHO, top=50), 2),
    (TopBottomCodeOperation(**WHO, top_quantile=0.9), 3),
    (NoiseOperation(**WHO, scale=1), 2),
    (PseudonymizeOperation(**WHO), 2),
    (SuppressOperation(**WHO, suppress="attributes"), 2),
    (SuppressOperation(**WHO, suppress="cells", min_count=3), 3),
    (HoldOutOperation(input_dataset="people"), 3),
]


@pytest.mark.parametrize(("operation", "passes"), EACH, ids=[f"{number}" for number in range(len(EACH))])
def test_no_more_than_a_chunk_is_in_memory(
    operation: Any, passes: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PAMOLA_KEY", "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=")
    frame = pd.DataFrame({"age": range(ROWS), "other": 1})
    frame["age"] %= 97
    with (tmp_path / "people.csv").open("wb") as file:
        frame.to_csv(file, index=False)
    source = Watched(file_paths={"people": "people.csv"}, files=Files(ProjectGuard(tmp_path)))
    assert isinstance(source, Watched)
    source.whole, source.pieces, source.most = [], [], 0
    result = operation.run(data_source=source, task_dir=tmp_path / "task")
    assert not result.failed, result.error_message
    assert sum(source.pieces) == passes * ROWS
    assert max(source.pieces) <= CHUNK
    assert source.most <= 2 * CHUNK, "the one that is worked on, and the one that comes next"
    assert not source.whole, "no column is read whole"


class Sizes(Operation):
    """Says how many rows each piece has."""

    dataset: str = reads("people")

    def execute(self, ctx: OperationContext) -> OperationResult:
        return OperationResult.success({"sizes": [len(piece) for piece in ctx.data.chunks(self.dataset)]})


def test_the_chunks_are_those_of_the_task(tmp_path: Path) -> None:
    (tmp_path / ".pamola.toml").touch()
    with (tmp_path / "people.csv").open("wb") as file:
        pd.DataFrame({"age": range(2500)}).to_csv(file, index=False)
    task = TaskRunner(
        "t_1",
        input_datasets={"people": "people.csv"},
        operation_configs=[{"operation": Sizes, "parameters": {}}],
        additional_options={"chunk_size": 1000},
    )
    outcome = Kernel.discover(project=tmp_path).run(task)
    assert outcome.success, outcome.error
    assert outcome.record.steps[0].metrics["sizes"] == [1000, 1000, 500]
