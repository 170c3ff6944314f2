"""The plugin passes the contracts of its services."""

from pamola_tasks.testing.contracts import DirectoriesContract, LockContract, PlacesContract


class TestPlaces(PlacesContract):
    plugin = "directories"


class TestDirectories(DirectoriesContract):
    plugin = "directories"


class TestLock(LockContract):
    plugin = "directories"
