"""A folder on an SFTP server, whose key has to be known: what `ObjectStore` is for object stores."""

from __future__ import annotations

import contextlib
import os
import posixpath
import secrets
import stat
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from pamola_tasks.errors import DataError
from pamola_tasks_objects.settings import revealed
from pamola_tasks_objects.state import CHANGED, PIECE, State, explained

if TYPE_CHECKING:
    from pamola_tasks_objects.address import Address
    from pamola_tasks_objects.settings import Root

_SECONDS = 30  # that the server may take for an answer
MARK = ".tmp-pamola-"


class SftpStore:
    """A connection to the server of a root."""

    def __init__(self, root: Root) -> None:
        import paramiko

        host, _, port = root.address.place.rpartition(":")
        self._root = f"/{root.address.key}"
        self._client = paramiko.SSHClient()
        self._client.set_missing_host_key_policy(paramiko.RejectPolicy())
        known = os.path.expanduser(root.known_hosts or "~/.ssh/known_hosts")
        if os.path.exists(known):
            self._client.load_host_keys(known)
        secret = revealed(root.secret)
        given: dict[str, Any] = {"key_filename": os.path.expanduser(root.key_file)} if root.key_file else {}
        given |= {"passphrase" if root.key_file else "password": secret} if secret else {}
        try:
            self._client.connect(
                host.strip("[]"),
                int(port),
                username=root.user,
                look_for_keys=not given,
                allow_agent=not given,
                timeout=_SECONDS,
                banner_timeout=_SECONDS,
                auth_timeout=_SECONDS,
                **given,
            )
            self._sftp: Any = self._client.open_sftp()
            self._sftp.get_channel().settimeout(_SECONDS)
            self._real_root = self._sftp.normalize(self._root)
        except paramiko.BadHostKeyException:
            self.close()
            raise DataError(f"{host}: its key is not the one in {known}: it may be another server") from None
        except paramiko.AuthenticationException:
            self.close()
            raise DataError(
                f"access to {host} is denied with the credentials that the project file has for it"
            ) from None
        except paramiko.SSHException as error:
            self.close()
            if "known_hosts" in str(error):
                raise DataError(
                    f"{host}: its key is not in {known}; ask who runs it for the key, and add it (ssh-keyscan gives the"
                    " key that answers, which need not be the server's)"
                ) from None
            raise DataError(f"{host}: {error}") from None
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """End the connection."""
        self._client.close()

    def reach(self) -> None:
        """See whether the folder is there."""
        with explained(self._root):
            self._sftp.stat(self._root)

    def info(self, address: Address) -> State | None:
        with explained(str(address)):
            try:
                found = self._sftp.stat(self._inside(address))
            except FileNotFoundError:
                return None
        if not stat.S_ISREG(found.st_mode or 0):
            return None
        return State(size=found.st_size, modified=str(found.st_mtime))

    def read(self, address: Address) -> Iterator[bytes]:
        with explained(str(address)):
            file = self._sftp.open(self._inside(address), "rb")
        with file:
            with explained(str(address)):
                before = file.stat()
                file.prefetch(before.st_size)
            while True:
                with explained(str(address)):
                    piece = file.read(PIECE)
                if not piece:
                    break
                yield piece
            with explained(str(address)):
                after = file.stat()
            if (after.st_size, after.st_mtime) != (before.st_size, before.st_mtime):
                raise DataError(f"{address}: {CHANGED}")

    def put(self, address: Address, pieces: Iterable[bytes], size: int, *, replace: bool) -> None:
        """Beside its place under a name of its own, then renamed. A kill leaves that file, and the place as it was."""
        with explained(str(address)):
            target = self._inside(address)
        folder, name = posixpath.split(target)
        temporary = f"{folder}/.{name[:80]}{MARK}{secrets.token_hex(6)}"
        try:
            with explained(str(address)):
                file = self._sftp.open(temporary, "wbx")
                file.set_pipelined(True)
            with file:
                for piece in pieces:
                    with explained(str(address)):
                        file.write(piece)
            with explained(str(address)):
                if self._sftp.stat(temporary).st_size != size:
                    raise DataError(f"{address}: the server did not take all {size:,} bytes")
                if not replace and self._exists(target):
                    raise FileExistsError
                self._sftp.posix_rename(temporary, target) if replace else self._sftp.rename(temporary, target)
        except BaseException:
            with contextlib.suppress(Exception):  # of a server that is gone
                self._sftp.remove(temporary)
            raise

    def _exists(self, path: str) -> bool:
        try:
            self._sftp.lstat(path)
        except FileNotFoundError:
            return False
        return True

    def _inside(self, address: Address) -> str:
        """The path of a file; refused where a link on the server leads out of the root."""
        path = f"/{address.key}"
        folder = self._sftp.normalize(posixpath.dirname(path))
        place = f"{folder.rstrip('/')}/{address.name}"
        if self._exists(place) and stat.S_ISLNK(self._sftp.lstat(place).st_mode or 0):
            place = self._sftp.normalize(place)
        if not place.startswith(f"{self._real_root.rstrip('/')}/"):
            raise DataError(f"{address}: a link on the server leads out of the folder that the project file allows")
        return str(place)
