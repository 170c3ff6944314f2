"""`SafeRoot`: open files and folders beneath one folder, by name, and nothing outside it.

Every method takes a name and does the work itself, on handles, so that no time passes between a check and its use.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import IO, Any, Self

from pamola_tasks.errors import PathSecurityError
from pamola_tasks.storage.files import temporary_name
from pamola_tasks_paths.folders import O_CLOEXEC, O_NOCTTY, O_NONBLOCK, permit, remove, wrong_kind
from pamola_tasks_paths.names import check_name, shown
from pamola_tasks_paths.opening import Opener, best_opener
from pamola_tasks_paths.places import Places

_BASE = O_CLOEXEC | O_NOCTTY | O_NONBLOCK  # a FIFO must not block, a terminal must not become ours
_FLAGS = {
    "r": os.O_RDONLY | _BASE,
    "r+": os.O_RDWR | _BASE,
    "a": os.O_WRONLY | os.O_APPEND | _BASE,
    "a+": os.O_RDWR | os.O_APPEND | _BASE,
}


class SafeRoot:
    """A folder, and everything beneath it.

    A name is text: relative to the root with `/` between its parts, or absolute and inside the root. `..` and
    symbolic links are followed by the file system and must not leave the root. What is refused raises
    `PathSecurityError`; what is merely not there raises `FileNotFoundError`.

    Args:
        root: The folder, which must exist.
        opener: How names are resolved; the strongest way that the system has unless given.

    Raises:
        FileNotFoundError, NotADirectoryError: The root is not there, or is not a folder.
    """

    _open: Places | None = None

    def __init__(self, root: str | Path, *, opener: Callable[[str], Opener] = best_opener) -> None:
        given = os.path.abspath(root)
        self.root = Path(os.path.realpath(given))
        # Both spellings of an absolute name inside the root are accepted (macOS: /tmp is /private/tmp).
        self._prefixes = tuple({path if path.endswith(os.sep) else path + os.sep for path in (given, str(self.root))})
        self._how = opener
        self._open = Places(opener(given))

    @property
    def protection(self) -> str:
        """How leaving the root is prevented: `openat2`, `walk` or `final path`."""
        return self._places.opener.kind

    def open(self, name: str, mode: str = "rb", *, buffering: int = -1) -> IO[Any]:
        """Open a regular file that is there.

        Args:
            name: The file.
            mode: `rb` (or `r` for text in UTF-8), `r+b` to change it in place, `ab` to append: made when missing, with
                its folders. To rewrite a file use `create`.
            buffering: As for the built-in `open`.
        """
        plain = mode.translate({ord("b"): None, ord("t"): None})
        flags = _FLAGS.get(plain)
        if flags is None:
            raise ValueError(f"SafeRoot.open knows the modes r, r+ and a, not {mode!r}; use create() to write")
        reading = plain == "r"
        path = self._relative(name, not reading)
        try:
            fd = self._places.opener.file(path, flags)
        except OSError as error:
            if error.errno != errno.ENOENT or plain[0] != "a":
                raise self._places.refusal(path, error) from None
            fd = self._places.append_new(path, flags)
        try:
            status = os.fstat(fd)
            if not stat.S_ISREG(status.st_mode):
                raise wrong_kind(path, status, "a regular file")
            if not reading and status.st_nlink > 1:
                raise PathSecurityError(
                    f"{shown(path)} is refused: the file has {status.st_nlink} hard links, so changing it in place"
                    " would change it elsewhere too"
                )
        except BaseException:
            os.close(fd)
            raise
        return open(fd, mode, buffering, encoding=None if "b" in mode else "utf-8")

    @contextlib.contextmanager
    def create(
        self, name: str, *, exclusive: bool = False, parents: bool = True, mode: int | None = None
    ) -> Iterator[IO[bytes]]:
        """Write a file that appears under its name, whole, when the block ends; after an exception nothing is left.

        A regular file of that name is replaced; through a symbolic link that stays inside,
        its target is.

        Args:
            name: The file.
            exclusive: Refuse to replace a file that is there (`FileExistsError`).
            parents: Make missing folders.
            mode: Permissions, whatever the umask; unless given, those of the file that is replaced, else 0600.
        """
        path = self._relative(name, True)
        made: list[str] = []
        try:
            head, last, folder, old = self._places.place(path, made if parents else None)
            with folder:
                if old is not None:
                    if exclusive:
                        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), path)
                    if not stat.S_ISREG(old.st_mode):
                        raise wrong_kind(path, old, "a regular file")
                    mode = stat.S_IMODE(old.st_mode) & 0o777 if mode is None else mode
                mode = 0o600 if mode is None else mode
                temporary = temporary_name(last)
                fd = folder.open(temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL, mode)
                try:
                    with open(fd, "w+b") as file:
                        permit(fd, mode)
                        yield file
                    self._places.still_there(head, folder, path)
                    folder.publish(temporary, last, exclusive=exclusive)
                except BaseException:
                    with contextlib.suppress(FileNotFoundError):
                        folder.unlink(temporary)
                    raise
        except BaseException:
            for parent in reversed(made):
                with contextlib.suppress(OSError):  # somebody else uses it by now, or it was swapped
                    self._places.remove_folder(parent)
            raise

    def mkdirs(self, name: str, mode: int = 0o700) -> None:
        """Make a folder and its missing parents; nothing happens where it is there."""
        with self._places.folder(self._relative(name, True), [], mode):
            pass

    def replace(self, source: str, target: str) -> None:
        """Rename a file or folder, replacing the target; missing folders of the target are made."""
        old, new = self._relative(source, True), self._relative(target, True)
        from_folder, from_last, _ = self._places.entry(old)
        with from_folder:
            _, to_last, to_folder, _ = self._places.place(new, [], renaming=from_last)
            with to_folder, self._places.refusing(new):
                from_folder.rename(from_last, to_folder, to_last)

    def unlink(self, name: str, *, missing_ok: bool = False) -> None:
        """Delete a file, or a symbolic link that stays inside the root (the link, not its target)."""
        path = self._relative(name, True)
        try:
            folder, last, _ = self._places.entry(path)
            with folder, self._places.refusing(path):
                folder.unlink(last)
        except FileNotFoundError:
            if not missing_ok:
                raise

    def remove_tree(self, name: str, *, missing_ok: bool = False) -> None:
        """Delete a folder with all that is in it. Symbolic links in it are deleted, never followed.

        What is in the folder may have any name. The folder itself must not be a symbolic link.
        """
        path = self._relative(name, True)
        try:
            folder, last, status = self._places.entry(path)
        except FileNotFoundError:
            if missing_ok:
                return
            raise
        with folder:
            if not stat.S_ISDIR(status.st_mode):
                raise wrong_kind(path, status, "a folder")
            remove(folder, last)

    def iter(self, name: str = ".") -> Iterator[str]:
        """The names of what is in a folder, sorted; they need not pass as names that can be opened."""
        return (entry for entry, _ in self.entries(name))

    def entries(self, name: str = ".") -> Iterator[tuple[str, os.stat_result]]:
        """Names and status of what is in a folder, sorted by name; of a symbolic link the status is its own."""
        found = []
        with self._places.folder(self._relative(name)) as folder:
            for entry in folder.scan():
                with contextlib.suppress(FileNotFoundError):  # gone since it was listed
                    found.append((entry.name, folder.lstat(entry.name)))
        return iter(sorted(found, key=lambda item: item[0]))

    def stat(self, name: str) -> os.stat_result:
        """The status of what is there; a symbolic link is followed."""
        path = self._relative(name)
        try:
            return self._places.opener.stat(path)
        except OSError as error:
            raise self._places.refusal(path, error) from None

    def exists(self, name: str) -> bool:
        """Whether something is there that this root gives access to; a refused name is not there."""
        try:
            self.stat(name)
        except (FileNotFoundError, PathSecurityError):
            return False
        return True

    def beneath(self, name: str) -> str | None:
        """An absolute name without the root that it starts with, by its text; None when it starts with another."""
        for prefix in self._prefixes:
            if name.startswith(prefix):
                return name[len(prefix) :].lstrip("/") or "."
            if name + os.sep == prefix:
                return "."
        return None

    def close(self) -> None:
        """Let go of the root; nothing can be opened after that."""
        if self._open is not None:
            self._open.opener.close()
            self._open = None

    __del__ = close

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"SafeRoot({str(self.root)!r})"

    def __reduce__(self) -> tuple[Any, ...]:
        """Handles do not travel to other processes; the root is opened again there."""
        return (partial(SafeRoot, opener=self._how), (str(self.root),))

    # ------------------------------------------------------------ names to handles

    @property
    def _places(self) -> Places:
        if self._open is None:
            raise ValueError(f"{self!r} is closed")
        return self._open

    def _relative(self, name: object, writing: bool = False) -> str:
        """The name relative to the root, through the lexical gate."""
        if isinstance(name, str):
            if os.path.isabs(name):
                name = self.beneath(name) or name
            if os.sep == "\\":
                name = name.replace("\\", "/")
        return check_name(name, writing=writing)
