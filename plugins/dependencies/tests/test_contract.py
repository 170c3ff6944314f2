"""The plugin passes the contract of its service."""

from pamola_tasks.testing.contracts import DependenciesContract


class TestDependencies(DependenciesContract):
    plugin = "dependencies"
