"""Key files that are written: locked, private from their first moment, never over another; and the sheet of paper."""

from __future__ import annotations

import json
import os
import stat
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import attrs
import pytest
from encryption_samples import KEY, OTHER_KEY, PROJECT, key_file

from pamola_tasks_encryption.errors import ExtraMissing, KeyDamaged, KeyLocked, KeyMissing, KeyRefused, WrongKey
from pamola_tasks_encryption.keyfile import KeyDocument, Means, PassphraseLock, RecipientLock
from pamola_tasks_encryption.keys import KeyFileStore, KeyringStore, default_key_file, find_key
from pamola_tasks_encryption.private_files import key_directory, write_private_file
from pamola_tasks_encryption.sheet import key_from_sheet, recovery_sheet

POSIX = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no owners and modes")
PASSPHRASE = "correct horse battery"


@pytest.fixture(scope="module")
def lock() -> PassphraseLock:
    return PassphraseLock.of(PASSPHRASE, KEY)


def locked_text(lock: Any) -> bytes:
    return attrs.evolve(KeyDocument.plain(KEY), key=None, locks=(lock,)).to_text().encode()


def opened(text: bytes, means: Means) -> bytes:
    return KeyDocument.parse(text, "test").open(means, "test")


# ---------------------------------------------------------------- locks


def test_a_passphrase_opens_its_lock_and_argon2id_costs_what_is_promised(lock: PassphraseLock) -> None:
    assert opened(locked_text(lock), Means(passphrase=PASSPHRASE)) == KEY
    assert (lock.memory_kib, lock.passes, lock.lanes) == (65536, 3, 4)


def test_the_same_passphrase_from_another_keyboard_opens_too() -> None:
    lock = PassphraseLock.of("Gr\u00fc\u00dfe aus K\u00f6ln", KEY)
    assert opened(locked_text(lock), Means(passphrase="Gru\u0308\u00dfe aus Ko\u0308ln")) == KEY


def test_a_locked_key_without_or_with_the_wrong_passphrase_is_refused(lock: PassphraseLock) -> None:
    with pytest.raises(KeyLocked, match="PAMOLA_PASSPHRASE"):
        opened(locked_text(lock), Means())
    with pytest.raises(WrongKey, match="passphrase opens no lock"):
        opened(locked_text(lock), Means(passphrase="another passphrase"))


def test_the_key_does_not_stand_in_a_locked_file(lock: PassphraseLock) -> None:
    text = locked_text(lock)
    assert KeyDocument.plain(KEY).to_text().split('"key": "')[1][:20].encode() not in text
    assert "key" not in json.loads(text)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("memory_kib", 1 << 21),
        ("memory_kib", 1024),
        ("memory_kib", "65536"),
        ("memory_kib", True),
        ("passes", 17),
        ("passes", 0),
        ("passes", 10**12),
        ("lanes", 1000),
        ("lanes", None),
        ("algorithm", "pbkdf2"),
        ("kind", "prayer"),
        ("salt", "AAAA"),
        ("nonce", ""),
        ("sealed", "!"),
    ],
)
def test_what_a_lock_asks_for_is_bounded_before_anything_is_computed(
    lock: PassphraseLock, name: str, value: Any
) -> None:
    document = json.loads(locked_text(lock))
    document["locks"][0][name] = value
    with pytest.raises(KeyDamaged):
        opened(json.dumps(document).encode(), Means(passphrase=PASSPHRASE))


@pytest.mark.parametrize(
    "change",
    [
        {"id": "00" * 8},
        {"id": 5},
        {"locks": "none"},
        {"locks": [5]},
        {"locks": []},
        {"previous": 1},
        {"previous": {"id": "00" * 8, "sealed": "AAAA"}},
        {"schema": 3},
        {"schema": True},
        {"key": 5},
    ],
)
def test_a_damaged_document_is_reported_as_such(lock: PassphraseLock, change: dict[str, Any]) -> None:
    document = json.loads(locked_text(lock)) | change
    with pytest.raises((KeyDamaged, WrongKey)):
        opened(json.dumps(document).encode(), Means(passphrase=PASSPHRASE))


