"""What one step writes and another reads is not read from the file again, and is what reading would have given."""

from __future__ import annotations

import datetime
import decimal
import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from pamola_tasks import BaseTask, Kernel, Operation, OperationContext, OperationResult, hookimpl, reads, writes
from pamola_tasks_data import parquet

if TYPE_CHECKING:
    from pamola_tasks.protocols import RunServices
    from pamola_tasks.record import DatasetRecord

STAMPS = pd.to_datetime(["2020-01-01", None, "2021-01-01 01:02:03.000000001", "2022"], format="ISO8601")
COLUMNS: dict[str, Any] = {
    "int8": pd.Series([1, 2, 3, 4], dtype="int8"),
    "uint64": pd.Series([1, 2, 3, 2**63], dtype="uint64"),
    "Int32": pd.array([1, None, 3, 4], dtype="Int32"),
    "Int64": pd.array([1, 2, 3, 4], dtype="Int64"),
    "missing": pd.array([None] * 4, dtype="Int64"),
    "float32": pd.Series([1, 2, np.nan, 3], dtype="float32"),
    "Float64": pd.array([1.5, None, 2, 3], dtype="Float64"),
    "bool": [True, False, True, True],
    "boolean": pd.array([True, None, False, True], dtype="boolean"),
    "str": ["a", None, "", "c"],
    "string": pd.array(["a", None, "", "c"], dtype="string"),
    "object": pd.Series(["a", None, "", "c"], dtype=object),
    "objects": pd.Series([1, None, 2, 3], dtype=object),
    "nothing": [None] * 4,
    "category": pd.Categorical(["x", None, "y", "x"], categories=["z", "y", "x"], ordered=True),
    "numbers": pd.Categorical([1, 2, None, 1]),
    "cut": pd.cut([1, 5, 9, 1], [0, 3, 6, 10]),
    "interval": pd.arrays.IntervalArray.from_breaks([0, 1, 2, 3, 4]),
    "period": pd.period_range("2020", "2023", freq="Y"),
    "sparse": pd.arrays.SparseArray([1, 0, 0, 2]),
    "ns": STAMPS.as_unit("ns"),
    "s": STAMPS.as_unit("s"),
    "tz": STAMPS.tz_localize("UTC").tz_convert("Europe/Berlin"),
    "timedelta": pd.to_timedelta([1, 2, None, 3], unit="s"),
    "date": [datetime.date(2020, 1, 1), None, datetime.date(2021, 1, 1), datetime.date(2022, 1, 1)],
    "time": [datetime.time(1), None, datetime.time(2), datetime.time(3)],
    "decimal": [decimal.Decimal("1.5"), None, decimal.Decimal(2), decimal.Decimal(3)],
    "bytes": [b"a", None, b"", b"c"],
    "list": [[1, 2], None, [], [3]],
    "dict": [{"a": 1}, None, {"a": 2}, {"a": 3}],
    "arrow": pd.array([1, None, 2, 3], dtype=pd.ArrowDtype(pa.int16())),
}


@pytest.mark.parametrize("name", COLUMNS)
@pytest.mark.parametrize("index", [None, pd.Index([5, 6, 7, 8]), pd.Index([1, 2, 3, 4], name="key")])
def test_the_frame_that_is_handed_over_is_the_one_that_would_be_read(name: str, index: pd.Index | None) -> None:
    frame = pd.DataFrame({name: COLUMNS[name]})
    if index is not None:
        frame.index = index
    file = io.BytesIO()
    parquet.write([frame], file, {})
    file.seek(0)
    handed = parquet.as_read(frame)
    pd.testing.assert_frame_equal(handed, parquet.read(file, None, {}), check_exact=True)
    file.seek(0)
    assert parquet.schema(file, {}) == {column: str(dtype) for column, dtype in handed.dtypes.items()}


class Doubled(Operation):
    """Doubles numbers, and goes on changing its frame after it was written."""

    input_dataset: str = reads()
    output_dataset: str = writes()

    def execute(self, ctx: OperationContext) -> OperationResult:
        frame = ctx.data.frame(self.input_dataset)
        frame["n"] *= 2
        ctx.data.write(self.output_dataset, frame)
        frame.loc[:, "n"] = -1
        return OperationResult.success({"sum": int(frame["n"].sum())})


class InPieces(Operation):
    """Copies a table in pieces of two rows."""

    input_dataset: str = reads()
    output_dataset: str = writes()

    def execute(self, ctx: OperationContext) -> OperationResult:
        ctx.data.write(self.output_dataset, ctx.data.chunks(self.input_dataset, 2))
        return OperationResult.success()


class Chain(BaseTask):
    def __init__(self, encrypts: bool) -> None:
        super().__init__("t_chain", input_datasets={"a": "a.csv"}, use_encryption=encrypts)

    def configure_operations(self) -> None:
        self.add_operation(Doubled, input_dataset="a", output_dataset="b")
        self.add_operation(Doubled, input_dataset="b", output_dataset="c")
        self.add_operation(InPieces, input_dataset="c", output_dataset="d")
        self.add_operation(Doubled, input_dataset="d", output_dataset="e")


class Spoils:
    """Cuts the files of two datasets short as soon as they are there: who reads them fails."""

    PAMOLA_PLUGIN_NAME = "spoils"

    @hookimpl
    def pamola_on_dataset_written(self, run: RunServices, dataset: DatasetRecord) -> None:
        if dataset.name in ("b", "c"):
            (run.files.root / dataset.path).write_bytes(b"")


@pytest.mark.parametrize("encrypts", [False, True])
def test_a_table_between_two_steps_is_not_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, encrypts: bool
) -> None:
    monkeypatch.setenv("PAMOLA_KEY", "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=")
    (tmp_path / ".pamola.toml").touch()
    (tmp_path / "a.csv").write_bytes(b"n\n1\n2\n3\n")
    outcome = Kernel.discover(project=tmp_path, plugins=[Spoils()]).run(Chain(encrypts))
    assert outcome.success, outcome.error
    assert outcome.datasets["e"]["n"].tolist() == [8, 16, 24], "what was changed after writing is not handed over"
