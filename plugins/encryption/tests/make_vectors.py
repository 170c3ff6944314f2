"""Writes the frozen vectors. They are never written over: a format that has to change gets a new name.

    python make_vectors.py

Each is one JSON file: what it is, key, project, task, role, the file (zlib, base64), and either the SHA-256 of the
plain bytes or what the refusal is called.
"""

from __future__ import annotations

import base64
import hashlib
import json
import random
import struct
import zlib
from pathlib import Path

from pamola_tasks_encryption.container import FIRST_PLAIN_SIZE, EncryptingWriter
from pamola_tasks_encryption.header import (
    HEADER_SIZE,
    SEGMENT_SIZE,
    SLOT_OFFSETS,
    SLOT_SIZE,
    Binding,
    Header,
    key_id,
    wrap,
)

FOLDER = Path(__file__).with_name("vectors")
KEY, OTHER, THIRD = bytes(range(32)), bytes(range(1, 33)), bytes(range(2, 34))
PROJECT = "0b9e9b0c-7d1c-4c8e-9d7a-111111111111"
HOME = Binding(PROJECT, "t_1", "data")


class Collected:
    """A file in memory of which `write` is all there is."""

    def __init__(self) -> None:
        self.data = bytearray()

    def write(self, data: bytes) -> int:
        self.data += data
        return len(data)


def sealed(plain: bytes, key: bytes = KEY, binding: Binding = HOME) -> bytes:
    raw = Collected()
    with EncryptingWriter(raw, key, binding) as file:  # type: ignore[arg-type]
        file.write(plain)
    return bytes(raw.data)


def with_slot(file: bytes, number: int, slot: bytes) -> bytes:
    start = SLOT_OFFSETS[number]
    return file[:start] + slot + file[start + SLOT_SIZE :]


def rechecked(slot: bytes) -> bytes:
    return slot[:-4] + struct.pack(">I", zlib.crc32(slot[:-4]))


def slot_of(file: bytes, number: int) -> bytes:
    return file[SLOT_OFFSETS[number] : SLOT_OFFSETS[number] + SLOT_SIZE]


def data_key_of(file: bytes, key: bytes = KEY) -> tuple[bytes, bytes]:
    header = Header.parse(file[:HEADER_SIZE])
    return header.unlock(key, header.binding), header.file_id


def flipped(file: bytes, offset: int, bit: int = 0) -> bytes:
    altered = bytearray(file)
    altered[offset] ^= 1 << bit
    return bytes(altered)


