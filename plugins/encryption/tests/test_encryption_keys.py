"""Keys come from where people put them; what cannot be trusted is refused and left as it is."""

from __future__ import annotations

import base64
import copy
import json
import os
import pickle
import shlex
import stat
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from encryption_samples import KEY, KEY_TEXT, OTHER_KEY, PROJECT, fingerprint_of, key_file

from pamola_tasks.errors import EncryptionError
from pamola_tasks_encryption.errors import KeyDamaged, KeyMissing, KeyRefused
from pamola_tasks_encryption.keys import (
    MemoryProtectedKey,
    default_key_file,
    find_key,
    parse_key,
)

POSIX = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no owners and modes")
AS_JSON = json.dumps({"schema": 1, "id": fingerprint_of(KEY), "key": KEY_TEXT})


def raw(key: MemoryProtectedKey) -> bytes:
    with key as material:
        return material


@pytest.mark.parametrize(
    "content",
    [KEY_TEXT, KEY_TEXT + "\n", KEY_TEXT + "\r\n", AS_JSON, AS_JSON + "\n", base64.urlsafe_b64encode(KEY).decode()],
)
def test_a_key_is_base64_or_our_json_with_or_without_a_line_end(content: str) -> None:
    assert raw(parse_key(content.encode(), "test")) == KEY


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ("", "0 bytes"),
        ("not base64 at all!", "not base64"),
        (KEY_TEXT[:-4], "bytes and not 32"),
        (KEY_TEXT[:20] + "\n" + KEY_TEXT[20:], "not base64"),
        (base64.b64encode(KEY + b"x").decode(), "33 bytes"),
        ("{", "JSON cannot be read"),
        ("{}", "schema"),
        (AS_JSON.replace('"schema": 1', '"schema": 3'), "schema"),
        (json.dumps({"schema": 1, "id": fingerprint_of(KEY)}), "no text `key`"),
        (json.dumps({"schema": 1, "id": fingerprint_of(OTHER_KEY), "key": KEY_TEXT}), "does not belong"),
        ("\udcff" * 44, "not base64"),
    ],
)
def test_a_damaged_key_says_what_is_wrong_and_shows_nothing_of_itself(content: str, why: str) -> None:
    with pytest.raises(KeyDamaged, match=why) as caught:
        parse_key(content.encode("utf-8", "surrogateescape"), "PAMOLA_KEY")
    assert "PAMOLA_KEY" in str(caught.value)
    assert KEY_TEXT[:12] not in str(caught.value)


def test_the_first_source_wins(tmp_path: Path) -> None:
    named = key_file(tmp_path / "named", base64.b64encode(b"n" * 32).decode())
    configured = key_file(tmp_path / "configured", base64.b64encode(b"c" * 32).decode())
    key_file(default_key_file(PROJECT), base64.b64encode(b"p" * 32).decode())
    key_file(default_key_file(), base64.b64encode(b"d" * 32).decode())
    environ = {"PAMOLA_KEY_FILE": str(named), "PAMOLA_KEY": KEY_TEXT}

    def found(configured: Path | None = configured) -> tuple[bytes, str]:
        key = find_key(environ, PROJECT, configured)
        return raw(key.key), key.source

    assert found() == (b"n" * 32, "PAMOLA_KEY_FILE")
    del environ["PAMOLA_KEY_FILE"]
    assert found() == (KEY, "PAMOLA_KEY")
    del environ["PAMOLA_KEY"]
    assert found() == (b"c" * 32, "encryption_key_path")
    assert found(None) == (b"p" * 32, "the project's key file")
    assert raw(find_key({}).key) == b"d" * 32


def test_a_project_with_an_id_does_not_take_the_default_key() -> None:
    key_file(default_key_file())
    with pytest.raises(KeyMissing, match=PROJECT):
        find_key({}, PROJECT)


def test_a_source_that_cannot_be_used_is_an_error_and_not_skipped(tmp_path: Path) -> None:
    key_file(default_key_file())
    with pytest.raises(KeyMissing, match="PAMOLA_KEY_FILE"):
        find_key({"PAMOLA_KEY_FILE": str(tmp_path / "absent"), "PAMOLA_KEY": KEY_TEXT})
    with pytest.raises(KeyDamaged):
        find_key({"PAMOLA_KEY": ""})


