"""How encrypted files begin: for callers that ask only whether a file is one, and need no cryptography for that."""

from __future__ import annotations

CONTAINER = b"ptask/1\n"
AGE = b"age-encryption.org/"


def is_container(head: bytes) -> bool:
    """Whether a file that begins with these bytes says that it is `ptask/1`."""
    return head.startswith(CONTAINER)


def is_age(head: bytes) -> bool:
    """Whether a file that begins with these bytes is a (binary) age file."""
    return head.startswith(AGE)


def is_encrypted(head: bytes) -> bool:
    """Whether a file that begins with these bytes is encrypted."""
    return head.startswith((CONTAINER, AGE))
