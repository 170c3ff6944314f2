"""Datasets that are encrypted in a way of their own: keys and modes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

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