@pytest.mark.parametrize("project", ["../../etc/passwd", "a/b", "", "x" * 65, "a\0b"])
def test_a_project_id_never_leads_out_of_the_key_directory(project: str) -> None:
    if project == "":
        assert default_key_file(project).name == "default.key"
        return
    with pytest.raises(KeyRefused, match="not a UUID"):
        default_key_file(project)


def test_without_a_key_the_message_says_how_to_make_one_and_none_is_made() -> None:
    with pytest.raises(KeyMissing, match="keys init"):
        find_key({})
    assert not default_key_file().parent.exists()


@POSIX
@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o620, 0o602, 0o601, 0o777])
def test_a_key_that_others_can_reach_is_refused(tmp_path: Path, mode: int) -> None:
    path = key_file(tmp_path / "key", mode=mode)
    with pytest.raises(KeyRefused, match=f"mode {mode:04o}"):
        find_key({"PAMOLA_KEY_FILE": str(path)})


@POSIX
def test_a_key_behind_symbolic_links_is_refused_where_others_can_redirect_them(tmp_path: Path) -> None:
    """As Kubernetes mounts secrets: `key` leads to `..data/key`, and `..data` to a folder of that version."""
    version, link = tmp_path / "..2026_11", tmp_path / "key"
    made = key_file(version / "key")
    (tmp_path / "..data").symlink_to(version.name)
    link.symlink_to("..data/key")
    found = find_key({"PAMOLA_KEY_FILE": str(link)}).key.fingerprint
    assert found == find_key({"PAMOLA_KEY_FILE": str(made)}).key.fingerprint
    for folder in (tmp_path, version):
        folder.chmod(0o777)
        with pytest.raises(KeyRefused, match=r"another key in the place of.*chmod go-w"):
            find_key({"PAMOLA_KEY_FILE": str(link)})
        folder.chmod(0o1777)  # each entry is its owner's, as in /tmp and in what Kubernetes mounts
        assert find_key({"PAMOLA_KEY_FILE": str(link)})


ROOT = pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can give files away")


@ROOT
@pytest.mark.parametrize("mode", [0o400, 0o440, 0o444])
def test_what_is_mounted_read_only_is_accepted(tmp_path: Path, mode: int) -> None:
    """Docker: 0444, root's. Kubernetes with fsGroup, systemd: 0440."""
    path = key_file(tmp_path / "key", mode=mode)
    assert find_key({"PAMOLA_KEY_FILE": str(path)})
    tmp_path.chmod(0o777)
    os.chown(tmp_path, 12345, -1)
    if mode != 0o400:
        with pytest.raises(KeyRefused, match="chmod go-w"):
            find_key({"PAMOLA_KEY_FILE": str(path)})


@pytest.fixture
def public_folder() -> Iterator[Path]:
    """A folder that every user can look into, which those of pytest are not."""
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        yield Path(folder)


@ROOT
@pytest.mark.parametrize(
    ("mode", "group", "accepted"),
    [(0o440, 4711, True), (0o444, 0, True), (0o644, 0, True), (0o660, 4711, False), (0o646, 0, False)],
)
def test_another_user_reads_the_key_that_root_has_mounted(
    public_folder: Path, mode: int, group: int, accepted: bool
) -> None:
    """As a process of the user 4711 in a container: what nobody but root can write."""
    path = key_file(public_folder / "key", mode=mode)
    os.chown(path, 0, group)
    child = os.fork()
    if child == 0:
        os.setgid(4711)
        os.setuid(4711)
        try:
            find_key({"PAMOLA_KEY_FILE": str(path)})
        except KeyRefused:
            os._exit(1)
        os._exit(0)
    assert (os.waitpid(child, 0)[1] == 0) == accepted


def test_a_program_prints_the_key_and_no_shell_reads_its_name(tmp_path: Path) -> None:
    """PAMOLA_KEY_COMMAND, and the setting; what goes wrong is told."""
    source = key_file(tmp_path / "a key; touch there")
    code = f"import sys; sys.stdout.write(open({str(source)!r}).read())"
    wanted = find_key({"PAMOLA_KEY_FILE": str(source)}).key.fingerprint
    assert find_key({}, command=[sys.executable, "-c", code]).key.fingerprint == wanted
    environ = {
        "PAMOLA_KEY_COMMAND": shlex.join([sys.executable, "-c", code]),
        "PAMOLA_KEY": base64.b64encode(OTHER_KEY).decode(),
    }
    assert find_key(environ).key.fingerprint == wanted
    for command, said in [
        ("no-such-program-here x", "no-such-program-here: No such file"),
        (shlex.join([sys.executable, "-c", "raise SystemExit(3)"]), "ended with 3"),
        ("", "is empty"),
    ]:
        with pytest.raises(KeyRefused, match=said):
            find_key({"PAMOLA_KEY_COMMAND": command})


