"""The 4 KiB header of a `ptask/1` file: who the file belongs to, and its data key wrapped in one of two slots.

The payload that follows is the subject of `container`. The format is written down in docs/reference/ptask-1.md.
"""

from __future__ import annotations

import hmac
import os
import struct
import zlib
from collections.abc import Mapping
from typing import TypeVar

import attrs
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from pamola_tasks.errors import EncryptionError
from pamola_tasks_encryption.errors import Tampered, WrongKey, WrongPlace
from pamola_tasks_encryption.marks import CONTAINER, is_container

HEADER_SIZE = 4096
SEGMENT_SIZE = 65536
KEY_SIZE = 32
KEY_ID_SIZE = 8
SLOT_OFFSETS = (3072, 3584)
SLOT_SIZE = 512

_PREAMBLE = struct.Struct(">8sII32s32s")  # magic, header size, segment size, commitment, location tag
_BINDING_OFFSET = _PREAMBLE.size
_FILE_ID_SIZE = 16
_MAC_OFFSET = 3040
_MAX_FIELD = 255
_SLOT = struct.Struct(">4sB3xQ8s12s48s")  # magic, algorithm, generation, key id, nonce, wrapped key and its tag
_SLOT_MAGIC = b"slot"
_AES_256_GCM = 1
_EMPTY_SLOT = bytes(SLOT_SIZE)
_NO_LOCATION = bytes(32)
_Key = TypeVar("_Key")


@attrs.frozen
class Binding:
    """What a file belongs to; it opens under no other."""

    project: str = ""  #: the project's id (a UUID), or empty
    task: str = ""  #: the id of the task that wrote it
    role: str = "data"  #: `data`, `artifact`, `state` …
    location: str = ""  #: where it is; empty where it may be moved. Only a keyed digest of it is stored


@attrs.frozen
class Slot:
    """A data key, wrapped by a project key."""

    generation: int  #: the higher of two slots for the same key counts
    key_id: bytes  #: 8 bytes: which project key wrapped it
    nonce: bytes  #: of the wrapping, 12 bytes
    wrapped: bytes  #: the data key encrypted, and its tag, 48 bytes

    def pack(self) -> bytes:
        """The slot's 512 bytes, with their checksum."""
        body = _SLOT.pack(_SLOT_MAGIC, _AES_256_GCM, self.generation, self.key_id, self.nonce, self.wrapped)
        body = body.ljust(SLOT_SIZE - 4, b"\0")
        return body + struct.pack(">I", zlib.crc32(body))

    @classmethod
    def unpack(cls, data: bytes) -> Slot | None:
        """The slot in 512 bytes; None for an empty one; Tampered where they are neither."""
        if data == _EMPTY_SLOT:
            return None
        magic, algorithm, generation, key_id, nonce, wrapped = _SLOT.unpack_from(data)
        slot = cls(generation, key_id, nonce, wrapped)
        # Packing again and comparing checks the checksum, the constants and the padding in one go.
        if magic != _SLOT_MAGIC or algorithm != _AES_256_GCM or slot.pack() != data:
            raise Tampered("the slot is damaged")
        return slot


