"""`verify` and `doctor --data`: what changed, is missing or damaged of what runs left."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest
from chain_of_tasks import (  # noqa: F401
    A,
    B,
    command_line_of_the_chain,
    make,
    project_of_the_chain,
    slow_task_of_the_chain,
    write,
)


def test_verify_names_what_changed_and_what_is_missing(cli, chain):
    cli("run", "a", cwd=chain, code=0)
    first = json.loads(cli("verify", "a", "--json", cwd=chain, code=0).stdout)
    assert first["ok"] is True
    assert {(f["kind"], f["status"]) for f in first["files"]} == {("input", "ok"), ("output", "ok")}
    table, safe = chain / "DATA/raw/numbers.json", chain / "DATA/processed/a/output/safe.json"
    times = table.stat()
    table.write_bytes(table.read_bytes().replace(b"1", b"2", 1))
    os.utime(table, ns=(times.st_atime_ns, times.st_mtime_ns))
    safe.unlink()
    done = cli("verify", "a", cwd=chain, code=1).stdout
    assert "its content differs" in done
    assert "it is gone" in done
    assert done.endswith("1 changed, 1 missing, 0 as recorded\n")


def test_verify_of_an_earlier_run_by_the_beginning_of_its_id_and_without_any_report(cli, chain):
    first = json.loads(cli("run", "a", "--json", cwd=chain, code=0).stdout)["run"]
    write(chain, A.replace("more: 3", "more: 4"))
    cli("run", "a", cwd=chain, code=0)
    cli("verify", "a", cwd=chain, code=0)
    earlier = json.loads(cli("verify", "a", "--run", first[:13], "--json", cwd=chain).stdout)
    assert earlier["run"] == first
    assert {f["status"] for f in earlier["files"] if f["kind"] != "input"} == {"changed"}
    shutil.rmtree(chain / "DATA/reports")
    left = json.loads(cli("verify", "a", "--json", cwd=chain, code=1).stdout)
    assert {f["status"] for f in left["files"]} == {"ok"}, "the history knows too"
    assert {r["status"] for r in left["records"]} == {"missing"}
    assert "nothing is recorded" in cli("verify", "b", cwd=chain, code=2).stderr
    assert "nothing is recorded of run 0123" in cli("verify", "a", "--run", "0123", cwd=chain, code=2).stderr


def test_verify_hashes_encrypted_outputs_as_they_lie_and_needs_no_key(cli, chain):
    write(chain, A + "use_encryption: true\n")
    key = {"PAMOLA_KEY": "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="}
    cli("run", "a", cwd=chain, env=key, code=0)
    safe = chain / "DATA/processed/a/output/safe.json"
    assert safe.read_bytes().startswith(b"ptask/1")
    cli("verify", "a", cwd=chain, code=0)
    cli("doctor", "--data", cwd=chain, code=0)
    safe.write_bytes(safe.read_bytes()[:-1] + b"x")
    cli("verify", "a", cwd=chain, code=1)


def test_verify_refuses_while_a_plugin_is_broken(cli, chain, tmp_path):
    cli("run", "a", cwd=chain, code=0)
    (tmp_path / "torn.py").write_text("raise RuntimeError('torn')\n")
    refused = cli("--plugin", tmp_path / "torn.py", "verify", "a", cwd=chain, code=2)
    assert "torn" in refused.stderr


def flip(path: Path) -> None:
    """Change one byte in the middle, keeping size and time."""
    times = path.stat()
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0x01
    path.write_bytes(bytes(data))
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))


def swap(one: Path, other: Path) -> None:
    kept = one.read_bytes()
    one.write_bytes(other.read_bytes())
    other.write_bytes(kept)


HOME = "DATA/processed/a"
DAMAGES = {
    "a line of the history": (lambda p: flip(p / "configs/execution_log.jsonl"), "execution_log.jsonl: line"),
    "the history is gone": (lambda p: (p / "configs/execution_log.jsonl").unlink(), "execution_log.jsonl is missing"),
    "the history for other tools": (lambda p: (p / "configs/execution_log.json").write_text("{"), "is damaged"),
    "a line of a journal": (lambda p: flip(p / HOME / ".state/journal.jsonl"), "journal.jsonl, line"),
    "a journal is gone": (lambda p: (p / HOME / ".state/journal.jsonl").unlink(), "belongs to no step"),
    "another task's journal": (
        lambda p: swap(p / HOME / ".state/journal.jsonl", p / "DATA/processed/b/.state/journal.jsonl"),
        "is not a file of this task",
    ),
    "a byte of an output": (lambda p: flip(p / HOME / "output/safe.json"), "its content differs"),
    "an intermediate dataset": (
        lambda p: flip(next((p / HOME / ".state/steps").rglob("*.json"))),
        "content differs",
    ),
    "an output is gone": (lambda p: (p / HOME / "output/safe.json").unlink(), "is gone"),
    "two outputs swapped": (
        lambda p: swap(p / HOME / "output/safe.json", p / HOME / "output/about_between.json"),
        "was changed",
    ),
    "a report": (lambda p: (p / "DATA/reports/a_report.json").write_text("{"), "a_report.json is damaged"),
    "a report is gone": (lambda p: (p / "DATA/reports/a_report.json").unlink(), "a_report.json is missing"),
    "two reports swapped": (
        lambda p: swap(p / "DATA/reports/a_report.json", p / "DATA/reports/b_report.json"),
        "in the place of another",
    ),
    "the report of a run": (lambda p: next((p / "DATA/reports/a").iterdir()).unlink(), "the history has the run"),
    "a manifest": (lambda p: (p / HOME / "manifest.json").write_bytes(b"\xff\x00"), "manifest.json is damaged"),
    "a manifest is gone": (lambda p: (p / HOME / "manifest.json").unlink(), "manifest.json is missing"),
}


IN_TWO_STEPS = A.replace("inputs: [numbers]", "inputs: [between]").replace(
    "operations:\n",
    "checkpoints: {keep_intermediate: true}\noperations:\n"
    "  - Mix: {inputs: [numbers], output_dataset: between}\n  - Describe: {input_dataset: between}\n",
)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Where the project of the damages lies, once one test has made it."""
    return {"project": tmp_path_factory.mktemp("finished") / "project"}


