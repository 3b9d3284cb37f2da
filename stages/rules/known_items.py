"""The items of benchmarks as sequences to look for, and what is known of their words before any page is read.

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

import ctypes
import logging
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import islice, pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from xxhash import xxh3_128_digest

from stages.kernels.columns.ragged import text_buffers
from stages.kernels.words.folded_words import fold_words
from stages.kernels.words.seeds import PARTS, SEED_WORDS, num_holders, seeds_of_part
from stages.kernels.words.sequences import Sequences, build
from stages.rules.contamination import Benchmarks, Item, items
from stages.rules.row_files import stamp

KINDS = QUESTION, CHOICE, ANSWER, SOLUTION, PASSAGE = range(5)
SAYS_LITTLE = 2.5
"""Own shares of a question's words together: below it, and of fewer than four words, its choices are looked for."""
LEAST_CHOICE = 5
"""Words of a choice that is looked for."""
FEWEST = 8
"""Of fewer items the others are taken to have none of the words: of one alone every word would be in all items."""
TOGETHER = 5_000
"""Texts folded at once."""
BLOCK = 1 << 20
"""Words weighed at once."""
_HALF = np.uint64(32)


@dataclass(frozen=True)
class KnownItems:
    """The items that are looked for; see the module."""

    names: tuple[str, ...]
    """Benchmarks."""
    num_items_of: npt.NDArray[np.int64]
    """Number of items by benchmark."""
    bounds_I1: npt.NDArray[np.int32]
    """Start of the sequences of each item, and the end of the last."""
    kind_S: npt.NDArray[np.int8]
    sequences: Sequences
    words_V: npt.NDArray[np.uint32]
    """Sorted."""
    num_short: int
    """Items with nothing of four words or more to look for."""

    # For `contamination` alone: made when it is asked for.

    @cached_property
    def benchmark_I(self) -> npt.NDArray[np.int32]:
        """The benchmark of each item."""
        return np.repeat(np.arange(len(self.names), dtype=np.int32), self.num_items_of)

    @cached_property
    def row_I(self) -> npt.NDArray[np.int64]:
        """Row in the benchmark's file, from 0."""
        return np.concatenate([np.zeros(0, np.int64), *(np.arange(num) for num in self.num_items_of.tolist())])

    @cached_property
    def item_S(self) -> npt.NDArray[np.int32]:
        """The item of each sequence."""
        return _items_of(self.bounds_I1)

    @cached_property
    def question_I(self) -> npt.NDArray[np.int64]:
        """The sequence of the item's question; -1: it has none."""
        return _questions(self.item_S, self.kind_S, len(self.bounds_I1) - 1)

    @cached_property
    def own_T(self) -> npt.NDArray[np.float32]:
        """Own share of each word."""
        tokens_T, starts_S1 = self.sequences.tokens_T, self.sequences.starts_S1.astype(np.int64)
        shares_T = _seed_shares(tokens_T, starts_S1, _classes(tokens_T, starts_S1, self.bounds_I1))
        own_T = np.empty(len(tokens_T), np.float32)
        for first in range(0, len(tokens_T), BLOCK):
            own_T[first : first + BLOCK] = _own(shares_T, first, min(first + BLOCK, len(tokens_T)))
        return own_T

    @cached_property
    def word_T(self) -> npt.NDArray[np.int32]:
        """Index of each word into ``words_V``."""
        word_T = np.empty(len(self.sequences.tokens_T), np.int32)
        for first in range(0, len(word_T), BLOCK):
            word_T[first : first + BLOCK] = np.searchsorted(
                self.words_V, self.sequences.tokens_T[first : first + BLOCK]
            )
        return word_T

    @cached_property
    def item_share_V(self) -> npt.NDArray[np.float32]:
        """Share of the items that have the word, of `FEWEST` or more."""
        item_T = np.repeat(self.item_S, np.diff(self.sequences.starts_S1))
        shares = num_holders(self.word_T, item_T, len(self.words_V)) / max(FEWEST, len(self.bounds_I1) - 1)
        return shares.astype(np.float32)


def load(params: Benchmarks) -> KnownItems:
    """The items of these files, made ready once a process, and again where a file changed."""
    return _load(params.model_dump_json(), tuple(stamp(benchmark.path) for benchmark in params.files))


