"""`pamola-task approve`: the signature of a second person on a bundle."""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pamola_tasks.errors import EXIT_OK, UsageError
from pamola_tasks_audit.packing import Staged
from pamola_tasks_audit.signatures import public_key
from pamola_tasks_audit.source import ReleaseRefused
from pamola_tasks_audit.verify_bundle import counted_in, hold, opened
from pamola_tasks_audit.verify_release import ATTESTATION, Bundle, envelope, to_be_signed

if TYPE_CHECKING:
    from pamola_tasks.protocols import CommandLine


@click.command("approve")
@click.argument("bundle", type=click.Path(exists=True))
@click.option("--public-key", "key", metavar="KEY", required=True, help="Who released it: the public key, or its file.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
@click.pass_obj
def command(cli: CommandLine, bundle: str, key: str, as_json: bool) -> int:
    """Add your signature to BUNDLE, as a second person whom the release names as an approver.

    You sign with the signing key of the project that this is called in (`pamola-task keys init --signing`), which has
    to be one that `release --approver` named. Refused (exit 5) unless the bundle is as KEY signed it, and k, l and t,
    counted again in its tables, are as claimed.
    """
    found, root = opened(bundle), cli.kernel.project.root
    public = public_key(key, root)
    problems = {**found.problems(), "signature": found.problem_of_signature(public)}
    problems[ATTESTATION] = problems.get(ATTESTATION) or found.problem_of_attestation(public)
    if not found.manifest.get("attestation"):
        problems[ATTESTATION] = "there is none to sign: it was released without a key"
    if wrong := {name: why for name, why in problems.items() if why}:
        raise ReleaseRefused("\n".join(f"{name}: {why}" for name, why in wrong.items()))
    own = _signed(cli, found)
    claims = counted_in(cli, found)
    if not hold(claims):
        listed = [f"{c['what']}: stated {c['stated']}, counted {c['counted']}" for c in claims if c["holds"] is False]
        raise ReleaseRefused(f"the tables do not hold what is claimed of them: {'; '.join(listed)}")
    _replace(found, own)
    missing = Bundle(found.path).missing_approvals()
    if as_json:
        cli.out.print_json({"bundle": bundle, "public_key": own[-1][0], "missing_approvals": missing})
        return EXIT_OK
    click.echo(cli.out.visible(f"{bundle}; approved as {found.approvers[own[-1][0]]}"))
    if missing:
        cli.out.note(f"not approved yet by {', '.join(missing)}")
    return EXIT_OK


def _signed(cli: CommandLine, bundle: Bundle) -> list[tuple[str, str]]:
    """All signatures, with the own one as the last."""
    encryption: Any = cli.kernel.services(None, upto="encryption").encryption
    statement = bundle.statement()
    own = getattr(encryption, "sign", lambda data: None)(to_be_signed(statement))
    if own is None:
        raise UsageError("this project has no key to sign with: `pamola-task keys init --signing` makes one")
    if own[0] in bundle.signed_by():
        raise UsageError("it has the signature of this project's key already: a second person has another key")
    if own[0] not in bundle.approvers:
        named = ", ".join(f"{name} ({key})" for key, name in bundle.approvers.items()) or "nobody"
        raise UsageError(f"{own[0]}, the key of this project, is that of no approver of this release. It names {named}")
    with bundle.open(ATTESTATION) as file:
        before = [(str(each["keyid"]), str(each["sig"])) for each in json.load(file)["signatures"]]
    return [*before, own]


def _replace(bundle: Bundle, signatures: list[tuple[str, str]]) -> None:
    """Have the attestation with these signatures take the place of the one before, at once."""
    document = envelope(bundle.statement(), signatures)
    if bundle.path.is_dir():
        handle, name = tempfile.mkstemp(prefix=".approving.", dir=bundle.path.parent)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(document)
                file.flush()
                os.fsync(file.fileno())
            Path(name).replace(bundle.path / ATTESTATION)
        finally:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(name)
        return
    with Staged(bundle.path, replaces=True) as staged:
        for name in bundle.sizes:
            if name == ATTESTATION:
                staged.write(name, "attestation", document)
                continue
            with bundle.open(name) as file, staged.create(name, "") as write:
                write.copy(file)
        staged.zip()
        staged.publish()
