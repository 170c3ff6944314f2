"""Signatures of reports by the project's Ed25519 key (RFC 8032): who has the public key can check a report alone."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import TYPE_CHECKING

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from pamola_tasks_encryption.errors import damaged
from pamola_tasks_encryption.private_files import read_private_file, signing_key_file, write_private_file

if TYPE_CHECKING:
    from pamola_tasks.protocols import Files

PUBLIC = ".pamola/signing.pub"


def create(project_id: str, files: Files) -> tuple[Path, str]:
    """Make a signing key, never over another, and write the public one into the project: where it is, and that."""
    path, key = signing_key_file(project_id), Ed25519PrivateKey.generate()
    write_private_file(path, _text(key.private_bytes_raw()) + "\n")
    public = _text(key.public_key().public_bytes_raw())
    files.mkdirs(".pamola")
    files.write(PUBLIC, public + "\n", "config")
    return path, public


def sign(data: bytes, project_id: str) -> tuple[str, str]:
    """The public key and the signature; KeyMissing, KeyRefused or KeyDamaged where there is no usable key."""
    path = signing_key_file(project_id)
    try:
        seed = base64.b64decode(read_private_file(path, "the signing key").strip(), validate=True)
        key = Ed25519PrivateKey.from_private_bytes(seed)
    except ValueError:
        raise damaged(str(path), "not an Ed25519 key") from None
    return _text(key.public_key().public_bytes_raw()), _text(key.sign(data))


def fits(data: bytes, public: str, signature: str) -> bool:
    """Whether a signature of these bytes was made with the key that belongs to this public one."""
    try:
        key = Ed25519PublicKey.from_public_bytes(base64.b64decode(public, validate=True))
        given = base64.b64decode(signature, validate=True)
        key.verify(given, data)
    except (ValueError, InvalidSignature):
        return False
    return _text(given) == signature  # base64 has several spellings of the same bytes


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")
