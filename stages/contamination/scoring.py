"""Scores of one page's alignments: how much of an item's information stands there.

    score = covered x min(1, information)

*Covered*, of a question: the weight of its words that are there over the weight of all; of more than twelve words also
the weight that is there over `ENOUGH`, whichever is more: half of a long question gives it away. Of up to twelve words
they must all be there, or nearly (`stages.kernels.words.alignment`). A solution is taken as a question. Of a question
that says next to nothing, its choices count with it, if both are there. *Information*: the weight of what is there,
choices and answer beside it and the item's passage on the page included, over `INFORMATION`: 'Is it?' tells nothing.
A passage alone is scored in the same way, apart: it is the source of an item, not the item.

Of hits of several items on the same words the best of each benchmark and part is kept, since each has a threshold of
its own, and those whose own words elsewhere speak for them. A question that stands in its item's own passage says no
more than the passage; beside the passage it is found for itself, as are other questions about the same passage. All are
given: a page may mirror a whole benchmark, and what is cut are their places. Price: linear in the hits of a page.

Legend: see `stages.contamination.weights`; runs_R6 int64: sequence, alignment, first, behind, start, stop.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
import numpy.typing as npt

from stages.contamination.weights import Weights
from stages.kernels.words.alignment import SHORT
from stages.rules.known_items import CHOICE, PASSAGE, QUESTION, SOLUTION, KnownItems

ENOUGH = 6.0
INFORMATION = 1.0
LEAST_SCORE = 0.1
"""Hits below are not worth a row."""
SAME_PLACE = 0.8
"""Share of a hit's bytes that a better hit of another item has too: it is left out."""
BLOCK = 1024
"""Bytes of a page: hits at one place are looked for among those that reach into the same block."""


@dataclass(frozen=True)
class Hit:
    """An item found on a page."""

    score: float
    support: float
    """Weight of all that speaks for the item; of equal scores the larger is better."""
    item: int
    part: str
    start: int
    stop: int
    words: int
    """Words of the item that are there."""
    own: tuple[int, int]
    """Where they stand, (start, stop), without the passage beside a question."""


def hits_of(known: KnownItems, weights: Weights, runs_R6: npt.NDArray[np.int64]) -> list[Hit]:
    """The hits of one page, best first."""
    starts = known.sequences.starts_S1
    worth_R = weights.between(starts[runs_R6[:, 0]] + runs_R6[:, 2], starts[runs_R6[:, 0]] + runs_R6[:, 3])
    bounds = np.flatnonzero(np.diff(runs_R6[:, 1], prepend=-1))
    found = [
        _alignment(known, weights, runs_R6[a:b], worth_R[a:b])
        for a, b in zip(bounds, [*bounds[1:], len(runs_R6)], strict=True)
    ]
    passages: dict[int, Hit] = {}
    solutions: dict[int, float] = {}
    for hit in found:
        if hit is not None and hit.part == "passage" and hit.support > getattr(passages.get(hit.item), "support", 0):
            passages[hit.item] = hit
        if hit is not None and hit.part == "solution":
            solutions[hit.item] = max(solutions.get(hit.item, 0), hit.support)
    whole = [_completed(hit, passages.get(hit.item), solutions.get(hit.item, 0)) for hit in found if hit is not None]
    ranked = sorted((hit for hit in whole if hit.score >= LEAST_SCORE), key=_order)
    return _apart(known, ranked)


def _order(hit: Hit) -> Any:
    return -round(hit.score, 6), -round(hit.support, 6), hit.item, hit.start, hit.part


def _alignment(known: KnownItems, weights: Weights, runs: npt.NDArray[np.int64], worth: Any) -> Hit | None:
    """One alignment as a hit by itself; None of a choice without its question."""
    first = int(runs[0, 0])
    kind, item = int(known.kind_S[first]), int(known.item_S[first])
    kinds = known.kind_S[runs[:, 0]]
    own = runs[:, 0] == first
    here, beside = float(worth[own].sum()), float(worth[~own].sum())
    words = int((runs[own, 3] - runs[own, 2]).sum())
    total = float(weights.total_S[first])
    part = {SOLUTION: "solution", PASSAGE: "passage"}.get(kind, "question" if own.all() else "question_answer")
    size = int(known.sequences.starts_S1[first + 1] - known.sequences.starts_S1[first])
    if kind == CHOICE:
        if QUESTION not in kinds:
            return None
        mates = np.arange(int(known.question_I[item]), known.sequences.companions(first).stop)
        mates = mates[(known.kind_S[mates] == QUESTION) | (known.kind_S[mates] == CHOICE)]
        total = float(weights.total_S[mates].sum())
        there = np.unique(np.append(runs[~own, 0], first))
        here = float(worth[own].sum() + weights.total_S[np.setdiff1d(np.intersect1d(there, mates), [first])].sum())
        beside, part, size = 0.0, "question_answer", SHORT
    score = here / max(total, 1e-9)
    if size > SHORT:
        score = max(score, min(1.0, here / ENOUGH))
    support = here + beside
    start, stop = int(runs[:, 4].min()), int(runs[:, 5].max())
    return Hit(min(1.0, score), support, item, part, start, stop, words, (start, stop))


def _completed(hit: Hit, passage: Hit | None, solution: float) -> Hit:
    """The hit with what else of its item is on the page."""
    support, part, start, stop = hit.support, hit.part, hit.start, hit.stop
    if hit.part in ("question", "question_answer"):
        support += solution
        if passage is not None:
            support += passage.support
            part = "question_answer"
            start, stop = min(start, passage.start), max(stop, passage.stop)
            if stop - start > 2 * (hit.stop - hit.start + passage.stop - passage.start):  # far apart
                start, stop = hit.start, hit.stop
    score = hit.score * min(1.0, support / INFORMATION)
    return Hit(score, support, hit.item, part, start, stop, hit.words, hit.own)


def _apart(known: KnownItems, ranked: list[Hit]) -> list[Hit]:
    """Without hits whose place a better one has that counts wherever they count."""
    kept: list[Hit] = []
    kept_in: dict[int, list[Hit]] = {}  # by block; a hit at the same place reaches over the middle
    passages: dict[tuple[int, int], list[Hit]] = {}  # by item and block: those left out too, which items share
    for hit in ranked:
        start, stop = hit.own
        middle, blocks = (start + stop) // 2 // BLOCK, range(start // BLOCK, stop // BLOCK + 1)
        better = chain(kept_in.get(middle, ()), passages.get((hit.item, middle), ()))
        superfluous = any(_stands_for(known, other, hit) for other in better)
        for block in blocks if hit.part == "passage" else ():
            passages.setdefault((hit.item, block), []).append(hit)
        if superfluous:
            continue
        kept.append(hit)
        for block in blocks:
            kept_in.setdefault(block, []).append(hit)
    return kept


def _stands_for(known: KnownItems, other: Hit, hit: Hit) -> bool:
    """Whether a better hit makes one superfluous: at the same place one of the same benchmark and part, which the same
    threshold judges, or the passage of the same item."""
    (start, stop), (first, behind) = hit.own, other.own
    if min(stop, behind) - max(start, first) <= SAME_PLACE * max(1, stop - start):
        return False
    if other.item == hit.item:
        return other.part in (hit.part, "passage")
    return other.part == hit.part and bool(known.benchmark_I[other.item] == known.benchmark_I[hit.item])
