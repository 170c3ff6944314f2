"""Forged bundles, seeded: each is found out by the one-file verifier, or by `verify` in the project.

`PAMOLA_FUZZ=N` (`nox -s fuzz`) makes N forgeries instead of 48.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import random
import shutil
import zlib
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from two_releases import ATTESTATION, MANIFEST, TABLE, Lab
from two_releases import lab as lab

from pamola_tasks_audit.verify_release import envelope, to_be_signed

NUMBER = int(os.environ.get("PAMOLA_FUZZ", "48"))
STRANGER = Ed25519PrivateKey.from_private_bytes(b"s" * 32)


# ---------------------------------------------------------------- what forgers do


def edited(draw: random.Random, path: Path) -> None:
    """Change, insert or remove a byte."""
    data = bytearray(path.read_bytes())
    place = draw.randrange(len(data))
    match draw.choice(("change", "insert", "remove")):
        case "change":
            data[place] ^= 1 << draw.randrange(7)
        case "insert":
            data.insert(place, draw.choice(b'0aZ "{}\n'))
        case "remove":
            del data[place]
    path.write_bytes(bytes(data))


def signature(data: bytes) -> tuple[str, str]:
    raw = STRANGER.public_key().public_bytes_raw(), STRANGER.sign(data)
    return base64.b64encode(raw[0]).decode(), base64.b64encode(raw[1]).decode()


def rebuilt(bundle: Path, *, signed: bool, change: Callable[[dict[str, Any]], None] = lambda manifest: None) -> None:
    """Have the manifest agree with the files; sign that, and a statement, with the forger's own key."""
    text = (bundle / MANIFEST).read_text()
    manifest = json.loads(text)
    old = manifest.pop("signature")
    for entry in manifest["files"]:
        data = (bundle / entry["path"]).read_bytes()
        entry |= {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    change(manifest)
    document = (json.dumps(manifest, indent=2, ensure_ascii=False) + "\n").encode()
    word = f"ed25519 {' '.join(signature(document))}" if signed else old
    (bundle / MANIFEST).write_bytes(document.removesuffix(b"\n}\n") + f',\n  "signature": "{word}"\n}}\n'.encode())
    payload, by = statement_of(bundle)
    statement = json.loads(payload)
    sums = {entry["path"]: entry["sha256"] for entry in manifest["files"]}
    sums[MANIFEST] = hashlib.sha256((bundle / MANIFEST).read_bytes()).hexdigest()
    for subject in statement["subject"]:
        subject["digest"]["sha256"] = sums[subject["name"]]
    payload = (json.dumps(statement, indent=2) + "\n").encode()
    mine = signature(to_be_signed(payload))
    attest(bundle, payload, [mine, *by[1:]] if signed else by)


def statement_of(bundle: Path) -> tuple[bytes, list[tuple[str, str]]]:
    told = json.loads((bundle / ATTESTATION).read_text())
    return base64.b64decode(told["payload"]), [(each["keyid"], each["sig"]) for each in told["signatures"]]


def attest(bundle: Path, payload: bytes, by: list[tuple[str, str]]) -> None:
    (bundle / ATTESTATION).write_bytes(envelope(payload, by))


def data(draw: random.Random, bundle: Path, lab: Lab) -> None:
    edited(draw, bundle / TABLE)
    if draw.random() < 0.6:
        rebuilt(bundle, signed=draw.random() < 0.5)


def report(draw: random.Random, bundle: Path, lab: Lab) -> None:
    names = [path for path in bundle.iterdir() if path.is_file() and path.name not in (MANIFEST, ATTESTATION)]
    edited(draw, draw.choice(sorted(names)))
    if draw.random() < 0.5:
        rebuilt(bundle, signed=draw.random() < 0.5)


def manifest(draw: random.Random, bundle: Path, lab: Lab) -> None:
    def change(told: dict[str, Any]) -> None:
        match draw.choice(("approvers", "attestation", "verdict", "claims", "rows", "run", "accepted")):
            case "approvers":
                told["approvers"] = {}
            case "attestation":
                told["attestation"] = None
            case "claims":
                told["tables"][0]["claims"]["k"]["measured"] = draw.randrange(7, 99)
            case "rows":
                told["tables"][0]["rows"] += 1
            case key:
                told[key] = f"{told[key]}x"

    if draw.random() < 0.5:
        edited(draw, bundle / MANIFEST)
    else:
        rebuilt(bundle, signed=draw.random() < 0.5, change=change)


def key(draw: random.Random, bundle: Path, lab: Lab) -> None:
    """All signed by another, who names itself or the true approver."""
    read_me = bundle / "README.md"
    mine = signature(b"")[0]
    read_me.write_text(read_me.read_text().replace(lab.key, mine))
    approvers = draw.choice(({}, {lab.approver: "B. Reviewer"}, {mine: "B. Reviewer"}))
    rebuilt(bundle, signed=True, change=lambda told: told.update(approvers=approvers))


def rollback(draw: random.Random, bundle: Path, lab: Lab) -> None:
    """Files of the earlier release, which are as truly signed."""
    parts = [(TABLE,), (MANIFEST,), (MANIFEST, ATTESTATION), (TABLE, MANIFEST), ("report.json", "report.md"), ()]
    for name in draw.choice(parts) or [path.relative_to(lab.old) for path in lab.old.rglob("*.*")]:
        shutil.copyfile(lab.old / name, bundle / name)


def signatures(draw: random.Random, bundle: Path, lab: Lab) -> None:
    payload, by = statement_of(bundle)
    match draw.choice(("removed", "all", "added", "twice", "order", "stranger", "bit", "spelling", "manifest", "gone")):
        case "removed":
            by.pop(draw.randrange(2))
        case "all":
            by.clear()
        case "added":
            by.append(signature(to_be_signed(payload)))
        case "twice":
            by.append(draw.choice(by))
        case "order":
            by.reverse()
        case "stranger":
            by[draw.randrange(2)] = signature(to_be_signed(payload))
        case "bit":
            number = draw.randrange(2)
            raw = bytearray(base64.b64decode(by[number][1]))
            raw[draw.randrange(64)] ^= 1 << draw.randrange(8)
            by[number] = by[number][0], base64.b64encode(raw).decode()
        case "spelling":  # the same bytes, in base64 with other bits behind them
            letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
            number = draw.randrange(2)
            text = by[number][1]
            other = letters[letters.index(text[-3]) ^ draw.randrange(1, 16)]
            by[number] = by[number][0], text[:-3] + other + "=="
        case "manifest":
            text = (bundle / MANIFEST).read_text()
            (bundle / MANIFEST).write_text(text[: text.index(',\n  "signature"')] + "\n}\n")
            return
        case "gone":
            (bundle / ATTESTATION).unlink()
            return
    attest(bundle, payload, by)


def swapped(draw: random.Random, bundle: Path, lab: Lab) -> None:
    """Another envelope, or one with something in it that nothing of it signs."""
    payload, by = statement_of(bundle)
    told = json.loads((bundle / ATTESTATION).read_text())
    match draw.choice(("earlier", "statement", "payload type", "hidden", "form", "edited")):
        case "earlier":
            shutil.copyfile(lab.old / ATTESTATION, bundle / ATTESTATION)
        case "statement":
            attest(bundle, payload.replace(b"met", b"let", 1), by)
        case "payload type":
            told["payloadType"] = "text/plain"
            (bundle / ATTESTATION).write_text(json.dumps(told, indent=2) + "\n")
        case "hidden":
            told["signatures"][draw.randrange(2)]["note"] = "anything"
            (bundle / ATTESTATION).write_text(json.dumps(told, indent=2) + "\n")
        case "form":
            (bundle / ATTESTATION).write_text(json.dumps(told))
        case "edited":
            edited(draw, bundle / ATTESTATION)


def files(draw: random.Random, bundle: Path, lab: Lab) -> None:
    names = sorted(path for path in bundle.rglob("*.*") if path.is_file())
    match draw.choice(("added", "removed", "renamed", "exchanged")):
        case "added":
            (bundle / draw.choice(("data/more.csv", "approved.txt", "attestation2.json"))).write_text("x\n")
        case "removed":
            draw.choice(names).unlink()
        case "renamed":
            path = draw.choice(names)
            path.rename(path.with_name(f"x{path.name}"))
        case "exchanged":
            one, two = draw.sample(names, 2)
            held = one.read_bytes()
            one.write_bytes(two.read_bytes())
            two.write_bytes(held)


OF_BUNDLES = (data, report, manifest, key, rollback, signatures, swapped, files)


def lines_of(log: bytes, keep: Callable[[dict[str, Any]], bool]) -> bytes:
    return b"".join(line for line in log.splitlines(keepends=True) if keep(json.loads(line[9:])))


def history(draw: random.Random, lab: Lab) -> None:
    """The history edited, with checksums that fit."""
    lines = lab.log.read_bytes().splitlines(keepends=True)
    number = draw.choice([n for n, line in enumerate(lines) if b'"run_started"' not in line])
    entry = json.loads(lines[number][9:])
    name = draw.choice(
        [name for name, value in entry.items() if isinstance(value, str) and name not in ("prev", "mac")]
    )
    entry[name] += "x"
    line = json.dumps(entry, separators=(",", ":")).encode()
    lines[number] = b"%08x %s\n" % (zlib.crc32(line), line)
    lab.log.write_bytes(b"".join(lines))


def history_rolled_back(draw: random.Random, lab: Lab) -> None:
    """The history as it was before the last release."""
    lab.log.write_bytes(lab.earlier_log)


def run_deleted(draw: random.Random, lab: Lab) -> None:
    """Nothing is left of a run: neither its lines nor its reports."""
    run = draw.choice(sorted(path.stem for path in (lab.project / "DATA/reports/t").glob("*.json")))
    lab.log.write_bytes(lines_of(lab.log.read_bytes(), lambda entry: run not in json.dumps(entry)))
    for path in (lab.project / "DATA/reports/t").glob(f"{run}*"):
        path.unlink()


IN_PROJECTS = (history, history_rolled_back, run_deleted)
#: Those of the project are fewer: each copies it, and runs the command.
KINDS = (*OF_BUNDLES, history, *OF_BUNDLES, history_rolled_back, *OF_BUNDLES, run_deleted)


# ---------------------------------------------------------------- that they are found out


def test_every_forgery_is_found_out(lab, tmp_path):
    """Of a bundle by the one file, every tenth in a process of its own; of what is in the project by `verify` there."""
    assert lab.alone(lab.new).returncode == lab.within(lab.new)[0] == 0, lab.within(lab.new)[1]
    assert lab.run("verify", "t") == 0
    assert lab.run("verify", str(lab.new)) == 0
    missed, unchanged, made = [], 0, Counter()
    genuine = {path.relative_to(lab.new): path.read_bytes() for path in lab.new.rglob("*") if path.is_file()}
    for number in range(NUMBER):
        draw, kind = random.Random(f"forgery {number}"), KINDS[number % len(KINDS)]
        said = ""
        if kind in IN_PROJECTS:
            kept = shutil.copytree(lab.project, tmp_path / "kept", symlinks=True)
            kind(draw, lab)
            found = lab.run("verify", "t") != 0
            shutil.rmtree(lab.project)
            shutil.move(kept, lab.project)
        else:
            bundle = shutil.copytree(lab.new, tmp_path / "forged")
            kind(draw, bundle, lab)
            if {path.relative_to(bundle): path.read_bytes() for path in bundle.rglob("*") if path.is_file()} == genuine:
                unchanged += 1
                found = True
            else:
                code, said = lab.within(bundle)
                found = code in (1, 2)
                assert number % 10 or lab.alone(bundle).returncode == code, said
            shutil.rmtree(bundle)
        made[kind.__name__] += 1
        missed += [] if found else [f"{number}: {kind.__name__}: {said}"]
    print(f"{made.total()} forgeries, {unchanged} of them without effect, {len(missed)} missed: {missed}; {dict(made)}")
    assert missed == []
    assert unchanged <= NUMBER // 20
    assert len(made) == len({*KINDS})


def test_a_second_person_approves_what_the_release_names_them_for(lab, tmp_path):
    """The command and the one file agree; own keys, strangers and what was changed are refused."""
    public = ("--public-key", lab.key)
    (tmp_path / "b").mkdir()
    for form, name in (("zip", "b/b.zip"), ("folder", "b/folder")):
        bundle = tmp_path / name
        words = ("--format", form, "--to", str(bundle), "--approver", f"B. Reviewer={lab.approver}")
        assert lab.run("release", "t", *words) == 0
        done = lab.alone(bundle)
        assert (done.returncode, "MISSING the approval of B. Reviewer" in done.stdout) == (1, True)
        assert lab.run("verify", str(bundle)) == 1
        assert lab.run("approve", str(bundle), *public) == 2, "the key of who released it"
        assert lab.run("approve", str(bundle), "--public-key", lab.approver, at=lab.second) == 5, "another signed it"
        assert lab.run("approve", str(bundle), *public, at=lab.second) == 0
        assert lab.run("approve", str(bundle), *public, at=lab.second) == 2, "twice"
        assert lab.alone(bundle).returncode == 0
        elsewhere = (
            "verify",
            str(bundle),
            *public,
            "--approved-by",
            lab.approver,
            "--privacy",
            "--run",
            lab.run_id[:9],
        )
        assert lab.run(*elsewhere, at=lab.home) == 0
        assert lab.run("verify", str(bundle), "--run", "01234567") == 1
        assert [path.name for path in bundle.parent.iterdir() if path.name.startswith(".")] == []
    assert (tmp_path / "b/folder/manifest.json").read_bytes() == (lab.new / "manifest.json").read_bytes()
    edited(random.Random(1), tmp_path / "b/folder" / TABLE)
    assert lab.run("approve", str(tmp_path / "b/folder"), *public, at=lab.second) == 5
    for wrong in (f"Me={lab.key}", "Me", f"={lab.approver}", "B=AAAA"):
        assert lab.run("release", "t", "--to", str(tmp_path / "x"), "--approver", wrong) == 2
    assert not (tmp_path / "x").exists()
    assert lab.run("verify", "t", "--approved-by", lab.approver) == 2
