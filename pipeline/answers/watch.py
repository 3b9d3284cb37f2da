"""`watch`: a page on this machine that shows how a run is doing, for as long as somebody looks.

``/`` shows progress, rate, what is left, products, failures and the slowest tasks, and renews itself; ``/status.json``
is the same for programs; ``/report`` is the report of what is there. Everything is read from the root, so it makes no
difference which machine runs. Listens on the loopback address alone, and answers only requests that name it: no other
site reads along.
"""

from __future__ import annotations

import json
import time
from functools import lru_cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import jinja2

from pipeline.answers import stats
from pipeline.answers.status import last_messages, products, status_text, troubles
from pipeline.errors import UserError
from pipeline.progress import seconds_left
from pipeline.recipe import snapshot as snapshots
from pipeline.store import costs as taken
from pipeline.store.lock import RootLock
from pipeline.store.storage import Store
from stages.report.page import inline
from stages.untrusted import script_data

HOST = "127.0.0.1"
SECONDS = 2
SLOWEST = 10


def check(store: Store) -> None:
    """Raises OtherVersion for a root that could never be shown; one that holds no run yet may do so soon."""
    try:
        snapshots.load(store)
    except snapshots.OtherVersion:
        raise
    except UserError:
        return


def state(store: Store) -> dict[str, Any]:
    """State of the run as plain data: progress, products, troubles, slowest tasks and last messages."""
    snapshot = snapshots.load(store)
    holder = RootLock(store).holder()
    failed = [] if holder or snapshot.complete else last_messages(store)
    progress = store.read_json("runs/progress.json") if store.exists("runs/progress.json") else {}
    messages = failed or (progress.get("said", []) if holder else [])
    what = "finished" if snapshot.complete else "running" if holder else "failed" if failed else "stopped"
    run: dict[str, Any] = {"mixture": snapshot.name, "state": what, "holder": holder or ""}
    run |= {"complete": snapshot.complete, "running": holder is not None, "products": products(snapshot)}
    if holder and progress:
        run["progress"] = pace({key: value for key, value in progress.items() if key not in ("said", "slowest")})
    costs = [costs_of(store, address) for address in last_costs(store)]
    finished = [task for tasks, _ in costs for task in tasks]
    slowest = sorted([*finished, *(progress.get("slowest", []) if holder else [])], key=order)[:SLOWEST]
    run |= {"slowest": slowest, "retries": sum(retries for _, retries in costs)}
    run["troubles"] = [{"kind": "failed", "text": text} for _, text in failed[-1:]]
    if run["retries"]:
        run["troubles"].append({"kind": "run again", "text": f"{run['retries']} tasks, after losses"})
    run["troubles"] += [
        dict(zip(("kind", "text"), line.split(": ", 1), strict=True)) if ": " in line else {"kind": "", "text": line}
        for line in troubles(snapshot)
    ]
    run["said"] = [{"time": when, "text": text} for when, text in reversed(messages)]
    return run | {"status": status_text(store)}


def pace(progress: dict[str, Any]) -> dict[str, Any]:
    """Progress of the phase under way with its rate and the seconds left at it."""
    seconds = max(1e-3, progress["time"] - progress["started"])
    rate = progress["done_cost"] / seconds
    left = seconds_left(seconds, progress["done_cost"], progress["cost"])
    age = max(0.0, time.time() - progress["time"])
    return progress | {"bytes_per_second": rate, "seconds_left": left, "seconds_ago": age}


def last_costs(store: Store) -> list[str]:
    """Addresses of the costs of the latest run."""
    files = [address for address, _ in store.list("runs/costs")]
    run = max((address.rpartition("-")[0] for address in files), default="")
    return [address for address in files if address.startswith(run)]


@lru_cache(maxsize=4096)
def costs_of(store: Store, address: str) -> tuple[list[dict[str, Any]], int]:
    """The slowest tasks of a file of costs, which never changes, and how many tasks were run again."""
    table, retries = taken.read(store, address)
    return sorted(taken.slowest(table, SLOWEST), key=order), retries


def order(task: dict[str, Any]) -> tuple[Any, ...]:
    return (-task["seconds"], task["phase"], task["file"])


def page(run: dict[str, Any]) -> str:
    """The state as a page that renews itself: its script asks for the state and draws it."""
    made = environment()
    style = made.get_template("watch.css.j2").render().strip()
    script = made.get_template("watch.js.j2").render(seconds=SECONDS).strip()
    return made.get_template("watch.html.j2").render(
        run=run, seconds=SECONDS, data=script_data(run), **inline(style, script)
    )


@lru_cache(maxsize=1)
def environment() -> jinja2.Environment:
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=jinja2.StrictUndefined
    )


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
                    self._answer(200, "text/html", stats.html(store, None))
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
