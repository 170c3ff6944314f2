"""What was recorded of encrypted files stays true when their key is changed, and is noticed to be untrue when it is."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from encryption_samples import OTHER_KEY, Cli, key_file

from pamola_tasks_encryption.header import HEADER_SIZE, SLOT_OFFSETS
from pamola_tasks_encryption.keyfile import KeyDocument

pytest.importorskip("pamola_ops_anonymize", reason="the operation packs are not installed")

RELEASED = "DATA/processed/t_1/output/safe.csv"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with a task of two steps, its input, and a key in a file of its own."""
    root = tmp_path / "project"
    (root / "DATA/raw").mkdir(parents=True)
    (root / "configs").mkdir()
    (root / ".pamola.toml").touch()
    rows = "".join(f"{20 + n % 40},{1000 + n % 5},flu\n" for n in range(60))
    (root / "DATA/raw/people.csv").write_text("age,zip,illness\n" + rows)
    task(root)
    monkeypatch.setenv("PAMOLA_KEY_FILE", str(key_file(tmp_path / "our.key")))
    monkeypatch.chdir(root)
    return root


def task(root: Path, **settings: Any) -> None:
    masked = {"input_dataset": "masked", "method": "interval"}
    steps: list[dict[str, Any]] = [
        {"MaskOperation": {"input_dataset": "people", "output_dataset": "masked", "columns": ["zip"]}},
        {"GeneralizeOperation": {**masked, "output_dataset": "safe", "columns": ["age"], "width": 10}},
    ]
    content = {"task_id": "t_1", "use_encryption": True, "input_datasets": {"people": "DATA/raw/people.csv"}}
    settings = {"checkpoints": {"keep_intermediate": True}, **settings}
    (root / "configs/t_1.json").write_text(json.dumps({**content, "operations": steps, **settings}))


def made(cli: Cli) -> list[str]:
    """The steps that a run performs; the others are skipped."""
    cli("run", "t_1")
    report = cli("report", "t_1", "--json").json
    return [entry["name"] for entry in report["operations"] if entry["status"] != "skipped"]


def test_after_a_rotation_all_is_as_recorded_and_no_step_is_run_again(cli: Cli, project: Path) -> None:
    cli("encrypt", "--in-place", "DATA/raw/people.csv")
    assert len(made(cli)) == 2
    before = (project / RELEASED).read_bytes()
    cli("keys", "rotate")
    assert (project / RELEASED).read_bytes() != before
    assert cli("verify", "t_1", "--json").json["ok"]
    assert made(cli) == []
    assert cli("verify", "t_1", "--json").json["ok"]


def test_what_was_encrypted_anew_is_recognised_and_verify_says_so(cli: Cli, project: Path) -> None:
    cli("encrypt", "--in-place", "DATA/raw/people.csv")
    made(cli)
    for arguments in (["rekey", "--deep"], ["rotate", "--deep"]):
        payload = (project / RELEASED).read_bytes()[HEADER_SIZE:]
        cli("keys", *arguments)
        assert (project / RELEASED).read_bytes()[HEADER_SIZE:] != payload
        told = cli("verify", "t_1", "--json").json
        assert told["ok"]
        assert all("re-encrypted" in row["why"] for row in told["files"])
    assert made(cli) == []


def altered(path: Path, offset: int) -> None:
    data = bytearray(path.read_bytes())
    data[offset] ^= 1
    path.write_bytes(data)


def test_a_bit_that_changed_is_noticed_wherever_it_is_also_in_a_slot(cli: Cli, project: Path) -> None:
    made(cli)
    cli("keys", "rotate")
    slot, other = SLOT_OFFSETS
    for offset in (100, slot + 5, slot + 200, other + 5, other + 511, HEADER_SIZE, -1):
        altered(project / RELEASED, offset)
        assert not cli("verify", "t_1", "--json", code=1).json["ok"]
        altered(project / RELEASED, offset)
    assert cli("verify", "t_1", "--json").json["ok"]
    altered(project / RELEASED, slot + 200)
    assert made(cli) == ["GeneralizeOperation"]
    assert cli("verify", "t_1", "--json").json["ok"]


def test_verify_says_whether_the_key_at_hand_opens_what_is_encrypted(cli: Cli, project: Path) -> None:
    made(cli)
    assert "1 encrypted: all open with this key" in cli("verify", "t_1").out
    key = project.parent / "our.key"
    key.write_text(KeyDocument.plain(OTHER_KEY).to_text())
    assert (
        "1 of them hashed but not opened: the file was encrypted with another key" in cli("verify", "t_1", code=1).out
    )
    key.unlink()
    told = cli("verify", "t_1").out
    assert "1 of them hashed but not opened: there is no key" in told
    assert "as recorded" in told


def test_an_output_that_another_key_opens_is_made_again_only_when_asked(cli: Cli, project: Path) -> None:
    made(cli)
    (project.parent / "our.key").write_text(KeyDocument.plain(OTHER_KEY).to_text())
    assert "another key" in cli("show", "t_1").out
    assert "keys rekey --from" in cli("run", "t_1", code=4).out
    assert "everything is made again" in cli("run", "t_1", "--restart").out
    assert made(cli) == []


def test_a_report_after_a_rotation_names_the_key_that_opens_the_file(cli: Cli, project: Path) -> None:
    made(cli)
    new = cli("keys", "rotate", "--json").json["key_id"]
    made(cli)
    report = cli("report", "t_1", "--json").json
    assert [entry["key_id"] for entry in report["outputs"]] == [new]


# ---------------------------------------------------------------- keys that are taken from the key


def pseudonyms(root: Path, **settings: Any) -> None:
    step = {"input_dataset": "people", "output_dataset": "safe", "columns": ["zip"]}
    task(root, use_encryption=False, operations=[{"PseudonymizeOperation": step}], **settings)


@pytest.mark.parametrize("executor", ["threads", "processes"])
def test_pseudonyms_in_clear_are_made_again_under_another_key_and_only_then(
    cli: Cli, project: Path, executor: str
) -> None:
    pseudonyms(project, executor={"kind": executor})
    assert len(made(cli)) == 1
    first = (project / RELEASED).read_bytes()
    assert made(cli) == []
    cli("keys", "rotate")
    assert "the encryption key that its values come from changed" in cli("show", "t_1").out
    assert len(made(cli)) == 1
    assert (project / RELEASED).read_bytes() != first
    assert made(cli) == []
    (project.parent / "our.key").unlink()
    assert "there is no key" in cli("run", "t_1", code=4).out
