"""Arrow string columns as (data, offsets): the form in which every kernel takes text.

Legend: N bytes of data, D documents. data_N uint8, offsets_D1 int64 (length D + 1).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

Bytes = npt.NDArray[np.uint8]
Offsets = npt.NDArray[np.int64]
Unsigned = npt.NDArray[np.unsignedinteger]


def text_buffers(column: pa.Array | pa.ChunkedArray) -> tuple[Bytes, Offsets]:
    """UTF-8 data and int64 offsets of a string or binary column, without copying where Arrow allows it.

    A slice keeps its parent's data, so ``offsets[0]`` need not be 0; a null has no bytes. `string` and
    `binary` (32-bit offsets) cost a copy of their offsets. The arrays are read-only views: keep ``column`` alive.

    Raises:
        TypeError: for a column that holds neither strings nor binary.
    """
    if isinstance(column, pa.ChunkedArray):
        column = column.combine_chunks() if column.num_chunks != 1 else column.chunk(0)
    if pa.types.is_string(column.type) or pa.types.is_binary(column.type):
        width: npt.DTypeLike = np.int32
    elif pa.types.is_large_string(column.type) or pa.types.is_large_binary(column.type):
        width = np.int64
    else:
        raise TypeError(f"expected a string or binary column, found {column.type}")
    if column.null_count:
        column = column.fill_null(
            b"" if pa.types.is_binary(column.type) or pa.types.is_large_binary(column.type) else ""
        )
    _, offsets_buffer, data_buffer = column.buffers()
    if len(column) == 0 or offsets_buffer is None:
        return read_only(np.empty(0, np.uint8)), read_only(np.zeros(len(column) + 1, np.int64))
    offsets = np.frombuffer(offsets_buffer, width)[column.offset : column.offset + len(column) + 1]
    data = np.empty(0, np.uint8) if data_buffer is None else np.frombuffer(data_buffer, np.uint8)
    return read_only(data), read_only(offsets.astype(np.int64, copy=False))


def read_only(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """A view that cannot be written: Numba compiles a kernel anew for arrays that can."""
    view = array.view()
    view.flags.writeable = False
    return view


def offsets_of(sizes: npt.NDArray[Any] | Sequence[int]) -> Offsets:
    """Sizes to offsets: 0 and the running sums."""
    offsets = np.zeros(len(sizes) + 1, np.int64)
    np.cumsum(sizes, out=offsets[1:])
    return offsets


def runs_of(offsets: Offsets, size: int) -> Iterator[tuple[int, int]]:
    """(first, behind the last) of runs of documents of about ``size`` bytes together; a longer one is a run itself."""
    first = 0
    for d in range(1, len(offsets)):
        if offsets[d] - offsets[first] >= size or d == len(offsets) - 1:
            yield first, d
            first = d


def row_cuts(sizes: Offsets, limit: int) -> Iterator[tuple[int, int]]:
    """Cut rows into runs, as (first, stop), whose sizes sum up to at most ``limit``; a larger row stands alone."""
    ends = np.cumsum(sizes)
    start = 0
    while start < len(sizes):
        before = int(ends[start - 1]) if start else 0
        stop = max(start + 1, int(np.searchsorted(ends, before + limit, side="right")))
        yield start, stop
        start = stop
