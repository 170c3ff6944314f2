"""`release` and `verify BUNDLE`: what may go out goes out whole, and nothing else does."""

from __future__ import annotations

import csv
import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from pamola_tasks.errors import UsageError
from pamola_tasks_audit.release import said
from pamola_tasks_audit.verify_release import csv_rows

HERE = Path(__file__).resolve().parent
VERIFIER = HERE.parent / "src/pamola_tasks_audit/verify_release.py"
ACCEPTED = ("--accept", "for the class", "--by", "Ada")
KEY = {"PAMOLA_KEY": "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="}


def task(project: Path, verdict: str = "met", *, more: str = "", k: int = 2) -> Path:
    (project / "configs/t.yaml").write_text(
        f"task_id: t\ninput_datasets: {{people: DATA/raw/people.csv}}\n{more}operations:\n"
        f"  - Claim: {{input_dataset: people, output_dataset: safe, verdict: '{verdict}', k: {k}}}\n"
        "  - Keep: {input_dataset: people, output_dataset: kept}\n"
    )
    return project


@pytest.fixture
def claims(cli, place):
    """The command line with the step that claims, in a project."""
    return lambda *words, **more: cli("--plugin", HERE / "claims_plugin.py", *words, **{"cwd": place, **more})


@pytest.fixture
def released(claims, place):
    """A signed bundle as a zip and as a folder, and the public key."""
    public = json.loads(claims("keys", "init", "--signing", "--json", code=0).stdout)["public_key"]
    claims("run", "t", cwd=task(place), code=0)
    claims("release", "t", "--to", "bundle.zip", "--recipient", "The University", code=0)
    with zipfile.ZipFile(place / "bundle.zip") as archive:
        archive.extractall(place / "bundle")
    return place / "bundle.zip", place / "bundle", public


