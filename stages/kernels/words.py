"""Words of many texts: hash, characters and kind of every word as ragged arrays, and counts of marks and lines.

The unit `white_space` is Python's ``str.split()``: what stands between white space is a word, punctuation included.
The pass reads each byte once and keeps no text: words are compared by a 64-bit hash of their UTF-8 bytes (two different
words of one page share a hash with a probability near 1e-12 for a page of 10,000 different words).

Legend: N bytes of data, D documents, W words. data_N uint8, offsets_D1 int64; words_D1 int64, hashes_W uint64,
characters_W int64, kinds_W uint8; marks_D5 int64.
"""

# Kernel bodies are typed by Numba.
# mypy: disable-error-code="assignment"

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from stages.kernels import unicode
from stages.kernels.jit import lean_inline_kernel, lean_kernel
from stages.kernels.ragged import Bytes, Offsets

HAS_ALPHA = 1  # a character of category L*
HAS_TEXT = 2  # a character that is no symbol: a "real" word of Gopher's counts

NUMBER_SIGNS, ELLIPSES, LINES, BULLET_LINES, ELLIPSIS_LINES = range(5)
"""Columns of ``marks_D5``: '#'; '...' (not overlapping) and '…'; lines as ``str.splitlines`` cuts them; lines whose
first character that is no white space is '-' or '•'; lines that end, but for white space, in '...' or '…'."""

_SPACE = unicode.SPACE
_ALPHA = unicode.ALPHA
_SYMBOL = unicode.SYMBOL
_BREAK = unicode.BREAK
_SPECIAL = unicode.SPACE | unicode.SYMBOL
_SEED = np.uint64(0x9E3779B97F4A7C15)
_PRIME = np.uint64(0x00000100000001B3)
_MIX = np.uint64(0xFF51AFD7ED558CCD)
_SHIFT = np.uint64(32)
_BYTE = np.uint64(8)


@dataclass(frozen=True)
class Words:
    """All words of a batch; those of document d are ``words_D1[d]:words_D1[d + 1]``."""

    words_D1: Offsets
    hashes_W: npt.NDArray[np.uint64]
    characters_W: npt.NDArray[np.int64]
    kinds_W: npt.NDArray[np.uint8]
    marks_D5: npt.NDArray[np.int64]


def split_words(data: Bytes, offsets: Offsets) -> Words:
    """White-space words of every document of (data, offsets)."""
    num_documents = len(offsets) - 1
    most = int(offsets[-1] - offsets[0]) // 2 + num_documents
    words_D1 = np.zeros(num_documents + 1, np.int64)
    hashes_W = np.empty(most, np.uint64)
    characters_W = np.empty(most, np.int64)
    kinds_W = np.empty(most, np.uint8)
    marks_D5 = np.zeros((num_documents, 5), np.int64)
    num_words = _split_words(data, offsets, unicode.classes(), words_D1, hashes_W, characters_W, kinds_W, marks_D5)
    return Words(words_D1, hashes_W[:num_words], characters_W[:num_words], kinds_W[:num_words], marks_D5)


def word_hash(word: str) -> int:
    """The hash `split_words` gives a word: its bytes eight at a time, big end first, multiplied in; then its size."""
    mask = (1 << 64) - 1
    h, raw = int(_SEED), word.encode()
    for i in range(0, len(raw), 8):
        h = (h ^ int.from_bytes(raw[i : i + 8], "big")) * int(_MIX) & mask
        h ^= h >> 32
    h = (h ^ len(raw)) * int(_MIX) & mask
    return h ^ h >> 32


@lean_inline_kernel
def finish_hash(h):  # type: ignore[no-untyped-def]
    """Mix the upper half of an FNV-1a hash into the lower one."""
    h ^= h >> _SHIFT
    h *= _MIX
    return h ^ (h >> _SHIFT)


@lean_inline_kernel
def _fold(h, eight):  # type: ignore[no-untyped-def]
    h = (h ^ eight) * _MIX
    return h ^ (h >> _SHIFT)


@lean_kernel
def _split_words(  # type: ignore[no-untyped-def]
    data, offsets, classes, words_D1, hashes_W, characters_W, kinds_W, marks_D5
):
    word = 0
    for d in range(len(offsets) - 1):
        start, stop = offsets[d], offsets[d + 1]
        i = start
        number_signs = ellipses = lines = bullet_lines = ellipsis_lines = 0
        line_start = start
        line_blank, line_ellipsis = True, False
        dots, dots_end, ellipsis_end = 0, -1, -1  # a run of '.', where it ends; where the last '…' ends
        while i < stop:
            # One word, if one begins here: up to white space or the end.
            word_start = i
            h, eight, inner_bytes = _SEED, np.uint64(0), 0
            alpha = text = 0
            flags, cp = np.int64(0), np.int64(0)
            while i < stop:
                cp, end = np.int64(data[i]), i + 1
                if cp < 0x80:
                    flags = np.int64(classes[cp])
                    if not flags & _SPECIAL:
                        text = HAS_TEXT
                        alpha |= flags
                        eight = eight << _BYTE | np.uint64(cp)
                        i = end
                        if (i - word_start) & 7 == 0:
                            h = _fold(h, eight)
                            eight = np.uint64(0)
                        continue
                else:
                    cp, end = unicode.code_point(data, i, stop)
                flags = np.int64(classes[cp])
                if flags & _SPECIAL:
                    if flags & _SPACE:
                        break
                    if cp == 46:
                        dots = dots + 1 if dots_end == i else 1
                        dots_end = end
                        ellipses += dots % 3 == 0
                    elif cp == 0x2026:
                        ellipses += 1
                        ellipsis_end = end
                    elif cp == 35:
                        number_signs += 1
                else:
                    text = HAS_TEXT
                alpha |= flags
                inner_bytes += end - i - 1
                while True:
                    eight = eight << _BYTE | np.uint64(data[i])
                    i += 1
                    if (i - word_start) & 7 == 0:
                        h = _fold(h, eight)
                        eight = np.uint64(0)
                    if i >= end:
                        break
            num_bytes = i - word_start
            if num_bytes:
                if num_bytes & 7:
                    h = _fold(h, eight)
                hashes_W[word] = _fold(h, np.uint64(num_bytes))
                characters_W[word] = num_bytes - inner_bytes
                kinds_W[word] = text | (HAS_ALPHA if alpha & _ALPHA else 0)
                word += 1
                line_ellipsis = ellipsis_end == i or (dots_end == i and dots >= 3)
                if line_blank:
                    line_blank = False
                    bullet_lines += _is_bullet(data, word_start, i)
            if i < stop:
                # The white space behind it.
                feed = cp == 10 and i > start and data[i - 1] == 13
                i = end
                if flags & _BREAK:
                    if not feed:
                        lines += 1
                        ellipsis_lines += line_ellipsis
                    line_blank, line_ellipsis, line_start = True, False, i
        if line_start < stop:
            lines += 1
            ellipsis_lines += line_ellipsis
        words_D1[d + 1] = word
        marks_D5[d, NUMBER_SIGNS] = number_signs
        marks_D5[d, ELLIPSES] = ellipses
        marks_D5[d, LINES] = lines
        marks_D5[d, BULLET_LINES] = bullet_lines
        marks_D5[d, ELLIPSIS_LINES] = ellipsis_lines
    return word


@lean_inline_kernel
def _is_bullet(data, start, stop):  # type: ignore[no-untyped-def]
    if data[start] == 45:
        return True
    return data[start] == 0xE2 and stop - start >= 3 and data[start + 1] == 0x80 and data[start + 2] == 0xA2
