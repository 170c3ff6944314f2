"""The server: the page and its files, what it asks for, and the stream of what happens."""

from __future__ import annotations

import asyncio
import json
import pkgutil
import time
from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING, Any

import uvicorn
from starlette.applications import Starlette
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from pamola_tasks.errors import PamolaTaskError
from pamola_tasks_dashboard.drawing import charts_of, view
from pamola_tasks_dashboard.guard import Guard
from pamola_tasks_dashboard.others import page_of
from pamola_tasks_dashboard.watching import EVERY, Board, Watcher, history_of

if TYPE_CHECKING:
    import socket

    from starlette.requests import Request

    from pamola_tasks.protocols import CommandLine
    from pamola_tasks_dashboard.access import Access

_FILES = {
    "/": ("index.html", "text/html"),
    "/dashboard.css": ("dashboard.css", "text/css"),
    "/dashboard.js": ("dashboard.js", "text/javascript"),
    "/icon.svg": ("icon.svg", "image/svg+xml"),
}
_LARGEST = 4096  # bytes of a request that has a body
_QUIET = 2.0  # seconds of silence in the stream after which something is sent, so that each side sees the other go
_MOST_RUNS = 500
# What other plugins make is shown as it is, without scripts, as if it came from nowhere.
_FOREIGN = "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'none'"


def serve(cli: CommandLine, access: Access, listening: socket.socket, *, show_data: bool) -> None:
    """Serve the page until the process is interrupted."""
    pages = _Pages(cli, access, show_data=show_data)
    config = uvicorn.Config(
        Guard(pages.app(), access),
        log_config=None,
        access_log=False,
        lifespan="off",
        ws="none",
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=2,
    )
    server = uvicorn.Server(config)
    pages.ending = lambda: server.should_exit
    try:
        server.run(sockets=[listening])
    except KeyboardInterrupt:  # raised again once all is closed
        return


