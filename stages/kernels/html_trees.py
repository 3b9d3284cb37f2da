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
LEAF_UNIT = 4096
"""Leaves are in this part of a logit."""


@inline_kernel
def sum_trees(X, num, features_TK, limits_TK, leaves_TE, bias, index_B, sums_B):  # type: ignore[no-untyped-def]
    """Sum the leaves for the first ``num`` columns of ``X`` into ``sums_B`` (int32); ``index_B`` (uint8) is scratch.

    Works on `LANES` columns at a time, whatever stands in those behind ``num``: loops of fixed size over views become vector
    instructions (0.7 ns a tree and block; 3.3 with a loop over questions inside). Columns and scratch must reach up to
    the next multiple of `LANES`.
    """
    one, two, three, four, five = np.uint8(1), np.uint8(2), np.uint8(3), np.uint8(4), np.uint8(5)
    for at in range(0, num, LANES):
        sums = sums_B[at : at + LANES]
        for b in range(LANES):
            sums[b] = bias
        for tree in range(features_TK.shape[0]):
            row_0, row_1 = X[features_TK[tree, 0], at : at + LANES], X[features_TK[tree, 1], at : at + LANES]
            row_2, row_3 = X[features_TK[tree, 2], at : at + LANES], X[features_TK[tree, 3], at : at + LANES]
            row_4, row_5 = X[features_TK[tree, 4], at : at + LANES], X[features_TK[tree, 5], at : at + LANES]
            limit_0, limit_1, limit_2 = limits_TK[tree, 0], limits_TK[tree, 1], limits_TK[tree, 2]
            limit_3, limit_4, limit_5 = limits_TK[tree, 3], limits_TK[tree, 4], limits_TK[tree, 5]
            for b in range(LANES):
                index_B[b] = (
                    np.uint8(row_0[b] > limit_0)
                    | np.uint8(row_1[b] > limit_1) << one
                    | np.uint8(row_2[b] > limit_2) << two
                    | np.uint8(row_3[b] > limit_3) << three
                    | np.uint8(row_4[b] > limit_4) << four
                    | np.uint8(row_5[b] > limit_5) << five
                )
            leaves = leaves_TE[tree]
            for b in range(LANES):
                sums[b] += leaves[index_B[b]]


@inline_kernel
def byte_scores(sums_B, num, scores_B):  # type: ignore[no-untyped-def]
    """Sums as bytes: 128 is even odds, 32 steps a logit, cut at both ends."""
    for b in range(num):
        scores_B[b] = min(255, max(0, (sums_B[b] >> 7) + 128))


@kernel
def evaluate_trees(X, features_TK, limits_TK, leaves_TE, bias, index_B, sums_B):  # type: ignore[no-untyped-def]
    """`sum_trees` for all columns, for training and tests."""
    sum_trees(X, X.shape[1], features_TK, limits_TK, leaves_TE, bias, index_B, sums_B)
