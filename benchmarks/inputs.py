"""Inputs of the benchmarks: real data where it is, else made here, the same bytes every time.

    python -m benchmarks.inputs FOLDER [--pages 2000]

Made of the standard library's own documentation (`tests.support.corpora`): real sentences, in English alone. So speeds
on it are honest and figures of agreement on it say little; what cannot be made (decisions that others' programs
recorded, pages of thirty languages, damaged archives) is left out, and `benchmarks.suite` says what it skips for that.

Inputs by name, as `benchmarks.suite` puts them into commands: ``warcs`` and their folder ``crawl``, ``html`` (Parquet,
column ``html``), ``pages`` (column ``text``), ``books`` (JSONL, gzip), ``wiki`` (Parquet), ``dedup`` (a folder of
dev_docs.parquet and dev_pairs.parquet), ``documents`` (its first file), ``texts`` (rows of `documents`), ``items`` (of
benchmarks), ``mixture``;
real alone: ``recorded`` (pages with decisions of datatrove's filters), ``languages`` (pages of many languages),
``zoo`` and ``transcoded``.
"""

from __future__ import annotations

import argparse
import gzip
import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import xxhash

from stages import schemas
from tests.support.archives import record
from tests.support.corpora import documented, page

Inputs = dict[str, list[str]]
"""Paths by name."""

WARC_FILES = 4
HTTP = "Content-Type: application/http; msgtype=response\r\n"
"""Without it FastWARC takes a response for no page of the web."""
COPY_EVERY = 5
"""Pages in a row of which the last is a copy of the one before it, with some words replaced."""
MIXTURE = """\
name: made
sources:
  web: {{paths: "{folder}/crawl/*.warc.gz", group_bytes: 0}}
  books: {{paths: "{folder}/books.jsonl.gz", kept: {{rules: {{too_many_words: false}}}}}}
kept: {{families: [gopher_quality]}}
domains: {{web: {{sources: [web]}}, books: {{sources: [books]}}}}
mixture: {{max_epochs: 40, domains: {{web: {{share: 0.7}}, books: {{share: 0.3}}}}}}
"""


def real(data: Path, reference: Path) -> Inputs:
    """The real data that is there: folders as the project's own data has them."""
    crawl, quality, dedup = data / "crawl", reference / "quality/dev.parquet", reference / "dedup"
    files = {
        "warcs": sorted(crawl.glob("crawl-0000[0-3].warc.gz")),
        "crawl": [crawl],
        "html": [reference / "extraction/dev.parquet"],
        "pages": [quality],
        "recorded": [quality],
        "languages": [*sorted(crawl.glob("*.warc.gz")), reference / "extraction/dev.parquet"],
        "books": [data / "books/books.jsonl.gz"],
        "wiki": [data / "wiki-like/wiki.parquet"],
        "dedup": [dedup],
        "documents": [dedup / "dev_docs.parquet"],
        "items": sorted((reference / "decontamination/benchmarks").glob("*.jsonl")),
        "zoo": [data / "README.md"],
        "transcoded": [data / "zoo/charsets"],
        "mixture": [Path(__file__).resolve().parents[1] / "mixtures/crawl.yaml"] if crawl.is_dir() else [],
    }
    return {name: list(map(str, paths)) for name, paths in files.items() if paths and all(p.exists() for p in paths)}


