"""Words of many texts: hash, characters and kind of every word, as ragged arrays.

The unit `white_space` is Python's ``str.split()``: what stands between white space is a word, punctuation included.
The pass reads each byte once and keeps no text: words are compared by a 64-bit hash of their UTF-8 bytes (two different
words of one page share a hash with a probability near 1e-12 for a page of 10,000 different words).

Legend: N bytes of data, D documents, W words. data_N uint8, offsets_D1 int64; words_D1 int64, hashes_W uint64,
characters_W int64, kinds_W uint8.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from stages.kernels import unicode
from stages.kernels.jit import inline_kernel, kernel
from stages.kernels.ragged import Bytes, Offsets

HAS_ALPHA = 1  # a character of category L*
HAS_TEXT = 2  # a character that is no symbol: a "real" word of Gopher's counts

_SPACE = unicode.SPACE
_ALPHA = unicode.ALPHA
_SYMBOL = unicode.SYMBOL
_SEED = np.uint64(0x9E3779B97F4A7C15)
_PRIME = np.uint64(0x00000100000001B3)
_MIX = np.uint64(0xFF51AFD7ED558CCD)
_SHIFT = np.uint64(32)


@dataclass(frozen=True)
class Words:
    """All words of a batch; those of document d are ``words_D1[d]:words_D1[d + 1]``."""

    words_D1: Offsets
    hashes_W: npt.NDArray[np.uint64]
    characters_W: npt.NDArray[np.int64]
    kinds_W: npt.NDArray[np.uint8]


def split_words(data: Bytes, offsets: Offsets) -> Words:
    """White-space words of every document of (data, offsets)."""
    num_documents = len(offsets) - 1
    most = int(offsets[-1] - offsets[0]) // 2 + num_documents
    words_D1 = np.zeros(num_documents + 1, np.int64)
    hashes_W = np.empty(most, np.uint64)
    characters_W = np.empty(most, np.int64)
    kinds_W = np.empty(most, np.uint8)
    num_words = _split_words(data, offsets, unicode.classes(), words_D1, hashes_W, characters_W, kinds_W)
    return Words(words_D1, hashes_W[:num_words], characters_W[:num_words], kinds_W[:num_words])


def word_hash(word: str) -> int:
    """The hash `split_words` gives a word: FNV-1a over its UTF-8 bytes with another seed, then mixed."""
    mask = (1 << 64) - 1
    h = int(_SEED)
    for byte in word.encode():
        h = (h ^ byte) * int(_PRIME) & mask
    h ^= h >> 32
    h = h * int(_MIX) & mask
    return h ^ h >> 32


@inline_kernel
def finish_hash(h):  # type: ignore[no-untyped-def]
    """Mix the upper half of an FNV-1a hash into the lower one."""
    h ^= h >> _SHIFT
    h *= _MIX
    return h ^ (h >> _SHIFT)


@kernel
def _split_words(data, offsets, classes, words_D1, hashes_W, characters_W, kinds_W):  # type: ignore[no-untyped-def]
    w = 0
    for d in range(len(offsets) - 1):
        i, stop = offsets[d], offsets[d + 1]
        h, characters, kind = _SEED, 0, 0
        while i < stop:
            start = i
            b = np.int64(data[i])
            if b < 0x80:
                i += 1
                flags = classes[b]
            else:
                cp, i = unicode.code_point(data, i, stop)
                flags = classes[cp]
            if flags & _SPACE:
                if characters:
                    hashes_W[w] = finish_hash(h)
                    characters_W[w] = characters
                    kinds_W[w] = kind
                    w += 1
                    h, characters, kind = _SEED, 0, 0
                continue
            characters += 1
            if flags & _ALPHA:
                kind |= HAS_ALPHA
            if not flags & _SYMBOL:
                kind |= HAS_TEXT
            for j in range(start, i):
                h = (h ^ np.uint64(data[j])) * _PRIME
        if characters:
            hashes_W[w] = finish_hash(h)
            characters_W[w] = characters
            kinds_W[w] = kind
            w += 1
        words_D1[d + 1] = w
    return w
