"""A local S3 server (moto's, in a venv of its own) behind a proxy in which tests step in, an SFTP server, projects."""

from __future__ import annotations

import contextlib
import http.client
import os
import re
import secrets
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import attrs
import command_line
import pytest
from installed import cli as cli
from installed import home as home

KEY, SECRET = f"id{secrets.token_hex(8)}", secrets.token_hex(20)
HERE = "127.0.0.1"


@attrs.define
class S3:
    """The server, by requests that our code has no part in, and the proxy that our code talks to."""

    moto: int
    proxy: int
    #: called with method and path before a request is passed on
    before: Callable[[str, str], None] = lambda method, path: None
    seen: list[str] = attrs.Factory(list)
    key: str = KEY
    secret: str = SECRET

    def ask(self, method: str, path: str, body: bytes = b"") -> tuple[int, bytes]:
        connection = http.client.HTTPConnection(HERE, self.moto, timeout=60)
        scope = "Credential=x/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=x"
        headers = {"Host": "s3.amazonaws.com", "Authorization": f"AWS4-HMAC-SHA256 {scope}"}
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        return answer.status, answer.read()

    def put(self, path: str, content: bytes | str) -> None:
        assert self.ask("PUT", f"/{path}", content.encode() if isinstance(content, str) else content)[0] == 200

    def get(self, path: str) -> bytes | None:
        status, content = self.ask("GET", f"/{path}")
        return content if status == 200 else None

    def keys(self, bucket: str) -> list[str]:
        return re.findall("<Key>(.*?)</Key>", self.ask("GET", f"/{bucket}?list-type=2")[1].decode())

    def reads(self) -> int:
        """How often an object was read since this was asked last."""
        found = sum(line.startswith("GET ") and "?" not in line for line in self.seen)
        self.seen.clear()
        return found


def _proxy(store: S3) -> ThreadingHTTPServer:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def pass_on(self) -> None:
            if self.headers.get("Expect"):
                self.send_response_only(100)
                self.end_headers()
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            store.seen.append(f"{self.command} {self.path}")
            store.before(self.command, self.path)
            there = http.client.HTTPConnection(HERE, store.moto, timeout=60)
            there.request(self.command, self.path, body, dict(self.headers))
            answer = there.getresponse()
            content = answer.read()
            self.send_response_only(answer.status)
            for name, value in answer.getheaders():
                if name.lower() not in ("transfer-encoding", "connection", "content-length"):
                    self.send_header(name, value)
            length = answer.getheader("Content-Length") if self.command == "HEAD" else None
            self.send_header("Content-Length", length or str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = pass_on

        def log_message(self, *said: object) -> None:
            pass

        def handle(self) -> None:
            try:
                super().handle()
            except OSError:  # of a process that was killed
                pass

    return ThreadingHTTPServer((HERE, 0), Handler)


@pytest.fixture(scope="session")
def moto() -> Iterator[int]:
    """The port of one server for all tests of a process."""
    python = os.environ.get("PAMOLA_MOTO_PYTHON")
    if not python:
        pytest.skip("PAMOLA_MOTO_PYTHON names no Python with moto[server]: nox makes one")
    pytest.importorskip("s3fs")
    command_line.prepare("s3fs")
    with socket.socket() as free:
        free.bind((HERE, 0))
        port = free.getsockname()[1]
    process = subprocess.Popen(
        [python, "-m", "moto.server", "-H", HERE, "-p", str(port)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    for _ in range(600):
        with socket.socket() as probe:
            if probe.connect_ex((HERE, port)) == 0:
                break
        assert process.poll() is None, "moto does not start"
        time.sleep(0.05)
    try:
        yield port
    finally:
        process.terminate()
        process.wait()


@pytest.fixture
def s3(moto: int) -> Iterator[S3]:
    """Empty buckets `clinic` and `research`, of which the second keeps versions."""
    store = S3(moto, 0)
    server = _proxy(store)
    store.proxy = server.server_address[1]
    threading.Thread(target=server.serve_forever, daemon=True).start()
    store.ask("POST", "/moto-api/reset")
    for bucket in ("clinic", "research"):
        store.put(bucket, "")
    versions = "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>"
    store.put("research?versioning", versions)
    yield store
    server.shutdown()
    server.server_close()


@pytest.fixture
def project(tmp_path: Path, s3: S3, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project that may read in one bucket, and write in a folder of the other."""
    monkeypatch.setenv("STORE_KEY", KEY)
    monkeypatch.setenv("STORE_SECRET", SECRET)
    root = tmp_path / "project"
    (root / "configs").mkdir(parents=True)
    (root / ".pamola.toml").touch()
    keys = f'key: "${{env:STORE_KEY}}", secret: "${{env:STORE_SECRET}}", endpoint: "http://{HERE}:{s3.proxy}"'
    (root / "configs/prj_config.yaml").write_text(
        "retry: {max_retries: 0}\nobjects:\n  roots:\n"
        f'    clinic: {{url: "s3://clinic/registry", {keys}}}\n'
        f'    research: {{url: "s3://research/tables/", write: true, {keys}}}\n'
    )
    return root


@pytest.fixture
def kill() -> Callable[[Path], None]:
    """End the command that runs in a folder, at once."""
    if not Path("/proc/self/cwd").exists():
        pytest.skip("there is no /proc to find the process in")

    def kill(folder: Path) -> None:
        for process in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                if os.readlink(process / "cwd") == str(folder):
                    os.kill(int(process.name), signal.SIGKILL)
                    while process.exists():
                        time.sleep(0.01)

    return kill
