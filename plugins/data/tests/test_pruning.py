"""Who asks for some columns of a table has only those decoded: the others may be what no reader could decode."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from pamola_tasks import Kernel
from pamola_tasks.errors import ConfigurationError, DataError
from pamola_tasks_compat import TaskRunner

COLUMNS = [f"c{number}" for number in range(40)]
WANTED = ["c30", "c2", "c7"]


def table() -> pd.DataFrame:
    rng = np.random.default_rng(1)
    return pd.DataFrame({name: rng.integers(0, 9, 2000) for name in COLUMNS})


def parquet_with_one_column_spoilt(path: Path, frame: pd.DataFrame) -> None:
    file = io.BytesIO()
    frame.to_parquet(file)
    column = pq.ParquetFile(file).metadata.row_group(0).column(5)
    content = bytearray(file.getvalue())
    start = column.dictionary_page_offset or column.data_page_offset
    content[start : start + column.total_compressed_size] = b"\xff" * column.total_compressed_size
    path.write_bytes(content)


def csv_with_one_column_spoilt(path: Path, frame: pd.DataFrame) -> None:
    last = len(frame) - 1  # far behind the bytes by which the encoding is judged
    lines = frame.astype({"c5": str})
    lines.loc[last, "c5"] = "SPOILT"
    path.write_bytes(lines.to_csv(index=False).encode().replace(b"SPOILT", b"\xff"))


SPOIL: dict[str, Any] = {"csv": csv_with_one_column_spoilt, "parquet": parquet_with_one_column_spoilt}


@pytest.mark.parametrize("format", SPOIL)
def test_columns_that_nobody_asks_for_are_not_decoded(project: Any, format: str) -> None:
    frame = table()
    SPOIL[format](project.root / f"t.{format}", frame)
    source = project.source()
    encoding = {"encoding": "utf-8"} if format == "csv" else {}
    source.add_file_path("t", f"t.{format}", **encoding)
    read = source.frame("t", WANTED)
    pd.testing.assert_frame_equal(read, frame[WANTED])
    with pytest.raises(DataError):
        source.frame("t", ["c5"])


@pytest.mark.parametrize("format", SPOIL)
def test_an_operation_that_needs_three_of_forty_columns_reads_three(project: Any, format: str) -> None:
    project.put(".pamola.toml", "")
    SPOIL[format](project.root / f"t.{format}", table())
    task = TaskRunner(
        "t_1",
        input_datasets={"t": f"t.{format}"},
        operation_configs=[
            {"operation": "ProfileOperation", "parameters": {"dataset_name": "t", "fields": WANTED}},
            {"operation": "RiskOperation", "parameters": {"input_dataset": "t", "quasi_identifiers": WANTED}},
        ],
        additional_options={"default_encoding": "utf-8"},
    )
    outcome = Kernel.discover(project=project.root).run(task)
    assert outcome.success, outcome.error
    assert outcome.record.metrics["ProfileOperation"]["columns"] == 3


def test_lines_of_json_keep_only_the_columns_asked_for(project: Any) -> None:
    frame = table()
    project.put("t.jsonl", "".join(json.dumps(row) + "\n" for row in frame.to_dict("records")))
    pd.testing.assert_frame_equal(project.source(t="t.jsonl").frame("t", WANTED), frame[WANTED])
    with pytest.raises(DataError, match="no column 'c40'"):
        project.source(t="t.jsonl").frame("t", ["c1", "c40"])


def test_an_unknown_type_is_refused_before_any_file_is_opened(project: Any) -> None:
    project.put(".pamola.toml", "")
    for stated in ({"age": "intt"}, {"t": {"age": "intt"}}, {"other": {"age": 5}}):
        task = TaskRunner("t_1", input_datasets={"t": "gone.csv"}, data_types=stated)
        with pytest.raises(ConfigurationError, match="for column 'age': use one of text, integer"):
            Kernel.discover(project=project.root).run(task)
    assert not (project.root / "configs").exists()  # no failed run is recorded
