"""What is in a key file: a key, or a key under locks that a passphrase or an age identity opens.

Three forms are read: 32 bytes in base64; JSON of schema 1 (`id`, `key`); JSON of schema 2, which can have `locks`
beside or instead of `key`, and the `previous` key while a rotation is under way. docs/reference/ptask-1.md has them.
"""

from __future__ import annotations

import base64
import json
import os
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from pamola_tasks_encryption.errors import KeyLocked, WrongKey, damaged
from pamola_tasks_encryption.header import KEY_SIZE, hkdf_sha256, key_id

MIN_PASSPHRASE = 12
_NONCE_SIZE = 12
_SALT_SIZE = 16

# Argon2id as RFC 9106 recommends where memory is scarce: 64 MiB, 3 passes, 4 lanes.
_MEMORY_KIB, _PASSES, _LANES = 65536, 3, 4
# What a file may ask for: a hostile one must not take the machine's memory or its day.
_BOUNDS = {"memory_kib": (8192, 1 << 20), "passes": (1, 16), "lanes": (1, 16)}
_SIZES = {"salt": _SALT_SIZE, "nonce": _NONCE_SIZE, "sealed": KEY_SIZE + 16}


@attrs.frozen(kw_only=True)
class Means:
    """What locks can be opened with."""

    passphrase: str | None = attrs.field(default=None, repr=False)
    identity: Path | None = None  #: the file of an age or SSH private key
    ask: Callable[[], str] | None = None  #: asks a person for the passphrase; None without a terminal


@attrs.frozen(kw_only=True)
class PassphraseLock:
    """A key, encrypted with AES-256-GCM under what Argon2id makes of a passphrase."""

    memory_kib: int
    passes: int
    lanes: int
    salt: bytes
    nonce: bytes
    sealed: bytes

    kind = "passphrase"

    @classmethod
    def of(cls, passphrase: str, key: bytes) -> PassphraseLock:
        """A new lock for a key."""
        salt, nonce = os.urandom(_SALT_SIZE), os.urandom(_NONCE_SIZE)
        made = cls(memory_kib=_MEMORY_KIB, passes=_PASSES, lanes=_LANES, salt=salt, nonce=nonce, sealed=b"")
        return attrs.evolve(made, sealed=made._cipher(passphrase).encrypt(nonce, key, key_id(key)))

    def open(self, passphrase: str, stated_id: bytes) -> bytes | None:
        """The key, or None where the passphrase is another."""
        try:
            return self._cipher(passphrase).decrypt(self.nonce, self.sealed, stated_id)
        except InvalidTag:
            return None

    def _cipher(self, passphrase: str) -> AESGCM:
        from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

        # One passphrase typed on two keyboards may come as different code points.
        text = unicodedata.normalize("NFC", passphrase).encode("utf-8", "surrogatepass")
        costs: dict[str, Any] = {"iterations": self.passes, "lanes": self.lanes, "memory_cost": self.memory_kib}
        return AESGCM(Argon2id(salt=self.salt, length=KEY_SIZE, **costs).derive(text))

    def to_dict(self) -> dict[str, Any]:
        """As it is written."""
        return {
            "kind": self.kind,
            "algorithm": "argon2id",
            **{name: getattr(self, name) for name in _BOUNDS},
            **{name: _text(getattr(self, name)) for name in _SIZES},
        }

    @classmethod
    def from_dict(cls, data: dict[str, Any], source: str) -> PassphraseLock:
        """As it was written; parameters out of bounds are refused before anything is computed."""
        if data.get("algorithm") != "argon2id":
            raise damaged(source, "a lock of it uses an algorithm that this release does not know")
        for name, (least, most) in _BOUNDS.items():
            number = data.get(name)
            if type(number) is not int or not least <= number <= most:
                raise damaged(source, f"a lock of it asks for {name} outside {least} to {most}")
        parts: dict[str, Any] = {name: _bytes(data.get(name), size, source) for name, size in _SIZES.items()}
        return cls(**{name: data[name] for name in _BOUNDS}, **parts)


