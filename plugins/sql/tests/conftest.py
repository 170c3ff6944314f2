"""A PostgreSQL server of the tests' own, in a temporary folder, and a project whose project file names it."""

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
import pytest
from installed import cli as cli
from installed import home as home
from installed import start as start

SECRET = secrets.token_hex(12)
USER = "postgres" if os.name == "posix" and os.geteuid() == 0 else None  # root may not run a server


def _tool(name: str) -> str:
    newest = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    found = str(newest[-1]) if newest else shutil.which(name)
    if not found:
        pytest.skip("PostgreSQL is not installed (apt-get install postgresql)")
    return found


@attrs.frozen
class Server:
    """Where the server is reached."""

    port: int
    secret: str = SECRET

    @property
    def url(self) -> str:
        """Without user and password."""
        return f"postgresql://127.0.0.1:{self.port}/postgres"

    def __call__(self, *statements: str) -> list[tuple[Any, ...]]:
        """What the last one of some statements gives, after all are committed."""
        with self.connected() as connection, connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)
            found = cursor.fetchall() if cursor.description else []
            connection.commit()
            return found

    @contextlib.contextmanager
    def connected(self) -> Iterator[Any]:
        import adbc_driver_postgresql.dbapi as driver

        with driver.connect(f"postgresql://owner:{SECRET}@{self.url.removeprefix('postgresql://')}") as connection:
            yield connection


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """One server for all tests, which asks for a password."""
    initdb, postgres = _tool("initdb"), _tool("postgres")
    with tempfile.TemporaryDirectory(prefix="pg", ignore_cleanup_errors=True) as folder, socket.socket() as free:
        if USER is not None:
            try:
                shutil.chown(folder, USER)
            except LookupError:
                pytest.skip(f"PostgreSQL does not run as root, and there is no user {USER}")
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
            pytest.skip("PostgreSQL does not start here")
        drained = subprocess.Popen(["cat"], stdin=process.stderr, stdout=subprocess.DEVNULL)
        try:
            yield Server(port)
        finally:
            process.terminate()
            process.wait()
            drained.wait()


@pytest.fixture
def project(tmp_path: Path, server: Server, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project that may use the database `clinic`, and replace tables whose names begin with `out`."""
    monkeypatch.setenv("CLINIC_PASSWORD", SECRET)
    root = tmp_path / "project"
    (root / "configs").mkdir(parents=True)
    (root / ".pamola.toml").touch()
    (root / "configs/prj_config.yaml").write_text(
        "output_format: parquet\n"
        "checkpoints: {keep_intermediate: true}\n"
        f"sql:\n  databases:\n    clinic:\n      url: {server.url}\n      user: owner\n"
        "      password: ${env:CLINIC_PASSWORD}\n      write: ['out*', 'research.*']\n"
    )
    return root
