"""What pamola-tasks-audit adds to the system."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pamola_tasks import Command, hookimpl

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pamola_tasks.protocols import Diagnosis, KernelView, Project, RunServices

PAMOLA_HOOK_API = 1


@hookimpl
def pamola_add_commands() -> dict[str, Command]:
    """`verify`, `release` and `approve`, which vouch for no files while a plugin that may object is missing."""
    about = "Re-hash a run's inputs and outputs and report changed or missing files."
    release = "Make a bundle to hand over: table, dictionary, public report, terms, signed manifest."
    approve = "Sign a bundle of another's release as the second person who is to approve it."
    return {
        "approve": Command("pamola_tasks_audit.approve:command", help=approve),
        "verify": Command("pamola_tasks_audit.verify:command", help=about),
        "release": Command("pamola_tasks_audit.release:command", help=release),
    }


@hookimpl
def pamola_add_settings() -> str:
    """The section `audit` of the configuration."""
    return "pamola_tasks_audit.settings:AuditSettings"


@hookimpl
def pamola_on_run_finished(run: RunServices) -> None:
    """Warn of files in the output directory that the run did not leave."""
    from pamola_tasks.storage.leftovers import outdated

    task_id = run.record.task_id
    record = run.history.find_latest_execution(task_id, success_only=False)
    if not (found := outdated(run.files, run.places.of(task_id), record)):
        return
    from pamola_tasks_audit.records import why_outdated

    said: dict[str, list[str]] = {}
    for path in found:
        said.setdefault(why_outdated(run, record, path), []).append(path)
    for why, paths in said.items():
        run.warn(f"{', '.join(paths)}: {why}")


@hookimpl
def pamola_add_diagnoses(project: Project | None, kernel: KernelView, data: bool) -> Iterable[Diagnosis]:
    """With `doctor --data`, every damaged, missing or stray file of history, checkpoints and reports."""
    if not data or project is None:
        return ()
    from pamola_tasks_audit.doctor_data import examine

    return examine(kernel)
