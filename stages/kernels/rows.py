"""Rows of ragged columns by Arrow and NumPy alone: taken in another order, with a token behind each, summed up.

For jobs that only copy: loading Numba and the first compiled kernel costs a fresh process half a second, more than
copying a gigabyte. Price: 5 GB/s with rows of 2 KB, 0.7 GB/s with rows of 40 bytes.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from stages.kernels.ragged import Bytes, Offsets, Unsigned

_BLOCK = 1 << 17
"""Ids looked at together, so that three passes over them come out of the cache."""


def take_rows(data: Bytes, offsets: Offsets, rows: Offsets) -> tuple[Bytes, Offsets]:
    """The given rows of a ragged byte column, in the given order, as a new (data, offsets). Rows may repeat.

    Raises:
        IndexError: a row that is not there.
    """
    if not len(rows):
        return np.empty(0, np.uint8), np.zeros(1, np.int64)
    buffers = [None, pa.py_buffer(np.ascontiguousarray(offsets)), pa.py_buffer(data)]
    column = pa.LargeBinaryArray.from_buffers(pa.large_binary(), len(offsets) - 1, buffers)
    taken = column.take(pa.array(rows, pa.int64()))
    bounds = np.frombuffer(taken.buffers()[1], np.int64)[taken.offset : taken.offset + len(rows) + 1]
    values = taken.buffers()[2]
    return (np.empty(0, np.uint8) if values is None else np.frombuffer(values, np.uint8)[: bounds[-1]]), bounds


def take_ids(values: Bytes, offsets: Offsets, rows: Offsets, dtype: np.dtype) -> tuple[Unsigned, Offsets]:
    """`take_rows` where the bytes are ids of ``dtype`` and all offsets count ids."""
    data, bounds = take_rows(values, offsets * dtype.itemsize, rows)
    return data.view(dtype), bounds // dtype.itemsize


def joined(parts: Sequence[Bytes]) -> Bytes:
    """All parts in one array; a single one as it is."""
    return parts[0] if len(parts) == 1 else np.concatenate([np.empty(0, np.uint8), *parts])


def id_summary(ids: Unsigned, last: int) -> tuple[int, int, int]:
    """Smallest id, largest id and how often ``last`` occurs; (0, 0, 0) for no ids."""
    if not len(ids):
        return 0, 0, 0
    smallest, largest, found = int(ids[0]), int(ids[0]), 0
    for start in range(0, len(ids), _BLOCK):
        part = ids[start : start + _BLOCK]
        smallest, largest = min(smallest, int(part.min())), max(largest, int(part.max()))
        found += int(np.count_nonzero(part == last))
    return smallest, largest, found


def append_token(ids: npt.NDArray[np.uint32], offsets: Offsets, last: int, dtype: np.dtype) -> tuple[Unsigned, Offsets]:
    """Every row with ``last`` once behind it, in the type ``dtype``; ``offsets`` start at 0.

    Raises:
        ValueError: an id does not fit ``dtype``, or ``last`` is already inside a row.
    """
    rows = len(offsets) - 1
    _, largest, found = id_summary(ids, last)
    if max(largest, last) > np.iinfo(dtype).max:
        raise ValueError(f"token id {max(largest, last)} does not fit {dtype.name}")
    if found:
        raise ValueError(f"token id {last}, which ends every document, was found {found} times inside documents")
    if not rows:
        return np.empty(0, dtype), np.zeros(1, np.int64)
    narrow = np.ascontiguousarray(ids.astype(dtype, copy=False))
    bounds = np.ascontiguousarray(offsets * dtype.itemsize)
    buffers = [None, pa.py_buffer(bounds), pa.py_buffer(narrow)]
    column = pa.LargeBinaryArray.from_buffers(pa.large_binary(), rows, buffers)
    token, nothing = (pa.scalar(value, pa.large_binary()) for value in (dtype.type(last).tobytes(), b""))
    joined_rows = pc.binary_join_element_wise(column, token, nothing)
    return np.frombuffer(joined_rows.buffers()[2], dtype)[: offsets[-1] + rows], offsets + np.arange(rows + 1)
