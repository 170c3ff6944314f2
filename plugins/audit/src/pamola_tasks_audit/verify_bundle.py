"""`pamola-task verify` of a bundle: its files, signatures, approvals, and what is claimed of its tables."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pamola_tasks.errors import EXIT_OK, EXIT_TASK_FAILED, UsageError
from pamola_tasks_audit.records import RELEASED
from pamola_tasks_audit.signatures import PUBLIC, public_key
from pamola_tasks_audit.verify_release import ATTESTATION, MANIFEST, Bundle, NoBundle

if TYPE_CHECKING:
    from pamola_tasks.protocols import CommandLine, RunServices

Rows = list[dict[str, Any]]


def verify_bundle(
    cli: CommandLine,
    name: str,
    given: str | None,
    approved_by: Sequence[str],
    run_id: str | None,
    privacy: bool,
    as_json: bool,
) -> int:
    """Verify a bundle, and print what was found; the exit code.

    Args:
        cli: The command line.
        name: The folder or zip.
        given: The public key of who is to have signed it, if it was said.
        approved_by: The public keys of who is to have signed it too.
        run_id: The run that it is to be the release of, or how its id begins.
        privacy: Whether to count in the tables.
        as_json: Whether to print JSON.
    """
    bundle = opened(name)
    project, root = cli.kernel.services(None, upto="encryption"), cli.kernel.project.root
    own = getattr(project.encryption, "sign", lambda data: None)(b"")
    public = own[0] if own and given is None else None
    if public is None and (given is not None or (root / PUBLIC).is_file()):
        public = public_key(given, root)
    problems, (known, history) = bundle.problems(), _in_history(project, bundle)
    if known and given is None and not bundle.public_key:
        public = None  # it may be older than the key
    if public is not None and (why := bundle.problem_of_signature(public)):
        problems[MANIFEST] = why
    elif known is False and not (own and public == own[0]):
        problems.setdefault(MANIFEST, history)
    if run_id and (why := bundle.problem_of_run(run_id)):
        problems.setdefault(MANIFEST, why)
    if why := bundle.problem_of_attestation(public or ""):
        problems[ATTESTATION] = why
    missing = bundle.missing_approvals([public_key(key, root) for key in approved_by])
    names = sorted({*problems, *bundle.sizes, *bundle.listed})
    rows = [{"path": n, "status": "altered" if n in problems else "ok", "why": problems.get(n, "")} for n in names]
    claims = counted_in(cli, bundle) if privacy and not problems else []
    fine = not problems and not missing and hold(claims)
    signed = "with this public key" if public and MANIFEST not in problems else bundle.public_key and "unchecked"
    if as_json:
        about = {"ok": fine, "public_key": public or bundle.public_key or None, "signed": signed or "not signed"}
        approvals = {"approvals": len(bundle.signed_by()[1:]), "missing_approvals": missing}
        cli.out.print_json({**about, **approvals, "files": rows, "claims": claims})
        return EXIT_OK if fine else EXIT_TASK_FAILED
    cli.out.print_table([[row["status"], row["path"], row["why"]] for row in rows], ["", "file", ""])
    if public is None:
        who = "say --public-key KEY to check whose" if bundle.public_key else history or "nothing shows who made it"
        cli.out.note(f"{'signed, and not checked' if bundle.public_key else 'not signed'}: {who}")
    for name in missing:
        click.echo(cli.out.visible(f"not approved: the signature of {name} is missing"))
    if later := _released_later(project, bundle):
        cli.out.note(f"run {later} of this task was released after it")
    print_claims(cli, claims)
    return EXIT_OK if fine else EXIT_TASK_FAILED


def opened(name: str) -> Bundle:
    """A bundle.

    Raises:
        UsageError: It is none, or not safe to open.
    """
    try:
        return Bundle(Path(name))
    except NoBundle as problem:
        raise UsageError(str(problem)) from None


def counted_in(cli: CommandLine, bundle: Bundle) -> Rows:
    """What is claimed of the tables of a bundle beside what is counted in them."""
    from pamola_tasks_audit.source import counted

    claims: Rows = []
    for table in bundle.tables:
        if table["encrypted"] == "none":
            with bundle.open(table["file"]) as file:
                claims += [{"table": table["name"], **c._asdict()} for c in counted(cli.kernel, file, table)]
        else:
            claims.append({"table": table["name"], "what": "k", "stated": None, "counted": None, "holds": None,
                           "why": "it is encrypted: decrypt it to count in it"})  # fmt: skip
    return claims


def _released_later(project: RunServices, bundle: Bundle) -> str:
    """The newest run of the same task that this project released, if it is a later one than the bundle's."""
    notes: Any = getattr(vars(project).get("history"), "notes", None)
    task, run = bundle.manifest.get("task"), str(bundle.manifest.get("run"))
    known = [str(note.get("run")) for note in (notes(RELEASED) if notes else ()) if note.get("task") == task]
    return max(known) if run in known and max(known) > run else ""  # ids begin with the time


def _in_history(project: RunServices, bundle: Bundle) -> tuple[bool | None, str]:
    """Whether this project made a bundle, as far as its history says (None where it does not), in words too."""
    notes: Any = getattr(vars(project).get("history"), "notes", None)
    task, run = bundle.manifest.get("task"), bundle.manifest.get("run")
    sha256 = hashlib.sha256(bundle.signed).hexdigest()
    known = [note for note in (notes(RELEASED) if notes else ()) if note.get("task") == task]
    if any(note.get("manifest_sha256") == sha256 for note in known):
        if any(note.get("manifest_sha256") == sha256 for note in notes(RELEASED, proven=True)):
            return True, "the history of this project has this manifest"
        return None, "the history of this project has this manifest, in a line that was not made with its key"
    if any(note.get("run") == run for note in known):
        return False, "this project made that release with another manifest"
    return None, f"the history of this project has no release of run {run}" if known else ""


def hold(claims: Rows) -> bool:
    """Whether no claim was counted that is not met."""
    return all(claim["holds"] is not False for claim in claims)


def print_claims(cli: CommandLine, claims: Rows) -> None:
    """Each claim beside what was counted."""
    for claim in claims:
        state = {True: "ok", False: "not met", None: "not counted"}[claim["holds"]]
        text = f"{claim['what']}: stated {claim['stated']}, counted {claim['counted']}"
        click.echo(cli.out.visible(f"{state}  {claim['table']}: {claim['why'] or text}"))
