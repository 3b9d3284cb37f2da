"""Locations of files: a path or URI taken apart, its file system, and a file opened wherever that is.

Local paths, ``s3://`` (`stages.formats.s3`), ``gs://`` through Arrow, ``hf://`` (`stages.formats.hugging_face`, read
alone), ``https://`` by range requests.

**A name is a name.** ``s3://bucket/a%2Bb #1?.jsonl`` is the object ``a%2Bb #1?.jsonl``: nothing in a key or a path is
decoded, and nothing but a last ``?option=value&...`` of known options is set apart (`OPTIONS`;
``?anonymous=true`` reads a public bucket without credentials, ``endpoint_override`` and ``scheme`` lead to another
server). A key that ends like options is written with a ``?`` behind it. Only web addresses are URIs in full, and
``file://``, which is decoded where no file has the name as written.

What is far away is asked again when it gives no answer (`stages.formats.retries`).
"""

from __future__ import annotations

import os
import re
from functools import lru_cache
from typing import Any, NamedTuple
from urllib.parse import quote, unquote, urlencode

import pyarrow as pa
from pyarrow import fs

from stages.formats import hugging_face
from stages.formats.hugging_face import Hub
from stages.formats.patient import Patient
from stages.formats.s3 import OPTIONS as S3_OPTIONS
from stages.formats.s3 import S3
from stages.formats.web_file import HttpFile, RandomFile

GCS_SECONDS = "60"
"""Time that Google's client tries again; its own limit is a quarter of an hour, also where credentials are missing."""
HTTP_SCHEMES = ("http://", "https://")
OPTIONS = S3_OPTIONS | {"retry_limit_seconds", "project_id"}
SCHEMES = ("file", "s3", "gs", "gcs", "hf")
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")
_ONE_SLASH = re.compile(r"(?:^|/)(file|s3|gs|gcs|hf|https?):/+(.+)")


class Place(NamedTuple):
    """A path or URI taken apart: the scheme ("" of a local path), the path on its file system, and the options."""

    scheme: str
    path: str
    options: tuple[tuple[str, str], ...] = ()

    def uri(self) -> str:
        """The text that `place_of` takes apart into this again."""
        if not self.scheme:
            return self.path
        options = "?" + urlencode(self.options, safe=":/@,", quote_via=quote) if self.options else ""
        mark = "?" if not options and ("?" in self.path and _split_options(self.path)[0] != self.path) else ""
        return f"{self.scheme}://{self.path}{options or mark}"

    def beside(self, path: str) -> Place:
        """Another path on the same file system."""
        return self._replace(path=path)


def is_http(uri: str) -> bool:
    return uri.startswith(HTTP_SCHEMES)


def is_uri(text: str) -> bool:
    """Whether a text is a URI and no path: it begins with a scheme."""
    return _SCHEME.match(text) is not None


def meant_uri(path: str) -> str:
    """The URI that a path with one slash too few was meant to be, as a question; nothing for others and for URIs."""
    found = None if is_uri(path) else _ONE_SLASH.search(path)
    return f"; did you mean {found[1]}://{'/' * (found[1] == 'file')}{found[2]}?" if found else ""


def check_path(path: str) -> None:
    """Refuse a path that was meant to be a URI (``s3:/bucket``), unless there is such a folder.

    Raises:
        ValueError: saying what was meant.
    """
    if _ONE_SLASH.match(path) and not os.path.lexists(path.partition("/")[0]):
        raise ValueError(f"{path}: expected a path, or a URI with two slashes{meant_uri(path)}")


