"""Which requests are answered at all: those of our own page, in a browser that was given the token.

A page of another origin can send requests to 127.0.0.1, and by DNS rebinding even under a name of its own. So the name
that a request was sent to (`Host`) has to be ours, and the page it comes from (`Origin`, `Sec-Fetch-Site`) too; the
cookie is sent by our own page only (`SameSite=Strict`) and read by no script (`HttpOnly`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import cookie_parser
from starlette.responses import JSONResponse

from pamola_tasks_dashboard.access import ADDRESS, Access

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

OPEN = frozenset(["/", "/dashboard.css", "/dashboard.js", "/icon.svg", "/api/session"])  # nothing of the project
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}


class Guard:
    """Answers what must not be answered, and adds the headers of every answer."""

    def __init__(self, app: ASGIApp, access: Access) -> None:
        self._app = app
        self._access = access
        self._hosts = {f"{name}:{access.port}" for name in (ADDRESS, "localhost")}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self._app(scope, receive, send)
            return

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        status, why = self._refusal(scope)
        answer: Any = JSONResponse({"error": why}, status) if why else self._app
        await answer(scope, receive, with_headers)

    def _refusal(self, scope: Scope) -> tuple[int, str]:
        headers = Headers(scope=scope)
        hosts, path = headers.getlist("host"), scope["path"]
        if len(hosts) != 1 or hosts[0].lower() not in self._hosts:
            return 403, f"this server answers to {self._access.origin} only"
        if any(origin != f"http://{hosts[0].lower()}" for origin in headers.getlist("origin")):
            return 403, "this request comes from a page of another origin"
        site = headers.get("sec-fetch-site", "same-origin")
        followed = path == "/" and headers.get("sec-fetch-dest") == "document"  # a link; what it leads to is empty
        if site not in ("same-origin", "none") and not followed:
            return 403, "this request comes from a page of another origin"
        if path not in OPEN:
            cookie = cookie_parser(headers.get("cookie", "")).get(self._access.cookie_name)
            if not self._access.admits(cookie):
                return 401, "open the address that `pamola-task dashboard` prints: it has the token"
        return 200, ""
