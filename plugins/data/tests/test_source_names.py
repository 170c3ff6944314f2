"""Names that scripts use of a data source beside those that the kernel asks for: keys, modes, memory."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from pamola_tasks import BaseTask, Kernel
from pamola_tasks.errors import DataError, EncryptionError, UsageError
from pamola_tasks_data import DataSource

OTHER_KEY = "ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8="


def source_of(folder: Path) -> DataSource:
    source = Kernel.discover(project=folder).services(BaseTask("t_1"), upto="data_source").data_source
    assert isinstance(source, DataSource)
    return source


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / ".pamola.toml").touch()
    for name in ("plain.csv", "secret.csv"):
        (tmp_path / name).write_bytes(b"n\n7\n")
    command = [sys.executable, "-m", "pamola_tasks", "encrypt", "--in-place", "secret.csv"]
    subprocess.run(command, cwd=tmp_path, env={**os.environ, "PAMOLA_KEY": OTHER_KEY}, check=True, capture_output=True)
    return tmp_path


def test_a_dataset_of_another_key_is_read_with_that_key(folder: Path) -> None:
    source = source_of(folder)
    source.add_file_path("secret", "secret.csv")
    with pytest.raises(EncryptionError):
        source.frame("secret")
    with pytest.raises(EncryptionError):
        source.add_encryption_key("secret", "no key")
    source.add_encryption_key("secret", OTHER_KEY)
    assert source.frame("secret")["n"].tolist() == [7]
    with pytest.raises(DataError, match="no encryption service"):
        DataSource().add_encryption_key("secret", OTHER_KEY)


def test_how_a_dataset_must_be_encrypted_is_checked_in_its_file(folder: Path) -> None:
    source = source_of(folder)
    source.add_encryption_key("secret", OTHER_KEY)
    for name in ("plain", "secret"):
        source.add_file_path(name, f"{name}.csv")
    source.add_encryption_mode("plain", "simple")
    source.add_encryption_mode("secret", "none")
    with pytest.raises(DataError, match=r"plain\.csv.*has to be encrypted, and is not"):
        source.frame("plain")
    with pytest.raises(DataError, match=r"secret\.csv.*must not be"), source.open_raw("secret"):
        raise AssertionError("it is encrypted")
    source.add_encryption_mode("plain", "none")
    source.add_encryption_mode("secret", "age")
    assert source.frame("plain").equals(source.frame("secret"))
    with pytest.raises(UsageError, match="no mode"):
        source.add_encryption_mode("plain", "rot13")


def test_what_a_table_takes_in_memory_is_told_without_its_values() -> None:
    frame = pd.DataFrame({"n": np.arange(1000), "city": ["Köln", "Bonn"] * 500, "x": np.arange(1000) / 7})
    source = DataSource.from_dataframe(frame, "t")
    told = source.analyze_dataframe("t")
    assert told["rows"] == 1000
    assert told["memory_bytes"] == frame.memory_usage(deep=True).sum()
    assert {name: column["smaller_dtype"] for name, column in told["columns"].items()} == {
        "n": "int16",
        "city": "category",
        "x": None,
    }
    assert (told["columns"]["city"]["distinct"], told["columns"]["city"]["missing"]) == (2, 0)
    smaller = frame.astype({name: c["smaller_dtype"] for name, c in told["columns"].items() if c["smaller_dtype"]})
    pd.testing.assert_frame_equal(smaller.astype(frame.dtypes), frame)
    assert "Köln" not in repr(told)


def test_a_table_that_does_not_go_into_memory_should_be_read_in_pieces(project: Any) -> None:
    project.put("t.csv", "n\n" + "1234567\n" * 20_000)
    source = project.source(t="t.csv")
    assert source.suggest_engine("t") == "pandas"
    assert source.suggest_engine("t", memory_limit=100_000) == "chunks"


def test_frames_that_can_be_read_again_make_room(project: Any) -> None:
    project.put("small.csv", "n\n1\n")
    project.put("large.csv", "n\n" + "1\n" * 1000)
    source = project.source(small="small.csv", large="large.csv")
    source.add_dataframe("given", pd.DataFrame({"n": [1] * 5000}))
    for name in source.names():
        source.frame(name)
    assert source.optimize_memory()["released"] == []
    assert source.optimize_memory(0)["released"] == ["large", "small"], "what has no file stays"
    assert source.names() == ["small", "large", "given"]
    assert len(source.frame("large")) == 1000
