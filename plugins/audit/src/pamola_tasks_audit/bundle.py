"""What is in a bundle: tables as released, their dictionary, public report, terms, provenance, a signed manifest."""

from __future__ import annotations

import csv
import hashlib
import html
import io
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

import attrs

from pamola_tasks.errors import EncryptionError, UsageError
from pamola_tasks_audit import provenance
from pamola_tasks_audit.public_facts import RECODED, public_report, table_of
from pamola_tasks_audit.recodings import in_words, recodings
from pamola_tasks_audit.source import ReleaseRefused, Source, counted, dialect_of
from pamola_tasks_audit.verify_release import ATTESTATION, KIND, MANIFEST, Claim, envelope, shown, to_be_signed

if TYPE_CHECKING:
    from pamola_tasks.protocols import RunServices
    from pamola_tasks_audit.packing import Staged

_ROWS = 100_000  # that are read at once
_DICTIONARY = ("column", "role", "said", "type", "done", "reading", "recoding", "loss")


@attrs.frozen(kw_only=True)
class Told:
    """What who releases says of it."""

    recipient: str = ""
    license: str = ""
    terms: tuple[str, bytes] | None = None  #: the name of the file, and what is in it
    accepted: tuple[str, str] | None = None  #: why questions may stay open, and by whom that was decided
    approvers: Mapping[str, str] = attrs.Factory(dict)  #: who has to sign it too: names by public key


def build(staged: Staged, source: Source, told: Told) -> dict[str, Any]:
    """Write all files of the bundle, the manifest last; that manifest.

    Raises:
        ReleaseRefused: A table is not as the run left it, or does not hold what is claimed of it.
        UsageError: It is to be approved, and is not signed, or is signed by who is to approve it.
        EncryptionError: It is encrypted, and the key is not available.
    """
    run, report, tables, files = source.run, source.report, [], {}
    for number, output in enumerate(source.outputs):
        table = table_of(report, output, _types(source, output, number))
        place, encrypted = _copy(staged, source, output)
        how = {"format": output["format"], "encrypted": encrypted != "none", "encryption_mode": encrypted}
        files[table["name"]] = {**staged.files[place], **how}
        table |= {"file": place, "format": output["format"], "encrypted": encrypted, **dialect_of(report)}
        tables.append(table)
        if encrypted == "none":
            _add_recodings(table, run.data_source.chunks(f"released_{number}", _ROWS))
            with (staged.folder / place).open("rb") as file:
                _check(table, counted(run.kernel, file, table))
    questions = len(source.open_questions)
    answer = ""
    if told.accepted is not None:
        what = f"{questions} open {'question was' if questions == 1 else 'questions were'} accepted"
        answer = f"{what} by {told.accepted[1]}: {told.accepted[0]}" if questions else (
            f"handed over without a claim by {told.accepted[1]}: {told.accepted[0]}")  # fmt: skip
    staged.write("dictionary.csv", "dictionary", _as_csv(tables))
    dictionaries = [{"table": table["name"], "columns": table["dictionary"]} for table in tables]
    staged.write("dictionary.json", "dictionary", _as_json({"schema": 1, "tables": dictionaries}))
    terms = {"license": told.license, "terms of use": told.terms[0] if told.terms else ""}
    terms = {key: text for key, text in terms.items() if text}
    public = public_report(report, tables, files, answer, terms, told.recipient)
    for ending, document in _reports(run, public):
        staged.write(f"report.{ending}", "report", document)
    if told.terms is not None:
        staged.write(told.terms[0], "terms", told.terms[1])
    about = {
        "schema": 1,
        "kind": KIND,
        "task": str(report["task"]["id"]),
        "run": str(report["run"]["id"]),
        "finished": report["run"].get("finished"),
        "verdict": report["verdict"]["verdict"],
        "accepted": told.accepted and {"questions": questions, "why": told.accepted[0], "by": told.accepted[1]},
        "recipient": told.recipient or None,
        "license": told.license or None,
        "terms": told.terms and told.terms[0],
        "approvers": dict(told.approvers),
    }
    sign = getattr(run.encryption, "sign", lambda data: None)
    signs = sign(b"")  # whether it can be signed is said in the README, which is in what is signed
    if told.approvers and (signs is None or signs[0] in told.approvers):
        why = "they need a key of their own" if signs else "it is not signed: `pamola-task keys init --signing`"
        raise UsageError(f"{', '.join(told.approvers.values())} cannot approve this bundle: {why}")
    about["attestation"] = ATTESTATION if signs else None
    staged.write("README.md", "read me", _read_me(about, tables, answer, signs and signs[0]).encode())
    shown = [{key: value for key, value in table.items() if key != "dictionary"} for table in tables]
    _add_provenance(staged, {**about, "tables": shown}, public, {t["name"]: t["dictionary"] for t in tables})
    manifest = {**about, "tables": shown, "files": list(staged.files.values())}
    document = _as_json(manifest)
    if signature := sign(document):
        text = f'"signature": "ed25519 {signature[0]} {signature[1]}"'
        document = document.removesuffix(b"\n}\n") + f",\n  {text}\n}}\n".encode()
    staged.write(MANIFEST, "manifest", document)
    sha256 = hashlib.sha256(document).hexdigest()
    if signs:
        attested = _as_json(provenance.statement(manifest, sha256, public))
        signatures: list[Any] = [sign(to_be_signed(attested))]
        staged.write(ATTESTATION, "attestation", envelope(attested, signatures))
    return {**manifest, "sha256": sha256, "public_key": signs and signs[0]}


