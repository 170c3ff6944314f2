"""`ptask/1` files, written and read as streams in constant memory.

After the header (see `header`) comes the payload: AES-256-GCM in 64 KiB segments, byte for byte what Tink's
AES-GCM-HKDF streaming AEAD writes (https://developers.google.com/tink/streaming-aead/aes_gcm_hkdf_streaming):
40 bytes of its own header (length, salt, nonce prefix), then the segments; a segment's nonce is the prefix, its number
and whether it is the last, so that segments cannot be truncated, swapped, repeated or added.
"""

from __future__ import annotations

import io
import os
import struct
from typing import IO, Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from pamola_tasks_encryption.errors import Tampered
from pamola_tasks_encryption.header import (
    HEADER_SIZE,
    KEY_SIZE,
    SEGMENT_SIZE,
    Binding,
    Header,
    hkdf_sha256,
    make_header,
    payload_key,
)

_TAG_SIZE = 16
_PREFIX_SIZE = 7
_STREAM_HEADER_SIZE = 1 + KEY_SIZE + _PREFIX_SIZE
PLAIN_SIZE = SEGMENT_SIZE - _TAG_SIZE
FIRST_PLAIN_SIZE = PLAIN_SIZE - _STREAM_HEADER_SIZE
_NONCE_END = struct.Struct(">IB")  # the segment's number, and whether it is the last
_IN_PLACE = hasattr(AESGCM, "encrypt_into")  # newer releases of cryptography: no copy for each segment
_BATCH = 16  # segments for one write call: measured, 1 MiB is where larger ones stop paying


class EncryptingWriter(io.BufferedIOBase):
    """Encrypts what is written to it. `close` completes the file; without it, what was written opens nowhere.

    A block that ends with an exception leaves the file incomplete, and so does forgetting it.

    Args:
        raw: A binary file, of which only `write` is used; it is not closed.
        key: The project's key, 32 bytes.
        binding: What the file belongs to.

    Attributes:
        file_id: The 16 random bytes that identify the file.
    """

    _closed = True  # until there is something to complete

    def __init__(self, raw: IO[bytes], key: bytes, binding: Binding) -> None:
        header, data_key, associated = make_header(key, binding)
        self.file_id = associated[:16]
        salt, self._prefix = os.urandom(KEY_SIZE), os.urandom(_PREFIX_SIZE)
        self._aead = _cipher(data_key, self.file_id, salt, associated)
        self._raw = raw
        self._number = 0
        self._position = 0
        # The newest bytes wait here: which segment is the last is only known when the file is closed.
        self._waiting = bytearray(PLAIN_SIZE)
        self._filled = 0
        self._sealed = bytearray(_BATCH * SEGMENT_SIZE)
        self._sealed_size = 0
        _write_all(raw, header + bytes([_STREAM_HEADER_SIZE]) + salt + self._prefix)
        self._closed = False

    @property
    def closed(self) -> bool:
        """Whether the file is complete or given up."""
        return self._closed

    def writable(self) -> bool:
        return True

    def tell(self) -> int:
        """How many plain bytes were written."""
        return self._position

    def write(self, data: Any) -> int:
        """Encrypt bytes (anything with a buffer); returns how many, which is always all."""
        if self._closed:
            raise ValueError("the encrypted file is closed")
        view = memoryview(data).cast("B")
        size = len(view)
        while len(view) > (room := (PLAIN_SIZE if self._number else FIRST_PLAIN_SIZE) - self._filled):
            if self._filled:
                self._keep(view[:room])
                self._seal_waiting(last=False)
            else:  # a whole segment with more behind it needs no copy of its plain bytes
                self._seal(view[:room], last=False)
            view = view[room:]
        self._keep(view)
        self._position += size
        return size

    def flush(self) -> None:
        """Nothing to do: a segment is only written when it is full."""

    def close(self) -> None:
        """Write the last segment: from now on the file can be read."""
        if not self._closed:
            self._closed = True
            self._seal_waiting(last=True)
            self._write_sealed()
            self._waiting[:] = bytes(len(self._waiting))

    def discard(self) -> None:
        """Give the file up: what was written stays incomplete and is refused by every reader."""
        if not self._closed:
            self._closed = True
            self._waiting[:] = bytes(len(self._waiting))

    def __exit__(self, kind: Any, error: Any, traceback: Any) -> None:
        (self.close if kind is None else self.discard)()

    def __del__(self) -> None:
        # The base class would close, and so complete, a file that an exception left behind.
        self.discard()

    def _keep(self, plain: memoryview) -> None:
        self._waiting[self._filled : self._filled + len(plain)] = plain
        self._filled += len(plain)

    def _seal_waiting(self, *, last: bool) -> None:
        self._seal(memoryview(self._waiting)[: self._filled], last=last)
        self._filled = 0

    def _seal(self, plain: memoryview, *, last: bool) -> None:
        start, end = self._sealed_size, self._sealed_size + len(plain) + _TAG_SIZE
        with memoryview(self._sealed) as sealed:
            nonce = self._prefix + _NONCE_END.pack(self._number, last)
            if _IN_PLACE:
                self._aead.encrypt_into(nonce, plain, None, sealed[start:end])
            else:
                sealed[start:end] = self._aead.encrypt(nonce, plain, None)
        self._sealed_size = end
        self._number += 1
        if end + SEGMENT_SIZE > len(self._sealed):
            self._write_sealed()

    def _write_sealed(self) -> None:
        with memoryview(self._sealed) as sealed:
            _write_all(self._raw, sealed[: self._sealed_size])
        self._sealed_size = 0


