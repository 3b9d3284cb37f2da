"""A scorer: bits per byte of a page under a model of bytes trained on text that the user supplies (low: alike).

    scores:
      scorers:
        books: {function: "stages.scorers.byte_model:bits_per_byte", params: {train: books.jsonl}}

Perplexity as CCNet has it (Wenzek et al. 2020, arXiv 1911.00359, section 4), with n-grams of bytes in the place of
words, so no tokenizer decides and every language will do. The model is made from the file when a process first needs
it (a second for 50 MB), and never saved. Price: about 14 MB/s; memory: 8 bytes a slot and order, 160 MB by default.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from stages.kernels import byte_model
from stages.kernels.columns.ragged import text_buffers
from stages.rules.row_files import rows, stamp


def bits_per_byte(
    texts: pa.Array,
    *,
    train: str,
    field: str = "text",
    order: int = 5,
    slots: int = 1 << 22,
    max_bytes: int = 50_000_000,
) -> npt.NDArray[np.float64]:
    """Mean bits a byte; NaN for an empty text.

    Args:
        train: path of a JSONL, Parquet or text file.
        field: where its text is.
        order: bytes of an n-gram, 1 to 8.
        slots: of the tables, a power of two.
        max_bytes: of text to learn from, from the beginning of the file.

    Raises:
        ValueError: for other settings, or a file without text.
    """
    return byte_model.bits_per_byte(*text_buffers(texts), *_model(train, stamp(train), field, order, slots, max_bytes))


@lru_cache(maxsize=2)
def _model(
    train: str, changed: tuple[int, int], field: str, order: int, slots: int, max_bytes: int
) -> tuple[byte_model.Counts, byte_model.Counts]:
    if not 1 <= order <= 8 or slots < 256 or slots & (slots - 1):
        raise ValueError(f"expected an order of 1 to 8 and a power of two of slots, found {order} and {slots}")
    counts, totals = np.zeros((order, slots), np.uint32), np.zeros((order, slots), np.uint32)
    held: list[str] = []
    size = learnt = 0
    for row in rows(train):
        text = row.get(field)
        if not isinstance(text, str):
            raise ValueError(f"{train}: no field {field!r}; it has {', '.join(row)}")
        held.append(text)
        size += len(text.encode("utf-8", "replace"))
        if size >= 1 << 22 or learnt + size >= max_bytes:
            byte_model.count_bytes(*text_buffers(pa.array(held, pa.large_string())), counts, totals)
            learnt, size, held = learnt + size, 0, []
        if learnt >= max_bytes:
            break
    byte_model.count_bytes(*text_buffers(pa.array(held, pa.large_string())), counts, totals)
    if learnt + size == 0:
        raise ValueError(f"{train}: no text to learn from")
    return counts, totals
