"""Opening a file wherever it lies: local paths, ``s3://`` and ``gs://`` through Arrow, ``https://`` by range requests.

`s3://bucket/key?anonymous=true` reads a public bucket without credentials; pyarrow's own query parameters (`region`,
`endpoint_override`, `scheme`) work too. An HTTP connection that breaks is opened again where it broke, `TRIES` times.
"""

from __future__ import annotations

import io
import time
import urllib.error
import urllib.request
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import pyarrow as pa
from pyarrow import fs

TRIES = 5
TIMEOUT = 60.0
GCS_SECONDS = "60"
"""How long Google's client tries again; its own limit is a quarter of an hour, also where credentials are missing."""
HTTP_SCHEMES = ("http://", "https://")


def is_http(uri: str) -> bool:
    return uri.startswith(HTTP_SCHEMES)


def locate(uri: str) -> tuple[Any, str]:
    """The file system and the path on it: an absolute local path, or a URI (`file`, `s3`, `gs`).

    Raises:
        ValueError, OSError: pyarrow's, for a scheme it does not know or credentials that are missing.
    """
    if "://" not in uri:
        return fs.LocalFileSystem(), uri
    parts = urlsplit(uri)
    options = dict(parse_qsl(parts.query))
    if parts.scheme == "s3" and options.pop("anonymous", "") in ("true", "1"):
        return fs.S3FileSystem(anonymous=True, **options), parts.netloc + parts.path
    if parts.scheme == "s3" and options:
        return fs.FileSystem.from_uri(urlunsplit(parts._replace(query=urlencode(options))))
    if parts.scheme in ("gs", "gcs"):
        options.setdefault("retry_limit_seconds", GCS_SECONDS)
        return fs.FileSystem.from_uri(urlunsplit(parts._replace(query=urlencode(options))))
    return fs.FileSystem.from_uri(uri)


def open_file(uri: str) -> Any:
    """A readable, seekable file with ``size()``.

    Raises:
        FileNotFoundError: where there is none.
    """
    if is_http(uri):
        return pa.PythonFile(HttpFile(uri), mode="r")
    filesystem, path = locate(uri)
    return filesystem.open_input_file(path)


class ReadAhead:
    """A file far away, asked for `AHEAD` bytes at a time: an object store takes tens of milliseconds to answer."""

    AHEAD = 8 << 20

    def __init__(self, file: Any) -> None:
        self.file = file
        self._held = b""
        self._at = 0
        """Where ``_held`` begins."""
        self._position = 0

    def read(self, size: int) -> bytes:
        begin = self._position - self._at
        if not 0 <= begin < len(self._held):
            self.file.seek(self._position)
            self._held, self._at, begin = self.file.read(max(size, self.AHEAD)), self._position, 0
        data = self._held[begin : begin + size]
        self._position += len(data)
        return data

    def seek(self, position: int) -> int:
        self._position = position
        return position


def is_far(uri: str) -> bool:
    """Whether every read of this file is a request over the network."""
    return "://" in uri and not uri.startswith("file://")


class Remote(NamedTuple):
    size: int
    etag: str


def stat_http(uri: str) -> Remote:
    """Size and identity of a file on a web server."""
    with _request(uri, method="HEAD") as answer:
        etag = answer.headers.get("ETag") or answer.headers.get("Last-Modified") or ""
        return Remote(int(answer.headers.get("Content-Length") or 0), etag)


def _request(uri: str, *, method: str = "GET", start: int | None = None) -> Any:
    request = urllib.request.Request(uri, method=method, headers={"User-Agent": "gristmill"})
    if start:
        request.add_header("Range", f"bytes={start}-")
    for attempt in range(TRIES):
        try:
            return urllib.request.urlopen(request, timeout=TIMEOUT)
        except urllib.error.HTTPError as error:
            if error.code in (404, 410):
                raise FileNotFoundError(f"{uri}: HTTP {error.code}") from None
            if error.code < 500 and error.code != 429:
                raise OSError(f"{uri}: HTTP {error.code} {error.reason}") from None
            problem: Exception = error
        except (urllib.error.URLError, TimeoutError, ConnectionError) as error:
            problem = error
        if attempt + 1 < TRIES:
            time.sleep(2.0**attempt)
    raise OSError(f"{uri}: {problem}, {TRIES} times")


class HttpFile(io.RawIOBase):
    """A file on a web server, read forwards over one connection; a seek opens another at that byte."""

    def __init__(self, uri: str) -> None:
        super().__init__()
        self.uri = uri
        self._position = 0
        self._answer: Any = None
        self._size = stat_http(uri).size

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
            try:
                if self._answer is None:
                    self._answer = self._open()
                data = self._answer.read(wanted)
            except (TimeoutError, ConnectionError, urllib.error.URLError) as error:
                data, failures = b"", failures + 1
                if failures >= TRIES:
                    raise OSError(f"{self.uri}: byte {self._position}: {error}") from error
            if not data:
                self._hang_up()
                failures += 1
                if failures > TRIES:
                    raise OSError(f"{self.uri}: ends at byte {self._position} of {self._size}")
                continue
            parts.append(data)
            self._position += len(data)
            wanted -= len(data)
        return b"".join(parts)

    def _open(self) -> Any:
        answer = _request(self.uri, start=self._position)
        if self._position and answer.status != 206:
            answer.close()
            raise OSError(f"{self.uri}: the server does not answer range requests")
        return answer

    def _hang_up(self) -> None:
        if self._answer is not None:
            self._answer.close()
            self._answer = None

    def close(self) -> None:
        self._hang_up()
        super().close()
