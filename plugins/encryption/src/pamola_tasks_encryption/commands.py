"""The commands `keys …`."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Iterable
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import click

from pamola_tasks.errors import EXIT_SECURITY, EncryptionError, PathSecurityError, UsageError
from pamola_tasks_encryption import rotation
from pamola_tasks_encryption.errors import KeyMissing, KeyRefused, WrongKey
from pamola_tasks_encryption.folders import Folders
from pamola_tasks_encryption.header import KEY_SIZE, key_id
from pamola_tasks_encryption.keyfile import MIN_PASSPHRASE, KeyDocument, Lock, Means, PassphraseLock, RecipientLock
from pamola_tasks_encryption.keys import KeyFileStore, KeyStore, OpenKey
from pamola_tasks_encryption.place import STREAM, Place, not_in_use
from pamola_tasks_encryption.private_files import key_directory, read_private_file, write_private_file
from pamola_tasks_encryption.renewal import Renewal, renew_files
from pamola_tasks_encryption.rotation import Found, Tally
from pamola_tasks_encryption.seal import exchange_seal, renewals_key
from pamola_tasks_encryption.sheet import key_from_sheet, recovery_sheet

if TYPE_CHECKING:
    from pamola_tasks.protocols import CommandLine, Output

_as_json = click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
_only = click.option("--only", is_flag=True, help="Remove the unlocked key, so that only its locks open it.")


@click.group("keys")
def keys() -> None:
    """Make, check, lock and change keys. A key is never shown unless you export it."""


@keys.command("init")
@click.option("--file", "file", metavar="FILE", help="Key file (default: the project's own).")
@click.option("--sheet", metavar="FILE", help="File of the recovery sheet; - for standard output.")
@click.option("--signing", is_flag=True, help="Create the key that signs reports, and nothing else.")
@click.option("--from-sheet", metavar="FILE", help="Restore the key from a recovery sheet; - for standard input.")
@_as_json
@click.pass_obj
def init(
    cli: CommandLine, file: str | None, sheet: str | None, signing: bool, from_sheet: str | None, as_json: bool
) -> None:
    """Create a key for this project and a recovery sheet; an existing key is never replaced."""
    place = Place(cli, file)
    if signing:
        from pamola_tasks_encryption.signing import PUBLIC, create

        path, public = create(place.project.id, place.files)
        Folders(place.project.id, place.project.root).add()
        made = {"public_key": public, "public_key_file": PUBLIC, "kept_in": str(path)}
        if as_json:
            cli.out.print_json(made)
        else:
            cli.out.facts([(name.replace("_", " "), value) for name, value in made.items()], indent=0)
        return
    store = place.store
    key = _from_sheet(from_sheet) if from_sheet else os.urandom(KEY_SIZE)
    store.create(KeyDocument.plain(key).to_text())
    if store.folders is not None:
        store.folders.add()
    written = _write_sheet(place, store, key, sheet) if sheet or not from_sheet else ""
    if as_json:
        cli.out.print_json({"key_id": key_id(key).hex(), "kept_in": store.name, "recovery_sheet": written})
        return
    rows = [("key", key_id(key).hex()), ("kept in", str(store.path or store.name))]
    cli.out.facts([*rows, ("recovery sheet", written)] if written else rows, indent=0)
    if written and written != STREAM:
        click.secho("Print the sheet, put it in a safe place, and delete the file.", err=True)


@keys.command("trust")
@click.pass_obj
def trust(cli: CommandLine) -> None:
    """Let this project use the keys of its id here, after you moved or copied it."""
    place = Place(cli)
    folders = Folders(place.project.id, place.project.root)
    if not any(folders.path.with_suffix(ending).exists() for ending in (".key", ".signing", ".folders")):
        raise KeyMissing("there is no key of this project's id: make one with `pamola-task keys init`")
    cli.out.facts([("may be used in", folders.add()), ("noted in", str(folders.path))], indent=0)


@keys.command("list")
@_as_json
@click.pass_obj
def list_keys(cli: CommandLine, as_json: bool) -> None:
    """List the key of this project and the other keys in the key folder."""
    in_use = Place(cli).store
    rows = [_described(in_use, in_use=True)]
    for path in sorted([*key_directory().glob("*.key"), *key_directory().glob("retired/*.key")]):
        if path != in_use.path:
            source = "retired" if path.parent.name == "retired" else "key file"
            rows.append(_described(KeyFileStore(path, source), in_use=False))
    if as_json:
        cli.out.print_json(rows)
        return
    shown = [(row["key_id"], "yes" if row["in_use"] else "", row["opened_by"], row["where"]) for row in rows]
    cli.out.print_table(shown, ("key", "in use", "opened by", "where"))
    for row in rows:
        if row["problem"] or row["rotation"]:
            click.secho(row["problem"] or f"{row['where']}: rotation {row['rotation']}", fg="yellow", err=True)


def _described(store: KeyStore, *, in_use: bool) -> dict[str, Any]:
    row = {"key_id": "", "in_use": in_use, "opened_by": "", "where": store.name, "problem": "", "rotation": ""}
    try:
        document = KeyDocument.parse(store.read(), store.name)
    except EncryptionError as error:
        return {**row, "problem": str(error)}
    ways = [*(["itself"] if document.key is not None else []), *(lock.kind for lock in document.locks)]
    row |= {"key_id": document.id.hex(), "opened_by": ", ".join(ways)}
    if document.previous_id:
        row["rotation"] = f"from {document.previous_id.hex()}, not finished"
    return row


@keys.command("check")
@click.option("--content", is_flag=True, help="Verify every byte of every encrypted file.")
@_as_json
@click.pass_obj
def check(cli: CommandLine, content: bool, as_json: bool) -> None:
    """Check the key, and that every encrypted file of the project opens with it."""
    place = Place(cli)
    key = place.open_key()
    with place.bar("checking", rotation.encrypted_files(place.files)) as names:
        tally = rotation.survey(place.files, key.by_id, names, content=content)
    for name in rotation.unfinished_files(place.files):
        said = "passed over: not finished; if no process is writing it, `pamola-task keys rekey --deep` removes it"
        click.secho(f"{name}: {said}", fg="yellow", err=True)
    if key.previous is not None:
        click.secho("a rotation is not finished: run `pamola-task keys rotate`", fg="yellow", err=True)
    about = {"key_id": key.document.id.hex(), "kept_in": place.store.name}
    _report(cli.out, tally, about, as_json, wrong=(Found.DAMAGED, Found.OTHER))


@keys.command("add-passphrase")
@click.option("--passphrase-file", metavar="FILE", help="A file with the passphrase; - for standard input.")
@_only
@click.pass_obj
def add_passphrase(cli: CommandLine, passphrase_file: str | None, only: bool) -> None:
    """Lock the key with a passphrase too (Argon2id). Runs take it from PAMOLA_PASSPHRASE."""
    place = Place(cli)
    passphrase = _new_passphrase(passphrase_file)
    _add_lock(cli, place, lambda key: PassphraseLock.of(passphrase, key), only)


@keys.command("add-recipient")
@click.argument("recipient")
@_only
@click.pass_obj
def add_recipient(cli: CommandLine, recipient: str, only: bool) -> None:
    """Lock the key for an age or SSH public key too; `encryption.identity_file` names the private one."""
    _add_lock(cli, Place(cli), lambda key: RecipientLock.of(recipient, key), only)


def _add_lock(cli: CommandLine, place: Place, lock_of: Callable[[bytes], Lock], only: bool) -> None:
    with place.changing() as store:
        opened = place.open_key()
        lock = lock_of(opened.key)
        document = attrs.evolve(opened.document, locks=(*opened.document.locks, lock))
        store.replace((attrs.evolve(document, key=None) if only else document).to_text())
    cli.out.facts([("key", opened.document.id.hex()), ("locked with", lock.kind), ("kept in", store.name)], indent=0)


@keys.command("rotate")
@click.option("--deep", is_flag=True, help="Re-encrypt all content as well.")
@click.option("--forget-old", is_flag=True, help="Do not keep the old key.")
@click.option("--drop-passphrases", is_flag=True, help="Remove locks whose passphrase is not available.")
@_as_json
@click.pass_obj
def rotate(cli: CommandLine, deep: bool, forget_old: bool, drop_passphrases: bool, as_json: bool) -> None:
    """Create a new key and re-wrap every encrypted file of the project under it.

    Only key slots are rewritten, 1 KiB per file. Re-run an interrupted rotation to resume it; meanwhile the project
    stays readable.
    """
    place = Place(cli)
    with place.changing() as store, not_in_use(place.kernel, place.files):
        opened = place.open_key()
        retired = ""
        if opened.previous is None:
            opened, retired = _begin_rotation(place, store, opened, forget_old, drop_passphrases)
        else:
            click.secho(f"going on with the rotation from {opened.document.previous_id.hex()}", err=True)
        names = _names(place)
        tally = _exchange(place, opened.by_id, opened.key, names, "rotating")
        if deep:
            renewed = _renew(place, opened.by_id, opened.key, names)
            for name, why in renewed.damaged.items():
                tally.add_damaged(name, why)
            tally.left |= renewed.left
            tally.counts[Found.LEFT] = len(tally.left)
        if not tally.left:
            store.replace(opened.document.finished().to_text())
    about = {"key_id": opened.document.id.hex(), "replaces": opened.document.previous_id.hex(), "kept_in": store.name}
    click.secho("Write a new recovery sheet: `pamola-task keys export --sheet --out FILE`.", err=True)
    _report(cli.out, tally, {**about, "old_key_kept_in": retired} if retired else about, as_json)


def _begin_rotation(
    place: Place, store: KeyStore, opened: OpenKey, forget_old: bool, drop_passphrases: bool
) -> tuple[OpenKey, str]:
    """Put a new key in place of the old, which it remembers until the rotation is finished."""
    new = os.urandom(KEY_SIZE)
    locks = _locks_for(new, opened.document, place.means, drop_passphrases)
    document = KeyDocument(id=key_id(new), key=new if opened.document.key is not None else None, locks=locks)
    if document.key is None and not locks:
        raise KeyRefused("without its passphrases the new key would have no lock at all; nothing was changed")
    document = document.replacing(opened.key, new)
    # The old text with its locks, not the old key: what was locked stays locked.
    retired = "" if forget_old else store.retire(opened.document.to_text(), opened.document.id.hex())
    store.replace(document.to_text())
    return OpenKey(document, new, opened.key), retired


def _locks_for(new: bytes, old: KeyDocument, means: Means, drop_passphrases: bool) -> tuple[Lock, ...]:
    locks: list[Lock] = []
    passphrase = means.passphrase
    if passphrase is None and means.ask and any(isinstance(lock, PassphraseLock) for lock in old.locks):
        passphrase = means.ask()
    for lock in old.locks:
        if isinstance(lock, RecipientLock):
            locks.append(RecipientLock.of(lock.recipient, new))
        elif passphrase is not None and lock.open(passphrase, old.id) is not None:
            locks.append(PassphraseLock.of(passphrase, new))
        elif not drop_passphrases:
            raise WrongKey(
                "the new key cannot be locked with an unknown passphrase: set PAMOLA_PASSPHRASE, or use"
                " --drop-passphrases and add them again afterwards; nothing was changed"
            )
    return tuple(locks)


@keys.command("rekey")
@click.option("--deep", is_flag=True, help="Re-encrypt the content, under fresh data keys.")
@click.option("--from", "sources", metavar="KEYFILE", multiple=True, help="A key of such files; repeatable.")
@click.option("--restart", is_flag=True, help="With --deep: start an interrupted run again from the beginning.")
@_as_json
@click.pass_obj
def rekey(cli: CommandLine, deep: bool, sources: tuple[str, ...], restart: bool, as_json: bool) -> None:
    """Re-wrap files under the current key; --deep re-encrypts all content.

    Use --deep for a key that may have been exposed, and for a moved project with `strict_location`; it rewrites all
    data once. Re-run an interrupted command to resume it.
    """
    place = Place(cli)
    if restart and not deep:
        raise UsageError("--restart belongs to --deep")
    if not deep and not sources:
        raise UsageError("use --deep to re-encrypt everything, or --from KEYFILE for files of another key")
    with not_in_use(place.kernel, place.files):
        opened = place.open_key()
        known = dict(opened.by_id)
        for name in sources:
            known |= OpenKey.of(KeyFileStore(Path(name), "--from"), place.means).by_id
        names = _names(place)
        if deep:
            tally = _renew(place, known, opened.key, names, restart=restart)
        else:
            tally = _exchange(place, known, opened.key, names, "changing keys")
    _report(cli.out, tally, {"key_id": opened.document.id.hex(), "kept_in": place.store.name}, as_json)


@keys.command("export")
@click.option("--out", required=True, metavar="FILE", help="A new file, readable by you alone; - for standard output.")
@click.option("--sheet", is_flag=True, help="As a recovery sheet for paper.")
@click.pass_obj
def export(cli: CommandLine, out: str, sheet: bool) -> None:
    """Write the key itself, for a copy elsewhere. Anyone who has it can read everything."""
    place = Place(cli)
    opened = place.open_key()
    text = _sheet(place, opened.key, place.store.name) if sheet else KeyDocument.plain(opened.key).to_text()
    if out == STREAM:
        click.echo(text, nl=False)
    else:
        write_private_file(Path(os.path.abspath(out)), text)
        click.echo(f"{opened.document.id.hex()} → {out}")


def _from_sheet(name: str) -> bytes:
    if name == STREAM:
        return key_from_sheet(sys.stdin.buffer.read(65536), "standard input")
    return key_from_sheet(read_private_file(Path(name), "--from-sheet"), name)


def _sheet(place: Place, key: bytes, kept_in: str) -> str:
    return recovery_sheet(key, place.project.id, kept_in, datetime.now().astimezone())


def _write_sheet(place: Place, store: KeyStore, key: bytes, wanted: str | None) -> str:
    text = _sheet(place, key, str(store.path or store.name))
    if wanted == STREAM:
        click.echo(text)
        return STREAM
    stem = f"{store.path.stem if store.path else place.project.id or 'default'}-recovery-{key_id(key).hex()}.txt"
    path = Path(os.path.abspath(wanted)) if wanted else (store.path.parent if store.path else key_directory()) / stem
    write_private_file(path, text)
    return str(path)


def _new_passphrase(file: str | None) -> str:
    if file == STREAM:
        text = sys.stdin.readline().rstrip("\r\n")
    elif file is not None:
        content = read_private_file(Path(file), "--passphrase-file")
        text = content.decode("utf-8", "replace").split("\n")[0].rstrip("\r")
    elif sys.stdin.isatty():
        text = str(click.prompt("New passphrase", hide_input=True, confirmation_prompt=True, err=True))
    else:
        raise KeyMissing("there is no terminal to ask for a passphrase: say --passphrase-file FILE")
    if len(text) < MIN_PASSPHRASE:
        shortage = f"the passphrase has {len(text)} characters; take {MIN_PASSPHRASE} or more"
        raise KeyRefused(f"{shortage}. Nothing was changed")
    return text


def _names(place: Place) -> list[str]:
    """All encrypted files, once those are removed that a killed process never finished: no task runs."""
    for name in rotation.unfinished_files(place.files):
        with contextlib.suppress(OSError, PathSecurityError):
            place.files.unlink(name, missing_ok=True)
            click.secho(f"{name}: removed: a killed process had begun to write it", err=True)
    return rotation.encrypted_files(place.files)


def _exchange(place: Place, keys: dict[bytes, bytes], new: bytes, names: list[str], label: str) -> Tally:
    exchange_seal(place.files, keys, new)
    with place.bar(label, names) as shown:
        return rotation.exchange_files(place.files, keys, new, shown)


def _renew(place: Place, keys: dict[bytes, bytes], new: bytes, names: list[str], *, restart: bool = False) -> Tally:
    exchange_seal(place.files, keys, new)
    renewal = Renewal.begin(place.files, new, place.location, restart=restart)
    renewal.key = renewals_key(place.files, {key_id(new): new}, place.project.id)
    if done := len(renewal.done):
        click.secho(f"resuming the re-encryption started at {renewal.begun}: {done} files are done", err=True)
    with place.bar("re-encrypting", names) as shown:
        return renew_files(renewal, keys, new, place.location, shown)


def _report(
    out: Output, tally: Tally, about: dict[str, str], as_json: bool, wrong: Iterable[Found] = (Found.DAMAGED,)
) -> None:
    """Show what was found, and end with an error where there is anything wrong."""
    if as_json:
        out.print_json({**about, **tally.to_dict()})
    else:
        rows = [(name.replace("_", " "), value) for name, value in about.items()]
        rows += [(f"files: {found.value}", str(count)) for found, count in tally.counts.items() if count]
        out.facts(rows, indent=0)
        for name, why in tally.damaged.items():
            click.secho(f"{name}: {why}", fg="red", err=True)
        for name, why in tally.left.items():
            click.secho(f"{name}: left as it is: {why}; re-run the command when that is mended", fg="red", err=True)
        for name, other in tally.others.items():
            click.secho(f"{name}: was encrypted with the key {other}", fg="yellow", err=True)
    if any(tally.counts[found] for found in (*wrong, Found.LEFT)):
        click.get_current_context().exit(EXIT_SECURITY)
