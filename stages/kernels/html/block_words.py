"""Evidence of words for and against a block: a weight for each word of its text and for each word of the classes and ids around it.

For `stages.extraction`, between the two block classifiers. A word is hashed to one of `PLACES`; learned weights (int8, 32nds of a logit,
`tools.train_extractor`) stand in tables of that size, and what a list of words says is their sum divided by the square root of their number.

- Text: runs of ASCII letters and of bytes beyond ASCII in lower case, numbers by how many digits they have (five and more are alike), characters of
  kana and Han one by one; each alone and with the one before it, the last one with nothing behind it too; the first `TEXT_WORDS` places of a block.
- Names: class and id of the block's element, its parent, the next and all further out, each with weights of its own (`ROLES`); words of two
  letters or more, cut at `aB` too, whole names of several words (every other byte a dash), and the element's tag.

A word is its FNV-1a hash, a pair or a whole name that of its members' hashes; one step more with its kind, times an odd number, and the highest `BITS` are its place.

Only blocks are read of which the first classifier is not sure (`SURE`): a quarter of all; the others' rows say `NOTHING`.
Price: a step for each byte that is read, and one look-up a word.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from stages.kernels.html import layout as h
from stages.kernels.html.tables import FNV_START, mix
from stages.kernels.jit import lean_inline_kernel as inline_kernel
from stages.kernels.jit import lean_kernel as kernel

BITS = 16
PLACES = 1 << BITS
ROLES = 4
TEXT_WORDS, NAME_WORDS = 128, 1024
"""Of a block's text and of all the elements around it, at most so many places are read."""
WORDS = ("text_words", "name_words")
"""Rows that `measure_words` fills: 128 is even odds, 16 steps a logit."""
NOTHING, SURE = 128, 64
UNIT = 32
_SPREAD, _SHIFT = np.uint64(0x9E3779B97F4A7C15), np.uint64(64 - BITS)
_WORD, _PAIR, _NAME, _WHOLE, _TAG = range(1, 6)


def inverse_roots() -> npt.NDArray[np.int64]:
    """65536 divided by the square root of each number up to `NAME_WORDS`; of nothing 0."""
    roots = np.zeros(NAME_WORDS + 1, np.int64)
    roots[1:] = np.round(65536 / np.sqrt(np.arange(1, NAME_WORDS + 1)))
    return roots


@inline_kernel
def place_of(word, kind):  # type: ignore[no-untyped-def]
    """Where the weight of a word stands."""
    return np.int64((np.uint64(mix(word, kind)) * _SPREAD) >> _SHIFT)


@inline_kernel
def list_name(data, start, stop, places, n, limit):  # type: ignore[no-untyped-def]
    """Places of the words and whole names of a class or id, from ``places[n]`` on: next n."""
    i = start
    while i < stop and n + 2 <= limit:
        whole, words = FNV_START, 0
        while i < stop and data[i] > 32 and n + 2 <= limit:
            word, first, was_lower = FNV_START, i, False
            while i < stop:
                b = data[i]
                upper = 65 <= b <= 90
                if not (upper or 97 <= b <= 122) or (upper and was_lower):
                    break
                was_lower = not upper
                word = mix(word, b | 0x20)
                i += 1
            if i == first:
                whole = mix(whole, 45)
                i += 1
                continue
            words += 1
            whole = mix(whole, word)
            if i - first > 1:
                places[n] = place_of(word, _NAME)
                n += 1
        if words > 1:
            places[n] = place_of(whole, _WHOLE)
            n += 1
        i += 1
    return n


@inline_kernel
def list_node(data, nodes, node, places, limit):  # type: ignore[no-untyped-def]
    """Places of an element's tag, classes and id: how many."""
    places[0] = place_of(nodes[h.TAG, node], _TAG)
    n = 1
    for row in range(h.CLASS_AT, h.ID_AT + 1):
        span = nodes[row, node]
        if span > 0:
            start = span >> h.NAME_SHIFT
            n = list_name(data, start, start + (span & (1 << h.NAME_SHIFT) - 1), places, n, limit)
    return n


@inline_kernel
def read_word(text, i, stop):  # type: ignore[no-untyped-def]
    """The word that begins at ``i``: (its hash, the position behind it); (0, the next position) where none does."""
    b = text[i]
    word, first = FNV_START, i
    if 48 <= b <= 57:
        while i < stop and 48 <= text[i] <= 57:
            i += 1
        return mix(word, 48 + min(5, i - first)), i
    if 0xE3 <= b <= 0xE9:  # kana and Han begin with these
        i = min(stop, i + 3)
        for k in range(first, i):
            word = mix(word, text[k])
        return word, i
    while i < stop:
        b = text[i]
        if not (97 <= b | 0x20 <= 122 or (b >= 128 and not 0xE3 <= b <= 0xE9)):
            return (word, i) if i > first else (0, i + 1)
        word = mix(word, b | 0x20 if b < 128 else b)
        i += 1
    return word, i


