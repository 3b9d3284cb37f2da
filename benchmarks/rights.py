"""The cost of robots.txt: compiling the files of many services, and microseconds of CPU a page of `kept.robots.files`.

    python -m benchmarks.rights [--services N] [--pages N] [--agents N] [--most MICROSECONDS]

Files are made: of every ten services five forbid a few folders to all, two forbid all to some agents, one has three
hundred rules with ``*``, two have none; pages are spread over services as one over their rank. Each column of URLs is
matched twice: with no service made ready, and again. Status 1 where the first takes more than ``--most`` a page (10).
"""

from __future__ import annotations

import argparse
import random
import tempfile
import time
from collections.abc import Callable, Iterator
from typing import Any

import pyarrow as pa

from pipeline.store.storage import Store
from stages.rules import robots_files
from stages.rules.robots_answers import Answer, compile_answers
from stages.rules.robots_files import RobotsTable

AGENTS = (
    "ccbot",
    "gptbot",
    "google-extended",
    "anthropic-ai",
    "bytespider",
    "applebot-extended",
    "ai2bot",
    "perplexitybot",
)
FOLDERS = ("wp-admin", "cart", "search", "api", "private", "tmp", "user", "login", "print", "feed")


def body(rank: int, chance: random.Random) -> bytes:
    """The robots.txt of one service."""
    kind = rank % 10
    if kind < 5:
        return "\n".join(["User-agent: *", *(f"Disallow: /{name}/" for name in chance.sample(FOLDERS, 4))]).encode()
    if kind < 7:
        named = "\n".join(f"User-agent: {agent}" for agent in chance.sample(AGENTS, 3))
        return f"{named}\nDisallow: /\n\nUser-agent: *\nDisallow: /*?sort=\nAllow: /\n".encode()
    if kind == 7:
        return "\n".join(
            ["User-agent: *", *(f"Disallow: /*/{name}{n}*.php$" for n in range(30) for name in FOLDERS)]
        ).encode()
    return b"User-agent: *\nDisallow:\n"


def answers(services: int) -> Iterator[Answer]:
    """Their answers."""
    chance = random.Random(1)
    for rank in range(services):
        url = f"https://www.service-{rank}.example/robots.txt"
        yield Answer(url, "2024-06-12T07:00:00Z", 200, "", body(rank, chance), f"made at {rank}")


def urls(pages: int, services: int) -> pa.Array:
    """Addresses of pages."""
    chance = random.Random(2)
    ranks = [int(services ** chance.random()) - 1 for _ in range(pages)]
    paths = [
        f"{chance.choice(FOLDERS)}/{n % 977}/page-{n}.html{'?sort=up' if n % 7 == 0 else ''}" for n in range(pages)
    ]
    return pa.array([f"https://www.service-{rank}.example/{path}" for rank, path in zip(ranks, paths, strict=True)])


def timed(function: Callable[[], Any]) -> tuple[float, Any]:
    """CPU seconds of a call, and what it gave."""
    before = time.process_time()
    found = function()
    return time.process_time() - before, found


def main() -> int:
    """Print the figures; the status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--services", type=int, default=10_000)
    parser.add_argument("--pages", type=int, default=200_000)
    parser.add_argument("--agents", type=int, default=4)
    parser.add_argument("--most", type=float, default=10.0)
    given = parser.parse_args()
    agents = AGENTS[: given.agents]
    made = list(answers(given.services))
    seconds, (rows, _) = timed(lambda: compile_answers(made, agents))
    num_bytes = sum(len(one.body) for one in made)
    print(f"compile   {1e6 * seconds / len(made):8.1f} µs a service, {num_bytes / seconds / 1e6:.1f} MB/s")
    with tempfile.TemporaryDirectory() as folder:
        store = Store(folder)
        robots_files.save(store, "robots/made.arrow", rows, agents)
        table: RobotsTable = robots_files.load(store, "robots/made.arrow")
        column = urls(given.pages, given.services)
        table.match(column.slice(0, 10), True)  # loads the kernel
        first, found = timed(lambda: table.match(column, False))
        again, _ = timed(lambda: table.match(column, False))
    share = int((found.failed != 0).sum()) / len(column)
    for name, cost in (("first", first), ("again", again)):
        print(
            f"{name:<9} {1e6 * cost / len(column):8.3f} µs a page, {len(agents)} agents, {share:.1%} disallowed to one"
        )
    return int(1e6 * first / len(column) > given.most)


if __name__ == "__main__":
    raise SystemExit(main())