@pytest.fixture
def sound(cli, finished, tmp_path) -> Path:
    """A copy of a project in which two tasks have run."""
    made = finished["project"]
    if not made.exists():
        cli("run", "a", "b", cwd=make(made, IN_TWO_STEPS, B), code=0)
    return Path(shutil.copytree(made, tmp_path / "copy"))


def test_doctor_finds_nothing_where_all_is_sound_also_when_the_project_was_moved(cli, sound):
    assert "all sound" in cli("doctor", "--data", cwd=sound, code=0).stdout


@pytest.mark.parametrize("damage", DAMAGES)
def test_doctor_finds_each_damage_and_says_whose_it_is(cli, sound, damage):
    change, said = DAMAGES[damage]
    change(sound)
    findings = json.loads(cli("doctor", "--data", "--json", cwd=sound, code=1).stdout)
    errors = [finding for finding in findings if finding["level"] == "error"]
    assert any(said in error["finding"] for error in errors), errors
    assert all(error["subject"] in ("history", "task a", "task b") for error in errors)


def test_doctor_calls_what_killed_processes_left_stray_and_no_error(cli, chain, slow):
    assert "it is running now" in cli("doctor", "--data", cwd=chain, code=0).stdout
    slow.kill()
    slow.wait()
    (chain / "DATA/processed/slow/output/.quick.txt.tmp-pamola-0123456789ab").write_bytes(b"x")
    (chain / "DATA/processed/slow/.state/steps/Slow.new").mkdir(parents=True)
    (chain / "configs/.execution_log.json.tmp-pamola-0123456789ab").write_bytes(b"x")
    with (chain / "DATA/processed/slow/.state/journal.jsonl").open("ab") as journal:
        journal.write(b"0123abcd {")
    findings = json.loads(cli("doctor", "--data", "--json", cwd=chain, code=0).stdout)
    warned = [f["finding"] for f in findings if f["level"] == "warning" and f["subject"] in ("task slow", "project")]
    assert len(warned) == 4, warned
    assert sum(text.startswith("stray ") for text in warned) == 2
    assert any("is incomplete" in text for text in warned)
    assert any("Slow.new was never finished" in text for text in warned)
