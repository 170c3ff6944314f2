"""What passes scheduler and worker, unreadable for both: HPKE (RFC 9180) there, a key of the attempt for the way back.

Each helper of a worker has a private key that never leaves its memory; work is sealed to its public key, and bound to
the name of the attempt. With the work goes a key that answers are encrypted with, each bound to attempt and number:
ChaCha20-Poly1305 (RFC 8439).
"""

from __future__ import annotations

import os

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite

_SUITE = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.CHACHA20_POLY1305)
_KEY_SIZE = 32


class Replies:
    """Encrypts what is said of one attempt, and opens it again.

    Args:
        key: 32 bytes for this attempt alone.
        attempt: Its name.
    """

    def __init__(self, key: bytes, attempt: str) -> None:
        self._cipher = ChaCha20Poly1305(key)
        self._attempt = attempt.encode()

    def seal(self, number: int, text: bytes) -> bytes:
        """Encrypt message `number`, from 0; no number may be used for two."""
        return self._cipher.encrypt(number.to_bytes(12), text, self._attempt)

    def open(self, number: int, sealed: bytes) -> bytes:
        """What `seal` encrypted; `cryptography.exceptions.InvalidTag` for anything else."""
        return self._cipher.decrypt(number.to_bytes(12), sealed, self._attempt)


def seal(work: bytes, attempt: str, public_key: bytes) -> tuple[bytes, Replies]:
    """Encrypt work for who has the private key of this public key (32 bytes); how its replies are opened."""
    key = os.urandom(_KEY_SIZE)
    sealed = _SUITE.encrypt(key + work, X25519PublicKey.from_public_bytes(public_key), attempt.encode())
    return sealed, Replies(key, attempt)


class Unsealing:
    """A helper's private key, made here and never given out."""

    def __init__(self) -> None:
        self._key = X25519PrivateKey.generate()

    @property
    def public_key(self) -> bytes:
        """What `seal` needs, 32 bytes."""
        return self._key.public_key().public_bytes_raw()

    def open(self, sealed: bytes, attempt: str) -> tuple[bytes, Replies]:
        """The work, and how to reply; `cryptography.exceptions.InvalidTag` if it was sealed for another one."""
        text = _SUITE.decrypt(sealed, self._key, attempt.encode())
        return text[_KEY_SIZE:], Replies(text[:_KEY_SIZE], attempt)
