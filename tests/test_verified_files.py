"""A file that is read as what was hashed, in whatever order and however little of it is read."""

from __future__ import annotations

import hashlib
import os
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kernel_kit import OsGuard

from pamola_tasks.errors import DataError
from pamola_tasks.storage.files import Files
from pamola_tasks_data import verified
from pamola_tasks_data.verified import VerifiedFile
from pamola_tasks_paths.guard import ProjectGuard

CONTENT = bytes(range(256)) * 5


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verified, "BLOCK", 100)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    return Files(OsGuard(tmp_path_factory.mktemp("files")))


def put(files: Files, content: bytes) -> Path:
    path = files.root / "file"
    path.write_bytes(content)
    return path


def byte_at(file: VerifiedFile, place: int) -> bytes:
    with file.open("data") as opened:
        opened.seek(place)
        return opened.read(1)


@pytest.mark.parametrize("room", [0, 10_000])
@pytest.mark.parametrize("size", [0, 1, 99, 100, 101, 200, 1280])
def test_hash_size_and_content_are_those_of_the_file(files: Files, size: int, room: int) -> None:
    put(files, CONTENT[:size])
    file = VerifiedFile(files, "file", room=lambda: room)
    assert file.sha256 == hashlib.sha256(CONTENT[:size]).hexdigest()
    assert file.size == size
    with file.open("data") as opened:
        assert opened.read() == CONTENT[:size]
    assert file.kept == (size if room else 0)
    file.drop()
    assert file.kept == 0
    file.check()


@given(st.lists(st.tuples(st.integers(0, 1300), st.integers(0, 1300)), max_size=8))
def test_any_order_of_reads_gives_the_bytes_of_the_file(files: Files, reads: list[tuple[int, int]]) -> None:
    put(files, CONTENT)
    with VerifiedFile(files, "file").open("data") as opened:
        for start, size in reads:
            opened.seek(start)
            assert opened.read(size) == CONTENT[start : start + size]


@given(st.integers(0, len(CONTENT) - 1))
def test_a_changed_byte_is_never_handed_out(files: Files, place: int) -> None:
    path = put(files, CONTENT)
    file = VerifiedFile(files, "file")
    digest = file.sha256
    path.write_bytes(CONTENT[:place] + bytes([CONTENT[place] ^ 1]) + CONTENT[place + 1 :])
    with pytest.raises(DataError, match="changed"):
        byte_at(file, place)
    with pytest.raises(DataError, match="changed"):
        file.check()
    assert file.sha256 == digest
    with pytest.raises(DataError, match="changed"), VerifiedFile(files, "file", digest).open("data"):
        raise AssertionError("it is another file than the one that was recorded")


@pytest.mark.parametrize("content", [CONTENT[:-1], CONTENT + b"x", b""])
def test_a_file_that_became_longer_or_shorter_is_refused(files: Files, content: bytes) -> None:
    path = put(files, CONTENT)
    file = VerifiedFile(files, "file")
    assert file.sha256
    assert file.size == len(CONTENT)
    path.write_bytes(content)
    with pytest.raises(DataError, match="changed"):
        file.check()
    path.unlink()
    with pytest.raises(DataError, match="changed"):
        file.check()


@pytest.fixture(scope="module")
def dated(tmp_path_factory: pytest.TempPathFactory) -> Files:
    """Files of which it is known when they last changed in any way."""
    return Files(ProjectGuard(tmp_path_factory.mktemp("dated")))


def put_before(files: Files, content: bytes) -> Path:
    """A file that was there before, so that each change from now on gives it other times."""
    path = put(files, content)
    time.sleep(0.11)
    return path


def test_the_hash_is_made_while_the_file_is_first_read(dated: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    put_before(dated, CONTENT)
    file = VerifiedFile(dated, "file")
    assert file.waits
    with file.open("data") as one, file.open("data") as other:
        assert one.read(150) + other.read(310) + one.read() == CONTENT[:150] + CONTENT[:310] + CONTENT[150:]
    monkeypatch.setattr(dated, "open_raw", None)
    assert file.sha256 == hashlib.sha256(CONTENT).hexdigest()
    assert not file.waits


@pytest.mark.parametrize("place", [50, 150, len(CONTENT) - 1])
def test_no_mixture_is_read_to_its_end_while_it_is_hashed(dated: Files, place: int) -> None:
    path = put_before(dated, CONTENT)
    file = VerifiedFile(dated, "file")
    with file.open("data") as opened:
        path.write_bytes(CONTENT[:place] + bytes([CONTENT[place] ^ 1]) + CONTENT[place + 1 :])
        with pytest.raises(DataError, match="changed"):
            opened.read()
    with pytest.raises(DataError, match="changed"):
        file.check()


def test_a_file_whose_times_do_not_show_each_change_is_hashed_before_it_is_read(files: Files, dated: Files) -> None:
    for those in (files, dated):  # of the first there are no times, of the second those of this moment
        put(those, CONTENT)
        file = VerifiedFile(those, "file")
        assert not file.waits
        with file.open("data"):
            put(those, CONTENT[::-1])
            assert file.sha256 == hashlib.sha256(CONTENT).hexdigest()


def test_a_file_that_changed_before_it_was_first_read_is_refused_whatever_its_times_say(dated: Files) -> None:
    path = put_before(dated, CONTENT)
    file = VerifiedFile(dated, "file")
    assert file.waits
    times = path.stat()
    path.write_bytes(CONTENT[::-1])
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    with pytest.raises(DataError, match="changed"), file.open("data"):
        raise AssertionError("it is another file than the one that was described")
