"""Google Cloud Storage on loopback: what Arrow's client asks of its interfaces; objects are held in memory."""

from __future__ import annotations

import base64
import email
import email.policy
import hashlib
import http.server
import json
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from itertools import count
from typing import Any
from urllib.parse import parse_qsl, quote, unquote, urlsplit

PAGE = 3
"""Entries of a page of a listing: few, so that listings have several."""


@contextmanager
def gcs_server(bucket: str, fail_every: int = 0) -> Iterator[str]:
    """Serves an empty bucket; gives what stands behind a ``gs://`` address for it.

    In a process of its own: Arrow holds Python's lock while it asks for the size of an object.
    """
    arguments = [sys.executable, "-P", __file__, bucket, str(fail_every)]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        try:
            yield f"?anonymous=true&scheme=http&endpoint_override=127.0.0.1%3A{int(server.stdout.readline())}"
        finally:
            server.kill()


class Objects:
    """Buckets of objects; ``fail_every``: every so many-th request is refused with 503."""

    def __init__(self, fail_every: int = 0) -> None:
        self.buckets: dict[str, dict[str, tuple[bytes, int]]] = {}
        self.uploads: dict[str, tuple[str, str, bytearray, dict[str, str]]] = {}
        self.generation = count(1)
        self.requests = 0
        self.fail_every = fail_every
        self.lock = threading.Lock()

    def put(self, bucket: str, name: str, data: bytes) -> dict[str, Any]:
        self.buckets.setdefault(bucket, {})[name] = (data, next(self.generation))
        return self.about(bucket, name)

    def about(self, bucket: str, name: str) -> dict[str, Any]:
        data, generation = self.buckets[bucket][name]
        return {
            "kind": "storage#object",
            "id": f"{bucket}/{name}/{generation}",
            "name": name,
            "bucket": bucket,
            "generation": str(generation),
            "metageneration": "1",
            "size": str(len(data)),
            "md5Hash": base64.b64encode(hashlib.md5(data).digest()).decode(),
            "etag": f"e{generation}",
            "timeCreated": "2026-01-01T00:00:00Z",
            "updated": "2026-01-01T00:00:00Z",
        }


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # as in `tests.support.local_server`

    def __init__(self, server: Objects, *args: Any) -> None:
        self.gcs = server
        super().__init__(*args)

    def log_message(self, format: str, *args: Any) -> None: ...

    def _answer(self, status: int, body: bytes = b"", **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _json(self, content: Any, status: int = 200) -> None:
        self._answer(status, json.dumps(content).encode(), Content_Type="application/json")

    def _error(self, status: int, message: str) -> None:
        self._json(
            {"error": {"code": status, "message": message, "errors": [{"message": message, "reason": message}]}}, status
        )

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        parts = []
        while size := int(self.rfile.readline().split(b";")[0], 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(parts)

    def _serve(self) -> None:
        body = self._body()
        with self.gcs.lock:
            self.gcs.requests += 1
            if self.gcs.fail_every and self.gcs.requests % self.gcs.fail_every == 0:
                self._error(503, "backendError")
                return
            url = urlsplit(self.path)
            self._route(url.path, dict(parse_qsl(url.query)), body)

    do_GET = do_POST = do_PUT = do_DELETE = _serve

    def _route(self, path: str, query: dict[str, str], body: bytes) -> None:
        if found := re.fullmatch(r"/upload/storage/v1/b/([^/]+)/o", path):
            self._upload(found[1], query, body)
        elif found := re.fullmatch(r"/storage/v1/b/([^/]+)/o/(.+)/(?:rewriteTo|copyTo)/b/([^/]+)/o/(.+)", path):
            self._copy(found[1], unquote(found[2]), found[3], unquote(found[4]))
        elif found := re.fullmatch(r"(?:/download)?/storage/v1/b/([^/]+)/o/(.+)", path):
            self._object(found[1], unquote(found[2]), query.get("alt") == "media" or path.startswith("/download"))
        elif found := re.fullmatch(r"/storage/v1/b/([^/]+)/o", path):
            self._list(found[1], query)
        elif found := re.fullmatch(r"/storage/v1/b/([^/]+)", path):
            known = found[1] in self.gcs.buckets
            self._json({"kind": "storage#bucket", "name": found[1]}) if known else self._error(404, "notFound")
        elif path == "/storage/v1/b":
            name = json.loads(body)["name"]
            self.gcs.buckets.setdefault(name, {})
            self._json({"kind": "storage#bucket", "name": name})
        elif found := re.fullmatch(r"/([^/]+)/(.+)", path):
            self._object(found[1], unquote(found[2]), True)
        else:
            self._error(404, "notFound")

    def _object(self, bucket: str, name: str, media: bool) -> None:
        objects = self.gcs.buckets.get(bucket, {})
        if name not in objects:
            self._error(404, "notFound")
        elif self.command == "DELETE":
            del objects[name]
            self._answer(204)
        elif not media:
            self._json(self.gcs.about(bucket, name))
        else:
            self._media(bucket, name, objects[name])

    def _media(self, bucket: str, name: str, stored: tuple[bytes, int]) -> None:
        data, generation = stored
        about = self.gcs.about(bucket, name)
        headers = {"x_goog_generation": str(generation), "x_goog_hash": f"md5={about['md5Hash']}"}
        headers["x_goog_stored_content_length"] = str(len(data))
        found = re.fullmatch(r"bytes=(\d*)-(\d*)", self.headers.get("Range", ""))
        if not found:
            self._answer(200, data, **headers)
            return
        start = int(found[1]) if found[1] else max(0, len(data) - int(found[2]))
        stop = min(len(data), int(found[2]) + 1) if found[1] and found[2] else len(data)
        if start >= len(data):
            self._answer(416, b"", Content_Range=f"bytes */{len(data)}")
            return
        self._answer(206, data[start:stop], Content_Range=f"bytes {start}-{stop - 1}/{len(data)}", **headers)

    def _list(self, bucket: str, query: dict[str, str]) -> None:
        if bucket not in self.gcs.buckets:
            self._error(404, "notFound")
            return
        prefix, mark = query.get("prefix", ""), query.get("delimiter", "")
        found: dict[str, bool] = {}  # of names in order, whether they are folders
        for name in sorted(self.gcs.buckets[bucket], key=str.encode):
            if name.startswith(prefix):
                inner = name[len(prefix) :].partition(mark) if mark else (name, "", "")
                found[prefix + inner[0] + mark if inner[1] else name] = bool(inner[1])
        names = list(found)
        first = int(query.get("pageToken", 0))
        page = names[first : first + PAGE]
        listing: dict[str, Any] = {"kind": "storage#objects"}
        listing["items"] = [self.gcs.about(bucket, name) for name in page if not found[name]]
        listing["prefixes"] = [name for name in page if found[name]]
        if first + PAGE < len(names):
            listing["nextPageToken"] = str(first + PAGE)
        self._json(listing)

    def _copy(self, bucket: str, name: str, other: str, new: str) -> None:
        if name not in self.gcs.buckets.get(bucket, {}):
            self._error(404, "notFound")
            return
        data = self.gcs.buckets[bucket][name][0]
        answer = {"kind": "storage#rewriteResponse", "done": True, "totalBytesRewritten": str(len(data))}
        self._json(answer | {"objectSize": str(len(data)), "resource": self.gcs.put(other, new, data)})

    def _upload(self, bucket: str, query: dict[str, str], body: bytes) -> None:
        kind = query.get("uploadType", "media")
        if key := query.get("upload_id"):
            self._continue(key, body)
        elif bucket not in self.gcs.buckets:
            self._error(404, "notFound")
        elif kind == "resumable":
            name = query.get("name") or json.loads(body or b"{}")["name"]
            key = f"u{next(self.gcs.generation)}"
            self.gcs.uploads[key] = (bucket, name, bytearray(), query)
            place = f"http://{self.headers['Host']}/upload/storage/v1/b/{quote(bucket)}/o"
            self._answer(200, b"", Location=f"{place}?uploadType=resumable&upload_id={key}")
        elif kind == "multipart":
            head = b"Content-Type: " + self.headers["Content-Type"].encode() + b"\r\n\r\n"
            whole: Any = email.message_from_bytes(head + body, policy=email.policy.HTTP)
            about, content = whole.get_payload()
            name = query.get("name") or json.loads(about.get_payload())["name"]
            self._create(bucket, name, content.get_payload(decode=True), query)
        else:
            self._create(bucket, query["name"], body, query)

    def _create(self, bucket: str, name: str, data: bytes, query: dict[str, str]) -> None:
        if query.get("ifGenerationMatch") == "0" and name in self.gcs.buckets[bucket]:
            self._error(412, "conditionNotMet")
        else:
            self._json(self.gcs.put(bucket, name, data))

    def _continue(self, key: str, body: bytes) -> None:
        bucket, name, data, query = self.gcs.uploads[key]
        data += body
        if self.headers.get("Content-Range", "bytes */*").endswith("/*") and self.headers.get("Content-Range"):
            headers = {"Range": f"bytes=0-{len(data) - 1}"} if data else {}
            self._answer(308, b"", **headers)
            return
        self._create(bucket, name, bytes(data), query)


def main(bucket: str, fail_every: str) -> None:
    objects = Objects(int(fail_every))
    objects.buckets[bucket] = {}
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(_Handler, objects))
    server.daemon_threads = True
    print(server.server_port, flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main(*sys.argv[1:])
