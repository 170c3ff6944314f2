"""`pamola-task doctor --data`: what a project has on the disk, looked at file by file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs

from pamola_tasks import BaseTask
from pamola_tasks.errors import PamolaTaskError
from pamola_tasks.lifecycle import RunSession
from pamola_tasks.protocols import Diagnosis, RunOptions
from pamola_tasks.storage.leftovers import unpublished

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pamola_tasks.protocols import KernelView, RunServices

# Hashes are those of the bytes on the disk: no key is needed to compare them.
_OPTIONS = RunOptions(overrides={"use_encryption": False, "encryption_mode": "none"}, console=False, quiet=True)

_KEPT = {"history": "history", "checkpoints": "checkpoints", "reporter": "reports"}


def examine(kernel: KernelView) -> list[Diagnosis]:
    """All that is damaged, missing or swapped, or a line that says how much was looked at and found sound."""
    try:
        try:  # the key authenticates the history
            run = kernel.services(None, upto="encryption", options=_OPTIONS)
        except PamolaTaskError:
            run = kernel.services(None, upto="history")
        found = list(_asked(run, "history", "history"))
        unexamined = _unexamined(run, "history")
        task_ids = kernel.task_ids()
        for task_id in task_ids:
            found += _of_task(kernel, task_id, unexamined)
        kinds = {"configs", "raw", "reports", "project_logs", "releases"} & {*run.places.folders}
        folders = [".pamola", *sorted(run.places.folders[kind] for kind in kinds)]
        found += _left_over("project", [path for folder in folders for path in unpublished(run.files, folder)])
    except (PamolaTaskError, OSError) as error:
        return [Diagnosis(level="error", subject="data", finding=f"it cannot be looked at: {error}")]
    examined = [kept for service, kept in _KEPT.items() if service not in unexamined]
    if not found and examined:
        text = f"{', '.join(examined)} of {len(task_ids)} {'task' if len(task_ids) == 1 else 'tasks'}: all sound"
        found.append(Diagnosis(level="ok", subject="data", finding=text))
    for service, label in unexamined.items():
        finding = f"not examined: {_KEPT[service]}, of which {label} offers no examination"
        found.append(Diagnosis(level="note", subject="data", finding=finding))
    return found


def _unexamined(run: RunServices, *services: str) -> dict[str, str]:
    """Those of these services that cannot be examined, and the plugin that provides each."""
    asked = {service: run.kernel.plugins.provider(service) for service in services}
    return {s: r.label for s, r in asked.items() if r is not None and not hasattr(getattr(run, s), "diagnose")}


def _of_task(kernel: KernelView, task_id: str, unexamined: dict[str, str]) -> list[Diagnosis]:
    subject = f"task {task_id}"
    seen = kernel.inspect(task_id)
    if seen.lock.is_running(task_id):
        return [Diagnosis(level="note", subject=subject, finding="it is running now, and was not looked at")]
    found = _left_over(subject, list(unpublished(seen.files, seen.places.of(task_id).home)))
    try:
        run = _services(kernel, task_id)
    except Exception as error:  # the configuration, or the code of the task's class
        finding = f"it cannot be configured, so that its checkpoints and reports were not looked at: {error}"
        return [*found, Diagnosis(level="error", subject=subject, finding=finding)]
    unexamined |= _unexamined(run, "checkpoints", "reporter")
    for service in ("checkpoints", "reporter"):
        found += _asked(run, service, subject)
    return found


def _services(kernel: KernelView, task_id: str) -> RunServices:
    # Of a task that is not one of the project (any more), what it left is looked at all the same.
    task = kernel.task(task_id) if task_id in kernel.tasks.known() else BaseTask(task_id)
    task.kernel = kernel
    return RunSession(kernel, task, _OPTIONS, runs=False).bring_up("reporter")


def _asked(run: RunServices, service: str, subject: str) -> Iterator[Diagnosis]:
    """What a service finds, when it is one that looks."""
    diagnose: Any = getattr(getattr(run, service), "diagnose", None)
    if diagnose is None:
        return
    try:
        for found in diagnose():
            yield attrs.evolve(found, subject=found.subject or subject)
    except (PamolaTaskError, OSError) as error:
        yield Diagnosis(level="error", subject=subject, finding=f"its {service} cannot be looked at: {error}")


def _left_over(subject: str, names: list[str]) -> list[Diagnosis]:
    advice = "left by a process that was killed; `pamola-task clean` removes it"
    return [Diagnosis(level="warning", subject=subject, finding=f"stray {name}", advice=advice) for name in names]
