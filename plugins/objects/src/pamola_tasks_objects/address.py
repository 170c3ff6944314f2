"""`Address`: one file of an object store or SFTP server, in the one way in which it can be written."""

from __future__ import annotations

import re
from urllib.parse import unquote

import attrs

from pamola_tasks.errors import DataError

SCHEMES = ("s3", "gs", "az", "sftp")
FORM = "s3://BUCKET/FOLDER/FILE (or gs://, az://, sftp://HOST:PORT/)"
_SCHEME = re.compile(rf"(?:{'|'.join(SCHEMES)})://", re.IGNORECASE)
_PLACE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_HOST = re.compile(r"(?:[A-Za-z0-9][A-Za-z0-9.-]*|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?")
_LONGEST = 1024  # bytes of the name of an object in all three stores


def is_address(text: object) -> bool:
    """Whether a text is meant as the address of an object."""
    return isinstance(text, str) and _SCHEME.match(text) is not None


@attrs.frozen
class Address:
    """A file: everything in its name is plain characters, nothing is decoded or expanded."""

    scheme: str  #: one of `SCHEMES`
    place: str  #: the bucket or container, or host and port
    segments: tuple[str, ...]  #: the parts of the name between slashes

    @classmethod
    def of(cls, text: str, *, folder: bool = False) -> Address:
        """The address that a text is.

        Args:
            text: As a task, or the project file, has it.
            folder: Whether it is a root, which may be a whole bucket and may end with a slash.

        Raises:
            DataError: It is none, could be read as another one, or holds credentials. What it holds is not shown.
        """
        scheme, _, rest = text.partition("://")
        place, _, name = rest.partition("/")
        if scheme not in SCHEMES:
            raise DataError(f"it is not an address: {FORM}")
        if "@" in place:
            raise DataError(
                "an address holds neither user nor key: the project file has them, under objects.roots, secrets as"
                " ${secret:NAME} or ${env:NAME}"
            )
        if not (_HOST if scheme == "sftp" else _PLACE).fullmatch(place) or ".." in place:
            raise DataError(f"it names no bucket, container or host: {FORM}")
        if not text.isprintable() or any(character in text for character in "\\?#") or "::" in name:
            raise DataError("an address has no control characters, and none of \\ ? # and ::")
        if len(name.encode()) > _LONGEST:
            raise DataError(f"the name of an object has at most {_LONGEST:,} bytes")
        if folder:
            name = name.removesuffix("/")
        segments = tuple(name.split("/")) if name or not folder else ()
        for segment in segments:
            plain = unquote(segment)
            if plain.strip() in ("", ".", "..") or "/" in plain or "\\" in plain or plain != plain.strip():
                raise DataError(
                    "between two slashes of an address is a name: not empty, no . or .., no blanks around it"
                )
        if scheme == "sftp" and ":" not in place.rpartition("]")[2]:
            place += ":22"
        return cls(scheme, place, segments)

    def is_under(self, root: Address) -> bool:
        """Whether it is in a folder, at whatever depth."""
        below = len(self.segments) > len(root.segments) and self.segments[: len(root.segments)] == root.segments
        return below and (self.scheme, self.place) == (root.scheme, root.place)

    @property
    def key(self) -> str:
        """Its name in the bucket, or from the server's root folder."""
        return "/".join(self.segments)

    @property
    def name(self) -> str:
        """The last part of that."""
        return self.segments[-1]

    def __str__(self) -> str:
        return f"{self.scheme}://{self.place}/{self.key}"
