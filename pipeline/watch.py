"""`watch`: a page on this machine that shows how a run is doing, for as long as somebody looks.

``/`` shows status, rates, what is left, and the slowest tasks, and renews itself; ``/status.json`` is the same for
programs; ``/report`` is the report of what is there. Everything is read from the root, so it makes no difference which
machine runs. Listens on the loopback address alone, and answers only requests that name it: no other site reads along.
"""

from __future__ import annotations

import html
import json
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from pipeline import reporting
from pipeline import snapshot as snapshots
from pipeline.errors import UserError
from pipeline.lock import RootLock
from pipeline.progress import human_bytes, human_seconds
from pipeline.status import status_text
from pipeline.storage import Store

HOST = "127.0.0.1"
SECONDS = 2
SLOWEST = 10
PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><meta http-equiv="refresh" content="{seconds}">
<meta name="viewport" content="width=device-width"><title>{title}</title>
<style>:root{{color-scheme:light dark;font-family:system-ui,sans-serif}}body{{margin:2rem;max-width:60rem}}
pre{{overflow-x:auto}}progress{{width:100%}}td{{padding-right:1.5rem}}</style>
<h1>{title}</h1>{progress}<pre>{status}</pre>{slowest}<p><a href="/report">Report of what is there</a></p></html>"""


def state(store: Store) -> dict[str, Any]:
    """How the run is doing, as plain data."""
    snapshot = snapshots.load(store)
    holder = RootLock(store).holder()
    told: dict[str, Any] = {"mixture": snapshot.name, "complete": snapshot.complete, "running": holder is not None}
    if holder and store.exists("runs/progress.json"):
        told["progress"] = pace(store.read_json("runs/progress.json"))
    return told | {"slowest": slowest(store), "status": status_text(store)}


def pace(progress: dict[str, Any]) -> dict[str, Any]:
    """Progress of the phase under way with its rate and the seconds left at it."""
    seconds = max(1e-3, progress["time"] - progress["started"])
    rate = progress["done_cost"] / seconds
    left = (progress["cost"] - progress["done_cost"]) / rate if rate else None
    age = max(0.0, time.time() - progress["time"])
    return progress | {"bytes_per_second": rate, "seconds_left": left, "seconds_ago": age}


def slowest(store: Store) -> list[dict[str, Any]]:
    """The tasks of the run last heard of that took longest."""
    files = [address for address, _ in store.list("runs/costs")]
    run = max((address.rpartition("-")[0] for address in files), default="")
    tasks = [task for address in files if address.startswith(run) for task in store.read_json(address)["tasks"]]
    tasks.sort(key=lambda task: (-task["seconds"], task["phase"], task["outputs"]))
    return [
        {
            "phase": task["phase"],
            "file": (task["outputs"] or [""])[0],
            "seconds": task["seconds"],
            "bytes": task["bytes"],
        }
        for task in tasks[:SLOWEST]
    ]


def page(told: dict[str, Any]) -> str:
    """The state as a page that renews itself."""
    bar = ""
    if "progress" in told:
        progress = told["progress"]
        left = f", about {human_seconds(progress['seconds_left'])} left" if progress["seconds_left"] is not None else ""
        speed = human_bytes(int(progress["bytes_per_second"]))
        bar = (
            f"<p>{html.escape(progress['phase'])}: {progress['done']:,} of {progress['tasks']:,} tasks, {speed}/s{left}"
            f"</p><progress max='{max(1, progress['cost'])}' value='{progress['done_cost']}'></progress>"
        )
    rows = "".join(
        f"<tr><td>{html.escape(task['phase'])}<td>{task['seconds']:.1f} s<td>{html.escape(task['file'])}"
        for task in told["slowest"]
    )
    table = f"<h2>Slowest tasks</h2><table>{rows}</table>" if rows else ""
    title = html.escape(told["mixture"])
    return PAGE.format(seconds=SECONDS, title=title, progress=bar, status=html.escape(told["status"]), slowest=table)


def server(store: Store, port: int) -> ThreadingHTTPServer:
    """The server, not yet serving; port 0 takes a free one."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if (self.headers.get("Host") or "").rpartition(":")[0] not in (HOST, "localhost"):
                self._answer(403, "text/plain", "ask for this page by its own name")
                return
            try:
                if self.path == "/":
                    self._answer(200, "text/html", page(state(store)))
                elif self.path == "/status.json":
                    self._answer(200, "application/json", json.dumps(state(store)))
                elif self.path == "/report":
                    self._answer(200, "text/html", reporting.html(store, None))
                else:
                    self._answer(404, "text/plain", "no such page")
            except (UserError, OSError, ValueError, KeyError) as error:  # a run may be just starting
                self._answer(503, "text/plain", str(error))

        def _answer(self, code: int, kind: str, text: str) -> None:
            data = text.encode("utf-8", "replace")
            self.send_response(code)
            self.send_header("Content-Type", f"{kind}; charset=utf-8")
            self.send_header("Content-Length", str(len(data)))
            self.send_header("Cache-Control", "no-store")
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, format: str, *args: Any) -> None:
            """Nobody reads a line per request."""

    return ThreadingHTTPServer((HOST, port), Handler)
