"""Clusters for tests: a scheduler and workers that are processes of their own, as an administrator starts them."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from distributed import Client, Security
from installed import clean_environment

QUICK = {"DASK_DISTRIBUTED__SCHEDULER__WORKER_TTL": "3s", "DASK_DISTRIBUTED__LOGGING__DISTRIBUTED": "info"}


def until(true: Callable[[], Any], what: str, seconds: float = 60) -> Any:
    """What a condition gives as soon as it is true."""
    end = time.monotonic() + seconds
    while not (found := true()):
        assert time.monotonic() < end, f"not in {seconds} s: {what}"
        time.sleep(0.05)
    return found


def alive(pid: int) -> bool:
    """Whether a process runs; one that has ended and was not waited for does not."""
    try:
        return "(zombie)" not in Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False


def descendants(pid: int) -> set[int]:
    """The processes below one."""
    found: set[int] = set()
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in map(int, task.joinpath("children").read_text().split()):
                found |= {child, *descendants(child)}
    return found


class OwnCluster:
    """A scheduler at an address of this host and workers of one thread each; what is in `folder` is the cluster's."""

    def __init__(self, folder: Path, *, tls: bool = True, host: str = "127.0.0.1") -> None:
        self.folder = folder
        self.host = host
        self.tls = tls
        self.workers: list[subprocess.Popen[bytes]] = []
        made = Security.temporary()
        self.texts = {"ca": made.tls_ca_file, "cert": made.tls_client_cert, "key": made.tls_client_key}
        for name, text in self.texts.items():
            with open(folder / f"{name}.pem", "w", opener=lambda path, flags: os.open(path, flags, 0o600)) as file:
                file.write(text)
        with socket.create_server((host, 0)) as free:
            self.port = free.getsockname()[1]
        self.address = f"{'tls' if tls else 'tcp'}://{host}:{self.port}"
        self.scheduler = self._start("scheduler", "--port", self.port)
        until(self._listens, "the scheduler listens")

    def _listens(self) -> bool:
        with contextlib.suppress(OSError), socket.create_connection((self.host, self.port)):
            return True
        return False

    def mend(self) -> None:
        """Start again what was killed; workers end with their scheduler."""
        if self.scheduler.poll() is not None:
            for worker in list(self.workers):
                self.kill(worker)
            self.scheduler = self._start("scheduler", "--port", self.port)
            until(self._listens, "the scheduler listens")
        while len(self.workers) < 2:
            self.add_worker()
        self.wait_for(2)

    def _start(
        self, kind: str, *more: object, before: tuple[str, ...] = (), host: str = "", **env: str
    ) -> subprocess.Popen[bytes]:
        files = ["--tls-ca-file", "ca.pem", "--tls-cert", "cert.pem", "--tls-key", "key.pem"]
        options = ["--host", host or self.host, "--no-dashboard", "--dashboard-address", "127.0.0.1:0"]
        options += ["--protocol", "tls", *files] if self.tls else []
        home = self.folder / "home"
        with open(self.folder / "log", "ab") as log:
            return subprocess.Popen(
                [*before, sys.executable, "-m", "dask", kind, *options, *map(str, more)],
                cwd=self.folder,
                env={**clean_environment(home), **QUICK, **env},
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def add_worker(
        self, *more: object, before: tuple[str, ...] = (), host: str = "", **env: str
    ) -> subprocess.Popen[bytes]:
        """Start another worker, on another host with a command before it."""
        options = ("--no-nanny", "--nthreads", "1", "--memory-limit", "0")
        worker = self._start("worker", self.address, *options, before=before, host=host, **env)
        self.workers.append(worker)
        return worker

    def wait_for(self, number: int) -> None:
        """Wait until there are so many workers."""
        with self.client() as client:
            until(lambda: len(client.scheduler_info(n_workers=-1)["workers"]) == number, f"{number} workers")

    @contextlib.contextmanager
    def client(self) -> Iterator[Client]:
        pem = {"tls_ca_file": self.texts["ca"], "tls_client_cert": self.texts["cert"]}
        security = Security(require_encryption=True, tls_client_key=self.texts["key"], **pem) if self.tls else None
        with Client(self.address, security=security, set_as_default=False) as client:
            yield client

    def configure(self, project: Path, more: str = "") -> None:
        """Have a project use this cluster."""
        certificates = project / "certs"
        certificates.mkdir(exist_ok=True)
        for name in self.texts:
            certificates.joinpath(f"{name}.pem").write_bytes((self.folder / f"{name}.pem").read_bytes())
            certificates.joinpath(f"{name}.pem").chmod(0o600)
        files = "{ca: certs/ca.pem, cert: certs/cert.pem, key: certs/key.pem}" if self.tls else "{}"
        text = f"dask:\n  scheduler: {self.address}\n  security: {files}\n{more}"
        path = project / "configs/prj_config.yaml"
        path.write_text((path.read_text() if path.exists() else "") + text)

    def kill(self, process: subprocess.Popen[bytes]) -> None:
        """End a process of the cluster at once, with what it has started."""
        below = descendants(process.pid)
        process.kill()
        process.wait()
        if process in self.workers:
            self.workers.remove(process)
        until(lambda: not any(map(alive, below)), "what a worker had started has ended")

    def __enter__(self) -> OwnCluster:
        return self

    def __exit__(self, *_: object) -> None:
        for process in [*self.workers, self.scheduler]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(process.pid, signal.SIGCONT)
            process.kill()
            process.wait()
