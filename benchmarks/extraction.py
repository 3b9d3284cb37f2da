"""Extraction measured: speed beside resiliparse, agreement of visible text with its DOM, compile time.

    python -m benchmarks.extraction speed crawl.warc.gz ...       MB/s of HTML a core, ratio to resiliparse in the same run
    python -m benchmarks.extraction agreement crawl.warc.gz ...   share of characters, white space aside (--pages: how many)
    python -m benchmarks.extraction compile                       CPU seconds of a process that extracts a page, with no kernel
                                                                  compiled, and again

F1 is printed by `tools.train_extractor`, for sites the classifier has not seen.
"""

from __future__ import annotations

import argparse
import importlib.util
import itertools
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pyarrow as pa
from fastwarc.warc import ArchiveIterator, WarcRecordType
from resiliparse.extract.html2text import extract_plain_text
from resiliparse.parse.encoding import bytes_to_str, detect_encoding
from resiliparse.parse.html import HTMLTree

from stages.documents.extraction import close_empty_elements, extractor
from stages.extraction.html_to_text import ExtractionParams, all_text, main_text
from stages.extraction.scanning import Scanner
from stages.kernels.columns.ragged import text_buffers

NO_TEXT = frozenset(
    ["script", "style", "template", "iframe", "noembed", "noframes", "title", "textarea", "select", "datalist", "svg"]
)
CODE = (
    "import pyarrow as pa\nfrom stages.extraction import main_text\nmain_text(pa.array([b'<p>a'], pa.large_binary()))"
)
BY_DESIGN = ",".join(
    [
        *("math", "sup", "sub", "ruby", "pre", "code", "[hidden]", "[style*=display]", "[style*=visibility]"),
        *(f"[class*={part}]" for part in ("sr-only", "hidden", "screen-reader", "anchor", "headerlink", "hash-link")),
        *(f"[class*={part}]" for part in ("math", "katex", "editsection", "permalink", "lineno")),
        *(f"h{level} a" for level in range(1, 7)),
    ]
)
"""Elements of which the text may be written in another way than it stands there, or left out (docs/decisions/structure.md)."""
UNSEEN = dict.fromkeys(map(ord, "\0\u00ad\u200b\ufeff"))
AGAIN, STEP = 24, 4096


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


def dom_text(tree: HTMLTree) -> str:
    """Text nodes of resiliparse's DOM outside `NO_TEXT`, without white space and what nobody sees of it."""
    root = tree.document.first_element_child
    if root is None:
        return ""
    for node in root.query_selector_all(",".join(NO_TEXT)):
        node.parent.remove_child(node)
    return squeeze(root.text)


def squeeze(text: str) -> str:
    """Without white space, NUL, soft hyphens and spaces without width."""
    return "".join(text.translate(UNSEEN).split())


def same_characters(a: str, b: str) -> int:
    """Characters of ``a`` that stand in ``b`` in the same order, at least.

    Where they part, the nearer place is taken where the next `AGAIN` characters of one stand in the other; without any
    both characters are passed over.
    """
    same = at = other = 0
    while at < len(a) and other < len(b):
        size = min(len(a) - at, len(b) - other, STEP)
        if a[at : at + size] != b[other : other + size]:
            size = next(k for k in range(size) if a[at + k] != b[other + k])
        same, at, other = same + size, at + size, other + size
        if size < STEP and at < len(a) and other < len(b):
            there, here = b.find(a[at : at + AGAIN], other), a.find(b[other : other + AGAIN], at)
            if there >= 0 and (here < 0 or there - other <= here - at):
                other = there
            elif here >= 0:
                at = here
            else:
                at, other = at + 1, other + 1
    return same


def block_texts(pages: Sequence[bytes]) -> Iterator[str]:
    """Text of all blocks of each page, without the marks the writer puts between them."""
    scanner = Scanner()
    data, offsets = text_buffers(pa.array(pages, pa.large_binary()))
    for page in range(len(pages)):
        scanned = scanner.scan(data, offsets, page, page + 1)
        yield "".join(scanned.block_text(block) for block in range(scanned.num_blocks))


def agreement(pages: Iterator[bytes], show: int, least: float) -> None:
    """Print the share of characters that are the same, on pages where nothing is written anew or left out by design, and
    on the others; exit where it is below ``least`` on the first."""
    kinds = {"nothing by design": Counter[str](), "something by design": Counter[str]()}
    plain, designed = kinds.values()
    for some in iter(lambda: list(itertools.islice(pages, 200)), []):
        for html, text in zip(some, block_texts(some), strict=True):
            tree = HTMLTree.parse_from_bytes(html, "utf-8")
            counts = designed if tree.document.query_selector(BY_DESIGN) is not None else plain
            ours, theirs = squeeze(text), dom_text(tree)
            counts["pages"] += 1
            counts["characters"] += max(len(ours), len(theirs))
            counts["same"] += same_characters(ours, theirs)
            if ours != theirs:
                counts["different"] += 1
                if counts is plain and counts["different"] <= show:
                    at = next((i for i, (x, y) in enumerate(zip(ours, theirs, strict=False)) if x != y), 0)
                    around = slice(max(0, at - 20), at + 50)
                    print(f"{len(ours)} {len(theirs)} ours {ours[around]!r} DOM {theirs[around]!r}")
    if not plain["characters"]:
        sys.exit("no page of HTML in these files")
    for name, counts in kinds.items():
        share = counts["same"] / max(1, counts["characters"])
        summary = f"{counts['pages']} pages, {counts['characters']} characters, {share:.5%} the same"
        print(f"{name}: {summary}; {counts['different']} pages differ")
    if plain["same"] < least * plain["characters"]:
        sys.exit(f"less than {least:.2%} of the characters are the same where nothing is changed by design")


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
    main_text(batches[0].slice(0, 20))
    documents_text = extractor("gristmill")
    rows: dict[str, tuple[list[bytes], Callable[[], object]]] = {
        "gristmill, as documents": (pages, lambda: [documents_text(batch) for batch in batches]),
        "gristmill, visible text": (pages, lambda: [all_text(batch, ExtractionParams()) for batch in batches]),
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
    parser.add_argument("--least", type=float, default=0.9999, help="share of `agreement` below which the status is 1")
    args = parser.parse_args()
    if args.what == "compile":
        compile_time(args.code)
    elif args.what == "speed":
        speed(list(read_pages(args.warc, args.pages)), min(100, args.pages // 3))
    else:
        agreement(read_pages(args.warc, args.pages), args.show, args.least)


if __name__ == "__main__":
    main()
