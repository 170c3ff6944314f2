"""The journal: lines that prove themselves, appended by several processes, readable after any crash."""

from __future__ import annotations

import errno
import io
import json
import os
import subprocess
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kernel_kit import OsGuard

from pamola_tasks.storage import journal
from pamola_tasks.storage.files import Files
from pamola_tasks.storage.journal import Damage
from pamola_tasks.testing.places import MemoryGuard

entries = st.dictionaries(
    st.text(max_size=5),
    st.none() | st.booleans() | st.integers() | st.text(max_size=20) | st.lists(st.text(max_size=3), max_size=3),
    max_size=4,
)


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(OsGuard(tmp_path))


def newest_first(files: Files, block: int) -> Iterator[Any]:
    with files.open_raw("log") as file:
        yield from journal.decoded(journal.lines_backwards(file, block))


def in_memory(data: bytes) -> Files:
    return Files(MemoryGuard({"log": data}))


@given(entries)
def test_a_line_is_its_checksum_and_its_entry(entry: dict[str, Any]) -> None:
    line = journal.encode(entry)
    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1
    assert int(line[:8], 16) == zlib.crc32(line[9:-1])
    assert journal.decode(line[:-1]) == entry


def test_names_of_files_that_are_no_unicode_can_be_written_down() -> None:
    entry = {"path": b"caf\xe9.csv".decode("utf-8", "surrogateescape")}
    assert journal.decode(journal.encode(entry)[:-1]) == entry


