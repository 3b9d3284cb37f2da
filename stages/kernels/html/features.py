"""Numbers from 0 to 255 that describe a block of text in its page: what the block classifier looks at.

For `stages.extraction`, after `blocks.scan_pages`. `measure_blocks` fills ``X_FB`` (uint8, one row a feature, one column
a block, names in `FEATURES`) for the blocks of one page. All arithmetic is on integers: counts become eighths of an octave (`log_bins`),
shares become 255ths, so the numbers are the same on every machine.

Groups of features: the block's text (characters, words, digits, punctuation, first and last character); links, bold, code;
its element, the two around it and what they hold; elements it stands in; class, id and role words and how near they
are (`hints`); the two blocks before and after; density of text around; place in the page; how often its element's
signature recurs; the page as a whole (what kind of page it says it is, how much of it is link, list or running text).

Price: linear in blocks and nodes. Legend: B blocks, M nodes of the page; F features; L table of logarithms.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from stages.kernels.html import layout as h
from stages.kernels.html import tokens as t
from stages.kernels.html.hints import HINT_NAMES
from stages.kernels.html.kinds import CODE
from stages.kernels.html.tables import hash_span, mix
from stages.kernels.html.titles import TITLES, find_titles
from stages.kernels.jit import lean_inline_kernel as inline_kernel
from stages.kernels.jit import lean_kernel as kernel
from stages.kernels.simd import block_bits, lowest, ones

_INSIDE = {
    "article": (t.ARTICLE,), "main": (t.MAIN,), "nav": (t.NAV,), "aside": (t.ASIDE,), "header": (t.HEADER,),
    "footer": (t.FOOTER,), "form": (t.FORM, t.FIELDSET), "list": (t.UL, t.OL, t.MENU), "item": (t.LI,), "table": (t.TABLE,),
    "quote": (t.BLOCKQUOTE,), "figure": (t.FIGURE, t.FIGCAPTION), "pre": (t.PRE, t.LISTING), "definitions": (t.DL,),
    "button": (t.BUTTON, t.SUMMARY), "noscript": (t.NOSCRIPT,), "heading": (t.H1, t.H2, t.H3, t.H4, t.H5, t.H6),
    "paragraph": (t.P,), "section": (t.SECTION,), "dialog": (t.DIALOG, t.VIDEO, t.AUDIO, t.CANVAS),
}  # fmt: skip
_KINDS = ("article", "forum", "product", "docs", "list", "faq", "comment", "review")
_CONTAINER = ("chars", "links", "blocks", "mean", "share", "punctuation")
FEATURES = (
    *[
        "chars",
        "words",
        "word_chars",
        "digits",
        "capitals",
        "punctuation",
        "last",
        "first",
        "unspaced",
        "links",
        "num_links",
        "bold",
        "code",
        "images",
        "times",
    ],
    *["break", "tag", "parent_tag", "outer_tag", "depth", "index_in_element"],
    *(f"in_{name}" for name in _INSIDE),
    *(f"hint_{name}" for name in (*HINT_NAMES, "not_shown")),
    *(f"{where}_{what}" for where in ("element", "parent", "outer", "section") for what in _CONTAINER),
    *(
        f"{what}_{where}"
        for where in ("before2", "before", "after", "after2")
        for what in ("chars", "links", "tag", "last")
    ),
    *["near_chars", "near_links", "wide_chars", "wide_links"],
    *[
        "place",
        "text_place",
        "blocks_before",
        "blocks_after",
        "since_h1",
        "h1s_before",
        "since_heading",
        "text_since_long",
    ],
    *["signature_blocks", "signature_mean", "signature_links", "text_repeats"],
    *[
        "page_chars",
        "page_blocks",
        "page_links",
        "page_mean",
        "page_long",
        "page_unspaced",
        "page_in_p",
        "page_in_table",
        "page_in_list",
    ],
    *(f"page_{name}" for name in _KINDS),
    *["page_inputs", "page_scripts", "page_tags", "page_main_share"],
    *TITLES,
)
NUM_FEATURES = len(FEATURES)
_AT = {name: row for row, name in enumerate(FEATURES)}
_F_INSIDE, _F_HINTS, _F_CONTAINER = _AT["in_article"], _AT[f"hint_{HINT_NAMES[0]}"], _AT["element_chars"]
_F_NEIGHBOURS, _F_NEAR, _F_PLACE = _AT["chars_before2"], _AT["near_chars"], _AT["place"]
_F_SIGNATURE, _F_PAGE, _F_KINDS = _AT["signature_blocks"], _AT["page_chars"], _AT[f"page_{_KINDS[0]}"]
_F_TITLES = _AT[TITLES[0]]
_NUM_INSIDE, _NUM_HINTS, _NUM_KINDS = len(_INSIDE), len(HINT_NAMES) + 1, len(_KINDS)
_LIST_BIT, _TABLE_BIT, _P_BIT, _MAIN_BIT = (1 << list(_INSIDE).index(n) for n in ("list", "table", "paragraph", "main"))
_LONG = 80
_ELEMENTS, _KIND_BITS = 4096, 4096 + 128  # where they stand in L
_ALL, _ONE = np.uint64(0xFFFFFFFFFFFFFFFF), np.uint64(1)

# rows of measures_RB: of each block; then running sums before each block
M_CHARS, M_WORDS, M_DIGITS, M_CAPITALS, M_PUNCTUATION, M_UNSPACED, M_LAST, M_FIRST, M_SLOT, M_TEXT_SLOT, M_SECTION = (
    range(11)
)
SUM_CHARS, SUM_LINKS, SUM_PUNCTUATION, SUM_WEIGHT, SUM_SCORE = range(11, 16)
M_HELD_BY = 16  # in column 0: the four nodes last described
MEASURES = 20
# rows of inherited_IM: of each node
I_HINTS, I_INSIDE, I_TABLE, I_ROW, I_CELL, I_ITEM, I_PRE, I_SECTION, I_QUOTE, I_INDENT, I_CONTENT = range(11)
INHERITED = 11
"""`I_INDENT` and `I_CONTENT`: spaces before the items of the innermost list, and before what stands in them."""
MAX_INDENT, LEVEL_INDENT = 24, 3
_NONE = -1


def measure_tables() -> npt.NDArray[np.int64]:
    """L: eighths of an octave of 1..4096 at 0..4095, elements' bits (128), kinds' bits."""
    L = np.zeros(4096 + 128 + _NUM_KINDS, np.int64)
    for n in range(1, 4097):
        octave = n.bit_length() - 1
        L[n - 1] = 8 * octave + (((n << 3) >> octave) & 7)
    for bit, tags in enumerate(_INSIDE.values()):
        for tag in tags:
            L[_ELEMENTS + tag] |= 1 << bit
    for k, name in enumerate(_KINDS):
        L[_KIND_BITS + k] = HINT_NAMES.index(name)
    return L


@inline_kernel
def log_bins(n, L):  # type: ignore[no-untyped-def]
    """Eighths of an octave of ``n + 1``, at most 255."""
    n = max(0, n)
    if n < 4096:
        return L[n]
    if n < 1 << 20:
        return L[n >> 8] + 64
    return min(255, L[min(4095, n >> 16)] + 128)


@inline_kernel
def share(part, whole):  # type: ignore[no-untyped-def]
    """255ths; 0 of nothing."""
    return min(255, part * 255 // whole) if whole > 0 else 0


@inline_kernel
def char_class(b):  # type: ignore[no-untyped-def]
    """1 sentence end, 2 colon, 3 comma, 4 bracket or dash or sign, 5 digit, 6 capital, 7 small letter, 8 beyond ASCII."""
    if b == 46 or b == 33 or b == 63:
        return 1
    if b == 58 or b == 59:
        return 2
    if b == 44:
        return 3
    if 48 <= b <= 57:
        return 5
    if 65 <= b <= 90:
        return 6
    if 97 <= b <= 122:
        return 7
    return 8 if b >= 128 else 4


@inline_kernel
def measure_text(out, b, i, blocks, measures, L):  # type: ignore[no-untyped-def]
    """Count what block ``b``'s text is made of, into column ``i``; gives the hash of its beginning."""
    start, stop = blocks[h.TEXT_START, b], blocks[h.TEXT_STOP, b]
    digits, capitals, punctuation, marks, unspaced, spaces = 0, 0, 0, 0, 0, 0
    k = start
    while k < stop:
        held = _ALL >> np.uint64(max(0, 64 - (stop - k)))
        digits += ones(held & block_bits(out, k, 48, 9, 0))
        capitals += ones(held & block_bits(out, k, 65, 25, 0))
        signs = block_bits(out, k, 46, 0, 0) | block_bits(out, k, 44, 0, 0) | block_bits(out, k, 58, 1, 0)
        signs |= block_bits(out, k, 33, 0, 0) | block_bits(out, k, 63, 0, 0)
        spaces += ones(held & block_bits(out, k, 32, 0, 0))
        beyond = held & block_bits(out, k, 128, 127, 0)
        if beyond:
            marks += ones(held & block_bits(out, k, 0x80, 0x3F, 0))
            unspaced += ones(held & block_bits(out, k, 0xE3, 6, 0))  # kana and Han begin with these
            signs |= block_bits(out, k, 0xEF, 0, 0)  # full-width punctuation begins with it
        punctuation += ones(held & signs)
        k += 64
    measures[M_CHARS, i] = stop - start - marks
    measures[M_WORDS, i] = spaces + 1 + unspaced
    measures[M_DIGITS, i] = digits
    measures[M_CAPITALS, i] = capitals
    measures[M_PUNCTUATION, i] = punctuation
    measures[M_UNSPACED, i] = unspaced
    last = char_class(out[stop - 1])
    if stop - start >= 3 and out[stop - 3] == 0xE3 and out[stop - 2] == 0x80 and out[stop - 1] == 0x82:
        last = 1  # ideographic full stop
    if (
        stop - start >= 3
        and out[stop - 3] == 0xEF
        and out[stop - 2] == 0xBC
        and (out[stop - 1] == 0x81 or out[stop - 1] == 0x9F)
    ):
        last = 1  # full-width ! and ?
    measures[M_LAST, i] = last
    measures[M_FIRST, i] = char_class(out[start])
    return hash_span(out, start, min(stop, start + 48))


