"""What is refused before anything is asked for: addresses, roots, secrets."""

from __future__ import annotations

import json
from pathlib import Path

from installed import cli as cli
from installed import home as home

HOSTILE = [
    "s3://clinic/people.csv",
    "s3://clinic/registry",
    "s3://clinic/registry/",
    "s3://clinic/registry2/people.csv",
    "s3://clinic/registry/../people.csv",
    "s3://clinic/registry/./people.csv",
    "s3://clinic/registry//people.csv",
    "s3://clinic//registry/people.csv",
    "s3:///clinic/registry/people.csv",
    "s3://clinic/Registry/people.csv",
    "s3://Clinic/registry/people.csv",
    "S3://clinic/registry/people.csv",
    "s3://clinic.evil/registry/people.csv",
    "s3://clinic@evil/registry/people.csv",
    "s3://id:hunter22@clinic/registry/people.csv",
    "s3://clinic/registry/%2e%2e/people.csv",
    "s3://clinic/registry/%2E%2E%2fpeople.csv",
    "s3://clinic/registry/a%5cb.csv",
    "s3://clinic/registry\\..\\people.csv",
    "s3://clinic/registry/people.csv?versionId=1",
    "s3://clinic/registry/people.csv#1",
    "s3://clinic/registry/people\u0000.csv",
    "s3://clinic/registry/people\r\nX: 1.csv",
    "s3://clinic/registry/\u202epeople.csv",
    "s3://clinic/registry/ people.csv",
    "s3://clinic/registry/people.csv::file:///etc/passwd",
    "s3://clinic/registry/simplecache::s3://evil/x.csv",
    "s3://clinic/registry/" + "a" * 1100,
    "s3://arn:aws:s3:::evil/registry/people.csv",
    "s3://../registry/people.csv",
    "gs://clinic/registry/people.csv",
    "az://clinic/registry/people.csv",
    "sftp://clinic/registry/people.csv",
    "sftp://me:hunter22@files.example.org/registry/people.csv",
    "sftp://files.example.org:2222/registry/people.csv",
]
ROOTS = """\
objects:
  roots:
    clinic: {url: "s3://clinic/registry"}
    files: {url: "sftp://files.example.org/registry", user: me}
"""
WRONG = """\
objects:
  roots:
    plain: {url: "s3://a/b", endpoint: "http://store.example.org"}
    inner: {url: "s3://a/b/c", key: x}
    keyed: {url: "s3://me:hunter22@bucket/b"}
    other: {url: "ftp://a/b"}
    nobody: {url: "sftp://files.example.org", known_hosts: hosts}
    blob: {url: "az://box", region: eu}
"""
MESSAGES = [
    "the network can read and change what is sent over http://: use https://, or set insecure: true",
    "give the id of the key and its secret, or neither",
    "an address holds neither user nor key",
    "it is not an address: s3://BUCKET/FOLDER/FILE",
    "name the user of the server",
    "it is not an absolute path",
    "it does nothing for az://",
    "name the storage account",
    "s3://a/b/c/d.csv is in several folders of objects.roots: inner, plain",
    "does not let files be written in s3://a/b",
]


def test_addresses(cli, tmp_path: Path):
    """Of many that are nearly in a root, none is taken for one that is; no password in them is shown."""
    (tmp_path / "configs").mkdir()
    (tmp_path / ".pamola.toml").touch()
    (tmp_path / "configs/prj_config.yaml").write_text(ROOTS)
    inputs = {f"d{number}": address for number, address in enumerate(HOSTILE)}
    inputs |= {
        "fine": "s3://clinic/registry/a b/[x]*{y}%20'\"$&;.csv",
        "too": "sftp://files.example.org:22/registry/x.csv",
    }
    task = {"input_datasets": inputs, "operations": [{"DropOperation": {"input_dataset": "fine", "columns": ["a"]}}]}
    (tmp_path / "configs/people.json").write_text(json.dumps(task))
    said = cli("config", "check", "people", cwd=tmp_path, code=2)
    told = said.stdout + said.stderr
    refused = [name for name in inputs if f"input_datasets.{name}:" in told]
    assert [inputs[name] for name in inputs if name not in refused] == [inputs["fine"], inputs["too"]]
    assert "hunter22" not in told


def test_roots(cli, tmp_path: Path):
    """Wrong ones are all reported; a task cannot say which there are; secrets are references."""
    (tmp_path / "configs").mkdir()
    (tmp_path / ".pamola.toml").touch()
    project, task = tmp_path / "configs/prj_config.yaml", tmp_path / "configs/people.yaml"
    project.write_text(WRONG)
    task.write_text(
        'input_datasets: {people: "s3://a/b/c/d.csv"}\nobjects: {outputs: {x: "s3://a/b/x.csv"}}\n'
        "operations: [{DropOperation: {input_dataset: people, columns: [a], output_dataset: x}}]\n"
    )
    said = cli("config", "check", "people", cwd=tmp_path, code=2)
    told = " ".join((said.stdout + said.stderr).split())
    assert [message for message in MESSAGES if message not in told] == []
    assert "hunter22" not in told
    project.write_text('objects: {roots: {a: {url: "s3://a/b", key: id0123456789, secret: hunter22, write: true}}}\n')
    said = cli("run", "people", cwd=tmp_path, code=2)
    told = " ".join((said.stdout + said.stderr).split())
    assert "objects.roots.a.secret: it is written out: refer to it as ${secret:NAME} or ${env:NAME}" in told
    stated = 'objects.roots.a.url="s3://evil"'
    said = cli("run", "people", "--set", stated, cwd=tmp_path, code=2)
    assert "only the project file can say which folders there are" in " ".join((said.stdout + said.stderr).split())
    assert "hunter22" not in told + said.stdout + said.stderr
