"""Mode `age` writes standard age files for the recipients that were named, and for nobody else."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from encryption_samples import Config, key_file

from pamola_tasks.errors import ConfigurationError, EncryptionError
from pamola_tasks_encryption import EncryptionSettings, TaskEncryptionManager
from pamola_tasks_encryption.errors import ExtraMissing, KeyDamaged, KeyMissing, KeyRefused, Tampered, WrongKey

Make = Callable[..., TaskEncryptionManager]
AGE = Config(encryption_mode="age")


def test_without_pyrage_the_error_names_the_extra_and_nothing_else_is_used(
    manager_of: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyrage", None)
    manager = manager_of(AGE, settings=EncryptionSettings(recipients=["age1x"]))
    with pytest.raises(ExtraMissing, match=r"pamola-tasks-encryption\[age\]") as caught:
        manager.initialize()
    assert caught.value.exit_code == 4
    assert manager.mode == "age"
    raw = io.BytesIO()
    with pytest.raises(ExtraMissing):
        manager.writer(raw, role="data", task_id="t")
    assert raw.getvalue() == b""


@pytest.fixture
def pyrage() -> Any:
    return pytest.importorskip("pyrage", reason="the extra [age] (pyrage) is not installed")


@pytest.fixture
def pair(pyrage: Any, tmp_path: Path) -> tuple[str, Path]:
    """A public key, and the file with its private one."""
    identity = pyrage.x25519.Identity.generate()
    path = key_file(tmp_path / "identity", f"# created: today\n# public key: x\n{identity}\n")
    return str(identity.to_public()), path


@pytest.fixture
def age_manager(manager_of: Make, pair: tuple[str, Path]) -> TaskEncryptionManager:
    settings = EncryptionSettings(recipients=[pair[0]], identity_file=str(pair[1]))
    return manager_of(AGE, settings=settings, environ={})


@pytest.mark.parametrize("size", [0, 1, 65535, 65536, 65537, 200_000])
def test_age_files_come_back_and_are_read_by_pyrage_itself(
    pyrage: Any, age_manager: TaskEncryptionManager, pair: tuple[str, Path], size: int
) -> None:
    age_manager.initialize()
    data = os.urandom(size)
    file = age_manager.encrypt_data(data)
    assert file.startswith(b"age-encryption.org/v1\n")
    assert age_manager.decrypt_data(file) == data
    identity = pyrage.x25519.Identity.from_str(pair[1].read_text().splitlines()[-1])
    assert pyrage.decrypt(file, [identity]) == data
    theirs = pyrage.encrypt(data, [pyrage.x25519.Recipient.from_str(pair[0])])
    assert age_manager.decrypt_data(theirs) == data


@pytest.mark.parametrize("size", [0, 1, 65535, 65536, 65537, 300_000])
def test_the_age_command_reads_our_files_and_we_read_its(
    age_manager: TaskEncryptionManager, pair: tuple[str, Path], tmp_path: Path, size: int
) -> None:
    command = shutil.which("age")
    if command is None:
        pytest.skip("the age command is not installed")
    data = os.urandom(size)
    ours, theirs = tmp_path / "ours.age", tmp_path / "theirs.age"
    ours.write_bytes(age_manager.encrypt_data(data))
    result = subprocess.run([command, "-d", "-i", pair[1], ours], capture_output=True, check=True)
    assert result.stdout == data
    subprocess.run([command, "-r", pair[0], "-o", theirs], input=data, capture_output=True, check=True)
    assert age_manager.decrypt_data(theirs.read_bytes()) == data


def test_ssh_keys_are_recipients_too(pyrage: Any, manager_of: Make, tmp_path: Path) -> None:
    if shutil.which("ssh-keygen") is None:
        pytest.skip("ssh-keygen is not installed")
    path = tmp_path / "ssh"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", path], check=True)
    settings = EncryptionSettings(recipients=[(tmp_path / "ssh.pub").read_text()], identity_file=str(path))
    manager = manager_of(AGE, settings=settings, environ={})
    assert manager.decrypt_data(manager.encrypt_data(b"x")) == b"x"


def test_reading_an_age_file_seeks_and_the_plain_bytes_never_reach_a_disk(
    age_manager: TaskEncryptionManager, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pamola_tasks_encryption import age

    monkeypatch.setattr(age, "_SPOOL_IN_MEMORY", 1000)
    parked: list[Any] = []
    make_spool = age._spool
    monkeypatch.setattr(age, "_spool", lambda: parked.append(make_spool()) or parked[-1])
    data = b"planted value 4711 " * 20_000
    raw = io.BytesIO(age_manager.encrypt_data(data))
    file = age_manager.reader(raw, role="data", task_id="t")
    assert parked[-1]._rolled, "the test is about what is parked in a file"
    parked[-1].seek(0)
    assert b"planted" not in parked[-1].read()
    assert file.seek(-19, io.SEEK_END) == len(data) - 19
    assert file.read() == data[-19:]
    file.seek(0)
    assert file.read(19) == data[:19]
    file.close()
    assert all(spool.closed for spool in parked)


def test_an_altered_or_cut_age_file_gives_nothing(age_manager: TaskEncryptionManager) -> None:
    file = age_manager.encrypt_data(os.urandom(150_000))
    for altered in (file[:-1], file[: len(file) // 2], file[:100], file + b"x", file[:-5] + b"\0" + file[-4:]):
        with pytest.raises(Tampered):
            age_manager.decrypt_data(altered)


def test_a_file_for_somebody_else_is_refused(
    pyrage: Any, age_manager: TaskEncryptionManager, manager_of: Make, tmp_path: Path
) -> None:
    file = age_manager.encrypt_data(b"x")
    stranger = key_file(tmp_path / "stranger", str(pyrage.x25519.Identity.generate()))
    with pytest.raises(WrongKey, match="identity_file"):
        manager_of(AGE, settings=EncryptionSettings(identity_file=str(stranger))).decrypt_data(file)


def test_nobody_is_a_recipient_unless_named(pyrage: Any, manager_of: Make) -> None:
    with pytest.raises(KeyMissing, match="recipients"):
        manager_of(AGE).initialize()


def test_a_wrong_recipient_is_named_by_its_number(pyrage: Any, manager_of: Make, pair: tuple[str, Path]) -> None:
    with pytest.raises(ConfigurationError, match="entry 2"):
        manager_of(AGE, settings=EncryptionSettings(recipients=[pair[0], "age1nonsense"])).initialize()


def test_an_identity_file_is_as_private_as_a_key_file(
    age_manager: TaskEncryptionManager, manager_of: Make, pair: tuple[str, Path]
) -> None:
    file = age_manager.encrypt_data(b"x")
    settings = EncryptionSettings(recipients=[pair[0]], identity_file=str(pair[1]))
    pair[1].chmod(0o644)
    with pytest.raises(KeyRefused):
        manager_of(AGE, settings=settings).decrypt_data(file)
    key_file(pair[1], "no identity")
    with pytest.raises(KeyDamaged):
        manager_of(AGE, settings=settings).decrypt_data(file)
    with pytest.raises(KeyMissing, match="identity_file"):
        manager_of(AGE, settings=EncryptionSettings(recipients=[pair[0]])).decrypt_data(file)


def test_an_exception_while_writing_leaves_no_age_file(age_manager: TaskEncryptionManager) -> None:
    raw = io.BytesIO()
    file = age_manager.writer(raw, role="data", task_id="t")
    file.write(b"half")
    with pytest.raises(RuntimeError), file:
        raise RuntimeError
    assert raw.getvalue() == b""


def test_derived_keys_in_mode_age_need_a_project_key(age_manager: TaskEncryptionManager) -> None:
    with pytest.raises(EncryptionError, match="no key"):
        age_manager.derive_key("pseudonyms")
