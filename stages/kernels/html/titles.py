"""The title of a page found again in its blocks: text begins behind the block that repeats it.

For `stages.extraction`: rows of `TITLES`, which both block classifiers look at beside the others of `features`. Titles are those of
`title` and of ``og:title`` or ``twitter:title``; words are those of `block_words.read_word`.

A block repeats a title if three quarters of its words are of it and two fifths of the title are there: what follows the name of a
site (``Title | Site``) is in no heading. Only the first `READ` words of a block are looked at, and the first `MAX_WORDS` different ones
of a title. Of two titles that fits better which has most words in common for the words of both together; of equals the first.

Legend: X_FB features, B blocks of a page; H_2S a table of hashes: keys (0: free), and the number that each has in either title.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from stages.kernels.html import layout as h
from stages.kernels.html.block_words import read_word
from stages.kernels.jit import lean_inline_kernel as inline_kernel
from stages.kernels.simd import ones

TITLES = ("title_cover", "title_share", "since_title", "titles_before", "near_title", "page_titles")
"""Of the title that fits better, how much the block has, and how much of the block is of it; blocks since the last that repeats one (`NEVER`: none
did); how many do; how far up the element is that holds both; how many of the page do."""
TABLE = 256
READ = 16
MAX_WORDS = 60
NEVER = 255
_SECOND, _NUMBER = 6, 63
_ZERO, _ONE = np.uint64(0), np.uint64(1)


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
def enter_title(data, start, stop, shift, H):  # type: ignore[no-untyped-def]
    """Number the different words of a title, at ``shift``: how many they are."""
    n, i = 0, start
    while i < stop and n < MAX_WORDS:
        word, i = read_word(data, i, stop)
        if word != 0:
            place = place_in(H, word)
            H[0, place] = word
            if (H[1, place] >> shift) & _NUMBER == 0:
                n += 1
                H[1, place] |= n << shift
    return n


@inline_kernel
def compare(X, row, b, text, start, stop, first_size, second_size, H):  # type: ignore[no-untyped-def]
    """Cover and share of the title that fits a block better: whether the block repeats it."""
    i, n = start, 0
    in_first, in_second = _ZERO, _ZERO
    while i < stop and n < READ:
        word, i = read_word(text, i, stop)
        if word != 0:
            n += 1
            place = place_in(H, word)
            if H[0, place] != 0:
                in_first |= _ONE << np.uint64(H[1, place] & _NUMBER)
                in_second |= _ONE << np.uint64((H[1, place] >> _SECOND) & _NUMBER)
    found, size = ones(in_first >> _ONE), first_size
    other = ones(in_second >> _ONE)
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
