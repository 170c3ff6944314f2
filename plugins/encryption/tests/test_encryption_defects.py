"""Each line of the list of defects, part D, as a claim about us. The list says what the origin does instead."""

from __future__ import annotations

import io
import json
import os
import stat
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from counted_work import called
from encryption_samples import BINDING, KEY, KEY_TEXT, PROJECT, Config, decrypted, encrypted, fingerprint_of, key_file

from pamola_tasks.errors import ConfigurationError, EncryptionError
from pamola_tasks_compat.encryption import EncryptionContext
from pamola_tasks_encryption import (
    EncryptionMode,
    EncryptionSettings,
    MemoryProtectedKey,
    TaskEncryptionManager,
)
from pamola_tasks_encryption.errors import KeyDamaged, KeyMissing
from pamola_tasks_encryption.keyfile import KeyDocument, PassphraseLock
from pamola_tasks_encryption.keys import KeyFileStore, default_key_file, find_key
from pamola_tasks_encryption.private_files import key_directory
from pamola_tasks_redaction.secrets import Redactor

Make = Callable[..., TaskEncryptionManager]
POSIX = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no modes")


def test_d1_what_is_asked_to_be_encrypted_is_encrypted_and_a_context_can_do_it_too(manager_of: Make) -> None:
    manager = manager_of()
    manager.initialize()
    context = EncryptionContext.of(manager)
    for file in (manager.encrypt_data(b"planted"), context.encrypt_data(b"planted")):
        assert b"planted" not in file
        assert context.decrypt_data(file) == b"planted"
    assert isinstance(context, EncryptionContext)
    assert manager.get_encryption_info()["key_available"]


def test_d2_nobody_is_a_recipient_unless_named_and_size_changes_no_mode(manager_of: Make) -> None:
    pytest.importorskip("pyrage", reason="the extra [age] (pyrage) is not installed")
    with pytest.raises(KeyMissing, match="there are no recipients"):
        manager_of(Config(encryption_mode="age")).initialize()
    large = manager_of().encrypt_data(bytes(3_000_000))
    assert large.startswith(b"ptask/1\n")


def test_d3_a_key_lives_through_its_uses_and_is_really_overwritten_when_cleared() -> None:
    key = MemoryProtectedKey(KEY)
    for _ in range(3):
        with key as raw:
            assert raw == KEY
    held = key._material
    key.clear()
    assert bytes(held) == bytes(32)


def test_d4_a_key_from_the_usual_place_works_as_it_was_written(manager_of: Make) -> None:
    KeyFileStore(default_key_file(PROJECT), "test").create(KeyDocument.plain(KEY).to_text())
    manager = manager_of(environ={}, project_id=PROJECT)
    assert manager.decrypt_data(manager.encrypt_data(b"x")) == b"x"


@pytest.mark.parametrize("mode", ["simple", "age", "none", "agee"])
def test_d5_without_a_key_nothing_goes_on_and_nothing_is_switched_off(manager_of: Make, mode: str) -> None:
    manager = manager_of(Config(encryption_mode=mode), environ={})
    with pytest.raises((EncryptionError, ConfigurationError)):
        manager.initialize()
    assert manager.enabled
    raw = io.BytesIO()
    with pytest.raises((EncryptionError, ConfigurationError)):
        manager.writer(raw, role="data", task_id="t")
    assert raw.getvalue() == b""


@POSIX
def test_d6_keys_are_private_and_none_is_made_unasked(manager_of: Make) -> None:
    with pytest.raises(KeyMissing):
        manager_of(environ={}).initialize()
    assert not key_directory().exists()
    before = os.umask(0)
    try:
        KeyFileStore(default_key_file(), "test").create(KeyDocument.plain(KEY).to_text())
    finally:
        os.umask(before)
    assert stat.S_IMODE(default_key_file().stat().st_mode) == 0o600
    assert stat.S_IMODE(key_directory().stat().st_mode) == 0o700


def test_d7_a_damaged_key_is_reported_and_stays(manager_of: Make) -> None:
    path = key_file(default_key_file(), "damaged but perhaps not beyond repair")
    with pytest.raises(KeyDamaged, match="restore the key from your backup"):
        manager_of(environ={}).initialize()
    assert path.read_text() == "damaged but perhaps not beyond repair"
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]


