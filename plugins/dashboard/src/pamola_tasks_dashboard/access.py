"""Who may read the page: the token, which stays the user's for as long as the project is where it is."""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import json
import os
import secrets
from typing import TYPE_CHECKING

import attrs

from pamola_tasks.storage.trust import doubt_about
from pamola_tasks.storage.user_state import keep, user_state

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ADDRESS = "127.0.0.1"
_LARGEST = 4096


@attrs.frozen(kw_only=True)
class Access:
    """The token of a project, and where the page was served last.

    It is kept in the user's state folder, where no project and no other user writes: a page that is open reconnects
    after a restart. Removing that file invalidates the token and every page that was opened with it.
    """

    path: Path  #: the file
    token: str = attrs.field(repr=False)
    port: int = 0  #: 0 where it was never served

    @classmethod
    def of(cls, root: Path) -> Access:
        """What this user has for a project; a new token where there is none that can be trusted."""
        path = user_state("dashboard", root)
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError), path.open("rb") as file:
            status = os.fstat(file.fileno())
            told = json.loads(file.read(_LARGEST))
            private = os.name == "nt" or not status.st_mode & 0o077
            if private and not doubt_about(path, found=status) and len(told["token"]) >= 43:
                return cls(path=path, token=str(told["token"]), port=int(told["port"]))
        return cls(path=path, token=secrets.token_urlsafe(32))

    def at(self, port: int) -> Access:
        """The same, served at a port."""
        return attrs.evolve(self, port=port)

    def keep(self) -> str:
        """Write it, readable by the user alone; why it cannot be written, or nothing."""
        try:
            keep(self.path, json.dumps({"schema": 1, "token": self.token, "port": self.port}))
        except OSError as error:
            return str(error)
        return ""

    @contextlib.contextmanager
    def page_to_open(self) -> Iterator[Path]:
        """A file, readable by the user alone, from which a browser goes to the address.

        A browser is started with what it opens on its command line, which every user of the machine can read.
        """
        path = self.path.with_suffix(".html")
        keep(path, f'<!DOCTYPE html><meta http-equiv="refresh" content="0;url={self.address}"><title>Dashboard</title>')
        try:
            yield path
        finally:
            path.unlink(missing_ok=True)

    @property
    def origin(self) -> str:
        return f"http://{ADDRESS}:{self.port}"

    @property
    def address(self) -> str:
        """What is opened in a browser: the token is behind `#`, which no browser sends or logs."""
        return "=".join([f"{self.origin}/#token", self.token])

    @property
    def cookie_name(self) -> str:
        """One for each port, since a browser sends cookies to every port."""
        return f"pamola_dashboard_{self.port}"

    @property
    def cookie(self) -> str:
        """What a browser gets for the token. It does not give the token away."""
        return hmac.new(self.token.encode(), b"cookie", hashlib.sha256).hexdigest()

    def knows(self, token: object) -> bool:
        return isinstance(token, str) and hmac.compare_digest(token.encode("utf-8", "replace"), self.token.encode())

    def admits(self, cookie: str | None) -> bool:
        return cookie is not None and hmac.compare_digest(cookie.encode(), self.cookie.encode())
