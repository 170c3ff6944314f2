"""What was recorded of a run, by whom, and whether the records themselves are as they were written."""

from __future__ import annotations

import json
import re
from itertools import islice
from typing import TYPE_CHECKING, Any

import attrs

from pamola_tasks.errors import PamolaTaskError, ReportingError, UsageError
from pamola_tasks.storage.journal import TORN
from pamola_tasks.storage.leftovers import outdated
from pamola_tasks_audit.signatures import PUBLIC, signer_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pamola_tasks.protocols import RunServices

RELEASED = "released"  # the key of what the history is given to vouch for
_ENDLESS = ("running", "aborted", "unknown")  # of runs that wrote no report
_REMEMBERED = 1000  # so many runs of all tasks are looked through for an earlier state of a file


@attrs.frozen(kw_only=True)
class Recorded:
    """A run, and the files that it recorded: from the history, else its report."""

    run_id: str
    when: str
    files: list[tuple[str, Any]]
    record: Mapping[str, Any] | None  #: of the history
    newest: bool  #: whether nothing older was asked for
    success: bool
    later: Mapping[str, Any] | None = None  #: the newest run, which ended before it recorded a file

    @classmethod
    def of(cls, run: RunServices, wanted: str | None) -> Recorded:
        """The task's newest run that recorded files, or the one whose id begins as wanted."""
        task_id, later = run.record.task_id, None
        latest = next(_records(run), None)
        if wanted is None and latest is not None and not _recorded_files(latest):
            with_files = next(filter(_recorded_files, _records(run)), None)
            if with_files is not None:
                wanted, later = str(with_files.get("task_run_id")), latest
        try:
            report = _report(run, _run_id(run, wanted) if wanted is not None else None)
        except FileNotFoundError:
            report = None
        except ReportingError:
            if latest is None:
                raise
            report = None  # damaged: named among the records
        named = str(report["run"].get("id", "")) if report is not None else wanted
        record = latest if named is None else next((r for r in _records(run) if _is(r, named)), None)
        if wanted is None and latest is not None and record is not latest:
            record, report = latest, None  # the report is that of an older run, and is found so
        if record is None and report is None:
            raise UsageError(
                f"nothing is recorded of {f'run {wanted} of ' if wanted else ''}task {task_id}:"
                f" {_unended(run) or f'`pamola-task history {task_id}` shows its runs'}"
            )
        kinds = {} if report is None else {str(e.get("path")): kind for kind, e in _files_in(report)}
        if record is not None:
            files = [("input", e) for e in record.get("input_files") or ()]
            files += [(kinds.get(str(e["path"]), "output"), e) for e in record.get("output_files") or ()]
            run_id, when = str(record.get("task_run_id")), str(record.get("timestamp", ""))
            success = bool(record.get("success"))
        else:
            assert report is not None
            files, about = list(_files_in(report)), report["run"]
            run_id, when = str(about.get("id", "")), str(about.get("finished") or about.get("started") or "")
            success = about.get("status") == "success"
        newest = latest is None or later is not None or latest.get("task_run_id") == run_id
        return cls(run_id=run_id, when=when, files=files, record=record, newest=newest, success=success, later=later)


def _recorded_files(record: Mapping[str, Any]) -> bool:
    return bool(record.get("input_files") or record.get("output_files"))


def _is(record: Mapping[str, Any], wanted: str) -> bool:
    return str(record.get("task_run_id", "")).startswith(wanted)


def _records(run: RunServices) -> Iterator[Mapping[str, Any]]:
    """The records of the task's runs that ended, newest first, as far as the history says."""
    task_id = run.record.task_id
    ask = getattr(run.history, "get_task_execution_history", None)
    found = ask(task_id, _REMEMBERED) if ask else [run.history.find_latest_execution(task_id, success_only=False)]
    yield from (record for record in found if record is not None and record.get("status") not in _ENDLESS)


