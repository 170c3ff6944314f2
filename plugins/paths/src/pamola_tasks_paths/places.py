"""Where names lead beneath a root: handles of folders, their entries, places for new files, refusals in words."""

from __future__ import annotations

import errno
import os
import stat

from pamola_tasks.errors import PathSecurityError
from pamola_tasks_paths.folders import Folder, present, refuse_twin
from pamola_tasks_paths.names import climbs, shown
from pamola_tasks_paths.opening import Opener

_MAX_LINKS = 40
_NOT_A_LINK = (errno.EINVAL, errno.ENOENT)
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
    """The folders and entries that an opener leads to. Names went through the lexical gate before.

    Args:
        opener: How names are resolved.
    """

    def __init__(self, opener: Opener) -> None:
        self.opener = opener

    def folder(self, path: str, made: list[str] | None = None, mode: int = 0o777) -> Folder:
        """A handle of a folder; with `made`, what is missing is made and its names are added to that list."""
        try:
            return self.opener.folder(path)
        except OSError as error:
            if error.errno != errno.ENOENT or made is None or climbs(path):
                raise self.refusal(path, error) from None
        head, _, last = path.rstrip("/").rpartition("/")
        parent = self.folder(head or ".", made)
        try:
            if last not in ("", ".", ".."):
                refuse_twin(parent, last, path)
                parent.mkdir(last, mode)
                made.append(path)
        except FileExistsError:
            pass  # made by another process meanwhile, or a dangling link, which the next lines refuse
        finally:
            parent.close()
        try:
            return self.opener.folder(path)
        except OSError as error:
            raise self.refusal(path, error) from None

    def entry(self, path: str) -> tuple[Folder, str, os.stat_result]:
        """The folder that something is in, its name there, and its own status; a link must not lead out."""
        head, last = _split(path)
        folder = self.folder(head)
        try:
            status = folder.lstat(last)
            if stat.S_ISLNK(status.st_mode):
                self.opener.stat(path)
        except OSError as error:
            folder.close()
            raise self.refusal(path, error) from None
        except BaseException:
            folder.close()
            raise
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
            folder = self.folder(head, made)
            try:
                try:
                    target = folder.readlink(last)
                except OSError as error:
                    if error.errno not in _NOT_A_LINK:
                        raise
                    old = present(folder, last)
                    if old is None:
                        if links:
                            raise PathSecurityError(
                                f"{shown(path)} is refused: it is a symbolic link to something that is not there"
                            ) from None
                        refuse_twin(folder, last, path, but=renaming)
                    return head, last, folder, old
                if os.path.isabs(target):
                    raise OSError(errno.EXDEV, os.strerror(errno.EXDEV), path)
            except OSError as error:
                folder.close()
                raise self.refusal(path, error) from None
            except BaseException:
                folder.close()
                raise
            folder.close()
            here, made = f"{head}/{target}", None
        raise self.refusal(path, OSError(errno.ELOOP, os.strerror(errno.ELOOP), path))

    def append_new(self, path: str, flags: int) -> int:
        """A new file to append to; another process may create it at the same time."""
        head, last = _split(path)
        folder = self.folder(head, [])
        try:
            if present(folder, last) is None:
                refuse_twin(folder, last, path)
            return folder.open(last, flags | os.O_CREAT)
        except OSError as error:
            raise self.refusal(path, error) from None
        finally:
            folder.close()

    def still_there(self, head: str, folder: Folder, path: str) -> None:
        """Refuse to publish in a folder that was moved or swapped while the file was being written."""
        if head == ".":
            return
        now = self.folder(head)
        try:
            if now.identity() != folder.identity():
                raise PathSecurityError(f"{shown(path)} was not written: its folder was replaced by another meanwhile")
        finally:
            now.close()

    def remove_folder(self, path: str) -> None:
        head, last = _split(path)
        folder = self.folder(head)
        try:
            folder.rmdir(last)
        finally:
            folder.close()

    def refusal(self, path: str, error: OSError) -> Exception:
        """What a failed resolution means for the caller."""
        reason = _REASONS.get(error.errno or 0)
        if reason is None and error.errno == errno.ENOENT:
            if climbs(path):
                reason = _REASONS[errno.EXDEV]
            elif self._dangles(path):
                reason = "it is a symbolic link to something that is not there"
        if reason is not None:
            return PathSecurityError(f"{shown(path)} is refused: {reason}")
        return type(error)(error.errno, os.strerror(error.errno or 0), path)

    def _dangles(self, path: str) -> bool:
        head, _, last = path.rstrip("/").rpartition("/")
        try:
            folder = self.opener.folder(head or ".")
        except OSError:
            return False
        try:
            return stat.S_ISLNK(folder.lstat(last).st_mode)
        except OSError:
            return False
        finally:
            folder.close()


def _split(path: str) -> tuple[str, str]:
    """The folder part and the last part of a path to something that is no folder by its spelling."""
    head, _, last = path.rpartition("/")
    if last in ("", ".", ".."):
        raise PathSecurityError(f"{shown(path)} is refused: it names a folder, not something in one")
    return head or ".", last