def test_a_recipient_opens_a_key_with_the_private_one(tmp_path: Path) -> None:
    pyrage = pytest.importorskip("pyrage", reason="the extra [age] (pyrage) is not installed")
    mine, theirs = pyrage.x25519.Identity.generate(), pyrage.x25519.Identity.generate()
    text = locked_text(RecipientLock.of(str(mine.to_public()), KEY))
    assert opened(text, Means(identity=key_file(tmp_path / "mine", str(mine)))) == KEY
    with pytest.raises(WrongKey, match="identity"):
        opened(text, Means(identity=key_file(tmp_path / "theirs", str(theirs))))
    with pytest.raises(KeyLocked, match="identity_file"):
        opened(text, Means())


def test_a_previous_key_is_remembered_and_only_the_new_one_opens_it() -> None:
    document = KeyDocument.plain(OTHER_KEY).replacing(KEY, OTHER_KEY)
    again = KeyDocument.parse(document.to_text().encode(), "test")
    assert again.previous(OTHER_KEY, "test") == KEY
    assert again.finished() == KeyDocument.plain(OTHER_KEY)
    with pytest.raises(KeyDamaged, match="previous"):
        again.previous(KEY, "test")


def test_a_locked_key_file_is_found_with_the_passphrase_of_the_environment(lock: PassphraseLock) -> None:
    key_file(default_key_file(PROJECT), locked_text(lock))
    with find_key({"PAMOLA_PASSPHRASE": PASSPHRASE}, PROJECT).key as raw:
        assert raw == KEY
    with pytest.raises(KeyLocked):
        find_key({}, PROJECT)


# ---------------------------------------------------------------- files


@POSIX
def test_a_key_file_is_private_when_it_is_made_and_not_only_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[str, int]] = []
    opening = os.open

    def watched(path: Any, flags: int, mode: int = 0o777, **more: Any) -> int:
        descriptor = opening(path, flags, mode, **more)
        if flags & os.O_CREAT:
            seen.append((str(path), stat.S_IMODE(os.fstat(descriptor).st_mode)))
        return descriptor

    monkeypatch.setattr(os, "open", watched)
    before = os.umask(0)
    try:
        write_private_file(tmp_path / "new/folder/project.key", "x")
        write_private_file(tmp_path / "new/folder/project.key", "y", replace=True)
    finally:
        os.umask(before)
    assert [mode for _, mode in seen] == [0o600, 0o600]
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o700
    assert stat.S_IMODE((tmp_path / "new/folder").stat().st_mode) == 0o700
    assert [path.name for path in (tmp_path / "new/folder").iterdir()] == ["project.key"]
    assert (tmp_path / "new/folder/project.key").read_text() == "y"


def test_a_key_is_never_written_over_another_nor_through_a_link(tmp_path: Path) -> None:
    path = key_file(tmp_path / "key", "precious")
    with pytest.raises(KeyRefused, match="ever written over"):
        write_private_file(path, "new")
    (tmp_path / "dangling").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(KeyRefused, match="ever written over"):
        write_private_file(tmp_path / "dangling", "new")
    assert path.read_text() == "precious"
    assert sorted(p.name for p in tmp_path.iterdir() if p.name != "home") == ["dangling", "key"]


@POSIX
def test_a_folder_of_keys_that_is_open_to_others_gets_no_key() -> None:
    key_directory().mkdir(parents=True, mode=0o755)
    key_directory().chmod(0o755)
    with pytest.raises(KeyRefused, match="chmod 700"):
        write_private_file(default_key_file(), "x")
    assert list(key_directory().iterdir()) == []


def test_a_place_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(KeyRefused, match="cannot be written"):
        write_private_file(tmp_path / "file/project.key", "x")


