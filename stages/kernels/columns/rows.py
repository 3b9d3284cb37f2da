"""Rows of ragged columns by Arrow and NumPy alone: taken in another order, with a token behind each, summed up.

For jobs that only copy: loading Numba and the first compiled kernel costs a fresh process half a second, more than
copying a gigabyte. Price: 5 GB/s with rows of 2 KB, 0.7 GB/s with rows of 40 bytes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from stages.kernels.columns.ragged import Bytes, Offsets, Unsigned, offsets_of, row_cuts

_BLOCK = 1 << 17
"""Ids looked at together, so that three passes over them come out of the cache."""
_MEAN_BYTES = 1 << 10
_WRITTEN_BYTES = 1 << 23
"""Of rows on their way into a file, copied together: the pages of memory are touched once and used again."""


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


class Pieces:
    """Rows of ids that lie in several buffers, one after the other, and are wanted together in another order.

    Rows of a kilobyte and more are copied one by one from where they lie (2 GB/s at 2 KB, 0.4 at 200 bytes); for
    smaller ones the buffers are joined first, at the price of one more copy of all of them (2.3 and 1.7 GB/s). In a
    fresh process memory is the dearer: the pages of that copy take as long as the rest together.
    """

    def __init__(self, parts: Sequence[Bytes], offsets: Offsets, dtype: np.dtype) -> None:
        """``offsets`` count ids over all parts; each part holds whole rows of ids of ``dtype``."""
        self._parts = list(parts)
        self._offsets = offsets * dtype.itemsize
        self._dtype = dtype
        if len(offsets) > 1 and self._offsets[-1] < _MEAN_BYTES * (len(offsets) - 1) and len(parts) > 1:
            self._parts = [np.concatenate(self._parts)]

    def take(self, rows: Offsets) -> tuple[Unsigned, Offsets]:
        """The given rows as (ids, offsets)."""
        return self._take(rows, np.empty(0, np.uint8))

    def blocks(self, rows: Offsets) -> Iterator[Unsigned]:
        """The ids of `take`, some megabytes of whole rows at a time; a block is overwritten by the next one."""
        room = np.empty(_WRITTEN_BYTES, np.uint8)
        for start, stop in row_cuts(self._offsets[rows + 1] - self._offsets[rows], _WRITTEN_BYTES):
            yield self._take(rows[start:stop], room)[0]

    def _take(self, rows: Offsets, room: Bytes) -> tuple[Unsigned, Offsets]:
        if len(self._parts) <= 1:
            data = self._parts[0] if self._parts else np.empty(0, np.uint8)
            taken, bounds = take_rows(data, self._offsets, rows)
        else:
            taken, bounds = self._copied(rows, room)
        return taken.view(self._dtype), bounds // self._dtype.itemsize

    def _copied(self, rows: Offsets, room: Bytes) -> tuple[Bytes, Offsets]:
        starts, stops = self._offsets[rows], self._offsets[rows + 1]
        ends = np.cumsum([len(part) for part in self._parts])
        owner = np.minimum(np.searchsorted(ends, starts, side="right"), len(ends) - 1)
        base = (ends - [len(part) for part in self._parts])[owner]
        bounds = offsets_of(stops - starts)
        out = room[: bounds[-1]] if bounds[-1] <= len(room) else np.empty(bounds[-1], np.uint8)
        target, views, at = out.data, [part.data for part in self._parts], 0
        for part, start, stop in zip(owner.tolist(), (starts - base).tolist(), (stops - base).tolist(), strict=True):
            end = at + stop - start
            target[at:end] = views[part][start:stop]
            at = end
        return out, bounds


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
