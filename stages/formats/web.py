"""Ranges of files on web servers, over connections that stay open.

A request for a range costs a round trip; a new connection before it another, and two more where it is encrypted. So
connections are kept and used again, by as many threads as ask at once, each its own (urllib3). ``http_proxy``,
``https_proxy`` and ``no_proxy`` are heeded, redirects followed. What gives no answer is asked again
(`stages.formats.retries`), from the byte where it broke, unless the server's certificate is not accepted.

`stages.formats.locations` reads whole files, forwards, over one connection each.
"""

from __future__ import annotations

import os
import re
from functools import lru_cache
from typing import Any
from urllib.parse import quote, urlsplit
from urllib.request import getproxies, proxy_bypass

import urllib3

from stages.formats import certificates, retries
from stages.formats.ranged_file import REPLACED

TIMEOUT = 60.0
PIECE = 1 << 20
KEPT = 16
"""Connections to one server that are kept open at most."""
REDIRECTS = 10
TAGS = ("ETag", "Last-Modified")
CONTENT_RANGE = re.compile(r"bytes (\d+)-\d+/(\d+|\*)")
_FOLLOW = urllib3.Retry(total=None, connect=0, read=0, status=0, other=0, redirect=REDIRECTS, raise_on_status=False)
BROKEN: Any = (TimeoutError, ConnectionError, urllib3.exceptions.HTTPError)


class PastEnd(OSError):
    """A range that begins behind the end of the file."""


class Refused(OSError):
    """An answer that will be the same the next time."""


def quoted(uri: str) -> str:
    """A web address without the characters that no request line may have; what is quoted stays as it is."""
    return quote(uri, safe="/:?#[]@!$&'()*+,;=%~")


def is_passing(status: int) -> bool:
    """Whether the same request may well be answered when it is made again; 501: a server that does not know it."""
    return (status >= 500 and status != 501) or status in (408, 429)


def tags_of(headers: Any) -> dict[str, str]:
    """What an answer states of its file that changes with it: ETag, and time of last change where that is not the time
    of the answer, as servers state that make each answer anew."""
    stated = {name: headers.get(name, "").removeprefix("W/") for name in TAGS}
    return {name: tag for name, tag in stated.items() if tag and (name == "ETag" or tag != headers.get("Date"))}


class Identity:
    """What the answers about one file have stated of it: its size, its ETag, its time of last change."""

    def __init__(self) -> None:
        self._stated: dict[str, str] = {}

    def is_other(self, size: str, headers: Any) -> bool:
        """Whether an answer is of another file than those before it.

        It is where the size is another, or none of the tags that both state is the same. One of them is enough: servers
        behind one address may each have ETags of their own (Apache's may hold the inode), or other times.

        Args:
            size: bytes of the whole file; empty or ``*`` where the answer does not say.
        """
        stated = tags_of(headers)
        same = {name: self._stated[name] == tag for name, tag in stated.items() if name in self._stated}
        resized = size not in ("", "*") and self._stated.setdefault("size", size) != size
        for name, tag in stated.items():
            self._stated.setdefault(name, tag)
        return resized or (bool(same) and not any(same.values()))


class Busy(ConnectionError):
    """An answer of a server that cannot serve now, with the fields of its head."""

    def __init__(self, message: str, headers: Any) -> None:
        super().__init__(message)
        self.headers = headers


@lru_cache(maxsize=4)
def _pool(process: int, proxy: str | None) -> Any:
    """Connections of this process, which are not those of the one it was forked from."""
    settings: dict[str, Any] = {
        "headers": {"User-Agent": "gristmill"},
        "timeout": TIMEOUT,
        "maxsize": KEPT,
        "retries": _FOLLOW,
    }
    return urllib3.ProxyManager(proxy, **settings) if proxy else urllib3.PoolManager(**settings)


def _proxy(uri: str) -> str | None:
    place = urlsplit(uri)
    found = getproxies().get(place.scheme)
    if not found or (place.hostname and proxy_bypass(place.hostname)):
        return None
    return found if "://" in found else f"http://{found}"


