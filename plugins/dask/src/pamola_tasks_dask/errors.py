"""What can be wrong with a cluster."""

from __future__ import annotations

from pamola_tasks.errors import OperationError


class ClusterError(OperationError, code="cluster"):
    """A cluster cannot be reached, or its workers cannot be used."""


class WorkerLost(OperationError, code="worker_lost"):
    """A worker ended, or cannot be reached any more, while it made an attempt: it is retried as `retry` says."""

    retriable = True
