"""Extraction measured: speed beside resiliparse, agreement of visible text with its DOM, compile time.

    python -m benchmarks.extraction speed crawl.warc.gz ...       MB/s of HTML a core, ratio to resiliparse in the same run
    python -m benchmarks.extraction agreement crawl.warc.gz ...   share of characters, white space aside (--pages: how many)
    python -m benchmarks.extraction compile                       CPU seconds of a process that extracts a page, with no kernel
                                                                  compiled, and again

F1 is printed by `tools.train_extractor`, for sites the classifier has not seen.
"""

from __future__ import annotations

import argparse
import difflib
import importlib.util
import itertools
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pyarrow as pa
from fastwarc.warc import ArchiveIterator, WarcRecordType
from resiliparse.extract.html2text import extract_plain_text
from resiliparse.parse.encoding import bytes_to_str, detect_encoding
from resiliparse.parse.html import HTMLTree

from stages.documents.extraction import close_empty_elements, extractor
from stages.extraction import extract, visible_text
from stages.extraction.scanning import Scanner
from stages.kernels.columns.ragged import text_buffers

NO_TEXT = frozenset(
    ["script", "style", "template", "iframe", "noembed", "noframes", "title", "textarea", "select", "datalist", "svg"]
)
CODE = "import pyarrow as pa\nfrom stages.extraction import extract\nextract(pa.array([b'<p>a'], pa.large_binary()))"
MAX_MIDDLE = 2000
"""`difflib` takes the square of it."""


def read_pages(paths: list[str], limit: int) -> Iterator[bytes]:
    """HTML of WARC responses as UTF-8, XHTML's empty elements closed, as `documents` hands it to an extractor."""
    found = 0
    for path in paths:
        with open(path, "rb") as file:
            for record in ArchiveIterator(file, record_types=WarcRecordType.response, parse_http=True):
                if "html" not in (record.http_content_type or ""):
                    continue
                body = record.reader.read()
                try:
                    body.decode()
                except UnicodeDecodeError:
                    body = bytes_to_str(body, detect_encoding(body)).encode("utf-8", "replace")
                yield close_empty_elements(body, record.http_content_type)
                found += 1
                if found == limit:
                    return


def dom_text(html: bytes) -> str:
    """Text nodes of resiliparse's DOM outside `NO_TEXT`, without white space."""
    root = HTMLTree.parse_from_bytes(html, "utf-8").document.first_element_child
    if root is None:
        return ""
    for node in root.query_selector_all(",".join(NO_TEXT)):
        node.parent.remove_child(node)
    return squeeze(root.text)


def squeeze(text: str) -> str:
    """Without white space and NUL."""
    return "".join(text.replace("\0", "").split())


def same_characters(a: str, b: str) -> int:
    """Characters of ``a`` that stand in ``b`` in the same order, at least: equal ends, and what a difference of the middle
    finds; a middle of more than `MAX_MIDDLE` counts as wholly different."""
    if a == b:
        return len(a)
    size = min(len(a), len(b))
    head = next((i for i in range(size) if a[i] != b[i]), size)
    tail = next((i for i in range(size - head) if a[-1 - i] != b[-1 - i]), size - head)
    a, b = a[head : len(a) - tail], b[head : len(b) - tail]
    if max(len(a), len(b)) > MAX_MIDDLE:
        return head + tail
    middle = difflib.SequenceMatcher(None, a, b, autojunk=False)
    return head + tail + sum(match.size for match in middle.get_matching_blocks())


def block_texts(pages: Sequence[bytes]) -> Iterator[str]:
    """Text of all blocks of each page, without the marks the writer puts between them."""
    scanner = Scanner()
    data, offsets = text_buffers(pa.array(pages, pa.large_binary()))
    for page in range(len(pages)):
        scanned = scanner.scan(data, offsets, page, page + 1)
        yield "".join(scanned.block_text(block) for block in range(scanned.num_blocks))


