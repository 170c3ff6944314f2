"""Where steps run: a cluster that is not reached, and of which nothing is imported, before there is a step to run."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pamola_tasks.protocols import RunServices
    from pamola_tasks_dask.cluster import Cluster


class Place:
    """An `Elsewhere`: the cluster that a run's configuration names, or one of its own.

    Args:
        run: The run whose steps are made there.
    """

    carries_keys = True

    def __init__(self, run: RunServices) -> None:
        self._run = run
        self._lock = threading.Lock()
        self._cluster: Cluster | None = None

    def submit(self, work: Any) -> Any:
        """Take work; a ClusterError where the cluster or its workers cannot be used, before anything ran."""
        from pamola_tasks_dask.cluster import Cluster

        with self._lock:
            self._cluster = self._cluster or Cluster(self._run)
        attempt = self._cluster.submit(work)
        return self._cluster, attempt

    def state(self, handle: Any, wait: float) -> Any:
        """How far it is; a WorkerLost where the worker is gone."""
        cluster, attempt = handle
        return cluster.state(attempt, wait)

    def cancel(self, handle: Any) -> None:
        """Have the worker stop it."""
        cluster, attempt = handle
        cluster.cancel(attempt)

    def close(self) -> None:
        """Let go of the cluster; one that was started here ends."""
        if self._cluster is not None:
            self._cluster.close()
