"""Learn the weights of a block's words: the tables of `stages.kernels.html.block_words` from labelled blocks.

For `tools.train_extractor`. Two logistic regressions over hashed words, of a block's text and of the names around it, each by AdaGrad
(Duchi et al. 2011) over shuffled blocks. The sum over a list of words is divided by the square root of their number, so that a long text
is not surer than a short one of the same words. Weights are kept as the kernels take them: whole 32nds of a logit in a signed byte.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numba
import numpy as np
import numpy.typing as npt

from stages.extraction.model import Words
from stages.extraction.scanning import Scanned
from stages.kernels.html import block_words as w

ROUNDS, RATE = (4, 2), (0.2, 0.1)
"""Rounds and step size, for text and for names: times that all blocks are seen, and how far a step goes."""
DECAY, MAX_WEIGHT = 1e-5, 20.0
"""Decay of a weight at each step; and the most that a block may weigh, in means."""
UNKNOWN = -1


@dataclass(frozen=True)
class WordLists:
    """Places of the words of blocks: those of block ``b`` stand from ``offsets_B1[b]`` to ``offsets_B1[b + 1]``."""

    places: npt.NDArray[np.int32]
    offsets_B1: npt.NDArray[np.int64]

    @classmethod
    def joined(cls, lists: Iterable[WordLists]) -> WordLists:
        """Lists of all pages, one after the other."""
        held = list(lists)
        sizes = np.concatenate([np.diff(each.offsets_B1) for each in held])
        return cls(np.concatenate([each.places for each in held]), np.concatenate([[0], np.cumsum(sizes)]))


def list_words(data: npt.NDArray[np.uint8], s: Scanned) -> tuple[WordLists, WordLists]:
    """Words of the text of a page's blocks, and of the names around them."""
    num = s.num_blocks
    text, names = np.empty(w.TEXT_WORDS * num, np.int32), np.empty(w.NAME_WORDS * num, np.int32)
    ends_text, ends_names = np.zeros(num + 1, np.int64), np.zeros(num + 1, np.int64)
    w.list_words(
        data, s.text, s.blocks, s.nodes, num, text, ends_text, names, ends_names, np.empty(w.NAME_WORDS, np.int64)
    )
    return WordLists(text[: ends_text[-1]].copy(), ends_text), WordLists(names[: ends_names[-1]].copy(), ends_names)


@numba.njit(nogil=True)
def _descend(places, offsets, rows, y, weights, rate, roots, W, G):  # type: ignore[no-untyped-def]
    """One round over blocks ``rows``: weights ``W`` and the squares ``G`` of their steps so far; the bias is the last of each."""
    for row in rows:
        first, last = offsets[row], offsets[row + 1]
        scale = roots[last - first] / 65536
        logit = W[-1]
        for k in range(first, last):
            logit += W[places[k]] * scale
        step = (1 / (1 + np.exp(-logit)) - y[row]) * weights[row]
        G[-1] += step * step
        W[-1] -= rate * step / G[-1] ** 0.5
        for k in range(first, last):
            place = places[k]
            slope = step * scale + DECAY * W[place]
            G[place] += slope * slope
            W[place] -= rate * slope / G[place] ** 0.5


def _fit(
    lists: WordLists, size: int, y: npt.NDArray[np.int64], weights: npt.NDArray[np.float64], rounds: int, rate: float
) -> tuple[npt.NDArray[np.int8], int]:
    """(weights by place, bias), in 32nds of a logit; blocks of no weight are not looked at."""
    W, G = np.zeros(size + 1), np.ones(size + 1)
    rows = np.random.default_rng(1).permutation(np.flatnonzero((y != UNKNOWN) & (weights > 0)))
    capped = np.minimum(weights, MAX_WEIGHT)
    for _ in range(rounds):
        _descend(lists.places, lists.offsets_B1, rows, y, capped, rate, w.inverse_roots(), W, G)
    whole = np.clip(np.round(W * w.UNIT), -127, 127)
    return whole[:-1].astype(np.int8), round(W[-1] * w.UNIT)


def fit_words(text: WordLists, names: WordLists, y: npt.NDArray[np.int64], weights: npt.NDArray[np.float64]) -> Words:
    """Tables learned from the blocks that have a weight."""
    text_W, text_bias = _fit(text, w.PLACES, y, weights, ROUNDS[0], RATE[0])
    names_W, names_bias = _fit(names, w.PLACES * w.ROLES, y, weights, ROUNDS[1], RATE[1])
    return Words(text_W, names_W, np.array([text_bias, names_bias], np.int64), w.inverse_roots())
