"""From one bucket of a local S3 server into another: what is read, when it is read again, and what a kill leaves."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import subprocess
from pathlib import Path

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
ROWS = [f"{n:0>100000};a;01.02.1931;1\n" for n in range(180)]
TWO_READS, TWO_PARTS = ("code;kind;born;share\n" + "".join(ROWS[:count]) for count in (90, 180))


def copies(project: Path) -> list[Path]:
    return [path for path in project.rglob("input/**/*") if path.is_file()]


def no_secret(project: Path, s3, *said: subprocess.CompletedProcess[str]) -> None:
    """Neither the secret nor the key's id is in a file of the project, or in what was said."""
    content = [path.read_bytes() for path in project.rglob("*") if path.is_file()]
    content += [(each.stdout + each.stderr).encode() for each in said]
    assert [each for each in content if s3.secret.encode() in each or s3.key.encode() in each] == []


def report_of(project: Path) -> dict:
    return json.loads((project / "DATA/reports/people_report.json").read_text())


def words(done: subprocess.CompletedProcess[str]) -> str:
    return " ".join((done.stdout + done.stderr).split())


def test_an_object_becomes_an_object(cli, project: Path, s3):
    """Read with the dataset's settings; asked for, but neither fetched nor sent, where nothing changed."""
    (project / "configs/people.yaml").write_text(TASK)
    s3.put("clinic/registry/people1.csv", "what a pattern would find, too")
    missing = cli("run", "people", cwd=project, code=1)
    assert "s3://clinic/registry/people[1]*.csv: there is no such file" in words(missing)
    s3.put(SOURCE, PEOPLE)
    s3.seen.clear()
    cli("show", "people", cwd=project, code=0)
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
    (given,) = report["inputs"]
    assert (given["path"], given["sha256"]) == ("s3://clinic/registry/people[1]*.csv", digest)
    assert (given["version"], given["rows"]) == (read["ETag"], 2)
    assert copies(project) == []
    assert "1 as recorded, 1 elsewhere" in cli("verify", "people", cwd=project, code=0).stdout

    again = cli("run", "people", cwd=project, code=0)
    assert "0 done, 2 unchanged" in again.stdout
    assert s3.reads() == 0
    assert report_of(project)["sections"].keys() == report["sections"].keys()
    assert report_of(project)["inputs"] == [given]

    s3.put(SOURCE, PEOPLE.replace("008", "009"))
    s3.put(TARGET, "what another program wrote")
    encrypted = ["use_encryption=true", "checkpoints.keep_intermediate=true"]
    encrypted = [*(word for each in encrypted for word in ("--set", each)), "--executor", "processes"]
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
    wrong = ["operations=[{DropOperation: {input_dataset: people, columns: [sort]}}]", "objects.outputs={}"]
    wrong = [word for each in wrong for word in ("--set", each)]
    refused = cli("run", "people", *encrypted, *wrong, cwd=project, env=key, code=2)
    assert "people has no column sort" in words(refused)
    assert s3.reads() == 1, "the copy that was changed is not believed"
    no_secret(project, s3, missing, done, again, refused)


def test_a_change_or_a_kill_meanwhile(cli, kill, project: Path, s3):
    """While an input is fetched and while an output is sent: nothing half is read, left or published."""
    (project / "configs/people.yaml").write_text(TASK)
    s3.put(SOURCE, TWO_READS)
    s3.put(TARGET, "old")

    def at(times: int, request: str, do) -> None:
        """Step in before a request of which this is not the first."""
        seen: list[str] = []

        def before(method: str, path: str) -> None:
            seen.append(path) if request in f"{method} {path}" else None
            if len(seen) == times:
                s3.before = lambda method, path: None
                do()

        s3.before = before

    def end() -> None:
        """What comes from a process that is gone is not passed on."""
        kill(project)
        raise ConnectionError

    at(2, "GET /clinic/registry", lambda: s3.put(SOURCE, TWO_READS.replace("1931", "1932")))
    said = cli("run", "people", cwd=project, code=1)
    assert "people[1]*.csv: it changed while it was read" in words(said)
    assert copies(project) == []
    at(2, "GET /clinic/registry", end)
    cli("run", "people", cwd=project, code=-9)
    assert [path.name for path in copies(project) if not path.name.startswith(".")] == []
    s3.put(SOURCE, TWO_PARTS)
    at(1, "partNumber=2", end)
    cli("run", "people", cwd=project, code=-9)
    assert s3.get(TARGET) == b"old"
    s3.reads()
    done = cli("run", "people", cwd=project, code=0)
    assert "1 done, 1 unchanged" in done.stdout
    assert s3.reads() == 3, "the copy was there, and intact: only what was written is read back"
    assert s3.get(TARGET).count(b"1931-02-01") == 180
    assert copies(project) == []


def test_upload(cli, project: Path, s3, tmp_path: Path):
    """A file is read back, and no other takes its place; nothing is written where the key is not known."""
    bundle = tmp_path / "people.zip"
    bundle.write_bytes(os.urandom(1 << 20))
    address = "s3://research/tables/2026/"
    made = json.loads(cli("upload", bundle, address, "--json", cwd=project, code=0).stdout)
    assert made["address"] == f"{address}people.zip"
    assert made["sha256"] == hashlib.sha256(bundle.read_bytes()).hexdigest()
    assert s3.get("research/tables/2026/people.zip") == bundle.read_bytes()
    refused = cli("upload", bundle, address, cwd=project, code=2)
    assert "there is a file of this name already: --force replaces it" in words(refused)
    outside = cli("upload", bundle, "s3://clinic/registry/people.zip", cwd=project, code=2)
    assert "does not let files be written in s3://clinic/registry" in words(outside)
    looked = cli("doctor", "--data", "--json", cwd=project)
    assert "s3://research/tables/ answers" in looked.stdout
    s3.ask("POST", "/moto-api/reset-auth", b"0")  # from now on keys are looked at, and it has none
    denied = cli("upload", bundle, f"{address}other.zip", cwd=project, code=1)
    assert "is denied with the credentials that the project file has for it" in words(denied)
    no_secret(project, s3, refused, outside, looked, denied)
    s3.ask("POST", "/moto-api/reset-auth", b"inf")
