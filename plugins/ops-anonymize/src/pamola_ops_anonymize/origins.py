"""What a dataset comes from, however it is called: files and frames, also through steps and other tasks."""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pamola_tasks.protocols import RunServices


def origins_of(run: RunServices, dataset: str) -> tuple[str, ...]:
    """The files and frames that a dataset of a run comes from, by name and hash, also through other steps and tasks.

    What other tasks were made of is what the history says of their newest run that succeeded.
    """
    made = {name: step for step in run.plan for name in step.writes}
    found: dict[str, None] = {}
    waiting, seen = [dataset], {dataset}
    while waiting:
        name = waiting.pop()
        step = made.get(name)
        if step is not None:
            waiting += [read for read in step.reads if read not in seen]
            seen |= {*step.reads}
            continue
        record = run.data_source.describe(name)
        record = record if record.sha256 else run.data_source.describe(name)  # asked twice, it is made
        found[record.sha256] = None
        paths = list(filter(None, record.path.split(", ")))
        for path in paths:
            found[f"file {path}"] = None  # whatever is in it by then: encrypted, say
            found.update(dict.fromkeys(_of_tasks(run, path, set())))
        if len(paths) == 1 and (record.encrypted or paths[0].endswith(".gz")):
            found[_content(run, name, paths[0])] = None
    return tuple(filter(None, found))


def _content(run: RunServices, dataset: str, path: str) -> str:
    """The hash of a file's content, decrypted and expanded: that of its copies in other forms."""
    with run.data_source.open_raw(dataset) as raw:
        file = gzip.GzipFile(fileobj=raw) if path.endswith(".gz") else raw
        try:
            return hashlib.file_digest(file, "sha256").hexdigest()  # type: ignore[arg-type]
        except (OSError, EOFError):  # which reading says
            return ""


def _of_tasks(run: RunServices, path: str, seen: set[str]) -> Iterator[str]:
    """Hashes of the inputs of the task that made a file, and of theirs."""
    if not {"places", "history"} <= {*vars(run)}:  # an operation that is run alone
        return
    owner = run.places.owner_of(path)
    if not owner or owner in seen or owner == run.record.task_id:
        return
    seen.add(owner)
    record = run.history.find_latest_execution(owner) or {}
    for file in record.get("input_files", ()):
        yield str(file.get("sha256") or "")
        yield from _of_tasks(run, str(file.get("path") or ""), seen)