@attrs.frozen(repr=False)
class Header:
    """A header whose parts fit together; nothing in it is trusted before `unlock`."""

    fixed: bytes  #: before the slots, MAC included
    binding: Binding  #: what the header says the file belongs to (location excepted)
    associated: bytes  #: what the payload is bound to: file id, project, task, role
    slots: tuple[Slot | None, ...]  #: slot A and slot B
    torn: bool = False  #: whether one of them is damaged

    @classmethod
    def parse(cls, data: bytes, *, mend: bool = False) -> Header:
        """Read the first 4,096 bytes of a file; Tampered where they are not a header of this format.

        With `mend`, a damaged slot counts as empty where the other is good: a power failure can leave one while keys
        are changed. For changing keys only; readers refuse it.
        """
        if len(data) != HEADER_SIZE or not is_container(data):
            raise Tampered("this is not a whole ptask/1 file: its header is missing or cut")
        _, header_size, segment_size, _, _ = _PREAMBLE.unpack_from(data)
        if header_size != HEADER_SIZE or segment_size != SEGMENT_SIZE:
            raise Tampered("the header of an encrypted file states sizes that ptask/1 does not have")
        associated, binding = _unpack_binding(data[_BINDING_OFFSET:_MAC_OFFSET])
        slots, torn = _slots(data)
        if torn and not (mend and any(slots)):
            raise Tampered("a key slot in the header of an encrypted file is damaged")
        return cls(data[: SLOT_OFFSETS[0]], binding, associated, slots, torn)

    @property
    def file_id(self) -> bytes:
        """The 16 random bytes that identify this file."""
        return self.associated[:_FILE_ID_SIZE]

    @property
    def newest(self) -> Slot | None:
        """The slot of the highest generation."""
        return max((slot for slot in self.slots if slot), key=lambda slot: slot.generation, default=None)

    @property
    def key_ids(self) -> list[bytes]:
        """The ids of the keys that open the file: one, or two while keys are changed."""
        return [slot.key_id for slot in self.slots if slot]

    def key_of(self, keys: Mapping[bytes, _Key]) -> _Key | None:
        """Which of some keys, given by their id, opens the file."""
        return next((keys[one] for one in self.key_ids if one in keys), None)

    def newest_of(self, one: bytes) -> int | None:
        """Which slot, 0 or 1, counts for the key of this id; None if neither is for it."""
        ours = [(slot.generation, number) for number, slot in enumerate(self.slots) if slot and slot.key_id == one]
        return max(ours, key=lambda found: found[0])[1] if ours else None

    def unlock(self, key: bytes, expected: Binding) -> bytes:
        """The file's data key, after everything that the header says has been verified.

        Args:
            key: The project's key.
            expected: What the file must belong to. Its location is compared where it is not empty.

        Raises:
            WrongKey, WrongPlace, Tampered: No slot is for this key, the file belongs to something else, or was altered.
        """
        ours = key_id(key)
        number = self.newest_of(ours)
        slot = None if number is None else self.slots[number]
        if slot is None:
            theirs = f" (key {self.newest.key_id.hex()})" if self.newest else ""
            raise WrongKey(f"the file was encrypted with another key{theirs}; the current key is {ours.hex()}")
        data_key = _unwrap(slot, key, self.file_id)
        _, _, _, commitment, location = _PREAMBLE.unpack_from(self.fixed)
        mac = _header_mac(data_key, self.file_id, self.fixed[:_MAC_OFFSET])
        for stated, computed in ((self.fixed[_MAC_OFFSET:], mac), (commitment, _commitment(data_key, self.file_id))):
            if not hmac.compare_digest(stated, computed):
                raise Tampered("the header of an encrypted file was altered")
        self._check_place(expected, data_key, location)
        return data_key

    def _check_place(self, expected: Binding, data_key: bytes, location: bytes) -> None:
        for part in ("project", "task", "role"):
            stated, wanted = getattr(self.binding, part), getattr(expected, part)
            if stated != wanted:
                raise WrongPlace(f"the file was written for {part} {stated!r}, and is read for {part} {wanted!r}")
        if expected.location and not hmac.compare_digest(
            location, _location_tag(data_key, self.file_id, expected.location)
        ):
            raise WrongPlace("the file was not written at this location, and strict locations are asked for")


def make_header(key: bytes, binding: Binding) -> tuple[bytes, bytes, bytes]:
    """A header for a new file with a fresh data key in slot A, that key, and what the payload has to be bound to."""
    file_id, data_key = os.urandom(_FILE_ID_SIZE), os.urandom(KEY_SIZE)
    associated = file_id + b"".join(_pack_field(name, getattr(binding, name)) for name in ("project", "task", "role"))
    location = _location_tag(data_key, file_id, binding.location) if binding.location else _NO_LOCATION
    preamble = _PREAMBLE.pack(CONTAINER, HEADER_SIZE, SEGMENT_SIZE, _commitment(data_key, file_id), location)
    signed = (preamble + struct.pack(">H", len(associated)) + associated).ljust(_MAC_OFFSET, b"\0")
    mac = _header_mac(data_key, file_id, signed)
    return signed + mac + wrap(data_key, key, file_id, generation=1).pack() + _EMPTY_SLOT, data_key, associated


def wrap(data_key: bytes, key: bytes, file_id: bytes, generation: int) -> Slot:
    """A slot that holds a file's data key, wrapped by a project key."""
    ours, nonce = key_id(key), os.urandom(12)
    wrapped = _wrapping(key, file_id).encrypt(nonce, data_key, _slot_data(generation, ours))
    return Slot(generation, ours, nonce, wrapped)


