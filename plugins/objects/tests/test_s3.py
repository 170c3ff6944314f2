"""From one bucket of a local S3 server into another: what is read, when it is read again, and what a kill leaves."""

from __future__ import annotations

import base64
import hashlib
import json
import os
from pathlib import Path

import pytest

pytestmark = pytest.mark.xdist_group("moto")

TASK = """\
input_datasets: {people: "s3://clinic/registry/people[1]*.csv"}
objects: {outputs: {people_dropped: "s3://research/tables/people.csv"}}
data: {datasets: {people: {delimiter: ";", decimal: ",", date_format: "%d.%m.%Y", missing_values: ["-"]}}}
data_types: {people: {code: text}}
operations:
  - DropOperation: {input_dataset: people, columns: [kind]}
"""
PEOPLE = "code;kind;born;share\n007;a;01.02.1931;1,5\n008;b;03.04.1950;-\n"
RELEASED = "code,born,share\n007,1931-02-01,1.5\n008,1950-04-03,\n"
SOURCE = "clinic/registry/people%5B1%5D%2A.csv"
TARGET = "research/tables/people.csv"
WIDE = "code;kind;born;share\n" + "".join(f"{n};{n:0>100000};01.02.1931;1\n" for n in range(100))


def copies(project: Path) -> list[Path]:
    return [path for path in project.rglob("input/**/*") if path.is_file()]


def no_secret(project: Path, s3, *said: str) -> None:
    """Neither the secret nor the key's id is in a file of the project, or in what was said."""
    content = [path.read_bytes() for path in project.rglob("*") if path.is_file()] + [text.encode() for text in said]
    assert [each for each in content if s3.secret.encode() in each or s3.key.encode() in each] == []


def report_of(project: Path) -> dict:
    return json.loads((project / "DATA/reports/people_report.json").read_text())


def test_an_object_becomes_an_object(cli, project: Path, s3):
    """Read with the dataset's settings; asked for, but neither fetched nor sent, where nothing changed."""
    (project / "configs/people.yaml").write_text(TASK)
    s3.put(SOURCE, PEOPLE)
    s3.put("clinic/registry/people1.csv", "what a pattern would find, too")
    assert "never finished" in cli("show", "people", cwd=project, code=0).stdout
    assert s3.seen == []
    done = cli("run", "people", cwd=project, code=0)
    assert "2 done" in done.stdout
    assert s3.get(TARGET) == RELEASED.encode()
    assert s3.reads() == 2, "one of the input, one of what was written"
    report = report_of(project)
    read, written = report["sections"]["objects"]["facts"]["objects"]
    digest = hashlib.sha256(PEOPLE.encode()).hexdigest()
    assert (read["what"], read["sha256"], read["bytes"]) == ("read (new)", digest, len(PEOPLE))
    assert read["ETag"] == hashlib.md5(PEOPLE.encode(), usedforsecurity=False).hexdigest()
    assert written["sha256"] == report["outputs"][0]["sha256"]
    assert written["version"] not in ("", "null", None)
    given = report["inputs"][0]
    assert (given["path"], given["sha256"]) == ("s3://clinic/registry/people[1]*.csv", digest)
    assert copies(project) == []
    assert "1 as recorded, 1 elsewhere and not looked at" in cli("verify", "people", cwd=project, code=0).stdout

    again = cli("run", "people", cwd=project, code=0)
    assert "0 done, 2 unchanged" in again.stdout
    assert s3.reads() == 0
    assert report_of(project)["sections"].keys() == report["sections"].keys()
    assert report_of(project)["inputs"][0]["sha256"] == digest

    s3.put(SOURCE, PEOPLE.replace("008", "009"))
    s3.put(TARGET, "what another program wrote")
    encrypted = (
        "--set",
        "use_encryption=true",
        "--set",
        "checkpoints.keep_intermediate=true",
        "--executor",
        "processes",
    )
    key = {"PAMOLA_KEY": base64.b64encode(os.urandom(32)).decode()}
    assert "2 done" in cli("run", "people", *encrypted, cwd=project, env=key, code=0).stdout
    sent = s3.get(TARGET)
    assert sent == (project / "DATA/processed/people/output/people_dropped.csv").read_bytes()
    (copy,) = copies(project)
    assert b"1931" not in sent + copy.read_bytes()
    content = bytearray(copy.read_bytes())
    content[-1] ^= 1
    copy.write_bytes(content)
    s3.reads()
    wrong = (
        "--set",
        "operations=[{DropOperation: {input_dataset: people, columns: [sort]}}]",
        "--set",
        "objects.outputs={}",
    )
    refused = cli("run", "people", *encrypted, *wrong, cwd=project, env=key, code=2)
    assert "people has no column sort" in refused.stdout + refused.stderr
    assert s3.reads() == 1, "the copy that was changed is not believed"
    no_secret(project, s3, *(each.stdout + each.stderr for each in (done, again, refused)))


