"""A PostgreSQL server of our own, in a temporary folder, for tests and benchmarks."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs

SECRET = secrets.token_hex(12)
USER = "postgres" if os.name == "posix" and os.geteuid() == 0 else None  # root may not run a server


class NoServer(Exception):
    """There is none, for the reason that it says."""


def _tool(name: str) -> str:
    newest = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    found = str(newest[-1]) if newest else shutil.which(name)
    if not found:
        raise NoServer("PostgreSQL is not installed (apt-get install postgresql)")
    return found


@attrs.frozen
class Server:
    """Where the server is reached."""

    port: int
    secret: str = SECRET
    _open: list[Any] = attrs.field(factory=list, init=False)

    @property
    def url(self) -> str:
        """Without user and password."""
        return f"postgresql://127.0.0.1:{self.port}/postgres"

    def __call__(self, *statements: str) -> list[tuple[Any, ...]]:
        """What the last one of some statements gives, after all are committed."""
        if not self._open:  # connecting costs more than most statements
            self._open.append(self._connect())
        (connection,) = self._open
        try:
            with connection.cursor() as cursor:
                for statement in statements:
                    cursor.execute(statement)
                found = cursor.fetchall() if cursor.description else []
            connection.commit()
        except BaseException:
            self.leave()
            raise
        return found

    def leave(self) -> None:
        """Close the connection that statements share."""
        while self._open:
            self._open.pop().close()

    @contextlib.contextmanager
    def connected(self) -> Iterator[Any]:
        """A connection of its own."""
        with self._connect() as connection:
            yield connection

    def _connect(self) -> Any:
        import adbc_driver_postgresql.dbapi as driver

        return driver.connect(f"postgresql://owner:{SECRET}@{self.url.removeprefix('postgresql://')}")


@contextlib.contextmanager
def started() -> Iterator[Server]:
    """A server in a temporary folder, which asks for a password.

    Raises:
        NoServer: It cannot be had here.
    """
    initdb, postgres = _tool("initdb"), _tool("postgres")
    with tempfile.TemporaryDirectory(prefix="pg", ignore_cleanup_errors=True) as folder, socket.socket() as free:
        if USER is not None:
            try:
                shutil.chown(folder, USER)
            except LookupError:
                raise NoServer(f"PostgreSQL does not run as root, and there is no user {USER}") from None
        who: dict[str, Any] = {"user": USER, "cwd": folder}
        password = Path(folder, "password")
        password.write_text(SECRET)
        password.chmod(0o644)
        made = [initdb, "-D", f"{folder}/data", "-U", "owner", "-A", "scram-sha-256", "--pwfile", password]
        subprocess.run([*made, "--no-sync", "-E", "UTF8", "--locale=C"], check=True, capture_output=True, **who)
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        free.close()
        options = {"unix_socket_directories": folder, "listen_addresses": "127.0.0.1", "port": port, "fsync": "off"}
        given = [part for key, value in options.items() for part in ("-c", f"{key}={value}")]
        with open(os.devnull, "w") as nowhere:
            process = subprocess.Popen(
                [postgres, "-D", f"{folder}/data", *given], stdout=nowhere, stderr=subprocess.PIPE, text=True, **who
            )
        assert process.stderr is not None
        for line in process.stderr:
            if "ready to accept connections" in line:
                break
        else:
            raise NoServer("PostgreSQL does not start here")
        drained = subprocess.Popen(["cat"], stdin=process.stderr, stdout=subprocess.DEVNULL)
        server = Server(port)
        try:
            yield server
        finally:
            server.leave()
            process.terminate()
            process.wait()
            drained.wait()
