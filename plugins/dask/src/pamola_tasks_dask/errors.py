"""What can be wrong with a cluster."""

from __future__ import annotations

from pamola_tasks.errors import EXIT_USAGE, OperationError


class ClusterError(OperationError, code="cluster", exit_code=EXIT_USAGE):
    """A cluster is refused before anything ran: it cannot be reached, or its workers cannot be used."""


class ClusterLost(OperationError, code="cluster_lost"):
    """The connection to a cluster was lost while steps ran."""


class WorkerLost(OperationError, code="worker_lost"):
    """A worker ended, or cannot be reached any more, while it made an attempt: it is retried as `retry` says."""

    retriable = True
