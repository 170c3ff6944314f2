"""A cluster on this machine, for one run: loopback only, behind temporary certificates, and no web server.

Scheduler and nannies live in this process, workers are processes that end when it does, however it ends.
"""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Set
from typing import Any

import psutil
from distributed import Nanny, Scheduler, Security, SpecCluster, Worker

_HOST = "127.0.0.1"
_ENDING = 3.0  # seconds that processes of a cluster that was closed have to end by themselves
_LOOK = 0.05  # seconds between two looks at whether they have


class _Silent:
    """A server of a cluster that serves no pages."""

    def start_http_server(self, *_: Any, **__: Any) -> None:
        return None


class _Scheduler(_Silent, Scheduler):
    """The scheduler."""


class LocalWorker(_Silent, Worker):
    """A worker, which is made in a process of its own."""


def start(workers: int) -> SpecCluster:
    """Start a scheduler and so many workers of one thread each.

    Raises:
        OSError: It cannot be started.
    """
    security = Security.temporary()
    shared = {"host": _HOST, "protocol": "tls://", "security": security}
    worker = {"nthreads": 1, "memory_limit": 0, "silence_logs": logging.CRITICAL, "worker_class": LocalWorker}
    return SpecCluster(
        scheduler={"cls": _Scheduler, "options": {**shared, "port": 0, "dashboard": False}},
        workers={number: {"cls": Nanny, "options": {**shared, **worker}} for number in range(workers)},
        security=security,
        silence_logs=logging.CRITICAL,
    )


def children() -> frozenset[psutil.Process]:
    """What this process has started, with theirs, and runs; without the tracker that multiprocessing starts."""
    found = set()
    for process in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.Error):
            tracks = any("multiprocessing.resource_tracker" in word for word in process.cmdline())
            if process.status() != psutil.STATUS_ZOMBIE and not tracks:
                found.add(process)
    return frozenset(found)


def processes(cluster: SpecCluster) -> set[psutil.Process]:
    """The workers of a cluster, with all that they have started."""
    found = set()
    for nanny in cluster.workers.values():
        with contextlib.suppress(psutil.Error):
            if nanny.pid:
                worker = psutil.Process(nanny.pid)
                found |= {worker, *worker.children(recursive=True)}
    return found


def await_end(started: Set[psutil.Process], before: Set[psutil.Process]) -> None:
    """Wait for what is left of a cluster that was closed, so that it is not taken for a leftover of steps.

    Args:
        started: Processes of the cluster, which are ended if they do not end by themselves.
        before: Those that were there before it.
    """
    until = time.monotonic() + _ENDING
    while (left := children() - before) and time.monotonic() < until:
        time.sleep(_LOOK)
    for process in left & started:
        with contextlib.suppress(psutil.Error):
            process.kill()
    while children() & started and time.monotonic() < until + _ENDING:
        time.sleep(_LOOK)
