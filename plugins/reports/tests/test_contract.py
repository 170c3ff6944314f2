"""The plugin passes the contract of its service."""

from pamola_tasks.testing.contracts import ReporterContract


class TestReporter(ReporterContract):
    plugin = "reports"
