"""`pamola-task release`: a bundle to hand over, of what `verify` finds as recorded, and only if it may go out."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pamola_tasks.errors import EXIT_OK, UsageError
from pamola_tasks.record import now, rfc3339
from pamola_tasks.storage.system import user_name
from pamola_tasks_audit.bundle import Told, build
from pamola_tasks_audit.packing import Staged
from pamola_tasks_audit.records import RELEASED, Recorded
from pamola_tasks_audit.signatures import is_public_key
from pamola_tasks_audit.source import ReleaseRefused, Source, outputs_of, release_tables, report_of
from pamola_tasks_audit.verify import examine

if TYPE_CHECKING:
    from pamola_tasks.protocols import CommandLine, RunServices

_TERMS = (".txt", ".md")
_BLANK = "\u115f\u1160\u2800\u3164\uffa0"  # letters and a symbol that show nothing
_LARGEST_TERMS = 1 << 20


@click.command("release")
@click.argument("task")
@click.option("--run", "run_id", metavar="ID", help="The run: its id, or the first characters (default: last success).")
@click.option("--to", type=click.Path(path_type=Path), help="The bundle (default: TASK-RUN here).")
@click.option("--format", "form", type=click.Choice(["zip", "folder"]), default="zip", show_default=True)
@click.option("--accept", "why", metavar="WHY", help="Why it may go out though questions are open. Needs --by.")
@click.option("--by", metavar="NAME", help="Who decided that.")
@click.option("--recipient", metavar="NAME", help="For whom the release is made.")
@click.option("--license", "license_", metavar="TEXT", help="Under which license.")
@click.option("--terms", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="A file with terms of use.")
@click.option("--approver", "approvers", metavar="NAME=KEY", multiple=True, help="Who has to sign it too. Repeatable.")
@click.option("--decrypt", is_flag=True, help="Hand over in clear what the run encrypted.")
@click.option("--list", "lists", is_flag=True, help="Only list what was released of TASK.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
@click.pass_obj
def command(
    cli: CommandLine,
    task: str,
    run_id: str | None,
    to: Path | None,
    form: str,
    why: str | None,
    by: str | None,
    recipient: str | None,
    license_: str | None,
    terms: Path | None,
    approvers: tuple[str, ...],
    decrypt: bool,
    lists: bool,
    as_json: bool,
) -> int:
    """Make a bundle of what a run of TASK released: tables, dictionary, public report, terms, signed manifest.

    Only of files that are as the run left them. Refused (exit 5) while questions are open, unless --accept says why
    and --by who; never where a claim is not met. The history records each release. Nothing in the bundle is of the
    original: see the manual for what is.
    """
    run = cli.kernel.services(task, upto="reporter")
    task_id = run.record.task_id
    if lists:
        return _list(cli, run, as_json)
    why, by = said("--accept", why or "", 3000), said("--by", by or "")
    said("--to", str(to or ""), 4096)
    if bool(why) != bool(by):
        raise UsageError("--accept says why, and --by who decided: give both")
    settings = run.config.plugin("audit")
    told = Told(
        recipient=said("audit.recipient", settings.recipient) if recipient is None else said("--recipient", recipient),
        license=said("audit.license", settings.license) if license_ is None else said("--license", license_),
        terms=_terms(run, terms, settings.terms),
        accepted=(why, by) if why and by else None,
        approvers=_approvers(approvers, settings.approvers),
    )
    with run.lock.keeping_out(task_id):
        source = _source(run, run_id, decrypt)
        _judge(source, told)
        if objections := run.kernel.plugins.objections("pamola_check_release", run=run, tables=release_tables(source)):
            raise ReleaseRefused("\n".join(objections))
        found = source.report["run"]["id"]
        target = Path(f"{task_id}-{found}{'.zip' if form == 'zip' else ''}") if to is None else to
        with Staged(target) as staged:
            made = build(staged, source, told)
            packed = staged.zip() if form == "zip" else None
            facts = _noted(source, told, made, target, packed)
            run.history.note(run, RELEASED, facts)  # type: ignore[attr-defined]  # first: none is without
            staged.publish()
    if as_json:
        cli.out.print_json({"bundle": str(target), **facts, "public_key": made["public_key"]})
        return EXIT_OK
    cli.out.heading(f"{task_id}, run {found}: {made['verdict']}")
    listed = [(str(entry["content"]), str(entry["path"])) for entry in staged.files.values()]
    cli.out.facts([*listed, ("bundle", cli.out.from_here(target.absolute())), ("SHA-256", packed or made["sha256"])])
    if not made["public_key"]:
        cli.out.note("not signed: nothing shows a recipient who made it; `pamola-task keys init --signing` makes a key")
    return EXIT_OK


def said(option: str, text: str, longest: int = 300) -> str:
    """What a person said, without blanks around it.

    Args:
        option: Where it was said.
        text: What.
        longest: At most so many characters.

    Raises:
        UsageError: It is longer, no text in UTF-8, or shows nothing, as characters without a width do.
    """
    try:
        text.encode()
    except UnicodeEncodeError:
        raise UsageError(f"{option}: this is not text in UTF-8: write it again") from None
    if len(text) > longest:
        raise UsageError(f"{option}: at most {longest:,} characters, and these are {len(text):,}")
    if text and not text.isspace() and not any(unicodedata.category(c)[0] in "LNPS" for c in text if c not in _BLANK):
        raise UsageError(f"{option}: nothing of this is visible: write it again")
    return text.strip()


# ---------------------------------------------------------------- what it is made of


def _source(run: RunServices, wanted: str | None, decrypts: bool) -> Source:
    """The run to release, of which all that goes into the bundle, and the records of it, is as recorded.

    Inputs, artifacts and what is internal go into none: they need not be there any more.
    """
    task_id = run.record.task_id
    if not hasattr(run.history, "note"):
        raise ReleaseRefused("the history that is installed records no releases")
    if hasattr(run.history, "lacks_key") and run.history.lacks_key():
        raise UsageError("the history is authenticated with the project's key, which is not available: give the key")
    if wanted is None:
        latest = run.history.find_latest_execution(task_id, success_only=True)
        if latest is None:
            raise UsageError(f"no run of {task_id} has succeeded: `pamola-task run {task_id}`")
        wanted = str(latest["task_run_id"])
    recorded = Recorded.of(run, wanted)
    record, again = recorded.record, f"run the task again: `pamola-task run {task_id} --restart`"
    if record is None:
        raise ReleaseRefused(f"the history has no run {recorded.run_id}, so that nothing proves its files: {again}")
    if not recorded.success:
        raise ReleaseRefused(f"run {recorded.run_id} did not succeed")
    if record.get("authentic") is False:
        raise ReleaseRefused(f"run {recorded.run_id} was not recorded with the project's key: {again}")
    _, _, wrong = examine(run, recorded, "")
    internal = f"{run.places.of(task_id).directories.get('internal')}/"
    if wrong := [
        row for row in wrong if row["kind"] not in ("input", "artifact") and not row["path"].startswith(internal)
    ]:
        listed = "\n".join(
            f"  {row['status']:10} {row['path'] or row['name'] or row['kind']}: {row['why']}" for row in wrong
        )
        raise ReleaseRefused(f"not everything is as run {recorded.run_id} left it:\n{listed}\n{again}")
    report = report_of(run, recorded.run_id, record)
    outputs = outputs_of(run, report, record)
    if not outputs:
        raise ReleaseRefused(f"run {recorded.run_id} released no table: what is internal is never handed over")
    for entry in outputs:
        mode = run.files.encryption_of(entry["path"]).mode
        if mode not in ("none", "age") and not decrypts:
            raise ReleaseRefused(
                f"{entry['path']} is encrypted with the project's key, which a recipient does not have: --decrypt hands"
                f" it over in clear; a run with `encryption_mode: age` encrypts for the `encryption.recipients`"
            )
    return Source(run=run, report=report, outputs=outputs, decrypts=decrypts)


def _judge(source: Source, told: Told) -> None:
    """Refuse what must not go out.

    A claim that is not met is no question: nobody can accept it. That nothing is claimed can be accepted, as questions
    can, and the bundle says so.
    """
    verdict = str(source.report["verdict"].get("verdict"))
    if verdict == "met":
        if told.accepted is not None:
            raise UsageError("no question is open, so that there is nothing to --accept")
        return
    accept = '--accept "WHY" --by NAME releases it all the same, and records both'
    if verdict == "met with open questions":
        listed = "\n".join(f"  {number}. {text}" for number, text in enumerate(source.open_questions, 1))
        refusal = f"these questions are open:\n{listed}\nAnswer them in the task's configuration; or {accept}"
    elif verdict == "none claimed":
        refusal = f"no step claims anything of what it released: nothing says that it may go out; {accept}"
    else:
        reasons = "\n".join(f"  {text}" for text in source.report["verdict"].get("reasons") or ())
        raise ReleaseRefused(f"the verdict is {verdict!r}, which cannot be accepted:\n{reasons}")
    if told.accepted is None:
        raise ReleaseRefused(refusal)


def _approvers(given: Sequence[str], configured: Mapping[str, str]) -> dict[str, str]:
    """Who has to approve, by public key: those of the configuration, and those that were given."""
    pairs = [("audit.approvers", name, key) for name, key in configured.items()]
    pairs += [("--approver", name, key.strip()) for name, _, key in (text.partition("=") for text in given)]
    found: dict[str, str] = {}
    for option, name, key in pairs:
        name = said(option, name)
        if not name or not is_public_key(key):
            raise UsageError(f"{option}: {name or key} has no public key: say NAME=KEY, with 32 bytes in base64")
        if key in found or name in found.values():
            raise UsageError(f"{option}: {name} is there twice, or has the key of another")
        found[key] = name
    return found


def _terms(run: RunServices, given: Path | None, configured: str) -> tuple[str, bytes] | None:
    name = str(given or configured)
    if not (given or configured):
        return None
    path = given or run.kernel.project.root / configured
    if path.exists() and not path.is_file():
        raise UsageError(f"{name}: no file, but a folder, a pipe or a device")
    try:
        data = given.read_bytes() if given else run.files.read(configured, "config")
        data.decode()
    except FileNotFoundError:
        raise UsageError(f"audit.terms: there is no file {configured}") from None
    except ValueError:
        data = b""
    ending = Path(name).suffix.lower()
    if ending not in _TERMS or not data.strip() or len(data) > _LARGEST_TERMS:
        raise UsageError(f"{name} is not what terms are: a text in UTF-8 of at most 1 MiB, {' or '.join(_TERMS)}")
    return f"TERMS{ending}", data


# ---------------------------------------------------------------- what the history has of it


def _noted(source: Source, told: Told, made: Mapping[str, Any], target: Path, packed: str | None) -> dict[str, Any]:
    return {
        "task": made["task"],
        "run": made["run"],
        "time": rfc3339(now()),
        "user": user_name(),
        "bundle_name": target.name,
        "manifest_sha256": made["sha256"],
        "zip_sha256": packed,
        "recipient": made["recipient"],
        "license": made["license"],
        "verdict": made["verdict"],
        "open_questions": source.open_questions,
        "accepted": told.accepted and {"why": told.accepted[0], "by": told.accepted[1]},
        "tables": [table["file"] for table in made["tables"]],
        "decrypted": source.decrypts,
    }


def _list(cli: CommandLine, run: RunServices, as_json: bool) -> int:
    notes = getattr(run.history, "notes", None)
    found = [note for note in (notes(RELEASED) if notes else ()) if note.get("task") == run.record.task_id]
    if as_json:
        cli.out.print_json({"task": run.record.task_id, "releases": found})
    elif not found:
        click.echo(f"nothing of {run.record.task_id} has been released")
    else:
        rows = [
            [
                f"{note['time'][:16].replace('T', ' ')}",
                note["user"],
                note["recipient"] or "",
                note["verdict"],
                (note["accepted"] or {}).get("by", ""),
                (note["zip_sha256"] or note["manifest_sha256"])[:16],
                note["bundle_name"],
            ]
            for note in found
        ]
        cli.out.print_table(rows, ["when (UTC)", "user", "recipient", "verdict", "accepted by", "SHA-256", "bundle"])
    return EXIT_OK
