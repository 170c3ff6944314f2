"""Encryption of what a run writes. Public names are imported when they are first used."""

from pamola_tasks.lazy import TYPE_CHECKING, lazily

if TYPE_CHECKING:
    from pamola_tasks_encryption.container import DecryptingReader as DecryptingReader
    from pamola_tasks_encryption.container import EncryptingWriter as EncryptingWriter
    from pamola_tasks_encryption.header import Binding as Binding
    from pamola_tasks_encryption.keys import MemoryProtectedKey as MemoryProtectedKey
    from pamola_tasks_encryption.manager import EncryptionManager as EncryptionManager
    from pamola_tasks_encryption.manager import TaskEncryptionManager as TaskEncryptionManager
    from pamola_tasks_encryption.settings import EncryptionMode as EncryptionMode
    from pamola_tasks_encryption.settings import EncryptionSettings as EncryptionSettings

__getattr__, __dir__, __all__ = lazily(
    __name__,
    {
        "container": "DecryptingReader EncryptingWriter",
        "header": "Binding",
        "keys": "MemoryProtectedKey",
        "manager": "EncryptionManager TaskEncryptionManager",
        "settings": "EncryptionMode EncryptionSettings",
    },
)
