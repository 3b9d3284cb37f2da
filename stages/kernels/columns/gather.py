"""Copying rows of ragged columns: to given places, or with spans cut or replaced.

All data is passed as bytes, whatever it holds, so each kernel is compiled once. Limits: rows are copied one
after another by one thread; memory bandwidth is the limit from a few hundred bytes a row on.

Legend: D rows of the output, S spans; ``_N`` bytes of input, ``_M`` bytes of output.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from stages.kernels.columns.ragged import Bytes, Offsets, offsets_of
from stages.kernels.jit import inline_kernel, kernel


@kernel
def copy_rows(data_N: Bytes, starts_D: Offsets, sizes_D: Offsets, targets_D: Offsets, out_M: Bytes) -> None:
    """Copy ``data[starts[d] : starts[d] + sizes[d]]`` to ``out[targets[d] :]`` for every row d."""
    for d in range(starts_D.shape[0]):
        source = data_N[starts_D[d] : starts_D[d] + sizes_D[d]]
        target = out_M[targets_D[d] : targets_D[d] + sizes_D[d]]
        for i in range(source.shape[0]):  # from 0, so that no index can be negative: nine times faster
            target[i] = source[i]


@kernel
def _spliced_sizes(offsets_D1: Offsets, span_rows_D1: Offsets, spans_S3: Offsets, replaced_S1: Offsets) -> Offsets:
    """Bytes of every row after its spans are replaced; -1 where its spans overlap, run backwards or leave it."""
    rows = offsets_D1.shape[0] - 1
    sizes = np.empty(rows, np.int64)
    for d in range(rows):
        whole = offsets_D1[d + 1] - offsets_D1[d]
        size = whole
        last = 0
        for s in range(span_rows_D1[d], span_rows_D1[d + 1]):
            start, stop = spans_S3[s, 0], spans_S3[s, 1]
            if start < last or stop < start or stop > whole:
                size = -1
                break
            size += replaced_S1[s + 1] - replaced_S1[s] - (stop - start)
            last = stop
        sizes[d] = size
    return sizes


@inline_kernel
def _copy(source_N: Bytes, target_M: Bytes) -> Any:
    for i in range(source_N.shape[0]):
        target_M[i] = source_N[i]
    return source_N.shape[0]


@kernel
def _splice(
    data_N: Bytes,
    offsets_D1: Offsets,
    span_rows_D1: Offsets,
    spans_S3: Offsets,
    replacement: Bytes,
    replaced_S1: Offsets,
    targets_D1: Offsets,
    out_M: Bytes,
) -> None:
    for d in range(offsets_D1.shape[0] - 1):
        base = offsets_D1[d]
        position = base
        target = targets_D1[d]
        for s in range(span_rows_D1[d], span_rows_D1[d + 1]):
            target += _copy(data_N[position : base + spans_S3[s, 0]], out_M[target:])
            target += _copy(replacement[replaced_S1[s] : replaced_S1[s + 1]], out_M[target:])
            position = base + spans_S3[s, 1]
        _copy(data_N[position : offsets_D1[d + 1]], out_M[target:])


def splice_spans(
    data: Bytes,
    offsets: Offsets,
    span_rows: Offsets,
    starts: Offsets,
    stops: Offsets,
    replacement: Bytes,
    replacement_offsets: Offsets,
) -> tuple[Bytes, Offsets]:
    """Text with spans cut or replaced, as a new (data, offsets).

    Row d owns the spans ``span_rows[d] : span_rows[d + 1]``; ``starts`` and ``stops`` count bytes from the start of
    the row's text, sorted and not overlapping.

    Raises:
        ValueError: naming the first row whose spans overlap, run backwards or leave its text.
    """
    spans = np.stack([starts.astype(np.int64), stops.astype(np.int64)], axis=1)
    sizes = _spliced_sizes(offsets, span_rows, spans, replacement_offsets)
    wrong = np.flatnonzero(sizes < 0)
    if len(wrong):
        raise ValueError(f"row {wrong[0]}: its spans overlap, run backwards or leave the text")
    targets = offsets_of(sizes)
    out = np.empty(targets[-1], np.uint8)
    _splice(data, offsets, span_rows, spans, replacement, replacement_offsets, targets, out)
    return out, targets