def no_answer(uri: str, error: Exception, tries: int) -> str:
    """Why there is no answer: the fault of a certificate, or what went wrong, how often, and through which proxy."""
    if fault := certificates.fault(error):
        return fault
    reason = getattr(error, "reason", None)  # urllib wraps what went wrong, and urllib3 twice
    if isinstance(reason, urllib3.exceptions.ProxyError):
        reason = reason.original_error
    proxy = _proxy(quoted(uri))
    through = f" through the proxy {urlsplit(proxy).netloc.rpartition('@')[2]}" if proxy else ""
    return f"{reason or error or type(error).__name__}{through}, {tries} times"


class HttpRanges:
    """Ranges of a file on a web server, each a request that says where it ends; several threads may ask at once."""

    def __init__(self, uri: str, identity: Identity | None = None) -> None:
        self.uri = uri
        self._address = quoted(uri)
        self._proxy = _proxy(self._address)
        self._answered = False
        self._identity = identity or Identity()
        """What is read is of the file that the first answers were of."""

    def get(self, start: int, stop: int) -> bytes:
        """The bytes [start, stop), or those of them that the file has; a broken answer goes on where it broke.

        Raises:
            FileNotFoundError: where there is no such file.
            OSError: a refusal, a server that knows no ranges, or none that answers; a file that was replaced meanwhile.
        """
        held = bytearray()
        failures = 0
        while start + len(held) < stop:
            before = len(held)
            try:
                stop = self._fetch(held, start, stop)
            except PastEnd:
                break
            except BROKEN as error:
                failures = failures + 1 if len(held) == before else 1
                if certificates.fault(error) or failures >= (retries.TRIES if self._answered else retries.FIRST_TRIES):
                    raise OSError(self._message(error, start + len(held), failures)) from error
                retries.pause(failures, error)
        return bytes(held)

    def _message(self, error: Exception, place: int, failures: int) -> str:
        return f"{self.uri}: byte {place}: {no_answer(self.uri, error, failures)}"

    def _fetch(self, held: bytearray, start: int, stop: int) -> int:
        """Append what one request gives of what is missing; where the range ends, as far as the server says."""
        first = start + len(held)
        answer = _pool(os.getpid(), self._proxy).request(
            "GET",
            self._address,
            headers={"User-Agent": "gristmill", "Accept-Encoding": "identity", "Range": f"bytes={first}-{stop - 1}"},
            preload_content=False,
            decode_content=False,
            enforce_content_length=False,  # what came before a break is kept; what is missing is seen below
        )
        try:
            self._check(answer)
            self._answered = True
            served = CONTENT_RANGE.fullmatch(answer.headers.get("Content-Range", ""))
            if served is None or int(served[1]) != first:
                raise OSError(f"{self.uri}: asked for byte {first}, answered {served[0] if served else 'none'}")
            if self._identity.is_other(served[2], answer.headers):
                raise Refused(f"{self.uri}{REPLACED}")
            if served[2] != "*":
                stop = min(stop, int(served[2]))
            while piece := answer.read(min(PIECE, stop - start - len(held))):
                held += piece
            if start + len(held) < stop:
                raise ConnectionError(f"the answer ends at byte {start + len(held)} of {stop}")
        except BaseException:
            answer.close()  # and with it the connection, which is in the middle of something
            raise
        if answer.length_remaining:
            answer.close()
        else:
            answer.release_conn()
        return stop

    def _check(self, answer: Any) -> None:
        """Refuse an answer that holds no range."""
        status = answer.status
        if status == 206:
            return
        message = f"HTTP {status} {answer.reason or ''}".rstrip()
        if is_passing(status):
            self._answered = True  # it is there, and busy
            raise Busy(message, answer.headers)
        if status in (404, 410):
            raise FileNotFoundError(f"{self.uri}: {message}")
        if status == 416:
            raise PastEnd(f"{self.uri}: {message}")
        if status == 200:
            raise OSError(f"{self.uri}: the server does not answer range requests")
        raise Refused(f"{self.uri}: {message}")