@ROOT
def test_a_key_of_another_user_is_refused(tmp_path: Path) -> None:
    path = key_file(tmp_path / "key")
    os.chown(path, 12345, -1)
    with pytest.raises(KeyRefused, match="another user"):
        find_key({"PAMOLA_KEY_FILE": str(path)})


@POSIX
def test_what_is_no_regular_file_is_refused_without_waiting_for_it(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe", 0o600)
    (tmp_path / "folder").mkdir(mode=0o700)
    for name in ("pipe", "folder"):
        with pytest.raises(KeyRefused, match="not a regular file"):
            find_key({"PAMOLA_KEY_FILE": str(tmp_path / name)})
    with pytest.raises(KeyRefused, match="not a regular file"):
        find_key({"PAMOLA_KEY_FILE": "/dev/zero"} if os.geteuid() == 0 else {"PAMOLA_KEY_FILE": str(tmp_path / "pipe")})


def test_an_enormous_key_file_is_refused_without_being_read_whole(tmp_path: Path) -> None:
    path = key_file(tmp_path / "key", b"")
    with path.open("r+b") as file:
        file.truncate(1 << 40)
    with pytest.raises(KeyDamaged, match="too large"):
        find_key({"PAMOLA_KEY_FILE": str(path)})


def test_whatever_is_wrong_with_it_the_key_file_stays_as_it_was(tmp_path: Path) -> None:
    messages = set()
    for number, (content, mode) in enumerate(
        [(b"damaged", 0o600), (b"", 0o600), (KEY_TEXT.encode(), 0o644), (b"\x00" * 32, 0o600), (b"{", 0o600)]
    ):
        path = key_file(tmp_path / f"key{number}", content, mode)
        before = path.stat()
        with pytest.raises(EncryptionError) as caught:
            find_key({"PAMOLA_KEY_FILE": str(path)})
        messages.add(str(caught.value).replace(str(path), "KEY"))
        assert path.read_bytes() == content
        assert (path.stat().st_mtime_ns, stat.S_IMODE(path.stat().st_mode)) == (before.st_mtime_ns, mode)
        assert sorted(p.name for p in tmp_path.iterdir() if "key" in p.name)[-1] == f"key{number}"
    assert len(messages) >= 4


def test_a_key_is_used_any_number_of_times_and_from_several_threads() -> None:
    key = MemoryProtectedKey(KEY)
    seen: list[bytes] = []

    def use() -> None:
        for _ in range(200):
            with key as material:
                seen.append(material)

    threads = [threading.Thread(target=use) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == [KEY] * 800


def test_a_key_shows_itself_nowhere() -> None:
    key = MemoryProtectedKey(KEY)
    for text in (repr(key), str(key), f"{key}", key.key_id, key.fingerprint):
        assert KEY.hex()[:16] not in text
        assert KEY_TEXT[:12] not in text
        assert repr(KEY)[2:-1] not in text
    with pytest.raises(EncryptionError, match="pickled"):
        pickle.dumps(key)
    with pytest.raises(EncryptionError, match="copied"):
        copy.deepcopy(key)


def test_a_cleared_key_is_gone() -> None:
    key = MemoryProtectedKey(KEY)
    key.clear()
    with pytest.raises(EncryptionError, match="cleared"):
        raw(key)
    assert not any(key._material)


def test_keys_have_different_ids_that_stay_the_same() -> None:
    ids = {fingerprint_of(bytes([n]) * 32) for n in range(100)}
    assert len(ids) == 100
    assert fingerprint_of(KEY) == "a995cae4f9ac7d88"
    assert MemoryProtectedKey(KEY).key_id == "key_" + fingerprint_of(KEY)[:8]
    assert MemoryProtectedKey(KEY, "mine").key_id == "mine"
