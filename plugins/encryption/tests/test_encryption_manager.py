"""The encryption service does what it was asked for, or says why not before anything is written."""

from __future__ import annotations

import base64
import io
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import pytest
from encryption_samples import KEY, KEY_TEXT, OTHER_KEY, PROJECT, Config, encrypted, fingerprint_of, key_file

from pamola_tasks.errors import EXIT_SECURITY, ConfigurationError, EncryptionError
from pamola_tasks.protocols import FileEncryption
from pamola_tasks.storage.files import Files
from pamola_tasks_compat.encryption import EncryptionContext
from pamola_tasks_directories.places import ProjectPlaces
from pamola_tasks_encryption import (
    Binding,
    EncryptionManager,
    EncryptionMode,
    TaskEncryptionManager,
)
from pamola_tasks_encryption.errors import KeyDamaged, KeyMissing, KeyRefused, Tampered, WrongKey, WrongPlace
from pamola_tasks_encryption.keys import default_key_file
from pamola_tasks_redaction.secrets import Redactor

Make = Callable[..., TaskEncryptionManager]
OTHER = {"PAMOLA_KEY": base64.b64encode(OTHER_KEY).decode()}


def test_data_comes_back_any_number_of_times(manager_of: Make) -> None:
    manager = manager_of()
    assert manager.initialize() is True
    for size in (0, 1, 100, 200_000):
        data = os.urandom(size)
        locked = manager.encrypt_data(data)
        assert locked.startswith(b"ptask/1\n")
        assert [manager.decrypt_data(locked) for _ in range(3)] == [data] * 3


def test_four_threads_with_one_manager_make_a_thousand_calls_each(manager_of: Make) -> None:
    manager = manager_of()

    def comes_back(number: int) -> bool:
        data = b"%d " % number * (number % 50)
        return manager.decrypt_data(manager.encrypt_data(data)) == data

    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(comes_back, range(2000))) == [True] * 2000


def test_a_key_in_the_user_data_directory_is_found(manager_of: Make) -> None:
    key_file(default_key_file(PROJECT))
    manager = manager_of(environ={}, project_id=PROJECT)
    manager.initialize()
    assert manager.key_id == fingerprint_of(KEY)
    assert manager.get_encryption_info() == {
        "enabled": True,
        "mode": "simple",
        "key_available": True,
        "key_fingerprint": fingerprint_of(KEY),
        "key_source": "the project's key file",
    }


def test_using_a_key_file_any_number_of_times_writes_nothing(manager_of: Make, tmp_path: Path) -> None:
    path = key_file(tmp_path / "keys" / "key")
    path.chmod(0o400)
    path.parent.chmod(0o500)
    before = path.stat()
    for _ in range(3):
        manager = manager_of(environ={"PAMOLA_KEY_FILE": str(path)})
        manager.initialize()
        assert manager.decrypt_data(manager.encrypt_data(b"x")) == b"x"
    assert (path.stat().st_mtime_ns, path.read_text()) == (before.st_mtime_ns, KEY_TEXT)
    assert list(path.parent.iterdir()) == [path]


def test_a_relative_key_path_of_the_configuration_is_beneath_the_project(manager_of: Make, tmp_path: Path) -> None:
    key_file(tmp_path / "secrets" / "key")
    manager = manager_of(Config(encryption_key_path="secrets/key"), environ={}, project_root=tmp_path)
    assert manager.initialize()


# ---------------------------------------------------------------- nothing runs


def test_without_a_key_nothing_is_written_and_the_exit_code_is_four(manager_of: Make) -> None:
    manager = manager_of(environ={})
    with pytest.raises(KeyMissing) as caught:
        manager.initialize()
    assert caught.value.exit_code == EXIT_SECURITY
    assert manager.enabled, "encryption must never switch itself off"
    raw = io.BytesIO()
    with pytest.raises(KeyMissing):
        manager.writer(raw, role="data", task_id="t_1")
    assert raw.getvalue() == b""
    info = manager.get_encryption_info()
    assert info["key_available"] is False
    assert info["initialization_error"].startswith("there is no key")


def test_each_thing_that_can_be_wrong_with_a_key_is_said_differently(manager_of: Make, tmp_path: Path) -> None:
    path = tmp_path / "key"
    environ = {"PAMOLA_KEY_FILE": str(path)}
    messages: list[str] = []

    def failing(kind: type[EncryptionError]) -> None:
        with pytest.raises(kind) as caught:
            manager_of(environ=environ).initialize()
        assert caught.value.exit_code == EXIT_SECURITY
        messages.append(str(caught.value))

    failing(KeyMissing)
    key_file(path, "damaged")
    failing(KeyDamaged)
    key_file(path, mode=0o644)
    failing(KeyRefused)
    real = key_file(tmp_path / "real")
    path.unlink()
    path.symlink_to(real)
    path.parent.chmod(0o777)  # others could redirect the link
    failing(KeyRefused)
    path.parent.chmod(0o700)
    locked = manager_of().encrypt_data(b"x")
    with pytest.raises(WrongKey) as caught:
        manager_of(environ=OTHER).decrypt_data(locked)
    messages.append(str(caught.value))
    assert len(set(messages)) == 5