def main() -> None:
    FOLDER.mkdir()
    chosen = random.Random(5)
    number = 0

    def add(what: str, file: bytes, *, plain: bytes | None = None, refusal: str = "", **place: str) -> None:
        nonlocal number
        number += 1
        case = {
            "what": what,
            "key": base64.b64encode(KEY).decode(),
            "project": place.get("project", PROJECT),
            "task": place.get("task", "t_1"),
            "role": place.get("role", "data"),
            "file": base64.b64encode(zlib.compress(file, 9)).decode(),
        }
        case |= {"refusal": refusal} if plain is None else {"sha256": hashlib.sha256(plain).hexdigest()}
        name = f"{number:03}-{'bad' if plain is None else 'good'}-{what.replace(' ', '-')}.json"
        (FOLDER / name).write_text(json.dumps(case, indent=1) + "\n", encoding="utf-8")

    for size in [
        0,
        1,
        2,
        15,
        16,
        17,
        31,
        32,
        33,
        63,
        64,
        65,
        100,
        127,
        128,
        255,
        256,
        257,
        500,
        511,
        512,
        513,
        1000,
        1024,
    ]:
        plain = chosen.randbytes(size)
        add(f"{size} bytes", sealed(plain), plain=plain)
    for size in (FIRST_PLAIN_SIZE - 1, FIRST_PLAIN_SIZE, FIRST_PLAIN_SIZE + 1):
        plain = bytes(size)
        add(f"{size} bytes", sealed(plain), plain=plain)
    places = [
        ("", "", "data"),
        ("", "t", "artifact"),
        (PROJECT, "", "data"),
        (PROJECT, "t_1", "state"),
        (PROJECT, "t_1", "artifact"),
        (PROJECT, "Aufgabe-ü-任务", "data"),
        (PROJECT, "x" * 200, "data"),
        ("p" * 255, "t" * 255, "r" * 255),
    ]
    for project, task, role in places:
        file = sealed(b"placed", binding=Binding(project, task, role))
        add(
            f"place {len(project)} {len(task)} {role[:8]}", file, plain=b"placed", project=project, task=task, role=role
        )
    located = sealed(b"located", binding=Binding(PROJECT, "t_1", "data", "/data/project"))
    add("with a location tag that nobody insists on", located, plain=b"located")
    for generation in (2, 3, 255, 2**32, 2**64 - 1):
        file = sealed(b"rotated", OTHER)
        slot = wrap(*(data_key_of(file, OTHER)[0], KEY, data_key_of(file, OTHER)[1]), generation=generation).pack()
        add(
            f"rotated to generation {generation}",
            with_slot(with_slot(file, 1, slot), 0, bytes(SLOT_SIZE)),
            plain=b"rotated",
        )
        if generation < 4:
            add(f"both keys at generation {generation}", with_slot(file, 1, slot), plain=b"rotated")
    file = sealed(b"moved slot")
    add(
        "the slot in place B", with_slot(with_slot(file, 1, slot_of(file, 0)), 0, bytes(SLOT_SIZE)), plain=b"moved slot"
    )
    newer = wrap(data_key_of(file)[0], KEY, data_key_of(file)[1], generation=9).pack()
    add("two slots of one key", with_slot(file, 1, newer), plain=b"moved slot")
    good = number

    base, twin = sealed(b"attack at dawn, " * 8), sealed(b"attack at dusk, " * 8)
    for cut in (0, 1, 7, 8, 16, 80, 3039, 3072, 3584, 4095, 4096, 4097, 4135, 4136, 4137, 4151, 4152, len(base) - 1):
        add(f"cut at {cut}", base[:cut], refusal="tampered")
    for size in (1, 16, 4096):
        add(f"{size} bytes appended", base + bytes(size), refusal="tampered")
    fields = {
        "magic": 0, "magic end": 7, "header size": 11, "segment size": 15, "commitment": 16, "commitment end": 47,
        "location": 48, "location end": 79, "length high": 80, "length low": 81, "file id": 82, "file id end": 97,
        "project length": 98, "project": 99, "role": 145, "padding": 1000, "padding end": 3039, "header mac": 3040,
        "header mac end": 3071, "slot magic": 3072, "slot algorithm": 3076, "slot zeros": 3077, "slot generation": 3087,
        "slot nonce": 3096, "wrapped": 3108, "wrapped tag": 3155, "slot padding": 3200, "slot checksum": 3583,
        "slot b first": 3584, "slot b last": 4095, "payload length": 4096,
        "salt": 4097, "salt end": 4128, "prefix": 4129,
        "prefix end": 4135, "sealed": 4136, "sealed end": len(base) - 17, "tag": len(base) - 16,
        "tag end": len(base) - 1,
    }  # fmt: skip
    for name, offset in fields.items():
        add(f"a bit of {name}", flipped(base, offset, chosen.randrange(8)), refusal="tampered")
    slot = slot_of(base, 0)
    for name, offset in {"generation": 15, "nonce": 24, "wrapped": 40, "tag": 83}.items():
        add(f"a checked bit of slot {name}", with_slot(base, 0, rechecked(flipped(slot, offset))), refusal="tampered")
    add("another key id", with_slot(base, 0, rechecked(flipped(slot, 16))), refusal="wrong_key")
    add("algorithm 2", with_slot(base, 0, rechecked(slot[:4] + b"\2" + slot[5:])), refusal="tampered")
    add("no slot", with_slot(base, 0, bytes(SLOT_SIZE)), refusal="wrong_key")
    add("slot of a twin", with_slot(base, 0, slot_of(twin, 0)), refusal="tampered")
    add("payload of a twin", base[:HEADER_SIZE] + twin[HEADER_SIZE:], refusal="tampered")
    add("segment of a twin", base[: HEADER_SIZE + 40] + twin[HEADER_SIZE + 40 :], refusal="tampered")
    wrong_data_key = wrap(bytes(32), KEY, data_key_of(base)[1], generation=1).pack()
    add("slot with another data key", with_slot(base, 0, wrong_data_key), refusal="tampered")
    add("another key", sealed(b"x", OTHER), refusal="wrong_key")
    add(
        "a third key in both slots",
        with_slot(sealed(b"x", THIRD), 1, slot_of(sealed(b"x", THIRD), 0)),
        refusal="wrong_key",
    )
    for place in (
        {"project": ""},
        {"project": PROJECT[:-1] + "2"},
        {"task": "t_2"},
        {"task": ""},
        {"role": "state"},
        {"role": "artifact"},
    ):
        ((name, value),) = place.items()
        add(f"read for {name} {value[-8:]}", base, refusal="wrong_place", **place)
    long = sealed(bytes(FIRST_PLAIN_SIZE + 10))
    border = HEADER_SIZE + SEGMENT_SIZE
    add("cut at the border of segments", long[:border], refusal="tampered")
    add("last segment emptied", long[: border + 16], refusal="tampered")
    add("first segment dropped", long[: HEADER_SIZE + 40] + long[border:], refusal="tampered")
    print(f"{good} good, {number - good} bad; key {key_id(KEY).hex()}")


if __name__ == "__main__":
    main()