def test_d8_there_is_one_format_and_it_is_recognised_in_every_mode(manager_of: Make, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(manager_of().encrypt_data(b"x"))
    for config in (Config(), Config(use_encryption=False), Config(encryption_mode="age")):
        assert manager_of(config).is_encrypted(path.read_bytes())
    assert decrypted(path.read_bytes(), binding=type(BINDING)("", "t_1", "data")) == b"x"


def test_d9_what_a_file_says_of_itself_is_authenticated_and_no_number_in_it_is_unbounded() -> None:
    file = encrypted(b"x")
    for offset in range(8, 200):
        altered = bytearray(file)
        altered[offset] ^= 1
        with pytest.raises(EncryptionError):
            decrypted(bytes(altered))
    lock = PassphraseLock.of("correct horse battery", KEY).to_dict() | {"passes": 10**9}
    document = {"schema": 2, "id": find_key({"PAMOLA_KEY": KEY_TEXT}).key.fingerprint, "locks": [lock]}

    def use() -> None:
        with pytest.raises(KeyDamaged, match="passes"):
            find_key({"PAMOLA_KEY": json.dumps(document), "PAMOLA_PASSPHRASE": "correct horse battery"})

    assert "derive" in called(lambda: PassphraseLock.of("correct horse battery", KEY))
    assert "derive" not in called(use)


@POSIX
def test_d11_an_exposed_key_is_found_and_so_is_a_dataset_without_its_key(
    manager_of: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("pamola_tasks_config", reason="the plugins of a project are not installed")
    from pamola_tasks_compat.tasks import is_master_key_exposed

    (tmp_path / "configs").mkdir()
    monkeypatch.chdir(tmp_path)
    key_file(tmp_path / "key")
    monkeypatch.setenv("PAMOLA_KEY_FILE", str(tmp_path / "key"))
    assert not is_master_key_exposed(tmp_path)
    (tmp_path / "key").chmod(0o666)
    assert is_master_key_exposed(tmp_path)
    assert manager_of().refusal(encrypted(b"x", bytes(32)))


def test_d12_secrets_are_known_by_more_than_their_exact_names(manager_of: Make) -> None:
    redactor = Redactor()
    manager_of(redactor=redactor).initialize()
    for name in ("db_password", "Authorization", "apiKey", "ENCRYPTION_KEY"):
        assert redactor.hides(name)
    shown = redactor.value({"url": "postgres://me:hunter22@host/db", "note": f"the key is {KEY_TEXT}"})
    assert "hunter22" not in str(shown)
    assert KEY_TEXT not in str(shown)


def test_d13_using_a_key_writes_nothing_and_shares_nothing_between_managers(manager_of: Make) -> None:
    path = key_file(default_key_file())
    before = (path.stat().st_mtime_ns, path.stat().st_ino)
    first, second = manager_of(environ={}), manager_of(environ={})
    first.decrypt_data(first.encrypt_data(b"x"))
    first.cleanup()
    assert second.decrypt_data(second.encrypt_data(b"x")) == b"x"
    assert (path.stat().st_mtime_ns, path.stat().st_ino) == before
    assert default_key_file().is_absolute()


def test_d14_a_file_tells_no_name_no_size_and_no_time(tmp_path: Path, manager_of: Make) -> None:
    pytest.importorskip("pamola_tasks_paths.guard", reason="the path guard is not installed")
    from pamola_tasks.storage.files import Files
    from pamola_tasks_paths.guard import ProjectGuard

    manager = manager_of(settings=EncryptionSettings())
    files = Files(ProjectGuard(tmp_path)).encrypting(manager)
    files.write("very_telling_name.csv", b"content", "data")
    path = tmp_path / "very_telling_name.csv"
    data = path.read_bytes()
    assert b"telling" not in data
    assert b".csv" not in data
    assert stat.S_IMODE(path.stat().st_mode) == 0o600 or sys.platform == "win32"


def test_a_context_encrypts_and_does_not_hand_out_the_key(manager_of: Make) -> None:
    manager = manager_of()
    manager.initialize()
    context = EncryptionContext.of(manager)
    assert context.can_encrypt
    assert context.decrypt_data(context.encrypt_data(b"x")) == b"x"
    assert context.to_dict() == {"mode": "simple", "key_fingerprint": fingerprint_of(KEY), "can_encrypt": True}
    shown = repr(context) + json.dumps(context.to_dict()) + repr(vars(context))
    assert KEY_TEXT[:12] not in shown
    assert KEY.hex()[:12] not in shown


def test_a_context_made_by_hand_only_tells(manager_of: Make) -> None:
    context = EncryptionContext(EncryptionMode.SIMPLE, "abcd")
    assert context.to_dict() == {"mode": "simple", "key_fingerprint": "abcd", "can_encrypt": False}
    with pytest.raises(EncryptionError, match="only names"):
        context.encrypt_data(b"x")