def test_a_change_or_a_kill_meanwhile(cli, start, project: Path, s3):
    """While an input is fetched and while an output is sent: nothing half is read, left or published."""
    (project / "configs/people.yaml").write_text(TASK.replace('"-"', '""'))
    s3.put(SOURCE, WIDE)
    s3.put(TARGET, "old")
    parts: list[str] = []

    def change(method: str, path: str) -> None:
        parts.append(path) if method == "GET" and "registry" in path else None
        if len(parts) == 2:
            s3.put(SOURCE, WIDE.replace("1931", "1932"))

    s3.before = change
    changed = cli("run", "people", cwd=project, code=1)
    assert "people[1]*.csv: it changed while it was read" in " ".join((changed.stdout + changed.stderr).split())
    assert copies(project) == []

    def kill(wanted: str, times: int) -> None:
        seen: list[str] = []

        def before(method: str, path: str) -> None:
            seen.append(path) if f"{method} {path}".startswith(wanted) else None
            if len(seen) == times:
                process.kill()
                process.wait()

        process = start("run", "people", cwd=project)
        s3.before = before
        process.communicate()

    kill("GET /clinic/registry", 2)
    assert [path.name for path in copies(project) if not path.name.startswith(".")] == []
    parts.clear()

    def drop(method: str, path: str) -> None:
        """A request that comes from a process which is gone is not passed on."""
        seen.append(path) if method == "PUT" else None
        if len(seen) == 1 and process.poll() is None:
            process.kill()
            process.wait()
            raise ConnectionError

    seen: list[str] = []
    process = start("run", "people", cwd=project)
    s3.before = drop
    process.communicate()
    assert s3.get(TARGET) == b"old"
    s3.before = lambda method, path: None
    s3.reads()
    done = cli("run", "people", cwd=project, code=0)
    assert "1 done, 1 unchanged" in done.stdout
    assert s3.reads() == 1, "the copy was there, and intact: only what was written is read back"
    assert s3.get(TARGET).count(b"1932-02-01") == 100
    assert copies(project) == []


def test_upload(cli, start, project: Path, s3, tmp_path: Path):
    """A file of several parts: none of it is there after a kill, all of it then, and no other takes its place."""
    bundle = tmp_path / "people.zip"
    bundle.write_bytes(os.urandom(1 << 20) * 20)
    address = "s3://research/tables/2026/"

    def kill(method: str, path: str) -> None:
        if method == "PUT" and "partNumber=2" in path:
            process.kill()
            process.wait()
            raise ConnectionError

    process = start("upload", bundle, address, cwd=project)
    s3.before = kill
    process.communicate()
    s3.before = lambda method, path: None
    assert s3.keys("research") == []
    made = json.loads(cli("upload", bundle, address, "--json", cwd=project, code=0).stdout)
    assert made["address"] == f"{address}people.zip"
    assert made["sha256"] == hashlib.sha256(bundle.read_bytes()).hexdigest()
    assert s3.get("research/tables/2026/people.zip") == bundle.read_bytes()
    refused = cli("upload", bundle, address, cwd=project, code=2)
    assert "there is a file of this name already: --force replaces it" in refused.stdout + refused.stderr
    refused = cli("upload", bundle, "s3://clinic/registry/people.zip", cwd=project, code=2)
    assert "does not let files be written in s3://clinic/registry" in " ".join(
        (refused.stdout + refused.stderr).split()
    )
    looked = cli("doctor", "--data", "--json", cwd=project)
    assert "s3://research/tables/ answers" in looked.stdout
    no_secret(project, s3, looked.stdout + looked.stderr, refused.stderr)
