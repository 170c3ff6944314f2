"""How a relative name becomes an open file or folder beneath a root, whatever other processes do meanwhile.

Three ways, best first; all give `OSError` with `EXDEV` for a name that leaves the root and `ELOOP` for links that do
not end:

* `Openat2`: Linux 5.6 and later; the kernel refuses to leave the root (openat2(2), `RESOLVE_BENEATH`).
* `Walk`: every POSIX system; one part after the other, each opened relative to the last and never through a symlink,
  whose targets are read and walked here.
* `FinalPath`: where folders have no handles (Windows): the final path is looked up and compared. Something that
  changes a folder in between is not noticed.
"""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Callable
from functools import lru_cache

from pamola_tasks_paths.folders import O_BINARY, O_CLOEXEC, O_FOLDER, O_LOOK, O_NOFOLLOW, Folder, link_target
from pamola_tasks_paths.names import climbs

_MAX_LINKS = 40  # as Linux
_ATTEMPTS = 200  # openat2 asks to try again when a folder was renamed while `..` was resolved


class Opener:
    """Opens files and folders beneath one root, which is held by its descriptor; a symlink at the end is followed."""

    kind = ""

    def __init__(self, root: str) -> None:
        self.fd = os.open(root, O_FOLDER)

    def file(self, path: str, flags: int) -> int:
        """A descriptor of what is there."""
        raise NotImplementedError

    def folder(self, path: str) -> Folder:
        """The folder that is there."""
        return Folder(self.file(path, O_FOLDER))

    def stat(self, path: str) -> os.stat_result:
        """The status of what is there."""
        fd = self.file(path, O_LOOK)
        try:
            return os.fstat(fd)
        finally:
            os.close(fd)

    def close(self) -> None:
        """Release the root."""
        os.close(self.fd)


class Openat2(Opener):
    """Beneath a root by openat2(2)."""

    kind = "openat2"

    def __init__(self, root: str, call: Callable[[int, str, int], int]) -> None:
        super().__init__(root)
        self._call = call

    def file(self, path: str, flags: int) -> int:
        return self._call(self.fd, path, flags)


@lru_cache(maxsize=1)
def _openat2() -> Callable[[int, str, int], int] | None:
    """The system call as a function, or None where the kernel, libc or a sandbox does not have it."""
    if not sys.platform.startswith("linux"):
        return None
    import ctypes

    number = 437  # the same on every architecture but Alpha

    class OpenHow(ctypes.Structure):
        _fields_ = (("flags", ctypes.c_uint64), ("mode", ctypes.c_uint64), ("resolve", ctypes.c_uint64))

    no_magic_links, beneath = 0x02, 0x08
    try:
        syscall = ctypes.CDLL(None, use_errno=True).syscall
    except (OSError, AttributeError):
        return None
    syscall.argtypes = (ctypes.c_long, ctypes.c_int, ctypes.c_char_p, ctypes.c_void_p, ctypes.c_size_t)
    syscall.restype = ctypes.c_long
    size = ctypes.sizeof(OpenHow)
    get_errno, address = ctypes.get_errno, ctypes.addressof
    hows: dict[int, tuple[OpenHow, int]] = {}  # the structure must live as long as its address is used

    def openat2(folder: int, path: str, flags: int) -> int:
        how = hows.get(flags)
        if how is None:
            structure = OpenHow(flags, 0, beneath | no_magic_links)
            how = hows.setdefault(flags, (structure, address(structure)))
        encoded = os.fsencode(path)
        for _ in range(_ATTEMPTS):
            fd: int = syscall(number, folder, encoded, how[1], size)
            if fd >= 0:
                return fd
            code = get_errno()
            if code not in (errno.EAGAIN, errno.EINTR):
                break
        raise OSError(code, os.strerror(code), path)

    try:
        root = os.open("/", O_FOLDER)
    except OSError:
        return None
    try:
        os.close(openat2(root, ".", O_FOLDER))
    except OSError:  # ENOSYS from an old kernel, EPERM from a sandbox that does not know the call
        return None
    finally:
        os.close(root)
    return openat2