def make(folder: Path, pages: int) -> Inputs:
    """Write what can be made, of so many pages, into ``folder``; the same arguments give the same bytes."""
    (folder / "crawl").mkdir(parents=True, exist_ok=True)
    (folder / "dedup").mkdir(exist_ok=True)
    texts = _texts(pages)
    bodies = [page(f"page {number}", text) for number, text in enumerate(texts)]
    for k in range(WARC_FILES):
        own = range(k, pages, WARC_FILES)
        packed = [
            gzip.compress(record(bodies[n], url=f"https://made.example/{n}", extra=HTTP), 6, mtime=0) for n in own
        ]
        (folder / f"crawl/made-{k}.warc.gz").write_bytes(b"".join(packed))
    pq.write_table(pa.table({"html": pa.array(bodies, pa.binary())}), folder / "html.parquet")
    pq.write_table(pa.table({"text": texts, "lang": ["en"] * pages}), folder / "pages.parquet")
    lines = [json.dumps({"text": "\n\n".join(texts[n : n + 50])}) for n in range(0, pages, 50)]
    (folder / "books.jsonl.gz").write_bytes(gzip.compress("\n".join(lines).encode(), 6, mtime=0))
    items = [{"question": " ".join(text.split()[20:80]), "choices": text.split()[80:84]} for text in texts]
    (folder / "items.jsonl").write_text("".join(json.dumps(item) + "\n" for item in items))
    names = [xxhash.xxh3_64_hexdigest(f"page {n}".encode()) for n in range(pages)]
    pq.write_table(pa.table({"doc_id": names, "text": texts}), folder / "dedup/dev_docs.parquet")
    pq.write_table(_pairs(names, texts), folder / "dedup/dev_pairs.parquet")
    pq.write_table(_documents(texts), folder / "texts.parquet")
    (folder / "mixture.yaml").write_text(MIXTURE.format(folder=folder.resolve()))
    made = {"crawl": "crawl", "html": "html.parquet", "pages": "pages.parquet", "books": "books.jsonl.gz"}
    made |= {"wiki": "pages.parquet", "dedup": "dedup", "documents": "dedup/dev_docs.parquet"}
    made |= {"texts": "texts.parquet", "mixture": "mixture.yaml", "items": "items.jsonl"}
    warcs = [str(path) for path in sorted((folder / "crawl").glob("*.warc.gz"))]
    return {"warcs": warcs, **{name: [str(folder / path)] for name, path in made.items()}}


def _texts(count: int) -> list[str]:
    """Texts of pages: paragraphs of the documentation, turned round and marked so that no two are the same."""
    docs = documented()
    texts: list[str] = []
    for number in range(count):
        name, text = docs[number % len(docs)]
        if number % COPY_EVERY == COPY_EVERY - 1:
            words = texts[-1].split(" ")
            step = max(20, len(words) // (1 + number % 7))
            texts.append(" ".join(f"{word}{number}" if k % step == 7 else word for k, word in enumerate(words)))
            continue
        parts = text.split("\n\n")
        turn = number // len(docs) % len(parts)
        texts.append(f"{name}, page {number}.\n\n" + "\n\n".join(parts[turn:] + parts[:turn]))
    return texts


def _pairs(names: list[str], texts: list[str]) -> pa.Table:
    """Pairs of a page and the copy behind it, with the exact similarity of their word 5-grams."""
    grams: list[set[tuple[str, ...]]] = []
    for text in texts:
        words = text.lower().split()
        grams.append({tuple(words[k : k + 5]) for k in range(max(1, len(words) - 4))})
    found = [(n - 1, n) for n in range(COPY_EVERY - 1, len(texts), COPY_EVERY)]
    similar = [len(grams[a] & grams[b]) / len(grams[a] | grams[b]) for a, b in found]
    return pa.table({"doc_a": [names[a] for a, _ in found], "doc_b": [names[b] for _, b in found], "jaccard": similar})


def _documents(texts: list[str]) -> pa.Table:
    """The texts as rows of `documents`."""
    sizes = np.array([len(text.encode()) for text in texts], np.int64)
    ids = pa.array([xxhash.xxh3_128_digest(f"page {n}".encode()) for n in range(len(texts))], schemas.DOC_ID)
    known = {"doc_id": ids, "text_hash": ids, "text": pa.array(texts, pa.large_string()), "text_bytes": pa.array(sizes)}
    constant = {"source": "made", "file": "made", "offset": 0, "raw_bytes": 0}
    columns = [known.get(f.name, pa.array([constant.get(f.name)] * len(texts), f.type)) for f in schemas.DOCUMENTS]
    return pa.table(columns, schema=schemas.DOCUMENTS)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--pages", type=int, default=2000)
    given = parser.parse_args()
    for name, paths in make(given.folder, given.pages).items():
        print(f"{name:<12}{' '.join(paths)}")


if __name__ == "__main__":
    main()
