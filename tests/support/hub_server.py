"""A Hugging Face Hub on loopback: one dataset whose files are those of a folder, as huggingface_hub asks for them."""

from __future__ import annotations

import hashlib
import json
import random
import re
from collections import Counter
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from tests.support.local_server import Handler, LocalServer


class HubServer(LocalServer):
    """Serves ``folder`` as the dataset ``org/pages``, branch ``main``; ``rate`` of the requests for bytes fail."""

    def __init__(self, folder: Path, rate: float = 0, private: bool = False) -> None:
        self.folder, self.rate, self.private = folder, rate, private
        self.counts: Counter[str] = Counter()
        self.random = random.Random(1)
        super().__init__(_Handler)
        self.address = f"http://{self.place}"

    def tree(self, below: str, recursive: bool) -> list[dict[str, Any]] | None:
        folder = self.folder / below
        if not folder.is_dir():
            return None
        found = []
        for path in sorted(folder.rglob("*") if recursive else folder.iterdir()):
            name = str(path.relative_to(self.folder))
            if path.is_dir():
                found.append({"type": "directory", "oid": "0" * 40, "size": 0, "path": name})
            else:
                oid = hashlib.sha1(path.read_bytes()).hexdigest()
                found.append({"type": "file", "oid": oid, "size": path.stat().st_size, "path": name})
        return found


class _Handler(Handler):
    protocol_version = "HTTP/1.0"
    about: HubServer

    def do_GET(self) -> None:
        place = urlsplit(self.path)
        path = unquote(place.path)
        if self.about.private or not path.startswith(("/api/datasets/org/pages", "/datasets/org/pages")):
            return self._fail(401, "RepoNotFound")
        if found := re.fullmatch("/api/datasets/org/pages/tree/main/?(.*)", path):
            tree = self.about.tree(found[1], "recursive=true" in place.query.lower())
            return self._fail(404, "EntryNotFound") if tree is None else self._send(200, json.dumps(tree).encode())
        if re.fullmatch("/api/datasets/org/pages(/revision/main)?", path):
            return self._send(200, json.dumps({"id": "org/pages", "sha": "0" * 40, "siblings": []}).encode())
        if found := re.fullmatch("/datasets/org/pages/resolve/main/(.*)", path):
            return self._file(self.about.folder / found[1])
        return self._fail(404, "RevisionNotFound" if "/revision/" in path or "/tree/" in path else "EntryNotFound")

    def _file(self, path: Path) -> None:
        self.about.counts["requests"] += 1
        if self.about.random.random() < self.about.rate:
            self.about.counts["failed"] += 1
            return self._send(503, b"")
        content = path.read_bytes()
        found = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range", ""))
        if found is None:
            return self._send(200, content)
        part = content[int(found[1]) : int(found[2]) + 1]
        self.about.counts["bytes"] += len(part)
        return self._send(206, part)

    def _fail(self, status: int, code: str) -> None:
        self._send(status, b"{}", {"X-Error-Code": code, "X-Error-Message": "no"})

    def _send(self, status: int, body: bytes, more: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {
            "Content-Type": "application/json",
            "Content-Length": str(len(body)),
            **(more or {}),
        }.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)
