"""`ptask/1` gives back what was written, to whoever may read it, in constant memory."""

from __future__ import annotations

import gc
import io
import os
import random
import subprocess
import sys
from pathlib import Path

import pytest
from encryption_samples import BINDING, KEY, OTHER_KEY, Pipe, decrypted, encrypted
from ptask_reference_reader import decrypt as decrypt_by_the_page

from pamola_tasks_encryption import container
from pamola_tasks_encryption.container import FIRST_PLAIN_SIZE, PLAIN_SIZE, DecryptingReader, EncryptingWriter
from pamola_tasks_encryption.errors import Tampered, WrongKey, WrongPlace
from pamola_tasks_encryption.header import Binding

BORDERS = [FIRST_PLAIN_SIZE + n * PLAIN_SIZE + d for n in (0, 1, 15, 16) for d in (-1, 0, 1)]
SIZES = [0, 1, 2, 15, 16, 17, 1000, 65535, 65536, 65537, *BORDERS, 2_500_000]


@pytest.mark.parametrize("size", SIZES)
def test_every_size_comes_back_byte_for_byte(size: int) -> None:
    data = os.urandom(size)
    file = encrypted(data)
    assert decrypted(file) == data
    assert DecryptingReader(Pipe(file), KEY, BINDING).read() == data
    segments = 1 + max(0, -(-(size - FIRST_PLAIN_SIZE) // PLAIN_SIZE))
    assert len(file) == 4096 + 40 + size + 16 * segments


@pytest.mark.parametrize("size", [0, 1, FIRST_PLAIN_SIZE, FIRST_PLAIN_SIZE + 1, 200_000])
def test_a_reader_made_from_the_format_page_alone_reads_our_files(size: int) -> None:
    data = os.urandom(size)
    place = (BINDING.project, BINDING.task, BINDING.role)
    assert decrypt_by_the_page(encrypted(data), KEY, *place) == data


def test_the_size_of_the_pieces_written_does_not_matter() -> None:
    data = os.urandom(700_000)
    choose = random.Random(1)
    for longest in (10, 1000, 70_000, 400_000):
        raw = io.BytesIO()
        with EncryptingWriter(raw, KEY, BINDING) as file:
            position = 0
            while position < len(data):
                position += file.write(data[position : position + choose.randint(0, longest)])
            assert file.tell() == len(data)
        assert decrypted(raw.getvalue()) == data


def test_reading_at_random_places_equals_reading_the_plain_file() -> None:
    data = os.urandom(5 * PLAIN_SIZE + 1234)
    plain, file = io.BytesIO(data), DecryptingReader(io.BytesIO(encrypted(data)), KEY, BINDING)
    choose = random.Random(2)
    for _ in range(400):
        offset = choose.choice([choose.randrange(len(data) + 50), *(b for b in BORDERS if b < len(data))])
        size = choose.choice([0, 1, 100, PLAIN_SIZE, 3 * PLAIN_SIZE, -1])
        whence = choose.choice([io.SEEK_SET, io.SEEK_END])
        move = offset if whence == io.SEEK_SET else offset - len(data)
        assert file.seek(move, whence) == plain.seek(move, whence)
        assert file.read(size) == plain.read(size)
        assert file.tell() == plain.tell()


def test_all_ways_of_reading_agree() -> None:
    data = b"".join(b"line %d\n" % n for n in range(30_000))
    file = encrypted(data)
    assert list(DecryptingReader(io.BytesIO(file), KEY, BINDING)) == data.splitlines(keepends=True)
    text = io.TextIOWrapper(DecryptingReader(io.BytesIO(file), KEY, BINDING), "utf-8")
    assert text.read().encode() == data
    reader, buffer = DecryptingReader(io.BytesIO(file), KEY, BINDING), bytearray(99_999)
    pieces = []
    while size := reader.readinto(buffer):
        pieces.append(bytes(buffer[:size]))
    assert b"".join(pieces) == data
    reader = DecryptingReader(io.BytesIO(file), KEY, BINDING)
    assert b"".join(iter(lambda: reader.read1(1000), b"")) == data
    reader.seek(5)
    assert reader.peek(3)[:3] == data[5:8]
    assert reader.tell() == 5
    small = bytearray(4)
    assert reader.readinto1(small) == 4
    assert bytes(small) == data[5:9]


def test_parquet_written_and_read_through_it_is_the_same_table(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow", reason="pyarrow is not installed")
    parquet = pytest.importorskip("pyarrow.parquet")
    table = pyarrow.table({"a": list(range(50_000)), "b": [f"text {n}" for n in range(50_000)]})
    path = tmp_path / "table.parquet"
    with path.open("wb") as raw, EncryptingWriter(raw, KEY, BINDING) as file:
        parquet.write_table(table, file, row_group_size=10_000)
    with path.open("rb") as raw, DecryptingReader(raw, KEY, BINDING) as plain:
        assert parquet.read_table(plain, columns=["b"]).equals(table.select(["b"]))
    assert b"PAR1" not in path.read_bytes()


def test_without_in_place_encryption_of_newer_cryptography_the_format_is_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    data = os.urandom(200_000)
    new = encrypted(data)
    monkeypatch.setattr(container, "_IN_PLACE", False)
    old = encrypted(data)
    assert decrypted(new) == data
    monkeypatch.undo()
    assert decrypted(old) == data


def test_the_same_bytes_never_encrypt_to_the_same_file() -> None:
    one, two = encrypted(b"same" * 100), encrypted(b"same" * 100)
    assert one[4096:] != two[4096:]
    assert one[3072:3584] != two[3072:3584]


def test_another_key_is_refused_and_both_keys_are_named_without_showing_them() -> None:
    with pytest.raises(WrongKey) as caught:
        decrypted(encrypted(b"x"), OTHER_KEY)
    assert KEY.hex() not in str(caught.value)
    assert OTHER_KEY.hex() not in str(caught.value)


@pytest.mark.parametrize(
    "expected",
    [
        Binding("", "t_1P", "data"),
        Binding(BINDING.project, "t_2", "data"),
        Binding(BINDING.project, "t_1P", "state"),
        Binding(BINDING.project, "", ""),
    ],
)
def test_a_file_opens_for_no_other_project_task_or_role(expected: Binding) -> None:
    with pytest.raises(WrongPlace):
        decrypted(encrypted(b"x"), binding=expected)


def test_a_file_bound_to_its_location_opens_elsewhere_only_when_nobody_asks() -> None:
    at = Binding("", "t", "data", "/project/output/a.csv")
    file = encrypted(b"x", binding=at)
    assert decrypted(file, binding=at) == b"x"
    assert decrypted(file, binding=Binding("", "t", "data")) == b"x"
    with pytest.raises(WrongPlace, match="location"):
        decrypted(file, binding=Binding("", "t", "data", "/project/output/b.csv"))
    with pytest.raises(WrongPlace, match="location"):
        decrypted(encrypted(b"x", binding=Binding("", "t", "data")), binding=at)
    assert b"a.csv" not in file


def test_a_file_that_was_never_closed_opens_nowhere() -> None:
    raw = io.BytesIO()
    file = EncryptingWriter(raw, KEY, BINDING)
    file.write(os.urandom(300_000))
    del file
    gc.collect()
    with pytest.raises(Tampered):
        decrypted(raw.getvalue())


def test_an_exception_while_writing_leaves_a_file_that_opens_nowhere() -> None:
    raw = io.BytesIO()
    file = EncryptingWriter(raw, KEY, BINDING)
    file.write(os.urandom(3_000_000))
    with pytest.raises(RuntimeError), file:
        raise RuntimeError
    assert len(raw.getvalue()) > 1_000_000
    with pytest.raises(Tampered):
        decrypted(raw.getvalue())


def test_a_closed_file_is_closed() -> None:
    raw = io.BytesIO()
    file = EncryptingWriter(raw, KEY, BINDING)
    file.close()
    file.close()
    with pytest.raises(ValueError, match="closed"):
        file.write(b"more")
    assert not raw.closed
    raw.seek(0)
    reader = DecryptingReader(raw, KEY, BINDING)
    reader.close()
    with pytest.raises(ValueError, match="closed"):
        reader.read(1)
    assert not raw.closed


def test_the_header_shows_what_the_file_belongs_to_and_nothing_of_its_content() -> None:
    secret = b"planted value 4711"
    file = encrypted(secret * 10_000)
    assert b"t_1P" in file[:4096]
    assert secret not in file
    assert KEY not in file


MEMORY = """
import resource, sys
from pamola_tasks_encryption.container import DecryptingReader, EncryptingWriter
from pamola_tasks_encryption.header import Binding
path, mebibytes = sys.argv[1], int(sys.argv[2])
block = bytes(range(256)) * 4096
with open(path, "wb") as raw, EncryptingWriter(raw, bytes(32), Binding()) as file:
    for _ in range(mebibytes):
        file.write(block)
buffer, total = bytearray(1 << 20), 0
with open(path, "rb") as raw, DecryptingReader(raw, bytes(32), Binding()) as file:
    while size := file.readinto(buffer):
        total += size
assert total == mebibytes << 20
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="peak memory is asked of POSIX")
def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    def peak(mebibytes: int) -> int:
        command = [sys.executable, "-c", MEMORY, str(tmp_path / "file"), str(mebibytes)]
        environ = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        return int(subprocess.run(command, check=True, capture_output=True, text=True, env=environ).stdout)

    assert peak(128) - peak(8) < 8 << 20
