"""Reading one language by an index from a web server: bytes, requests, connections and rows, on a made dump.

``python -m benchmarks.index_server``: 12 WARC files of 33,000 records and a columnar index with Common Crawl's
columns are made and served on loopback by a server that takes 30 ms to answer and 60 ms
more for a new connection (a round trip for TCP, one for TLS), fails 5% of its requests (503, no answer, cut and empty
bodies), and counts what it sends. Wanted are good HTML pages in German, spread over all
pages, and all captures in German where those of a language stand together. What is read is
compared row for row with reading every file and filtering.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path
from typing import Any

from stages import documents
from stages.sources import SourceParams, costs, list_splits
from tests.support.crawl_indices import write_columnar, write_dump
from tests.support.range_server import FAULTS, RangeServer

FILES, PAGES = 12, 917
GOOD = {"status": 200, "mime": "text/html"}


def rows_of(params: SourceParams) -> list[dict[str, Any]]:
    settings = documents.Params(**params.reading())
    return [
        row
        for split in list_splits("web", params)
        for batch in documents.read(split, settings)
        for row in batch.to_pylist()
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pages", type=int, default=PAGES, help="of each file; three records each")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        print("| German pages | connections | wanted | requests | connections made | bytes asked / wanted | seconds |")
        print("|---|---|---|---|---|---|---|")
        measure(folder / "spread", "spread", given.pages, dense=False, where=GOOD)
        measure(folder / "dense", "in stretches", given.pages, dense=True, where={})


def measure(folder: Path, name: str, pages: int, dense: bool, where: dict[str, Any]) -> None:
    rows = write_dump(folder, FILES, pages, dense)
    index = write_columnar(folder / "index.parquet", rows)
    everything = rows_of(SourceParams(paths=(f"{folder}/segments",), base=str(folder)))
    wanted = {
        (row["warc_filename"], row["warc_record_offset"])
        for row in rows
        if "deu" in (row["content_languages"] or "").split(",")
        and (not where or row["fetch_status"] == 200)
        and (not where or (row["content_mime_detected"] or row["content_mime_type"]) == "text/html")
    }
    expected = [row for row in everything if (row["file"], row["offset"]) in wanted]
    for keep in (False, True):
        with RangeServer(folder, rate=0.05, seed=7, connecting=0.06, answering=0.03, keep=keep) as server:
            params = SourceParams.model_validate(
                {"index": (str(index),), "base": server.address, "where": {"languages": "deu", **where}}
            )
            planned = costs(list_splits("web", params))["web"]
            begun = time.perf_counter()
            found = rows_of(params)
            seconds = time.perf_counter() - begun
            assert found == expected, f"{len(found)} rows, {len(expected)} expected"
            assert server.counts["bytes"] == planned.bytes_asked
            failed = sum(server.counts[fault] for fault in FAULTS)
            print(
                f"| {name} | {'kept' if keep else 'new each time'} | {planned.wanted:,} of {len(rows) * 3 + FILES:,}"
                f" | {planned.requests:,} + {failed:,} failed | {server.counts['connections']:,}"
                f" | {planned.bytes_asked / planned.bytes_wanted:.3f} | {seconds:.1f} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
