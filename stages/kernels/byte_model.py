"""How well bytes are foretold by those before them: hashed counts of byte n-grams, and the bits each text costs.

The probability of a byte after the ``n - 1`` bytes before it is smoothed with that of the shorter context (Dirichlet
prior, MacKay and Peto 1995): p_k = (c(context, byte) + m p_(k-1)) / (c(context) + m), p_0 = 1/256, m = `PRIOR`.

Legend: N bytes of data, D documents, H slots (a power of two), K orders (contexts of 0 to K - 1 bytes).
counts_KH uint32 of context and byte together, totals_KH uint32 of contexts. Two contexts may share a slot: with counts
of up to a few slots' number this costs some hundredths of a bit. Price: about 70 ns a byte with five orders: look-ups
in memory.
"""

# Kernel bodies are typed by Numba.
# mypy: disable-error-code="assignment"

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from stages.kernels.columns.grouping import mix
from stages.kernels.columns.ragged import Bytes, Offsets
from stages.kernels.jit import lean_inline_kernel, lean_kernel

Counts = npt.NDArray[np.uint32]
PRIOR = 4.0


def count_bytes(data: Bytes, offsets: Offsets, counts_KH: Counts, totals_KH: Counts) -> None:
    """Add the n-grams of the documents to the counts."""
    _pass(data, offsets, True, counts_KH, totals_KH, np.empty(0, np.float64))


def bits_per_byte(data: Bytes, offsets: Offsets, counts_KH: Counts, totals_KH: Counts) -> npt.NDArray[np.float64]:
    """Mean bits a byte of each document costs; NaN for an empty one."""
    bits_D = np.full(len(offsets) - 1, np.nan)
    _pass(data, offsets, False, counts_KH, totals_KH, bits_D)
    return bits_D


@lean_inline_kernel
def _key(context, order, byte):  # type: ignore[no-untyped-def]
    return mix(context * np.uint64(0x9E3779B97F4A7C15) + np.uint64(order * 257) + byte)


@lean_kernel
def _pass(data, offsets, learn, counts_KH, totals_KH, bits_D):  # type: ignore[no-untyped-def]
    orders, mask = counts_KH.shape[0], np.uint64(counts_KH.shape[1] - 1)
    for d in range(len(offsets) - 1):
        start, stop = offsets[d], offsets[d + 1]
        past = np.uint64(0)
        bits = 0.0
        for i in range(start, stop):
            byte = np.uint64(data[i])
            p = 1.0 / 256.0
            for k in range(orders):
                if k > i - start:
                    break
                context = past & ((np.uint64(1) << np.uint64(8 * k)) - np.uint64(1))
                slot = np.int64(_key(context, k, byte) & mask)
                whole = np.int64(_key(context, k, np.uint64(256)) & mask)
                if learn:
                    counts_KH[k, slot] += np.uint32(1)
                    totals_KH[k, whole] += np.uint32(1)
                else:
                    total = np.float64(totals_KH[k, whole])
                    seen = min(np.float64(counts_KH[k, slot]), total)
                    p = (seen + PRIOR * p) / (total + PRIOR)
            if not learn:
                bits -= np.log2(p)
            past = past << np.uint64(8) | byte
        if not learn and stop > start:
            bits_D[d] = bits / (stop - start)
