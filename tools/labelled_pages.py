"""Pages to train the block classifier on: scanned, measured, each block labelled and weighed.

For `tools.train_extractor`, which says what the files hold.
"""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
from resiliparse.parse.encoding import bytes_to_str, detect_encoding

from stages.extraction.scanning import Scanned, Scanner
from stages.kernels.columns.ragged import Bytes, text_buffers
from stages.kernels.html import features as f
from tools.block_labels import grams, label_blocks, words
from tools.word_weights import UNKNOWN, WordLists, list_words

FOLDS = 5
Bytes2 = npt.NDArray[np.uint8]


@dataclass
class Page:
    """A labelled page: features of its blocks (F x B), their words, and what to choose (1, 0, `UNKNOWN`)."""

    source: str
    fold: int
    html: bytes
    scanned: Scanned
    features: Bytes2
    text_words: WordLists
    name_words: WordLists
    words: list[list[str]]
    gold: Counter[Any] | None
    """4-grams of its gold text, if it has one."""
    gold_words: list[str]
    chosen: npt.NDArray[np.int64]
    weights: npt.NDArray[np.float64]


def decode(html: bytes) -> bytes:
    """The page as UTF-8; another charset is detected."""
    try:
        html.decode()
    except UnicodeDecodeError:
        return bytes_to_str(html, detect_encoding(html) or "utf-8").encode("utf-8", "replace")
    return html


def site_fold(url: str | None, page_id: str) -> int:
    """Fold of a page: all pages of a site, by the last two labels of its host, are in one."""
    host = urlsplit(url or "").hostname or url or ""
    return zlib.crc32((".".join(host.split(".")[-2:]) or page_id).encode()) % FOLDS


def _measure(scanner: Scanner, data: Bytes, s: Scanned) -> Bytes2:
    m = scanner.measures(s)
    X = np.zeros((f.NUM_FEATURES, s.num_blocks), np.uint8)
    f.measure_blocks(
        X, data, s.text, s.blocks, s.nodes, s.pages, scanner.logs, m.measures, m.inherited, m.slots, m.titles
    )
    return X


def read_rows(paths: Iterable[Path]) -> Iterator[dict[str, Any]]:
    """The pages of all files, in the columns of the first kind."""
    nothing: dict[str, Any] = {"must_contain": [], "must_not_contain": []}
    for path in paths:
        for row in pq.read_table(path).to_pylist():
            known = {"page_id": row["id"], "source": "structure", "gold_text": row["markdown"]} if "id" in row else {}
            yield nothing | row | known


def read_pages(paths: Iterable[Path]) -> list[Page]:
    """Scan, measure and label every page."""
    scanner, pages = Scanner(), []
    for row in read_rows(paths):
        html = decode(row["html"])
        data, offsets = text_buffers(pa.array([html], pa.large_binary()))
        s = scanner.scan(data, offsets, 0, 1)
        blocks, nodes = s.blocks[:, : s.num_blocks].copy(), s.nodes[:, : s.num_nodes].copy()
        s = replace(s, blocks=blocks, nodes=nodes, text=s.text[: s.num_bytes].copy())
        measured = (_measure(scanner, data, s), *list_words(data, s))
        block_words = [words(s.block_text(block)) for block in range(s.num_blocks)]
        fold = site_fold(row["url"], row["page_id"])
        if row["gold_text"] is None:
            texts = [squeeze(s.block_text(block)) for block in range(s.num_blocks)]
            known = held_strings(texts, row["must_contain"] or [], row["must_not_contain"] or [])
            pages.append(
                Page(row["source"], fold, html, s, *measured, block_words, None, [], known, np.zeros(len(texts)))
            )
            continue
        chosen, weights, _ = label_blocks(row["gold_text"], block_words)
        gold_words = words(row["gold_text"])
        gold = Counter(grams(gold_words))
        labels = chosen.astype(np.int64), weights
        pages.append(Page(row["source"], fold, html, s, *measured, block_words, gold, gold_words, *labels))
    return sorted(pages, key=lambda page: page.gold is None)


def squeeze(text: str) -> str:
    """Without white space."""
    return "".join(text.split())


def held_strings(texts: Sequence[str], must: Sequence[str], must_not: Sequence[str]) -> npt.NDArray[np.int64]:
    """1 for a block that holds a string which the text must contain, 0 for one that holds a string it must not."""
    known = np.full(len(texts), UNKNOWN, np.int64)
    for block, text in enumerate(texts):
        if any(squeeze(string) in text for string in must_not):
            known[block] = 0
        if any(squeeze(string) in text for string in must):
            known[block] = 1
    return known


def page_weights(pages: Sequence[Page]) -> npt.NDArray[np.float64]:
    """Weight of every block: what a mistake costs, and a little for its words and for being there.

    A page without a gold text weighs half the mean of the others, all in the blocks that are known.
    """
    count = Counter(page.source for page in pages)
    num_gold = sum(page.gold is not None for page in pages)
    mean = sum(count[page.source] ** -0.5 for page in pages if page.gold is not None) / num_gold
    parts = []
    for page in pages:
        if page.gold is None:
            known = page.chosen != UNKNOWN
            parts.append(np.where(known, 0.5 * mean / max(1, known.sum()), 0.0))
            continue
        num_words = np.array([len(w) for w in page.words], float)
        weight = page.weights + 0.02 * num_words / max(1.0, num_words.sum()) + 0.002 / max(1, len(num_words))
        parts.append(weight / max(weight.sum(), 1e-9) / count[page.source] ** 0.5)
    joined = np.concatenate(parts)
    return np.asarray(joined * len(joined) / joined.sum())
