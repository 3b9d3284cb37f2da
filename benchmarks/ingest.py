"""Reading: ours against bare loops over the libraries, on the same files, in the same run.

    python -m benchmarks.ingest reading FILES...      WARC to payload bytes, against a bare FastWARC loop
    python -m benchmarks.ingest pages FILES...        WARC to pages in UTF-8 with all columns, against that same loop
    python -m benchmarks.ingest extraction FILES...   WARC to text, against a bare FastWARC + resiliparse loop
    python -m benchmarks.ingest urls FILES...         URL lists of a million domains, against sets of suffixes in Python
    python -m benchmarks.ingest fuzz FILES...         --rounds damaged variants: none may crash, hang or lose a record

Each pair runs alternately, `--rounds` times; the ratio of the best of each is printed (CPU seconds of one process).
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import pyarrow as pa
import pyarrow.compute as pc
from fastwarc.warc import ArchiveIterator
from resiliparse.extract.html2text import extract_plain_text
from resiliparse.parse.encoding import detect_encoding
from resiliparse.parse.html import HTMLTree

from stages import documents
from stages.contract import Split
from stages.documents.account import Account
from stages.documents.allocator import keep_freed_memory
from stages.documents.archives import Limits, archive_pages, archive_records, payloads
from stages.documents.batches import Batches
from stages.documents.http import decode_body
from stages.rules.url_lists import UrlList, compile_lists

LIMITS = Limits(64 << 20, 5 << 20, frozenset())
Result = tuple[int, int]


def bare_reading(files: list[Path]) -> Result:
    """(responses, payload bytes) by FastWARC alone; bodies as they are stored."""
    count = total = 0
    for path in files:
        with path.open("rb") as file:
            for record in ArchiveIterator(file, parse_http=True):
                body = record.reader.read()
                if record.headers.get("WARC-Type") == "response":
                    count += 1
                    total += len(body)
    return count, total


def our_reading(files: list[Path]) -> Result:
    """Pages by our reader, bodies decoded where they are encoded."""
    count = total = 0
    for path in files:
        with path.open("rb") as file:
            for head, body in payloads(file, Account(path.name), LIMITS):
                body, _ = decode_body(body, head.transfer_encoding, head.content_encoding, LIMITS.max_html_bytes)
                count += not head.is_conversion
                total += len(body)
    return count, total


def our_pages(files: list[Path]) -> Result:
    """(pages, bytes of HTML in UTF-8): all that `documents` does but the extraction."""
    count = total = 0

    def extract(pages: pa.LargeBinaryArray) -> pa.LargeStringArray:
        nonlocal total
        total += pc.sum(pc.binary_length(pages)).as_py()
        return pa.array([""] * len(pages), pa.large_string())

    for path in files:
        with path.open("rb") as file:
            account = Account(path.name)
            batches = Batches("web", extract, account, documents.Params().max_depth)
            for page in archive_pages(file, account, LIMITS):
                if batches.add(page):
                    batches.flush()
            batches.flush()
            count += account.rows
    return count, total


def bare_extraction(files: list[Path]) -> Result:
    """(pages, text bytes) by FastWARC and resiliparse alone, as their manuals show."""
    count = total = 0
    for path in files:
        with path.open("rb") as file:
            for record in ArchiveIterator(file, parse_http=True, auto_decode="all"):
                if record.headers.get("WARC-Type") != "response" or "html" not in (record.http_content_type or ""):
                    continue
                body = record.reader.read()
                encoding = record.http_charset or detect_encoding(body, from_html_meta=True)
                tree = HTMLTree.parse_from_bytes(body, encoding)
                text = extract_plain_text(tree, preserve_formatting=True, main_content=True)
                count += 1
                total += len(text.encode("utf-8", "replace"))
    return count, total


def our_extraction(files: list[Path]) -> Result:
    count = total = 0
    for path in files:
        split = Split("web", path.name, 0, 0, "file", str(path.resolve()), path.stat().st_size, "0")
        reader = documents.read(split, documents.Params(extractor="resiliparse"))
        for batch in reader:
            count += batch.num_rows
        total += reader.report["text_bytes"]
    return count, total


def compare(name: str, ours: Callable[[], Result], bare: Callable[[], Result], rounds: int) -> None:
    """Run both alternately and print the ratio of the best of each."""
    seconds: dict[str, list[float]] = {"ours": [], "bare": []}
    results: dict[str, Result] = {}
    for _ in range(rounds):
        for key, function in (("bare", bare), ("ours", ours)):
            started = time.process_time()
            results[key] = function()
            seconds[key].append(time.process_time() - started)
    if not all(count for count, _ in results.values()):
        sys.exit(f"{name}: nothing was read to compare: {results}")
    best = {key: min(values) for key, values in seconds.items()}
    for key in ("bare", "ours"):
        count, total = results[key]
        rate = f"{count / best[key]:.0f} records/s, {total / best[key] / 1e6:.0f} MB/s"
        print(f"{name} {key}: {best[key]:.3f} s, {rate}, result {total}")
    print(f"{name}: ours / bare = {best['ours'] / best['bare']:.2f}")


def fuzz(files: list[Path], rounds: int) -> None:
    """Read ``rounds`` damaged variants of the files; the report of each read checks that its records add up."""
    from tests.support.mutations import mutate

    slowest, records, rows, bad = 0.0, 0, 0, 0
    contents = [path.read_bytes() for path in files]
    with tempfile.TemporaryDirectory() as folder:
        for seed in range(rounds):
            path = Path(folder) / files[seed % len(files)].name
            path.write_bytes(mutate(contents[seed % len(files)], seed))
            split = Split("web", path.name, 0, 0, "file", str(path), path.stat().st_size, "0")
            started = time.perf_counter()
            reader = documents.read(split, documents.Params())
            rows += sum(batch.num_rows for batch in reader)
            slowest = max(slowest, time.perf_counter() - started)
            records += reader.report["records"]
            bad += reader.report["num_bad"]
    print(f"fuzz: {rounds} variants, {records} records, {rows} rows, {bad} bad stretches, slowest {slowest:.2f} s")


def urls(files: list[Path], rounds: int, most: int) -> None:
    """Match every address of the archives, over and over until there are ``most``, against a million domains and some
    substrings."""
    found = []
    for path in files:
        with path.open("rb") as file:
            records = archive_records(file, Account(path.name), LIMITS)
            found += [record.headers.get("warc-target-uri") for record in records]
    addresses = [url for url in found if url] * (most // len(found) + 1)
    column = pa.array(addresses[:most], pa.string())
    domains = [f"site-{i}.example{i % 97}.com" for i in range(most)] + ["numpy.org", "apache.org"]
    words = ["casino", "poker", "xxx", "/porn/", "viagra"]
    compiled = compile_lists({"domains": UrlList(domains=tuple(domains)), "words": UrlList(substrings=tuple(words))})
    compiled.match(column[:10])
    names = set(domains)

    def ours() -> Result:
        return len(column), int((compiled.match(column).failed > 0).sum())

    def bare() -> Result:
        hits = 0
        for url in column.to_pylist():
            host = urlsplit(url).hostname or ""
            parts = host.split(".")
            if any(".".join(parts[i:]) in names for i in range(len(parts))) or any(word in url for word in words):
                hits += 1
        return len(column), hits

    compare("urls", ours, bare, rounds)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("reading", "pages", "extraction", "urls", "fuzz"))
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--addresses", type=int, default=1_000_000, help="of `urls`; and as many domains")
    given = parser.parse_args()
    pairs = {
        "reading": (our_reading, bare_reading),
        "pages": (our_pages, bare_reading),
        "extraction": (our_extraction, bare_extraction),
    }
    keep_freed_memory()
    if given.what == "urls":
        urls(given.files, given.rounds, given.addresses)
        return
    if given.what == "fuzz":
        fuzz(given.files, given.rounds)
        return
    ours, bare = pairs[given.what]
    compare(given.what, lambda: ours(given.files), lambda: bare(given.files), given.rounds)


if __name__ == "__main__":
    main()
