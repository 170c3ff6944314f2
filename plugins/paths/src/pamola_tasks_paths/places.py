"""Where names lead beneath a root: handles of folders, their entries, places for new files, refusals in words."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Iterator

from pamola_tasks.errors import PathSecurityError
from pamola_tasks_paths.folders import Folder, permit, present, refuse_twin
from pamola_tasks_paths.names import climbs, shown
from pamola_tasks_paths.opening import Opener

_MAX_LINKS = 40
_DANGLES = "it is a symbolic link to something that is not there"
_REASONS = {
    errno.EXDEV: "it leads out of the folder it must stay in",
    errno.ELOOP: "it leads through a symbolic link that does not end, or that is none the file system can vouch for",
    errno.ENOTDIR: "one of its parts is a file, not a folder",
    errno.EISDIR: "it is a folder, not a file",
    errno.ENXIO: "it is a device, a socket or a named pipe, not a file",
    errno.ENODEV: "it is a device, a socket or a named pipe, not a file",
    errno.ENAMETOOLONG: "it is too long",
}


class Places:
    """The folders and entries that an opener leads to. Names went through the lexical gate before."""

    def __init__(self, opener: Opener) -> None:
        self.opener = opener

    def folder(self, path: str, made: list[str] | None = None, mode: int = 0o700) -> Folder:
        """A handle of a folder; with `made`, what is missing is made and its names are added to that list."""
        try:
            return self.opener.folder(path)
        except OSError as error:
            if error.errno != errno.ENOENT or made is None or climbs(path):
                raise self.refusal(path, error) from None
        head, _, last = path.rstrip("/").rpartition("/")
        # Who finds it made by another process meanwhile goes on; a dangling link is refused by the next lines.
        with self.folder(head or ".", made, mode) as parent, contextlib.suppress(FileExistsError):
            if last not in ("", ".", ".."):
                refuse_twin(parent, last, path)
                parent.mkdir(last, mode)
                made.append(path)
        with self.refusing(path):
            return self.opener.folder(path)

    def entry(self, path: str) -> tuple[Folder, str, os.stat_result]:
        """The folder that something is in, its name there, and its own status; a link must not lead out."""
        head, last = _split(path)
        with contextlib.ExitStack() as stack:
            folder = stack.enter_context(self.folder(head))
            with self.refusing(path):
                status = folder.lstat(last)
                if stat.S_ISLNK(status.st_mode):
                    self.opener.stat(path)
            stack.pop_all()
        return folder, last, status

    def place(
        self, path: str, made: list[str] | None, *, renaming: str | None = None
    ) -> tuple[str, str, Folder, os.stat_result | None]:
        """Where a file is to be written: folder path, name, the folder's handle, and what is there now.

        A symbolic link in the last place is followed, each step beneath the root again.
        """
        here = path
        for links in range(_MAX_LINKS):
            head, last = _split(here)
            with contextlib.ExitStack() as stack:
                folder = stack.enter_context(self.folder(head, made))
                with self.refusing(path):
                    target = folder.link_target(last)
                    if target is None:
                        old = present(folder, last)
                        if old is None and links:
                            raise PathSecurityError(f"{shown(path)} is refused: {_DANGLES}")
                        if old is None:
                            refuse_twin(folder, last, path, but=renaming)
                        stack.pop_all()
                        return head, last, folder, old
                    if os.path.isabs(target):
                        raise OSError(errno.EXDEV, os.strerror(errno.EXDEV), path)
            here, made = f"{head}/{target}", None
        raise self.refusal(path, OSError(errno.ELOOP, os.strerror(errno.ELOOP), path))

    def append_new(self, path: str, flags: int) -> int:
        """A new file to append to; another process may create it at the same time."""
        head, last = _split(path)
        with self.folder(head, []) as folder, self.refusing(path):
            if present(folder, last) is None:
                refuse_twin(folder, last, path)
            fd = folder.open(last, flags | os.O_CREAT)
            if not os.fstat(fd).st_size:
                permit(fd, 0o600)
            return fd

    def still_there(self, head: str, folder: Folder, path: str) -> None:
        """Refuse to publish in a folder that was moved or swapped while the file was being written."""
        if head == ".":
            return
        with self.folder(head) as now:
            if now.identity() != folder.identity():
                raise PathSecurityError(f"{shown(path)} was not written: its folder was replaced by another meanwhile")

    def remove_folder(self, path: str) -> None:
        head, last = _split(path)
        with self.folder(head) as folder:
            folder.rmdir(last)

    @contextlib.contextmanager
    def refusing(self, path: str) -> Iterator[None]:
        """What the system refuses leaves as what it means for the caller."""
        try:
            yield
        except OSError as error:
            raise self.refusal(path, error) from None

    def refusal(self, path: str, error: OSError) -> Exception:
        """What a failed resolution means for the caller."""
        reason = _REASONS.get(error.errno or 0)
        if reason is None and error.errno == errno.ENOENT:
            if climbs(path):
                reason = _REASONS[errno.EXDEV]
            elif self._dangles(path):
                reason = _DANGLES
        if reason is not None:
            return PathSecurityError(f"{shown(path)} is refused: {reason}")
        return type(error)(error.errno, os.strerror(error.errno or 0), path)

    def _dangles(self, path: str) -> bool:
        head, _, last = path.rstrip("/").rpartition("/")
        try:
            with self.opener.folder(head or ".") as folder:
                return stat.S_ISLNK(folder.lstat(last).st_mode)
        except OSError:
            return False


def _split(path: str) -> tuple[str, str]:
    """The folder part and the last part of a path to something that is no folder by its spelling."""
    head, _, last = path.rpartition("/")
    if last in ("", ".", ".."):
        raise PathSecurityError(f"{shown(path)} is refused: it names a folder, not something in one")
    return head or ".", last