def alone(*words: object) -> subprocess.CompletedProcess[str]:
    """The one-file verifier by a Python that finds no installed package."""
    command = [sys.executable, "-I", "-S", str(VERIFIER), *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_a_bundle_is_verified_with_one_file_and_with_the_command(claims, released, tmp_path):
    packed, folder, public = released
    for bundle in (packed, folder):
        done = alone(bundle, "--public-key", public, "--recount")
        assert (done.returncode, "ALTERED" in done.stdout) == (0, False), done.stdout + done.stderr
        assert "k on age: stated 2, counted 6" in done.stdout
    words = ("verify", packed, "--public-key", public, "--privacy", "--json")
    found = json.loads(claims(*words, cwd=tmp_path, env={"HOME": str(tmp_path)}, code=0).stdout)
    assert (found["ok"], found["signed"]) == (True, "with this public key")
    assert [(c["what"], c["stated"], c["counted"]) for c in found["claims"]] == [
        ("records", 60, 60),
        ("k on age", 2, 6),
    ]
    assert {row["path"] for row in found["files"]} == {
        "README.md", "attestation.json", "data/safe.csv", "datapackage.json", "dictionary.csv", "dictionary.json",
        "manifest.json", "report.html", "report.json", "report.md", "ro-crate-metadata.json", "workflow.json",
    }  # fmt: skip
    assert "The University" in (folder / "report.html").read_text()
    assert "not checked: whose is it?" in alone(folder).stdout
    assert "signed, and not checked" in claims("verify", folder, cwd=tmp_path, code=0).stderr


def test_a_claim_that_the_table_does_not_hold_is_counted_before_anything_is_handed_over(claims, place):
    claims("run", "t", cwd=task(place, k=7), code=0)
    assert "k on age is 6, and stated is 7" in claims("release", "t", code=5).stderr
    found = claims("verify", "t", "--privacy", code=1).stdout
    assert "not met  safe: k on age: stated 7, counted 6" in found
    assert "3 as recorded" in found
    assert "nothing was verified" not in found
    assert not list(place.glob("*t-*"))


def test_the_same_run_and_options_make_the_same_bytes(claims, released, place):
    claims("release", "t", "--to", "again.zip", "--recipient", "The University", code=0)
    assert (place / "again.zip").read_bytes() == released[0].read_bytes()
    claims("release", "t", "--to", "again", "--format", "folder", "--recipient", "The University", code=0)
    for path in (place / "again").rglob("*.*"):
        assert path.read_bytes() == (released[1] / path.relative_to(place / "again")).read_bytes()
    refused = claims("release", "t", "--to", "again", "--format", "folder", code=2).stderr
    assert "is there already" in refused
    assert "give both" in claims("release", "t", "--accept", "why", code=2).stderr
    assert "nothing to --accept" in claims("release", "t", *ACCEPTED, code=2).stderr
    claims("doctor", "--data", code=0)
    listed = json.loads(claims("release", "t", "--list", "--json", code=0).stdout)["releases"]
    assert [entry["bundle_name"] for entry in listed] == ["again", "again.zip", "bundle.zip"]
    assert len({entry["manifest_sha256"] for entry in listed}) == 1


def test_what_is_not_of_the_release_is_not_in_the_bundle(released, place):
    """Words of the run that no recipient gets, of which its own report is full."""
    import getpass
    import platform

    text = "\n".join(path.read_text() for path in released[1].rglob("*.*"))
    assert (place / "DATA/processed/t/internal/kept.csv").is_file()
    assert "kept" not in text
    report = (place / "DATA/reports/t_report.json").read_text()
    for word in ("Zarathustra", "DATA/", platform.node(), '"person"', "claims_plugin"):
        assert word in report, "nothing would be found"
        assert word not in text
    assert f'"{getpass.getuser()}"' not in text
    dictionary = json.loads((released[1] / "dictionary.json").read_text())["tables"][0]["columns"]
    assert [(c["column"], c["role"], c["done"]) for c in dictionary] == [
        ("age", "quasi-identifier", "unchanged"),
        ("city", "sensitive", "changed"),
    ]


def edit(path: Path, before: bytes, after: bytes) -> None:
    assert before in path.read_bytes()
    path.write_bytes(path.read_bytes().replace(before, after, 1))


def recompute(bundle: Path) -> None:
    """Have the manifest agree with the table, as whoever changes both would."""
    import hashlib

    manifest = json.loads((bundle / "manifest.json").read_text())
    data = (bundle / "data/safe.csv").read_bytes()
    for entry in manifest["files"]:
        if entry["path"] == "data/safe.csv":
            entry |= {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    (bundle / "manifest.json").write_text(json.dumps(manifest, indent=2, ensure_ascii=False) + "\n")


TAMPERING = {
    "its content was changed": lambda b: edit(b / "data/safe.csv", b"20,a", b"29,a"),
    "bytes, not": lambda b: edit(b / "data/safe.csv", b"20,a\n", b""),
    "it is missing": lambda b: (b / "dictionary.csv").unlink(),
    "it was added": lambda b: (b / "data/more.csv").write_text("x"),
    "the manifest was changed since it was signed": lambda b: (
        edit(b / "data/safe.csv", b"20,a", b"29,a"),
        recompute(b),
    ),
    "not signed, or its signature was removed": lambda b: edit(b / "manifest.json", b'"signature"', b'"ignature"'),
}


def test_a_bundle_that_was_tampered_with_is_found_out(released, tmp_path):
    _, folder, public = released
    for number, (says, tamper) in enumerate(TAMPERING.items()):
        bundle = shutil.copytree(folder, tmp_path / str(number))
        assert alone(bundle, "--public-key", public).returncode == 0
        tamper(bundle)
        done = alone(bundle, "--public-key", public)
        assert (done.returncode, says in done.stdout) == (1, True), done.stdout + done.stderr


def test_the_command_finds_what_was_tampered_with_and_a_key_of_another(claims, released, place):
    import base64

    packed, folder, _public = released
    assert "another key" in alone(folder, "--public-key", base64.b64encode(bytes(32)).decode()).stdout
    TAMPERING["the manifest was changed since it was signed"](folder)
    assert "changed since" in claims("verify", folder, code=1).stdout, "the key of the project"
    recompute(folder)
    done = json.loads(claims("verify", folder, "--json", code=1).stdout)
    altered = [row["path"] for row in done["files"] if row["status"] == "altered"]
    assert altered == ["attestation.json", "manifest.json"]
    assert "--privacy counts" in claims("verify", "DATA/reports", "--privacy", code=2).stderr
    wrong = alone(folder, "--public-key", "key.pub")
    assert (wrong.returncode, "neither a public key" in wrong.stderr) == (2, True)
    (folder / "manifest.json").write_text("{}")
    assert "is damaged" in claims("verify", folder, code=2).stderr
    packed.write_bytes(packed.read_bytes()[:-30])
    assert "cannot be read" in claims("verify", packed, code=2).stderr


FORMATS = ("csv", "json", "jsonl", "parquet", "xlsx")
UNSAID = [
    ("--recipient", "r\udcff", "UTF-8"),
    ("--to", "r\udcff", "UTF-8"),
    ("--by", "\u200b", "visible"),
    ("--license", "x" * 301, "300 characters"),
]
REFUSED = {
    "met with open questions": ("1. May this be?\n  2. And that?", True),
    "not met": ("which cannot be accepted:\n  too few share", False),
    "": ("no step claims anything", True),
}


@pytest.mark.parametrize("verdict", REFUSED)
def test_what_may_not_go_out_is_refused_with_every_reason(claims, place, verdict):
    says, acceptable = REFUSED[verdict]
    claims("run", "t", cwd=task(place, verdict), code=0)
    refused = claims("release", "t", code=5)
    assert says in refused.stderr
    assert not list(place.glob("*t-*")), "nothing is left"
    done = claims("release", "t", *ACCEPTED, "--to", "b", "--format", "folder", code=0 if acceptable else 5)
    if not acceptable:
        assert "cannot be accepted" in done.stderr
        return
    manifest = json.loads((place / "b/manifest.json").read_text())
    questions = says.count("?")
    assert manifest["accepted"] == {"questions": questions, "why": "for the class", "by": "Ada"}
    assert "by Ada: for the class" in (place / "b/README.md").read_text()
    (note,) = json.loads(claims("release", "t", "--list", "--json", code=0).stdout)["releases"]
    assert (len(note["open_questions"]), note["accepted"]["by"]) == (questions, "Ada")


def test_tables_of_every_format_are_counted_with_their_missing_cells(claims, place):
    """Of one column too, where a missing cell of a CSV file is a blank line."""
    (place / "DATA/raw/ages.csv").write_text("name,age\n" + "a,20\nb,\nc,\nd,20\n")
    (place / "configs/t.yaml").write_text(
        "task_id: t\ninput_datasets: {ages: DATA/raw/ages.csv}\noperations:\n"
        + "".join(
            f"  - Claim: {{input_dataset: ages, output_dataset: {form}, verdict: met, form: {form}}}\n"
            for form in FORMATS
        )
    )
    claims("run", "t", code=0)
    found = claims("verify", "t", "--privacy", code=0).stdout
    assert [f"ok  {form}: k on age: stated 2, counted 2" in found for form in FORMATS] == [True] * 5
    accepted = ("--accept", "they are the same table", "--by", "K. Beck")
    claims("release", "t", "--to", "b.zip", *accepted, code=0)
    assert found.splitlines()[-10:] == claims("verify", "b.zip", "--privacy", code=0).stdout.splitlines()[-10:]
    assert "k on age: stated 2, counted 2" in alone(place / "b.zip", "--recount").stdout


def test_counting_leaves_the_limits_of_other_readers_as_they_were(tmp_path):
    cells = tmp_path / "cells.csv"
    cells.write_text(f"note\n{'x' * 200_000}\n")
    before = csv.field_size_limit()
    with cells.open("rb") as file:
        assert len(list(csv_rows(file, {"encoding": "utf-8", "delimiter": ",", "quotechar": '"'}))) == 2
    assert csv.field_size_limit() == before


def test_what_a_step_says_of_columns_in_another_shape_is_left_out(claims, place):
    """Its metrics `roles` and `knowable` may be anything."""
    (place / "configs/t.yaml").write_text(
        task(place).joinpath("configs/t.yaml").read_text().replace("k: 2", "odd: true")
    )
    claims("run", "t", code=0)
    claims("release", "t", "--to", "b.zip", code=0)
    claims("verify", "b.zip", code=0)


def test_only_what_is_as_recorded_is_handed_over(claims, place):
    claims("run", "t", cwd=task(place), code=0)
    (place / "DATA/raw/people.csv").unlink()  # the original need not be kept for it
    for path, before, after in (
        ("processed/t/output/safe.csv", b"20", b"29"),
        ("reports/t/*.json", b"k = 2", b"k = 9"),
    ):
        (file,) = place.glob(f"DATA/{path}")
        data = file.read_bytes()
        edit(file, before, after)
        assert f"changed    {file.relative_to(place)}" in claims("release", "t", code=5).stderr
        file.write_bytes(data)
    claims("release", "t", code=0)
    (place / "configs/execution_log.jsonl").write_bytes(b"")
    assert "no run of t has succeeded" in claims("release", "t", code=2).stderr
    (run,) = place.glob("DATA/reports/t/*.json")
    assert "the history has no run" in claims("release", "t", "--run", run.stem, code=5).stderr


def test_what_people_say_is_text_and_nothing_else(claims, place):
    """Neither columns nor options steer a terminal or a browser that shows the bundle."""
    nasty = "\x1b[31m<img src=x>\x9b [a](http://b) |"
    people = place / "DATA/raw/people.csv"
    people.write_text(people.read_text().replace("age", f"a{nasty}", 1))
    claims("run", "t", cwd=task(place, "met with open questions"), code=0)
    words = [word for option in ("--recipient", "--license", "--accept", "--by") for word in (option, f"x{nasty}")]
    claims("release", "t", *words, "--to", "b", "--format", "folder", code=0)
    for name in ("README.md", "report.md"):
        text = (place / "b" / name).read_text()
        assert "img src=x" in text
        assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]|(?<!\\)<img|(?<!\\)\]\(http", text), name
    assert "<img" not in (place / "b/report.html").read_text()
    for option, value, says in UNSAID:
        rest = [word for each in ("--accept", "--by") if each != option for word in (each, "x")]
        refused = claims("release", "t", "--to", "c", option, value, *rest, code=2).stderr
        assert option in refused
        assert says in refused
    for invisible in ("\u200b", "\u3164 \u2800", "\u0301", "\u00ad\ufeff"):
        with pytest.raises(UsageError, match="visible"):
            said("--accept", invisible)
    assert said("--accept", " für die Klasse\n") == "für die Klasse"
    os.mkfifo(place / "terms.txt")
    assert "no file" in claims("release", "t", "--terms", "terms.txt", *ACCEPTED, code=2).stderr
    more = "audit: {terms: terms.txt}\n"
    assert "no file" in claims("release", "t", *ACCEPTED, cwd=task(place, more=more), code=2).stderr
    more = f"audit: {{recipient: {'x' * 301}}}\n"
    assert "audit.recipient" in claims("release", "t", *ACCEPTED, cwd=task(place, more=more), code=2).stderr


def test_the_project_that_made_a_bundle_knows_it_by_its_history(claims, place):
    """A forged one without a signature is another; a true one that is older than the key for signatures stays true."""
    claims("run", "t", cwd=task(place), code=0)
    claims("release", "t", "--to", "true", "--format", "folder", code=0)
    shutil.copytree(place / "true", place / "forged")
    edit(place / "forged/data/safe.csv", b"20,a", b"29,a")
    recompute(place / "forged")
    other = shutil.copytree(place / "forged", place / "other")
    run = json.loads((other / "manifest.json").read_text())["run"]
    edit(other / "manifest.json", run.encode(), run[::-1].encode())
    for words in ((), ("keys", "init", "--signing")):
        if words:
            public = json.loads(claims(*words, "--json", code=0).stdout)["public_key"]
        done = claims("verify", "true", code=0)
        assert "the history of this project has this manifest" in done.stderr
        said = claims("verify", "forged", code=1).stdout
        assert ("its signature was removed" if words else "made that release with another manifest") in said
        done = claims("verify", other, code=1 if words else 0)
        assert words or f"no release of run {run[::-1]}" in done.stderr
    assert json.loads(claims("verify", "true", "--json", code=0).stdout)["signed"] == "not signed"
    assert "removed" in claims("verify", "true", "--public-key", public, code=1).stdout, "whoever asks for it gets it"


def test_an_earlier_run_is_handed_over_from_where_its_table_is_kept(claims, place):
    """Also after a newer run replaced what is internal, of which nothing goes out."""
    claims("run", "t", cwd=task(place, more="checkpoints: {keep_releases: 2}\n"), code=0)
    (run,) = (path.stem for path in place.glob("DATA/reports/t/*.json"))
    table = (place / "DATA/processed/t/output/safe.csv").read_bytes()
    people = place / "DATA/raw/people.csv"
    people.write_text("".join(people.read_text().splitlines(keepends=True)[:31]))
    claims("run", "t", code=0)
    claims("release", "t", "--run", run, "--to", "b", "--format", "folder", code=0)
    assert (place / "b/data/safe.csv").read_bytes() == table
    assert json.loads((place / "b/manifest.json").read_text())["tables"][0]["rows"] == 60
    edit(place / f"DATA/processed/t/earlier/{run}/safe.csv", b"20,a", b"29,a")
    refused = claims("release", "t", "--run", run, code=5).stderr
    assert f"changed    DATA/processed/t/earlier/{run}/safe.csv" in refused
    assert "internal" not in refused
    claims("release", "t", code=0)


def test_what_was_encrypted_is_handed_over_in_clear_only_when_told(claims, place):
    claims("run", "t", cwd=task(place, more="use_encryption: true\n"), env=KEY, code=0)
    assert "--decrypt hands it over in clear" in claims("release", "t", env=KEY, code=5).stderr
    assert "the key" in claims("release", "t", "--decrypt").stderr
    claims("release", "t", "--decrypt", "--to", "b", "--format", "folder", env=KEY, code=0)
    assert "ok  safe: k on age: stated 2, counted 6" in claims("verify", "t", "--privacy", env=KEY, code=0).stdout
    assert "not counted  safe: " in claims("verify", "t", "--privacy", code=0).stdout
    assert (place / "b/data/safe.csv").read_text().startswith("age,city\n20,a\n")
    assert "k on age: stated 2, counted 6" in alone(place / "b", "--recount").stdout


def test_what_is_encrypted_for_a_recipient_is_handed_over_as_it_is(claims, place, tmp_path):
    pyrage = pytest.importorskip("pyrage")
    identity = pyrage.x25519.Identity.generate()
    (tmp_path / "id").write_text(f"{identity}\n")
    (tmp_path / "id").chmod(0o600)
    section = f"encryption: {{recipients: ['{identity.to_public()}'], identity_file: {tmp_path / 'id'}}}\n"
    more = f"use_encryption: true\nencryption_mode: age\n{section}"
    claims("run", "t", cwd=task(place, more=more), code=0)
    claims("release", "t", "--to", "b", "--format", "folder", code=0)
    data = (place / "b/data/safe.csv.age").read_bytes()
    assert pyrage.decrypt(data, [identity]).startswith(b"age,city\n20,a\n")
    (tmp_path / "id").unlink()  # only the recipient has it
    claims("release", "t", "--to", "c", "--format", "folder", code=0)
    assert (place / "c/data/safe.csv.age").read_bytes() == data
    assert "a file encrypted by age" in alone(place / "b", "--recount").stdout
    assert "decrypt it to count" in claims("verify", "b", "--privacy", code=0).stdout


def test_recipient_license_and_terms_are_configured_or_given(claims, place):
    (place / "terms.md").write_text("Do not link.\n")
    audit = "output_format: parquet\naudit: {recipient: The Town, license: CC-BY-4.0, terms: terms.md}\n"
    claims("run", "t", cwd=task(place, more=audit), code=0)
    claims("release", "t", "--to", "b", "--format", "folder", "--recipient", "The Mayor", code=0)
    assert (place / "b/TERMS.md").read_text() == "Do not link.\n"
    text = (place / "b/README.md").read_text()
    assert all(word in text for word in ("The Mayor", "CC-BY-4.0", "TERMS.md"))
    assert "The Town" not in text
    assert "this program does not read parquet" in alone(place / "b", "--recount").stdout
    assert "k on age: stated 2, counted 6" in claims("verify", "b", "--privacy", code=0).stdout
    assert (
        "there is no file nowhere" in claims("release", "t", cwd=task(place, more="audit: {terms: nowhere}\n")).stderr
    )
    assert "terms are: a text" in claims("release", "t", "--terms", VERIFIER, code=2).stderr
    shutil.rmtree(place / "b")
