"""The plugin passes the contract of its service."""

from pamola_tasks.testing.contracts import EncryptionContract


class TestEncryption(EncryptionContract):
    plugin = "encryption"