@pytest.mark.parametrize("mode", ["rot13", "simpel", "fernet", "Agee"])
def test_an_unknown_mode_is_an_error_and_never_another_mode(manager_of: Make, mode: str) -> None:
    with pytest.raises(ConfigurationError, match=mode) as caught:
        manager_of(Config(encryption_mode=mode)).initialize()
    if mode == "simpel":
        assert "did you mean simple?" in str(caught.value)


def test_encryption_with_the_mode_none_is_an_error(manager_of: Make) -> None:
    with pytest.raises(ConfigurationError, match="encryption_mode is none"):
        manager_of(Config(encryption_mode="none")).initialize()


def test_an_unset_mode_is_simple_and_an_enum_is_as_good_as_text(manager_of: Make) -> None:
    assert manager_of(Config(encryption_mode="")).mode == "simple"
    assert manager_of(Config(encryption_mode=EncryptionMode.SIMPLE)).mode == "simple"  # type: ignore[arg-type]
    assert manager_of(Config(use_encryption=False, encryption_mode="simple")).mode == "none"


def test_a_run_that_does_not_encrypt_needs_no_key_and_pretends_nothing(manager_of: Make) -> None:
    manager = manager_of(Config(use_encryption=False), environ={})
    assert manager.initialize()
    assert manager.get_encryption_info() == {"enabled": False, "mode": "none", "key_available": False}
    with pytest.raises(EncryptionError, match="encryption is off"):
        manager.encrypt_data(b"x")
    assert not EncryptionContext.of(manager).can_encrypt


# ---------------------------------------------------------------- files


def test_a_run_that_does_not_encrypt_reads_encrypted_inputs_when_it_has_the_key(manager_of: Make) -> None:
    locked = manager_of().encrypt_data(b"input")
    reading = Config(use_encryption=False)
    assert manager_of(reading).decrypt_data(locked) == b"input"
    with pytest.raises(KeyMissing):
        manager_of(reading, environ={}).decrypt_data(locked)


def test_the_output_of_one_task_does_not_open_under_another_or_in_another_role(manager_of: Make) -> None:
    locked = manager_of(Config(task_id="A")).encrypt_data(b"x")
    with pytest.raises(WrongPlace, match="task"):
        manager_of(Config(task_id="B")).decrypt_data(locked)
    with pytest.raises(WrongPlace, match="role"):
        manager_of(Config(task_id="A")).decrypt_data(locked, role="state")
    with pytest.raises(WrongPlace, match="project"):
        manager_of(Config(task_id="A"), project_id=PROJECT).decrypt_data(locked)


def test_what_is_encrypted_is_told_from_the_file_whatever_the_present_mode(manager_of: Make, tmp_path: Path) -> None:
    path = tmp_path / "file"
    for config in (Config(), Config(use_encryption=False), Config(encryption_mode="age")):
        manager = manager_of(config)
        path.write_bytes(encrypted(b"x"))
        assert manager.is_encrypted(path.read_bytes())
        path.write_bytes(b"age-encryption.org/v1\n")
        assert manager.is_encrypted(path.read_bytes())
        path.write_bytes(b"name,age\n")
        assert not manager.is_encrypted(path.read_bytes())
        path.write_bytes(b"")
        assert not manager.is_encrypted(path.read_bytes())


def test_an_input_with_a_key_of_its_own_opens_with_that_key_only(manager_of: Make) -> None:
    theirs = Binding("their project", "", "data")
    file = encrypted(b"x", OTHER_KEY, theirs)
    given = {"customers": OTHER["PAMOLA_KEY"]}
    manager = manager_of(Config(task_id="", use_encryption=False), input_keys=given, environ={})
    assert manager.decrypt_data(file) == b"x"
    with pytest.raises(WrongPlace, match="role"):
        manager.decrypt_data(file, role="state")
    with pytest.raises(WrongKey):
        manager_of(Config(task_id="")).decrypt_data(file)
    with pytest.raises(WrongPlace, match="project"):
        manager_of(Config(task_id=""), environ=OTHER).decrypt_data(file)
    ours = manager_of(Config(task_id=""), input_keys=given)
    assert ours.decrypt_data(ours.encrypt_data(b"y")) == b"y"


def test_a_damaged_key_of_an_input_is_found_at_the_start(manager_of: Make) -> None:
    manager = manager_of(Config(use_encryption=False), input_keys={"customers": "nonsense"}, environ={})
    with pytest.raises(KeyDamaged, match="customers"):
        manager.initialize()


def test_what_is_not_encrypted_is_refused_as_such(manager_of: Make) -> None:
    with pytest.raises(Tampered, match="not an encrypted file"):
        manager_of().decrypt_data(b"name,age\nAnn,33\n")


def test_a_file_tells_which_key_it_needs(manager_of: Make) -> None:
    manager = manager_of()
    file = encrypted(b"x", OTHER_KEY)
    assert manager.file_key_id(file[:4096]) == fingerprint_of(OTHER_KEY)
    assert manager.file_key_id(file[:100]) == ""
    assert manager.file_key_id(b"age-encryption.org/v1\n") == ""
    assert manager.file_key_id(b"plain") == ""