def test_a_number_that_is_no_json_is_refused() -> None:
    with pytest.raises(ValueError, match="JSON"):
        journal.encode({"x": float("nan")})


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"", "no checksum"),
        (b"deadbeef", "no checksum"),
        (b"deadbeefX{}", "no checksum"),
        (b"zzzzzzzz {}", "no checksum"),
        (b"00000000 {}", "its checksum does not fit"),
        (b"%08x [1]" % zlib.crc32(b"[1]"), "not an object"),
        (b"%08x {" % zlib.crc32(b"{"), "Expecting"),
    ],
)
def test_a_damaged_line_says_how(line: bytes, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        journal.decode(line)


@given(st.lists(entries, max_size=6), st.data())
def test_any_flipped_bit_is_noticed_and_costs_its_own_line_only(written: list[dict[str, Any]], data: Any) -> None:
    lines = [journal.encode(entry) for entry in written] or [journal.encode({})]
    number = data.draw(st.integers(0, len(lines) - 1))
    place = data.draw(st.integers(0, len(lines[number]) - 2))
    bit = data.draw(st.integers(0, 7))
    changed = bytearray(lines[number])
    changed[place] ^= 1 << bit
    if changed[place] in b"\n" or (place < 8 and int(lines[number][:8], 16) == _number(bytes(changed[:8]))):
        return  # a line break makes two damaged lines of one; capital digits mean the same
    found = journal.parse(b"".join([*lines[:number], bytes(changed), *lines[number + 1 :]]))
    assert [damage.line for damage in found.damaged] == [number + 1]
    assert found.entries == [entry for index, entry in enumerate(written) if index != number]


def _number(digits: bytes) -> int:
    try:
        return int(digits, 16)
    except ValueError:
        return -1


@given(st.lists(entries, min_size=1, max_size=5), st.integers(0, 400))
def test_a_journal_cut_anywhere_keeps_every_line_that_was_whole(written: list[dict[str, Any]], cut: int) -> None:
    data = b"".join(map(journal.encode, written))
    cut = min(cut, len(data))
    found = journal.parse(data[:cut])
    whole = data[:cut].count(b"\n")
    assert found.entries == written[:whole]
    assert found.damaged == []
    assert found.torn == (not data[:cut].endswith(b"\n") and cut > 0)


@given(st.lists(entries, max_size=8), st.integers(1, 40), st.integers(0, 60), st.booleans())
def test_reading_from_the_end_gives_the_same_backwards(
    written: list[dict[str, Any]], block: int, cut: int, damage: bool
) -> None:
    data = b"".join(map(journal.encode, written))
    if damage and data:
        data = b"X" + data[1:]
    data = data[: max(0, len(data) - cut)]
    found = journal.parse(data)
    expected: list[Any] = list(found.entries)
    for damaged in found.damaged:
        expected.insert(damaged.line - 1, Damage(0, damaged.reason))
    files = in_memory(data)
    assert list(newest_first(files, block)) == expected[::-1]
    assert journal.read(files, "log") == found


def test_reading_from_the_end_reads_no_more_than_is_asked_for(tmp_path: Path) -> None:
    line = journal.encode({"n": 1})
    read: list[int] = []

    class Guard(MemoryGuard):
        def open(self, name: str, mode: str = "rb") -> Any:
            import contextlib

            class File(io.BytesIO):
                def read(self, size: int | None = -1) -> bytes:
                    data = super().read(size)
                    read.append(len(data))
                    return data

            return contextlib.nullcontext(File(self.files[name]))

    found = newest_first(Files(Guard({"log": line * 100_000})), 4096)
    assert next(found) == {"n": 1}
    assert sum(read) == 4096


def test_a_journal_that_is_not_there_is_empty(files: Files) -> None:
    assert journal.read(files, "absent") == journal.Journal()


def test_the_next_append_cuts_off_what_a_crash_left_of_a_line(files: Files, tmp_path: Path) -> None:
    journal.append(files, "log", [{"n": 1}], flush=True)
    whole = (tmp_path / "log").read_bytes()
    for torn in (b"deadbe", b"x" * 10_000, journal.encode({"n": 2})[:-1]):
        (tmp_path / "log").write_bytes(whole + torn)
        assert journal.read(files, "log").torn
        journal.append(files, "log", [{"n": 3}, {"n": 4}], flush=False)
        found = journal.read(files, "log")
        assert (found.entries, found.damaged, found.torn) == ([{"n": 1}, {"n": 3}, {"n": 4}], [], False)
    (tmp_path / "log").write_bytes(b"never a line")
    journal.append(files, "log", [{"n": 5}], flush=False)
    assert journal.read(files, "log").entries == [{"n": 5}]


def test_in_memory_a_journal_is_appended_to_without_locks() -> None:
    files = Files(MemoryGuard({}))
    journal.append(files, "log", [{"n": 1}], flush=True)
    journal.append(files, "log", [{"n": 2}], flush=True)
    assert journal.read(files, "log").entries == [{"n": 1}, {"n": 2}]


WRITER = """
import sys
from collections.abc import Iterator
from pathlib import Path
sys.path[:0] = {paths!r}
from kernel_kit import OsGuard
from pamola_tasks.storage import journal
from pamola_tasks.storage.files import Files
files = Files(OsGuard(Path(sys.argv[1])))
for number in range(60):
    journal.append(files, "log", [{{"writer": sys.argv[2], "n": number, "text": "x" * number * 7}}], flush=False)
"""


def test_several_processes_append_at_once_and_nothing_is_lost(files: Files, tmp_path: Path) -> None:
    code = WRITER.format(paths=[str(Path(__file__).parent), *sys.path])
    running = [subprocess.Popen([sys.executable, "-c", code, str(tmp_path), str(who)]) for who in range(4)]
    assert [process.wait() for process in running] == [0] * 4
    found = journal.read(files, "log")
    assert (found.damaged, found.torn) == ([], False)
    for who in range(4):
        mine = [entry["n"] for entry in found.entries if entry["writer"] == str(who)]
        assert mine == list(range(60)), "each writer's own lines, in their order"
    assert json.loads(json.dumps(found.entries)) == found.entries


# ---------------------------------------------------------------- putting another journal in its place


def test_a_journal_is_replaced_whole_or_not_at_all(files: Files, tmp_path: Path) -> None:
    journal.append(files, "log", [{"n": 1}, {"n": 2}], flush=False)
    journal.replace(files, "log", [journal.encode({"n": 2})])
    assert journal.read(files, "log").entries == [{"n": 2}]

    def breaks() -> Any:
        yield journal.encode({"n": 3})
        raise RuntimeError("no more")

    with pytest.raises(RuntimeError):
        journal.replace(files, "log", breaks())
    assert journal.read(files, "log").entries == [{"n": 2}]
    assert [path.name for path in tmp_path.iterdir()] == ["log"]


def test_who_holds_the_lock_keeps_others_from_appending_and_they_go_on_in_the_new_file(
    files: Files, tmp_path: Path
) -> None:
    import threading

    journal.append(files, "log", [{"n": 1}], flush=False)
    with journal.locked(files, "log"):
        other = threading.Thread(target=lambda: journal.append(files, "log", [{"n": 3}], flush=False))
        other.start()
        other.join(0.1)
        assert other.is_alive()
        journal.replace(files, "log", [journal.encode({"n": 2})])
    other.join(120)
    assert journal.read(files, "log").entries == [{"n": 2}, {"n": 3}]


def test_in_memory_a_journal_is_replaced_too() -> None:
    files = Files(MemoryGuard({}))
    journal.append(files, "log", [{"n": 1}], flush=False)
    with journal.locked(files, "log"):
        journal.replace(files, "log", [journal.encode({"n": 2})])
    assert journal.read(files, "log").entries == [{"n": 2}]


# ---------------------------------------------------------------- a disk that fails


@pytest.mark.parametrize("name", ["write", "ftruncate", "fdatasync"])
@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EIO])
def test_whichever_operation_of_an_append_fails_the_journal_is_the_old_or_the_new_one(
    files: Files, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, error: int
) -> None:
    for nth in range(1, 30):
        (tmp_path / "log").write_bytes(journal.encode({"n": 1}) + b"torn")
        failing = FailingNth(name, nth, error)
        with monkeypatch.context() as patch:
            patch.setattr(os, name, failing)
            if name == "write":
                failing.most = 7  # and each write takes a few bytes only
            failed = ""
            try:
                journal.append(files, "log", [{"n": 2, "text": "x" * 30}], flush=True)
            except OSError as problem:
                failed = str(problem)
        if failed:
            assert failed.endswith(": 'log'")
            assert ("bytes are free" in failed) == (error == errno.ENOSPC)
        found = [entry["n"] for entry in journal.read(files, "log").entries]
        assert found in ([1], [1, 2])
        assert found == [1, 2] or failed, "what was acknowledged is there"
        journal.append(files, "log", [{"n": 3}], flush=True)
        after = journal.read(files, "log")
        assert ([entry["n"] for entry in after.entries], after.damaged, after.torn) == ([*found, 3], [], False)
        if not failed:
            return
    pytest.fail("it never succeeded")