class DecryptingReader(io.BufferedReader):
    """A file of plain bytes; every one of them was verified before it is given out. `raw` is not closed.

    A file that can seek is read at random; its last segment is verified first, so that a file that was cut or added
    to is refused before a byte of it is used. One that cannot (a pipe) is read from front to back.

    Args:
        raw: A binary file, at its beginning.
        key: The project's key, 32 bytes.
        expected: What the file must belong to.

    Raises:
        WrongKey: The file was encrypted with another key.
        WrongPlace: The file belongs to something else.
        Tampered: The file was altered or is not whole; also while reading.
    """

    def __init__(self, raw: IO[bytes], key: bytes, expected: Binding) -> None:
        segments = _Segments(raw, key, expected)
        self.header = segments.header
        super().__init__(segments, PLAIN_SIZE)


class _Segments(io.RawIOBase):
    """The plain bytes of a file, verified a segment at a time."""

    def __init__(self, raw: IO[bytes], key: bytes, expected: Binding) -> None:
        self._raw = raw
        self._position = 0
        self._broken = False
        self._number = -1  # of the segment whose plain bytes are at hand
        self._plain = memoryview(bytearray(PLAIN_SIZE))
        self._plain_size = 0
        self._ended = False  # a pipe's last segment was read
        self._ahead = b""  # the byte that tells that a pipe goes on
        self.header = Header.parse(_read_exactly(raw, HEADER_SIZE))
        data_key = self.header.unlock(key, expected)
        start = _read_exactly(raw, _STREAM_HEADER_SIZE)
        if len(start) < _STREAM_HEADER_SIZE or start[0] != _STREAM_HEADER_SIZE:
            raise Tampered("an encrypted file is truncated, or its payload was altered")
        salt, self._prefix = start[1 : 1 + KEY_SIZE], start[1 + KEY_SIZE :]
        self._aead = _cipher(data_key, self.header.file_id, salt, self.header.associated)
        self._sealed = memoryview(bytearray(SEGMENT_SIZE + 1))
        self._next = 0  # the segment that `raw` stands before
        self._random = raw.seekable()
        self._size = self._verified_size() if self._random else -1

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return self._random

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}.get(whence)
        if base is None or base + offset < 0:
            raise ValueError(f"cannot seek to {offset} from {whence}")
        self._position = base + offset
        return self._position

    def readall(self) -> bytes:
        return b"".join(iter(lambda: self.read(PLAIN_SIZE) or b"", b""))  # the base class takes 8 KiB at a time

    def readinto(self, buffer: Any) -> int:
        if self._broken:
            raise Tampered("the encrypted file was altered: reading it failed before")
        target = memoryview(buffer).cast("B")
        number, offset = divmod(self._position + _STREAM_HEADER_SIZE, PLAIN_SIZE)
        offset -= 0 if number else _STREAM_HEADER_SIZE  # the first segment has so much less
        if number != self._number:
            if self._position >= self._size if self._random else self._ended:
                return 0
            if offset == 0 and len(target) >= (PLAIN_SIZE if number else FIRST_PLAIN_SIZE):
                size = self._decrypt(number, target)
                self._position += size
                return size
            self._load(number)
        found = self._plain[offset : self._plain_size][: len(target)]
        target[: len(found)] = found
        self._position += len(found)
        return len(found)

    def _verified_size(self) -> int:
        """Verify the last segment, whose nonce says that it is the last; from its number follows the plain size."""
        payload = self._raw.seek(0, io.SEEK_END) - HEADER_SIZE
        last = (payload - 1) // SEGMENT_SIZE
        self._last = last
        start = max(last * SEGMENT_SIZE, _STREAM_HEADER_SIZE)
        self._last_size = payload - start - _TAG_SIZE
        if self._last_size < (1 if last else 0):
            raise Tampered("an encrypted file is truncated")
        self._next = -1
        self._load(last)
        return max(last * PLAIN_SIZE - _STREAM_HEADER_SIZE, 0) + self._last_size

    def _load(self, number: int) -> None:
        self._number = -1
        self._plain_size = self._decrypt(number, self._plain)
        self._number = number

    def _decrypt(self, number: int, target: memoryview) -> int:
        """Read and verify one segment, and count its plain bytes. Of a refused one, nothing is left in the target."""
        self._broken = True  # unless this comes to its end: an altered pipe must not look like one that ended
        sealed, last = self._fetch(number) if self._random else self._fetch_next(number)
        size = len(sealed) - _TAG_SIZE
        if size < (1 if number else 0):
            raise Tampered("an encrypted file is truncated")
        try:
            nonce = self._prefix + _NONCE_END.pack(number, last)
            if _IN_PLACE:
                self._aead.decrypt_into(nonce, sealed, None, target[:size])
            else:
                target[:size] = self._aead.decrypt(nonce, sealed, None)
        except InvalidTag:
            target[:size] = bytes(size)
            raise Tampered(
                f"segment {number} of an encrypted file failed verification: the file was altered or truncated"
            ) from None
        self._broken = False
        return size

    def _fetch(self, number: int) -> tuple[memoryview, bool]:
        last = number == self._last
        start = number * SEGMENT_SIZE if number else _STREAM_HEADER_SIZE
        size = self._last_size + _TAG_SIZE if last else (number + 1) * SEGMENT_SIZE - start
        if self._next != number:
            self._raw.seek(HEADER_SIZE + start)
        self._next = -1
        if _fill(self._raw, self._sealed[:size]) < size:
            raise Tampered("an encrypted file became shorter while it was read")
        self._next = number + 1
        return self._sealed[:size], last

    def _fetch_next(self, number: int) -> tuple[memoryview, bool]:
        # One byte more than the segment tells whether it is the last.
        size = SEGMENT_SIZE if number else SEGMENT_SIZE - _STREAM_HEADER_SIZE
        known = len(self._ahead)
        self._sealed[:known] = self._ahead
        found = known + _fill(self._raw, self._sealed[known : size + 1])
        self._ended = found <= size
        self._ahead = bytes(self._sealed[size:found])
        return self._sealed[: min(size, found)], self._ended


def _cipher(data_key: bytes, file_id: bytes, salt: bytes, associated: bytes) -> AESGCM:
    return AESGCM(hkdf_sha256(payload_key(data_key, file_id), salt, associated))


def _write_all(raw: IO[bytes], data: bytes | memoryview) -> None:
    """Write to a file that may take less than it is given."""
    view = memoryview(data)
    while len(view):
        view = view[raw.write(view) :]


def _read_exactly(raw: IO[bytes], size: int) -> bytes:
    """As many bytes, or those up to the end of the file."""
    data = bytearray(size)
    return bytes(data[: _fill(raw, memoryview(data))])


def _fill(raw: IO[bytes], target: memoryview) -> int:
    """Read until the target is full or the file ends; pipes and raw files give less than was asked for."""
    done = 0
    while done < len(target) and (size := raw.readinto(target[done:])):  # type: ignore[attr-defined]
        done += size
    return done
