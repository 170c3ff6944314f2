"""What is known of a file in a store, and errors of stores in words."""

from __future__ import annotations

import contextlib
import errno
from collections.abc import Iterator

import attrs

from pamola_tasks.errors import DataError, PamolaTaskError

PIECE = 8 << 20  # bytes that are read at a time
CHANGED = "it changed while it was read: run again when nothing writes to it"


@attrs.frozen(kw_only=True)
class State:
    """What a store says of a file without reading it: when all of it is the same, so is the file."""

    size: int  #: in bytes
    version: str = ""  #: the version of a bucket that keeps them, the generation at Google
    etag: str = ""  #: what the store calls its content
    modified: str = ""  #: when it was written; in whole seconds on SFTP servers

    @property
    def name(self) -> str:
        """What the store calls it: its version where it keeps them, else its ETag, which SFTP servers do not have."""
        return self.version if self.version not in ("", "null") else self.etag

    @property
    def seen_by(self) -> str:
        """By what a change is seen."""
        said = {"version": self.version, "ETag": self.etag, "time": self.modified}
        return ", ".join(["size", *(word for word, value in said.items() if value)])


@contextlib.contextmanager
def explained(what: str) -> Iterator[None]:
    """Turn errors of drivers into a `DataError`; those of the kernel stay what they are."""
    try:
        yield
    except PamolaTaskError:
        raise
    except FileExistsError:
        raise DataError(f"{what}: there is a file of this name already") from None
    except FileNotFoundError:
        raise DataError(f"{what}: there is no such file, bucket or folder") from None
    except PermissionError:
        raise DataError(f"access to {what} is denied with the credentials that the project file has for it") from None
    except Exception as error:
        raise DataError(f"{what}: {_in_words(error)}") from None


def _in_words(error: Exception) -> str:
    name, text = type(error).__name__, " ".join(str(error).split())
    if name in ("FileExpired", "PreconditionFailed") or "pre-condition" in text or "PreconditionFailed" in text:
        return CHANGED
    if isinstance(error, ConnectionError | TimeoutError) or "onnect" in name or getattr(error, "errno", 0) in (
        errno.ECONNREFUSED,
        errno.ETIMEDOUT,
    ):  # fmt: skip
        return f"it cannot be reached ({name})"
    return f"{name}: {text[:300]}" if text else name
