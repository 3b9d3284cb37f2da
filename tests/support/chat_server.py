"""A server with OpenAI's interface on this machine, which answers as a test sets and keeps its requests."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from typing import Any

from tests.support.local_server import Handler, LocalServer

Answer = tuple[int, dict[str, str], bytes]


def completion(text: Any, reason: str = "stop") -> Answer:
    """The answer of a server that has nothing to complain of."""
    choice = {"index": 0, "finish_reason": reason, "message": {"role": "assistant", "content": text}}
    return 200, {"Content-Type": "application/json"}, json.dumps({"choices": [choice]}).encode()


class ChatServer(LocalServer):
    """``answer`` is called with the request's last message and how often it came before; it may take its time."""

    def __init__(self, answer: Callable[[str, int], Answer]) -> None:
        self.answer = answer
        self.asked: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.most = 0
        self._under_way = 0
        self._lock = threading.Lock()
        super().__init__(_Handler)
        self.url = f"http://{self.place}/v1"

    def handle(self, request: Handler) -> None:
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
        for name, value in {"Content-Length": str(len(data)), **headers}.items():
            request.send_header(name, value)
        request.end_headers()
        request.wfile.write(data)


class _Handler(Handler):
    about: ChatServer

    def do_POST(self) -> None:
        self.about.handle(self)
