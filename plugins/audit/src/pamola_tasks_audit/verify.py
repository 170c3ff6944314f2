"""`pamola-task verify`."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import click

from pamola_tasks.errors import (
    EXIT_OK,
    EXIT_TASK_FAILED,
    EncryptionError,
    PamolaTaskError,
    PathSecurityError,
)
from pamola_tasks_audit.records import Recorded, earlier_run, proof_of, records_of
from pamola_tasks_audit.signatures import problem_of, public_key, reports_at

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from pamola_tasks.protocols import CommandLine, KernelView, RunServices

_FINE = ("ok", "in memory")


@click.command("verify")
@click.argument("task")
@click.option(
    "--run",
    "run_id",
    metavar="ID",
    help="The run: its id, or the first characters of it (default: the newest that recorded files).",
)
@click.option("--public-key", "key", metavar="KEY", help="Who signed a report: the public key, or its file.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
@click.pass_obj
def command(cli: CommandLine, task: str, run_id: str | None, key: str | None, as_json: bool) -> int:
    """Verify that everything a run of TASK read, wrote and recorded is as it was. Exits 0 if it is.

    Re-hashes inputs, outputs, reports and the manifest, and checks the records themselves: which files are missing,
    changed, older than recorded, no longer made by the task, or not ours. Encrypted files are hashed as stored, so no
    key is needed; records are authenticated with the project's key where that is available.

    TASK can also be a report (JSON, HTML or Markdown) or a directory with reports: their signatures are checked with
    the public key, also where the project is not.
    """
    if reports := reports_at(task):
        return _signatures(cli, reports, key, as_json)
    run, no_key = _run_of(cli.kernel, task)
    task_id = run.record.task_id
    if run.lock.is_running(task_id):
        click.secho(f"warning: {task_id} is running now: its files may be changing", fg="yellow", err=True)
    recorded = Recorded.of(run, run_id)
    found = [_verified(run, kind, entry, no_key) for kind, entry in recorded.files]
    named = {row["path"] for row in found if row["status"] not in _FINE}
    records = [row for row in records_of(run, recorded) if not any(path in row["why"] for path in named)]
    wrong = [row for row in [*found, *records] if row["status"] not in _FINE]
    fine = not wrong and (bool(found) or recorded.success)
    proof = proof_of(recorded)
    if as_json:
        about = {"task": task_id, "run": recorded.run_id, "finished": recorded.when, "ok": fine}
        about["later"] = recorded.later and recorded.later.get("task_run_id")
        cli.out.print_json({**about, "files": found, "records": records, "proof": proof})
    else:
        cli.out.heading(f"{task_id}, run {recorded.run_id}, {recorded.when[:10]} {recorded.when[11:16]} UTC")
        if recorded.later:
            click.echo(f"run {recorded.later.get('task_run_id')} after it failed before it recorded a file")
        if found or records:
            rows = [*found, *records]
            cli.out.print_table([[r["status"], r["kind"], r["path"] or r["name"], r["why"]] for r in rows],
                                ["", "kind", "file", ""])  # fmt: skip
        click.echo(f"records: {proof}")
        click.echo(_summary(found, wrong, fine))
        if encrypted := [row for row in found if row["encrypted"]]:
            click.echo(_of_keys(encrypted))
    return EXIT_OK if fine else EXIT_TASK_FAILED


def _signatures(cli: CommandLine, reports: list[Path], given: str | None, as_json: bool) -> int:
    encryption: Any = cli.kernel.services(None, upto="encryption").encryption
    public = public_key(given, cli.kernel.project.root)
    if given is None and (own := encryption.sign(b"")):  # the copy in the project can be exchanged with the reports
        public = own[0]
    found = {str(path): problem_of(path, public, encryption.signature_fits) for path in reports}
    if as_json:
        rows = [{"path": path, "status": "altered" if why else "ok", "why": why} for path, why in found.items()]
        cli.out.print_json({"public_key": public, "ok": not any(found.values()), "files": rows})
    else:
        cli.out.print_table([["altered" if why else "ok", path, why] for path, why in found.items()], ["", "file", ""])
    return EXIT_TASK_FAILED if any(found.values()) else EXIT_OK


def _summary(found: list[dict[str, Any]], wrong: list[dict[str, Any]], fine: bool) -> str:
    if not wrong and not fine:
        return "nothing was verified: this run failed before it recorded a file"
    if not wrong:
        return f"{len(found)} as recorded" if found else "this run recorded no files"
    counted = Counter(row["status"] for row in wrong)
    intact = sum(row["status"] in _FINE for row in found)
    return f"{', '.join(f'{n} {word}' for word, n in counted.items())}, {intact} as recorded"


def _of_keys(encrypted: list[dict[str, Any]]) -> str:
    locked = [row["locked"] for row in encrypted if row["locked"]]
    if not locked:
        return f"{len(encrypted)} encrypted: all open with this key"
    return f"{len(encrypted)} encrypted, {len(locked)} of them hashed but not opened: {locked[0]}"


# ---------------------------------------------------------------- what is there


def _run_of(kernel: KernelView, task: str) -> tuple[RunServices, str]:
    """What may open the task's files, those outside of the project too where its configuration allows that, and why
    nothing encrypted can be opened."""
    try:
        return kernel.services(task, upto="reporter"), ""
    except EncryptionError as problem:
        return kernel.services(task, upto="lock"), str(problem)
    except PamolaTaskError:  # the task is gone, or cannot be configured any more: what it left can be looked at
        return kernel.inspect(task), "its task cannot be configured"


def _verified(run: RunServices, kind: str, entry: Mapping[str, Any], no_key: str) -> dict[str, Any]:
    files = run.files
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
        if earlier := earlier_run(run, path, known.sha256):
            row["status"], row["why"] = "older", f"as run {earlier} left it"
    return row
