"""The plugin passes the contract of its service."""

from pamola_tasks.testing.contracts import ProgressContract


class TestProgress(ProgressContract):
    plugin = "progress"