@attrs.frozen(kw_only=True)
class RecipientLock:
    """A key as a small age file for one recipient."""

    recipient: str
    sealed: bytes

    kind = "recipient"

    @classmethod
    def of(cls, recipient: str, key: bytes) -> RecipientLock:
        """A new lock for a key; needs the extra `[age]`."""
        from pamola_tasks_encryption import age

        recipients = age.parse_recipients([recipient])
        return cls(recipient=recipient.strip(), sealed=age.load_pyrage().encrypt(key, recipients))

    def open(self, identities: list[Any]) -> bytes | None:
        """The key, or None where it was locked for other recipients."""
        from pamola_tasks_encryption import age

        pyrage = age.load_pyrage()
        try:
            return bytes(pyrage.decrypt(self.sealed, identities))
        except pyrage.DecryptError:
            return None

    def to_dict(self) -> dict[str, Any]:
        """As it is written."""
        return {"kind": self.kind, "recipient": self.recipient, "sealed": _text(self.sealed)}

    @classmethod
    def from_dict(cls, data: dict[str, Any], source: str) -> RecipientLock:
        """As it was written."""
        if not isinstance(data.get("recipient"), str):
            raise damaged(source, "a lock of it names no recipient")
        return cls(recipient=data["recipient"], sealed=_bytes(data.get("sealed"), None, source))


Lock = PassphraseLock | RecipientLock
_LOCKS: dict[str, type[PassphraseLock] | type[RecipientLock]] = {
    "passphrase": PassphraseLock,
    "recipient": RecipientLock,
}


@attrs.frozen(kw_only=True)
class KeyDocument:
    """The content of a key file."""

    id: bytes  #: which key it is, 8 bytes
    key: bytes | None = attrs.field(default=None, repr=False)  #: None where only locks hold it
    locks: tuple[Lock, ...] = attrs.field(default=(), repr=False)
    previous_id: bytes = b""  #: which key it replaces, while a rotation is under way
    previous_sealed: bytes = attrs.field(default=b"", repr=False)  #: that one under this one: nonce, key, tag

    @classmethod
    def plain(cls, key: bytes) -> KeyDocument:
        """A key without locks."""
        return cls(id=key_id(key), key=key)

    def replacing(self, old: bytes, new: bytes) -> KeyDocument:
        """The same document, which now remembers the key that its own one replaces."""
        nonce = os.urandom(_NONCE_SIZE)
        sealed = nonce + AESGCM(_previous_key(new)).encrypt(nonce, old, key_id(old))
        return attrs.evolve(self, previous_id=key_id(old), previous_sealed=sealed)

    def finished(self) -> KeyDocument:
        """The same document without the previous key."""
        return attrs.evolve(self, previous_id=b"", previous_sealed=b"")

    def previous(self, key: bytes, source: str) -> bytes | None:
        """The key that this one replaces, while a rotation is under way."""
        if not self.previous_id:
            return None
        nonce, sealed = self.previous_sealed[:_NONCE_SIZE], self.previous_sealed[_NONCE_SIZE:]
        try:
            return AESGCM(_previous_key(key)).decrypt(nonce, sealed, self.previous_id)
        except InvalidTag:
            raise damaged(source, "the previous key in it does not open") from None

    def open(self, means: Means, source: str) -> bytes:
        """The key, by whatever of the means opens it.

        Raises:
            KeyLocked: Nothing was given that a lock is for.
            WrongKey: What was given opens no lock.
            KeyDamaged: A lock opened and held another key than the file states.
        """
        key = self.key if self.key is not None else self._unlocked(means, source)
        if key_id(key) != self.id:
            raise damaged(source, "the id it states does not belong to the key it holds")
        return key

    def _unlocked(self, means: Means, source: str) -> bytes:
        by_recipient = [lock for lock in self.locks if isinstance(lock, RecipientLock)]
        by_passphrase = [lock for lock in self.locks if isinstance(lock, PassphraseLock)]
        tried = []
        if by_recipient and means.identity is not None:
            from pamola_tasks_encryption import age

            identities = age.load_identities(means.identity)
            tried.append("identity")
            for recipient_lock in by_recipient:
                if (key := recipient_lock.open(identities)) is not None:
                    return key
        passphrase = means.passphrase
        if by_passphrase and passphrase is None and not tried and means.ask is not None:
            passphrase = means.ask()
        if by_passphrase and passphrase is not None:
            tried.append("passphrase")
            for passphrase_lock in by_passphrase:
                if (key := passphrase_lock.open(passphrase, self.id)) is not None:
                    return key
        if tried:
            raise WrongKey(f"{source}: the {' and the '.join(tried)} opens no lock of this key; nothing was run")
        ways = ["set PAMOLA_PASSPHRASE"] * bool(by_passphrase) + ["set encryption.identity_file"] * bool(by_recipient)
        raise KeyLocked(f"{source}: the key is locked: {' or '.join(ways)}")

    def to_text(self) -> str:
        """As it is written: schema 1 where that can say it, else 2."""
        document: dict[str, Any] = {"schema": 2 if self.locks or self.previous_id else 1, "id": self.id.hex()}
        if self.key is not None:
            document["key"] = _text(self.key)
        if document["schema"] == 2:
            document["locks"] = [lock.to_dict() for lock in self.locks]
        if self.previous_id:
            document["previous"] = {"id": self.previous_id.hex(), "sealed": _text(self.previous_sealed)}
        return json.dumps(document, indent=1) + "\n"

    @classmethod
    def parse(cls, content: bytes, source: str) -> KeyDocument:
        """Read the text of a key file; KeyDamaged where it is not a key in any of the three forms."""
        text = content.strip()
        if not text.startswith(b"{"):
            return cls.plain(_material(text, source))
        try:
            document = json.loads(text)
        except (ValueError, RecursionError):
            raise damaged(source, "its JSON cannot be read") from None
        schema, stated, key, previous = (document.get(name) for name in ("schema", "id", "key", "previous"))
        if schema not in (1, 2) or isinstance(schema, bool):
            raise damaged(source, "it states a schema other than 1 and 2: a newer release may have written it")
        if schema == 1 and not (isinstance(key, str) and isinstance(stated, str)):
            raise damaged(source, "its JSON has no text `key` or no text `id`")
        if previous is not None and not isinstance(previous, dict):
            raise damaged(source, "its `previous` is not an object")
        found = cls(
            id=_id(stated, source),
            key=_material(str(key).encode("utf-8", "replace"), source) if key is not None else None,
            locks=_locks(document.get("locks"), source) if schema == 2 else (),
        )
        if schema == 2 and previous:
            sealed = _bytes(previous.get("sealed"), _NONCE_SIZE + KEY_SIZE + 16, source)
            found = attrs.evolve(found, previous_id=_id(previous.get("id"), source), previous_sealed=sealed)
        if found.key is None and not found.locks:
            raise damaged(source, "it holds neither a key nor a lock with one")
        if found.key is not None:
            found.open(Means(), source)  # compares the id
        if schema == 1 and stated != found.id.hex():
            raise damaged(source, "the id it states does not belong to the key it holds")
        return found


