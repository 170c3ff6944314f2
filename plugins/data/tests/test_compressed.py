"""Compressed files are read as what they hold, and refused where they hold too much."""

from __future__ import annotations

import gzip
import io
import zipfile
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest

from pamola_tasks import Kernel
from pamola_tasks.errors import DataError
from pamola_tasks_compat import TaskRunner
from pamola_tasks_data import DataReader, DataSource

TABLES = {
    "csv": "n;zip\n1;01234\n2;\n".encode("utf-16"),
    "jsonl": b'{"n": 1, "zip": "01234"}\n{"n": 2, "zip": null}\n',
    "json": b'[{"n": 1, "zip": "01234"}, {"n": 2, "zip": null}]',
}


def zipped(content: bytes, *names: str) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in names or ("t.csv",):
            archive.writestr(name, content)
    return file.getvalue()


def zstandard(content: bytes) -> bytes:
    packed: bytes = pa.Codec("zstd").compress(content, asbytes=True)
    return packed


ROW = b"0" * 1000 + b"\n"
PACK: dict[str, Any] = {"gz": gzip.compress, "zst": zstandard, "zip": zipped}


@pytest.mark.parametrize("packing", PACK)
@pytest.mark.parametrize("format", TABLES)
def test_a_compressed_table_is_read_as_the_table(project: Any, format: str, packing: str) -> None:
    project.put(f"t.{format}", TABLES[format])
    project.put(f"t.{format}.{packing}", PACK[packing](TABLES[format]))
    source = project.source(plain=f"t.{format}", packed=f"t.{format}.{packing}")
    expected = source.frame("plain")
    assert expected["zip"].tolist()[0] == "01234"
    pieces = list(source.chunks("packed", 1))
    pd.testing.assert_frame_equal(pd.concat(pieces, ignore_index=True), expected)
    pd.testing.assert_frame_equal(source.frame("packed"), expected)
    assert source.schema("packed") == source.schema("plain")
    assert source.describe("packed").format == format
    assert source.fingerprint("packed") == project.files.sha256(f"t.{format}.{packing}")


@pytest.mark.parametrize("packing", PACK)
def test_a_file_that_expands_too_far_is_refused_wherever_it_is_read(project: Any, packing: str) -> None:
    content = b"SECRET\n" + ROW * 80_000
    path = project.put(f"bomb.csv.{packing}", PACK[packing](content))
    source = project.source(bomb=path)
    message = r"bomb\.csv.*expand to more than 67,108,864.*data\.expansion_limit"
    for look in (source.frame, source.schema, lambda name: list(source.chunks(name, 10_000))):
        with pytest.raises(DataError, match=message) as told:
            look("bomb")
        assert "SECRET" not in str(told.value)
    patient = DataSource(file_paths={"t": path}, reader=DataReader(project.files, limits={"expansion_limit": 100_000}))
    assert len(patient.frame("t")) == 80_000


def test_the_limit_is_a_setting(project: Any) -> None:
    project.put("bomb.csv.gz", gzip.compress(b"n\n" + ROW * 80_000, mtime=0))
    task = TaskRunner(
        "t_1",
        input_datasets={"bomb": "bomb.csv.gz"},
        operation_configs=[{"operation": "ProfileOperation", "parameters": {"dataset_name": "bomb"}}],
    )
    project.put(".pamola.toml", "")
    for limit, succeeds in ((200, False), (100_000, True)):
        project.put("configs/prj_config.yaml", f"data: {{expansion_limit: {limit}}}\n")
        outcome = Kernel.discover(project=project.root).run(task)
        assert outcome.success == succeeds
        assert succeeds or "data.expansion_limit" in str(outcome.error)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("t.csv.gz", gzip.compress(TABLES["csv"], mtime=0)[:-9], "damaged"),
        ("t.csv.gz", b"no gzip", "damaged"),
        ("t.csv.zst", zstandard(TABLES["csv"])[:-4], "damaged"),
        ("t.csv.zip", b"PK no zip", "damaged"),
        ("t.csv.zip", zipped(b"n\n1\n", "a.csv", "b.csv"), "holds 2 files"),
    ],
)
def test_damaged_archives_fail_in_words(project: Any, name: str, content: bytes, message: str) -> None:
    with pytest.raises(DataError, match=message):
        project.source(t=project.put(name, content)).frame("t")


def test_parquet_is_not_packed_again(project: Any) -> None:
    with pytest.raises(DataError, match="compressed internally"):
        project.source(t="t.parquet.gz")
