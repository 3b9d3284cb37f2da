"""Reading by an index: requests and bytes for shares of a real crawl, by how near records are joined.

``python -m benchmarks.index_ranges [FOLDER of .warc.gz]``: an index of the responses is made in memory; wanted are
pages of a host (spread over all files), a draw of one in N, and stretches of 200 pages in a row. The time is that of
`AHEAD` requests under way at once over a place that takes 30 ms to answer and sends 50 MB/s.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from stages.documents.account import Account
from stages.documents.archives import Limits, archive_records
from stages.formats.ranges import AHEAD, Wanted, requests

SECONDS, RATE = 0.03, 50e6
WASTES = (0.0, 0.05, 0.125, 0.25, 1.0)


def captures(path: Path) -> list[tuple[int, int, str]]:
    """(offset, bytes, host) of each response: a record reaches to where the next begins."""
    with path.open("rb") as file:
        found = [
            (record.offset, record.headers.get("warc-type", ""), record.headers.get("warc-target-uri", ""))
            for record in archive_records(file, Account(path.name), Limits(1 << 26, 1 << 26, frozenset()))
        ]
    ends = [*(offset for offset, _, _ in found[1:]), path.stat().st_size]
    return [
        (offset, end - offset, url.split("/")[2] if "//" in url else "")
        for (offset, kind, url), end in zip(found, ends, strict=True)
        if kind == "response"
    ]


def main() -> None:
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else "../shared/data/crawl")
    files = [captures(path) for path in sorted(folder.glob("*.warc.gz"))]
    total = sum(path.stat().st_size for path in folder.glob("*.warc.gz"))
    draw = np.random.default_rng(1)
    shares = {
        "host naucse.python.cz": lambda rows: np.array([host == "naucse.python.cz" for _, _, host in rows]),
        "one page in 20": lambda rows: draw.random(len(rows)) < 0.05,
        "one page in 4": lambda rows: draw.random(len(rows)) < 0.25,
        "nine pages in 10": lambda rows: draw.random(len(rows)) < 0.9,
        "stretches of 200 pages": lambda rows: np.arange(len(rows)) % 800 < 200,
    }
    print("| wanted | records | share of bytes | waste | requests | bytes asked / wanted | seconds |")
    print("|---|---|---|---|---|---|---|")
    for name, choose in shares.items():
        chosen = [[row for row, is_in in zip(rows, choose(rows), strict=True) if is_in] for rows in files]
        if not any(chosen):
            print(f"| {name} | 0 | | | | | |")
            continue
        for waste in WASTES:
            records = num_requests = wanted = num_bytes = 0
            for rows in chosen:
                places = np.array([[offset, size] for offset, size, _ in rows], np.int64).reshape(-1, 2)
                one = Wanted(places[:, 0], places[:, 1], np.zeros(len(rows), np.uint32), waste)
                found = requests(one)
                records += len(rows)
                num_requests += len(found)
                wanted += int(one.sizes_N.sum())
                num_bytes += sum(end - begin for _, _, begin, end in found)
            seconds = max(num_requests * SECONDS / AHEAD, num_bytes / RATE)
            share = wanted / total
            print(
                f"| {name} | {records:,} | {share:.1%} | {waste:g} | {num_requests:,} | {num_bytes / wanted:.3f}"
                f" | {seconds:.1f} |"
            )


if __name__ == "__main__":
    main()
