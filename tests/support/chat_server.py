"""A server with OpenAI's interface on this machine, which answers as a test tells it and notes what it is asked."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any

Answer = tuple[int, dict[str, str], bytes]


def completion(text: Any, reason: str = "stop") -> Answer:
    """The answer of a server that has nothing to complain of."""
    choice = {"index": 0, "finish_reason": reason, "message": {"role": "assistant", "content": text}}
    return 200, {"Content-Type": "application/json"}, json.dumps({"choices": [choice]}).encode()


class ChatServer:
    """``answer`` is called with the request's last message and how often it came before; it may take its time."""

    def __init__(self, answer: Callable[[str, int], Answer]) -> None:
        self.answer = answer
        self.asked: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.most = 0
        self._under_way = 0
        self._lock = threading.Lock()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                outer.handle(self)

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/v1"

    def handle(self, request: BaseHTTPRequestHandler) -> None:
        body = json.loads(request.rfile.read(int(request.headers["Content-Length"])))
        text = body["messages"][-1]["content"]
        with self._lock:
            before = sum(other["messages"][-1]["content"] == text for other in self.asked)
            self.asked.append({"path": request.path, **body})
            self.headers.append(dict(request.headers))
            self._under_way += 1
            self.most = max(self.most, self._under_way)
        status, headers, data = self.answer(text, before)
        time.sleep(0.02)
        with self._lock:
            self._under_way -= 1
        request.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(data))}.items():
            request.send_header(name, value)
        request.end_headers()
        request.wfile.write(data)

    def __enter__(self) -> ChatServer:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