def _unended(run: RunServices) -> str:
    """What is to be said of the task's newest run where nothing says how it ended."""
    task_id = run.record.task_id
    newest = run.history.find_latest_execution(task_id, success_only=False) or {}
    if newest.get("status") not in ("running", "aborted") or run.lock.is_running(task_id):
        return ""
    begun = str(newest.get("timestamp", ""))[:16].replace("T", " ")
    return (
        f"run {newest.get('task_run_id')} began on {begun} UTC, and nothing says how it ended: its process was killed,"
        f" or ended by a library; run the task again"
    )


def _run_id(run: RunServices, wanted: str) -> str:
    runs = run.places.runs(run.record.task_id)
    fitting = [one for one in runs if one == wanted] or [
        one for one in runs if re.fullmatch(r"[0-9a-fA-F-]{4,}", wanted) and one.startswith(wanted.lower())
    ]
    if len(fitting) > 1:
        raise UsageError(
            f"{wanted!r} is the beginning of {len(fitting)} runs of {run.record.task_id}: {', '.join(fitting[-5:])}"
        )
    if not fitting:
        raise FileNotFoundError(wanted)
    return fitting[0]


def _report(run: RunServices, run_id: str | None) -> dict[str, Any]:
    place = run.places.of(run.record.task_id)
    name = place.report(run_id)
    try:
        report = json.loads(run.files.read(name, "report"))
    except (ValueError, RecursionError) as problem:
        raise ReportingError(
            f"{name} is damaged: invalid JSON ({problem}): choose another run with --run; `pamola-task history"
            f" {place.task_id}` lists them"
        ) from problem
    if isinstance(report, dict) and "schema" not in report:
        raise FileNotFoundError(name)  # another reporter's own form: the history says what the run read and wrote
    if not isinstance(report, dict) or not isinstance(report.get("run"), dict) or report.get("schema") != 1:
        raise ReportingError(f"{name} is not a report that this release can read")
    return report


