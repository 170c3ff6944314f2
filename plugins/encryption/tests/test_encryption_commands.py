"""`keys …`, `encrypt` and `decrypt` as people use them, in a project of their own."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from encryption_samples import KEY, OTHER_KEY, Cli, decrypted, encrypted, key_file

from pamola_tasks_encryption import Binding
from pamola_tasks_encryption.header import HEADER_SIZE, Header
from pamola_tasks_encryption.keyfile import KeyDocument
from pamola_tasks_encryption.keys import default_key_file
from pamola_tasks_encryption.private_files import key_directory

pytest.importorskip("pamola_tasks_config", reason="the plugins of a project are not installed")

PASSPHRASE = "correct horse battery"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    root = tmp_path / "project"
    root.mkdir()
    (root / "DATA").mkdir()
    (root / ".pamola").mkdir()
    monkeypatch.chdir(root)
    for name in [name for name in os.environ if name.startswith("PAMOLA_") and name != "PAMOLA_DURABILITY"]:
        monkeypatch.delenv(name)
    return root


def piped(*arguments: str, data: bytes, cwd: Path) -> subprocess.CompletedProcess[bytes]:
    """Run a command in a process of its own, with bytes on its standard input."""
    command = [sys.executable, "-m", "pamola_tasks", *arguments]
    return subprocess.run(command, input=data, capture_output=True, cwd=cwd, check=False)


def file_of(project: Path, name: str = "DATA/people.csv", content: bytes = b"a,b\n1,planted\n") -> Path:
    (project / name).parent.mkdir(parents=True, exist_ok=True)
    (project / name).write_bytes(content)
    return project / name


# ---------------------------------------------------------------- keys


def test_init_makes_a_private_key_and_a_sheet_from_which_it_comes_back(cli: Cli) -> None:
    made = cli("keys", "init", "--json").json
    path = default_key_file()
    sheet = Path(made["recovery_sheet"])
    for file in (path, sheet):
        assert stat.S_IMODE(file.stat().st_mode) == 0o600 or os.name == "nt"
    before = path.read_text()
    key_text = json.loads(before)["key"]
    again = cli("keys", "init", code=4)
    assert "ever written over another" in again.err
    assert path.read_text() == before
    path.unlink()
    restored = cli("keys", "init", "--from-sheet", sheet).out
    assert made["key_id"] in restored
    assert path.read_text() == before
    assert key_text not in made.__repr__() + restored


def test_nothing_but_export_shows_a_key(cli: Cli, project: Path) -> None:
    cli("keys", "init")
    key_text = json.loads(default_key_file().read_text())["key"]
    file_of(project)
    for arguments in (["list"], ["list", "--json"], ["check"], ["check", "--json"], ["rotate"], ["rekey", "--deep"]):
        done = cli("keys", *arguments)
        assert key_text not in done.out + done.err
    now = json.loads(default_key_file().read_text())["key"]
    assert now in cli("keys", "export", "--out", "-").out
    copy = project / "copy.key"
    cli("keys", "export", "--out", copy)
    assert KeyDocument.parse(copy.read_bytes(), "copy") == KeyDocument.parse(default_key_file().read_bytes(), "key")
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600 or os.name == "nt"
    assert "is there already" in cli("keys", "export", "--out", copy, code=4).err


def test_list_says_what_is_there_and_what_is_wrong_with_it(cli: Cli) -> None:
    assert "there is no key" in cli("keys", "list").err
    cli("keys", "init")
    key_file(key_directory() / "damaged.key", "no key!")
    rows = cli("keys", "list", "--json").json
    assert [row["in_use"] for row in rows] == [True, False]
    assert "not base64" in rows[1]["problem"]


def test_check_counts_files_and_ends_with_4_when_one_cannot_be_opened(cli: Cli, project: Path) -> None:
    assert "there is no key" in cli("keys", "check", code=4).err
    cli("keys", "init")
    file_of(project)
    cli("encrypt", "--in-place", "DATA/people.csv")
    assert cli("keys", "check", "--content", "--json").json["present"] == 1
    file_of(project, "DATA/theirs", encrypted(b"x", OTHER_KEY))
    done = cli("keys", "check", code=4)
    assert "DATA/theirs: was encrypted with the key" in done.err
    (project / "DATA/theirs").unlink()
    data = bytearray((project / "DATA/people.csv").read_bytes())
    data[-1] ^= 1
    (project / "DATA/people.csv").write_bytes(data)
    assert cli("keys", "check").code == 0
    assert "DATA/people.csv: segment 0" in cli("keys", "check", "--content", code=4).err


def test_a_passphrase_locks_the_key_and_opens_it_again(
    cli: Cli, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cli("keys", "init")
    file_of(project)
    assert "there is no terminal" in cli("keys", "add-passphrase", code=4).err
    short = key_file(project / "short", "short\n")
    assert "12 or more" in cli("keys", "add-passphrase", "--passphrase-file", short, code=4).err
    secret = key_file(project / "secret", PASSPHRASE + "\n")
    cli("keys", "add-passphrase", "--passphrase-file", secret, "--only")
    assert "key" not in json.loads(default_key_file().read_text())
    assert "PAMOLA_PASSPHRASE" in cli("encrypt", "DATA/people.csv", code=4).err
    assert not (project / "DATA/people.csv.ptask").exists()
    monkeypatch.setenv("PAMOLA_PASSPHRASE", "not the passphrase")
    assert "opens no lock" in cli("encrypt", "DATA/people.csv", code=4).err
    monkeypatch.setenv("PAMOLA_PASSPHRASE", PASSPHRASE)
    cli("encrypt", "DATA/people.csv")
    cli("keys", "rotate")
    assert "key" not in json.loads(default_key_file().read_text())
    assert "planted" in cli("decrypt", "DATA/people.csv.ptask", "--out", "-").out
    monkeypatch.delenv("PAMOLA_PASSPHRASE")
    before = default_key_file().read_bytes()
    assert "the key is locked" in cli("keys", "rotate", code=4).err
    assert default_key_file().read_bytes() == before


def test_a_recipient_opens_the_key_too(cli: Cli, project: Path) -> None:
    pyrage = pytest.importorskip("pyrage", reason="the extra [age] (pyrage) is not installed")
    identity = pyrage.x25519.Identity.generate()
    key_file(project / "identity", str(identity))
    (project / "configs").mkdir()
    (project / "configs/prj_config.yaml").write_text("encryption: {identity_file: identity}\n")
    cli("keys", "init")
    cli("keys", "add-recipient", identity.to_public(), "--only")
    assert cli("keys", "list", "--json").json[0]["opened_by"] == "recipient"
    file_of(project)
    cli("encrypt", "DATA/people.csv")
    cli("keys", "rotate")
    assert "planted" in cli("decrypt", "DATA/people.csv.ptask", "--out", "-").out


# ---------------------------------------------------------------- rotation


def encrypted_project(cli: Cli, project: Path, count: int = 5) -> list[Path]:
    cli("keys", "init")
    found = [file_of(project, f"DATA/{number}.csv", b"row %d" % number) for number in range(count)]
    cli("encrypt", "--in-place", *found)
    return found


def key_of(path: Path) -> bytes:
    return KeyDocument.parse(path.read_bytes(), "test").key or b""


def test_rotate_makes_a_key_and_keeps_the_old_one_for_copies_elsewhere(cli: Cli, project: Path) -> None:
    found = encrypted_project(cli, project)
    old = key_of(default_key_file())
    copy = found[0].read_bytes()
    told = cli("keys", "rotate", "--json").json
    new = key_of(default_key_file())
    assert told["changed"] == 5
    assert new != old
    for number, path in enumerate(found):
        assert decrypted(path.read_bytes(), new, Binding("", "", "data")) == b"row %d" % number
    assert decrypted(copy, key_of(Path(told["old_key_kept_in"])), Binding("", "", "data")) == b"row 0"
    assert cli("keys", "check", "--json").json["present"] == 5
    cli("keys", "rotate", "--forget-old")
    assert len(list(key_directory().glob("retired/*"))) == 1


def test_a_rotation_that_was_cut_short_goes_on_and_the_project_can_be_read_meanwhile(
    cli: Cli, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pamola_tasks_encryption import rotation

    found = encrypted_project(cli, project)
    exchange, done = rotation.exchange_slot, [0]

    def failing(*arguments: Any) -> Any:
        done[0] += 1
        if done[0] > 2:
            raise OSError(5, "Input/output error")
        return exchange(*arguments)

    monkeypatch.setattr(rotation, "exchange_slot", failing)
    assert "left as it is: Input/output error" in cli("keys", "rotate", code=4).err
    monkeypatch.setattr(rotation, "exchange_slot", exchange)
    assert "not finished" in cli("keys", "list", "--json").json[0]["rotation"]
    assert "a rotation is not finished" in cli("keys", "check").err
    for path in found:
        assert "row" in cli("decrypt", path, "--out", "-").out
    halfway = key_of(default_key_file())
    finished = cli("keys", "rotate", "--json")
    assert "going on" in finished.err
    assert (finished.json["present"], finished.json["changed"]) == (2, 3)
    assert key_of(default_key_file()) == halfway
    assert json.loads(default_key_file().read_text())["schema"] == 1
    assert cli("keys", "check", "--json").json["present"] == 5


def test_two_rotations_at_once_are_refused(cli: Cli, project: Path) -> None:
    from pamola_tasks.storage import system

    encrypted_project(cli, project, 1)
    before = default_key_file().read_bytes()
    with default_key_file().with_name(f".{default_key_file().name}.lock").open("wb") as other:
        assert system.lock(other.fileno())
        assert "another process is changing" in cli("keys", "rotate", code=75).err
    assert default_key_file().read_bytes() == before


def test_a_passphrase_is_masked_in_whatever_a_run_writes() -> None:
    from encryption_samples import Config

    from pamola_tasks_encryption import TaskEncryptionManager
    from pamola_tasks_redaction.secrets import Redactor

    redactor = Redactor()
    environ = {"PAMOLA_KEY": KeyDocument.plain(KEY).to_text(), "PAMOLA_PASSPHRASE": PASSPHRASE}
    TaskEncryptionManager(Config(), environ=environ, redactor=redactor).initialize()
    assert PASSPHRASE not in redactor(f"it was {PASSPHRASE}, they say")


def test_a_manager_reads_both_kinds_of_files_while_a_rotation_is_not_finished() -> None:
    import io

    from encryption_samples import PROJECT, Config

    from pamola_tasks_encryption import TaskEncryptionManager

    key_file(default_key_file(PROJECT), KeyDocument.plain(OTHER_KEY).replacing(KEY, OTHER_KEY).to_text())
    manager = TaskEncryptionManager(Config(), project_id=PROJECT, environ={})
    for key in (KEY, OTHER_KEY):
        file = io.BytesIO(encrypted(b"x", key, Binding(PROJECT, "t_1", "data")))
        assert manager.reader(file, role="data", task_id="t_1").read() == b"x"
    written = Header.parse(manager.encrypt_data(b"y")[:HEADER_SIZE])
    written.unlock(OTHER_KEY, Binding(PROJECT, "t_1", "data"))


def test_rotate_deep_and_rekey_encrypt_anew(cli: Cli, project: Path) -> None:
    (path,) = encrypted_project(cli, project, 1)
    ids = [Header.parse(path.read_bytes()[:HEADER_SIZE]).file_id]
    for arguments in (["rotate"], ["rotate", "--deep"], ["rekey", "--deep"]):
        cli("keys", *arguments)
        ids.append(Header.parse(path.read_bytes()[:HEADER_SIZE]).file_id)
        assert "row 0" in cli("decrypt", path, "--out", "-").out
    assert ids[0] == ids[1]
    assert len(set(ids)) == 3
    assert "--deep" in cli("keys", "rekey", code=2).err


@pytest.mark.parametrize("arguments", [["rotate", "--deep"], ["rekey", "--deep"]], ids=" ".join)
def test_encrypting_anew_that_was_cut_short_goes_on_and_says_so(
    cli: Cli, project: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str]
) -> None:
    from pamola_tasks_encryption import renewal

    found = encrypted_project(cli, project)
    renew, done = renewal.renew, [0]

    def failing(*arguments: Any) -> Any:
        done[0] += 1
        if done[0] > 2:
            raise OSError(5, "Input/output error")
        return renew(*arguments)

    monkeypatch.setattr(renewal, "renew", failing)
    assert "left as it is: Input/output error" in cli("keys", *arguments, code=4).err
    monkeypatch.setattr(renewal, "renew", renew)
    for path in found:
        assert "row" in cli("decrypt", path, "--out", "-").out
    before = [path.read_bytes() for path in found]
    assert "2 files are done" in cli("keys", *arguments).err
    after = [path.read_bytes() for path in found]
    assert [old == new for old, new in zip(before, after, strict=True)] == [True, True, False, False, False]
    assert cli("keys", "check", "--content", "--json").json["present"] == 5
    assert "are done" not in cli("keys", "rekey", "--deep").err
    assert not {path.read_bytes() for path in found} & set(after)


def test_an_unfinished_one_can_be_begun_again(cli: Cli, project: Path) -> None:
    (path,) = encrypted_project(cli, project, 1)
    cli("keys", "rekey", "--deep")
    log = project / ".pamola/renewed.jsonl"
    log.write_bytes(b"".join(log.read_bytes().splitlines(keepends=True)[:-1]))  # its end was not reached
    before = path.read_bytes()
    assert "1 files are done" in cli("keys", "rekey", "--deep").err
    assert path.read_bytes() == before
    log.write_bytes(b"".join(log.read_bytes().splitlines(keepends=True)[:-1]))
    cli("keys", "rekey", "--deep", "--restart")
    assert path.read_bytes() != before
    assert "--restart belongs to --deep" in cli("keys", "rekey", "--restart", code=2).err


def test_files_of_another_key_are_brought_to_the_present_one(cli: Cli, project: Path, tmp_path: Path) -> None:
    cli("keys", "init")
    path = file_of(project, "DATA/theirs", encrypted(b"theirs", OTHER_KEY, Binding("", "", "data")))
    theirs = key_file(tmp_path / "theirs.key", KeyDocument.plain(OTHER_KEY).to_text())
    assert "another key" in cli("decrypt", path, "--out", "-", code=4).err
    assert cli("keys", "rekey", "--from", theirs, "--json").json["changed"] == 1
    assert "theirs" in cli("decrypt", path, "--out", "-").out


def test_a_key_in_the_environment_is_not_changed_but_said(
    cli: Cli, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PAMOLA_KEY", KeyDocument.plain(KEY).to_text())
    for arguments in (["init"], ["rotate"]):
        assert "PAMOLA_KEY, which a command cannot change" in cli("keys", *arguments, code=4).err


# ---------------------------------------------------------------- files


@pytest.mark.parametrize("size", [0, 1, 65479, 65480, 65481, 3_000_000])
def test_a_file_is_encrypted_beside_itself_and_comes_back(cli: Cli, project: Path, size: int) -> None:
    cli("keys", "init")
    content = os.urandom(size)
    path = file_of(project, content=content)
    cli("encrypt", "DATA/people.csv")
    sealed = project / "DATA/people.csv.ptask"
    assert sealed.read_bytes().startswith(b"ptask/1\n")
    assert path.read_bytes() == content
    assert "is there already" in cli("encrypt", "DATA/people.csv", code=2).err
    assert "is there already" in cli("decrypt", "DATA/people.csv.ptask", code=2).err
    path.unlink()
    cli("decrypt", "DATA/people.csv.ptask")
    assert path.read_bytes() == content
    assert stat.S_IMODE(path.stat().st_mode) == 0o600 or os.name == "nt"


def test_files_outside_the_project_and_several_into_a_folder(cli: Cli, project: Path, tmp_path: Path) -> None:
    cli("keys", "init")
    names = []
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / f"{name}.csv").write_text(f"of {name}")
        names.append(tmp_path / name / f"{name}.csv")
    (tmp_path / "sealed").mkdir()
    cli("encrypt", *names, "--out", tmp_path / "sealed")
    assert sorted(path.name for path in (tmp_path / "sealed").iterdir()) == ["a.csv.ptask", "b.csv.ptask"]
    cli("decrypt", tmp_path / "sealed/a.csv.ptask", "--out", project / "back.csv")
    assert (project / "back.csv").read_text() == "of a"


def test_streams_go_through_standard_input_and_output(cli: Cli, project: Path) -> None:
    cli("keys", "init")
    data = os.urandom(1_000_000)
    sealed = piped("encrypt", "-", data=data, cwd=project)
    assert (sealed.returncode, sealed.stdout[:8]) == (0, b"ptask/1\n")
    opened = piped("decrypt", "-", data=sealed.stdout, cwd=project)
    assert (opened.returncode, opened.stdout) == (0, data)
    cut = piped("decrypt", "-", "--out", "cut.csv", data=sealed.stdout[:-1], cwd=project)
    assert cut.returncode == 4
    assert not (project / "cut.csv").exists()
    assert piped("decrypt", "-", data=sealed.stdout[:-70000], cwd=project).returncode == 4


@pytest.mark.parametrize("offset", [0, 20, 90, 3080, 4100, 5000, -1])
def test_an_altered_file_leaves_no_output_and_nothing_half_done(cli: Cli, project: Path, offset: int) -> None:
    cli("keys", "init")
    file_of(project, content=os.urandom(200_000))
    cli("encrypt", "DATA/people.csv")
    sealed = project / "DATA/people.csv.ptask"
    data = bytearray(sealed.read_bytes())
    data[offset] ^= 1
    sealed.write_bytes(data)
    before = sorted((project / "DATA").iterdir())
    cli("decrypt", "DATA/people.csv.ptask", "--out", "DATA/out.csv", code=4)
    cli("decrypt", "DATA/people.csv.ptask", "--in-place", code=4)
    assert sorted((project / "DATA").iterdir()) == before
    assert sealed.read_bytes() == data


def test_wrong_usage_is_told_and_nothing_happens(cli: Cli, project: Path) -> None:
    cli("keys", "init")
    path = file_of(project)
    for arguments, said in (
        (["encrypt", "nothing.csv"], "there is no file"),
        (["encrypt", "DATA/people.csv", "--out", "DATA/people.csv"], "--in-place"),
        (["encrypt", "DATA/people.csv", "--out", "x", "--in-place"], "exclude each other"),
        (["decrypt", "DATA/people.csv", "--out", "x/y/z"], "not an encrypted file"),
    ):
        done = cli(*arguments, code=4 if "not an encrypted" in said else 2)
        assert said in done.err
    assert b"standard input" in piped("encrypt", "-", "--in-place", data=b"", cwd=project).stderr
    cli("encrypt", "--in-place", path)
    assert "encrypted already" in cli("encrypt", path, code=2).err
    assert "--out PATH" in cli("decrypt", path, code=2).err


def test_a_file_of_a_task_is_bound_to_it_and_not_read_in_the_folder_of_another(cli: Cli, project: Path) -> None:
    cli("keys", "init")
    path = file_of(project, "DATA/processed/task_a/output/safe.csv")
    cli("encrypt", "--in-place", path)
    assert Header.parse(path.read_bytes()[:HEADER_SIZE]).binding.task == "task_a"
    moved = file_of(project, "DATA/processed/task_b/output/safe.csv", path.read_bytes())
    assert "planted" in cli("decrypt", path, "--out", "-").out
    done = cli("decrypt", moved, "--out", "x.csv", code=4)
    assert "folder of task 'task_b' but was written by 'task_a'" in done.err
    assert not (project / "x.csv").exists()


def test_a_file_of_another_project_needs_to_be_allowed(cli: Cli, project: Path) -> None:
    cli("keys", "init")
    key = key_of(default_key_file())
    path = file_of(project, "DATA/theirs", encrypted(b"theirs", key, Binding("another", "", "data")))
    assert "for project 'another'" in cli("decrypt", path, "--out", "-", code=4).err
    assert "theirs" in cli("decrypt", path, "--out", "-", "--any-project").out


def test_age_files_are_written_and_read(cli: Cli, project: Path) -> None:
    pyrage = pytest.importorskip("pyrage", reason="the extra [age] (pyrage) is not installed")
    identity = pyrage.x25519.Identity.generate()
    key_file(project / "identity", str(identity))
    path = file_of(project)
    cli("encrypt", path, "--recipient", identity.to_public())
    sealed = project / "DATA/people.csv.age"
    assert pyrage.decrypt(sealed.read_bytes(), [identity]) == path.read_bytes()
    assert "identity_file" in cli("decrypt", sealed, "--out", "-", code=4).err
    (project / "configs").mkdir()
    (project / "configs/prj_config.yaml").write_text("encryption: {identity_file: identity}\n")
    assert "planted" in cli("decrypt", sealed, "--out", "-").out


def test_while_a_plugin_is_broken_no_data_is_touched(cli: Cli, project: Path) -> None:
    broken = project / "broken.py"
    broken.write_text("PAMOLA_HOOK_API = 1\nraise RuntimeError('no')\n")
    cli("keys", "init")
    path = file_of(project)
    key = default_key_file().read_bytes()
    for arguments in (["encrypt", path], ["decrypt", path], ["keys", "rotate"], ["keys", "rekey", "--deep"]):
        assert "broken" in cli("--plugin", broken, *arguments, code=2).err
    assert default_key_file().read_bytes() == key
    assert sorted(p.name for p in (project / "DATA").iterdir()) == ["people.csv"]
