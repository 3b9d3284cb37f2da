"""Boosted trees on bytes: the sum of small lookup tables, in integers.

For `stages.extraction`. A tree asks the same six questions of every block (CatBoost's oblivious trees): is feature
f greater than t? The answers are the bits of an index into its 64 leaves. Asking a question of a whole page at once is
one vector comparison over a row of features, so a tree costs a few nanoseconds a block and no branch.

Features are uint8, leaves integers in 4096ths of a logit; their sum is exact, so the decision is the same on every machine.
Legend: F features, B blocks, T trees, K = 6 questions a tree (a tree with fewer asks ``> 255``), E = 64 leaves.
"""

from __future__ import annotations

import numpy as np

from stages.kernels.jit import lean_inline_kernel as inline_kernel
from stages.kernels.jit import lean_kernel as kernel

DEPTH = 6
LANES = 64
SCRATCH = 4 * LANES
LEAF_UNIT = 4096
"""Leaves are in this part of a logit."""


@inline_kernel
def ask(X, at, features_TK, limits_TK, tree, index_B, to):  # type: ignore[no-untyped-def]
    """The leaf of ``tree`` for `LANES` columns of ``X`` from ``at`` on, into ``index_B`` from ``to`` on."""
    one, two, three, four, five = np.uint8(1), np.uint8(2), np.uint8(3), np.uint8(4), np.uint8(5)
    row_0, row_1 = X[features_TK[tree, 0], at : at + LANES], X[features_TK[tree, 1], at : at + LANES]
    row_2, row_3 = X[features_TK[tree, 2], at : at + LANES], X[features_TK[tree, 3], at : at + LANES]
    row_4, row_5 = X[features_TK[tree, 4], at : at + LANES], X[features_TK[tree, 5], at : at + LANES]
    limit_0, limit_1, limit_2 = limits_TK[tree, 0], limits_TK[tree, 1], limits_TK[tree, 2]
    limit_3, limit_4, limit_5 = limits_TK[tree, 3], limits_TK[tree, 4], limits_TK[tree, 5]
    index = index_B[to : to + LANES]
    for b in range(LANES):
        index[b] = (
            np.uint8(row_0[b] > limit_0)
            | np.uint8(row_1[b] > limit_1) << one
            | np.uint8(row_2[b] > limit_2) << two
            | np.uint8(row_3[b] > limit_3) << three
            | np.uint8(row_4[b] > limit_4) << four
            | np.uint8(row_5[b] > limit_5) << five
        )


@inline_kernel
def sum_trees(X, num, features_TK, limits_TK, leaves_TE, bias, index_B, sums_B):  # type: ignore[no-untyped-def]
    """Sum the leaves for the first ``num`` columns of ``X`` into ``sums_B`` (int32); ``index_B`` (uint8, `SCRATCH`) is scratch.

    Works on `LANES` columns at a time, whatever stands in those behind ``num``: loops of fixed size over views become vector
    instructions. Four trees at a time, because looking up leaves is what takes the time: 0.37 ns a tree and block against
    0.56 one by one (3.3 with a loop over questions inside). ``X`` and ``sums_B`` must reach up to the next multiple of `LANES`.
    """
    trees = features_TK.shape[0]
    index_0, index_1 = index_B[0:LANES], index_B[LANES : 2 * LANES]
    index_2, index_3 = index_B[2 * LANES : 3 * LANES], index_B[3 * LANES : 4 * LANES]
    for at in range(0, num, LANES):
        sums = sums_B[at : at + LANES]
        for b in range(LANES):
            sums[b] = bias
        tree = 0
        while tree + 4 <= trees:
            for k in range(4):
                ask(X, at, features_TK, limits_TK, tree + k, index_B, k * LANES)
            leaves_0, leaves_1 = leaves_TE[tree], leaves_TE[tree + 1]
            leaves_2, leaves_3 = leaves_TE[tree + 2], leaves_TE[tree + 3]
            for b in range(LANES):
                sums[b] += (leaves_0[index_0[b]] + leaves_1[index_1[b]]) + (leaves_2[index_2[b]] + leaves_3[index_3[b]])
            tree += 4
        while tree < trees:
            ask(X, at, features_TK, limits_TK, tree, index_B, 0)
            leaves = leaves_TE[tree]
            for b in range(LANES):
                sums[b] += leaves[index_0[b]]
            tree += 1


@inline_kernel
def byte_scores(sums_B, num, scores_B):  # type: ignore[no-untyped-def]
    """Sums as bytes: 128 is even odds, 32 steps a logit, cut at both ends."""
    for b in range(num):
        scores_B[b] = min(255, max(0, (sums_B[b] >> 7) + 128))


@kernel
def evaluate_trees(X, features_TK, limits_TK, leaves_TE, bias, index_B, sums_B):  # type: ignore[no-untyped-def]
    """`sum_trees` for all columns, for training and tests."""
    sum_trees(X, X.shape[1], features_TK, limits_TK, leaves_TE, bias, index_B, sums_B)
