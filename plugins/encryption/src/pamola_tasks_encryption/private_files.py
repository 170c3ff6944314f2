"""Files that hold keys: never readable by other users, and refused where others could."""

from __future__ import annotations

import contextlib
import os
import stat
import sys
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

from pamola_tasks.storage.files import temporary_name
from pamola_tasks_encryption.errors import KeyMissing, KeyRefused, damaged

_MAX_KEY_FILE = 64 * 1024
_NAMES = frozenset(f"PAMOLA_KEY{way}" for way in ("", "_FILE", "_FD", "_COMMAND"))
_FLAGS = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)


def key_directory() -> Path:
    """The folder of key files: `pamola-tasks/keys` in the user's data directory; KeyMissing if the user has none."""
    try:
        return _key_directory(os.environ.get("HOME"), os.environ.get("XDG_DATA_HOME"))
    except RuntimeError:
        raise KeyMissing(
            "there is no folder for keys, because the user has no home directory: set HOME or XDG_DATA_HOME, or name a"
            " key file (PAMOLA_KEY_FILE, encryption_key_path, `pamola-task keys init --file FILE`)"
        ) from None


@cache
def _key_directory(*_: str | None) -> Path:
    """The folder of key files where these are the variables that it follows from: each record asks for it."""
    import platformdirs

    return platformdirs.user_data_path("pamola-tasks", appauthor=False) / "keys"


def has_own_file(project_id: str, ending: str) -> bool:
    """Whether the folder of keys has the file of a project with this ending: `key` or `signing`."""
    try:
        return (key_directory() / f"{project_id or 'default'}.{ending}").exists()
    except KeyMissing:
        return False


def may_have_key(environ: Mapping[str, str], project_id: str) -> bool:
    """Whether there may be a key for a project, without a look at it."""
    return not _NAMES.isdisjoint(environ) or own_key_is_used(environ, project_id)


def own_key_is_used(environ: Mapping[str, str], project_id: str) -> bool:
    """Whether there is a key file of the project's own, and the environment names no other key."""
    return _NAMES.isdisjoint(environ) and has_own_file(project_id, "key")


def signing_key_file(project_id: str) -> Path:
    """Where a project's signing key is, or would be."""
    return key_directory() / f"{project_id or 'default'}.signing"


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
    try:
        home = key_directory()
    except KeyMissing:
        return
    if hasattr(os, "geteuid") and home.is_dir() and stat.S_IMODE(home.stat().st_mode) & 0o077:
        raise KeyRefused(f"the folder of keys {home} is open to others: `chmod 700` it first")


def read_private_file(path: Path, source: str) -> bytes:
    """Read a small file that other users must not read or exchange: a key or an identity.

    What was opened is judged, not its name. A symbolic link, or a file of root's that others may read and not write
    (what Kubernetes, Docker and systemd mount), is accepted where only root and the user can change the way to
    it. Windows has neither owners nor modes to judge by. Errors are those of `find_key`.
    """
    try:
        real = Path(os.path.realpath(path))
        descriptor = os.open(real, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | _FLAGS)
    except FileNotFoundError:
        raise KeyMissing(
            f"there is no key; {source} would be {path}, which does not exist. Set PAMOLA_KEY_FILE or PAMOLA_KEY, or"
            " create a key with `pamola-task keys init` and keep its recovery sheet: without the key, encrypted data"
            " is lost"
        ) from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise KeyRefused(f"{source}: {path} cannot be opened: {reason}") from None
    try:
        _judge(os.fstat(descriptor), path, source)
        if real != path.absolute() or os.fstat(descriptor).st_mode & 0o077:
            _judge_way(path, source)
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
    # Root's, and others can at most read it; where we are root, it must be read-only as a mounted secret is.
    mounted = found.st_uid == 0 and not found.st_mode & (0o133 if os.geteuid() else 0o333)
    if found.st_uid != os.geteuid() and not mounted:
        raise KeyRefused(
            f"{source}: {path} belongs to another user, who could read and replace the key: copy it"
            f" (`install -m 600`), or have it mounted read-only as root's"
        )
    if found.st_mode & 0o077 and not mounted:
        raise KeyRefused(
            f"{source}: {path} can be read or changed by others (mode {stat.S_IMODE(found.st_mode):04o});"
            f" if they did not, `chmod 600` it, otherwise create a new key"
        )


def _judge_way(path: Path, source: str) -> None:
    """Refuse a way to a key that others could redirect, to one of their own: the folders, and links in them."""
    if not hasattr(os, "geteuid"):
        return
    for entry in _way(path.absolute()):
        folder = entry.parent
        here, above = entry.lstat(), folder.lstat()
        closed = not above.st_mode & 0o022 or above.st_mode & stat.S_ISVTX  # as /tmp: each entry its owner's
        if here.st_uid not in (0, os.geteuid()) or not closed:
            raise KeyRefused(
                f"{source}: others can put another key in the place of {path}: {folder} is theirs to change"
                f" (mode {stat.S_IMODE(above.st_mode):04o}); `chmod go-w` it, or name a file in a folder of your own"
            )


def _way(path: Path) -> Iterator[Path]:
    """Every folder, link and file that is passed on the way to a file; the folder of each is no link."""
    here, left = Path(path.anchor), [*reversed(path.parts[1:])]
    while left:
        part = left.pop()
        entry = here.parent if part == ".." else here / part
        yield entry
        if entry.is_symlink():
            target = Path(os.readlink(entry))
            here = Path(target.anchor) if target.is_absolute() else here
            left += reversed(target.parts[1:] if target.is_absolute() else target.parts)
        else:
            here = entry


@cache
def no_core_dumps() -> None:
    """Have no memory of this process written to the disk, or read by another of the user: it holds a key. Linux."""
    if sys.platform == "linux":
        import ctypes
        import resource

        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
        ctypes.CDLL(None).prctl(4, 0, 0, 0, 0)  # PR_SET_DUMPABLE
