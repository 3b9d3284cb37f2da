"""Scores of the first block classifier around a block: rows that the second one looks at beside `features.FEATURES`.

For `stages.extraction`. Scores are 0 to 255, so are the rows. Legend: X_FB features, B blocks of a page; see `features`.
"""

from __future__ import annotations

import numpy as np

from stages.kernels.html import layout as h
from stages.kernels.html.features import measure_page
from stages.kernels.html.inherited import I_SECTION
from stages.kernels.html.measures import M_CHARS, M_SECTION, M_SLOT, SUM_SCORE, SUM_WEIGHT, share
from stages.kernels.jit import lean_inline_kernel as inline_kernel
from stages.kernels.jit import lean_kernel as kernel

CONTEXT = (
    *("score", "before1", "before2", "before3", "after1", "after2", "after3", "near", "wide"),
    *("element", "parent", "outer", "section", "signature", "page"),
    *("kept_before", "kept_after", "to_kept_before", "to_kept_after", "highest", "run"),
    *("in_best", "below_best", "above_best", "best_wanted", "best_share", "best_mean", "from_best", "branch"),
)
"""The best element is the one whose blocks are wanted most, together: `best_element`. ``below_best``, ``above_best``: the way up from a block to an
element that holds the best one too, and the way down from there; ``from_best``: 128 inside, less before and more behind it, by blocks; ``branch``:
mean score of what holds the block and not the best element. `best_wanted` is the share of all that is wanted, ``best_share`` of all text."""
EVEN = 128
_BEST = CONTEXT.index("in_best")
(SCORE, BEFORE_1, BEFORE_2, BEFORE_3, AFTER_1, AFTER_2, AFTER_3, NEAR, WIDE, ELEMENT, PARENT, OUTER, SECTION, SIGNATURE, PAGE,
 KEPT_BEFORE, KEPT_AFTER, TO_KEPT_BEFORE, TO_KEPT_AFTER, HIGHEST, RUN) = range(_BEST)  # fmt: skip
(IN_BEST, BELOW_BEST, ABOVE_BEST, BEST_WANTED, BEST_SHARE, BEST_MEAN, FROM_BEST, BRANCH) = range(len(CONTEXT) - _BEST)


@inline_kernel
def mean_score(first, last, measures):  # type: ignore[no-untyped-def]
    """Mean first score of blocks ``first`` to ``last``, each weighted by its characters and eight more."""
    weight = measures[SUM_WEIGHT, last] - measures[SUM_WEIGHT, first]
    return (measures[SUM_SCORE, last] - measures[SUM_SCORE, first]) // max(1, weight)


@inline_kernel
def mean_of(nodes, n, block0, measures):  # type: ignore[no-untyped-def]
    """`mean_score` of what an element holds."""
    return mean_score(nodes[h.FIRST_BLOCK, n] - block0, nodes[h.LAST_BLOCK, n] - block0, measures)


@inline_kernel
def best_element(nodes, first, last, block0, measures):  # type: ignore[no-untyped-def]
    """Of the elements ``first`` to ``last`` the innermost whose blocks have most score above even odds, added up by weight."""
    best, most = first, measures[SUM_SCORE, 0] - (1 << 60)
    for n in range(first, last):
        a, z = nodes[h.FIRST_BLOCK, n] - block0, nodes[h.LAST_BLOCK, n] - block0
        if a < z:
            wanted = measures[SUM_SCORE, z] - measures[SUM_SCORE, a]
            wanted -= EVEN * (measures[SUM_WEIGHT, z] - measures[SUM_WEIGHT, a])
            if wanted >= most:
                best, most = n, wanted
    return best


@inline_kernel
def wanted_in(scores, first, last, measures):  # type: ignore[no-untyped-def]
    """How much blocks ``first`` to ``last`` are wanted that are: those with better than even odds."""
    total = np.int64(0)
    for b in range(first, last):
        total += (measures[M_CHARS, b] + 8) * max(0, np.int64(scores[b]) - EVEN)
    return total


