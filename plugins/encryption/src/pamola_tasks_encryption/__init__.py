"""Encryption of what a run writes. Public names are imported when they are first used."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pamola_tasks_encryption.container import DecryptingReader, EncryptingWriter
    from pamola_tasks_encryption.context import EncryptionContext, EncryptionMode
    from pamola_tasks_encryption.header import Binding
    from pamola_tasks_encryption.keys import MemoryProtectedKey, ProjectKey, find_key
    from pamola_tasks_encryption.manager import EncryptionManager, TaskEncryptionManager
    from pamola_tasks_encryption.provide import is_master_key_exposed
    from pamola_tasks_encryption.settings import EncryptionSettings

_HOMES = {
    "Binding": "header",
    "DecryptingReader": "container",
    "EncryptingWriter": "container",
    "EncryptionContext": "context",
    "EncryptionManager": "manager",
    "EncryptionMode": "context",
    "EncryptionSettings": "settings",
    "MemoryProtectedKey": "keys",
    "ProjectKey": "keys",
    "TaskEncryptionManager": "manager",
    "find_key": "keys",
    "is_master_key_exposed": "provide",
}

__all__ = [
    "Binding",
    "DecryptingReader",
    "EncryptingWriter",
    "EncryptionContext",
    "EncryptionManager",
    "EncryptionMode",
    "EncryptionSettings",
    "MemoryProtectedKey",
    "ProjectKey",
    "TaskEncryptionManager",
    "find_key",
    "is_master_key_exposed",
]


def __getattr__(name: str) -> Any:
    from importlib import import_module

    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
