"""Files of a run: opened through a guard, hashed while written, whole or absent; names that are names everywhere."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import io
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kernel_kit import Disk, DiskPlaces, OsGuard, Xor, XorFormat, files_below

from pamola_tasks import Kernel, hookimpl
from pamola_tasks.errors import EncryptionError, PathSecurityError, PluginError
from pamola_tasks.protocols import ContentHash, FileEncryption, Project
from pamola_tasks.storage import system
from pamola_tasks.storage.files import Files, check_name, is_temporary, temporary_name
from pamola_tasks.storage.hashing import Containers, recognise


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(OsGuard(tmp_path), containers=Containers(lambda: {"ptask/1 ": lambda: XorFormat(None)}))  # type: ignore[arg-type]


# ---------------------------------------------------------------- writing and reading


def test_a_file_appears_whole_when_its_block_ends_with_its_hash_and_size(files: Files, tmp_path: Path) -> None:
    with files.create("a/b.csv", "data") as file:
        assert file.writable()
        file.write(b"one,")
        file.write(memoryview(b"two"))
        file.flush()
        file.close()
        assert file.tell() == 7
        assert not (tmp_path / "a" / "b.csv").exists()
    assert (tmp_path / "a" / "b.csv").read_bytes() == b"one,two"
    assert (file.sha256, file.size, file.encrypted) == (hashlib.sha256(b"one,two").hexdigest(), 7, False)
    assert files.sha256("a/b.csv") == file.sha256
    assert files.read("a/b.csv", "data") == b"one,two"
    assert files.stat("a/b.csv").size == 7
    assert files.encryption_of("a/b.csv") == FileEncryption("none", "")


def test_a_block_that_raises_leaves_the_old_file_and_nothing_else(files: Files, tmp_path: Path) -> None:
    files.write("a.txt", "old", "state")

    def broken() -> None:
        with files.create("a.txt", "state") as file:
            file.write(b"half of the n")
            raise RuntimeError("disk full")

    with pytest.raises(RuntimeError):
        broken()
    assert files_below(tmp_path) == {"a.txt": b"old"}


def test_exclusive_files_replace_nothing(files: Files) -> None:
    files.write("a.txt", "old", "state")
    with pytest.raises(FileExistsError), files.create("a.txt", "state", exclusive=True) as file:
        file.write(b"new")
    assert files.read("a.txt", "state") == b"old"


def test_a_text_wrapper_of_a_library_may_close_the_file(files: Files) -> None:
    with files.create("a.txt", "data") as file, io.TextIOWrapper(file, encoding="utf-8") as text:
        text.write("grüße")
    assert files.read("a.txt", "data").decode() == "grüße"


def test_a_published_file_ends_without_a_word_on_stderr(tmp_path: Path) -> None:
    """Since 3.13 (before only with -X dev) Python tells of files whose end fails."""
    import subprocess

    code = (
        "from pathlib import Path\n"
        "from kernel_kit import OsGuard\n"
        "from pamola_tasks.storage.files import Files\n"
        f"Files(OsGuard(Path({str(tmp_path)!r}))).write('a', b'1', 'data')\n"
    )
    done = subprocess.run(
        [sys.executable, "-X", "dev", "-W", "ignore", "-c", code],
        env={"PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), *sys.path])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_names_under_the_root_are_told_relative_to_it(files: Files, tmp_path: Path) -> None:
    assert files.name(tmp_path.resolve() / "a" / "b") == "a/b"
    assert files.name("a/b") == "a/b"
    assert files.name("/elsewhere/b") == "/elsewhere/b"
    assert files.root == tmp_path.resolve()


def test_directories_and_deletions_go_through_the_guard(files: Files, tmp_path: Path) -> None:
    files.mkdirs("a/b")
    files.write("a/b/c.txt", b"1", "state")
    files.replace("a/b/c.txt", "d/e.txt")
    assert [(name, stat.kind) for name, stat in files.iter()] == [("a", "directory"), ("d", "directory")]
    files.unlink("d/e.txt")
    files.unlink("d/e.txt", missing_ok=True)
    with pytest.raises(FileNotFoundError):
        files.unlink("d/e.txt")
    files.remove_tree("a")
    assert not files.exists("a")
    with pytest.raises(PathSecurityError):
        files.read("../outside.txt", "data")
    with files.append("log") as file:
        file.write(b"1")
    with files.append("log") as file:
        file.write(b"2")
    assert files.read("log", "log") == b"12"


def test_a_veto_is_asked_for_every_access_with_its_purpose(tmp_path: Path) -> None:
    asked: list[tuple[str, str]] = []

    def veto(name: str, purpose: str) -> None:
        asked.append((name, purpose))
        if "secret" in name:
            raise PathSecurityError("no")

    files = Files(OsGuard(tmp_path), veto)
    files.write("a", b"", "state")
    files.replace("a", "b")
    list(files.iter())
    files.mkdirs("c")
    files.remove_tree("c")
    files.exists("b")
    assert asked == [
        ("a", "write"),
        ("a", "write"),
        ("b", "write"),
        (".", "list"),
        ("c", "mkdir"),
        ("c", "delete"),
        ("b", "read"),
    ]
    for action in (
        lambda: files.write("secret", b"", "state"),
        lambda: files.replace("b", "secret"),
        lambda: files.encrypting(None).write("secret", b"", "state"),
    ):
        with pytest.raises(PathSecurityError):
            action()
    assert sorted(files_below(tmp_path)) == ["b"]


# ---------------------------------------------------------------- encryption


def test_roles_that_hold_data_are_encrypted_and_read_back_others_are_plain(files: Files, tmp_path: Path) -> None:
    encrypting = files.encrypting(Xor(), DiskPlaces(files).owner_of)  # type: ignore[arg-type]
    for role in ("data", "artifact", "state"):
        written = encrypting.write(f"DATA/processed/t_1/{role}.bin", b"plain", role)  # type: ignore[arg-type]
        path = tmp_path / "DATA" / "processed" / "t_1" / f"{role}.bin"
        assert written.encrypted
        assert path.read_bytes().startswith(f"ptask/1 {role} t_1\n".encode())
        assert b"plain" not in path.read_bytes()
        assert written.sha256 == hashlib.sha256(path.read_bytes()).hexdigest(), "the hash of what lies on the disk"
        assert encrypting.read(path, role) == b"plain"  # type: ignore[arg-type]
        assert encrypting.encryption_of(path) == FileEncryption("simple", "k1")
        if os.name == "posix":
            assert path.stat().st_mode & 0o077 == 0
    for role in ("report", "log", "config"):
        assert not encrypting.write(f"{role}.txt", b"plain", role).encrypted  # type: ignore[arg-type]
        assert (tmp_path / f"{role}.txt").read_bytes() == b"plain"


def test_a_file_of_another_task_is_read_as_that_tasks_and_in_its_own_role_only(files: Files, tmp_path: Path) -> None:
    of = {
        task: files.encrypting(Xor(), DiskPlaces(files).owner_of)  # type: ignore[arg-type]
        for task in ("t_1", "t_2")
    }
    of["t_1"].write("DATA/processed/t_1/output/a.csv", b"plain", "data")
    assert of["t_2"].read("DATA/processed/t_1/output/a.csv", "data") == b"plain"
    with pytest.raises(EncryptionError):
        of["t_2"].read("DATA/processed/t_1/output/a.csv", "artifact")
    (tmp_path / "plain.csv").write_bytes(b"as it came")
    assert of["t_2"].read("plain.csv", "data") == b"as it came"


def test_an_encrypted_file_without_encryption_service_is_refused_not_read_as_garbage(
    files: Files, tmp_path: Path
) -> None:
    (tmp_path / "a.csv").write_bytes(b"ptask/1 data t_1\nxxxx")
    with pytest.raises(EncryptionError, match=r"a\.csv is encrypted"):
        files.read("a.csv", "data")
    with files.open_raw("a.csv") as raw:
        assert raw.read(7) == b"ptask/1"
    assert files.encryption_of("a.csv").encrypted


# ---------------------------------------------------------------- hashing and names


@given(st.binary(max_size=2000))
def test_hashes_are_those_of_sha_256_whatever_the_file_can_do(data: bytes) -> None:
    class OnlyRead:
        def __init__(self) -> None:
            self.file = io.BytesIO(data)

        def read(self, size: int) -> bytes:
            return self.file.read(min(size, 7))

    expected = hashlib.sha256(data).hexdigest()
    assert recognise(io.BytesIO(data)).sha256 == expected
    assert recognise(OnlyRead()).sha256 == expected  # type: ignore[arg-type]


class Stamped:
    """A format of ten letters, a stamp of four bytes that may be changed, and content."""

    def __init__(self, project: Any) -> None:
        self.again = {"0" * 64: ContentHash("1" * 64, "made again")}

    def stable_header(self, head: bytes) -> bytes:
        return head[:10] + bytes(4) + head[14:]

    def recognised(self, sha256: str) -> ContentHash:
        return self.again.get(sha256, ContentHash(sha256))


@pytest.mark.parametrize("size", [0, 3, 4082, 4083, 9000])
@pytest.mark.parametrize("piece", [1, 4096, 1 << 20])
def test_what_a_plugin_says_may_change_in_a_file_changes_no_hash(size: int, piece: int, tmp_path: Path) -> None:
    made: list[Any] = []
    containers = Containers(lambda: {"container!": lambda: made.append(1) or Stamped(None)})  # type: ignore[func-returns-value]
    files = Files(OsGuard(tmp_path), containers=containers)
    content = bytes(range(256)) * (size // 256 + 1)
    seen = set()
    for stamp in (b"aaaa", b"bbbb"):
        data = b"container!" + stamp + content[:size]
        with files.create("x", "report") as file:
            for start in range(0, len(data), piece):
                file.write(data[start : start + piece])
        assert (tmp_path / "x").read_bytes() == data
        seen |= {file.sha256, files.sha256("x")}
    assert seen == {hashlib.sha256(b"container!" + bytes(4) + content[:size]).hexdigest()}
    files.write("y", b"container?" + content, "report")
    assert files.sha256("y") == hashlib.sha256(b"container?" + content).hexdigest()
    assert made == [1], "it is made once, when the first such file is met"


def test_two_plugins_cannot_bring_one_container_format(tmp_path: Path) -> None:
    class Brings:
        @hookimpl
        def pamola_add_container_formats(self, project: Project) -> dict[str, Any]:
            return {"container!": Stamped}

    class BringsToo(Brings):
        pass

    (tmp_path / "x").write_bytes(b"container!aaaa")
    one = Kernel(tmp_path, autoload=False, plugins=[Disk(tmp_path), Brings()])
    two = Kernel(tmp_path, autoload=False, plugins=[Disk(tmp_path), Brings(), BringsToo()])
    assert one.project.files.sha256("x") == hashlib.sha256(b"container!" + bytes(4)).hexdigest()
    with pytest.raises(PluginError, match="both bring the container format 'container!'"):
        two.project.files.sha256("x")


def test_a_raw_file_that_takes_less_than_it_is_given_still_gets_all(tmp_path: Path) -> None:
    class Slow(io.RawIOBase):
        def __init__(self) -> None:
            self.got = b""

        def writable(self) -> bool:
            return True

        def write(self, data: Any) -> int:
            self.got += bytes(data[:3])
            return min(3, len(data))

    slow = Slow()

    class Guard(OsGuard):
        @contextlib.contextmanager
        def create(self, name: str, **options: Any) -> Iterator[Any]:
            yield slow

    with Files(Guard(tmp_path)).create("a", "data") as file:
        file.write(b"0123456789")
    assert slow.got == b"0123456789"
    assert (file.size, file.sha256) == (10, hashlib.sha256(b"0123456789").hexdigest())


def test_temporary_names_are_fresh_recognised_and_short_enough() -> None:
    one, two = temporary_name("table.csv"), temporary_name("table.csv")
    assert one != two
    assert is_temporary(one)
    assert not is_temporary("table.csv")
    assert not is_temporary(".tmp")
    assert len(os.fsencode(temporary_name("ü" * 200))) < 255


@pytest.mark.parametrize("name", ["t_1", "Ünïcödé", "a.b", "v1..2", "R&D", "a$b", "file~", "x" * 200, "日本"])
def test_ordinary_names_are_taken(name: str) -> None:
    assert check_name(name, "the name") == name


@pytest.mark.parametrize(
    "name",
    [
        *["", " a", "a ", ".", "..", "a/b", "a\\b", "a:b", "a*", "a?", 'a"', "a<b", "a|b", "a\0b", "a\nb", "a."],
        *["CON", "con.txt", "LPT1", "lpt9.csv", "x" * 201, "ü" * 101, ".git", ".STATE"],
        *["a\u202eb", "a\u200bb", "\ud800", "a\x85b"],
    ],
)
def test_names_that_mean_something_else_somewhere_are_refused(name: str) -> None:
    with pytest.raises(PathSecurityError, match="the task id"):
        check_name(name, "the task id")


def test_a_name_that_is_no_text_is_refused() -> None:
    with pytest.raises(PathSecurityError):
        check_name(5, "the name")  # type: ignore[arg-type]


# ---------------------------------------------------------------- on descriptors


@pytest.mark.skipif(os.name != "posix", reason="directory handles are of POSIX systems")
def test_publishing_replaces_or_refuses_in_one_step(tmp_path: Path) -> None:
    (tmp_path / "new").write_text("new")
    (tmp_path / "there").write_text("old")
    from pamola_tasks_paths.folders import Folder

    directory = os.open(tmp_path, os.O_RDONLY)
    folder = Folder(directory)
    try:
        with pytest.raises(FileExistsError):
            folder.publish("new", "there", exclusive=True)
        folder.publish("new", "there", exclusive=False)
        assert files_below(tmp_path) == {"there": b"new"}
        (tmp_path / "newer").write_text("newer")
        folder.publish("newer", "fresh", exclusive=True)
        assert files_below(tmp_path) == {"there": b"new", "fresh": b"newer"}
    finally:
        os.close(directory)


def test_a_lock_is_exclusive_between_open_files_and_can_be_given_back(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with open(path, "a+b", buffering=0) as one, open(path, "a+b", buffering=0) as two:
        assert system.lock(one.fileno(), wait=False)
        assert not system.lock(two.fileno(), wait=False)
        system.unlock(one.fileno())
        assert system.lock(two.fileno())
        one.write(b"x")
        system.flush_data(one.fileno())


@pytest.mark.skipif(sys.platform == "win32", reason="no fdatasync to take away")
def test_where_there_is_no_fdatasync_the_whole_file_is_flushed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    flushed: list[int] = []
    monkeypatch.delattr(os, "fdatasync", raising=False)
    monkeypatch.setattr(os, "fsync", flushed.append)
    system.flush_data(7)
    assert flushed == [7]


# ---------------------------------------------------------------- errors of the system


class _Broken(OsGuard):
    """A guard whose files cannot be written, for the reason given."""

    def __init__(self, root: Path, error: OSError) -> None:
        super().__init__(root)
        self.error = error

    @contextlib.contextmanager
    def create(self, name: str, **options: Any) -> Iterator[Any]:
        error = self.error

        class File(io.BytesIO):
            def write(self, data: Any) -> int:
                raise error

        yield File()


def test_a_full_disk_is_told_with_the_file_and_the_bytes_needed_and_free(tmp_path: Path) -> None:
    files = Files(_Broken(tmp_path, OSError(errno.ENOSPC, "No space left on device")))
    with pytest.raises(OSError, match=r"12,345 bytes or more are needed, [\d,]+ bytes are free: 'out/a.csv'") as caught:
        files.write(tmp_path / "out" / "a.csv", b"x" * 12345, "data")
    assert (caught.value.errno, caught.value.filename) == (errno.ENOSPC, "out/a.csv")


def test_an_error_of_the_system_without_a_name_gets_the_files(tmp_path: Path) -> None:
    files = Files(_Broken(tmp_path, OSError(errno.EIO, "Input/output error")))
    with pytest.raises(OSError, match=r"\[Errno 5\] Input/output error: 'a.csv'"):
        files.write("a.csv", b"x", "data")


def test_an_error_about_another_file_keeps_its_name(tmp_path: Path) -> None:
    files = Files(OsGuard(tmp_path))
    with pytest.raises(FileNotFoundError, match=r"elsewhere/b\.csv"), files.create("a.csv", "data"):
        raise FileNotFoundError(errno.ENOENT, "No such file or directory", "elsewhere/b.csv")
