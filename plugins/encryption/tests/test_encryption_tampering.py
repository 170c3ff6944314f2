"""A file of which one bit is not as it was written gives nothing."""

from __future__ import annotations

import io
import os
import random
import struct
import zlib
from collections.abc import Callable

import pytest
from encryption_samples import BINDING, KEY, OTHER_KEY, Pipe, decrypted, encrypted

from pamola_tasks.errors import EncryptionError
from pamola_tasks_encryption.container import FIRST_PLAIN_SIZE, PLAIN_SIZE, DecryptingReader, EncryptingWriter
from pamola_tasks_encryption.errors import Tampered, WrongKey
from pamola_tasks_encryption.header import HEADER_SIZE, SEGMENT_SIZE, SLOT_OFFSETS, SLOT_SIZE, Header, wrap

DATA = os.urandom(FIRST_PLAIN_SIZE + 2 * PLAIN_SIZE + 5000)  # four segments
FILE = encrypted(DATA)
TWIN = encrypted(DATA)  # the same content, key and place; another file
BORDERS = [HEADER_SIZE + n * SEGMENT_SIZE for n in range(1, 4)]


def segment(number: int, file: bytes = FILE) -> bytes:
    start = HEADER_SIZE + (number * SEGMENT_SIZE if number else 40)
    return file[start : HEADER_SIZE + (number + 1) * SEGMENT_SIZE]


def with_segments(*parts: bytes) -> bytes:
    return FILE[: HEADER_SIZE + 40] + b"".join(parts)


def refused(file: bytes) -> None:
    """Refused from a file and from a pipe; what was read before the refusal is a beginning of the truth."""
    with pytest.raises(EncryptionError):
        decrypted(file)
    with pytest.raises(EncryptionError):
        DecryptingReader(Pipe(file), KEY, BINDING).read()


def test_the_file_itself_is_good() -> None:
    assert decrypted(FILE) == DATA


@pytest.mark.parametrize(
    "size",
    sorted(
        {0, 1, 7, 8, 100, 4095, 4096, 4097, 4135, 4136, 4137, 4152, 5000, len(FILE) - 1, len(FILE) - 5000}
        | {border + d for border in BORDERS for d in (-17, -1, 0, 1, 16, 17)}
    ),
)
def test_a_file_that_was_cut_is_refused(size: int) -> None:
    refused(FILE[:size])


@pytest.mark.parametrize("size", [4096 + 40, 4096 + 55, 4096 + 56, 4096 + 57])
def test_an_empty_or_tiny_file_that_was_cut_is_refused(size: int) -> None:
    refused(encrypted(b"ab")[:size])


def test_a_cut_file_is_refused_before_its_first_byte_is_given_out() -> None:
    with pytest.raises(Tampered):
        DecryptingReader(io.BytesIO(FILE[: BORDERS[1]]), KEY, BINDING)


@pytest.mark.parametrize(
    "altered",
    [
        pytest.param(lambda: with_segments(segment(0), segment(2), segment(1), segment(3)), id="two swapped"),
        pytest.param(lambda: with_segments(segment(0), segment(1), segment(1), segment(2), segment(3)), id="repeated"),
        pytest.param(lambda: with_segments(segment(0), segment(2), segment(3)), id="dropped"),
        pytest.param(lambda: with_segments(segment(0), segment(1), segment(2)), id="last dropped"),
        pytest.param(lambda: with_segments(segment(0), segment(1), segment(2), segment(3)[:16]), id="last emptied"),
        pytest.param(lambda: FILE + b"\0", id="one byte appended"),
        pytest.param(lambda: FILE + segment(3), id="last repeated"),
        pytest.param(lambda: FILE + FILE, id="whole file repeated"),
        pytest.param(lambda: FILE[: BORDERS[0]] + TWIN[BORDERS[0] :], id="spliced from a twin"),
        pytest.param(lambda: FILE[:HEADER_SIZE] + TWIN[HEADER_SIZE:], id="header of one, payload of the other"),
        pytest.param(lambda: FILE[:3072] + TWIN[3072:3584] + FILE[3584:], id="slot of a twin"),
        pytest.param(lambda: b"x" + FILE, id="one byte before"),
    ],
)
def test_a_file_whose_parts_were_moved_is_refused(altered: Callable[[], bytes]) -> None:
    refused(altered())


