"""The plugin passes the contract of its service."""

from pamola_tasks.testing.contracts import SchedulerContract


class TestScheduler(SchedulerContract):
    plugin = "orchestration"
