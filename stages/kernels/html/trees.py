"""Boosted trees on bytes: the sum of small lookup tables, in integers.

For `stages.extraction`. A tree asks the same six questions of every block (CatBoost's oblivious trees): is feature
f greater than t? The answers are the bits of an index into its 64 leaves. Asking a question of a whole page at once is
one vector comparison over a row of features, so a tree costs a few nanoseconds a block and no branch.

Features are uint8, leaves integers in 4096ths of a logit; their sum is exact, so the decision is the same on every machine.
Legend: F features, B blocks, T trees, K = 6 questions a tree (a tree with fewer asks ``> 255``); leaves as `oblivious.planes_of` lays them out.
"""

from __future__ import annotations

from stages.kernels.html.oblivious import AT_ONCE, LANES, add_trees
from stages.kernels.jit import lean_inline_kernel as inline_kernel
from stages.kernels.jit import lean_kernel as kernel

LEAF_UNIT = 4096
"""Leaves are in this part of a logit."""


@inline_kernel
def sum_trees(X, num, features_TK, limits_TK, planes_TP, bias, sums_B):  # type: ignore[no-untyped-def]
    """Sum the leaves for the first ``num`` columns of ``X`` into ``sums_B`` (int32).

    Works on `LANES` columns at a time, whatever stands in those behind ``num``: ``X`` and ``sums_B`` must reach up to the next multiple
    of it. Trees are a multiple of `AT_ONCE`.
    """
    for at in range(0, num, LANES):
        for b in range(at, at + LANES):
            sums_B[b] = bias
        for tree in range(0, features_TK.shape[0], AT_ONCE):
            add_trees(X, at, features_TK, limits_TK, planes_TP, tree, sums_B)


@inline_kernel
def byte_scores(sums_B, num, scores_B):  # type: ignore[no-untyped-def]
    """Sums as bytes: 128 is even odds, 32 steps a logit, cut at both ends."""
    for b in range(num):
        scores_B[b] = min(255, max(0, (sums_B[b] >> 7) + 128))


@kernel
def evaluate_trees(X, features_TK, limits_TK, planes_TP, bias, sums_B):  # type: ignore[no-untyped-def]
    """`sum_trees` for all columns, for training and tests."""
    sum_trees(X, X.shape[1], features_TK, limits_TK, planes_TP, bias, sums_B)
