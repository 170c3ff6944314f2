"""`pamola-task verify`."""

from __future__ import annotations

import json
import re
from collections import Counter
from typing import TYPE_CHECKING, Any

import click

from pamola_tasks.errors import (
    EXIT_OK,
    EXIT_TASK_FAILED,
    EncryptionError,
    PamolaTaskError,
    PathSecurityError,
    ReportingError,
    UsageError,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pamola_tasks.protocols import CommandLine, Files, KernelView, RunServices

_FINE = ("ok", "in memory")


@click.command("verify")
@click.argument("task")
@click.option(
    "--run", "run_id", metavar="ID", help="The run: its id, or the first characters of it (default: the latest)."
)
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
@click.pass_obj
def command(cli: CommandLine, task: str, run_id: str | None, as_json: bool) -> int:
    """Re-hash a run's inputs and outputs and report changed or missing files. Exits 0 if all match.

    Encrypted files are hashed as stored, so no key is needed; whether the current key opens them is reported too.
    """
    kernel = cli.kernel
    run = kernel.inspect(task)
    task_id = run.record.task_id
    if run.lock.is_running(task_id):
        click.secho(f"warning: {task_id} is running now: its files may be changing", fg="yellow", err=True)
    identity, when, recorded = _recorded(run, run_id)
    files, no_key = _files_of(kernel, run, task)
    found = [_verified(files, kind, entry, no_key) for kind, entry in recorded]
    wrong = [row for row in found if row["status"] not in _FINE]
    if as_json:
        cli.out.print_json({"task": task_id, "run": identity, "finished": when, "ok": not wrong, "files": found})
    else:
        cli.out.heading(f"{task_id}, run {identity}, {when[:10]} {when[11:16]} UTC")
        if found:
            cells = [[row["status"], row["kind"], row["path"] or row["name"], row["why"]] for row in found]
            cli.out.print_table(cells, ["", "kind", "file", ""])
        click.echo(_summary(found, wrong))
        if encrypted := [row for row in found if row["encrypted"]]:
            click.echo(_of_keys(encrypted))
    return EXIT_TASK_FAILED if wrong else EXIT_OK


def _summary(found: list[dict[str, Any]], wrong: list[dict[str, Any]]) -> str:
    if not found:
        return "this run recorded no files"
    if not wrong:
        return f"{len(found)} as recorded"
    counted = Counter(row["status"] for row in wrong)
    return f"{', '.join(f'{n} {word}' for word, n in counted.items())}, {len(found) - len(wrong)} as recorded"


def _of_keys(encrypted: list[dict[str, Any]]) -> str:
    locked = [row["locked"] for row in encrypted if row["locked"]]
    if not locked:
        return f"{len(encrypted)} encrypted: all open with this key"
    return f"{len(encrypted)} encrypted, {len(locked)} of them hashed but not opened: {locked[0]}"


# ---------------------------------------------------------------- what was recorded


def _recorded(run: RunServices, wanted: str | None) -> tuple[str, str, list[tuple[str, Any]]]:
    """A run's id, when it ended, and the files that it recorded: from its report, else from the history."""
    task_id = run.record.task_id
    try:
        report = _report(run, _run_id(run, wanted) if wanted is not None else None)
    except FileNotFoundError:
        record = run.history.find_latest_execution(task_id, success_only=False)
        if record is None or (wanted is not None and not str(record.get("task_run_id", "")).startswith(wanted)):
            raise UsageError(
                f"nothing is recorded of {f'run {wanted} of ' if wanted else ''}task {task_id}:"
                f" `pamola-task history {task_id}` shows its runs"
            ) from None
        entries = [("input", e) for e in record.get("input_files") or ()]
        entries += [("output", e) for e in record.get("output_files") or ()]
        return str(record.get("task_run_id")), str(record.get("timestamp", "")), entries
    told = report["run"]
    return str(told.get("id", "")), str(told.get("finished") or told.get("started") or ""), list(_files_in(report))


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


# ---------------------------------------------------------------- what is there


def _files_of(kernel: KernelView, run: RunServices, task: str) -> tuple[Files, str]:
    """What may open the task's files, those outside of the project too where its configuration allows that, and why
    nothing encrypted can be opened."""
    try:
        return kernel.services(task, upto="encryption").files, ""
    except EncryptionError as problem:
        return kernel.services(task, upto="config").files, str(problem)
    except PamolaTaskError:  # the task is gone, or cannot be configured any more: what it left can be looked at
        return run.files, "its task cannot be configured"


def _verified(files: Files, kind: str, entry: Mapping[str, Any], no_key: str) -> dict[str, Any]:
    path, wanted = str(entry.get("path") or ""), str(entry.get("sha256") or "")
    row: dict[str, Any] = {
        "kind": kind,
        "name": str(entry.get("name") or entry.get("description") or ""),
        "path": path,
        "sha256": wanted,
        "found": None,
        "status": "ok",
        "why": "",
        "encrypted": False,
        "locked": "",  # why it cannot be decrypted here
    }
    if not path:
        return {**row, "status": "in memory", "why": "there was no file"}
    if not wanted:
        return {**row, "status": "unknown", "why": "no hash was recorded"}
    try:
        known = files.recognise(path)
        row["encrypted"] = files.encryption_of(path).encrypted
        if row["encrypted"]:
            row["locked"] = no_key or files.refusal(path)
    except FileNotFoundError:
        return {**row, "status": "missing", "why": "it is gone"}
    except (OSError, PathSecurityError) as problem:
        return {**row, "status": "unreadable", "why": str(problem)}
    row["found"], row["why"] = known.sha256, known.note
    if known.sha256 != wanted:
        size, was = files.stat(path).size, entry.get("bytes")
        row["status"], row["why"] = "changed", "its content differs"
        if was is not None and size != was:
            row["why"] = f"{size} bytes, not {was}"
    return row