@inline_kernel
def list_text(text, start, stop, places):  # type: ignore[no-untyped-def]
    """Places of the words of a block's text, and of their pairs, at most `TEXT_WORDS`: how many."""
    i, n, before = start, 0, 0
    while i < stop and n + 3 <= TEXT_WORDS:
        word, i = read_word(text, i, stop)
        if word == 0:
            continue
        places[n] = place_of(word, _WORD)
        places[n + 1] = place_of(mix(before, word), _PAIR)
        n += 2
        before = word
    if n > 0:
        places[n] = place_of(before, _PAIR)
        n += 1
    return n


@inline_kernel
def said(total, num, bias, roots):  # type: ignore[no-untyped-def]
    """Evidence of ``num`` words of weights ``total`` as a byte; the sum is in 32nds, the byte in 16ths of a logit."""
    return min(255, max(0, 128 + ((bias + ((total * roots[num]) >> 16)) >> 1)))


@inline_kernel
def weigh_node(data, nodes, node, weights_W, places, held_HM, m):  # type: ignore[no-untyped-def]
    """Number of an element's words, and what they weigh in each of the `ROLES`, into column ``m``."""
    n = list_node(data, nodes, node, places, NAME_WORDS)
    held_HM[0, m] = n
    for role in range(ROLES):
        total = 0
        for k in range(n):
            total += weights_W[places[k] * ROLES + role]
        held_HM[1 + role, m] = total


@inline_kernel
def weigh_names(data, nodes, node, node0, weights_W, bias, roots, places, held_HM):  # type: ignore[no-untyped-def]
    """Evidence of the names around a block as a byte; the weight of each element is held for the next block."""
    total, num, role = 0, 0, 0
    while True:
        m = node - node0
        if held_HM[0, m] < 0:
            weigh_node(data, nodes, node, weights_W, places, held_HM, m)
        total += held_HM[1 + role, m]
        num += held_HM[0, m]
        if node == node0:
            return said(total, min(num, NAME_WORDS), bias, roots)
        node = nodes[h.PARENT, node]
        role = min(ROLES - 1, role + 1)


@inline_kernel
def weigh_text(text, start, stop, weights_W, bias, roots, places):  # type: ignore[no-untyped-def]
    """Evidence of the text of a block, as a byte."""
    n = list_text(text, start, stop, places)
    total = 0
    for k in range(n):
        total += weights_W[places[k]]
    return said(total, n, bias, roots)


@inline_kernel
def score_words(X, row, scores, data, text, blocks, nodes, pages, d, text_weights, name_weights, biases, roots, places, held_HM):  # type: ignore[no-untyped-def]  # fmt: skip
    """Rows of `WORDS`, from ``row`` on, of the page's blocks; ``scores`` are the first classifier's."""
    block0, num = pages[h.BLOCKS_FROM, d], pages[h.BLOCKS_TO, d] - pages[h.BLOCKS_FROM, d]
    node0 = pages[h.NODES_FROM, d]
    for m in range(pages[h.NODES_TO, d] - node0):
        held_HM[0, m] = -1
    for b in range(num):
        score = np.int64(scores[b])
        X[row, b] = NOTHING
        X[row + 1, b] = NOTHING
        if NOTHING - SURE < score < NOTHING + SURE:
            start, stop = blocks[h.TEXT_START, block0 + b], blocks[h.TEXT_STOP, block0 + b]
            X[row, b] = weigh_text(text, start, stop, text_weights, biases[0], roots, places)
            node = blocks[h.NODE, block0 + b]
            X[row + 1, b] = weigh_names(data, nodes, node, node0, name_weights, biases[1], roots, places, held_HM)


@kernel
def list_words(data, text, blocks, nodes, num_blocks, text_places, text_offsets, name_places, name_offsets, places):  # type: ignore[no-untyped-def]  # fmt: skip
    """For training, of one page: places of each block's text, and of the names around it times `ROLES` and with their role."""
    num_text, num_names = 0, 0
    for b in range(num_blocks):
        n = list_text(text, blocks[h.TEXT_START, b], blocks[h.TEXT_STOP, b], places)
        for k in range(n):
            text_places[num_text + k] = places[k]
        num_text += n
        text_offsets[b + 1] = num_text
        node, role, left = blocks[h.NODE, b], 0, NAME_WORDS
        while True:
            n = min(left, list_node(data, nodes, node, places, NAME_WORDS))
            for k in range(n):
                name_places[num_names + k] = places[k] * ROLES + role
            num_names += n
            left -= n
            if nodes[h.PARENT, node] == node:
                break
            node = nodes[h.PARENT, node]
            role = min(ROLES - 1, role + 1)
        name_offsets[b + 1] = num_names


@kernel
def measure_words(X, scores, data, text, blocks, nodes, pages, text_weights, name_weights, biases, roots, places, held_HM):  # type: ignore[no-untyped-def]  # fmt: skip
    """Rows of `WORDS` of all blocks of all pages, for training."""
    for d in range(pages.shape[1]):
        at = pages[h.BLOCKS_FROM, d]
        score_words(X[:, at:], 0, scores[at:], data, text, blocks, nodes, pages, d, text_weights, name_weights, biases,
                    roots, places, held_HM)  # fmt: skip
