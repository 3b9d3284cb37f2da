"""Megatron's greedy blend: each sample comes from the data set that is furthest behind its share.

Legend: K data sets, N samples. Source: `build_blending_indices` in megatron/core/datasets/helpers.cpp: the deficit
of set k before sample i is share * max(i, 1) - taken, and of equal deficits the first set wins.
"""

from __future__ import annotations

import numpy as np

from stages.kernels.jit import kernel


@kernel
def fill_order(shares_K, order_N):  # type: ignore[no-untyped-def]
    """Fill ``order_N`` (int64) with the data set of each sample."""
    taken_K = np.zeros(shares_K.size, np.float64)
    for i in range(order_N.size):
        done = max(float(i), 1.0)
        best, most = 0, shares_K[0] * done - taken_K[0]
        for k in range(1, shares_K.size):
            behind = shares_K[k] * done - taken_K[k]
            if behind > most:
                best, most = k, behind
        order_N[i] = best
        taken_K[best] += 1.0
