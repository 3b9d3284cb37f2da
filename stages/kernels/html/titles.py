"""The title of a page found again in its blocks: text begins behind the block that repeats it.

For `stages.extraction`: rows of `TITLES`, which both block classifiers look at beside the others of `features`. Titles are those of
`title` and of ``og:title`` or ``twitter:title``; words are runs of letters, numbers (by how many digits they have, five and more alike),
kana and Han one by one.

A block repeats a title if three quarters of its words are of it and two fifths of the title are there: what follows the name of a
site (``Title | Site``) is in no heading. Only the first `READ` words of a block are looked at, and the first `MAX_WORDS` different ones
of a title. Of two titles that fits better which has most words in common for the words of both together; of equals the first.

Legend: X_FB features, B blocks of a page; H_2S a table of hashes: keys (0: free), and the number that each has in either title.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from stages.kernels.html import layout as h
from stages.kernels.html.word_hash import hash_word
from stages.kernels.jit import lean_inline_kernel as inline_kernel
from stages.kernels.simd import block_bits, lowest, ones

TITLES = ("title_cover", "title_share", "since_title", "titles_before", "near_title", "page_titles")
"""Of the title that fits better, how much the block has, and how much of the block is of it; blocks since the last that repeats one (`NEVER`: none
did); how many do; how far up the element is that holds both; how many of the page do."""
TABLE = 256
READ = 16
MAX_WORDS = 60
NEVER = 255
_SECOND, _NUMBER = 6, 63
_ZERO, _ONE, _ALL = np.uint64(0), np.uint64(1), np.uint64(0xFFFFFFFFFFFFFFFF)
_HAN, _LAST_HAN = 0xE3, 0xE9
"""First bytes of kana and Han, which are three bytes each."""
_LETTER, _DIGIT, _SIGN = 1, 2, 3
_BEYOND = 64
"""Bytes behind the text of blocks that may be read."""


def title_table() -> npt.NDArray[np.int64]:
    """Scratch for the words of two titles."""
    return np.zeros((2, TABLE), np.int64)


@inline_kernel
def place_in(H, word):  # type: ignore[no-untyped-def]
    """Where a word stands in the table, or may stand."""
    place = (word >> 32) & (TABLE - 1)
    while H[0, place] != 0 and H[0, place] != word:
        place = (place + 1) & (TABLE - 1)
    return place


@inline_kernel
def kind_of(b):  # type: ignore[no-untyped-def]
    """Kind of word that a byte may begin: one of letters, a number, a sign of kana or Han; or 0."""
    if 48 <= b <= 57:
        return _DIGIT
    if _HAN <= b <= _LAST_HAN:
        return _SIGN
    return _LETTER if b >= 128 or 97 <= b | 0x20 <= 122 else 0


@inline_kernel
def end_of_word(text, start, stop):  # type: ignore[no-untyped-def]
    """Where the word that begins at ``start`` ends."""
    kind = kind_of(text[start])
    if kind == _SIGN:
        return min(stop, start + 3)
    i = start + 1
    while i < stop and kind_of(text[i]) == kind:
        i += 1
    return i


@inline_kernel
def key_of(text, start, stop, last):  # type: ignore[no-untyped-def]
    """A number for a word, never 0; bytes up to ``last`` may be read."""
    if kind_of(text[start]) == _DIGIT:
        return np.int64(min(5, stop - start))
    key = hash_word(text, start, stop, last)
    return key if key != 0 else np.int64(1)


@inline_kernel
def enter_title(data, start, stop, shift, H):  # type: ignore[no-untyped-def]
    """Number the different words of a title, at ``shift``: how many they are."""
    n, i = 0, start
    while i < stop and n < MAX_WORDS:
        if kind_of(data[i]) == 0:
            i += 1
            continue
        end = end_of_word(data, i, stop)
        word = key_of(data, i, end, stop)
        place = place_in(H, word)
        H[0, place] = word
        if (H[1, place] >> shift) & _NUMBER == 0:
            n += 1
            H[1, place] |= n << shift
        i = end
    return n


@inline_kernel
def find_words(text, start, stop, H):  # type: ignore[no-untyped-def]
    """How many words of a block are read, and bit by bit the numbers that they have in either title.

    Sixty-four bytes at a time are sorted into letters, digits and signs: a word begins and ends at a bit, and no loop over its bytes
    ends where nobody foresees it.
    """
    in_first, in_second = _ZERO, _ZERO
    base, n = start, 0
    while base < stop and n < READ:
        held = _ALL >> np.uint64(max(0, 64 - (stop - base)))
        signs = held & block_bits(text, base, _HAN, _LAST_HAN - _HAN, 0)
        digits = held & block_bits(text, base, 48, 9, 0)
        letters = block_bits(text, base, 97, 25, 0x20) | block_bits(text, base, 128, 127, 0)
        letters &= held & ~signs
        begins = letters | digits | signs
        p, next_base = 0, base + 64
        while n < READ and p < 64:
            p = min(64, p + lowest(begins >> np.uint64(p)))
            if p >= 64:
                break
            bit = _ONE << np.uint64(p)
            if signs & bit:
                end = min(stop, base + p + 3)
            else:
                run = letters if letters & bit else digits
                end = base + p + lowest(~(run >> np.uint64(p)))
                if end == base + 64 and end < stop:  # it may go on
                    if p > 0:
                        next_base = base + p
                        break
                    end = end_of_word(text, base, stop)
            n += 1
            word = key_of(text, base + p, end, stop + _BEYOND)
            place = place_in(H, word)
            if H[0, place] != 0:
                in_first |= _ONE << np.uint64(H[1, place] & _NUMBER)
                in_second |= _ONE << np.uint64((H[1, place] >> _SECOND) & _NUMBER)
            p = end - base
        base = max(next_base, base + p)
    return n, in_first >> _ONE, in_second >> _ONE


@inline_kernel
def compare(X, row, b, text, start, stop, first_size, second_size, H):  # type: ignore[no-untyped-def]
    """Cover and share of the title that fits a block better: whether the block repeats it."""
    n, in_first, in_second = find_words(text, start, stop, H)
    X[row, b] = 0
    X[row + 1, b] = 0
    if not in_first | in_second:
        return False
    found, size = ones(in_first), first_size
    other = ones(in_second)
    if other * (first_size + n) > found * (second_size + n):
        found, size = other, second_size
    X[row, b] = 255 * found // max(1, size)
    X[row + 1, b] = 255 * found // max(1, n)
    return n > 1 and 4 * found >= 3 * n and 5 * found >= 2 * size


@inline_kernel
def steps_up(blocks, nodes, block, other):  # type: ignore[no-untyped-def]
    """How far up from ``block`` the first element is that holds block ``other`` too."""
    n, steps = blocks[h.NODE, block], 0
    while not nodes[h.FIRST_BLOCK, n] <= other < nodes[h.LAST_BLOCK, n]:
        n = nodes[h.PARENT, n]
        steps += 1
    return min(NEVER - 1, steps)


@inline_kernel
def find_titles(X, row, data, text, blocks, nodes, pages, d, H):  # type: ignore[no-untyped-def]
    """Rows of `TITLES`, from ``row`` on, of the blocks of page ``d``."""
    block0, num = pages[h.BLOCKS_FROM, d], pages[h.BLOCKS_TO, d] - pages[h.BLOCKS_FROM, d]
    for place in range(TABLE):
        H[0, place] = 0
        H[1, place] = 0
    first_size = enter_title(data, pages[h.TITLE_FROM, d], pages[h.TITLE_TO, d], 0, H)
    second_size = enter_title(data, pages[h.SOCIAL_TITLE_FROM, d], pages[h.SOCIAL_TITLE_TO, d], _SECOND, H)
    last, titles = -1, 0
    for b in range(num):
        start, stop = blocks[h.TEXT_START, block0 + b], blocks[h.TEXT_STOP, block0 + b]
        if compare(X, row, b, text, start, stop, first_size, second_size, H):
            last = b
            titles += 1
        X[row + 2, b] = NEVER if last < 0 else min(NEVER - 1, b - last)
        X[row + 3, b] = min(255, titles)
        X[row + 4, b] = NEVER if last < 0 else steps_up(blocks, nodes, block0 + b, block0 + last)
    for b in range(num):
        X[row + 5, b] = min(255, titles)
