"""A proxy in front of an S3 server that spoils a part of its answers, as busy stores and bad networks do."""

from __future__ import annotations

import http.client
import random
import socket
import struct
import threading
import time
from collections import Counter

from tests.support.local_server import Handler, LocalServer

FAULTS = ("503", "500", "reset", "cut", "slow")
"""SlowDown, InternalError, a connection that is reset, a body that ends early, an answer that comes late."""
ERRORS = {
    "503": (503, "SlowDown", "Reduce your request rate."),
    "500": (500, "InternalError", "Try again."),
    "429": (429, "TooManyRequests", "Slow down."),
    "late": (400, "RequestTimeout", "Your socket connection to the server was not read from or written to."),
    "skewed": (403, "RequestTimeTooSkewed", "The difference between the request time and the time is too large."),
    "expired": (400, "ExpiredToken", "The provided token has expired."),
    "conflict": (409, "OperationAborted", "A conflicting conditional operation is in progress. Try again."),
    "moved": (301, "PermanentRedirect", "The bucket must be addressed using the specified endpoint."),
    "sent on": (307, "TemporaryRedirect", "Please re-send this request to the specified temporary endpoint."),
    "said in 200": (200, "InternalError", "We encountered an internal error. Please try again."),
}
"""Answers that are an error: HTTP status, code and message; the last where something is written. Beside these and
`FAULTS`, ``whole`` is an answer to a request for a range that gives all of the object."""
BODY = "<?xml version='1.0' encoding='UTF-8'?>\n<Error><Code>{code}</Code><Message>{message}</Message></Error>"
SLOW_SECONDS = 0.02


class FaultProxy(LocalServer):
    """Passes requests on to ``host:port``; each suffers each of ``faults`` with probability ``rate``, by ``seed``."""

    def __init__(self, server: str, rate: float, seed: int = 0, faults: tuple[str, ...] = FAULTS) -> None:
        self.server, self.rate, self.faults = server, rate, faults
        self.counts: Counter[str] = Counter()
        self._random = random.Random(seed)
        self._lock = threading.Lock()
        super().__init__(_Handler)

    def fault(self) -> str:
        """The fault of the next request, or an empty text."""
        with self._lock:
            draw = self._random.random() / self.rate if self.rate else len(self.faults)
            found = self.faults[int(draw)] if draw < len(self.faults) else ""
            self.counts[found] += 1
        return found


class _Handler(Handler):
    about: FaultProxy

    def handle_one_request(self) -> None:
        try:
            super().handle_one_request()
        except (ConnectionError, TimeoutError):
            self.close_connection = True

    def _pass(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        fault = self.about.fault()
        if fault == "said in 200" and self.command not in ("PUT", "POST"):
            fault = ""
        if fault == "whole":
            del self.headers["Range"]
        if fault in ERRORS:
            status, code, message = ERRORS[fault]
            return self._answer(status, {}, BODY.format(code=code, message=message).encode())
        if fault == "reset" and self.about._random.random() < 0.5:
            return self._reset()  # before anything was done; else after it
        if fault == "slow":
            time.sleep(SLOW_SECONDS)
        server = http.client.HTTPConnection(self.about.server, timeout=60)
        try:
            server.request(self.command, self.path, body, dict(self.headers.items()))
            answer = server.getresponse()
            data = answer.read()
        finally:
            server.close()
        if fault == "reset":
            return self._reset()
        return self._answer(answer.status, dict(answer.getheaders()), data, cut=fault == "cut")

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = _pass

    def _answer(self, status: int, headers: dict[str, str], data: bytes, cut: bool = False) -> None:
        self.send_response_only(status)
        if "content-length" not in {name.lower() for name in headers}:
            headers = {**headers, "Content-Length": str(len(data))}
        for name, value in headers.items():
            if name.lower() not in ("transfer-encoding", "connection"):
                self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data[: len(data) // 2] if cut else data)
        if cut:
            self.close_connection = True

    def _reset(self) -> None:
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()
        self.close_connection = True
