"""`pamola-task verify`."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pamola_tasks.errors import (
    EXIT_OK,
    EXIT_TASK_FAILED,
    EncryptionError,
    PamolaTaskError,
    PathSecurityError,
    UsageError,
)
from pamola_tasks.record import is_address
from pamola_tasks_audit.records import Recorded, earlier_run, proof_of, records_of
from pamola_tasks_audit.signatures import is_bundle, problem_of, public_key, reports_at
from pamola_tasks_audit.verify_bundle import hold, print_claims, verify_bundle

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pamola_tasks.protocols import CommandLine, KernelView, RunServices

_FINE = ("ok", "in memory", "elsewhere")


@click.command("verify")
@click.argument("task")
@click.option(
    "--run",
    "run_id",
    metavar="ID",
    help="The run: its id, or the first characters of it (default: the newest that recorded files).",
)
@click.option("--public-key", "key", metavar="KEY", help="Who signed a report: the public key, or its file.")
@click.option(
    "--approved-by",
    "approved_by",
    metavar="KEY",
    multiple=True,
    help="Who has to have approved a bundle. Repeatable.",
)
@click.option("--privacy", is_flag=True, help="Count in released tables what is claimed of them.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
@click.pass_obj
def command(
    cli: CommandLine,
    task: str,
    run_id: str | None,
    key: str | None,
    approved_by: tuple[str, ...],
    privacy: bool,
    as_json: bool,
) -> int:
    """Verify that everything a run of TASK read, wrote and recorded is as it was. Exits 0 if it is.

    Re-hashes inputs, outputs, reports and the manifest, and checks the records themselves: which files are missing,
    changed, older than recorded, no longer made by the task, or not ours. Encrypted files are hashed as stored, so no
    key is needed; records are authenticated with the project's key where that is available.

    TASK can also be a report (JSON, HTML or Markdown) or a directory with reports: their signatures are checked with
    the public key, also where the project is not. Or a bundle (a folder or zip that `release` made): that no file of it
    was changed, added or removed, with a public key or in the project that made it the signature, and that all
    approvers signed it. --run says which run it has to be the release of. --privacy counts records, k, l and t in the
    tables of the bundle, or of the run.
    """
    if is_bundle(task):
        return verify_bundle(cli, task, key, approved_by, run_id, privacy, as_json)
    if approved_by:
        raise UsageError("--approved-by is about bundles: name one")
    if reports := reports_at(task):
        if privacy:
            raise UsageError("--privacy counts in tables: name a task or a bundle")
        return _signatures(cli, reports, key, as_json)
    run, no_key = _run_of(cli.kernel, task)
    task_id = run.record.task_id
    if run.lock.is_running(task_id):
        click.secho(f"warning: {task_id} is running now: its files may be changing", fg="yellow", err=True)
    recorded = Recorded.of(run, run_id)
    found, records, wrong = examine(run, recorded, no_key)
    claims = _claims_of(run, recorded) if privacy and not wrong else []
    nothing = not found and not recorded.success
    fine = not wrong and not nothing and hold(claims)
    proof, anchored = proof_of(recorded), _anchored(run)
    if as_json:
        about = {"task": task_id, "run": recorded.run_id, "finished": recorded.when, "ok": fine}
        about["later"] = recorded.later and recorded.later.get("task_run_id")
        cli.out.print_json({**about, "files": found, "records": records, "proof": proof, "anchor": anchored,
                            "claims": claims})  # fmt: skip
    else:
        cli.out.heading(f"{task_id}, run {recorded.run_id}, {recorded.when[:10]} {recorded.when[11:16]} UTC")
        if recorded.later:
            click.echo(f"run {recorded.later.get('task_run_id')} after it failed before it recorded a file")
        if found or records:
            rows = [*found, *records]
            cli.out.print_table([[r["status"], r["kind"], r["path"] or r["name"], r["why"]] for r in rows],
                                ["", "kind", "file", ""])  # fmt: skip
        click.echo(f"records: {proof}")
        if anchored:
            click.echo(cli.out.visible(f"anchor: {anchored}"))
        click.echo(_summary(found, wrong, nothing))
        if encrypted := [row for row in found if row["encrypted"]]:
            click.echo(_of_keys(encrypted))
        print_claims(cli, claims)
    return EXIT_OK if fine else EXIT_TASK_FAILED


Rows = list[dict[str, Any]]


def examine(run: RunServices, recorded: Recorded, no_key: str) -> tuple[Rows, Rows, Rows]:
    """What is to be said of a run's files, of its records, and of those of both that are not as recorded."""
    found = [_of_its_time(run, recorded, kind, entry, no_key) for kind, entry in recorded.files]
    named = {row["path"] for row in found if row["status"] not in _FINE}
    records = [row for row in records_of(run, recorded) if not any(path in row["why"] for path in named)]
    return found, records, [row for row in [*found, *records] if row["status"] not in _FINE]


def _anchored(run: RunServices) -> str:
    """Whether the history has what this user noted of it outside the project, and what to do where it has not."""
    ask: Any = getattr(run.history, "anchored", None)
    return "" if ask is None else "; ".join(filter(None, ((found := ask()).finding, found.advice)))


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


def _claims_of(run: RunServices, recorded: Recorded) -> Rows:
    from pamola_tasks_audit.source import ReleaseRefused, claims_of

    try:
        return claims_of(run, recorded.run_id, recorded.record) if recorded.record is not None else []
    except ReleaseRefused as problem:
        return [{"table": "", "what": "", "stated": None, "counted": None, "holds": None, "why": str(problem)}]


def _summary(found: list[dict[str, Any]], wrong: list[dict[str, Any]], nothing: bool) -> str:
    if not wrong and nothing:
        return "nothing was verified: this run failed before it recorded a file"
    if not wrong:
        elsewhere = sum(row["status"] == "elsewhere" for row in found)
        more = f", {elsewhere} elsewhere" if elsewhere else ""
        return f"{len(found) - elsewhere} as recorded{more}" if found else "this run recorded no files"
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


def _of_its_time(
    run: RunServices, recorded: Recorded, kind: str, entry: Mapping[str, Any], no_key: str
) -> dict[str, Any]:
    """A file of a run as it is now or, of an older run, as it is kept since a newer one took its place.

    Where none that is kept is as recorded, that which is kept as the run's own.
    """
    row = _verified(run, kind, entry, no_key)
    if recorded.newest or kind != "output" or row["status"] in (*_FINE, "unknown"):
        return row
    ask: Any = getattr(run.places, "kept", lambda path: [])
    kept = [_verified(run, kind, {**entry, "path": path}, no_key) for path in ask(str(entry.get("path")))]
    if found := next((each for each in kept if each["status"] == "ok"), None):
        return {**found, "why": "kept since a newer run took its place"}
    return next((each for each in kept if f"/{recorded.run_id}/" in each["path"]), row)


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
    if is_address(path):
        version = f" ({entry['version']})" if entry.get("version") else ""
        return {**row, "status": "elsewhere", "why": f"no file: it is not asked whether it is as it was{version}"}
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