@lru_cache(maxsize=2)
def _load(params: str, stamps: tuple[tuple[int, int], ...]) -> KnownItems:
    benchmarks = Benchmarks.model_validate_json(params)
    num_items_of, bounds_I1, kind_S = [0] * len(benchmarks.files), array("i", [0]), array("b")

    def texts() -> Iterator[str]:
        for number, benchmark in enumerate(benchmarks.files):
            for item in items(benchmark):
                for kind, text in _sequences(item):
                    kind_S.append(kind)
                    yield text
                bounds_I1.append(len(kind_S))
                num_items_of[number] += 1

    tokens_T, starts_S1 = _folded(texts())
    give_back()
    found = _made(
        tuple(benchmark.label() for benchmark in benchmarks.files),
        np.array(num_items_of, np.int64),
        np.array(bounds_I1, np.int32),
        np.array(kind_S, np.int8),
        tokens_T,
        starts_S1,
    )
    give_back()
    logging.getLogger(__name__).info("%d items, %d of fewer than four words", sum(num_items_of), found.num_short)
    return found


def _folded(texts: Iterator[str]) -> tuple[npt.NDArray[np.uint32], npt.NDArray[np.int64]]:
    """(tokens_T, starts_S1) of texts, of which `TOGETHER` are held at a time."""
    tokens, starts = array("I"), array("q", [0])
    while group := list(islice(texts, TOGETHER)):
        folded = fold_words(*text_buffers(pa.array(group, pa.large_string())))
        starts.frombytes((folded.offsets_D1[1:] + len(tokens)).tobytes())
        tokens.frombytes((folded.hashes_W >> _HALF).astype(np.uint32).tobytes())
    return np.frombuffer(tokens, np.uint32), np.frombuffer(starts, np.int64)


def _sequences(item: Item) -> Iterator[tuple[int, str]]:
    """(kind, text) of the parts that hold any text, in the order of `KINDS`."""
    parts = [(QUESTION, item.question), *((CHOICE, choice) for choice in item.choices)]
    parts += [(ANSWER, item.answer), (SOLUTION, item.solution), (PASSAGE, item.passage)]
    return ((kind, text) for kind, text in parts if text.strip())


def _made(
    names: tuple[str, ...], num_items_of: Any, bounds_I1: Any, kind_S: Any, tokens_T: Any, starts_S1: Any
) -> KnownItems:
    item_S = _items_of(bounds_I1)
    sizes = np.diff(starts_S1)
    own_S = _own_sums(tokens_T, starts_S1, _classes(tokens_T, starts_S1, bounds_I1))
    question_I = _questions(item_S, kind_S, len(bounds_I1) - 1)
    asks_S = np.where(question_I[item_S] >= 0, own_S[question_I[item_S]], np.inf)
    asks_S[np.where(question_I[item_S] >= 0, sizes[question_I[item_S]], SEED_WORDS) < SEED_WORDS] = 0
    helped_S = (kind_S == CHOICE) & (asks_S < SAYS_LITTLE) & (sizes >= LEAST_CHOICE)
    seeded_S = np.isin(kind_S, (QUESTION, SOLUTION, PASSAGE)) | helped_S
    findable = np.zeros(len(bounds_I1) - 1, np.bool_)
    findable[item_S[seeded_S & (sizes >= SEED_WORDS)]] = True
    companions_S2 = _companions(item_S, kind_S, helped_S)
    del own_S, asks_S, sizes, item_S, question_I
    give_back()
    return KnownItems(
        names=names,
        num_items_of=num_items_of,
        bounds_I1=bounds_I1,
        kind_S=kind_S,
        sequences=build(tokens_T, starts_S1, seeded_S, companions_S2, give_back),
        words_V=_different(tokens_T),
        num_short=int((~findable).sum()),
    )


def _items_of(bounds_I1: Any) -> npt.NDArray[np.int32]:
    """The item of each sequence."""
    return np.repeat(np.arange(len(bounds_I1) - 1, dtype=np.int32), np.diff(bounds_I1))


def _questions(item_S: Any, kind_S: Any, num_items: int) -> npt.NDArray[np.int64]:
    """The sequence of each item's question; -1: it has none."""
    question_I = np.full(num_items, -1, np.int64)
    questions = np.flatnonzero(kind_S == QUESTION)
    question_I[item_S[questions]] = questions
    return question_I


