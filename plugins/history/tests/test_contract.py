"""The plugin passes the contract of its service."""

from pamola_tasks.testing.contracts import HistoryContract


class TestHistory(HistoryContract):
    plugin = "history"