def agreement(pages: Iterator[bytes], show: int) -> None:
    """Print the share of characters that are the same."""
    num = total = same = different = 0
    for some in iter(lambda: list(itertools.islice(pages, 200)), []):
        for html, text in zip(some, block_texts(some), strict=True):
            ours, theirs = squeeze(text), dom_text(html)
            num += 1
            total += max(len(ours), len(theirs))
            same += same_characters(ours, theirs)
            if ours != theirs:
                different += 1
                if different <= show:
                    at = next((i for i, (x, y) in enumerate(zip(ours, theirs, strict=False)) if x != y), 0)
                    around = slice(max(0, at - 20), at + 50)
                    print(f"{len(ours)} {len(theirs)} ours {ours[around]!r} DOM {theirs[around]!r}")
    if not total:
        sys.exit("no page of HTML in these files")
    print(f"{num} pages, {total} characters, {same / total:.5%} the same; {different} pages differ")


def seconds(call: Callable[[], object]) -> float:
    """CPU seconds of a call."""
    start = time.process_time()
    call()
    return time.process_time() - start


def speed(pages: list[bytes], slow_pages: int) -> None:
    """Print MB/s of all extractors in the same run, in turns; trafilatura on about `slow_pages` of them."""
    if not pages:
        sys.exit("no page of HTML in these files")
    batches = [pa.array(pages[i : i + 600], pa.large_binary()) for i in range(0, len(pages), 600)]
    few = pages[:: max(1, len(pages) // slow_pages)]
    extract(batches[0].slice(0, 20))
    documents_text = extractor("gristmill")
    rows: dict[str, tuple[list[bytes], Callable[[], object]]] = {
        "gristmill, as documents": (pages, lambda: [documents_text(batch) for batch in batches]),
        "gristmill, and fields": (pages, lambda: [extract(batch) for batch in batches]),
        "gristmill, visible text": (pages, lambda: [visible_text(batch) for batch in batches]),
        "resiliparse": (
            pages,
            lambda: [
                extract_plain_text(
                    HTMLTree.parse_from_bytes(page, "utf-8"), preserve_formatting=True, main_content=True
                )
                for page in pages
            ],
        ),
    }
    if importlib.util.find_spec("trafilatura"):
        slow, batch = extractor("trafilatura"), pa.array(few, pa.large_binary())
        rows["trafilatura"] = (few, lambda: slow(batch))
    found = {}
    for name, (read, call) in rows.items():
        turns = 2 if name in ("resiliparse", "trafilatura") else 5
        spent = min(seconds(call) for _ in range(turns))
        found[name] = sum(map(len, read)) / 1e6 / spent, len(read) / spent
    for name, (megabytes, num) in found.items():
        ratio = megabytes / found["resiliparse"][0]
        print(f"{name:24} {megabytes:7.1f} MB/s {num:8.0f} pages/s {ratio:7.2f} x resiliparse")


def compile_time(code: str) -> None:
    """Print the seconds of a process with an empty cache, and of one with a full one: in a copy of the sources, which
    the kernels compiled at set-up do not go with."""
    sources = Path(__file__).resolve().parents[1] / "stages"
    with tempfile.TemporaryDirectory() as folder:
        shutil.copytree(sources, Path(folder) / "stages", ignore=shutil.ignore_patterns("compiled", "__pycache__"))
        env = {**os.environ, "NUMBA_CACHE_DIR": f"{folder}/kernels", "PYTHONPATH": folder}
        for name in ("empty cache", "full cache"):
            before = os.times()
            subprocess.run([sys.executable, "-c", code], env=env, cwd=folder, check=True)
            if not any(Path(folder, "kernels").glob("*.nbc")):
                sys.exit("no kernel was compiled: the time is that of something else")
            after = os.times()
            spent = after.children_user + after.children_system - before.children_user - before.children_system
            print(f"{name}: {spent:.1f} CPU seconds")


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("speed", "agreement", "compile"))
    parser.add_argument("warc", nargs="*")
    parser.add_argument("--pages", type=int, default=1500)
    parser.add_argument("--code", default=CODE, help="of `compile`: what the process does")
    parser.add_argument("--show", type=int, default=0, help="differences to print")
    args = parser.parse_args()
    if args.what == "compile":
        compile_time(args.code)
    elif args.what == "speed":
        speed(list(read_pages(args.warc, args.pages)), min(100, args.pages // 3))
    else:
        agreement(read_pages(args.warc, args.pages), args.show)


if __name__ == "__main__":
    main()
