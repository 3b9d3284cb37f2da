"""The weight of each word of an item as evidence, from how the corpus uses it.

    weight = rarity x own share / (1 + excess / 2)

*Rarity*: -log2 of the share of pages that have the word, over 10, from 0.02 to 1. The share is that of the sampled
pages, mixed with the share of items that have it, which counts as `PRIOR` pages: so a small corpus is no surprise. Its
standard error is below 0.02 from 800 sampled pages on.

*Excess*: pages on which an alignment covers the word, above twice the pages that have the whole question, and above
`FREE`. Pages with the whole: the count of the question's rarest words (the twentieth part of them, at least three: a
phrase of two or three words more or less does not decide). A notice in an item, on fifty pages, without the question
behind it, has an excess of 48 and a twenty-fifth of its worth. An item mirrored on five hundred pages has none.

Legend: T words of all sequences, S sequences, V different words. pages_T int64: pages that cover the word.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from stages.kernels.columns.distinct import distinct
from stages.rules.known_items import PASSAGE, QUESTION, KnownItems

PRIOR = 200
FREE = 2
LEAST_RARITY = 0.02
BITS = 10.0
RAREST = 20
"""One of so many words of a question may be rarer than the whole."""


@dataclass(frozen=True)
class Weights:
    """Evidence of words."""

    running_T1: npt.NDArray[np.float64]
    """Sums of the weights of all words before."""
    total_S: npt.NDArray[np.float64]
    excess_S: npt.NDArray[np.float64]
    """Mean excess of a sequence's words, for the report."""
    shared_S: npt.NDArray[np.float64]
    """Mean own share."""

    def between(self, first: Any, behind: Any) -> Any:
        """The weight of words from first to behind, both numbers of words of all sequences."""
        return self.running_T1[behind] - self.running_T1[first]


def covered(known: KnownItems, runs_R4: npt.NDArray[np.int64]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """(word, pages that cover it) of the words that any page covers; runs_R4: page, sequence, first, behind."""
    sizes = runs_R4[:, 3] - runs_R4[:, 2]
    within = np.arange(sizes.sum()) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    words = np.repeat(known.sequences.starts_S1[runs_R4[:, 1]] + runs_R4[:, 2], sizes) + within
    every = max(1, len(known.own_T))
    once = distinct(np.repeat(runs_R4[:, 0], sizes) * every + words)
    return np.unique(once % every, return_counts=True)


def weigh(known: KnownItems, pages_T: npt.NDArray[np.int64], pages_V: npt.NDArray[np.int64], sampled: int) -> Weights:
    """Weights from counts: pages that cover each word of each item, sampled pages that have each word."""
    starts = known.sequences.starts_S1
    share_V = (pages_V + PRIOR * known.item_share_V) / (sampled + PRIOR)
    rarity_V = np.clip(-np.log2(np.maximum(share_V, 2.0**-BITS)) / BITS, LEAST_RARITY, 1)
    sequence_T = np.repeat(np.arange(len(starts) - 1), np.diff(starts))
    whole_S = _whole(known, pages_T)
    excess_T = np.maximum(0, pages_T - 2 * whole_S[sequence_T] - FREE)
    weight_T = rarity_V[known.word_T] * known.own_T / (1 + excess_T / 2)
    running = np.concatenate([[0.0], np.cumsum(weight_T)])
    sizes = np.maximum(1, np.diff(starts))
    sums = [np.concatenate([[0.0], np.cumsum(values, dtype=np.float64)]) for values in (excess_T, known.own_T)]
    means = [(total[starts[1:]] - total[starts[:-1]]) / sizes for total in sums]
    return Weights(running, running[starts[1:]] - running[starts[:-1]], *means)


def _whole(known: KnownItems, pages_T: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Pages that have the whole of each sequence: of a part beside a question, those that have the question."""
    starts = known.sequences.starts_S1
    whole = np.zeros(len(starts) - 1, np.int64)
    sequence_T = np.repeat(np.arange(len(whole)), np.diff(starts))
    for s in np.unique(sequence_T[pages_T > 0]).tolist():
        counts = np.sort(pages_T[starts[s] : starts[s + 1]])
        whole[s] = counts[min(len(counts) - 1, max(2, len(counts) // RAREST))]
    question_S = known.question_I[known.item_S]
    beside = (known.kind_S != QUESTION) & (known.kind_S != PASSAGE) & (question_S >= 0)
    found: npt.NDArray[np.int64] = np.where(beside, whole[np.maximum(question_S, 0)], whole)
    return found
