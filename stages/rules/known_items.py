"""The items of benchmarks as sequences to look for, and what can be told of their words before any page is read.

For `overlaps`, which looks for them, and `contamination`, which weighs what was found. Every part of an item is a
sequence of folded words: question, each choice, answer, solution, passage. Looked for are questions, passages and
solutions; choices and answers only beside their question (they are its companions), but where a question says next to
nothing of its own ('Which of these is true?'), choices of five words or more are looked for, with the question as
companion.

A word's *own share* is one over the number of items that have the four words around it (the mean over the four-word
groups it is in): words of an opening that thousand items share count next to nothing. Items that are the same in all
parts count as one.

Legend: I items, S sequences, T words of all sequences, V different words. kind_S: `KINDS`.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from xxhash import xxh3_128_digest

from stages.kernels.columns.ragged import text_buffers
from stages.kernels.words.alignment import Sequences, build
from stages.kernels.words.folded_words import fold_words
from stages.kernels.words.seeds import PARTS, SEED_WORDS, num_holders, seeds_of_part
from stages.rules.contamination import Benchmarks, Item, items

KINDS = QUESTION, CHOICE, ANSWER, SOLUTION, PASSAGE = range(5)
SAYS_LITTLE = 2.5
"""Own shares of a question's words together: below it, and of fewer than four words, its choices are looked for."""
LEAST_CHOICE = 5
"""Words of a choice that is looked for."""
TOGETHER = 20_000
"""Texts folded at once."""
_HALF = np.uint64(32)


@dataclass(frozen=True)
class KnownItems:
    """What is looked for; see the module."""

    names: tuple[str, ...]
    """Benchmarks."""
    benchmark_I: npt.NDArray[np.int32]
    row_I: npt.NDArray[np.int64]
    """Row in the benchmark's file, from 0."""
    item_S: npt.NDArray[np.int32]
    kind_S: npt.NDArray[np.int8]
    question_I: npt.NDArray[np.int64]
    """The sequence of the item's question; -1: it has none."""
    sequences: Sequences
    own_T: npt.NDArray[np.float32]
    words_V: npt.NDArray[np.uint32]
    """Sorted."""
    word_T: npt.NDArray[np.int32]
    """Index into ``words_V``."""
    item_share_V: npt.NDArray[np.float32]
    """Share of the items that have the word."""
    num_short: int
    """Items with nothing of four words or more to look for."""


def load(params: Benchmarks) -> KnownItems:
    """The items of these files, made ready once a process."""
    return _load(params.model_dump_json())


@lru_cache(maxsize=2)
def _load(params: str) -> KnownItems:
    benchmarks = Benchmarks.model_validate_json(params)
    places: list[tuple[int, int]] = []
    meta: list[tuple[int, int]] = []

    def texts() -> Iterator[str]:
        for number, benchmark in enumerate(benchmarks.files):
            for row, item in enumerate(items(benchmark)):
                for kind, text in _sequences(item):
                    meta.append((len(places), kind))
                    yield text
                places.append((number, row))

    tokens_T, starts_S1 = _folded(texts())
    names = tuple(benchmark.label() for benchmark in benchmarks.files)
    item_S, kind_S = np.array(meta, np.int32).reshape(-1, 2).T
    numbers = np.array(places, np.int64).reshape(-1, 2)
    meta.clear()
    places.clear()
    found = _made(names, numbers, item_S, kind_S, tokens_T, starts_S1)
    logging.getLogger(__name__).info("%d items, %d of fewer than four words", len(numbers), found.num_short)
    return found


def _folded(texts: Iterator[str]) -> tuple[npt.NDArray[np.uint32], npt.NDArray[np.int64]]:
    """(tokens_T, starts_S1) of texts, of which `TOGETHER` are held at a time."""
    tokens, sizes = [np.zeros(0, np.uint32)], [np.zeros(1, np.int64)]
    while group := list(islice(texts, TOGETHER)):
        folded = fold_words(*text_buffers(pa.array(group, pa.large_string())))
        tokens.append((folded.hashes_W >> _HALF).astype(np.uint32))
        sizes.append(np.diff(folded.offsets_D1))
    return np.concatenate(tokens), np.cumsum(np.concatenate(sizes))


def _sequences(item: Item) -> Iterator[tuple[int, str]]:
    """(kind, text) of the parts that hold any text, in the order of `KINDS`."""
    parts = [(QUESTION, item.question), *((CHOICE, choice) for choice in item.choices)]
    parts += [(ANSWER, item.answer), (SOLUTION, item.solution), (PASSAGE, item.passage)]
    return ((kind, text) for kind, text in parts if text.strip())


