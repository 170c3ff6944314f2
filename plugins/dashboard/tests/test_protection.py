"""Who is answered, and what is answered to everyone else."""

from __future__ import annotations

import json
import os
import signal
import socket
import stat
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

PATHS = [
    "/api/events",
    "/api/history",
    "/report/census/1",
    "/compare/census/1/2",
    "/anything",
    "/../configs/census.yaml",
]


@pytest.mark.parametrize("path", PATHS)
def test_without_the_cookie_nothing_is_told(dashboard: Any, path: str) -> None:
    """401, whether or not there is such a page, with a wrong cookie too."""
    for cookie in ("", f"pamola_dashboard_{dashboard.port}={'0' * 64}"):
        status, text, headers = dashboard.ask(path, Cookie=cookie)
        assert (status, "census" in text) == (401, False)
        assert "default-src 'none'" in headers["content-security-policy"]


def test_the_page_itself_holds_nothing_of_the_project(dashboard: Any, lab: Any) -> None:
    for path in ("/", "/dashboard.js", "/dashboard.css", "/icon.svg"):
        status, text, headers = dashboard.ask(path)
        assert status == 200
        assert not any(word in text for word in ("census", lab.root.name + "/", dashboard.token))
        policy = headers["content-security-policy"]
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
    page = dashboard.ask("/")[1]
    assert "<style" not in page
    assert "onclick" not in page
    assert "<script src=" in page


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"},
        {"Host": "evil.example:{port}"},
        {"Host": "127.0.0.1"},
        {"Host": "127.0.0.1.evil.example:{port}"},
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:1"},
        {"Origin": "https://127.0.0.1:{port}"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
    ids=lambda headers: "=".join(*headers.items()),
)
def test_requests_of_other_pages_and_names_are_refused(dashboard: Any, headers: dict[str, str]) -> None:
    """Also with the cookie, and also when they have the token to give."""
    sent = {name: value.format(port=dashboard.port) for name, value in headers.items()}
    for path, method, body in (("/api/history", "GET", None), ("/api/session", "POST", {"token": dashboard.token})):
        status, text, told = dashboard.ask(path, method, body, **sent, Cookie=dashboard.cookie())
        assert (status, "census" in text, "set-cookie" in told) == (403, False, False)
        assert "access-control-allow-origin" not in told


def test_the_token_is_exchanged_for_a_cookie_that_no_script_reads(dashboard: Any) -> None:
    for wrong in ({"token": dashboard.token[:-1]}, {"token": "\ud800"}, {"token": 3}, [], "x" * 9000):
        status, _, headers = dashboard.ask("/api/session", "POST", wrong)
        assert status in (401, 413)
        assert "set-cookie" not in headers
    status, _, headers = dashboard.ask("/api/session", "POST", {"token": dashboard.token})
    assert status == 200
    assert {"HttpOnly", "SameSite=strict", "Path=/"} <= set(headers["set-cookie"].split("; "))
    assert dashboard.token not in headers["set-cookie"]
    assert dashboard.ask("/api/history", Cookie=dashboard.cookie())[0] == 200


def test_it_listens_on_this_machine_only_and_takes_no_orders(dashboard: Any) -> None:
    listening = [
        each.laddr for each in psutil.Process(dashboard.process.pid).net_connections() if each.status == "LISTEN"
    ]
    assert [(each.ip, each.port) for each in listening] == [("127.0.0.1", dashboard.port)]
    for method in ("POST", "PUT", "DELETE", "PATCH", "OPTIONS"):
        assert dashboard.ask("/api/history", method, Cookie=dashboard.cookie())[0] == 405


def test_a_port_that_is_taken_is_an_error(lab: Any) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = lab.run("dashboard", "--no-open", "--port", str(port), code=2)
    assert f"port {port} of 127.0.0.1 cannot be used" in done.stderr
    assert "name another with --port" in done.stderr


def test_token_and_port_stay_the_users(lab: Any) -> None:
    """A restart keeps both, so that open pages reconnect; a file that others can read is not believed."""
    first = lab.serve("--port", "0")
    cookie = first.cookie()
    assert first.end() == 0
    kept = max((lab.home / ".local/state/pamola-tasks/dashboard").iterdir(), key=lambda path: path.stat().st_mtime_ns)
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert json.loads(kept.read_text())["token"] == first.token
    again = lab.serve()
    assert again.address == first.address
    assert again.ask("/api/history", Cookie=cookie)[0] == 200
    assert again.end() == 0
    kept.chmod(0o644)
    other = lab.serve()
    assert other.token != first.token
    assert other.ask("/api/history", Cookie=cookie)[0] == 401
    assert other.end() == 0
    assert [path for path in Path(lab.root).rglob("*") if other.token.encode() in _bytes(path)] == []


def _bytes(path: Path) -> bytes:
    return path.read_bytes() if path.is_file() else b""


def test_the_browser_is_not_given_the_token_on_its_command_line(lab: Any, tmp_path: Path) -> None:
    """It is started with a file that the user alone can read, which is gone when the dashboard has ended."""
    opener = tmp_path / "browser"
    opener.write_text(f'#!/bin/sh\necho "$1" > {tmp_path}/asked\n')
    opener.chmod(0o755)
    (tmp_path / "xdg-open").symlink_to(opener)
    process = lab.begin("dashboard", "--port", "0", "--open", PATH=f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    address = process.stdout.readline().strip()
    end = time.monotonic() + 20
    while not (tmp_path / "asked").exists() and time.monotonic() < end:
        time.sleep(0.05)
    asked = (tmp_path / "asked").read_text().strip()
    assert "token" not in asked
    page = Path(asked.removeprefix("file://"))
    assert stat.S_IMODE(page.stat().st_mode) == 0o600
    assert f"url={address}" in page.read_text()
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=20)
    assert not page.exists()
