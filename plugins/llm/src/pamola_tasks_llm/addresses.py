"""Addresses of endpoints: which are on this machine, which can be used; and what is shown of texts from there."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit


def is_local(endpoint: str) -> bool:
    """Whether an address is this machine's own: `localhost`, 127.0.0.0/8 or ::1."""
    host = (urlsplit(endpoint).hostname or "").rstrip(".").lower()
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def host_of(endpoint: str) -> str:
    """Its host and port, as reports say it: no user, no path, no query."""
    parts = urlsplit(endpoint)
    return f"{parts.hostname}:{parts.port}" if parts.port else str(parts.hostname)


def problem_of(endpoint: str, *, remote: bool) -> str:
    """Why an address cannot be used; empty where it can."""
    try:
        parts = urlsplit(endpoint)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        usable = False
    if not usable:
        return "is not an address of the form http://HOST:PORT/v1 or https://HOST/v1"
    if parts.username or parts.password or parts.query or parts.fragment:
        return "holds more than a host and a path: a key belongs to llm.api_key"
    if is_local(endpoint):
        return ""
    if not remote:
        return (
            f"{host_of(endpoint)} is not on this machine: set llm.remote: true if names of columns and figures of"
            f" reports may be sent there"
        )
    return "" if parts.scheme == "https" else "has no TLS: the network could read what is sent there; use https://"


def one_line(text: object, most: int = 100) -> str:
    """A text from elsewhere as reports show it: printable, on one line, not long."""
    shown = "".join(each if each.isprintable() else " " for each in str(text))
    shown = " ".join(shown.split())
    return shown if len(shown) <= most else f"{shown[: most - 1]}…"
