"""Records and files that were edited, exchanged, rolled back or forged: `verify` names them, and none is used."""

from __future__ import annotations

import json
import re
import shutil
import zlib
from pathlib import Path

import pytest
from chain_of_tasks import A, B, command_line_of_the_chain, make, write  # noqa: F401

from pamola_tasks import Kernel
from pamola_tasks.storage import journal

KEY = {"PAMOLA_KEY": "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="}
KEPT = "checkpoints: {keep_intermediate: true}\n"
TWO_STEPS = A.replace("inputs: [numbers]", "inputs: [between]").replace(
    "operations:\n", f"{KEPT}operations:\n  - Mix: {{inputs: [numbers], output_dataset: between}}\n"
)
LOG, HOME = "configs/execution_log.jsonl", "DATA/processed/a"


def lines_of(path: Path) -> list[bytes]:
    return path.read_bytes().splitlines(keepends=True)


def with_right_crc(line: bytes) -> bytes:
    """A line whose text was edited, with the checksum that fits it."""
    return b"%08x %s\n" % (zlib.crc32(line[9:].rstrip(b"\n")), line[9:].rstrip(b"\n"))


def edit_line(path: Path, old: bytes, new: bytes, number: int = -1) -> None:
    lines = lines_of(path)
    assert old in lines[number], lines[number]
    lines[number] = with_right_crc(lines[number].replace(old, new, 1))
    path.write_bytes(b"".join(lines))


def without_proof(line: bytes) -> bytes:
    """A line as an attacker writes it who has no key."""
    entry = json.loads(line[9:])
    entry.pop("mac", None)
    return with_right_crc(b"00000000 " + json.dumps(entry, separators=(",", ":")).encode())


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("made")


@pytest.fixture(params=["plain", "encrypted"])
def project(request, cli, made, tmp_path) -> Path:
    """A copy of a project in which task a has run twice, with other settings, and b has read what it left."""
    encrypted = "use_encryption: true\n" if request.param == "encrypted" else ""
    whole = made / request.param
    if not whole.exists():
        make(whole, TWO_STEPS + encrypted, B + encrypted)
        env = KEY if encrypted else None
        cli("run", "a", cwd=whole, env=env, code=0)
        shutil.copytree(whole / "DATA", whole / "older")
        write(whole, TWO_STEPS.replace("more: 3", "more: 4") + encrypted)
        cli("run", "a", "b", cwd=whole, env=env, code=0)
    return Path(shutil.copytree(whole, tmp_path / "copy"))


