"""Projects on real files, and a source and writer for them."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pamola_tasks.storage.files import Files
from pamola_tasks_data import DataReader, DataSource, DataWriter
from pamola_tasks_data.reading import CsvOptions
from pamola_tasks_paths.guard import ProjectGuard


class Project:
    """A folder, with what reads and writes in it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.files = Files(ProjectGuard(root))
        self.warnings: list[str] = []

    def put(self, name: str, content: bytes | str) -> str:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return name

    def source(self, *, data_types: Any = None, csv: CsvOptions | None = None, **paths: str) -> DataSource:
        reader = DataReader(self.files, csv=csv, warn=self.warnings.append)
        return DataSource(file_paths=paths, data_types=data_types, reader=reader)

    def writer(self, csv: CsvOptions | None = None) -> DataWriter:
        return DataWriter(self.files, csv=csv)

    def encrypted(self) -> Project:
        """The same project, in a run that encrypts."""
        from pamola_tasks_encryption.manager import TaskEncryptionManager

        config = SimpleNamespace(task_id="t_1", use_encryption=True, encryption_mode="simple", encryption_key_path=None)
        key = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
        manager = TaskEncryptionManager(config, environ={"PAMOLA_KEY": key})
        assert manager.initialize()
        other = Project(self.root)
        other.files = self.files.encrypting(manager)
        return other


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)