def test_a_retired_key_stays_beside_and_is_not_replaced(tmp_path: Path) -> None:
    store = KeyFileStore(tmp_path / "keys/project.key", "test")
    place = Path(store.retire("old", "0011"))
    assert place.read_text() == "old"
    assert store.retire("old", "0011") == str(place)
    with pytest.raises(KeyRefused, match="other content"):
        store.retire("something else", "0011")
    assert place.read_text() == "old"


# ---------------------------------------------------------------- paper


def sheet() -> str:
    return recovery_sheet(KEY, PROJECT, "a place", datetime(2026, 1, 2, tzinfo=UTC))


def test_a_sheet_gives_back_the_key_however_it_was_typed() -> None:
    text = sheet()
    assert key_from_sheet(text.encode(), "sheet") == KEY
    rows = [line.strip() for line in text.splitlines() if line.strip()[:2] in ("1:", "2:", "3:", "4:")]
    assert len(rows) == 4
    typed = "\n".join(f"{row[0]}.  {row[2:].lower().replace(' ', '')}" for row in reversed(rows))
    assert key_from_sheet(typed.replace("o", "0").replace("i", "1").encode(), "sheet") == KEY


def test_each_mistyped_or_missing_row_is_named() -> None:
    for number in (1, 2, 3, 4):
        lines = sheet().splitlines()
        at = next(i for i, line in enumerate(lines) if line.strip().startswith(f"{number}:"))
        for position in (7, 12, 16, 22):
            row = lines[at]
            letter = "Q" if row[position] != "Q" else "R"
            mistyped = [*lines[:at], row[:position] + letter + row[position + 1 :], *lines[at + 1 :]]
            with pytest.raises(KeyDamaged, match=f"row {number} .* mistyped"):
                key_from_sheet("\n".join(mistyped).encode(), "sheet")
        with pytest.raises(KeyDamaged, match=f"row {number} .* missing"):
            key_from_sheet("\n".join(lines[:at] + lines[at + 1 :]).encode(), "sheet")


# ---------------------------------------------------------------- the system's keyring


def backend_named(module: str, name: str, base: type) -> Any:
    kept: dict[tuple[str, str], str] = {}
    return type(
        name,
        (base,),
        {
            "__module__": module,
            "priority": 1,
            "get_password": lambda self, service, entry: kept.get((service, entry)),
            "set_password": lambda self, service, entry, text: kept.__setitem__((service, entry), text),
            "delete_password": lambda self, service, entry: kept.pop((service, entry)),
        },
    )()


@pytest.fixture
def keyring() -> Any:
    module = pytest.importorskip("keyring", reason="the extra [keyring] is not installed")
    before = module.get_keyring()
    yield module
    module.set_keyring(before)


def test_a_keyring_that_keeps_secrets_holds_the_key(keyring: Any) -> None:
    keyring.set_keyring(backend_named("vendor.vault", "Vault", keyring.backend.KeyringBackend))
    with pytest.raises(KeyMissing, match="keys init"):
        find_key({}, PROJECT, keyring=True)
    store = KeyringStore(PROJECT)
    store.create(KeyDocument.plain(KEY).to_text())
    with find_key({}, PROJECT, keyring=True).key as raw:
        assert raw == KEY
    with pytest.raises(KeyRefused, match="ever written over"):
        store.create("another")


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("keyrings.alt.file", "PlaintextKeyring"),
        ("keyrings.alt.file", "EncryptedKeyring"),
        ("keyring.backends.null", "Keyring"),
        ("keyring.backends.fail", "Keyring"),
        ("vendor", "NullVault"),
    ],
)
def test_a_keyring_that_keeps_readable_text_or_nothing_is_refused(keyring: Any, module: str, name: str) -> None:
    keyring.set_keyring(backend_named(module, name, keyring.backend.KeyringBackend))
    with pytest.raises(KeyRefused, match=name):
        KeyringStore(PROJECT)


def test_without_the_package_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "keyring", None)
    with pytest.raises(ExtraMissing, match=r"pamola-tasks-encryption\[keyring\]"):
        find_key({}, PROJECT, keyring=True)
