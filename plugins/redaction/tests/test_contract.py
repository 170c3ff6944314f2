"""The plugin passes the contract of its service."""

from pamola_tasks.testing.contracts import RedactorContract


class TestRedactor(RedactorContract):
    plugin = "redaction"