def place_of(uri: str) -> Place:
    """A path or URI taken apart.

    Raises:
        ValueError: a scheme nobody here knows, no bucket, or a path that was meant to be a URI (``s3:/bucket``) and
            names no folder there is.
    """
    found = _SCHEME.match(uri)
    if found is None:
        check_path(uri)
        return Place("", uri)
    scheme, rest = found[1].lower(), uri[found.end() :]
    if scheme not in SCHEMES:
        known = "s3://, gs://, file:// (to read alone: https://, hf://)"
        raise ValueError(f"{uri}: expected a path or one of {known}, found {scheme}://")
    if scheme == "file":
        path = "/" + rest.partition("/")[2]
        return Place("", path if os.path.lexists(path) or "%" not in path else unquote(path))
    path, options = _split_options(rest)
    bucket, mark, key = path.partition("/")
    if not bucket:
        raise ValueError(f"{uri}: expected a bucket after {scheme}://, as in {scheme}://bucket/folder")
    if "@" in bucket:  # user information, as in s3://KEY:SECRET@bucket
        user, _, bucket = bucket.rpartition("@")
        names = ("access_key", "secret_key")
        options = (*options, *zip(names, map(unquote, user.split(":", 1)), strict=False))
    return Place("gs" if scheme == "gcs" else scheme, bucket + mark + key, options)


def _split_options(rest: str) -> tuple[str, tuple[tuple[str, str], ...]]:
    """The name before the last ``?`` and the options behind it; all of it is the name where none of ours are there."""
    before, mark, text = rest.rpartition("?")
    if mark and not text:
        return before, ()
    pairs = [part.partition("=") for part in text.split("&")]
    if not mark or not all(equals and name in OPTIONS for name, equals, _ in pairs):
        return rest, ()
    return before, tuple((name, unquote(value)) for name, _, value in pairs)


def locate(uri: str) -> tuple[Any, str]:
    """The file system and the path on it of an absolute local path or a URI.

    Raises:
        ValueError, OSError: for a scheme nobody knows, or credentials that are missing.
    """
    place = place_of(uri)
    bucket = place.path.partition("/")[0] if place.scheme not in ("", "hf") else ""
    return _file_system(place.scheme, bucket, place.options), place.path


@lru_cache(maxsize=64)
def _file_system(scheme: str, bucket: str, options: tuple[tuple[str, str], ...]) -> Any:
    if not scheme:
        return fs.LocalFileSystem()
    if scheme == "s3":
        return fs.PyFileSystem(S3(dict(options)))
    if scheme == "hf":
        return fs.PyFileSystem(hugging_face.connected())
    query = {"retry_limit_seconds": GCS_SECONDS, **dict(options)}
    anonymous = "anonymous@" if query.pop("anonymous", "") in ("true", "1") else ""
    return fs.PyFileSystem(Patient(fs.FileSystem.from_uri(f"gs://{anonymous}{bucket}?{urlencode(query)}")[0]))


def s3_of(filesystem: Any) -> S3 | None:
    """The client behind a file system of `locate`, where that is S3."""
    handler = getattr(filesystem, "handler", None)
    return handler if isinstance(handler, S3) else None


def tagging(filesystem: Any) -> S3 | Hub | None:
    """The client behind a file system of `locate`, where that knows tags of content by itself."""
    handler = getattr(filesystem, "handler", None)
    return handler if isinstance(handler, (S3, Hub)) else None


def open_file(uri: str) -> Any:
    """A readable, seekable file with ``size()``.

    Raises:
        FileNotFoundError: where there is none.
    """
    if is_http(uri):
        return pa.PythonFile(HttpFile(uri), mode="r")
    filesystem, path = locate(uri)
    return filesystem.open_input_file(path)


def open_random(uri: str) -> Any:
    """A file opened for reads here and there: on web servers each read is a request of its own."""
    return pa.PythonFile(RandomFile(uri), mode="r") if is_http(uri) else open_file(uri)


class ReadAhead:
    """A file far away, asked for `AHEAD` bytes at a time: an object store takes tens of milliseconds to answer."""

    AHEAD = 8 << 20

    def __init__(self, file: Any) -> None:
        self.file = file
        self._held = b""
        self._at = 0
        """Position in the file at which ``_held`` begins."""
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

    def tell(self) -> int:
        return self._position


def below(base: str, file: str) -> str:
    """The URI of a file in a folder, which may have options behind it."""
    if is_http(base):
        return base.rstrip("/") + "/" + file
    place = place_of(base)
    return place.beside(place.path.rstrip("/") + "/" + file).uri()


def is_far(uri: str) -> bool:
    """Whether every read of this file is a request over the network."""
    return is_uri(uri) and not uri.startswith("file://")
