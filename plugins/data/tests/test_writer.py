"""The small files beside the datasets, and what the plugin offers to a kernel."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from pamola_tasks.errors import DataError, DataWriteError, PathSecurityError
from pamola_tasks.protocols import DatasetFormat, Origin
from pamola_tasks_data import DataReader, DataSettings, DataSource, DataWriter
from pamola_tasks_data.formats import Formats


def load(path: Path) -> Any:
    return json.loads(path.read_text())


def test_frames_and_json_go_below_the_task_directory(project: Any) -> None:
    writer = project.writer()
    result = writer.write_dataframe(pd.DataFrame({"a": [1]}), "t")
    assert (result.path, result.format) == (project.root / "task/output/t.csv", "csv")
    assert result.size_bytes == result.path.stat().st_size
    assert result.sha256 == project.files.sha256(result.path)
    result = writer.write_json({"n": np.int64(3), "day": date(2024, 1, 1), "s": {2, 1}}, "j", timestamp_in_name=True)
    assert load(result.path) == {"n": 3, "day": "2024-01-01", "s": [1, 2]}
    assert result.path.name.endswith("_j.json")
    result = writer.write_dictionary({"a": "x"}, "codes", format="csv")
    assert result.path == project.root / "task/dictionaries/codes.csv"
    assert result.path.read_text() == "key,value\na,x\n"
    assert load(writer.write_dictionary({"a": "x"}, "codes").path) == {"a": "x"}
    metrics = writer.write_metrics({"rows": 3}, "profile", {"name": "ProfileOperation"})
    assert metrics.path.parent == project.root / "task/metrics"
    assert load(metrics.path)["metrics"] == {"rows": 3}
    assert load(metrics.path)["metadata"]["operation"] == {"name": "ProfileOperation"}
    assert writer.write_visualization("<svg/>", "chart", "svg").path.read_text() == "<svg/>"


def test_a_file_is_replaced_only_where_that_was_allowed(project: Any) -> None:
    writer = project.writer()
    writer.write_json([1], "j")
    with pytest.raises(DataWriteError, match="there already"):
        writer.write_json([2], "j", overwrite=False)
    assert load(project.root / "task/output/j.json") == [1]


def test_arrays_grow_and_objects_merge(project: Any) -> None:
    writer = project.writer()
    for n in range(3):
        path = writer.append_to_json_array({"n": n}, "log").path
    assert load(path) == [{"n": 0}, {"n": 1}, {"n": 2}]
    writer.merge_json_objects({"a": {"x": 1}, "b": 1}, "facts")
    path = writer.merge_json_objects({"a": {"y": 2}, "b": 2}, "facts").path
    assert load(path) == {"a": {"x": 1, "y": 2}, "b": 2}
    assert load(writer.merge_json_objects({"a": {}}, "facts", recursive=False).path)["a"] == {}
    with pytest.raises(DataWriteError, match="does not hold an array"):
        writer.append_to_json_array(1, "facts")
    path.write_text("{broken")
    with pytest.raises(DataWriteError, match="not JSON"):
        writer.merge_json_objects({"a": 1}, "facts")
    assert path.read_text() == "{broken"


@pytest.mark.parametrize("name", ["../x", "a/b", "", "x\0", ".."])
def test_a_name_that_is_a_path_is_refused(project: Any, name: str) -> None:
    with pytest.raises(PathSecurityError):
        project.writer().write_json({}, name)
    with pytest.raises(PathSecurityError):
        project.writer().write_json({}, "x", subdir="../../elsewhere")
    assert not list(project.root.iterdir())


def test_a_dictionary_is_encrypted_where_the_run_encrypts(project: Any) -> None:
    run = project.encrypted()
    writer = run.writer()
    path = writer.write_dictionary({"alias": "PLAINTEXT"}, "codes").path
    assert b"PLAINTEXT" not in path.read_bytes()
    writer.append_to_json_array("PLAINTEXT", "log")
    path = writer.append_to_json_array("MORE", "log").path
    assert json.loads(run.files.read(path, "artifact")) == ["PLAINTEXT", "MORE"]


def test_a_foreign_format_takes_part(project: Any) -> None:
    rot = DatasetFormat(
        extension="upper",
        read=lambda file, columns, options: pd.DataFrame({"line": file.read().decode().lower().split("\n")[:-1]}),
        write=lambda frames, file, options: sum(
            file.write((str(v).upper() + "\n").encode()) and 1 for f in frames for v in f["line"]
        ),
    )
    formats = Formats({**Formats().known, "upper": rot})
    writer = DataWriter(project.files, formats=formats)
    record = writer.write_dataset(pd.DataFrame({"line": ["a", "b"]}), "t.upper", name="t", format="upper")
    assert (project.root / "t.upper").read_text() == "A\nB\n"
    assert record.rows == 2
    source = DataSource(file_paths={"t": "t.upper"}, reader=DataReader(project.files, formats=formats))
    assert source.frame("t")["line"].tolist() == ["a", "b"]
    with pytest.raises(DataError, match="known are csv, json, jsonl, parquet, upper"):
        writer.extension("xls")


class _Config:
    data_types = {"a": {"zip": "text"}}

    def __init__(self, **stated: str) -> None:
        self._stated = stated

    def get(self, key: str, default: Any = None) -> Any:
        return self._stated.get(key, default)

    def origins(self) -> dict[str, Origin]:
        found = {key: Origin(value=value, layer="task file", place="") for key, value in self._stated.items()}
        return {"default_delimiter": Origin(value=",", layer="default", place=""), **found}

    def plugin(self, name: str) -> DataSettings:
        assert name == "data"
        return DataSettings()


def test_the_services_follow_the_configuration(project: Any) -> None:
    from pamola_tasks_data import plugin

    project.put("a.csv", "zip;n\n1;2\n")
    run: Any = SimpleNamespace(files=project.files, config=_Config(), warn=project.warnings.append, task=None)
    source = plugin.pamola_provide_data_source(run=run)
    source.add_file_path("a", "a.csv")
    assert source.frame("a")["zip"].tolist() == ["1"]
    run.config = _Config(default_delimiter=";")
    writer = plugin.pamola_provide_data_writer(run=run)
    writer.write_dataset(pd.DataFrame({"a": [1], "b": [2]}), "b.csv", name="b", format="csv")
    assert (project.root / "b.csv").read_text() == "a;b\n1;2\n"