def test_one_flipped_bit_anywhere_is_refused() -> None:
    choose = random.Random(3)
    offsets = [choose.randrange(len(FILE)) for _ in range(500)]
    offsets += [choose.randrange(HEADER_SIZE + 56) for _ in range(1500)]
    for offset in offsets:
        altered = bytearray(FILE)
        altered[offset] ^= 1 << choose.randrange(8)
        with pytest.raises(EncryptionError):
            decrypted(bytes(altered))


def with_slot(file: bytes, number: int, slot: bytes) -> bytes:
    start = SLOT_OFFSETS[number]
    return file[:start] + slot + file[start + SLOT_SIZE :]


def with_checksum(slot: bytes) -> bytes:
    return slot[:-4] + struct.pack(">I", zlib.crc32(slot[:-4]))


def test_a_slot_altered_with_a_fresh_checksum_is_refused() -> None:
    slot = bytearray(FILE[SLOT_OFFSETS[0] : SLOT_OFFSETS[0] + SLOT_SIZE])
    for offset in (8, 15, 16, 24, 35, 36, 60, 83, 84, 200, 507):
        altered = bytearray(slot)
        altered[offset] ^= 1
        refused(with_slot(FILE, 0, with_checksum(bytes(altered))))


def test_after_a_rotation_both_keys_open_and_the_higher_generation_counts() -> None:
    header = Header.parse(FILE[:HEADER_SIZE])
    data_key = header.unlock(KEY, BINDING)
    rotated = with_slot(FILE, 1, wrap(data_key, OTHER_KEY, header.file_id, generation=2).pack())
    assert decrypted(rotated, OTHER_KEY) == DATA
    assert decrypted(rotated, KEY) == DATA
    newest = Header.parse(rotated[:HEADER_SIZE]).newest
    assert newest is not None
    assert newest.generation == 2
    only_new = with_slot(rotated, 0, bytes(SLOT_SIZE))
    assert decrypted(only_new, OTHER_KEY) == DATA
    with pytest.raises(WrongKey):
        decrypted(only_new, KEY)


def test_a_slot_with_another_data_key_does_not_open_the_file() -> None:
    header = Header.parse(FILE[:HEADER_SIZE])
    refused(with_slot(FILE, 0, wrap(os.urandom(32), KEY, header.file_id, generation=1).pack()))


def test_a_pipe_that_was_refused_once_never_looks_like_one_that_ended() -> None:
    file = DecryptingReader(Pipe(FILE[: BORDERS[2]]), KEY, BINDING)
    with pytest.raises(Tampered):
        file.read()
    with pytest.raises(Tampered):
        file.read(10)


def test_a_refused_segment_leaves_nothing_in_the_buffer() -> None:
    altered = bytearray(FILE)
    altered[BORDERS[0] + 100] ^= 1
    file = DecryptingReader(io.BytesIO(bytes(altered)), KEY, BINDING)
    file.seek(FIRST_PLAIN_SIZE)
    buffer = bytearray(PLAIN_SIZE)
    with pytest.raises(Tampered):
        file.readinto(buffer)
    assert not any(buffer)


def test_a_file_that_shrinks_while_it_is_read_is_refused() -> None:
    raw = io.BytesIO(FILE)
    file = DecryptingReader(raw, KEY, BINDING)
    file.read(10)
    raw.truncate(BORDERS[1])
    with pytest.raises(EncryptionError):
        file.read()


@pytest.mark.parametrize("junk", [b"", b"ptask/1\n", b"ptask/1\n" + bytes(5000), os.urandom(10_000)])
def test_what_is_no_such_file_is_refused_and_nothing_else_happens(junk: bytes) -> None:
    refused(junk)


def test_a_name_too_long_for_the_header_is_an_error_and_no_file() -> None:
    raw = io.BytesIO()
    with pytest.raises(EncryptionError, match="300 bytes"):
        EncryptingWriter(raw, KEY, type(BINDING)("", "x" * 300, "data"))
    assert raw.getvalue() == b""