def _files_in(report: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    told = set()
    for key, kind in (("inputs", "input"), ("outputs", "output"), ("artifacts", "artifact")):
        entries = report.get(key)
        for entry in entries if isinstance(entries, list) else ():
            if isinstance(entry, dict) and (entry.get("path"), entry.get("name")) not in told:
                told.add((entry.get("path"), entry.get("name")))
                yield kind, entry


# ---------------------------------------------------------------- whether the records are as they were


def _another_key(run: RunServices, report: str) -> str:
    """What is wrong with the project's public key, which recipients get: it is not that of the signed report."""
    try:
        signer, public = signer_of(run.files.read(report, "report")), run.files.read(PUBLIC, "config")
    except (PamolaTaskError, OSError):
        return ""
    if not signer or public.decode("ascii", "replace").strip() == signer:
        return ""
    return f"reports are signed with the key {signer}, and {PUBLIC} is another: restore it, or run the task again"


def records_of(run: RunServices, recorded: Recorded) -> list[dict[str, Any]]:
    """What is wrong with records: the report's files, the history, checkpoints, and outputs that no record explains."""
    place = run.places.of(run.record.task_id)
    found = []
    if recorded.record is None:
        status, said = (
            "not ours",
            "the history has no run that wrote it: its line was removed or edited, or it is not ours",
        )
        if pruned := _pruned(run):
            status, said = "unknown", f"pruned from the history, so that nothing proves it: {pruned}"
        if hasattr(run.history, "problems"):
            path = place.report(recorded.run_id if pruned else None)
            found.append(_row("report", path, status, said))
    else:
        for record in filter(None, (recorded.record, recorded.later)):
            current = recorded.newest and record is (recorded.later or recorded.record)
            found += [
                row for path, row in report_problems(run, record) if current or path.startswith(f"{place.run_reports}/")
            ]
        if recorded.record.get("authentic") is False and run.config.use_encryption:
            said = "the record of this run was not made with the project's key: run the task again"
            found.append(_row("history", "", "not ours", said))
        if (later := recorded.later) is not None and later.get("authentic") is False:
            said = f"run {later.get('task_run_id')} was not recorded with the project's key: run the task again with it"
            found.append(_row("history", "", "not ours", said))
    if recorded.newest and not found and (said := _another_key(run, place.report())):
        found.append(_row("record", PUBLIC, "changed", said))
    if recorded.newest and (said := _unended(run)):
        found.append(_row("history", "", "unfinished", said))
    kinds = {"history": "history", "checkpoints": "state", "reporter": "report"}
    for service in (*kinds, *run.kernel.plugins.added_services):
        kind = kinds.get(service, "record")
        diagnose = getattr(vars(run).get(service), "diagnose", None)
        try:
            for problem in diagnose() if diagnose and (recorded.newest or kind in ("history", "record")) else ():
                path = problem.finding.partition(" ")[0]
                if (problem.level == "error" or TORN in problem.finding) and path not in {row["path"] for row in found}:
                    subject = {"report": path, "record": problem.subject}.get(kind, "")
                    status = "missing" if problem.finding.startswith(f"{path} is missing") else "changed"
                    found.append(_row(kind, subject, status, problem.finding))
        except (PamolaTaskError, OSError) as error:
            found.append(_row(kind, "", "unreadable", str(error)))
    if recorded.newest:
        latest, known = recorded.later or recorded.record, {entry.get("path") for _, entry in recorded.files}
        found += [_row("output", path, "not made", why_outdated(run, latest, path))
                  for path in outdated(run.files, place, latest) if path not in known]  # fmt: skip
    return found


def _pruned(run: RunServices) -> str:
    """What was removed from the history by its owner, in words."""
    diagnose = getattr(run.history, "diagnose", list)
    return next((found.finding.partition(": ")[2] for found in diagnose() if found.level == "note"), "")


def report_problems(run: RunServices, record: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """The files of a run's report, and the manifest, that are not as the history recorded them."""
    for entry in record.get("report_files") or ():
        path, wanted = str(entry.get("path")), entry.get("sha256")
        try:
            known = run.files.sha256(path)
        except FileNotFoundError:
            yield path, _row("report", path, "missing", "it is gone")
        except (PamolaTaskError, OSError) as problem:
            yield path, _row("report", path, "unreadable", str(problem))
        else:
            if known != wanted:
                earlier = earlier_run(run, path, known)
                why = f"as run {earlier} left it" if earlier else "its content differs from what the run wrote"
                yield path, _row("report", path, "older" if earlier else "changed", why)


def earlier_run(run: RunServices, path: str, sha256: str) -> str:
    """The run that left a file as it is now, where an earlier one did."""
    for record in islice(_records(run), 1, None):
        for entry in (*(record.get("output_files") or ()), *(record.get("report_files") or ())):
            if entry.get("path") == path and entry.get("sha256") == sha256:
                return str(record.get("task_run_id"))
    return ""


def why_outdated(run: RunServices, record: Mapping[str, Any] | None, path: str) -> str:
    """What is to be said of a file in the output directory that the newest run did not leave."""
    task_id = run.record.task_id
    ask = getattr(run.history, "origin_of", lambda path, task_id: ("foreign", ""))
    origin, run_id = ask(path, task_id)
    if origin == "foreign":
        return "not made by this task: take it out of the directory"
    if origin == "edited":
        return (
            f"edited since run {run_id} left it, and not made by the newest run: `pamola-task clean --outputs --force"
            f" {task_id}` removes it"
        )
    clean = f"`pamola-task clean --outputs {task_id}` removes it"
    if record is not None and not record.get("success"):
        return f"of an earlier run: the newest one failed and did not replace it; {clean}"
    return f"no longer made by this task: {clean}"


def proof_of(recorded: Recorded) -> str:
    """How far the records can be believed, for people."""
    authentic = (recorded.record or {}).get("authentic")
    if authentic:
        return "authenticated with the project's key"
    if authentic is False:
        return "not made with the project's key: nothing proves that they are ours"
    return "a chain of hashes, not authenticated: no key of the project is available"


def _row(kind: str, path: str, status: str, why: str) -> dict[str, Any]:
    return {"kind": kind, "name": "", "path": path, "status": status, "why": why}