def _add_provenance(
    staged: Staged, about: Mapping[str, Any], public: Mapping[str, Any], dictionary: Mapping[str, Any]
) -> None:
    """The files for programs of others; the crate last, since it lists the rest."""

    def manifest() -> dict[str, Any]:
        return {**about, "files": list(staged.files.values())}

    package = provenance.data_package(manifest(), dictionary)
    staged.write("datapackage.json", "data package", _as_json(package))
    staged.write(provenance.WORKFLOW, "workflow", _as_json(provenance.workflow(public, about["tables"])))
    staged.write("ro-crate-metadata.json", "RO-Crate", _as_json(provenance.crate(manifest(), public)))


def _add_recodings(table: Mapping[str, Any], pieces: Iterable[Any]) -> None:
    recoded = [column for column in table["dictionary"] if column["done"] in RECODED]
    found = recodings(pieces, [column["column"] for column in recoded]) if recoded else {}
    for column in recoded:
        column["recoding"] = found[column["column"]]


def _check(table: Mapping[str, Any], claims: Sequence[Claim]) -> None:
    wrong = [c.why or f"{c.what} is {c.counted}, and stated is {c.stated}" for c in claims if c.holds is False]
    if wrong:
        raise ReleaseRefused(f"counted in the file of {table['name']}, {'; '.join(wrong)}: run the task again")


def _types(source: Source, output: Mapping[str, Any], number: int) -> Mapping[str, str]:
    """The type of each column; nothing where only the recipient can decrypt the table."""
    name, data = f"released_{number}", source.run.data_source
    data.add_file_path(name, str(output["path"]), format=output["format"])
    try:
        return data.schema(name)
    except EncryptionError:
        if source.decrypts:
            raise
        return {}


def _copy(staged: Staged, source: Source, output: Mapping[str, Any]) -> tuple[str, str]:
    """Copy a table as it is stored, or decrypted: its name in the bundle, and how it is encrypted there."""
    files, path = source.run.files, str(output["path"])
    mode = files.encryption_of(path).mode
    name = f"data/{PurePosixPath(path).name}"
    if mode == "none" or not source.decrypts:
        place = name if mode == "none" else f"{name}.{mode}"
        with files.open_raw(path) as file, staged.create(place, "table") as write:
            write.copy(file)
        same = staged.files[place]["sha256"] == output["sha256"]
    else:
        place, mode, same = name, "none", files.recognise(path).sha256 == output["sha256"]
        with files.open(path, "data") as file, staged.create(place, "table") as write:
            write.copy(file)
    if not same:
        raise ReleaseRefused(f"{path} is not as the run left it: run the task again")
    return place, mode


