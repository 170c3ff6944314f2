"""The plugin passes the contract of its service."""

from pamola_tasks.testing.contracts import LoggingContract


class TestLogging(LoggingContract):
    plugin = "logs"