@pytest.mark.parametrize("name", ["write", "fdatasync", "replace"])
def test_whichever_operation_of_a_replacement_fails_the_journal_is_the_old_or_the_new_one(
    files: Files, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    for nth in range(1, 30):
        (tmp_path / "log").write_bytes(journal.encode({"n": 1}))
        failing = FailingNth(name, nth, errno.ENOSPC)
        failing.most = 7
        with monkeypatch.context() as patch:
            patch.setattr(os, name, failing)
            try:
                journal.replace(files, "log", [journal.encode({"n": 2})])
                failed = False
            except OSError:
                failed = True
        assert [entry["n"] for entry in journal.read(files, "log").entries] == [1 if failed else 2]
        assert [path.name for path in tmp_path.iterdir()] == ["log"]
        if not failed:
            return
    pytest.fail("it never succeeded")


class FailingNth:
    """A function of `os` whose nth call fails, and that writes at most so many bytes at once."""

    def __init__(self, name: str, nth: int, error: int) -> None:
        self.real = getattr(os, name)
        self.left = nth
        self.error = error
        self.most: int | None = None

    def __call__(self, *arguments: Any, **more: Any) -> Any:
        self.left -= 1
        if self.left == 0:
            raise OSError(self.error, os.strerror(self.error))
        if self.most is not None and isinstance(arguments[-1], bytes):
            arguments = (*arguments[:-1], arguments[-1][: self.most])
        return self.real(*arguments, **more)
