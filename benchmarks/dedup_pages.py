"""Pages made for measuring deduplication at scale: real-looking words and lengths, known shares of duplicates.

A page is a pure function of its number. Of 100 pages about 55 stand alone; the others belong to small families of
neighbouring numbers (2 to about 20 members): exact copies, near-copies (words replaced at a rate of 0 to 4%, so J of
word 5-grams runs from 0.6 to 1), or pages that share 60% of their words as a template. Deduplication at 0.8 removes
4.3% as exact and 10.6% as similar copies. Words follow Zipf's law over 60,000 made-up words; a page has 60 to 1,200.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from stages import schemas
from stages.kernels.jit import inline_kernel, kernel

VOCABULARY = 60_000
WORD_BYTES = 12


def vocabulary() -> npt.NDArray[np.uint8]:
    """Made-up words of 2 to 11 letters, one row each, ended by a zero; frequent ones are short."""
    draw = np.random.Generator(np.random.Philox(key=11))
    words = np.zeros((VOCABULARY, WORD_BYTES), np.uint8)
    sizes = np.clip(draw.normal(2.5 + 1.1 * np.log10(np.arange(VOCABULARY) + 1), 1.3), 2, 11).astype(np.int64)
    letters = draw.integers(97, 123, (VOCABULARY, WORD_BYTES - 1), dtype=np.uint8)
    for row, size in enumerate(sizes.tolist()):
        words[row, :size] = letters[row, :size]
    return words


def zipf_table() -> npt.NDArray[np.int64]:
    """Word number for each of 2**16 equally likely draws: Zipf with exponent 1."""
    weights = 1.0 / (np.arange(VOCABULARY) + 2.0)
    bounds = np.cumsum(weights) / weights.sum()
    return np.searchsorted(bounds, (np.arange(1 << 16) + 0.5) / (1 << 16)).astype(np.int64)


def page_batch(first: int, count: int, words: npt.NDArray[np.uint8], table: npt.NDArray[np.int64]) -> pa.RecordBatch:
    """Pages first to first + count - 1 as a batch of `documents`."""
    out = np.empty(count * 1300 * WORD_BYTES, np.uint8)
    offsets = np.zeros(count + 1, np.int64)
    _write_pages(first, count, words, table, out, offsets)
    text = pa.LargeStringArray.from_buffers(count, pa.py_buffer(offsets), pa.py_buffer(out[: offsets[-1]].copy()))
    numbers = np.zeros((count, 2), ">u8")
    numbers[:, 0] = (np.arange(first, first + count, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)).astype(np.uint64)
    numbers[:, 1] = np.arange(first, first + count)
    ids = pa.Array.from_buffers(pa.binary(16), count, [None, pa.py_buffer(numbers.tobytes())])
    zeros = pa.array(np.zeros(count, np.int64))
    columns = {
        "doc_id": ids,
        "source": pa.array([f"source-{first // 1_000_000 % 7}"] * count),
        "file": pa.array(["made"] * count),
        "offset": zeros,
        "time": pa.array(np.arange(first, first + count), pa.timestamp("s", tz="UTC")),
        "raw_bytes": zeros,
        "text_bytes": pa.array(np.diff(offsets)),
        "text_hash": ids,
        "text": text,
    }
    arrays = [columns.get(field.name, pa.nulls(count, field.type)) for field in schemas.DOCUMENTS]
    return pa.RecordBatch.from_arrays(arrays, schema=schemas.DOCUMENTS)


@inline_kernel
def _mix(value):  # type: ignore[no-untyped-def]
    value = (value ^ (value >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    value = (value ^ (value >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return value ^ (value >> np.uint64(31))


@kernel
def _write_pages(first, count, words, table, out, offsets):  # type: ignore[no-untyped-def]
    position = 0
    for index in range(count):
        number = np.uint64(first + index)
        dice = _mix(number * np.uint64(4) + np.uint64(1))
        kind = dice % np.uint64(100)
        family = number
        if kind >= np.uint64(55):
            # families: numbers are thinned by a power of two, small families being common
            spread = np.uint64(1) << (np.uint64(1) + _mix(dice) % np.uint64(7))
            family = number // (spread * np.uint64(3)) * np.uint64(1000) + spread
        base = _mix(family + np.uint64(0x1234567) * (kind // np.uint64(95) + np.uint64(1)))
        if kind < np.uint64(55):
            base = _mix(number + np.uint64(1 << 50))
        draw = (base >> np.uint64(40)) & np.uint64(0xFFFF)
        size = 40 + np.int64(20.0 * np.exp(4.07 * (np.float64(draw) / 65536.0) ** 1.6))
        rate = np.uint64(0)
        if np.uint64(70) <= kind < np.uint64(95):
            rate = _mix(dice + np.uint64(5)) % np.uint64(2621)  # of 65,536: up to 4% of the words
        for word in range(size):
            value = _mix(base + np.uint64(word) * np.uint64(0x9E3779B97F4A7C15))
            own = _mix(number * np.uint64(0xD6E8FEB86659FD93) + np.uint64(word))
            if (own & np.uint64(0xFFFF)) < rate or (kind >= np.uint64(95) and word * 10 >= size * 6):
                value = own
            row = table[(value >> np.uint64(20)) & np.uint64(0xFFFF)]
            k = 0
            while words[row, k] != 0:
                out[position] = words[row, k]
                position += 1
                k += 1
            out[position] = 32
            position += 1
        offsets[index + 1] = position
