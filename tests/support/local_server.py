"""Servers of tests on loopback: what is the same in all of them."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self


class Handler(BaseHTTPRequestHandler):
    """Says nothing on the terminal; ``about`` is the server that it answers for."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # an answer is two writes, and the second would wait 40 ms for the first to be had
    about: Any

    def log_message(self, *_: Any) -> None:
        pass


class LocalServer:
    """Serves at ``place`` (host and port) from the beginning of a block to its end."""

    def __init__(self, handler: type[Handler]) -> None:
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), type("Bound", (handler,), {"about": self}))
        self._http.daemon_threads = True
        self.place = f"127.0.0.1:{self._http.server_port}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._http.serve_forever, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._http.shutdown()
        self._http.server_close()