def _previous_key(key: bytes) -> bytes:
    return hkdf_sha256(key, b"", b"pamola-tasks previous key")


def _locks(entries: Any, source: str) -> tuple[Lock, ...]:
    if not isinstance(entries, list) or len(entries) > 64 or not all(isinstance(entry, dict) for entry in entries):
        raise damaged(source, "its `locks` are not a list of objects")
    if any(str(entry.get("kind")) not in _LOCKS for entry in entries):
        raise damaged(source, "it has a lock of a kind that this release does not know")
    return tuple(_LOCKS[entry["kind"]].from_dict(entry, source) for entry in entries)


def _id(stated: Any, source: str) -> bytes:
    try:
        found = bytes.fromhex(stated)
    except (TypeError, ValueError):
        found = b""
    if len(found) != 8:
        raise damaged(source, "it states no id")
    return found


def _material(text: bytes, source: str) -> bytes:
    try:
        # Both alphabets of base64 are accepted, because tools that make keys use either.
        material = base64.b64decode(text.translate(bytes.maketrans(b"-_", b"+/")), validate=True)
    except ValueError:
        raise damaged(source, "its content is not base64") from None
    if len(material) != KEY_SIZE:
        raise damaged(source, f"it holds {len(material)} bytes and not {KEY_SIZE}")
    return material


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


def _bytes(text: Any, size: int | None, source: str) -> bytes:
    try:
        data = base64.b64decode(text, validate=True) if isinstance(text, str) else b""
    except ValueError:
        data = b""
    if not data or (size is not None and len(data) != size):
        raise damaged(source, "a part of it is not base64 of the right length")
    return data
