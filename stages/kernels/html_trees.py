"""Boosted trees on bytes: the sum of small lookup tables, in integers.

For `stages.extraction`. A tree of depth K asks the same K questions of every block (CatBoost's oblivious trees): is feature
f greater than t? The answers are the bits of an index into its ``2**K`` leaves. Asking a question of a whole page at once is
one vector comparison over a row of features, so a tree costs a few nanoseconds a block and no branch.

Features are uint8, leaves integers in 4096ths of a logit; their sum is exact, so the decision is the same on every machine.
Legend: F features, B blocks, T trees, K questions a tree (a tree with fewer asks ``> 255``), E = 2**K leaves.
"""

from __future__ import annotations

from stages.kernels.jit import lean_inline_kernel as inline_kernel
from stages.kernels.jit import lean_kernel as kernel

LEAF_UNIT = 4096
"""Leaves are in this part of a logit."""


@inline_kernel
def sum_trees(X, num, features_TK, limits_TK, leaves_TE, bias, index_B, sums_B):  # type: ignore[no-untyped-def]
    """Sum the leaves for the first ``num`` columns of ``X`` into ``sums_B`` (int32); ``index_B`` (uint8) is scratch."""
    for b in range(num):
        sums_B[b] = bias
    for tree in range(features_TK.shape[0]):
        for b in range(num):
            index_B[b] = 0
        for k in range(features_TK.shape[1]):
            row = X[features_TK[tree, k]]
            limit = limits_TK[tree, k]
            bit = limits_TK.dtype.type(1 << k)
            for b in range(num):
                index_B[b] |= bit if row[b] > limit else limits_TK.dtype.type(0)
        leaves = leaves_TE[tree]
        for b in range(num):
            sums_B[b] += leaves[index_B[b]]


@inline_kernel
def byte_scores(sums_B, num, scores_B):  # type: ignore[no-untyped-def]
    """Sums as bytes: 128 is even odds, 32 steps a logit, cut at both ends."""
    for b in range(num):
        scores_B[b] = min(255, max(0, (sums_B[b] >> 7) + 128))


@kernel
def evaluate_trees(X, features_TK, limits_TK, leaves_TE, bias, index_B, sums_B):  # type: ignore[no-untyped-def]
    """`sum_trees` for all columns, for training and tests."""
    sum_trees(X, X.shape[1], features_TK, limits_TK, leaves_TE, bias, index_B, sums_B)
