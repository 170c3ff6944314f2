"""The plugin passes the contracts of its services."""

from pamola_tasks.testing.contracts import DataSourceContract, DataWriterContract


class TestDataSource(DataSourceContract):
    plugin = "data"


class TestDataWriter(DataWriterContract):
    plugin = "data"