def _made(names: tuple[str, ...], places: Any, item_S: Any, kind_S: Any, tokens_T: Any, starts_S1: Any) -> KnownItems:
    num_items = len(places)
    sizes = np.diff(starts_S1)
    item_T = np.repeat(item_S, sizes)
    own_T = _own(tokens_T, starts_S1, _classes(tokens_T, starts_S1, item_S, num_items)[item_S])
    question_I = np.full(num_items, -1, np.int64)
    questions = np.flatnonzero(kind_S == QUESTION)
    question_I[item_S[questions]] = questions
    own_S = np.add.reduceat(np.append(own_T, np.float32(0)), np.minimum(starts_S1[:-1], len(own_T)), dtype=np.float64)
    own_S[sizes == 0] = 0
    asks_S = np.where(question_I[item_S] >= 0, own_S[question_I[item_S]], np.inf)
    asks_S[np.where(question_I[item_S] >= 0, sizes[question_I[item_S]], SEED_WORDS) < SEED_WORDS] = 0
    helped_S = (kind_S == CHOICE) & (asks_S < SAYS_LITTLE) & (sizes >= LEAST_CHOICE)
    seeded_S = np.isin(kind_S, (QUESTION, SOLUTION, PASSAGE)) | helped_S
    words_V = np.unique(tokens_T)
    word_T = np.searchsorted(words_V, tokens_T).astype(np.int32)
    shares = num_holders(word_T, item_T, len(words_V)) / max(1, num_items)
    del item_T
    findable = np.zeros(num_items, np.bool_)
    findable[item_S[seeded_S & (sizes >= SEED_WORDS)]] = True
    return KnownItems(
        names=names,
        benchmark_I=places[:, 0].astype(np.int32),
        row_I=places[:, 1],
        item_S=item_S.astype(np.int32),
        kind_S=kind_S.astype(np.int8),
        question_I=question_I,
        sequences=build(tokens_T, starts_S1, seeded_S, _companions(item_S, kind_S, helped_S)),
        own_T=own_T,
        words_V=words_V,
        word_T=word_T,
        item_share_V=shares.astype(np.float32),
        num_short=int((~findable).sum()),
    )


def _companions(item_S: Any, kind_S: Any, helped_S: Any) -> npt.NDArray[np.int64]:
    """(first, behind the last) sequence that is looked for beside each: of a question its choices and answer, of a
    choice that is looked for the question too."""
    bounds = np.zeros((len(item_S), 2), np.int64)
    firsts = np.searchsorted(item_S, item_S)
    near = np.searchsorted(item_S * len(KINDS) + kind_S, item_S * len(KINDS) + SOLUTION)
    for s in np.flatnonzero((kind_S == QUESTION) | helped_S).tolist():
        bounds[s] = (s + 1 if kind_S[s] == QUESTION else firsts[s], near[s])
    return bounds


def _classes(tokens_T: Any, starts_S1: Any, item_S: Any, num_items: int) -> npt.NDArray[np.int64]:
    """A number for each item, the same for items of the same words in all parts."""
    bounds = starts_S1[np.searchsorted(item_S, np.arange(num_items + 1))]
    known: dict[bytes, int] = {}
    return np.array(
        [known.setdefault(xxh3_128_digest(tokens_T[bounds[i] : bounds[i + 1]]), len(known)) for i in range(num_items)],
        np.int64,
    )


def _own(tokens_T: Any, starts_S1: Any, class_S: Any) -> npt.NDArray[np.float32]:
    """The own share of each word; 1 in a sequence of fewer than four."""
    shares_T = np.zeros(len(tokens_T) + SEED_WORDS, np.float32)  # of the seed that begins there; 0: none does
    sequence_T = np.repeat(np.arange(len(class_S), dtype=np.int32), np.diff(starts_S1))
    every = np.ones(len(class_S), np.bool_)
    classes = int(class_S.max(initial=0)) + 1
    for part in range(PARTS):
        at, hashes = seeds_of_part(tokens_T, starts_S1, every, part)
        _, seed = np.unique(hashes, return_inverse=True)
        pairs = np.unique(seed.astype(np.int64) * classes + class_S[sequence_T[at]])
        if len(at):
            shares_T[at] = (1.0 / np.bincount(pairs // classes))[seed]
    total, around = np.zeros(len(tokens_T), np.float32), np.zeros(len(tokens_T), np.int8)
    for step in range(SEED_WORDS):
        before = shares_T[: max(0, len(tokens_T) - step)]
        total[step:] += before
        around[step:] += before > 0
    return np.where(around > 0, total / np.maximum(around, 1), np.float32(1))