class Folder:
    """The least of a path guard: files of one folder."""

    def __init__(self, root: Path) -> None:
        self.root = root

    @contextmanager
    def open(self, name: str, mode: str = "rb") -> Iterator[IO[bytes]]:
        with (self.root / name).open("rb") as file:
            yield file

    @contextmanager
    def create(self, name: str, *, exclusive: bool, mode: int) -> Iterator[IO[bytes]]:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(f"{path}.tmp", os.O_CREAT | os.O_EXCL | os.O_WRONLY, mode)
        try:
            with open(descriptor, "wb") as file:
                yield file
        except BaseException:
            os.unlink(f"{path}.tmp")
            raise
        os.replace(f"{path}.tmp", path)


def files_of(manager: TaskEncryptionManager, root: Path, task: str = "A") -> Files:
    guard: Any = Folder(root)
    files = Files(guard)
    return files.encrypting(manager, ProjectPlaces(files).owner_of)


@pytest.mark.parametrize("role", ["data", "artifact", "state"])
def test_through_run_files_nothing_that_holds_data_is_readable_without_the_key(
    manager_of: Make, tmp_path: Path, role: Any
) -> None:
    planted = [f"planted value {n:04}" for n in range(200)]
    manager = manager_of(Config(task_id="A"))
    files = files_of(manager, tmp_path)
    name = "DATA/processed/A/output/safe.csv"
    with files.create(name, role) as file:
        file.write("\n".join(planted).encode())
    on_disk = (tmp_path / name).read_bytes()
    assert file.encrypted
    assert not [value for value in planted if value.encode() in on_disk]
    assert (tmp_path / name).stat().st_mode & 0o077 == 0
    assert files.read(name, role).decode().split("\n") == planted
    assert files.encryption_of(name) == FileEncryption("simple", manager.key_id)
    os.makedirs(tmp_path / "DATA/processed/B/output")
    os.rename(tmp_path / name, tmp_path / "DATA/processed/B/output/safe.csv")
    with pytest.raises(WrongPlace):
        files.read("DATA/processed/B/output/safe.csv", role)


def test_through_run_files_a_failed_write_leaves_no_file(manager_of: Make, tmp_path: Path) -> None:
    files = files_of(manager_of(Config(task_id="A")), tmp_path)

    def fail_half_way() -> None:
        with files.create("DATA/processed/A/output/x.csv", "data") as file:
            file.write(b"half of it")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail_half_way()
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_through_run_files_without_a_key_no_file_appears(manager_of: Make, tmp_path: Path) -> None:
    files = files_of(manager_of(Config(task_id="A"), environ={}), tmp_path)
    with pytest.raises(KeyMissing), files.create("DATA/processed/A/output/x.csv", "data") as file:
        file.write(b"plain")
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


# ---------------------------------------------------------------- contexts and keys


def test_derived_keys_depend_on_key_and_purpose_only_and_need_a_key(manager_of: Make) -> None:
    manager = manager_of()
    first = manager.derive_key("pseudonyms")
    assert len(first) == 32
    assert first == manager_of(Config(task_id="other", use_encryption=False)).derive_key("pseudonyms")
    assert first == EncryptionContext.of(manager).derive_key("pseudonyms")
    assert len({first, manager.derive_key("tokens"), manager_of(environ=OTHER).derive_key("pseudonyms"), KEY}) == 4
    with pytest.raises(KeyMissing):
        manager_of(environ={}).derive_key("pseudonyms")


def test_after_cleanup_the_key_is_forgotten_until_initialized_again(manager_of: Make) -> None:
    manager = manager_of()
    manager.initialize()
    locked = manager.encrypt_data(b"x")
    manager.cleanup()
    manager.cleanup()
    with pytest.raises(EncryptionError, match="has deleted its keys"):
        manager.encrypt_data(b"x")
    with pytest.raises(EncryptionError, match="has deleted its keys"):
        manager.decrypt_data(locked)
    manager.initialize()
    assert manager.decrypt_data(locked) == b"x"


def test_the_key_is_masked_in_whatever_the_run_writes(manager_of: Make) -> None:
    redactor = Redactor()
    manager_of(redactor=redactor).initialize()
    for text in (KEY_TEXT, KEY.hex(), base64.urlsafe_b64encode(KEY).decode(), KEY_TEXT.rstrip("=")):
        assert text.rstrip("=") not in redactor(f"it was {text} all along")


def test_the_public_names_and_supported_modes() -> None:
    assert EncryptionManager is TaskEncryptionManager
    assert [EncryptionMode.from_string(mode) for mode in ("none", "SIMPLE", "age")] == list(EncryptionMode)


def test_files_made_by_hand_with_the_container_open_through_the_manager(manager_of: Make) -> None:
    file = encrypted(b"x", binding=Binding("", "t_1", "data"))
    assert manager_of().decrypt_data(file) == b"x"
