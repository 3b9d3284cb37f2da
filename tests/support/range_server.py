"""A web server of a folder that knows ranges, counts what it sends, and spoils a part of its answers."""

from __future__ import annotations

import random
import re
import socket
import threading
import time
import zlib
from collections import Counter
from collections.abc import Sequence
from itertools import cycle
from pathlib import Path
from urllib.parse import unquote

from tests.support.local_server import Handler, LocalServer

FAULTS = ("503", "reset", "cut", "empty")
"""An error, no answer, a body that ends in the middle, and one that ends at once."""


class RangeServer(LocalServer):
    """Serves ``folder``; each request of a file's bytes suffers one of `FAULTS` with probability ``rate``.

    Paths below ``/moved/`` are redirected; ``status`` answers all requests with that code; ``ranges=False`` ignores
    ranges; ``connecting`` and ``answering`` are the seconds that a new connection and an answer take;
    ``keep=False`` ends each connection behind its answer; ``sizes`` are stated in all answers, in those of ``GET``, in
    those of ranges, or in none (what has none comes in chunks); ``shift`` is added to the first byte of each range;
    ``head`` answers ``HEAD`` with that code; ``identities`` are the fields of answers one after the other, from the
    first again behind the last, in place of an ETag (``{etag}`` is what that would be).
    """

    def __init__(
        self,
        folder: Path,
        rate: float = 0,
        seed: int = 0,
        status: int = 0,
        ranges: bool = True,
        connecting: float = 0,
        answering: float = 0,
        keep: bool = True,
        sizes: str = "all",
        shift: int = 0,
        head: int = 0,
        identities: Sequence[dict[str, str]] = (),
        busy: Sequence[tuple[int, str]] = (),
    ) -> None:
        self.folder, self.rate, self.status, self.ranges = folder, rate, status, ranges
        self.connecting, self.answering, self.keep = connecting, answering, keep
        self.sizes, self.shift, self.head = sizes, shift, head
        self._identities = cycle(identities or [{"ETag": "{etag}"}])
        self.busy = list(busy)
        """Status and ``Retry-After`` of the first answers."""
        self.counts: Counter[str] = Counter()
        """``connections``, ``heads``, ``requests`` for bytes, ``bytes`` sent, and the faults."""
        self._random = random.Random(seed)
        self._lock = threading.Lock()
        super().__init__(_Handler)
        self.address = f"http://{self.place}"

    def fault(self) -> str:
        with self._lock:
            return self._random.choice(FAULTS) if self._random.random() < self.rate else ""

    def identity(self, data: bytes) -> dict[str, str]:
        with self._lock:
            return {name: value.format(etag=etag(data)) for name, value in next(self._identities).items()}

    def count(self, **numbers: int) -> None:
        with self._lock:
            self.counts.update(numbers)


def etag(data: bytes) -> str:
    return f'"{zlib.crc32(data):x}"'


class _Handler(Handler):
    about: RangeServer

    def setup(self) -> None:
        self.about.count(connections=1)
        time.sleep(self.about.connecting)
        super().setup()

    def do_HEAD(self) -> None:
        self.about.count(heads=1)
        if self._is_busy():
            return
        if self.about.head:
            self._say(self.about.head)
        elif (path := self._found()) is not None:
            data = path.read_bytes()
            size = {"Content-Length": str(len(data))} if self.about.sizes == "all" else {"Transfer-Encoding": "chunked"}
            self._say(200, {**size, **self.about.identity(data)})

    def _is_busy(self) -> bool:
        if self.about.busy:
            status, wait = self.about.busy.pop(0)
            self._say(status, {"Content-Length": "0", "Retry-After": wait})
            return True
        return False

    def do_GET(self) -> None:
        if not self._is_busy() and (path := self._found()) is not None:
            self._send(path)

    def _found(self) -> Path | None:
        """The file wanted for; None where the answer is given."""
        if self.path.startswith("/moved/"):
            place = self.about.address + self.path.removeprefix("/moved")
            self._say(302, {"Location": place, "Content-Length": "0"})
            return None
        path = self.about.folder / unquote(self.path.partition("?")[0]).lstrip("/")
        if self.about.status or not path.is_file():
            self._say(self.about.status or 404)
            return None
        return path

    def _send(self, path: Path) -> None:
        data, status = path.read_bytes(), 200
        headers = self.about.identity(data)
        wanted = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        if wanted and self.about.ranges:
            first, last = int(wanted[1]) + self.about.shift, min(int(wanted[2] or len(data)), len(data) - 1)
            if first >= len(data):
                self._say(416)
                return
            headers["Content-Range"] = f"bytes {first}-{last}/{len(data)}"
            data, status = data[first : last + 1], 206
        fault = self.about.fault()
        self.about.count(requests=1, **({fault: 1} if fault else {}))
        if fault == "503":
            self._say(503)
            return
        self.close_connection = bool(fault) or not self.about.keep
        if fault == "reset":
            self.connection.shutdown(socket.SHUT_RDWR)
            return
        time.sleep(self.about.answering)
        sent = data[: len(data) // 2] if fault == "cut" else b"" if fault == "empty" else data
        if self.about.sizes in ("all", "get") or (self.about.sizes == "ranges" and status == 206):
            headers["Content-Length"] = str(len(data))
        else:
            headers["Transfer-Encoding"] = "chunked"
            sent = b"%x\r\n%s" % (len(data), sent) + (b"" if fault else b"\r\n0\r\n\r\n")
        self._say(status, headers)
        self.about.count(bytes=len(sent))  # before they are sent: who has them all looks at the counts at once
        try:
            self.wfile.write(sent)
        except ConnectionError:  # who wanted is gone
            self.about.count(bytes=-len(sent))

    def _say(self, status: int, headers: dict[str, str] | None = None) -> None:
        self.send_response_only(status)
        if self.close_connection:
            self.send_header("Connection", "close")
        for name, value in (headers or {"Content-Length": "0"}).items():
            self.send_header(name, value)
        self.end_headers()
