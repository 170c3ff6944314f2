"""Open folders: what is done to the things in one, by single names that are never followed when they are links."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Iterator
from typing import Self

from pamola_tasks.errors import PathSecurityError
from pamola_tasks_paths.names import collation_key, shown

O_CLOEXEC = getattr(os, "O_CLOEXEC", 0)
O_DIRECTORY = getattr(os, "O_DIRECTORY", 0)
O_NOFOLLOW = getattr(os, "O_NOFOLLOW", 0)
O_NONBLOCK = getattr(os, "O_NONBLOCK", 0)
O_NOCTTY = getattr(os, "O_NOCTTY", 0)
O_BINARY = getattr(os, "O_BINARY", 0)
O_HANDLE = getattr(os, "O_PATH", os.O_RDONLY) | O_CLOEXEC
O_FOLDER = O_HANDLE | O_DIRECTORY
# Looking at something must not wait for the other end of a named pipe; O_PATH never does, and admits no such flag.
O_LOOK = O_HANDLE if hasattr(os, "O_PATH") else O_HANDLE | O_NONBLOCK


_KINDS = {stat.S_IFDIR: "a folder", stat.S_IFREG: "a file", stat.S_IFIFO: "a named pipe"}
_KINDS[stat.S_IFLNK] = "a symbolic link"


class Folder:
    """An open folder, held by its descriptor; where folders have none (Windows), known by its final path.

    Names are single parts, and are never followed when they are symlinks.
    """

    __slots__ = ("_prefix", "fd", "path")

    def __init__(self, fd: int | None, path: str = "") -> None:
        self.fd = fd
        self.path = path
        self._prefix = path + os.sep if path else ""

    def open(self, name: str, flags: int, mode: int = 0o600) -> int:
        if self.fd is None and os.path.islink(self._prefix + name):  # Windows has no O_NOFOLLOW
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), name)
        return os.open(self._prefix + name, flags | O_BINARY | O_NOFOLLOW | O_CLOEXEC, mode, dir_fd=self.fd)

    def lstat(self, name: str) -> os.stat_result:
        return os.stat(self._prefix + name, dir_fd=self.fd, follow_symlinks=False)

    def link_target(self, name: str) -> str | None:
        return link_target(self._prefix + name, self.fd)

    def mkdir(self, name: str, mode: int = 0o700) -> None:
        os.mkdir(self._prefix + name, mode & 0o700, dir_fd=self.fd)
        if mode & 0o077 and self.fd is not None:
            with contextlib.suppress(OSError):
                made = os.open(name, os.O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC, dir_fd=self.fd)
                try:
                    permit(made, mode)
                finally:
                    os.close(made)

    def unlink(self, name: str) -> None:
        os.unlink(self._prefix + name, dir_fd=self.fd)

    def rmdir(self, name: str) -> None:
        os.rmdir(self._prefix + name, dir_fd=self.fd)

    def rename(self, name: str, folder: Folder, new_name: str) -> None:
        os.replace(self._prefix + name, folder._prefix + new_name, src_dir_fd=self.fd, dst_dir_fd=folder.fd)

    def publish(self, temporary: str, name: str, *, exclusive: bool) -> None:
        """Give a finished temporary file its name, in one step; `FileExistsError` where `exclusive` and taken."""
        if not exclusive:
            self.rename(temporary, self, name)
            return
        if self.fd is None:
            os.link(self._prefix + temporary, self._prefix + name)
        else:
            os.link(temporary, name, src_dir_fd=self.fd, dst_dir_fd=self.fd, follow_symlinks=False)
        self.unlink(temporary)

    def enter(self, name: str) -> Folder:
        if self.fd is not None:
            return Folder(os.open(name, O_FOLDER | O_NOFOLLOW, dir_fd=self.fd))
        if not stat.S_ISDIR(self.lstat(name).st_mode):
            raise OSError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), name)
        return Folder(None, self._prefix + name)

    def scan(self) -> Iterator[os.DirEntry[str]]:
        if self.fd is None:
            with os.scandir(self.path) as entries:
                yield from entries
            return
        # A handle made with O_PATH cannot be listed, and listing moves the position of one that can.
        fd = os.open(".", os.O_RDONLY | O_DIRECTORY | O_CLOEXEC, dir_fd=self.fd)
        try:
            with os.scandir(fd) as entries:
                yield from entries
        finally:
            os.close(fd)

    def identity(self) -> tuple[int, int]:
        status = os.stat(self.path) if self.fd is None else os.fstat(self.fd)
        return status.st_dev, status.st_ino

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        if self.fd is not None:
            os.close(self.fd)


def link_target(name: str, folder: int | None) -> str | None:
    """Where a symbolic link leads; None for what is none, or is not there."""
    try:
        return os.readlink(name, dir_fd=folder)
    except OSError as error:
        if error.errno in (errno.EINVAL, errno.ENOENT):
            return None
        raise


def permit(fd: int, mode: int) -> None:
    """Give something new exactly these permissions, whatever the umask, where the file system has any."""
    if hasattr(os, "fchmod") and stat.S_IMODE(os.fstat(fd).st_mode) != mode:
        with contextlib.suppress(OSError):
            os.fchmod(fd, mode)


def present(folder: Folder, name: str) -> os.stat_result | None:
    """The status of what has this name, or None where nothing has."""
    try:
        return folder.lstat(name)
    except FileNotFoundError:
        return None


def refuse_twin(folder: Folder, name: str, path: str, *, but: str | None = None) -> None:
    """Refuse a new name that is one with another on a system that ignores case or normalizes names."""
    key = collation_key(name)
    for entry in folder.scan():
        if entry.name not in (name, but) and collation_key(entry.name) == key:
            raise PathSecurityError(
                f"{shown(path)} is refused: {shown(entry.name)} is there, and on macOS and Windows both are one file"
            )


def remove(folder: Folder, name: str) -> None:
    """Delete a folder's entry with all below it, by handles, so that a swapped folder is never entered."""
    with folder.enter(name) as inside:
        for below, is_folder in [(entry.name, entry.is_dir(follow_symlinks=False)) for entry in inside.scan()]:
            if is_folder:
                remove(inside, below)
            else:
                inside.unlink(below)
    folder.rmdir(name)


def wrong_kind(path: str, status: os.stat_result, wanted: str) -> PathSecurityError:
    """The refusal of something that is neither a regular file nor a folder."""
    kind = _KINDS.get(stat.S_IFMT(status.st_mode), "a device or a socket")
    return PathSecurityError(f"{shown(path)} is refused: it is {kind}, not {wanted}")