@inline_kernel
def describe_best(X, row, scores, blocks, nodes, pages, d, measures):  # type: ignore[no-untyped-def]
    """The rows of `CONTEXT` from ``in_best`` on, into ``row`` and the next."""
    block0, num = pages[h.BLOCKS_FROM, d], pages[h.BLOCKS_TO, d] - pages[h.BLOCKS_FROM, d]
    best = best_element(nodes, pages[h.NODES_FROM, d], pages[h.NODES_TO, d], block0, measures)
    first, last = nodes[h.FIRST_BLOCK, best] - block0, nodes[h.LAST_BLOCK, best] - block0
    wanted = share(wanted_in(scores, first, last, measures), wanted_in(scores, 0, num, measures))
    width = share(measures[SUM_WEIGHT, last] - measures[SUM_WEIGHT, first], measures[SUM_WEIGHT, num])
    mean = mean_score(first, last, measures)
    for b in range(num):
        n = blocks[h.NODE, block0 + b]
        branch, steps = n, 0
        while nodes[h.FIRST_BLOCK, n] - block0 > first or nodes[h.LAST_BLOCK, n] - block0 < last:
            branch = n
            n = nodes[h.PARENT, n]
            steps += 1
        inside = first <= b < last
        X[row + IN_BEST, b] = inside
        X[row + BELOW_BEST, b] = min(255, steps)
        X[row + ABOVE_BEST, b] = 0 if inside else min(255, max(0, nodes[h.DEPTH, best] - nodes[h.DEPTH, n]))
        X[row + BEST_WANTED, b] = wanted
        X[row + BEST_SHARE, b] = width
        X[row + BEST_MEAN, b] = mean
        place = EVEN if inside else max(0, EVEN - (first - b)) if b < first else min(255, EVEN + b - last + 1)
        X[row + FROM_BEST, b] = place
        X[row + BRANCH, b] = mean_of(nodes, branch, block0, measures)


@inline_kernel
def score_context(X, row, scores, blocks, nodes, pages, d, measures, slots):  # type: ignore[no-untyped-def]
    """Rows of `CONTEXT`, from ``row`` on, from the first scores (0..255) of the page's blocks."""
    block0, num = pages[h.BLOCKS_FROM, d], pages[h.BLOCKS_TO, d] - pages[h.BLOCKS_FROM, d]
    measures[SUM_WEIGHT, 0] = 0
    measures[SUM_SCORE, 0] = 0
    for b in range(num):
        slots[2, measures[M_SLOT, b]] = 0
        slots[3, measures[M_SLOT, b]] = 0
    highest = np.int64(0)
    for b in range(num):
        weight = measures[M_CHARS, b] + 8
        score = np.int64(scores[b])
        measures[SUM_WEIGHT, b + 1] = measures[SUM_WEIGHT, b] + weight
        measures[SUM_SCORE, b + 1] = measures[SUM_SCORE, b] + weight * score
        slots[2, measures[M_SLOT, b]] += weight
        slots[3, measures[M_SLOT, b]] += weight * score
        highest = max(highest, score)
    all_score = measures[SUM_SCORE, num]
    since, run = 255, 0
    for b in range(num):
        node = blocks[h.NODE, block0 + b]
        parent = nodes[h.PARENT, node]
        X[row + SCORE, b] = scores[b]
        for k in range(1, 4):
            X[row + SCORE + k, b] = scores[b - k] if b >= k else 0
            X[row + BEFORE_3 + k, b] = scores[b + k] if b + k < num else 0
        X[row + NEAR, b] = mean_score(max(0, b - 3), min(num, b + 4), measures)
        X[row + WIDE, b] = mean_score(max(0, b - 10), min(num, b + 11), measures)
        X[row + ELEMENT, b] = mean_of(nodes, node, block0, measures)
        X[row + PARENT, b] = mean_of(nodes, parent, block0, measures)
        X[row + OUTER, b] = mean_of(nodes, nodes[h.PARENT, parent], block0, measures)
        X[row + SECTION, b] = mean_of(nodes, measures[M_SECTION, b], block0, measures)
        place = measures[M_SLOT, b]
        X[row + SIGNATURE, b] = slots[3, place] // max(1, slots[2, place])
        X[row + PAGE, b] = all_score // max(1, measures[SUM_WEIGHT, num])
        X[row + KEPT_BEFORE, b] = share(measures[SUM_SCORE, b], all_score)
        X[row + KEPT_AFTER, b] = share(all_score - measures[SUM_SCORE, b + 1], all_score)
        X[row + TO_KEPT_BEFORE, b] = since
        run = min(255, run + 1) if scores[b] >= EVEN else 0
        since = 0 if scores[b] >= EVEN else min(255, since + 1)
        X[row + HIGHEST, b] = highest
        X[row + RUN, b] = run
    since = 255
    for b in range(num - 1, -1, -1):
        X[row + TO_KEPT_AFTER, b] = since
        since = 0 if scores[b] >= EVEN else min(255, since + 1)
    describe_best(X, row + _BEST, scores, blocks, nodes, pages, d, measures)


@kernel
def measure_context(X, row, scores, out, blocks, nodes, pages, L, measures, inherited, slots):  # type: ignore[no-untyped-def]
    """Context of all blocks of all pages, for training."""
    for d in range(pages.shape[1]):
        num = pages[h.BLOCKS_TO, d] - pages[h.BLOCKS_FROM, d]
        first = pages[h.BLOCKS_FROM, d]
        measure_page(out, blocks, nodes, pages, d, L, measures, inherited, slots)
        for b in range(num):
            node = blocks[h.NODE, first + b]
            measures[M_SECTION, b] = inherited[I_SECTION, node - pages[h.NODES_FROM, d]] + pages[h.NODES_FROM, d]
        score_context(X[:, first:], row, scores[first:], blocks, nodes, pages, d, measures, slots)
