"""A connection to a cluster: the one that is configured, or one on this machine that is started for it."""

from __future__ import annotations

import contextlib
import logging
import ssl
from collections.abc import Callable
from concurrent.futures import Future
from datetime import UTC, datetime
from threading import Thread
from typing import TYPE_CHECKING, Any, TypeVar

import attrs
from cryptography import x509
from distributed import Client, Security

from pamola_tasks.errors import PamolaTaskError
from pamola_tasks_dask.errors import ClusterError

if TYPE_CHECKING:
    from pamola_tasks.protocols import Files
    from pamola_tasks_dask.settings import DaskSettings

_PATIENCE = 30.0  # seconds that a cluster may take to answer
_ANSWERING = 10.0  # seconds that workers may take to answer
_CLOSING = 5.0  # seconds that it may take to let go

_Found = TypeVar("_Found")


@attrs.define(eq=False)
class Connection:
    """A client, the scheduler's address, and the cluster where it was started here."""

    client: Any
    address: str
    cluster: Any = None
    before: Any = ()  # processes that this one had started before the cluster

    def workers(self) -> dict[str, dict[str, Any]]:
        """What the scheduler knows of its workers, by address."""
        found: dict[str, dict[str, Any]] = self.client.scheduler_info(n_workers=-1)["workers"]
        return found

    def ask(self, function: Callable[..., Any], *arguments: Any, workers: list[str]) -> dict[str, Any]:
        """What a function gives on each worker, or the exception that it raised; nothing of who does not answer."""
        given = {"workers": workers, "on_error": "return"}
        return within(_ANSWERING, lambda: self.client.run(function, *arguments, **given)) or {}

    def close(self) -> None:
        """Let go; what was started here ends."""
        if self.cluster is None:
            within(_CLOSING, lambda: self.client.close(timeout=_CLOSING))
            return
        from pamola_tasks_dask.local import await_end, processes

        started = processes(self.cluster)
        within(_CLOSING, lambda: self.client.close(timeout=_CLOSING))
        within(2 * _CLOSING, lambda: self.cluster.close(timeout=_CLOSING))
        await_end(started, self.before)


def connect(settings: DaskSettings, files: Files, workers: int = 1, patience: float = _PATIENCE) -> Connection:
    """Reach the cluster that the settings name, or start one of so many workers here.

    Raises:
        ClusterError: It cannot be reached or started, with the reason; or a file of TLS cannot be read.
    """
    for name in [*logging.root.manager.loggerDict, "distributed"]:  # what they say is said by us, or is of no use here
        if name.partition(".")[0] == "distributed":
            logging.getLogger(name).setLevel(logging.CRITICAL)
    before = frozenset[Any]()
    if settings.scheduler is None:
        from pamola_tasks_dask.local import children, start

        before = children()
        try:
            cluster = start(workers)
        except Exception as error:
            raise ClusterError(f"no cluster could be started on this machine: {_reason(error)}") from error
        address, security = cluster.scheduler_address, cluster.security
    else:
        cluster, address, security = None, settings.scheduler, _security(settings, files)
    try:
        client = Client(address, security=security, timeout=patience, set_as_default=False, name="pamola-tasks")
    except Exception as error:
        if cluster is not None:
            cluster.close(timeout=_CLOSING)
        raise ClusterError(f"the scheduler {address} cannot be reached: {_reason(error)}") from error
    return Connection(client, address, cluster, before)


def _security(settings: DaskSettings, files: Files) -> Security:
    """The settings of TLS, their files read through the guard."""
    texts = {name: _read(files, name, path) for name, path in attrs.asdict(settings.security).items() if path}
    if not texts:
        return Security(require_encryption=False)
    named = {"tls_ca_file": texts["ca"], "tls_client_cert": texts["cert"], "tls_client_key": texts["key"]}
    return Security(require_encryption=True, **named)


def _read(files: Files, name: str, path: str) -> str:
    try:
        mode = files.stat(path).mode
        with files.open_raw(path) as file:
            text = file.read().decode("ascii")
    except (OSError, UnicodeDecodeError, PamolaTaskError) as error:
        raise ClusterError(f"dask.security.{name}: the file cannot be read: {_reason(error)}") from error
    if name == "key" and mode & 0o077:
        raise ClusterError("dask.security.key: the file can be read by others: run `chmod 600` on it")
    if name != "key":
        _check_dates(name, text)
    return text


def _check_dates(name: str, text: str) -> None:
    """Refuse certificates that are not valid now: the other side would say no more than that it does not take them."""
    try:
        certificates = x509.load_pem_x509_certificates(text.encode("ascii"))
    except ValueError as error:
        raise ClusterError(f"dask.security.{name}: the file has no certificate in PEM that can be read") from error
    now = datetime.now(UTC)
    for each in certificates:
        begin, end = each.not_valid_before_utc, each.not_valid_after_utc
        if end < now:
            raise ClusterError(f"dask.security.{name}: the certificate expired on {end:%Y-%m-%d %H:%M} UTC: renew it")
        if begin > now:
            raise ClusterError(f"dask.security.{name}: the certificate is valid from {begin:%Y-%m-%d %H:%M} UTC on")


def _reason(error: BaseException) -> str:
    """Why, in one line."""
    while error.__cause__ is not None:
        error = error.__cause__
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is refused: {error.verify_message}"
    return getattr(error, "strerror", None) or " ".join(str(error).split()) or type(error).__name__


def within(seconds: float, call: Callable[[], _Found]) -> _Found | None:
    """What a call gives; None where it takes longer, or fails because the other side has gone."""
    future: Future[_Found] = Future()

    def work() -> None:
        try:
            future.set_result(call())
        except BaseException as error:
            future.set_exception(error)

    Thread(target=work, daemon=True).start()
    with contextlib.suppress(Exception):
        return future.result(seconds)
    return None
