"""The user's own files of state, in a folder where no project and no other user writes."""

from __future__ import annotations

import errno
import hashlib
import os
from pathlib import Path

from pamola_tasks.storage.files import temporary_name


def user_state(kind: str, subject: str | os.PathLike[str]) -> Path:
    """The file that the user has about something of a project; relative where the user has no home.

    Args:
        kind: What it is for: the name of a folder.
        subject: The absolute path of what it is about, by whose hash it is named.
    """
    base = os.environ.get("XDG_STATE_HOME", "")
    folder = Path(base if os.path.isabs(base) else os.path.expanduser("~/.local/state"))
    return folder / "pamola-tasks" / kind / f"{hashlib.sha256(os.fsencode(subject)).hexdigest()[:32]}.json"


def keep(path: Path, text: str) -> None:
    """Write such a file, whole or not at all, readable by the user alone.

    Raises:
        OSError: It cannot be written, or the user has no home.
    """
    if not path.is_absolute():
        raise FileNotFoundError(errno.ENOENT, "the user has no home folder", str(path))
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    temporary = path.parent / temporary_name(path.name)
    try:
        with open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
