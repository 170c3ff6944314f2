"""Whether the reports that a command shows are as the history recorded them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pamola_tasks.errors import EncryptionError, PamolaTaskError
from pamola_tasks.protocols import RunOptions
from pamola_tasks_reports.store import Reports, fault

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pamola_tasks.protocols import CommandLine, RunServices

OPTIONS = RunOptions(overrides={"use_encryption": False, "encryption_mode": "none"}, console=False, quiet=True)


def with_history(cli: CommandLine) -> RunServices:
    """Services with the history of the project, and with the key that authenticates it where that is available."""
    try:
        return cli.kernel.services(None, upto="encryption", options=OPTIONS)
    except EncryptionError:
        return cli.kernel.services(None, upto="history", options=OPTIONS)


def not_as_recorded(
    cli: CommandLine, run: RunServices, reports: Reports, paths: Iterable[str]
) -> tuple[list[str], list[str]]:
    """Which files of reports are not as the history has them, and which it cannot vouch for without their fault.

    Args:
        cli: The command line, of whose project it is.
        run: The task, with its configuration where that can be read.
        reports: The reports of the task.
        paths: The files that are shown.
    """
    records: list[Mapping[str, Any]] | None = None
    why = ""
    try:
        looking = with_history(cli)
        ask: Any = getattr(looking.history, "get_task_execution_history", lambda task_id, limit: None)
        records = ask(reports.task_id, None)
    except (PamolaTaskError, AttributeError) as problem:
        why = f": {problem}"
    if records is None:
        return [], [f"no history can be read here, so that nothing proves that the report is as its run wrote it{why}"]
    encrypts = bool(getattr(vars(run).get("config"), "use_encryption", False))
    wrong: list[str] = []
    unknown: list[str] = []
    for name in map(run.files.name, paths):
        told = [(each, e) for each in records for e in each.get("report_files") or () if e.get("path") == name]
        if not told:
            said, explained = _nothing_known(looking.history, name, records)
            (unknown if explained else wrong).append(said)
        elif changed := fault(looking.files, told[0][1], str(told[0][0].get("task_run_id"))):
            wrong.append(changed)
        elif encrypts and told[0][0].get("authentic") is False:
            wrong.append(
                f"{name}: the record of its run was not made with the project's key, so that nothing proves it"
            )
    if getattr(looking.history, "lacks_key", bool)():
        unknown.append("reports are checked by the history alone, without the project's key, which authenticates it")
    return wrong, unknown


def _nothing_known(history: Any, name: str, records: Iterable[Mapping[str, Any]]) -> tuple[str, bool]:
    """What is said of a file that no run of the history wrote, and whether that is explained."""
    run = next((record for record in records if str(record.get("task_run_id")) in name), None)
    if run is not None:
        said = f"the history has no hash of {name}, so that nothing proves that it is as its run wrote it"
        # Such a run wrote no report, or the record of its end is damaged or forged.
        return said, run.get("status") not in ("aborted", "unknown")
    diagnose = getattr(history, "diagnose", list)
    pruned = next((found.finding.partition(": ")[2] for found in diagnose() if found.level == "note"), "")
    if pruned:
        return f"{name}: its run was pruned from the history, so that nothing proves it: {pruned}", True
    return f"{name}: the history has no run that wrote it: its line was removed or edited, or it is not ours", False