@inline_kernel
def inherit(nodes, first, last, inherited, L, chars_total, measures, base):  # type: ignore[no-untyped-def]
    """What each node takes from those around it; a parent stands before its children."""
    for n in range(first, last):
        m = n - first
        tag, parent = nodes[h.TAG, n], nodes[h.PARENT, n] - first
        if n == first:
            for row in range(INHERITED):
                inherited[row, m] = _NONE
            inherited[I_HINTS, m] = 0
            inherited[I_INSIDE, m] = 0
            inherited[I_SECTION, m] = m
            inherited[I_INDENT, m] = 0
            inherited[I_CONTENT, m] = 0
            continue
        for row in range(INHERITED):
            inherited[row, m] = inherited[row, parent]
        inherited[I_HINTS, m] |= nodes[h.HINTS, n]
        inherited[I_INSIDE, m] |= L[_ELEMENTS + tag]
        if tag == t.TABLE:
            inherited[I_TABLE, m] = m
            inherited[I_ROW, m] = _NONE
            inherited[I_CELL, m] = _NONE
        elif tag == t.TR:
            inherited[I_ROW, m] = m
        elif t.TD <= tag <= t.CAPTION:
            inherited[I_CELL, m] = m
        elif tag == t.LI or tag == t.DD or tag == t.DT:
            inherited[I_ITEM, m] = m
            inherited[I_INDENT, m] += LEVEL_INDENT * nodes[h.LEVEL, n]
        elif tag == t.UL or tag == t.OL or tag == t.MENU:
            width = 3 if tag == t.OL else 2
            inherited[I_INDENT, m] = min(MAX_INDENT, inherited[I_CONTENT, m] + LEVEL_INDENT * nodes[h.LEVEL, n])
            inherited[I_CONTENT, m] = min(MAX_INDENT, inherited[I_INDENT, m] + width)
        elif tag == t.BLOCKQUOTE:
            inherited[I_QUOTE, m] = m
        elif (tag == t.PRE or tag == t.LISTING) and inherited[I_PRE, m] < 0:
            inherited[I_PRE, m] = m
        if nodes[h.KINDS, n] & CODE and inherited[I_PRE, m] < 0:
            inherited[I_PRE, m] = m
        held = measures[SUM_CHARS, nodes[h.LAST_BLOCK, n] - base] - measures[SUM_CHARS, nodes[h.FIRST_BLOCK, n] - base]
        if held * 3 >= chars_total:
            inherited[I_SECTION, m] = m


