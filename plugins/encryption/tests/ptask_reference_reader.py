"""A second reader of `ptask/1`, made from docs/reference/ptask-1.md alone: it shares no line with the package."""

from __future__ import annotations

import hashlib
import hmac
import struct
import zlib

from cryptography.hazmat.primitives.ciphers.aead import AESGCM


def hkdf(key: bytes, salt: bytes, info: bytes, length: int = 32) -> bytes:
    secret = hmac.new(salt or bytes(32), key, hashlib.sha256).digest()
    block = hmac.new(secret, info + b"\x01", hashlib.sha256).digest()
    return block[:length]


def decrypt(file: bytes, key: bytes, project: str, task: str, role: str) -> bytes:
    header, payload = file[:4096], file[4096:]
    assert header[:8] == b"ptask/1\n"
    assert header[8:16] == struct.pack(">II", 4096, 65536)
    (size,) = struct.unpack(">H", header[80:82])
    associated = header[82 : 82 + size]
    file_id = associated[:16]
    assert associated[16:] == b"".join(bytes([len(f.encode())]) + f.encode() for f in (project, task, role))
    assert not any(header[82 + size : 3040])

    ours = hkdf(key, b"", b"pamola-tasks key id", 8)
    slots = []
    for slot in (header[3072:3584], header[3584:4096]):
        if not any(slot):
            continue
        assert slot[508:] == struct.pack(">I", zlib.crc32(slot[:508]))
        assert slot[:8] == b"slot\x01\0\0\0"
        assert not any(slot[84:508])
        if slot[16:24] == ours:
            slots.append(slot)
    slot = max(slots, key=lambda s: s[8:16])
    data_key = AESGCM(hkdf(key, file_id, b"ptask/1 wrap")).decrypt(slot[24:36], slot[36:84], slot[8:24])

    assert header[16:48] == hkdf(data_key, file_id, b"ptask/1 commitment")
    mac_key = hkdf(data_key, file_id, b"ptask/1 header mac")
    assert header[3040:3072] == hmac.new(mac_key, header[:3040], hashlib.sha256).digest()

    assert payload[0] == 40
    segment_key = hkdf(hkdf(data_key, file_id, b"ptask/1 payload"), payload[1:33], associated)
    cipher, prefix, plain = AESGCM(segment_key), payload[33:40], b""
    starts = [40, *range(65536, len(payload), 65536)]
    for number, start in enumerate(starts):
        last = number == len(starts) - 1
        segment = payload[start : (number + 1) * 65536]
        part = cipher.decrypt(prefix + struct.pack(">IB", number, last), segment, None)
        assert part or number == 0
        plain += part
    return plain
