"""From one folder of an SFTP server into another: who is let in, what is read, and what a kill leaves."""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import command_line
import pytest

paramiko = pytest.importorskip("paramiko")

PEOPLE = "code,kind,born\n7,a,1931-02-01\n8,b,1950-04-03\n"


@pytest.fixture
def sftp(tmp_path: Path) -> Iterator[Any]:
    """A server with `registry/people.csv`, an empty folder `tables`, and one user."""
    from sftp_server import Sftp, serving

    command_line.prepare("paramiko")
    folder = tmp_path / "served"
    (folder / "registry").mkdir(parents=True)
    (folder / "tables").mkdir()
    (folder / "registry/people.csv").write_text(PEOPLE)
    key, host_key = paramiko.ECDSAKey.generate(), paramiko.ECDSAKey.generate()
    with serving(Sftp(folder.resolve(), "carer", secrets.token_hex(12), key, host_key)) as server:
        yield server


@pytest.fixture
def project(tmp_path: Path, sftp, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project that reads with the user's password, and writes with the user's key, which another one opens."""
    monkeypatch.setenv("SFTP_PASSWORD", sftp.password)
    monkeypatch.setenv("SFTP_PASSPHRASE", "swordfish")
    root = tmp_path / "project"
    (root / "configs").mkdir(parents=True)
    (root / ".pamola.toml").touch()
    sftp.key.write_private_key_file(str(tmp_path / "id"), password="swordfish")
    (tmp_path / "known_hosts").write_text(sftp.known_host)
    user = f'user: carer, known_hosts: "{tmp_path}/known_hosts"'
    place = f"sftp://127.0.0.1:{sftp.port}"
    (root / "configs/prj_config.yaml").write_text(
        "retry: {max_retries: 0}\nobjects:\n  roots:\n"
        f'    registry: {{url: "{place}/registry", secret: "${{env:SFTP_PASSWORD}}", {user}}}\n'
        f'    tables: {{url: "{place}/tables/", write: true, key_file: "{tmp_path}/id",'
        f' secret: "${{env:SFTP_PASSPHRASE}}", {user}}}\n'
    )
    (root / "configs/people.yaml").write_text(
        f'input_datasets: {{people: "{place}/registry/people.csv"}}\n'
        f'objects: {{outputs: {{people_dropped: "{place}/tables/people.csv"}}}}\n'
        "operations:\n  - DropOperation: {input_dataset: people, columns: [kind]}\n"
    )
    return root


def words(done: subprocess.CompletedProcess[str]) -> str:
    return " ".join((done.stdout + done.stderr).split())


def test_a_file_becomes_a_file(cli, kill, project: Path, sftp):
    """Fetched again and sent again only after a change; what is half is seen neither here nor there."""
    source, target = sftp.folder / "registry/people.csv", sftp.folder / "tables/people.csv"
    os.utime(source, (1_750_000_000, 1_750_000_000))
    assert "2 done" in cli("run", "people", cwd=project, code=0).stdout
    assert target.read_text() == "code,born\n7,1931-02-01\n8,1950-04-03\n"
    assert os.listdir(sftp.folder / "tables") == ["people.csv"]
    report = json.loads((project / "DATA/reports/people_report.json").read_text())
    (given,) = report["inputs"]
    assert given["sha256"] == hashlib.sha256(PEOPLE.encode()).hexdigest()
    assert report["sections"]["objects"]["facts"]["objects"][0]["changes seen by"] == "size, time"
    sftp.seen.clear()
    assert "0 done, 2 unchanged" in cli("run", "people", cwd=project, code=0).stdout
    assert {each.partition(" ")[0] for each in sftp.seen} == {"stat"}

    large = "code,kind,born\n" + "".join(f"{n:0>100000},a,1931-02-01\n" for n in range(60))
    source.write_text(large)

    def change(request: str, path: str) -> None:
        if request == "read":
            os.utime(source, (1_760_000_000, 1_760_000_000))

    sftp.before = change
    said = cli("run", "people", cwd=project, code=1)
    assert "people.csv: it changed while it was read" in words(said)
    assert [path for path in project.rglob("input/**/*") if path.is_file()] == []

    def end(request: str, path: str) -> None:
        if request == "write" and os.path.getsize(f"{sftp.folder}{path}") > 1_000_000:
            kill(project)

    sftp.before = end
    cli("run", "people", cwd=project, code=-9)
    assert target.read_text().startswith("code,born\n7,"), "the old one"
    (left,) = set(os.listdir(sftp.folder / "tables")) - {"people.csv"}
    assert left.startswith(".people.csv.tmp-pamola-")
    sftp.before = lambda request, path: None
    assert "1 done, 1 unchanged" in cli("run", "people", cwd=project, code=0).stdout
    assert target.read_text().count("1931-02-01") == 60


def test_who_is_let_in(cli, project: Path, sftp, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Only servers whose key is known get a password; links lead out of no folder; nothing takes a file's place."""
    place = f"sftp://127.0.0.1:{sftp.port}"
    table = tmp_path / "table.csv"
    table.write_text("a\n1\n")

    def upload(name: str, code: int) -> str:
        return words(cli("upload", table, f"{place}/tables/{name}", cwd=project, code=code))

    (sftp.folder / "tables/out").symlink_to("../registry")
    (sftp.folder / "tables/one.csv").symlink_to("../registry/people.csv")
    led = "a link on the server leads out of the folder that the project file allows"
    assert led in upload("out/people.csv", 1)
    assert led in upload("one.csv", 1)
    assert (sftp.folder / "registry/people.csv").read_text() == PEOPLE
    assert "there is no such file, bucket or folder" in upload("none/table.csv", 1)
    assert "SHA-256" in upload("table.csv", 0)
    assert "there is a file of this name already: --force replaces it" in upload("table.csv", 2)
    monkeypatch.setenv("SFTP_PASSPHRASE", "guess")
    assert "key" in upload("other.csv", 1)

    monkeypatch.setenv("SFTP_PASSWORD", "hunter22")
    denied = words(cli("run", "people", cwd=project, code=1))
    assert "is denied with the credentials that the project file has for it" in denied
    (tmp_path / "known_hosts").write_text("")
    assert "its key is not in" in words(cli("run", "people", cwd=project, code=1))
    other = paramiko.ECDSAKey.generate()
    (tmp_path / "known_hosts").write_text(sftp.known_host.replace(sftp.host_key.get_base64(), other.get_base64()))
    assert "it may be another server" in words(cli("run", "people", cwd=project, code=1))
    assert "hunter22" not in denied
