"""The plugin itself: light to import, and its hooks give the service, the settings and the diagnosis."""

from __future__ import annotations

import logging
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from encryption_samples import KEY, KEY_TEXT, PROJECT, Config, encrypted, fingerprint_of, key_file

from pamola_tasks import Kernel
from pamola_tasks.errors import EncryptionError
from pamola_tasks.protocols import Project
from pamola_tasks.testing.places import MemoryLock
from pamola_tasks_encryption import Binding, EncryptionSettings, plugin
from pamola_tasks_encryption.keys import default_key_file
from pamola_tasks_redaction.secrets import Redactor


def run_of(root: Path, encryption_keys: dict[str, str] | None = None, **config: Any) -> Any:
    """As much of a run as is up when the encryption service is asked for."""
    settings = Config(**config)

    class RunConfig:
        def plugin(self, name: str) -> EncryptionSettings:
            assert name == "encryption"
            return EncryptionSettings()

        def __getattr__(self, name: str) -> Any:
            return getattr(settings, name)

    return SimpleNamespace(
        config=RunConfig(),
        task=SimpleNamespace(encryption_keys=encryption_keys or {}),
        logger=logging.getLogger("test"),
        project=Project(root, id=PROJECT),
        redactor=Redactor(),
        lock=MemoryLock(),
        path_guard=SimpleNamespace(open=lambda name: (root / name).open("rb")),
        files=None,
        dry=True,
    )


def test_the_service_comes_up_with_the_key_of_the_project(tmp_path: Path) -> None:
    key_file(default_key_file(PROJECT))
    service = plugin.pamola_provide_encryption(run_of(tmp_path))
    assert service.enabled
    assert service.key_id == fingerprint_of(KEY)


def test_the_service_does_not_come_up_without_a_key(tmp_path: Path) -> None:
    with pytest.raises(EncryptionError, match="no key"):
        plugin.pamola_provide_encryption(run_of(tmp_path))


def test_keys_that_the_task_gives_for_its_inputs_open_them(tmp_path: Path) -> None:
    (tmp_path / "input").write_bytes(encrypted(b"x", binding=Binding("another project", "", "data")))
    service = plugin.pamola_provide_encryption(run_of(tmp_path, {"customers": KEY_TEXT}, use_encryption=False))
    with (tmp_path / "input").open("rb") as raw:
        assert service.reader(raw, role="data", task_id="").read() == b"x"


def test_doctor_says_how_it_stands_with_the_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kernel = Kernel(tmp_path, autoload=False, plugins=[plugin])

    def levels(project: Project | None) -> list[str]:
        return [finding.level for finding in plugin.pamola_add_diagnoses(project, kernel)]

    project = Project(tmp_path, id=PROJECT)
    assert levels(project) == levels(None) == ["note"]
    path = key_file(default_key_file(PROJECT))
    assert levels(project) == ["ok"]
    path.chmod(0o666)
    assert levels(project) == ["error"]
    monkeypatch.setenv("PAMOLA_KEY", KEY_TEXT)
    assert levels(project) == ["ok"]


def test_the_settings_are_found_under_the_name_the_hook_gives() -> None:
    module, name = plugin.pamola_add_settings().split(":")
    assert getattr(sys.modules[module], name) is EncryptionSettings
