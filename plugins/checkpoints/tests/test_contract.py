"""The plugin passes the contract of its service."""

from pamola_tasks.testing.contracts import CheckpointsContract


class TestCheckpoints(CheckpointsContract):
    plugin = "checkpoints"
