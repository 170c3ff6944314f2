"""The positions of the segments of a `ptask/1` payload, and their encryption and decryption."""

from __future__ import annotations

import struct
from typing import IO

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from pamola_tasks_encryption.header import KEY_SIZE, SEGMENT_SIZE, hkdf_sha256

TAG_SIZE = 16
PREFIX_SIZE = 7
STREAM_HEADER_SIZE = 1 + KEY_SIZE + PREFIX_SIZE
PLAIN_SIZE = SEGMENT_SIZE - TAG_SIZE
FIRST_PLAIN_SIZE = PLAIN_SIZE - STREAM_HEADER_SIZE

NONCE_END = struct.Struct(">IB")
_IN_PLACE = hasattr(AESGCM, "encrypt_into")  # newer releases of cryptography: no copy for each segment


def encrypt_into(aead: AESGCM, nonce: bytes, plain: memoryview, sealed: memoryview) -> None:
    """Encrypt a segment; `sealed` has room for its tag."""
    if _IN_PLACE:
        aead.encrypt_into(nonce, plain, None, sealed)
    else:
        sealed[:] = aead.encrypt(nonce, plain, None)


def decrypt_into(aead: AESGCM, nonce: bytes, sealed: memoryview, plain: memoryview) -> None:
    """Verify and decrypt a segment; InvalidTag where it is another than was written."""
    if _IN_PLACE:
        aead.decrypt_into(nonce, sealed, None, plain)
    else:
        plain[:] = aead.decrypt(nonce, sealed, None)


def segment_cipher(key: bytes, salt: bytes, associated: bytes) -> AESGCM:
    """The cipher of a payload's segments."""
    return AESGCM(hkdf_sha256(key, salt, associated))


def segment_at(position: int) -> tuple[int, int]:
    """The segment that a plain position is in, and the offset within it."""
    if position < FIRST_PLAIN_SIZE:
        return 0, position
    number, offset = divmod(position - FIRST_PLAIN_SIZE, PLAIN_SIZE)
    return number + 1, offset


def plain_start(number: int) -> int:
    """The plain position that a segment begins at."""
    return FIRST_PLAIN_SIZE + (number - 1) * PLAIN_SIZE if number else 0


def write_all(raw: IO[bytes], data: bytes | memoryview) -> None:
    """Write to a file that may take less than it is given."""
    view = memoryview(data)
    while len(view):
        view = view[raw.write(view) :]


def read_exactly(raw: IO[bytes], size: int) -> bytes:
    """Read as many bytes, or to the end of the file."""
    data = bytearray(size)
    return bytes(data[: fill(raw, memoryview(data))])


def fill(raw: IO[bytes], target: memoryview) -> int:
    """Read until the target is full or the file ends; pipes and raw files give less than was asked for."""
    done = 0
    while done < len(target):
        size = raw.readinto(target[done:])  # type: ignore[attr-defined]
        if not size:
            break
        done += size
    return done
