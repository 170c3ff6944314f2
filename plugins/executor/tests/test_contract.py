"""The plugin passes the contract of its service."""

from pamola_tasks.testing.contracts import ExecutorContract


class TestExecutor(ExecutorContract):
    plugin = "executor"