def without_slots(head: bytes) -> bytes:
    """A header with zeros for its slots, as it counts in the hash of its file: a new key makes no other file of it.

    A header with a slot that is neither whole nor empty, or with no slot at all, stays as it is: it was damaged.
    """
    if len(head) < HEADER_SIZE:
        return head
    slots, torn = _slots(head)
    return head[: SLOT_OFFSETS[0]] + _EMPTY_SLOT * len(slots) if any(slots) and not torn else head


def key_id(key: bytes) -> bytes:
    """Which key this is, in 8 bytes from which the key cannot be found (HKDF is one-way, the key has 256 bits)."""
    return hkdf_sha256(key, b"", b"pamola-tasks key id", KEY_ID_SIZE)


def payload_key(data_key: bytes, file_id: bytes) -> bytes:
    """The key of the payload: what Tink calls the key value."""
    return hkdf_sha256(data_key, file_id, b"ptask/1 payload")


def hkdf_sha256(key: bytes, salt: bytes, info: bytes, length: int = KEY_SIZE) -> bytes:
    """HKDF-SHA256 of RFC 5869. An empty salt means 32 zero bytes, as its section 2.2 says."""
    return HKDF(SHA256(), length, salt or None, info).derive(key)


def _slots(head: bytes) -> tuple[tuple[Slot | None, ...], bool]:
    """Both slots, and whether one is damaged, which is None here."""
    slots, torn = [], False
    for offset in SLOT_OFFSETS:
        try:
            slots.append(Slot.unpack(head[offset : offset + SLOT_SIZE]))
        except Tampered:
            slots.append(None)
            torn = True
    return tuple(slots), torn


def _unwrap(slot: Slot, key: bytes, file_id: bytes) -> bytes:
    try:
        return _wrapping(key, file_id).decrypt(slot.nonce, slot.wrapped, _slot_data(slot.generation, slot.key_id))
    except InvalidTag:
        raise Tampered("the key slot or the file id in the header of an encrypted file was altered") from None


def _wrapping(key: bytes, file_id: bytes) -> AESGCM:
    # A wrapping key for each file: random 96-bit nonces under one key are good for 2**32 files only (SP 800-38D, 8.3).
    return AESGCM(hkdf_sha256(key, file_id, b"ptask/1 wrap"))


def _slot_data(generation: int, slot_key_id: bytes) -> bytes:
    return struct.pack(">Q8s", generation, slot_key_id)


def _header_mac(data_key: bytes, file_id: bytes, signed: bytes) -> bytes:
    return hmac.digest(hkdf_sha256(data_key, file_id, b"ptask/1 header mac"), signed, "sha256")


def _commitment(data_key: bytes, file_id: bytes) -> bytes:
    # AES-GCM alone does not commit to its key: one file could be made to open differently under two keys.
    return hkdf_sha256(data_key, file_id, b"ptask/1 commitment")


def _location_tag(data_key: bytes, file_id: bytes, location: str) -> bytes:
    name_key = hkdf_sha256(data_key, file_id, b"ptask/1 location")
    return hmac.digest(name_key, location.encode("utf-8", "surrogateescape"), "sha256")


def _pack_field(name: str, text: str) -> bytes:
    data = text.encode("utf-8")
    if len(data) > _MAX_FIELD:
        raise EncryptionError(f"the {name} has {len(data)} bytes, and an encrypted file can state {_MAX_FIELD}")
    return bytes([len(data)]) + data


def _unpack_binding(area: bytes) -> tuple[bytes, Binding]:
    (length,) = struct.unpack_from(">H", area)
    associated, rest = area[2 : 2 + length], area[2 + length :]
    fields, position = [], _FILE_ID_SIZE
    while position < len(associated):
        end = position + 1 + associated[position]
        fields.append(associated[position + 1 : end])
        position = end
    try:
        project, task, role = (field.decode("utf-8") for field in fields)
    except ValueError:  # not three fields, or no UTF-8
        raise Tampered("the header of an encrypted file does not say what the file belongs to") from None
    if position != length or any(rest):
        raise Tampered("the header of an encrypted file has bytes where there should be none")
    return associated, Binding(project, task, role)