def digit(path: Path) -> None:
    """Change one digit in the middle."""
    text = path.read_bytes()
    places = [found.start() for found in re.finditer(rb"[0-8]", text)]
    place = places[len(places) // 2]
    path.write_bytes(text[:place] + b"9" + text[place + 1 :])


def flip(path: Path) -> None:
    data = path.read_bytes()
    path.write_bytes(data[:-20] + bytes([data[-20] ^ 1]) + data[-19:])


def newest_run(project: Path) -> Path:
    return max((project / "DATA/reports/a").glob("*.json"))


EDITS = {
    "a digit of the JSON report": lambda p: digit(p / "DATA/reports/a_report.json"),
    "a digit of the HTML report": lambda p: digit(p / "DATA/reports/a_report.html"),
    "a digit of the Markdown report": lambda p: digit(p / "DATA/reports/a_report.md"),
    "a digit of the report of the run": lambda p: digit(newest_run(p)),
    "a digit of the report of the run before": lambda p: digit(min((p / "DATA/reports/a").glob("*.json"))),
    "a bit of the encrypted report": lambda p: flip(max((p / "DATA/reports/a").glob("*.[jw]*"))),
    "a digit of the manifest": lambda p: digit(p / HOME / "manifest.json"),
    "the HTML report is gone": lambda p: (p / "DATA/reports/a_report.html").unlink(),
    "the older report": lambda p: shutil.copy(p / "older/reports/a_report.json", p / "DATA/reports/a_report.json"),
    "all older reports": lambda p: shutil.copytree(p / "older/reports", p / "DATA/reports", dirs_exist_ok=True),
    "the older output": lambda p: shutil.copy(p / "older/processed/a/output/safe.json", p / HOME / "output/safe.json"),
    "a status in the history": lambda p: edit_line(p / LOG, b'"bytes":', b'"bytes":1'),
    "the end of the run, cut off": lambda p: (p / LOG).write_bytes(
        b"".join(line for line in lines_of(p / LOG) if not (b'"run_finished"' in line and b'"a"' in line))
    ),
    "a line of the history, cut out": lambda p: (p / LOG).write_bytes(b"".join(lines_of(p / LOG)[1:])),
    "two lines of the history, exchanged": lambda p: (p / LOG).write_bytes(
        b"".join([*lines_of(p / LOG)[1::-1], *lines_of(p / LOG)[2:]])
    ),
    "a line of the history, twice": lambda p: (p / LOG).write_bytes(
        b"".join([*lines_of(p / LOG), lines_of(p / LOG)[1]])
    ),
    "a file that nobody made": lambda p: (p / HOME / "output/more.json").write_text("[1]"),
    "a line of the journal": lambda p: edit_line(p / HOME / ".state/journal.jsonl", b'"status":"s', b'"status":"S', 0),
    "the history for other tools": lambda p: digit(p / "configs/execution_log.json"),
}


@pytest.mark.parametrize("what", EDITS)
def test_verify_names_what_was_edited(cli, project, what):
    env = KEY if "encryption" in (project / "configs/a.yaml").read_text() else {}
    cli("verify", "a", cwd=project, env=env, code=0)
    EDITS[what](project)
    done = cli("verify", "a", cwd=project, env=env, code=1)
    assert "Traceback" not in done.stderr
    if what not in ("a file that nobody made", "the end of the run, cut off"):
        cli("doctor", "--data", cwd=project, env=env, code=1)


def test_a_run_without_the_key_spoils_no_records_and_vouches_for_nothing(cli, project):
    """It fails; what it left is named until the next run with the key, as a planted line that says the same is."""
    if "encryption" not in (project / "configs/a.yaml").read_text():
        pytest.skip("a project without a key")
    planted = json.loads(lines_of(project / LOG)[-1][9:]) | {"run_id": "0" * 36, "task_id": "a", "event": "run_failed"}
    del planted["mac"], planted["prev"]
    planted |= {"status": "failed", "input_files": [], "output_files": []}
    for leave in (
        lambda: cli("run", "a", cwd=project, code=4),
        lambda: journal.append(Kernel(project).project.files, LOG, [planted], flush=False),
    ):
        leave()
        assert "not ours" in cli("verify", "a", cwd=project, env=KEY, code=1).stdout
        cli("run", "a", cwd=project, env=KEY, code=0)
        cli("verify", "a", cwd=project, env=KEY, code=0)
        cli("doctor", "--data", cwd=project, env=KEY, code=0)


def test_a_checkpoint_that_was_not_written_with_the_key_is_not_used(cli, project):
    """The forged intermediate dataset, its journal line with right CRC and no mac, and the release deleted."""
    if "encryption" not in (project / "configs/a.yaml").read_text():
        pytest.skip("a project without a key")
    journal = project / HOME / ".state/journal.jsonl"
    journal.write_bytes(b"".join(map(without_proof, lines_of(journal))))
    (project / HOME / "output/safe.json").unlink()
    done = cli("run", "a", cwd=project, env=KEY, code=0)
    assert "not written with the project's key" in done.stdout
    history = [json.loads(line[9:]) for line in lines_of(project / LOG)]
    run = history[-1]["run_id"]
    assert {e["status"] for e in history if e["run_id"] == run and "step" in e} == {"success"}, "no step was skipped"
    cli("verify", "a", cwd=project, env=KEY, code=0)


def test_outputs_of_an_earlier_configuration_are_named_and_removed_on_demand(cli, project):
    """Another name of the output, then a run that fails: the release from before is named each time."""
    encrypted = "encryption" in (project / "configs/a.yaml").read_text()
    env, more = (KEY, "use_encryption: true\n") if encrypted else ({}, "")
    old = f"{HOME}/output/safe.json"
    (project / f"{HOME}/output/mine.txt").write_text("x")
    for text, code in ((TWO_STEPS.replace("safe", "other"), 0), (TWO_STEPS.replace("numbers.json", "gone.json"), 2)):
        write(project, text + more)
        assert old in cli("run", "a", cwd=project, env=env, code=code).stdout.replace("\n", " ")
        assert old in cli("status", "a", cwd=project, env=env, code=0).stdout
        told = json.loads(cli("verify", "a", "--json", cwd=project, env=env, code=1).stdout)
        assert {"not made"} == {r["status"] for r in told["records"] if r["path"] in (old, f"{HOME}/output/mine.txt")}
    done = cli("clean", "a", "--outputs", cwd=project, env=env, code=0)
    assert old in done.stdout
    assert "mine.txt" in done.stderr
    assert sorted(path.name for path in (project / HOME / "output").iterdir()) == ["mine.txt"]


def test_outputs_of_steps_that_a_run_left_out_are_not_outdated(cli, project):
    """Whether or not the datasets between steps are kept."""
    for kept in (KEPT, ""):
        write(project, TWO_STEPS.replace(KEPT, kept) + "  - Describe: {input_dataset: numbers}\n")
        cli("run", "a", cwd=project, env=KEY, code=0)
        done = cli("run", "a", "--only", "Describe", "--restart", cwd=project, env=KEY, code=0)
        assert "no longer made" not in done.stdout
        cli("verify", "a", cwd=project, env=KEY, code=0)
