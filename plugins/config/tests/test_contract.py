"""The plugin passes the contracts of its services."""

from pamola_tasks.testing.contracts import ConfigContract, ProjectContract


class TestConfig(ConfigContract):
    plugin = "config"


class TestProject(ProjectContract):
    plugin = "config"
