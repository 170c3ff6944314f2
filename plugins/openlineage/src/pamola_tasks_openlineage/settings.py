"""The section `openlineage` of the configuration, and what is wrong with it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import attrs

from pamola_tasks.secret import Secret

if TYPE_CHECKING:
    from pamola_tasks.protocols import Config


@attrs.frozen(kw_only=True)
class OpenLineageSettings:
    """Whether and where runs are reported as OpenLineage events.

    Attributes:
        enabled: Write the events of each run to `logs/openlineage.jsonl` in the folder of its task.
        namespace: The namespace of jobs and datasets. Unless set: `pamola-tasks://` and the id of the project.
        url: Send the events to this server, too, such as `https://lineage.example.org`. In the project file only.
        endpoint: The path at that server.
        api_key: What the server knows you by, as `${secret:NAME}`.
        timeout: Seconds that one event may take to be sent, above 0. After a failure none is sent in that run.
    """

    enabled: bool = False
    namespace: str = ""
    url: str = ""
    endpoint: str = "api/v1/lineage"
    api_key: Secret | None = None
    timeout: float = 5.0


def problems(config: Config) -> Iterator[str]:
    """What is wrong with the section `openlineage` of a configuration."""
    settings: OpenLineageSettings = config.plugin("openlineage")
    if settings == OpenLineageSettings():
        return
    for name, said in config.origins().items():
        if name in ("openlineage.url", "openlineage.endpoint") and said.layer in ("task file", "task class"):
            yield f"{said.place}: {name}: a task cannot say where events are sent to: put it into the project file"
    if settings.timeout <= 0:
        yield f"openlineage.timeout: {settings.timeout:g} is not above 0"
    if not settings.url:
        if settings.api_key is not None:
            yield "openlineage.api_key is set, and openlineage.url is not: set both or neither"
        return
    from urllib.parse import urlsplit

    try:
        parts = urlsplit(settings.url)
        host, secret = parts.hostname or "", parts.password is not None or parts.username is not None
    except ValueError:
        parts, host, secret = None, "", False
    if parts is None or parts.scheme not in ("https", "http") or not host:
        yield "openlineage.url is not of the form https://HOST"
    elif secret:
        yield "openlineage.url holds a user name or password: give openlineage.api_key instead"
    elif parts.scheme == "http" and host not in ("localhost", "127.0.0.1", "::1"):
        yield f"openlineage.url: http://{host} has no TLS, and others could read and alter the events: use https://"
