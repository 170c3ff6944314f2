"""A task reads what another one left only as that recorded it."""

from __future__ import annotations

import hashlib
import json
import shutil
import zlib
from pathlib import Path

import pytest

KEY = {"PAMOLA_KEY": "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="}
LOG = "configs/execution_log.jsonl"

NEXT = """\
task_id: next
input_datasets: {safe: DATA/processed/first/output/safe.csv}
operations: [{DropOperation: {input_dataset: safe, output_dataset: fewer, columns: [age]}}]
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("made")


@pytest.fixture(params=["plain", "encrypted"])
def project(request, cli, place, made, tmp_path) -> Path:
    """Task `first` has run twice, the second time with another setting; `next` has run."""
    whole, more = made / request.param, "use_encryption: true\n" if request.param == "encrypted" else ""
    if not whole.exists():
        shutil.copytree(place, whole)
        (whole / "configs/next.yaml").write_text(NEXT + more)
        for columns in ("DROP1", "DROP2"):
            (whole / "configs/first.yaml").write_text(first(columns) + more)
            cli("run", "first", cwd=whole, env=KEY, code=0)
            shutil.copy(whole / OUTPUT, whole / f"{columns}.csv")
        cli("run", "next", cwd=whole, env=KEY, code=0)
    return Path(shutil.copytree(whole, tmp_path / "copy"))


OUTPUT = "DATA/processed/first/output/safe.csv"


def first(columns: str) -> str:
    names = {"DROP1": "[person]", "DROP2": "[city]"}[columns]
    return NEXT.replace("task_id: next", "task_id: first").replace("safe: DATA/processed/first/output/safe.csv",
        "people: DATA/raw/people.csv").replace("input_dataset: safe, output_dataset: fewer, columns: [age]",
        f"input_dataset: people, output_dataset: safe, columns: {names}")  # fmt: skip


def pretend_re_encryption(project: Path) -> None:
    """Write, without the key, that the older version is the newer one, encrypted again."""
    entries = [json.loads(line[9:]) for line in (project / LOG).read_bytes().splitlines()]
    ended = [entry for entry in entries if entry["event"] == "run_finished" and entry["task_id"] == "first"]
    older, newer = (entry["output_files"][0]["sha256"] for entry in ended)
    entry = {"schema": 1, "event": "file", "renewal": "x", "time": "2026-01-01T00:00:00Z", "path": OUTPUT}
    text = json.dumps({**entry, "file_id": "00", "recorded": newer, "sha256": older}).encode()
    (project / ".pamola").mkdir(exist_ok=True)
    (project / ".pamola/renewed.jsonl").write_bytes(b"%08x %s\n" % (zlib.crc32(text), text))


@pytest.mark.parametrize(
    "forged", ["plain text", "an older version", "with a line of the history said again", "as if re-encrypted"]
)
def test_an_output_of_another_task_is_read_only_as_recorded(cli, project, forged):
    plain = (project / "DATA/raw/people.csv").read_bytes()
    (project / OUTPUT).write_bytes(plain if forged == "plain text" else (project / "DROP1.csv").read_bytes())
    if forged.startswith("with a line"):
        ended = [line for line in (project / LOG).read_bytes().splitlines(keepends=True) if b'"run_finished"' in line]
        (project / LOG).write_bytes((project / LOG).read_bytes() + ended[0])
    if forged.startswith("as if"):
        pretend_re_encryption(project)
    done = cli("run", "next", cwd=project, env=KEY)
    assert done.returncode == 1, done.stdout
    assert "is an output of task 'first'" in done.stderr + done.stdout
    assert "data.unverified_inputs" in done.stderr + done.stdout
    with (project / "configs/next.yaml").open("a") as config:
        config.write("data: {unverified_inputs: [safe]}\n")
    done = cli("run", "next", cwd=project, env=KEY)
    assert "is an output" not in done.stdout + done.stderr


@pytest.mark.parametrize("project", ["encrypted"], indirect=True)
def test_an_index_of_a_long_history_is_believed_only_when_it_was_written_with_the_key(cli, project):
    """One that leaves out who wrote a file does not make an older version of that readable."""
    log = project / LOG
    note = {"schema": 1, "event": "run_aborted", "task_id": "x", "run_id": "x", "time": "2026-01-01T00:00:00Z"}
    padded = json.dumps(note | {"pad": "x" * 4000}).encode()
    segment = project / "configs/execution_log.segments/000001.jsonl"
    segment.parent.mkdir()
    # a closed segment of 1.2 MB in front: notes that need no proof
    segment.write_bytes(b"".join(b"%08x %s\n" % (zlib.crc32(padded), padded) for _ in range(300)))
    cli("run", "next", cwd=project, env=KEY, code=0)
    index = segment.with_suffix(".idx")
    cli("history", "next", cwd=project, env=KEY, code=0)
    assert index.exists()
    for path in (index, log.with_suffix(".idx")):
        target = segment if path == index else log
        data = target.read_bytes()
        head = {"schema": 2, "size": len(data), "tail": hashlib.sha256(data[-4096:]).hexdigest(), "latest": 0.0,
                "tasks": [], "outputs": {}, "damaged": False, "altered": False}  # fmt: skip
        places = {"size": len(data), "tasks": {}, "told": [], "open": {}, "over": [], "blocks": []}
        path.write_bytes(b"".join(b"%08x %s\n" % (zlib.crc32(text), text)
                                  for text in (json.dumps(head).encode(), json.dumps(places).encode())))  # fmt: skip
    (project / OUTPUT).write_bytes((project / "DROP1.csv").read_bytes())
    done = cli("run", "next", "--restart", cwd=project, env=KEY)
    assert "is an output of task 'first'" in done.stderr + done.stdout
