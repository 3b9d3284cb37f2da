"""Files on web servers, read forwards over one connection each, or by ranges here and there.

A file is known by its size, ETag and time of last change (`stages.formats.web.Identity`): an answer that is of another,
or of other bytes than were asked for, is an error and no data. What breaks is gone on with from the byte where it broke
(`stages.formats.retries`). A server that denies ``HEAD`` is asked for a file's first byte in its stead.
"""

from __future__ import annotations

import http.client
import io
import re
import urllib.error
import urllib.request
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from stages.formats import certificates, retries
from stages.formats.ranged_file import REPLACED, RangedFile
from stages.formats.web import (
    CONTENT_RANGE,
    PIECE,
    TAGS,
    TIMEOUT,
    HttpRanges,
    Identity,
    is_passing,
    no_answer,
    quoted,
    tags_of,
)

_BROKEN = (urllib.error.URLError, TimeoutError, ConnectionError, http.client.HTTPException)
_BEYOND = re.compile(r"bytes \*/(\d+)")
_answered: set[str] = set()
"""Hosts that have answered this process."""


class Remote(NamedTuple):
    size: int
    etag: str


class Denied(OSError):
    """A refusal that may be of the method alone: addresses may be signed for ``GET``, and servers know no ``HEAD``."""


def stat_http(uri: str) -> Remote:
    """Size and identity of a file on a web server.

    Raises:
        FileNotFoundError: where there is none.
        OSError: a refusal, or a server that does not state the size: what ends early could not be told from a whole.
    """
    size, headers = _look(uri)
    return Remote(size, next((headers[name] for name in TAGS if headers.get(name)), ""))


def has_tag(uri: str) -> bool:
    """Whether a server states of a file what changes with it (`tags_of`)."""
    return bool(tags_of(_look(uri)[1]))


def _look(uri: str) -> tuple[int, Any]:
    """Size of a file and the fields of the answer that its head is; where a server denies that, of its first byte."""
    size = 0
    try:
        with _request(uri, method="HEAD") as answer:
            size, headers = int(answer.headers.get("Content-Length") or 0), answer.headers
    except Denied:
        headers = None
    if not size:  # a head may have no size, or 0 for want of a body
        with _request(uri, start=0, stop=1) as answer:
            size, headers = _whole_size(uri, answer), headers or answer.headers
    return size, headers


def _whole_size(uri: str, answer: Any) -> int:
    """Bytes of a file by the answer to a request for its first."""
    stated = answer.headers.get("Content-Range", "")
    served, empty = CONTENT_RANGE.fullmatch(stated), answer.status == 416 and _BEYOND.fullmatch(stated)
    if served:
        size = served[2]
    elif answer.status == 416:
        size = empty[1] if empty else "0"
    else:
        size = answer.headers.get("Content-Length", "*") if answer.status == 200 else "*"
    if size == "*":
        raise OSError(f"{uri}: the server does not state the size of the file; read a copy of it")
    return int(size)


def _request(uri: str, *, method: str = "GET", start: int = 0, stop: int | None = None) -> Any:
    """An answer of 2xx, or that the range begins behind the end of the file (416)."""
    asked = {"Range": f"bytes={start}-{'' if stop is None else stop - 1}"} if start or stop is not None else {}
    host = urlsplit(uri).netloc

    def attempt() -> Any:  # a request counts the redirects that it has followed: each try has its own
        request = urllib.request.Request(quoted(uri), method=method, headers={"User-Agent": "gristmill"} | asked)
        try:
            answer = urllib.request.urlopen(request, timeout=TIMEOUT)
        except urllib.error.HTTPError as error:
            if error.code == 416 and asked:
                return error
            _answered.add(host)  # it is there, and busy or of another opinion
            raise
        _answered.add(host)
        return answer

    def tries(_: Exception) -> int:
        return retries.TRIES if host in _answered else retries.FIRST_TRIES

    try:
        return retries.patiently(attempt, _passes, tries)
    except urllib.error.HTTPError as error:
        if error.code in (404, 410):
            raise FileNotFoundError(f"{uri}: HTTP {error.code}") from None
        denied = Denied if error.code in (400, 401, 403, 405, 501) and method == "HEAD" else OSError
        raise denied(f"{uri}: HTTP {error.code} {error.reason}") from None
    except _BROKEN as error:
        raise OSError(f"{uri}: {no_answer(uri, error, tries(error))}") from error


def _passes(error: Exception) -> bool:
    if isinstance(error, urllib.error.HTTPError):
        return is_passing(error.code)
    return isinstance(error, _BROKEN) and not certificates.fault(error)


class HttpFile(io.RawIOBase):
    """A file on a web server, read forwards over one connection; a seek opens another at that byte.

    What is read is of the file that stood there when this was made: bytes of another are an error.
    """

    def __init__(self, uri: str) -> None:
        super().__init__()
        self.uri = uri
        self._position = 0
        self._answer: Any = None
        self._size, headers = _look(uri)
        self._identity = Identity()
        self._identity.is_other(str(self._size), headers)

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}[whence]
        if base + offset != self._position:
            self._hang_up()
        self._position = base + offset
        return self._position

    def tell(self) -> int:
        return self._position

    def size(self) -> int:
        return self._size

    def read(self, size: int = -1) -> bytes:
        wanted = max(0, self._size - self._position)
        wanted = wanted if size is None or size < 0 else min(size, wanted)
        parts: list[bytes] = []
        failures = 0
        while wanted:
            if self._answer is None:
                self._answer = self._open()
            why = ""
            try:
                data = self._answer.read(min(wanted, PIECE))
            except (OSError, http.client.HTTPException) as error:
                data, why = getattr(error, "partial", b""), str(error) or type(error).__name__
            if not data:
                self._hang_up()
                failures += 1
                if failures >= retries.TRIES:
                    raise OSError(f"{self.uri}: {why or 'ends'} at byte {self._position} of {self._size}")
                retries.pause(failures)
                continue
            failures = 0
            parts.append(data)
            self._position += len(data)
            wanted -= len(data)
        return b"".join(parts)

    def _open(self) -> Any:
        answer = _request(self.uri, start=self._position)
        problem = self._problem(answer)
        if problem:
            answer.close()
            raise OSError(f"{self.uri}{problem}")
        return answer

    def _problem(self, answer: Any) -> str:
        """Why an answer is not what is missing of this file, to stand behind its address."""
        size = answer.headers.get("Content-Length", "")
        if answer.status == 206:
            served = CONTENT_RANGE.fullmatch(answer.headers.get("Content-Range", ""))
            if served is None or int(served[1]) != self._position:
                return f": asked for byte {self._position}, answered {served[0] if served else 'none'}"
            size = served[2]
        elif self._position and answer.status == 200:
            return ": the server does not answer range requests"
        return REPLACED if answer.status == 416 or self._identity.is_other(size, answer.headers) else ""

    def _hang_up(self) -> None:
        if self._answer is not None:
            self._answer.close()
            self._answer = None

    def close(self) -> None:
        self._hang_up()
        super().close()


class RandomFile(RangedFile):
    """A file on a web server, read by ranges."""

    def __init__(self, uri: str) -> None:
        size, headers = _look(uri)
        super().__init__(size)
        identity = Identity()
        identity.is_other(str(size), headers)
        self._ranges = HttpRanges(uri, identity)

    def range(self, start: int, stop: int) -> bytes:
        return self._ranges.get(start, stop)
