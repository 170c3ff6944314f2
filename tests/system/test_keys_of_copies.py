"""A key that is found by the id of a project is used in the folders that its owner named, and in no copy."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from pamola_tasks_encryption.folders import Folders

OUTPUT = "DATA/processed/example/output/safe.csv"


def said(done) -> str:
    return done.stdout.replace("\n", " ") + done.stderr


@pytest.fixture
def victim(cli, project: Path) -> Path:
    """A project with a key of its own and an encrypted output."""
    cli("keys", "init", cwd=project, code=0)
    with (project / "configs/prj_config.yaml").open("a") as config:
        config.write("use_encryption: true\n")
    cli("run", "example", cwd=project, code=0)
    assert (project / OUTPUT).read_bytes().startswith(b"ptask/1")
    return project


@pytest.fixture
def planted(cli, victim: Path, tmp_path: Path) -> Path:
    """A project of somebody else with the same id, our ciphertext, and a task that makes plain text of it."""
    folder = tmp_path / "planted"
    (folder / "configs").mkdir(parents=True)
    shutil.copytree(victim / ".pamola", folder / ".pamola", ignore=shutil.ignore_patterns("*.seal", "*.lock"))
    (folder / ".pamola.toml").touch()
    (folder / OUTPUT).parent.mkdir(parents=True)
    shutil.copy(victim / OUTPUT, folder / OUTPUT)
    task = (
        f"task_id: example\ninput_datasets: {{stolen: {OUTPUT}}}\n"
        "operations: [{DropOperation: {input_dataset: stolen, output_dataset: plain, columns: [city]}}]\n"
    )
    (folder / "configs/example.yaml").write_text(task)
    return folder


@pytest.mark.parametrize(
    "command",
    [
        ("run", "example"),
        ("run", "example", "--set", "use_encryption=true"),
        ("decrypt", OUTPUT, "--out", "plain.csv"),
        ("encrypt", "configs/example.yaml"),
        ("keys", "check"),
        ("keys", "rotate"),
        ("keys", "rekey", "--deep"),
        ("keys", "export", "--out", "stolen.key"),
        ("keys", "add-recipient", "age1qyqszqgpqyqszqgpqyqszqgpqyqszqgpqyqszqgpqyqszqgpqyqs3290gq"),
    ],
)
def test_a_copied_id_gives_nobody_the_key(cli, planted, victim, command):
    done = cli(*command, cwd=planted, code=4)
    assert "`pamola-task keys trust`" in done.stdout + done.stderr
    assert str(victim) in done.stdout + done.stderr
    left = {path.name for path in planted.rglob("*") if path.is_file()}
    assert not left & {"plain.csv", "stolen.key", "example.yaml.ptask"}
    cli("run", "example", cwd=victim, code=0)


def test_what_only_reads_goes_on_and_doctor_says_whose_the_key_is(cli, planted):
    assert "keys trust" in cli("doctor", cwd=planted).stdout
    for command in ("status", "list", "history"):
        cli(command, cwd=planted, code=0)


def test_a_project_that_was_moved_is_trusted_by_one_command(cli, victim, tmp_path):
    moved = Path(shutil.move(victim, tmp_path / "moved"))
    assert "keys trust" in said(cli("run", "example", cwd=moved, code=4))
    assert str(moved) in cli("keys", "trust", cwd=moved, code=0).stdout
    cli("run", "example", cwd=moved, code=0)
    cli("verify", "example", cwd=moved, code=0)
    cli("keys", "check", "--content", cwd=moved, code=0)


def test_a_copied_id_gives_nobody_a_signature(cli, project, tmp_path):
    cli("keys", "init", "--signing", cwd=project, code=0)
    cli("run", "example", cwd=project, code=0)
    copied = Path(shutil.copytree(project, tmp_path / "copied"))
    before = {path: path.read_bytes() for path in (copied / "DATA/reports").rglob("*") if path.is_file()}
    assert "keys trust" in said(cli("run", "example", cwd=copied, code=4))
    for path in (copied / "DATA/reports").rglob("*"):
        if path.is_file() and path.read_bytes() != before.get(path):
            assert b"ed25519" not in path.read_bytes()


def test_projects_without_an_id_do_not_get_each_others_key(cli, place, tmp_path, home):
    other = Path(shutil.copytree(place, tmp_path / "other"))
    for folder in (place, other):
        (folder / "configs/t.yaml").write_text(
            "task_id: t\ninput_datasets: {people: DATA/raw/people.csv}\n"
            "operations: [{DropOperation: {input_dataset: people, output_dataset: few, columns: [city]}}]\n"
        )
    cli("keys", "init", cwd=place, code=0)
    cli("run", "t", "--set", "use_encryption=true", cwd=place, code=0)
    cli("run", "t", cwd=other, code=0)  # it has no key, and needs none
    assert "not authenticated" in cli("verify", "t", cwd=other, code=0).stdout
    assert "keys trust" in said(cli("run", "t", "--set", "use_encryption=true", cwd=other, code=4))
    listed = next((home / ".local/share/pamola-tasks/keys").glob("*.folders"))
    assert str(place) in listed.read_text()
    listed.unlink()  # a key from before folders were noted is bound to the first that uses it
    cli("run", "t", cwd=place, code=0)
    assert "keys trust" in said(cli("run", "t", "--set", "use_encryption=true", cwd=other, code=4))


def test_doctor_warns_of_age_files_that_no_key_vouches_for(cli, project, tmp_path):
    """Whoever knows the recipient can write such files: without a project key nothing proves whose they are."""
    recipient = "age1qyqszqgpqyqszqgpqyqszqgpqyqszqgpqyqszqgpqyqszqgpqyqs3290gq"
    settings = f"use_encryption: true\nencryption_mode: age\nencryption: {{recipients: [{recipient}]}}\n"
    assert "age recipients" not in cli("doctor", cwd=project).stdout
    with (project / "configs/example.yaml").open("a") as config:
        config.write(settings)
    assert "task example encrypts for age recipients" in cli("doctor", cwd=project).stdout.replace("\n", " ")
    cli("keys", "init", cwd=project, code=0)
    assert "age recipients" not in cli("doctor", cwd=project).stdout


def test_a_damaged_list_of_folders_is_no_permission(cli, planted, home):
    listed = next((home / ".local/share/pamola-tasks/keys").glob("*.folders"))
    for text in ("{}", "[1]", '["/tmp'):
        listed.write_text(text)
        assert "is damaged" in said(cli("run", "example", cwd=planted, code=4))
    assert Folders("", planted).path.name == "default.folders"
