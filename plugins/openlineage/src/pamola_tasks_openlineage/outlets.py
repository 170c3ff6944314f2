"""Where events go."""

from __future__ import annotations

import io
import json
from collections.abc import Collection, Iterator, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pamola_tasks.protocols import RunServices
    from pamola_tasks_openlineage.settings import OpenLineageSettings

FILE = "openlineage.jsonl"
_TAIL = 1 << 20  # bytes at the end of a file, in which earlier runs are looked for


class EventFile:
    """The events of a task's runs, one a line, through the path guard; earlier ones stay.

    Args:
        run: The run.
    """

    def __init__(self, run: RunServices) -> None:
        logs = run.places.of(run.record.task_id).directories["logs"]
        self._files, self.path = run.files, f"{logs}/{FILE}"
        self._files.mkdirs(logs)
        self._begun = False

    def add(self, event: Mapping[str, Any]) -> None:
        """Append an event, behind a line end where an earlier run was killed within a line."""
        line = json.dumps(event, sort_keys=True, allow_nan=False).encode() + b"\n"
        with self._files.append(self.path) as file:
            if not self._begun and file.seek(0, io.SEEK_END):
                file.seek(-1, io.SEEK_END)
                line = line if file.read(1) == b"\n" else b"\n" + line
            file.write(line)
        self._begun = True

    def unfinished(self, *, besides: Collection[str]) -> Iterator[tuple[Mapping[str, Any], Mapping[str, Any]]]:
        """Run and job of each START, steps last, that no event ends: of processes that were killed."""
        begun: dict[str, tuple[Mapping[str, Any], Mapping[str, Any]]] = {}
        with self._files.append(self.path) as file:
            file.seek(max(0, file.seek(0, io.SEEK_END) - _TAIL))
            lines = file.read().splitlines()
        for line in lines:
            try:
                event = json.loads(line)
                kind, run, job = event["eventType"], event["run"], event["job"]
                if kind == "START":
                    begun[run["runId"]] = run, job
                else:
                    begun.pop(run["runId"], None)
            except (ValueError, KeyError, TypeError):
                continue  # of a dataset, or cut off
        yield from reversed([pair for run_id, pair in begun.items() if run_id not in besides])


class EventServer:
    """A server that takes events by HTTP.

    Args:
        settings: Where it is, and by what it knows us.
    """

    def __init__(self, settings: OpenLineageSettings) -> None:
        from openlineage.client.transport.http import (
            ApiKeyTokenProvider,
            HttpConfig,
            HttpTransport,
            TokenProvider,
        )

        key = settings.api_key
        self._transport: Any = HttpTransport(
            HttpConfig(
                url=settings.url,
                endpoint=settings.endpoint,
                timeout=settings.timeout,
                auth=TokenProvider({}) if key is None else ApiKeyTokenProvider({"apiKey": key.reveal()}),
                retry={"total": 0},
            )
        )
        self._open = True

    def send(self, event: Mapping[str, Any]) -> str:
        """Send an event; why it and all later ones are not, the first time that this is so."""
        if not self._open:
            return ""
        try:
            self._transport.emit(dict(event))
        except OSError as error:  # of which those of `requests` are
            self._open = False
            answered = getattr(getattr(error, "response", None), "status_code", None)
            return f"the server answered {answered}" if answered else f"no connection ({type(error).__name__})"
        return ""

    def close(self) -> None:
        """Close the connection."""
        self._transport.close()
