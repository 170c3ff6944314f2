"""Files that hold keys: never readable by other users, and refused where others could."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Mapping
from pathlib import Path

from pamola_tasks.storage.files import temporary_name
from pamola_tasks_encryption.errors import KeyMissing, KeyRefused, damaged

_MAX_KEY_FILE = 64 * 1024
_FLAGS = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)


def key_directory() -> Path:
    """The folder of key files: `pamola-tasks/keys` in the user's data directory."""
    import platformdirs

    return platformdirs.user_data_path("pamola-tasks", appauthor=False) / "keys"


def may_have_key(environ: Mapping[str, str], project_id: str) -> bool:
    """Whether there may be a key for a project, without a look at it."""
    named = "PAMOLA_KEY" in environ or "PAMOLA_KEY_FILE" in environ
    return named or (key_directory() / f"{project_id or 'default'}.key").exists()


def write_private_file(path: Path, text: str, *, replace: bool = False) -> None:
    """Write a small file that other users can never read: made with mode 0600 in a folder of 0700.

    It appears whole under its name, and never over another unless `replace`.

    Raises:
        KeyRefused: There is a file of this name already, or the folder of keys is open to others.
    """
    try:
        _write(path, text, replace=replace)
    except FileExistsError:
        raise KeyRefused(f"{path} is there already, and no key is ever written over another") from None
    except OSError as error:
        raise KeyRefused(f"{path} cannot be written: {error.strerror or error}") from None


def _write(path: Path, text: str, *, replace: bool) -> None:
    _make_private_folder(path.parent)
    temporary = path.parent / temporary_name(path.name)
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _FLAGS, 0o600)
    try:
        with open(descriptor, "wb") as file:
            file.write(text.encode())
            file.flush()
            os.fsync(descriptor)
        if replace:
            os.replace(temporary, path)
        else:
            os.link(temporary, path)  # unlike a rename, never over another
            os.unlink(temporary)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    if os.name != "nt":  # folders have no descriptors there
        descriptor = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _make_private_folder(folder: Path) -> None:
    for needed in (*reversed(folder.parents), folder):
        if not needed.is_dir():
            with contextlib.suppress(FileExistsError):  # made by another process just now
                os.mkdir(needed, 0o700)
    home = key_directory()
    if hasattr(os, "geteuid") and home.is_dir() and stat.S_IMODE(home.stat().st_mode) & 0o077:
        raise KeyRefused(f"the folder of keys {home} is open to others: `chmod 700` it first")


def read_private_file(path: Path, source: str) -> bytes:
    """Read a small file that other users must not read: a key or an identity.

    Opened without following a symbolic link, and judged by what was opened, so that nothing can be exchanged between
    the check and the reading. Windows has neither owners nor modes to judge by; only links and kinds are looked at.
    Errors are those of `find_key`.
    """
    try:
        if not hasattr(os, "O_NOFOLLOW") and path.is_symlink():
            raise OSError(errno.ELOOP, "symbolic link")
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | _FLAGS)
    except FileNotFoundError:
        raise KeyMissing(
            f"there is no key; {source} would be {path}, which does not exist. Set PAMOLA_KEY_FILE or PAMOLA_KEY, or"
            " create a key with `pamola-task keys init` and keep its recovery sheet: without the key, encrypted data"
            " is lost"
        ) from None
    except (OSError, ValueError) as error:
        if getattr(error, "errno", None) in (errno.ELOOP, errno.EMLINK):
            raise KeyRefused(
                f"{source}: {path} is a symbolic link; name the file itself: a link can be redirected to another key"
            ) from None
        reason = getattr(error, "strerror", None) or error
        raise KeyRefused(f"{source}: {path} cannot be opened: {reason}") from None
    try:
        _judge(os.fstat(descriptor), path, source)
        with open(descriptor, "rb", closefd=False) as file:
            content = file.read(_MAX_KEY_FILE + 1)
    finally:
        os.close(descriptor)
    if len(content) > _MAX_KEY_FILE:
        raise damaged(f"{source}: {path}", "it is far too large for a key")
    return content


def _judge(found: os.stat_result, path: Path, source: str) -> None:
    if not stat.S_ISREG(found.st_mode):
        raise KeyRefused(f"{source}: {path} is not a regular file")
    if not hasattr(os, "geteuid"):
        return
    if found.st_uid != os.geteuid():
        raise KeyRefused(f"{source}: {path} belongs to another user, who could read and replace the key")
    if found.st_mode & 0o077:
        raise KeyRefused(
            f"{source}: {path} can be read or changed by others (mode {stat.S_IMODE(found.st_mode):04o});"
            f" if they did not, `chmod 600` it, otherwise create a new key"
        )