def _reports(run: RunServices, public: Mapping[str, Any]) -> Iterator[tuple[str, bytes]]:
    """The public report in each format that can be written; where nothing writes any, as JSON."""
    writers = run.kernel.report_writers()
    for ending in writers:
        yield ending, writers[ending](public)
    if "json" not in writers:
        yield "json", _as_json(public)


def _as_json(document: Mapping[str, Any]) -> bytes:
    return (json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False) + "\n").encode()


def _as_csv(tables: Sequence[Mapping[str, Any]]) -> bytes:
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["table", *_DICTIONARY])
    for table in tables:
        for column in table["dictionary"]:
            shown = {**column, "recoding": in_words(column["recoding"])}
            writer.writerow([table["name"], *(shown[key] for key in _DICTIONARY)])
    return text.getvalue().encode()


def _left_out(table: Mapping[str, Any]) -> str:
    counts = [f"{number} {role}" for role, number in table["left_out"].items()]
    return f"; left out of the original: {', '.join(counts)}" if counts else ""


_READ_ME = """\
# {title}

{verdict}

| | |
|---|---|
{facts}

## What is here

{files}

## How to verify

`verify_release.py`, one file that needs Python 3.11 or later and nothing else, checks that no file was changed, added
or removed:

    python verify_release.py BUNDLE{key}
    python verify_release.py BUNDLE{key} --recount

The second command counts k, l and t in the table. Take the program from the manual of pamola-tasks, not from who sent
this; with pamola-tasks installed, `pamola-task verify BUNDLE{key} --privacy` does the same. {signed}
"""


def _plain(text: str) -> str:
    """A text as one line of Markdown that is no markup, and that a terminal does not obey."""
    return re.sub(r"[\\|\[\]]", r"\\\g<0>", html.escape(shown(" ".join(text.split())), quote=False))


def _read_me(about: Mapping[str, Any], tables: Sequence[Mapping[str, Any]], answer: str, public: str | None) -> str:
    named = _plain(", ".join(table["name"] for table in tables))
    facts = {
        "Recipient": about["recipient"] or "not stated",
        "License": about["license"] or "not stated",
        "Terms of use": about["terms"] or "none enclosed",
        "Run": f"`{about['run']}` of task `{about['task']}`, finished {about['finished']}",
        "Open questions": answer or "none",
    }
    if about["approvers"]:
        facts["To be approved by"] = ", ".join(f"{name} ({key})" for key, name in about["approvers"].items())
    files = [f"- `{t['file']}`: records {t['rows']:,}, columns {len(t['columns'])}{_left_out(t)}" for t in tables]
    files += [
        "- `dictionary.csv`, `dictionary.json`: for each column its role, what was done, how a cell is to be read,"
        " and which values, groups and cut points occur",
        "- `report.*`: what is claimed of the release, and what was measured",
        "- `datapackage.json`, `ro-crate-metadata.json`, `workflow.json`: the same for programs, as a Frictionless data"
        " package and as a Workflow Run RO-Crate",
        f"- `{MANIFEST}`: SHA-256 of every file",
    ]
    if about["attestation"]:
        files.append(f"- `{ATTESTATION}`: an in-toto statement on all files, with the signatures (DSSE)")
    signed = (
        f"The manifest is signed. KEY is the public key of who released this; have it from them by another way than"
        f" this bundle, and compare: `{public}`"
        if public
        else "The manifest is not signed: it shows damage, not who made this. Compare its SHA-256 with the sender's."
    )
    return _READ_ME.format(
        title=f"Release of {named}",
        verdict="\n\n".join(f"**{_plain(t['name'])}: {t['verdict']}.** {_plain(t['sentence'])}." for t in tables),
        facts="\n".join(f"| {key} | {_plain(value)} |" for key, value in facts.items()),
        files="\n".join(files),
        key=" --public-key KEY" if public else "",
        signed=signed,
    )
