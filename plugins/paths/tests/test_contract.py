"""The plugin passes the contract of its service."""

from pamola_tasks.testing.contracts import PathGuardContract


class TestPathGuard(PathGuardContract):
    plugin = "paths"
