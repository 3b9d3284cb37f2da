"""What the first block classifier said of the blocks around: rows that the second one looks at beside `features.FEATURES`.

For `stages.extraction`. Scores are 0 to 255, so are the rows. Legend: X_FB features, B blocks of a page; see `features`.
"""

from __future__ import annotations

import numpy as np

from stages.kernels.html import layout as h
from stages.kernels.html.features import (
    I_SECTION,
    M_CHARS,
    M_SECTION,
    M_SLOT,
    SUM_SCORE,
    SUM_WEIGHT,
    measure_page,
    share,
)
from stages.kernels.jit import lean_inline_kernel as inline_kernel
from stages.kernels.jit import lean_kernel as kernel

CONTEXT = (
    *[
        "score",
        "before1",
        "before2",
        "before3",
        "after1",
        "after2",
        "after3",
        "near",
        "wide",
        "element",
        "parent",
        "outer",
        "section",
        "signature",
        "page",
    ],
    *["kept_before", "kept_after", "to_kept_before", "to_kept_after", "highest", "run"],
)


@inline_kernel
def mean_score(first, last, measures):  # type: ignore[no-untyped-def]
    """Mean first score of blocks ``first`` to ``last``, each weighted by its characters and eight more."""
    weight = measures[SUM_WEIGHT, last] - measures[SUM_WEIGHT, first]
    return (measures[SUM_SCORE, last] - measures[SUM_SCORE, first]) // max(1, weight)


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
        outer = nodes[h.PARENT, parent]
        section = measures[M_SECTION, b]
        for k in range(7):
            other = b if k == 0 else b - k if k < 4 else b + k - 3
            X[row + k, b] = scores[other] if 0 <= other < num else 0
        X[row + 7, b] = mean_score(max(0, b - 3), min(num, b + 4), measures)
        X[row + 8, b] = mean_score(max(0, b - 10), min(num, b + 11), measures)
        for level in range(4):
            n = node if level == 0 else parent if level == 1 else outer if level == 2 else section
            X[row + 9 + level, b] = mean_score(
                nodes[h.FIRST_BLOCK, n] - block0, nodes[h.LAST_BLOCK, n] - block0, measures
            )
        place = measures[M_SLOT, b]
        X[row + 13, b] = slots[3, place] // max(1, slots[2, place])
        X[row + 14, b] = all_score // max(1, measures[SUM_WEIGHT, num])
        X[row + 15, b] = share(measures[SUM_SCORE, b], all_score)
        X[row + 16, b] = share(all_score - measures[SUM_SCORE, b + 1], all_score)
        X[row + 17, b] = since
        run = min(255, run + 1) if scores[b] >= 128 else 0
        since = 0 if scores[b] >= 128 else min(255, since + 1)
        X[row + 19, b] = highest
        X[row + 20, b] = run
    since = 255
    for b in range(num - 1, -1, -1):
        X[row + 18, b] = since
        since = 0 if scores[b] >= 128 else min(255, since + 1)


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
