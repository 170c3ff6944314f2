"""An endpoint of the chat API on this machine, which keeps what it is sent and answers as a test says."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import attrs

Reply = Any  # text or JSON of an answer, or what an HTTP answer is made of


@attrs.frozen
class Http:
    """An answer that is no chat completion."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = attrs.Factory(dict)
    drips: float = 0.0  # seconds between bytes


@attrs.define
class Stub:
    """The endpoint.

    Attributes:
        answer: Gives for what is asked (the JSON of the user's message) what is answered.
        bodies: What was sent, as it came.
        keys: The header Authorization of each request.
    """

    answer: Callable[[Any], Reply] = dict
    bodies: list[bytes] = attrs.Factory(list)
    keys: list[str | None] = attrs.Factory(list)
    server: ThreadingHTTPServer | None = None

    @property
    def address(self) -> str:
        assert self.server is not None
        return f"http://127.0.0.1:{self.server.server_port}/v1"

    def settings(self, **more: Any) -> dict[str, Any]:
        return {"endpoint": self.address, "model": "stub-1", "retries": 1, "timeout": 5, **more}

    def sent(self) -> bytes:
        """All that was sent, with escapes in JSON read."""
        return b"\n".join(
            [*self.bodies, *(json.dumps(json.loads(each), ensure_ascii=False).encode() for each in self.bodies)]
        )

    def __enter__(self) -> Stub:
        stub = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True  # head and body are two packets: the second would wait for an answer

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                stub.bodies.append(body)
                stub.keys.append(self.headers["Authorization"])
                made = stub.answer(json.loads(json.loads(body)["messages"][-1]["content"]))
                reply = made if isinstance(made, Http) else completion(made)
                self.send_response(reply.status)
                headers = {"Content-Type": "application/json", "Content-Length": str(len(reply.body)), **reply.headers}
                for name, value in headers.items():
                    self.send_header(name, value)
                self.end_headers()
                for byte in reply.body if reply.drips else ():
                    time.sleep(reply.drips)
                    self.wfile.write(bytes([byte]))
                    self.wfile.flush()
                if not reply.drips:
                    self.wfile.write(reply.body)

            def handle(self) -> None:
                try:
                    super().handle()
                except (BrokenPipeError, ConnectionResetError):
                    pass  # the client has gone

            def log_message(self, *arguments: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        return self

    def __exit__(self, *error: object) -> None:
        assert self.server is not None
        self.server.shutdown()
        self.server.server_close()


def completion(answer: Any) -> Http:
    """A chat completion whose text is the answer."""
    text = answer if isinstance(answer, str) else json.dumps(answer, ensure_ascii=False)
    message = {"role": "assistant", "content": text}
    document = {
        "id": "1",
        "object": "chat.completion",
        "created": 1,
        "model": "stub-1",
        "choices": [{"index": 0, "finish_reason": "stop", "message": message}],
        "usage": {"prompt_tokens": 7, "completion_tokens": 4, "total_tokens": 11},
    }
    return Http(body=json.dumps(document).encode())


def all_as(role: str) -> Callable[[Any], Any]:
    """A model that gives every column the same role."""
    return lambda asked: {"columns": [{"id": each["id"], "role": role, "reason": "so"} for each in asked["columns"]]}
