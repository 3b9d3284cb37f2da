"""Speed of word lists, decontamination and `kept` against plain Python, and their cost by page size.

    python -m benchmarks.filters PAGES.parquet

PAGES has a column ``text``. Processor seconds of one thread, the best of three; the twins see a hundred pages.
Word lists: 400 words and phrases, against C4's regular expression. Decontamination: words and alignments with 10,000
and 200,000 made-up items, against a set of tuples of thirteen words. `kept`: a million pages of random measurements,
all families.
"""

from __future__ import annotations

import argparse
import random
import re
from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.quality import seconds
from stages import kept
from stages.kernels.columns.ragged import text_buffers
from stages.kernels.words.alignment import Aligner
from stages.kernels.words.folded_words import fold_words
from stages.kernels.words.phrases import build_phrases, count_phrases
from stages.kernels.words.sequences import Sequences, build
from stages.rules import families

NGRAM = 13


def vocabulary(texts: list[str]) -> list[str]:
    return sorted({word for text in texts[:200] for word in re.findall(r"[a-z]{5,}", text.lower())})


def sequences(items: list[str]) -> Sequences:
    known = fold_words(*text_buffers(pa.array(items, pa.large_string())))
    tokens = (known.hashes_W >> np.uint64(32)).astype(np.uint32)
    return build(tokens, known.offsets_D1, np.ones(len(items), np.bool_), np.zeros((len(items), 2), np.int32))


def aligned(column: pa.Array, aligner: Aligner) -> object:
    data, offsets = text_buffers(column)
    return aligner.runs(fold_words(data, offsets), offsets)


def column_of(texts: list[str]) -> pa.LargeStringArray:
    return pa.array(texts, pa.large_string())


def megabytes(texts: list[str]) -> float:
    return sum(len(text.encode()) for text in texts) / 1e6


def compare(
    name: str, texts: list[str], ours: Callable[[pa.Array], object], twin: Callable[[list[str]], object]
) -> None:
    column = column_of(texts)
    ours(column[:2])
    speed = megabytes(texts) / seconds(lambda: ours(column))
    slow = megabytes(texts[:100]) / seconds(lambda: twin(texts[:100]), 1)
    joined = "\n".join(texts)
    rates = []
    for size in (10_000, 10_000_000):
        pages = [joined[at : at + size] for at in range(0, min(len(joined), 20_000_000), size)][:400]
        sized = column_of(pages)
        rates.append(seconds(lambda: ours(sized)) / megabytes(pages))  # noqa: B023
    print(f"{name:<18}{speed:>8.0f}{slow:>11.1f}{speed / slow:>8.0f}{rates[1] / rates[0]:>14.2f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pages")
    parser.add_argument("--rows", type=int, default=1_000_000, help="pages that `kept` decides on")
    parser.add_argument("--items", type=int, default=10_000, help="made-up items of a benchmark")
    given = parser.parse_args()
    texts = pq.read_table(given.pages, columns=["text"]).column("text").to_pylist()
    draw = random.Random(1)
    words = vocabulary(texts)
    listed = [*draw.sample(words, 300), *(" ".join(draw.sample(words, 2)) for _ in range(100))]
    phrases = build_phrases([listed])
    pattern = re.compile(rf"(?:\W|^)({'|'.join(map(re.escape, listed))})(?:\W|$)")
    print(f"{'':<18}{'MB/s':>8}{'twin MB/s':>11}{'times':>8}{'10 MB/10 KB':>14}")
    compare(
        "word lists",
        texts,
        lambda column: count_phrases(*text_buffers(column), phrases),
        lambda few: [pattern.search(text.lower()) for text in few],
    )
    items = [" ".join(draw.choices(words, k=40)) for _ in range(given.items)]
    grams = {tuple(item.split()[at : at + NGRAM]) for item in items for at in range(40 - NGRAM + 1)}

    def slow(few: list[str]) -> list[bool]:
        split = [re.findall(r"\w+", text.lower()) for text in few]
        return [any(tuple(row[at : at + NGRAM]) in grams for at in range(len(row) - NGRAM + 1)) for row in split]

    for count in (given.items, 20 * given.items):
        more = items + [" ".join(draw.choices(words, k=40)) for _ in range(count - len(items))]
        aligner = Aligner(sequences(more))
        compare(f"items: {count:,}", texts, lambda column: aligned(column, aligner), slow)  # noqa: B023
    rows = given.rows
    columns = {
        rule.column: np.random.default_rng(1).random(rows) * rule.threshold * 2 for rule in kept.PUBLISHED.values()
    }
    fixed = {
        "source": ["web"] * rows,
        "language": ["en"] * rows,
        "confidence": np.ones(rows),
        "text_bytes": np.ones(rows),
    }
    pages = pa.table(fixed | columns)
    decide = kept.prepare(kept.Params(families=tuple(name for name in families.RULES if name != "opencoder")), [])
    print(f"kept: {1e6 * seconds(lambda: decide(pages)) / rows:.2f} microseconds a page, {len(columns)} columns")


if __name__ == "__main__":
    main()