class _Pages:
    """What is answered; the guard has let the request in."""

    def __init__(self, cli: CommandLine, access: Access, *, show_data: bool) -> None:
        self._cli = cli
        self._access = access
        self._show_data = show_data
        self._watcher = Watcher(cli, show_data=show_data)
        self._watching: asyncio.Task[None] | None = None
        self._viewers = 0
        self._problem = ""
        self.ending: Callable[[], bool] = lambda: False

    def app(self) -> Starlette:
        return Starlette(
            routes=[
                *(Route(path, self.file) for path in _FILES),
                Route("/api/session", self.session, methods=["GET", "POST"]),
                Route("/api/events", self.events),
                Route("/api/history", self.history),
                Route("/api/charts/{task}/{step:path}", self.charts),
                Route("/charts.css", self.style),
                Route("/report/{task}/{run}", self.report),
                Route("/compare/{task}", self.compare),
                Route("/compare/{task}/{old}/{new}", self.compare),
            ]
        )

    async def file(self, request: Request) -> Response:
        """The page, its style and its script: the same in every project."""
        name, kind = _FILES[request.url.path]
        return Response(pkgutil.get_data(__package__, f"page/{name}"), media_type=kind)

    async def session(self, request: Request) -> Response:
        """Whether this browser is known; and the cookie, for one that has the token."""
        if request.method != "POST":
            return JSONResponse({"open": self._access.admits(request.cookies.get(self._access.cookie_name))})
        body = b""
        async for part in request.stream():
            body += part
            if len(body) > _LARGEST:
                return JSONResponse({"error": "too long"}, 413)
        try:
            told = json.loads(body)
        except (ValueError, RecursionError):
            told = None
        if not isinstance(told, dict) or not self._access.knows(told.get("token")):
            return JSONResponse({"error": "this is not the token of this project"}, 401)
        answer = JSONResponse({"open": True})
        answer.set_cookie(self._access.cookie_name, self._access.cookie, httponly=True, samesite="strict")
        return answer

    # ------------------------------------------------------------ what happens

    async def events(self, request: Request) -> Response:
        """Everything once, then whatever changes, as server-sent events."""
        return StreamingResponse(self._stream(), media_type="text/event-stream")

    async def _stream(self) -> AsyncIterator[str]:
        self._viewers += 1
        if self._watching is None or self._watching.done():
            self._watching = asyncio.create_task(self._watch())
        sent: dict[str, Any] = {}
        lines: dict[str, tuple[str, int]] = {}
        spoke = time.monotonic()
        try:
            facts = {"project": self._cli.kernel.project.root.name, "show_data": self._show_data}
            yield f"retry: 500\n{_event('project', facts)}"
            while not self.ending():
                text = "".join(_news(self._watcher.board, self._problem, sent, lines))
                if text or time.monotonic() - spoke > _QUIET:
                    yield text or ": still here\n\n"
                    spoke = time.monotonic()
                await asyncio.sleep(EVERY / 2)
        finally:
            self._viewers -= 1

    async def _watch(self) -> None:
        """Look for as long as there are viewers."""
        while self._viewers and not self.ending():
            try:
                await asyncio.to_thread(self._watcher.look)
                self._problem = ""
            except (PamolaTaskError, OSError) as error:
                self._problem = self._cli.plugins.redactor(str(error))
            await asyncio.sleep(EVERY)

    async def charts(self, request: Request) -> Response:
        """The charts of a step of the newest run of a task."""
        task, step = request.path_params["task"], request.path_params["step"]
        paths = next(
            (each["charts"] for each in self._of(task).get("steps", ()) if each["id"] == step),
            (),
        )
        kernel = self._watcher.kernel()
        return await self._answer(
            lambda: JSONResponse(charts_of(kernel, task, paths, show_data=self._show_data)),
        )

    def _of(self, task: str) -> Any:
        return self._watcher.board.documents.get(f"run {task}", {})

    async def style(self, request: Request) -> Response:
        """The style of charts."""
        style = view(self._watcher.kernel(), "style")
        return Response(style() if style is not None else "", media_type="text/css")

    # ------------------------------------------------------------ what was

    async def history(self, request: Request) -> Response:
        """Runs, newest first."""
        task = request.query_params.get("task", "")
        return await self._answer(
            lambda: JSONResponse(history_of(self._watcher.kernel(), task, _MOST_RUNS, show_data=self._show_data)),
        )

    async def report(self, request: Request) -> Response:
        """The report of a run."""
        return await self._page("report", [f"--run={request.path_params['run']}"], request.path_params["task"])

    async def compare(self, request: Request) -> Response:
        """The comparison of two runs, or of the two newest that succeeded."""
        words = [request.path_params[name] for name in ("task", "old", "new") if name in request.path_params]
        return await self._page("compare", [], *words)

    async def _page(self, name: str, options: list[str], *words: str) -> Response:
        asked = options if self._show_data else [*options, "--withhold"]
        headers = {"Content-Security-Policy": _FOREIGN}
        return await self._answer(
            lambda: Response(page_of(self._cli, name, asked, *words), media_type="text/html", headers=headers)
        )

    async def _answer(self, make: Callable[[], Response]) -> Response:
        try:
            return await asyncio.to_thread(make)
        except PamolaTaskError as error:
            return Response(self._cli.plugins.redactor(str(error)), 404, media_type="text/plain")


def _news(board: Board, problem: str, sent: dict[str, Any], lines: dict[str, tuple[str, int]]) -> list[str]:
    """What a viewer has not been sent yet, who is noted to have got it."""
    told = []
    for name, facts in {**board.documents, "problem": problem}.items():
        if sent.get(name) is not facts and sent.get(name) != facts:
            sent[name] = facts
            told.append(_event(name.partition(" ")[0], facts))
    for task_id, (run_id, numbered) in board.logs.items():
        known, last = lines.get(task_id, ("", 0))
        last = last if known == run_id else 0
        new = [line for number, line in numbered if number > last]
        if new:
            lines[task_id] = run_id, numbered[-1][0]
            told.append(_event("log", {"task": task_id, "run": run_id, "anew": known != run_id, "lines": new}))
    return told


def _event(name: str, facts: Any) -> str:
    return f"event: {name}\ndata: {json.dumps(facts)}\n\n"