class Walk(Opener):
    """Beneath a root one part at a time, with `O_NOFOLLOW`."""

    kind = "walk"

    def file(self, path: str, flags: int) -> int:
        for _ in range(_ATTEMPTS):
            fd = self._try(path, flags)
            if fd >= 0:
                return fd
        raise OSError(errno.EAGAIN, "the folders on the way keep changing", path)

    def _try(self, path: str, flags: int) -> int:
        """One attempt; -1 when a part turned into a symlink after it had been looked at."""
        parts = _parts(path)
        links = 0
        trail: list[int] = []  # the folders entered, so that `..` goes back to the one we came from
        try:
            while parts:
                here = trail[-1] if trail else self.fd
                part = parts.pop()
                if part == "..":
                    if not trail:
                        raise OSError(errno.EXDEV, os.strerror(errno.EXDEV), path)
                    os.close(trail.pop())
                    continue
                target = link_target(part, here)
                if target is not None:
                    links += 1
                    if links > _MAX_LINKS:
                        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), path)
                    if target.startswith("/"):
                        raise OSError(errno.EXDEV, os.strerror(errno.EXDEV), path)
                    parts.extend(_parts(target))
                    continue
                try:
                    if not parts:
                        return os.open(part, flags | O_NOFOLLOW, dir_fd=here)
                    if part != ".":
                        trail.append(os.open(part, O_FOLDER | O_NOFOLLOW, dir_fd=here))
                except OSError as error:
                    if error.errno in (errno.ELOOP, errno.ENOTDIR) and link_target(part, here) is not None:
                        return -1
                    raise
            return os.open(".", flags, dir_fd=trail[-1] if trail else self.fd)
        finally:
            for fd in trail:
                os.close(fd)


def _parts(path: str) -> list[str]:
    """The parts of a path, last first; a slash at its end stands as `.`: what is before it must be a folder."""
    parts = [part for part in path.split("/") if part not in ("", ".")]
    if path.endswith(("/", "/.")):
        parts.append(".")
    parts.reverse()
    return parts


class FinalPath(Opener):
    """Beneath a root by comparing final paths."""

    kind = "final path"

    def __init__(self, root: str) -> None:
        self.root = os.path.realpath(root, strict=True)

    def file(self, path: str, flags: int) -> int:
        return os.open(self._final(path), flags | O_BINARY | O_NOFOLLOW | O_CLOEXEC)

    def folder(self, path: str) -> Folder:
        final = self._final(path)
        if not os.path.isdir(final):
            raise OSError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), path)
        return Folder(None, final)

    def stat(self, path: str) -> os.stat_result:
        return os.stat(self._final(path))

    def close(self) -> None:
        """Nothing is held."""

    def _final(self, path: str) -> str:
        if climbs(path):  # Windows resolves `..` by its text
            raise OSError(errno.EXDEV, os.strerror(errno.EXDEV), path)
        full = os.path.join(self.root, *path.split("/"))
        try:
            final = os.path.realpath(full, strict=True)
        except OSError as error:
            # A dangling link must not tell whether something outside exists.
            if error.errno == errno.ENOENT and not self._contains(os.path.realpath(full)):
                raise OSError(errno.EXDEV, os.strerror(errno.EXDEV), path) from None
            raise
        if not self._contains(final):
            raise OSError(errno.EXDEV, os.strerror(errno.EXDEV), path)
        if path.endswith("/") and not os.path.isdir(final):
            raise OSError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), path)
        return final

    def _contains(self, final: str) -> bool:
        root, final = os.path.normcase(self.root), os.path.normcase(final)
        return final == root or final.startswith(root if root.endswith(os.sep) else root + os.sep)


def best_opener(root: str) -> Opener:
    """The strongest way that this system has."""
    if os.open not in os.supports_dir_fd:
        return FinalPath(root)
    call = _openat2()
    return Walk(root) if call is None else Openat2(root, call)