@inline_kernel
def count_slot(slots, row, mask, key, weight, links):  # type: ignore[no-untyped-def]
    """Add one to the open-addressed counter of ``key`` (4 rows from ``row``: key, count, weight, links); its place."""
    place = (key >> 32) & mask
    while slots[row + 1, place] != 0 and slots[row, place] != key:
        place = (place + 1) & mask
    slots[row, place] = key
    slots[row + 1, place] += 1
    slots[row + 2, place] += weight
    slots[row + 3, place] += links
    return place


@inline_kernel
def describe_container(X, row, b, first, last, measures, page_chars, L):  # type: ignore[no-untyped-def]
    """Six features of blocks ``first`` to ``last``."""
    chars = measures[SUM_CHARS, last] - measures[SUM_CHARS, first]
    X[row, b] = log_bins(chars, L)
    X[row + 1, b] = share(measures[SUM_LINKS, last] - measures[SUM_LINKS, first], chars)
    X[row + 2, b] = log_bins(last - first, L)
    X[row + 3, b] = log_bins(chars // max(1, last - first), L)
    X[row + 4, b] = share(chars, page_chars)
    X[row + 5, b] = share(8 * (measures[SUM_PUNCTUATION, last] - measures[SUM_PUNCTUATION, first]), chars)


@inline_kernel
def describe_window(X, row, b, radius, num, measures, L):  # type: ignore[no-untyped-def]
    """Two features of the blocks at most ``radius`` away."""
    first, last = max(0, b - radius), min(num, b + radius + 1)
    chars = measures[SUM_CHARS, last] - measures[SUM_CHARS, first]
    X[row, b] = log_bins(chars // (last - first), L)
    X[row + 1, b] = share(measures[SUM_LINKS, last] - measures[SUM_LINKS, first], chars)


@inline_kernel
def describe_text(X, b, block, blocks, measures, L):  # type: ignore[no-untyped-def]
    """The features of the block's own text."""
    chars, words = measures[M_CHARS, b], measures[M_WORDS, b]
    size = max(1, blocks[h.TEXT_STOP, block] - blocks[h.TEXT_START, block])
    X[0, b] = log_bins(chars, L)
    X[1, b] = log_bins(words, L)
    X[2, b] = min(255, chars * 8 // max(1, words))
    X[3, b] = share(measures[M_DIGITS, b], chars)
    X[4, b] = share(measures[M_CAPITALS, b], chars)
    X[5, b] = share(8 * measures[M_PUNCTUATION, b], chars)
    X[6, b] = measures[M_LAST, b]
    X[7, b] = measures[M_FIRST, b]
    X[8, b] = share(measures[M_UNSPACED, b], chars)
    X[9, b] = share(blocks[h.LINK_BYTES, block], size)
    X[10, b] = min(255, blocks[h.NUM_LINKS, block])
    X[11, b] = share(blocks[h.BOLD_BYTES, block], size)
    X[12, b] = share(blocks[h.CODE_BYTES, block], size)
    X[13, b] = min(255, blocks[h.NUM_IMAGES, block])
    X[14, b] = min(255, blocks[h.NUM_TIMES, block])
    X[15, b] = blocks[h.BREAK, block]


@inline_kernel
def describe_element(X, b, block, blocks, nodes, first_node, inherited):  # type: ignore[no-untyped-def]
    """Tags around the block, and hints by how near they are: 4 in the block or its element, 3, 2, then 1 further out."""
    node = blocks[h.NODE, block]
    parent = nodes[h.PARENT, node]
    outer = nodes[h.PARENT, parent]
    X[16, b] = nodes[h.TAG, node]
    X[17, b] = nodes[h.TAG, parent]
    X[18, b] = nodes[h.TAG, outer]
    X[19, b] = min(255, nodes[h.DEPTH, node])
    X[20, b] = min(255, block - nodes[h.FIRST_BLOCK, node])
    inside = np.uint64(inherited[I_INSIDE, node - first_node])
    while inside:
        X[_F_INSIDE + lowest(inside), b] = 1
        inside &= inside - _ONE
    anywhere = inherited[I_HINTS, node - first_node]
    own = nodes[h.HINTS, node] | blocks[h.INLINE_HINTS, block]
    near, far = nodes[h.HINTS, parent], nodes[h.HINTS, outer]
    far |= near | own
    near |= own
    anywhere |= own
    bits = np.uint64(anywhere)
    while bits:
        k = lowest(bits)
        bits &= bits - _ONE
        X[_F_HINTS + k, b] = ((anywhere >> k) & 1) + ((far >> k) & 1) + ((near >> k) & 1) + ((own >> k) & 1)


@inline_kernel
def fill_row(X, row, num, value):  # type: ignore[no-untyped-def]
    """One value for all blocks of the page."""
    for b in range(num):
        X[row, b] = value


@inline_kernel
def describe_page(X, num, block0, blocks, nodes, node0, inherited, measures, pages, d, L, long_blocks):  # type: ignore[no-untyped-def]
    """The features all blocks of the page share: computed once, written along each row."""
    chars = measures[SUM_CHARS, num]
    unspaced, in_p, in_table, in_list, in_main = 0, 0, 0, 0, 0
    for b in range(num):
        unspaced += measures[M_UNSPACED, b]
        inside = inherited[I_INSIDE, blocks[h.NODE, block0 + b] - node0]
        held = measures[M_CHARS, b]
        in_p += held if inside & _P_BIT else 0
        in_table += held if inside & _TABLE_BIT else 0
        in_list += held if inside & _LIST_BIT else 0
        in_main += held if inside & _MAIN_BIT else 0
    row = _F_PAGE
    fill_row(X, row, num, log_bins(chars, L))
    fill_row(X, row + 1, num, log_bins(num, L))
    fill_row(X, row + 2, num, share(measures[SUM_LINKS, num], chars))
    fill_row(X, row + 3, num, log_bins(chars // max(1, num), L))
    fill_row(X, row + 4, num, log_bins(long_blocks, L))
    fill_row(X, row + 5, num, share(unspaced, chars))
    fill_row(X, row + 6, num, share(in_p, chars))
    fill_row(X, row + 7, num, share(in_table, chars))
    fill_row(X, row + 8, num, share(in_list, chars))
    for k in range(_NUM_KINDS):
        hint = L[_KIND_BITS + k]
        fill_row(
            X, _F_KINDS + k, num, 2 * ((pages[h.SCHEMA_HINTS, d] >> hint) & 1) + ((pages[h.BODY_HINTS, d] >> hint) & 1)
        )
    row = _F_KINDS + _NUM_KINDS
    fill_row(X, row, num, min(255, pages[h.NUM_INPUTS, d]))
    fill_row(X, row + 1, num, log_bins(pages[h.NUM_SCRIPTS, d], L))
    fill_row(X, row + 2, num, log_bins(pages[h.NUM_TAGS, d], L))
    fill_row(X, row + 3, num, share(in_main, chars))


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
    for row in range(SUM_CHARS, SUM_PUNCTUATION + 1):
        measures[row, 0] = 0
    long_blocks = 0
    for b in range(num):
        key = measure_text(out, block0 + b, b, blocks, measures, L)
        chars = measures[M_CHARS, b]
        links = min(chars, blocks[h.LINK_BYTES, block0 + b])
        measures[M_TEXT_SLOT, b] = count_slot(slots, 4, size - 1, key, 0, 0)
        node = blocks[h.NODE, block0 + b]
        parent = nodes[h.PARENT, node]
        signature = mix(nodes[h.SIGNATURE, node], 0) ^ nodes[h.SIGNATURE, parent]
        signature = mix(mix(signature, 0), nodes[h.TAG, node] * 128 + nodes[h.TAG, parent] + 1)
        measures[M_SLOT, b] = count_slot(slots, 0, size - 1, signature, chars, links)
        measures[SUM_CHARS, b + 1] = measures[SUM_CHARS, b] + chars
        measures[SUM_LINKS, b + 1] = measures[SUM_LINKS, b] + links
        measures[SUM_PUNCTUATION, b + 1] = measures[SUM_PUNCTUATION, b] + measures[M_PUNCTUATION, b]
        long_blocks += chars >= _LONG
    inherit(nodes, node0, pages[h.NODES_TO, d], inherited, L, measures[SUM_CHARS, num], measures, block0)
    return long_blocks


@inline_kernel
def fill_features(X, data, out, blocks, nodes, pages, d, L, measures, inherited, slots, titles_H):  # type: ignore[no-untyped-def]
    """Rows of `FEATURES` for the blocks of page ``d``; see `measure_blocks`."""
    long_blocks = measure_page(out, blocks, nodes, pages, d, L, measures, inherited, slots)
    block0, num = pages[h.BLOCKS_FROM, d], pages[h.BLOCKS_TO, d] - pages[h.BLOCKS_FROM, d]
    node0 = pages[h.NODES_FROM, d]
    page_chars = measures[SUM_CHARS, num]
    since_h1, h1s, since_heading, since_long = 250, 0, 250, 0
    for row in range(_F_INSIDE, _F_HINTS + _NUM_HINTS):
        fill_row(X, row, num, 0)
    for b in range(num):
        block = block0 + b
        node = blocks[h.NODE, block]
        parent = nodes[h.PARENT, node]
        outer = nodes[h.PARENT, parent]
        describe_text(X, b, block, blocks, measures, L)
        describe_element(X, b, block, blocks, nodes, node0, inherited)
        section = inherited[I_SECTION, node - node0] + node0
        measures[M_SECTION, b] = section
        for level in range(4):
            held_by = node if level == 0 else parent if level == 1 else outer if level == 2 else section
            row = _F_CONTAINER + 6 * level
            if held_by == measures[M_HELD_BY + level, 0] and b > 0:
                for k in range(row, row + 6):
                    X[k, b] = X[k, b - 1]
            else:
                measures[M_HELD_BY + level, 0] = held_by
                first, last = nodes[h.FIRST_BLOCK, held_by] - block0, nodes[h.LAST_BLOCK, held_by] - block0
                describe_container(X, row, b, first, last, measures, page_chars, L)
        describe_window(X, _F_NEAR, b, 3, num, measures, L)
        describe_window(X, _F_NEAR + 2, b, 10, num, measures, L)
        tag = nodes[h.TAG, node]
        since_h1, since_heading = min(250, since_h1 + 1), min(250, since_heading + 1)
        if t.H1 <= tag <= t.H6:
            since_heading = 0
            if tag == t.H1:
                since_h1 = 0
                h1s += 1
        row = _F_PLACE
        X[row, b] = share(b, num)
        X[row + 1, b] = share(measures[SUM_CHARS, b], page_chars)
        X[row + 2, b] = log_bins(b, L)
        X[row + 3, b] = log_bins(num - b, L)
        X[row + 4, b] = since_h1
        X[row + 5, b] = min(255, h1s)
        X[row + 6, b] = since_heading
        X[row + 7, b] = log_bins(since_long, L)
        since_long = 0 if measures[M_CHARS, b] >= _LONG else since_long + measures[M_CHARS, b]
        place = measures[M_SLOT, b]
        row = _F_SIGNATURE
        X[row, b] = log_bins(slots[1, place], L)
        X[row + 1, b] = log_bins(slots[2, place] // slots[1, place], L)
        X[row + 2, b] = share(slots[3, place], slots[2, place])
        X[row + 3, b] = min(255, slots[5, measures[M_TEXT_SLOT, b]])
    for b in range(num):
        for k in range(4):
            other = b - 2 + k if k < 2 else b - 1 + k
            row = _F_NEIGHBOURS + 4 * k
            inside = 0 <= other < num
            X[row, b] = X[0, other] if inside else 0
            X[row + 1, b] = X[9, other] if inside else 255
            X[row + 2, b] = X[16, other] if inside else 0
            X[row + 3, b] = X[6, other] if inside else 0
    describe_page(X, num, block0, blocks, nodes, node0, inherited, measures, pages, d, L, long_blocks)
    find_titles(X, _F_TITLES, data, out, blocks, nodes, pages, d, titles_H)


@kernel
def measure_blocks(X, data, out, blocks, nodes, pages, L, measures, inherited, slots, titles_H):  # type: ignore[no-untyped-def]
    """Features of all blocks of all pages, for training: block ``b`` fills column ``b`` of ``X``."""
    for d in range(pages.shape[1]):
        fill_features(X[:, pages[h.BLOCKS_FROM, d] :], data, out, blocks, nodes, pages, d, L, measures, inherited, slots,
                      titles_H)  # fmt: skip
