"""Numbers from 0 to 255 that describe a block of text in its page: what the block classifier looks at.

For `stages.extraction`, after `blocks.scan_pages`. `measure_blocks` fills ``X_FB`` (uint8, one row a feature, one column
a block, names in `FEATURES`) for the blocks of one page. All arithmetic is on integers: counts become eighths of an octave (`log_bins`),
shares become 255ths, so the numbers are the same on every machine.

Groups of features: the block's text (`measures`: characters, words, digits, punctuation, first and last character); links, bold, code;
its element, the two around it and what they hold; elements it stands in (`inherited`); class, id and role words and how near they
are (`hints`); the two blocks before and after; density of text around; place in the page; how often its element's
signature recurs; the page as a whole (what kind of page it says it is, how much of it is link, list or running text); where its title is (`titles`).

Price: linear in blocks and nodes. Legend: B blocks, M nodes of the page; F features; L table of logarithms and bits.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from stages.kernels.html import inherited as e
from stages.kernels.html import layout as h
from stages.kernels.html import measures as m
from stages.kernels.html import tokens as t
from stages.kernels.html.hints import HINT_NAMES
from stages.kernels.html.measures import count_slot, log_bins, measure_text, share
from stages.kernels.html.tables import mix
from stages.kernels.html.titles import TITLES, find_titles
from stages.kernels.jit import lean_inline_kernel as inline_kernel
from stages.kernels.jit import lean_kernel as kernel
from stages.kernels.simd import lowest

_KINDS = ("article", "forum", "product", "docs", "list", "faq", "comment", "review")
_CONTAINER = ("chars", "links", "blocks", "mean", "share", "punctuation")
FEATURES = (
    *("chars", "words", "word_chars", "digits", "capitals", "punctuation", "last", "first"),
    *("unspaced", "links", "num_links", "bold", "code", "images", "times"),
    *("break", "tag", "parent_tag", "outer_tag", "depth", "index_in_element"),
    *(f"in_{name}" for name in e.INSIDE),
    *(f"hint_{name}" for name in (*HINT_NAMES, "not_shown")),
    *(f"{where}_{what}" for where in ("element", "parent", "outer", "section") for what in _CONTAINER),
    *(
        f"{what}_{where}"
        for where in ("before2", "before", "after", "after2")
        for what in ("chars", "links", "tag", "last")
    ),
    *("near_chars", "near_links", "wide_chars", "wide_links"),
    *("place", "text_place", "blocks_before", "blocks_after"),
    *("since_h1", "h1s_before", "since_heading", "text_since_long"),
    *("signature_blocks", "signature_mean", "signature_links", "text_repeats"),
    *("page_chars", "page_blocks", "page_links", "page_mean", "page_long"),
    *("page_unspaced", "page_in_p", "page_in_table", "page_in_list"),
    *(f"page_{name}" for name in _KINDS),
    *("page_inputs", "page_scripts", "page_tags", "page_main_share"),
    *TITLES,
)
NUM_FEATURES = len(FEATURES)
_AT = {name: row for row, name in enumerate(FEATURES)}
# rows of the groups whose features are written one by one; of the others the first
(CHARS, WORDS, WORD_CHARS, DIGITS, CAPITALS, PUNCTUATION, LAST, FIRST, UNSPACED, LINKS, NUM_LINKS, BOLD, IN_CODE, IMAGES, TIMES,
 BREAK, TAG, PARENT_TAG, OUTER_TAG, DEPTH, INDEX) = range(_AT["in_article"])  # fmt: skip
(PLACE, TEXT_PLACE, BLOCKS_BEFORE, BLOCKS_AFTER, SINCE_H1, H1S_BEFORE, SINCE_HEADING, SINCE_LONG,
 SIGNATURE_BLOCKS, SIGNATURE_MEAN, SIGNATURE_LINKS, TEXT_REPEATS) = range(_AT["place"], _AT["page_chars"])  # fmt: skip
(PAGE_CHARS, PAGE_BLOCKS, PAGE_LINKS, PAGE_MEAN, PAGE_LONG, PAGE_UNSPACED, PAGE_IN_P, PAGE_IN_TABLE,
 PAGE_IN_LIST) = range(_AT["page_chars"], _AT[f"page_{_KINDS[0]}"])  # fmt: skip
PAGE_INPUTS, PAGE_SCRIPTS, PAGE_TAGS, PAGE_MAIN_SHARE = range(_AT["page_inputs"], _AT[TITLES[0]])
_INSIDE, _HINTS, _CONTAINERS = _AT["in_article"], _AT[f"hint_{HINT_NAMES[0]}"], _AT["element_chars"]
_NEIGHBOURS, _NEAR, _WIDE = _AT["chars_before2"], _AT["near_chars"], _AT["wide_chars"]
_PAGE_KINDS, _TITLES = _AT[f"page_{_KINDS[0]}"], _AT[TITLES[0]]
_PER_CONTAINER, _PER_NEIGHBOUR = len(_CONTAINER), 4
_LIST_BIT, _TABLE_BIT, _P_BIT, _MAIN_BIT = (
    1 << list(e.INSIDE).index(n) for n in ("list", "table", "paragraph", "main")
)
_KIND_BITS = e.ELEMENTS + e.NUM_ELEMENTS
_LONG = 80
_FAR = 250
_ONE = np.uint64(1)


def measure_tables() -> npt.NDArray[np.int64]:
    """L: `measures.logarithms`, then bits of elements (`inherited.INSIDE`), then numbers of the hints that name kinds of pages."""
    bits = np.zeros(e.NUM_ELEMENTS, np.int64)
    for bit, tags in enumerate(e.INSIDE.values()):
        for tag in tags:
            bits[tag] |= 1 << bit
    return np.concatenate([m.logarithms(), bits, [HINT_NAMES.index(name) for name in _KINDS]])


@inline_kernel
def describe_container(X, row, b, first, last, measures, page_chars, L):  # type: ignore[no-untyped-def]
    """Features of blocks ``first`` to ``last``, in the order of `_CONTAINER`."""
    chars = measures[m.SUM_CHARS, last] - measures[m.SUM_CHARS, first]
    X[row, b] = log_bins(chars, L)
    X[row + 1, b] = share(measures[m.SUM_LINKS, last] - measures[m.SUM_LINKS, first], chars)
    X[row + 2, b] = log_bins(last - first, L)
    X[row + 3, b] = log_bins(chars // max(1, last - first), L)
    X[row + 4, b] = share(chars, page_chars)
    X[row + 5, b] = share(8 * (measures[m.SUM_PUNCTUATION, last] - measures[m.SUM_PUNCTUATION, first]), chars)


@inline_kernel
def describe_containers(X, b, block0, nodes, node, section, measures, page_chars, L):  # type: ignore[no-untyped-def]
    """Features of the element, the two around it, and the section; what is held by the same as the block before is copied."""
    parent = nodes[h.PARENT, node]
    for level in range(4):
        held_by = node if level == 0 else parent if level == 1 else nodes[h.PARENT, parent] if level == 2 else section
        row = _CONTAINERS + _PER_CONTAINER * level
        if held_by == measures[m.M_HELD_BY + level, 0] and b > 0:
            for k in range(row, row + _PER_CONTAINER):
                X[k, b] = X[k, b - 1]
        else:
            measures[m.M_HELD_BY + level, 0] = held_by
            first, last = nodes[h.FIRST_BLOCK, held_by] - block0, nodes[h.LAST_BLOCK, held_by] - block0
            describe_container(X, row, b, first, last, measures, page_chars, L)


@inline_kernel
def describe_window(X, row, b, radius, num, measures, L):  # type: ignore[no-untyped-def]
    """Two features of the blocks at most ``radius`` away."""
    first, last = max(0, b - radius), min(num, b + radius + 1)
    chars = measures[m.SUM_CHARS, last] - measures[m.SUM_CHARS, first]
    X[row, b] = log_bins(chars // (last - first), L)
    X[row + 1, b] = share(measures[m.SUM_LINKS, last] - measures[m.SUM_LINKS, first], chars)


@inline_kernel
def describe_text(X, b, block, blocks, measures, L):  # type: ignore[no-untyped-def]
    """The features of the block's own text."""
    chars, words = measures[m.M_CHARS, b], measures[m.M_WORDS, b]
    size = max(1, blocks[h.TEXT_STOP, block] - blocks[h.TEXT_START, block])
    X[CHARS, b] = log_bins(chars, L)
    X[WORDS, b] = log_bins(words, L)
    X[WORD_CHARS, b] = min(255, chars * 8 // max(1, words))
    X[DIGITS, b] = share(measures[m.M_DIGITS, b], chars)
    X[CAPITALS, b] = share(measures[m.M_CAPITALS, b], chars)
    X[PUNCTUATION, b] = share(8 * measures[m.M_PUNCTUATION, b], chars)
    X[LAST, b] = measures[m.M_LAST, b]
    X[FIRST, b] = measures[m.M_FIRST, b]
    X[UNSPACED, b] = share(measures[m.M_UNSPACED, b], chars)
    X[LINKS, b] = share(blocks[h.LINK_BYTES, block], size)
    X[NUM_LINKS, b] = min(255, blocks[h.NUM_LINKS, block])
    X[BOLD, b] = share(blocks[h.BOLD_BYTES, block], size)
    X[IN_CODE, b] = share(blocks[h.CODE_BYTES, block], size)
    X[IMAGES, b] = min(255, blocks[h.NUM_IMAGES, block])
    X[TIMES, b] = min(255, blocks[h.NUM_TIMES, block])
    X[BREAK, b] = (blocks[h.BREAK, block] + 1) // 2  # an empty line is a line


@inline_kernel
def describe_element(X, b, block, blocks, nodes, first_node, inherited):  # type: ignore[no-untyped-def]
    """Tags around the block, and hints by how near they are: 4 in the block or its element, 3, 2, then 1 further out."""
    node = blocks[h.NODE, block]
    parent = nodes[h.PARENT, node]
    outer = nodes[h.PARENT, parent]
    X[TAG, b] = nodes[h.TAG, node]
    X[PARENT_TAG, b] = nodes[h.TAG, parent]
    X[OUTER_TAG, b] = nodes[h.TAG, outer]
    X[DEPTH, b] = min(255, nodes[h.DEPTH, node])
    X[INDEX, b] = min(255, block - nodes[h.FIRST_BLOCK, node])
    inside = np.uint64(inherited[e.I_INSIDE, node - first_node])
    while inside:
        X[_INSIDE + lowest(inside), b] = 1
        inside &= inside - _ONE
    anywhere = inherited[e.I_HINTS, node - first_node]
    own = nodes[h.HINTS, node] | blocks[h.INLINE_HINTS, block]
    near, far = nodes[h.HINTS, parent], nodes[h.HINTS, outer]
    far |= near | own
    near |= own
    anywhere |= own
    bits = np.uint64(anywhere)
    while bits:
        k = lowest(bits)
        bits &= bits - _ONE
        X[_HINTS + k, b] = ((anywhere >> k) & 1) + ((far >> k) & 1) + ((near >> k) & 1) + ((own >> k) & 1)


@inline_kernel
def describe_places(X, num, block0, blocks, nodes, measures, page_chars, L):  # type: ignore[no-untyped-def]
    """Where each block stands in the page, and how far behind a heading and a long block."""
    since_h1, h1s, since_heading, since_long = _FAR, 0, _FAR, 0
    for b in range(num):
        tag = nodes[h.TAG, blocks[h.NODE, block0 + b]]
        since_h1, since_heading = min(_FAR, since_h1 + 1), min(_FAR, since_heading + 1)
        if t.H1 <= tag <= t.H6:
            since_heading = 0
            if tag == t.H1:
                since_h1 = 0
                h1s += 1
        X[PLACE, b] = share(b, num)
        X[TEXT_PLACE, b] = share(measures[m.SUM_CHARS, b], page_chars)
        X[BLOCKS_BEFORE, b] = log_bins(b, L)
        X[BLOCKS_AFTER, b] = log_bins(num - b, L)
        X[SINCE_H1, b] = since_h1
        X[H1S_BEFORE, b] = min(255, h1s)
        X[SINCE_HEADING, b] = since_heading
        X[SINCE_LONG, b] = log_bins(since_long, L)
        since_long = 0 if measures[m.M_CHARS, b] >= _LONG else since_long + measures[m.M_CHARS, b]


@inline_kernel
def describe_repeats(X, b, measures, slots, L):  # type: ignore[no-untyped-def]
    """How often the signature of the block's element recurs, with how much text and links, and its text."""
    place = measures[m.M_SLOT, b]
    X[SIGNATURE_BLOCKS, b] = log_bins(slots[1, place], L)
    X[SIGNATURE_MEAN, b] = log_bins(slots[2, place] // slots[1, place], L)
    X[SIGNATURE_LINKS, b] = share(slots[3, place], slots[2, place])
    X[TEXT_REPEATS, b] = min(255, slots[5, measures[m.M_TEXT_SLOT, b]])


@inline_kernel
def describe_neighbours(X, num):  # type: ignore[no-untyped-def]
    """Features of the two blocks before and the two after each."""
    for b in range(num):
        for k in range(4):
            other = b - 2 + k if k < 2 else b - 1 + k
            row = _NEIGHBOURS + _PER_NEIGHBOUR * k
            inside = 0 <= other < num
            X[row, b] = X[CHARS, other] if inside else 0
            X[row + 1, b] = X[LINKS, other] if inside else 255
            X[row + 2, b] = X[TAG, other] if inside else 0
            X[row + 3, b] = X[LAST, other] if inside else 0


@inline_kernel
def fill_row(X, row, num, value):  # type: ignore[no-untyped-def]
    """One value for all blocks of the page."""
    for b in range(num):
        X[row, b] = value


@inline_kernel
def describe_page(X, num, block0, blocks, node0, inherited, measures, pages, d, L, long_blocks):  # type: ignore[no-untyped-def]
    """The features all blocks of the page share: computed once, written along each row."""
    chars = measures[m.SUM_CHARS, num]
    unspaced, in_p, in_table, in_list, in_main = 0, 0, 0, 0, 0
    for b in range(num):
        unspaced += measures[m.M_UNSPACED, b]
        inside = inherited[e.I_INSIDE, blocks[h.NODE, block0 + b] - node0]
        held = measures[m.M_CHARS, b]
        in_p += held if inside & _P_BIT else 0
        in_table += held if inside & _TABLE_BIT else 0
        in_list += held if inside & _LIST_BIT else 0
        in_main += held if inside & _MAIN_BIT else 0
    fill_row(X, PAGE_CHARS, num, log_bins(chars, L))
    fill_row(X, PAGE_BLOCKS, num, log_bins(num, L))
    fill_row(X, PAGE_LINKS, num, share(measures[m.SUM_LINKS, num], chars))
    fill_row(X, PAGE_MEAN, num, log_bins(chars // max(1, num), L))
    fill_row(X, PAGE_LONG, num, log_bins(long_blocks, L))
    fill_row(X, PAGE_UNSPACED, num, share(unspaced, chars))
    fill_row(X, PAGE_IN_P, num, share(in_p, chars))
    fill_row(X, PAGE_IN_TABLE, num, share(in_table, chars))
    fill_row(X, PAGE_IN_LIST, num, share(in_list, chars))
    for k in range(len(_KINDS)):
        hint = L[_KIND_BITS + k]
        says = 2 * ((pages[h.SCHEMA_HINTS, d] >> hint) & 1) + ((pages[h.BODY_HINTS, d] >> hint) & 1)
        fill_row(X, _PAGE_KINDS + k, num, says)
    fill_row(X, PAGE_INPUTS, num, min(255, pages[h.NUM_INPUTS, d]))
    fill_row(X, PAGE_SCRIPTS, num, log_bins(pages[h.NUM_SCRIPTS, d], L))
    fill_row(X, PAGE_TAGS, num, log_bins(pages[h.NUM_TAGS, d], L))
    fill_row(X, PAGE_MAIN_SHARE, num, share(in_main, chars))


@inline_kernel
def measure_page(out, blocks, nodes, pages, d, L, measures, inherited, slots):  # type: ignore[no-untyped-def]
    """Counts, running sums, what nodes inherit, and repeats, of page ``d``; the number of long blocks."""
    block0, num = pages[h.BLOCKS_FROM, d], pages[h.BLOCKS_TO, d] - pages[h.BLOCKS_FROM, d]
    node0 = pages[h.NODES_FROM, d]
    size = 16
    while size < 2 * num + 2:
        size *= 2
    for row in range(8):
        for place in range(size):
            slots[row, place] = 0
    for row in range(m.SUM_CHARS, m.SUM_PUNCTUATION + 1):
        measures[row, 0] = 0
    long_blocks = 0
    for b in range(num):
        key = measure_text(out, block0 + b, b, blocks, measures)
        chars = measures[m.M_CHARS, b]
        links = min(chars, blocks[h.LINK_BYTES, block0 + b])
        measures[m.M_TEXT_SLOT, b] = count_slot(slots, 4, size - 1, key, 0, 0)
        node = blocks[h.NODE, block0 + b]
        parent = nodes[h.PARENT, node]
        signature = mix(nodes[h.SIGNATURE, node], 0) ^ nodes[h.SIGNATURE, parent]
        signature = mix(mix(signature, 0), nodes[h.TAG, node] * 128 + nodes[h.TAG, parent] + 1)
        measures[m.M_SLOT, b] = count_slot(slots, 0, size - 1, signature, chars, links)
        measures[m.SUM_CHARS, b + 1] = measures[m.SUM_CHARS, b] + chars
        measures[m.SUM_LINKS, b + 1] = measures[m.SUM_LINKS, b] + links
        measures[m.SUM_PUNCTUATION, b + 1] = measures[m.SUM_PUNCTUATION, b] + measures[m.M_PUNCTUATION, b]
        long_blocks += chars >= _LONG
    e.inherit(nodes, node0, pages[h.NODES_TO, d], inherited, L, measures[m.SUM_CHARS, num], measures, block0)
    return long_blocks


@inline_kernel
def fill_features(X, data, out, blocks, nodes, pages, d, L, measures, inherited, slots, titles_H):  # type: ignore[no-untyped-def]
    """Rows of `FEATURES` for the blocks of page ``d``; see `measure_blocks`."""
    long_blocks = measure_page(out, blocks, nodes, pages, d, L, measures, inherited, slots)
    block0, num = pages[h.BLOCKS_FROM, d], pages[h.BLOCKS_TO, d] - pages[h.BLOCKS_FROM, d]
    node0 = pages[h.NODES_FROM, d]
    page_chars = measures[m.SUM_CHARS, num]
    for row in range(_INSIDE, _CONTAINERS):
        fill_row(X, row, num, 0)
    for b in range(num):
        block = block0 + b
        node = blocks[h.NODE, block]
        describe_text(X, b, block, blocks, measures, L)
        describe_element(X, b, block, blocks, nodes, node0, inherited)
        section = inherited[e.I_SECTION, node - node0] + node0
        measures[m.M_SECTION, b] = section
        describe_containers(X, b, block0, nodes, node, section, measures, page_chars, L)
        describe_window(X, _NEAR, b, 3, num, measures, L)
        describe_window(X, _WIDE, b, 10, num, measures, L)
        describe_repeats(X, b, measures, slots, L)
    describe_places(X, num, block0, blocks, nodes, measures, page_chars, L)
    describe_neighbours(X, num)
    describe_page(X, num, block0, blocks, node0, inherited, measures, pages, d, L, long_blocks)
    find_titles(X, _TITLES, data, out, blocks, nodes, pages, d, titles_H)


@kernel
def measure_blocks(X, data, out, blocks, nodes, pages, L, measures, inherited, slots, titles_H):  # type: ignore[no-untyped-def]
    """Features of all blocks of all pages, for training: block ``b`` fills column ``b`` of ``X``."""
    for d in range(pages.shape[1]):
        fill_features(X[:, pages[h.BLOCKS_FROM, d] :], data, out, blocks, nodes, pages, d, L, measures, inherited, slots,
                      titles_H)  # fmt: skip
