"""An SFTP server in this process: paramiko's side of one over a folder, whose files tests can look at and change."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import attrs
import paramiko

HERE = "127.0.0.1"


@attrs.define
class Sftp:
    """A server, the folder that clients see as `/`, and who may connect."""

    folder: Path
    user: str
    password: str
    key: paramiko.PKey  #: of the user
    host_key: paramiko.PKey
    port: int = 0
    #: called with `open`, `read`, `write`, `rename` or `remove`, and a path, before a request is answered
    before: Callable[[str, str], None] = lambda request, path: None
    seen: list[str] = attrs.Factory(list)

    @property
    def known_host(self) -> str:
        """Its line in a file of known hosts."""
        return f"[{HERE}]:{self.port} {self.host_key.get_name()} {self.host_key.get_base64()}\n"

    def asked(self, request: str, path: str) -> None:
        """Note a request, and let the test step in."""
        self.seen.append(f"{request} {path}")
        self.before(request, path)


class _Login(paramiko.ServerInterface):
    def __init__(self, server: Sftp) -> None:
        self._server = server

    def get_allowed_auths(self, username: str) -> str:
        return "password,publickey"

    def check_auth_password(self, username: str, password: str) -> int:
        return _answer((username, password) == (self._server.user, self._server.password))

    def check_auth_publickey(self, username: str, key: paramiko.PKey) -> int:
        return _answer((username, key) == (self._server.user, self._server.key))

    def check_channel_request(self, kind: str, chanid: int) -> int:
        return paramiko.OPEN_SUCCEEDED


def _answer(right: bool) -> int:
    return paramiko.AUTH_SUCCESSFUL if right else paramiko.AUTH_FAILED


class _Handle(paramiko.SFTPHandle):
    def __init__(self, server: Sftp, path: str, file: Any, flags: int) -> None:
        super().__init__(flags)
        self._server, self._path = server, path
        self.readfile = self.writefile = file

    def read(self, offset: int, length: int) -> Any:
        self._server.asked("read", self._path)
        return super().read(offset, length)

    def write(self, offset: int, data: bytes) -> Any:
        self._server.asked("write", self._path)
        return super().write(offset, data)

    def stat(self) -> Any:
        return paramiko.SFTPAttributes.from_stat(os.fstat(self.readfile.fileno()))


class _Folder(paramiko.SFTPServerInterface):
    """The requests of clients, answered by the file system. Absolute links mean what they mean on the server."""

    def __init__(self, login: Any, served: Sftp) -> None:
        super().__init__(login)
        self._server = served

    def _path(self, path: str) -> str:
        return f"{self._server.folder}{os.path.normpath(f'/{path}')}"

    def _done(self, request: str, path: str, do: Callable[[], Any]) -> Any:
        self._server.asked(request, path)
        try:
            found = do()
        except OSError as error:
            return paramiko.SFTPServer.convert_errno(error.errno or 0)
        return paramiko.SFTP_OK if found is None else found

    def canonicalize(self, path: str) -> str:
        real = os.path.realpath(self._path(path))
        return f"/{real.removeprefix(str(self._server.folder)).lstrip('/')}"

    def stat(self, path: str) -> Any:
        return self._done("stat", path, lambda: paramiko.SFTPAttributes.from_stat(os.stat(self._path(path))))

    def lstat(self, path: str) -> Any:
        return self._done("stat", path, lambda: paramiko.SFTPAttributes.from_stat(os.lstat(self._path(path))))

    def open(self, path: str, flags: int, attr: Any) -> Any:
        def opened() -> Any:
            descriptor = os.open(self._path(path), flags, 0o600)
            mode = "wb" if flags & os.O_WRONLY else "r+b" if flags & os.O_RDWR else "rb"
            return _Handle(self._server, path, os.fdopen(descriptor, mode), flags)

        return self._done("open", path, opened)

    def remove(self, path: str) -> Any:
        return self._done("remove", path, lambda: os.remove(self._path(path)))

    def rename(self, oldpath: str, newpath: str) -> Any:
        def renamed() -> None:
            os.link(self._path(oldpath), self._path(newpath))  # which refuses what is there
            os.remove(self._path(oldpath))

        return self._done("rename", newpath, renamed)

    def posix_rename(self, oldpath: str, newpath: str) -> Any:
        return self._done("rename", newpath, lambda: os.replace(self._path(oldpath), self._path(newpath)))


@contextmanager
def serving(server: Sftp) -> Iterator[Sftp]:
    """Let clients connect, each to a thread of its own."""
    with socket.create_server((HERE, 0)) as listening:
        server.port = listening.getsockname()[1]
        connected: list[paramiko.Transport] = []

        def accept() -> None:
            while True:
                try:
                    client, _ = listening.accept()
                except OSError:  # it was closed
                    return
                transport = paramiko.Transport(client)
                connected.append(transport)
                transport.add_server_key(server.host_key)
                transport.set_subsystem_handler("sftp", paramiko.SFTPServer, _Folder, server)
                try:
                    transport.start_server(event=threading.Event(), server=_Login(server))
                except paramiko.SSHException:  # a client that does not like the key
                    transport.close()

        accepting = threading.Thread(target=accept, daemon=True)
        accepting.start()
        try:
            yield server
        finally:
            listening.shutdown(socket.SHUT_RDWR)
            for transport in connected:
                transport.close()
    accepting.join()
