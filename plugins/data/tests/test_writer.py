"""Formats of other plugins, and what the plugin offers to a kernel."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest

from pamola_tasks.errors import DataError
from pamola_tasks.protocols import DatasetFormat, Origin
from pamola_tasks_data import DataReader, DataSettings, DataSource, DataWriter
from pamola_tasks_data.formats import OWN, Formats


def test_a_foreign_format_takes_part(project: Any) -> None:
    rot = DatasetFormat(
        extension="upper",
        read=lambda file, columns, options: pd.DataFrame({"line": file.read().decode().lower().split("\n")[:-1]}),
        write=lambda frames, file, options: sum(
            file.write((str(v).upper() + "\n").encode()) and 1 for f in frames for v in f["line"]
        ),
    )
    formats = Formats({**OWN, "upper": rot})
    writer = DataWriter(project.files, formats=formats)
    record = writer.write_dataset(pd.DataFrame({"line": ["a", "b"]}), "t.upper", name="t", format="upper")
    assert (project.root / "t.upper").read_text() == "A\nB\n"
    assert record.rows == 2
    source = DataSource(file_paths={"t": "t.upper"}, reader=DataReader(project.files, formats=formats))
    assert source.frame("t")["line"].tolist() == ["a", "b"]
    with pytest.raises(DataError, match="use one of csv, json, jsonl, parquet, upper"):
        writer.write_dataset(pd.DataFrame({"line": ["a"]}), "t.xls", name="t", format="xls")


def test_errors_of_what_makes_the_pieces_are_left_as_they_are(project: Any) -> None:
    """They are none of writing, and name no file."""

    def pieces() -> Iterator[pd.DataFrame]:
        yield pd.DataFrame({"n": [1]})
        raise DataError("people: column n holds no numbers")

    with pytest.raises(DataError) as caught:
        DataWriter(project.files).write_dataset(pieces(), "t.csv", name="t", format="csv")
    assert (type(caught.value), str(caught.value)) == (DataError, "people: column n holds no numbers")
    assert not (project.root / "t.csv").exists()


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
