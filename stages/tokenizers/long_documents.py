"""Long documents cut into pieces of at most so many tokens, at paragraphs where there are any.

For `tokens.max_document_tokens`: a book is one training document, so a small share of a domain of books is one book
more or less, and a validation split of 1% is one whole book. Pieces keep the bytes and their order: put together again
they are the text.

Method: a text of more tokens than allowed is divided into as many parts of about equal size as it needs; each cut moves
back, by a quarter of a part at most, to behind the last empty line there, else the last line end, else the last space,
else stands between two characters. A part that is still too long is divided again. A text has no more tokens than bytes
and a few, so shorter ones are not looked at. Price: long texts are tokenized about twice more.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Literal

import numpy as np
import numpy.typing as npt

from stages.kernels.columns.ragged import Bytes, Offsets, offsets_of
from stages.tokenizers.tokenizer import Tokenizer

MARGIN = 8
"""Tokens that are not of the text: EOS, BOS, those of fill-in-the-middle, a space put before the first word."""
FILLED = 0.9
"""Fraction of the size it may have that a part is to have."""
SLACK = 4
"""A cut moves back by at most this part (one in so many) of a part's size."""
LEAST_TOKENS = 64
CutAt = Literal["paragraph", "line", "word"]
MARKS = (b"\n\n", b"\n", b" ")
"""Marks behind which a paragraph, a line, a word is cut."""
FIRST_MARK = {"paragraph": 0, "line": 1, "word": 2}


def cut_long(
    data: Bytes, offsets: Offsets, tokenizer: Tokenizer, most: int, at: CutAt = "paragraph", fast: bool = True
) -> tuple[Offsets, npt.NDArray[np.int64]]:
    """(offsets of the pieces, row of the document each is of): every piece has ``most`` tokens or fewer, EOS and all.

    Args:
        at: where to cut, if there is such a place near; else at the next smaller one.
        fast: False to count by the reference.
    """
    allowed = most - MARGIN
    bounds: list[list[int]] = []
    for d in range(len(offsets) - 1):
        first, stop = int(offsets[d]), int(offsets[d + 1])
        marks = MARKS[FIRST_MARK[at] :]
        long = stop - first > allowed
        bounds.append(_pieces(data, first, stop, tokenizer, allowed, marks, fast) if long else [stop])
    counts = np.array([len(ends) for ends in bounds], np.int64)
    ends = [end for found in bounds for end in found]
    return np.array([int(offsets[0]), *ends], np.int64), np.repeat(np.arange(len(bounds)), counts)


def _pieces(
    data: Bytes, first: int, stop: int, tokenizer: Tokenizer, allowed: int, marks: tuple[bytes, ...], fast: bool
) -> list[int]:
    """Ends of the pieces of one text."""
    ends: list[int] = []
    waiting = [(first, stop)]
    while waiting:
        start, end = waiting.pop()
        tokens = _count(data[start:end], tokenizer, fast)
        if tokens <= allowed or end - start <= SLACK:
            ends.append(end)
            continue
        parts = max(2, -int(-tokens // (FILLED * allowed)))
        cuts = [start, *cut_places(data, start, end, parts, marks), end]
        waiting += [pair for pair in pairwise(cuts) if pair[1] > pair[0]][::-1]
    return ends


def _count(text: Bytes, tokenizer: Tokenizer, fast: bool) -> int:
    ids, _ = tokenizer.encode(text, offsets_of([len(text)]), fast=fast)
    return len(ids)


def cut_places(data: Bytes, first: int, stop: int, parts: int, marks: tuple[bytes, ...] = MARKS) -> list[int]:
    """Places to cut a text into so many parts, in order; one may be missing where a text has no room for it."""
    size = (stop - first) / parts
    found: list[int] = []
    for k in range(1, parts):
        ideal = first + int(k * size)
        least = max(found[-1] if found else first, ideal - int(size) // SLACK) + 1
        place = best_cut(data[least:ideal].tobytes(), marks)
        place = least + place if place is not None else ideal
        while place < stop and data[place] & 0xC0 == 0x80:  # inside a character
            place += 1
        if (found[-1] if found else first) < place < stop:
            found.append(place)
    return found


def best_cut(before: bytes, marks: tuple[bytes, ...]) -> int | None:
    """Offset in the bytes before a place at which to cut: behind the last of the first mark that is there."""
    found = ((before.rfind(mark), mark) for mark in marks)
    return next((at + len(mark) for at, mark in found if at >= 0), None)
