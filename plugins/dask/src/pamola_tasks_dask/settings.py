"""The plugin's own section of the configuration: `dask`, and what is wrong with it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import attrs

if TYPE_CHECKING:
    from pamola_tasks.protocols import Config


@attrs.frozen(kw_only=True)
class Security:
    """The files of TLS, in PEM.

    Attributes:
        ca: The certificates of the authority that signs those of scheduler and workers.
        cert: Your own certificate.
        key: Its private key, readable by you alone.
    """

    ca: str | None = None
    cert: str | None = None
    key: str | None = None


@attrs.frozen(kw_only=True)
class DaskSettings:
    """The cluster that runs the steps.

    Attributes:
        scheduler: Its address, such as `tls://scheduler.example.org:8786`. Without one, a cluster of
            `parallel_processes` workers is started on this machine for the run.
        security: The files of TLS that it is reached with, in the project or in an allowed folder.
        insecure: Allow an address that begins with `tcp://`, where an attacker on the network can read what is sent and
            run programs as you. Each run warns of it.
    """

    scheduler: str | None = None
    security: Security = attrs.Factory(Security)
    insecure: bool = False


def problems(config: Config) -> Iterator[str]:
    """What is wrong with the section `dask` of a configuration."""
    settings: DaskSettings = config.plugin("dask")
    if settings == DaskSettings():
        return
    from urllib.parse import urlsplit

    for name, said in config.origins().items():
        if name.startswith("dask.") and said.layer in ("task file", "task class"):
            yield (
                f"{said.place}: {name}: a task cannot say which cluster its data and keys are sent to: put it into the"
                " project file"
            )
    files = {name: value for name, value in attrs.asdict(settings.security).items() if value}
    if settings.scheduler is None:
        if files:
            yield f"dask.security.{next(iter(files))} is set, and dask.scheduler is not: set both or neither"
        return
    try:
        parts = urlsplit(settings.scheduler)
        complete = bool(parts.hostname and parts.port and not parts.path.strip("/"))
    except ValueError:
        complete = False
    if not complete or parts.scheme not in ("tls", "tcp"):
        yield f"dask.scheduler: {settings.scheduler!r} is not of the form tls://HOST:PORT"
    elif parts.scheme == "tcp":
        if not settings.insecure:
            yield (
                f"dask.scheduler: {settings.scheduler} has no TLS: an attacker on the network could read what is sent"
                " and run programs as you. Use tls:// with dask.security, or set dask.insecure: true"
            )
        if files:
            yield "dask.security is for tls:// and does nothing for tcp://: leave it out, or change dask.scheduler"
    elif missing := [name for name in ("ca", "cert", "key") if name not in files]:
        yield f"dask.security.{missing[0]} is missing: tls:// needs ca, cert and key"