def _different(tokens_T: Any) -> npt.NDArray[np.uint32]:
    """The different words, sorted."""
    found = np.zeros(0, np.uint32)
    for first in range(0, len(tokens_T), BLOCK):
        found = np.union1d(found, tokens_T[first : first + BLOCK])
    return found


def _companions(item_S: Any, kind_S: Any, helped_S: Any) -> npt.NDArray[np.int32]:
    """(first, behind the last) sequence that is looked for beside each: of a question its choices and answer, of a
    choice that is looked for the question too."""
    bounds = np.zeros((len(item_S), 2), np.int32)
    is_question = kind_S == QUESTION
    at = np.flatnonzero(is_question | helped_S)
    places = item_S.astype(np.int64) * len(KINDS) + kind_S
    bounds[at, 0] = np.where(is_question[at], at + 1, np.searchsorted(item_S, item_S[at]))
    bounds[at, 1] = np.searchsorted(places, item_S[at].astype(np.int64) * len(KINDS) + SOLUTION)
    return bounds


def _classes(tokens_T: Any, starts_S1: Any, bounds_I1: Any) -> npt.NDArray[np.int32]:
    """The number of each sequence's item, the same for items of the same words in all parts."""
    bounds = starts_S1[bounds_I1].tolist()
    digests = b"".join(xxh3_128_digest(tokens_T[first:behind]) for first, behind in pairwise(bounds))
    _, class_I = np.unique(np.frombuffer(digests, "V16"), return_inverse=True)
    found: npt.NDArray[np.int32] = np.repeat(class_I.astype(np.int32), np.diff(bounds_I1))
    return found


def _seed_shares(tokens_T: Any, starts_S1: Any, class_S: Any) -> npt.NDArray[np.float32]:
    """One over the number of items that have the seed that begins at each word; 0 where none begins."""
    shares_T = np.zeros(len(tokens_T), np.float32)
    every = np.ones(len(class_S), np.bool_)
    for part in range(PARTS):
        at, hashes = seeds_of_part(tokens_T, starts_S1, every, part)
        shares_T[at] = 1.0 / _num_classes(hashes, class_S[np.searchsorted(starts_S1, at, "right") - 1])
    return shares_T


def _num_classes(hashes: Any, class_P: Any) -> npt.NDArray[np.int64]:
    """Number of classes that have a seed of the same hash as each seed."""
    order = np.lexsort((class_P, hashes))
    hashes, class_P = hashes[order], class_P[order]
    first = np.ones(len(order), np.bool_)  # of a hash
    first[1:] = hashes[1:] != hashes[:-1]
    other = first.copy()  # a class that the one before it is not
    other[1:] |= class_P[1:] != class_P[:-1]
    number = np.cumsum(first, dtype=np.int32) - 1
    found = np.empty(len(order), np.int64)
    found[order] = np.bincount(number, weights=other).astype(np.int64)[number] if len(order) else 0
    return found


def _own_sums(tokens_T: Any, starts_S1: Any, class_S: Any) -> npt.NDArray[np.float64]:
    """The own shares of each sequence's words together."""
    shares_T = _seed_shares(tokens_T, starts_S1, class_S)
    sums_S = np.zeros(len(class_S))
    first = 0
    while first < len(class_S):
        behind = max(first + 1, int(np.searchsorted(starts_S1, starts_S1[first] + BLOCK, "right")) - 1)
        base, end = int(starts_S1[first]), int(starts_S1[behind])
        own = np.append(_own(shares_T, base, end), np.float32(0))
        sums_S[first:behind] = np.add.reduceat(own, starts_S1[first:behind] - base, dtype=np.float64)
        first = behind
    sums_S[np.diff(starts_S1) == 0] = 0
    return sums_S


def _own(shares_T: Any, first: int, behind: int) -> npt.NDArray[np.float32]:
    """The own share of these words: the mean over the seeds they are in; 1 in a sequence of fewer than four."""
    total, around = np.zeros(behind - first, np.float32), np.zeros(behind - first, np.int8)
    for step in range(SEED_WORDS):
        begin = max(0, step - first)
        before = shares_T[first - step + begin : behind - step]
        total[begin:] += before
        around[begin:] += before > 0
    return np.where(around > 0, total / np.maximum(around, 1), np.float32(1))


def give_back() -> None:
    """Give the pages of memory that were freed back to the system: allocators keep them for what comes."""
    pa.default_memory_pool().release_unused()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # of glibc alone
    if trim is not None:
        trim(0)
