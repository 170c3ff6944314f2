"""Encryption of what a run writes. Public names are imported when they are first used."""

from __future__ import annotations

from pamola_tasks.lazy import TYPE_CHECKING, lazily

if TYPE_CHECKING:
    from pamola_tasks_encryption.container import DecryptingReader as DecryptingReader
    from pamola_tasks_encryption.container import EncryptingWriter as EncryptingWriter
    from pamola_tasks_encryption.context import EncryptionContext as EncryptionContext
    from pamola_tasks_encryption.context import EncryptionMode as EncryptionMode
    from pamola_tasks_encryption.header import Binding as Binding
    from pamola_tasks_encryption.keys import MemoryProtectedKey as MemoryProtectedKey
    from pamola_tasks_encryption.keys import ProjectKey as ProjectKey
    from pamola_tasks_encryption.keys import find_key as find_key
    from pamola_tasks_encryption.manager import EncryptionManager as EncryptionManager
    from pamola_tasks_encryption.manager import TaskEncryptionManager as TaskEncryptionManager
    from pamola_tasks_encryption.provide import is_master_key_exposed as is_master_key_exposed
    from pamola_tasks_encryption.settings import EncryptionSettings as EncryptionSettings
else:
    __getattr__, __dir__, __all__ = lazily(
        __name__,
        {
            "container": "DecryptingReader EncryptingWriter",
            "context": "EncryptionContext EncryptionMode",
            "header": "Binding",
            "keys": "MemoryProtectedKey ProjectKey find_key",
            "manager": "EncryptionManager TaskEncryptionManager",
            "provide": "is_master_key_exposed",
            "settings": "EncryptionSettings",
        },
    )
