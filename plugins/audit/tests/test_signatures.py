"""Reports alone, with the public key, elsewhere: an edited digit is found."""

from __future__ import annotations

import base64
import json
import shutil

import pytest
from chain_of_tasks import command_line_of_the_chain, project_of_the_chain  # noqa: F401
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from pamola_tasks_audit.signatures import problem_of
from pamola_tasks_encryption.signing import fits


@pytest.fixture
def elsewhere(cli, chain, tmp_path):
    """An empty folder with the reports of a run, and the public key."""
    public = json.loads(cli("keys", "init", "--signing", "--json", cwd=chain, code=0).stdout)["public_key"]
    assert cli("keys", "init", "--signing", cwd=chain).returncode != 0, "never over another"
    cli("run", "a", cwd=chain, code=0)
    cli("verify", "a", cwd=chain, code=0)
    cli("verify", "DATA/reports", cwd=chain, code=0)
    folder = tmp_path / "elsewhere"
    shutil.copytree(chain / "DATA/reports", folder)
    shutil.copy(chain / "DATA/processed/a/manifest.json", folder)
    return folder, public


def test_an_edited_digit_of_a_report_is_found_where_only_the_report_is(cli, elsewhere):
    folder, public = elsewhere
    reports = [path for path in folder.rglob("*.*") if path.is_file()]
    assert {path.suffix for path in reports} == {".json", ".html", ".md"}
    for path in reports:
        cli("verify", path.name, "--public-key", public, cwd=path.parent, env={"HOME": str(folder)}, code=0)
        data = path.read_bytes()
        place = next(n for n in range(len(data) // 2, len(data)) if data[n : n + 1].isdigit())
        path.write_bytes(data[:place] + (b"1" if data[place : place + 1] != b"1" else b"2") + data[place + 1 :])
        done = cli("verify", path.name, "--public-key", public, cwd=path.parent, code=1)
        assert "changed since it was signed" in done.stdout
    cli("verify", folder, "--public-key", public, code=1)


def test_each_digit_of_a_report_and_its_signature_counts(elsewhere):
    folder, public = elsewhere
    page = folder / "a_report.html"
    data = page.read_bytes()
    assert problem_of(page, public, fits) == ""
    places = [n for n in range(len(data)) if data[n : n + 1].isdigit() or n > len(data) - 140]
    assert len(places) > 500
    unnoticed = []
    for place in places:
        page.write_bytes(data[:place] + (b"7" if data[place] != ord("7") else b"3") + data[place + 1 :])
        if problem_of(page, public, fits) == "":
            unnoticed.append(data[place - 20 : place + 20])
    assert not unnoticed


def test_a_signature_of_another_key_or_none_is_no_signature(cli, elsewhere):
    folder, public = elsewhere
    page = folder / "a_report.html"
    other = base64.b64encode(bytes(32)).decode()
    done = cli("verify", page.name, "--public-key", other, cwd=folder, code=1)
    assert "another key" in done.stdout
    for wrong in ("nonsense", "no-such-file.pub", public[:-4]):
        assert "is neither a public key" in cli("verify", page.name, "--public-key", wrong, cwd=folder, code=2).stderr
    assert "--public-key" in cli("verify", page, code=2).stderr
    page.write_bytes(page.read_bytes().rpartition(b"<!-- signature")[0])
    assert "removed" in cli("verify", page.name, "--public-key", public, cwd=folder, code=1).stdout


def test_a_public_key_that_was_exchanged_with_the_reports_vouches_for_nothing(cli, chain):
    cli("keys", "init", "--signing", cwd=chain, code=0)
    cli("run", "a", cwd=chain, code=0)
    cli("verify", "DATA/reports", cwd=chain, code=0)
    other = Ed25519PrivateKey.generate()
    public = base64.b64encode(other.public_key().public_bytes_raw())
    for path in (chain / "DATA/reports").rglob("*.html"):
        signed = path.read_bytes().rpartition(b"<!-- signature")[0].replace(b"succe", b"SUCCE")
        text = b"ed25519 %s %s" % (public, base64.b64encode(other.sign(signed)))
        path.write_bytes(b"%s<!-- signature: %s -->\n" % (signed, text))
    (chain / ".pamola/signing.pub").write_bytes(public + b"\n")
    assert "another key" in cli("verify", "DATA/reports", cwd=chain, code=1).stdout


def test_verify_of_the_task_names_an_exchanged_public_key(cli, chain):
    """Recipients would get it from the project, and believe forged reports."""
    cli("keys", "init", "--signing", cwd=chain, code=0)
    cli("run", "a", cwd=chain, code=0)
    (chain / ".pamola/signing.pub").write_bytes(base64.b64encode(bytes(32)) + b"\n")
    (row,) = json.loads(cli("verify", "a", "--json", cwd=chain, code=1).stdout)["records"]
    assert (row["status"], "signing.pub" in row["why"]) == ("changed", True)
