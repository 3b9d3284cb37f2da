"""From HTML bytes to blocks of text and the elements that hold them, in one pass.

For `stages.extraction`: `scan_pages` takes the pages of a batch as UTF-8 bytes and gives

- text: what stands between block-level tags (`br` too), references decoded, runs of white space one space, `pre` as it
  is; no script, style, comment, template, drop-down, textarea or svg; no readings of ruby, no pilcrow that links to its
  own heading, no ``[edit]`` of MediaWiki;
- blocks ``blocks_CB``: one column a block of text, rows `TEXT_START` ... `BREAK`;
- nodes ``nodes_CM``: one column an element that holds blocks, in document order, rows `TAG` ... `LAST_BLOCK`;
  the first node of a page is its root;
- pages ``pages_CD``: where a page's blocks and nodes begin and end, and spans of the HTML for title, language, licence,
  address and date.

Method: the HTML standard's tokenizer, and of its tree builder what moves text or ends elements: implied ends (`p`, `li`,
`dt`, `dd`, table parts, headings, nested `a`), scopes, raw text, foreign content. Not followed: text straight inside a table
stays where it is written (the standard moves it before the table), formatting elements are marks and not nodes,
and below `MAX_DEPTH` open elements a further one is not a node. A page that begins with an XML declaration may close
`<script/>` as XML does.

Price: time and memory linear in the bytes of the page whatever it holds. The caller reserves a column of blocks and nodes
for every `<` and `MAX_GROWTH` bytes of text for every byte of HTML; input must be valid UTF-8 for the output to be so,
but any bytes are safe.

Legend: B blocks, M nodes, D pages, C rows of a table, S slots of state.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from stages.kernels.html import inline as inline
from stages.kernels.html import tokens as t
from stages.kernels.html.entities import fill_reference_tables, read_reference
from stages.kernels.html.formulas import fill_math_tables
from stages.kernels.html.hints import HINT_BITS, HINT_NAMES, NOT_SHOWN, fill_hint_table, read_hints
from stages.kernels.html.kinds import (
    CODE,
    CODE_WORD,
    DISPLAY,
    EXTRA,
    FORMULA,
    GLYPHS,
    GUTTER,
    LANGUAGE,
    LINES,
    MATH,
    NAMED,
    RENDERED,
    SOURCE,
    UNSEEN,
    fill_kind_table,
    find_language,
    read_kinds,
)
from stages.kernels.html.state import (
    CACHE,
    CACHE_SIZE,
    NUM_SLOTS,
    OPEN,
    S_BLOCKS,
    S_BOLD,
    S_BOLD_BYTES,
    S_BREAK,
    S_CODE,
    S_CODE_BYTES,
    S_DEPTH,
    S_DRAWN_TEX,
    S_DROP_DEPTH,
    S_DROPPED,
    S_HIDDEN_BYTES,
    S_HINTS,
    S_IMAGES,
    S_INSIDE,
    S_LANG_AT,
    S_LANG_DEPTH,
    S_LANG_FROM,
    S_LANG_LAST,
    S_LANG_TO,
    S_LINE_FROM,
    S_LINE_OVER,
    S_LINK,
    S_LINK_BYTES,
    S_LINKS,
    S_MARKS,
    S_MARKS_FROM,
    S_MATH_TO,
    S_NODES,
    S_OVERFLOW,
    S_PRE_DEPTH,
    S_PRE_NODE,
    S_PRE_OVER,
    S_REGION,
    S_REGION_BLOCK,
    S_REGION_COUNT,
    S_REGION_DEPTH,
    S_REGION_FROM,
    S_REGION_OVER,
    S_REGION_TAG,
    S_SCRIPT,
    S_SCRIPT_DEPTH,
    S_SCRIPT_LINK,
    S_SHOW_ALL,
    S_TEX_DISPLAY,
    S_TEX_SURE,
    S_TEXT,
    S_TIMES,
    S_XML,
    SPANS,
    STACK_NODES,
    STACK_TAGS,
    WORK_SLOTS,
)
from stages.kernels.html.symbols import fill_symbol_table
from stages.kernels.html.tables import BYTE_CLASSES, FNV_START, TABLE_SLOTS, TAG_FLAGS, fnv, hash_span, mix
from stages.kernels.html.tokens import (
    find_byte,
    find_raw_end,
    is_space,
    read_attributes,
    read_tag_name,
    skip_markup,
)
from stages.kernels.jit import lean_inline_kernel as inline_kernel
from stages.kernels.jit import lean_kernel as kernel
from stages.kernels.simd import block_bits, copy_block, lowest

MAX_DEPTH = 256
HINT_BYTES = 400
"""Of a class or id, this much is read."""

# rows of blocks_CB
(TEXT_START, TEXT_STOP, NODE, BREAK, LINK_BYTES, NUM_LINKS, BOLD_BYTES, CODE_BYTES, INLINE_HINTS, NUM_IMAGES,
 NUM_TIMES, NAME_FROM, NAME_TO, MARKS_FROM, MARKS_TO, MARK) = range(16)  # fmt: skip
BLOCK_ROWS = 16
"""`NAME_FROM` to `NAME_TO` is the span of the language of code; marks `MARKS_FROM` // 2 to `MARKS_TO`, places where inline code begins and
ends, stand in the row `MARK` one after the other, each twice its place in the text and 1 for an end; an odd `MARKS_FROM`: the block begins in code."""
# rows of nodes_CM
TAG, PARENT, HINTS, SIGNATURE, FIRST_BLOCK, LAST_BLOCK, DEPTH, VALUE, KINDS = range(9)
NODE_ROWS = 9
"""`VALUE`: number of an item of an ordered list and 1 << 40; columns and rows << 20 that a cell spans."""
# rows of pages_CD
(BLOCKS_FROM, BLOCKS_TO, NODES_FROM, NODES_TO, TITLE_FROM, TITLE_TO, SOCIAL_TITLE_FROM, SOCIAL_TITLE_TO, LANG_FROM, LANG_TO,
 ADDRESS_FROM, ADDRESS_TO, LICENCE_FROM, LICENCE_TO, DATE_FROM, DATE_TO, SCHEMA_HINTS, BODY_HINTS, NUM_TAGS, NUM_INPUTS,
 NUM_SCRIPTS) = range(21)  # fmt: skip
PAGE_ROWS = 21
# what separates a block from the one before it
LINE, PARTS = 1, 2

_OFF = -1
_U1 = np.uint64(1)
KIND_SHIFT = 40
HINT_MASK = (1 << KIND_SHIFT) - 1
assert len(HINT_NAMES) < KIND_SHIFT
IS_NUMBERED = 1 << 40
MAX_NAME = 24
_TEX_ATTRIBUTES = sum(1 << which for which in range(t.DATA_TEX, t.DATA_EQUATION + 1))
_LANG_ATTRIBUTES = 1 << t.DATA_LANG | 1 << t.DATA_LANGUAGE | 1 << t.DATA_TAGSEARCH
_VALUES = 1 << t.COLSPAN | 1 << t.ROWSPAN
_HIDING = 1 << t.STYLE_ATTR | 1 << t.HIDDEN
_UNFOLDING, _CONSENT = 1 << HINT_BITS["faq"] | 1 << HINT_BITS["hero"], HINT_BITS["consent"]
MIN_HIDDEN, HIDDEN_SHARE = 400, 1
"""A page that hides more bytes than the first, and more than so many times what it shows, is one that a script shows: read again with them."""
_OG_TITLE, _OG_TYPE, _GENERATOR, _PUBLISHED, _DATE, _CANONICAL, _LICENSE, _LINKED_DATA = (
    fnv(name)
    for name in (b"og:title", b"og:type", b"generator", b"article:published_time", b"date", b"canonical", b"license",
                 b"application/ld+json")
)  # fmt: skip
_EDIT_SECTION, _PARA, _NUMBER_182, _NUMBER_B6, _NUMBER_B6_SMALL = (
    fnv(name) for name in (b"mw-editsection", b"para", b"#182", b"#xB6", b"#xb6")
)


def scan_tables() -> npt.NDArray[np.int64]:
    """T: all tables of the kernels, made once a process (about 10 ms)."""
    T = np.zeros(TABLE_SLOTS, np.int64)
    t.fill_token_tables(T)
    fill_reference_tables(T)
    fill_hint_table(T)
    fill_kind_table(T)
    fill_symbol_table(T)
    fill_math_tables(T)
    classes = T[BYTE_CLASSES:]
    classes[[9, 10, 12, 13, 32]] = 1
    classes[[ord("<"), ord("&")]] = 2
    classes[0] = 3
    classes[0xC2] = 4  # may begin a no-break space
    T.flags.writeable = False
    return T


def scan_work() -> npt.NDArray[np.int64]:
    """W: fresh state; may be used for any number of calls, by one thread at a time."""
    return np.zeros(WORK_SLOTS, np.int64)


@inline_kernel
def copy_text(data, pos, end, T, out, o, start, pre):  # type: ignore[no-untyped-def]
    """Copy text up to the next ``<`` or ``&``, white space normalised: (position there, next o)."""
    while pos < end:
        if not pre and pos + 64 <= end:
            spaces = block_bits(data, pos, 32, 0, 0)
            ends = spaces & (spaces >> _U1) | block_bits(data, pos, 0, 31, 0) | block_bits(data, pos, 60, 0, 0)
            ends |= block_bits(data, pos, 38, 0, 0) | block_bits(data, pos, 0xC2, 0, 0)
            if o == start or out[o - 1] <= 32:
                ends |= spaces & _U1
            plain = lowest(ends)
            copy_block(data, pos, out, o)
            pos += plain
            o += plain
            if plain == 64:
                continue
        b = data[pos]
        k = T[BYTE_CLASSES + b]
        if k == 0:
            out[o] = b
            o += 1
        elif k == 1:
            if pre:
                if b != 13:
                    out[o] = b
                    o += 1
                elif pos + 1 >= end or data[pos + 1] != 10:
                    out[o] = 10
                    o += 1
            else:
                if o > start and out[o - 1] > 32:
                    out[o] = 32
                    o += 1
                while pos + 1 < end and T[BYTE_CLASSES + data[pos + 1]] == 1:
                    pos += 1
        elif k == 2:
            break
        elif k == 4:
            if pos + 1 < end and data[pos + 1] == 0xA0:
                pos += 1
                if pre or (o > start and out[o - 1] > 32):
                    out[o] = 32
                    o += 1
            elif pos + 1 < end and data[pos + 1] == 0xAD:
                pos += 1  # a soft hyphen
            else:
                out[o] = b
                o += 1
        pos += 1
    return pos, o


@inline_kernel
def fold_reference(out, before, o, start, pre):  # type: ignore[no-untyped-def]
    """White space written by a reference at ``out[before:o]`` becomes a space: next o."""
    if o - before == 1 and is_space(out[before]):
        if pre:
            return o
    elif not (o - before == 2 and out[before] == 0xC2 and out[before + 1] == 0xA0):
        return before if o - before == 2 and out[before] == 0xC2 and out[before + 1] == 0xAD else o
    if not pre and (before == start or out[before - 1] <= 32):
        return before
    out[before] = 32
    return before + 1


@inline_kernel
def mark_off(W, mark, o):  # type: ignore[no-untyped-def]
    """End an inline mark (link, bold or code): its bytes in this block are added up."""
    if W[mark] != _OFF:
        W[mark + 3] += max(0, o - W[mark])
        W[mark] = _OFF


@inline_kernel
def in_code(W):  # type: ignore[no-untyped-def]
    """Whether white space and lines are kept: in `pre`, or in an element that shows code (`kinds.CODE`)."""
    return W[OPEN + t.PRE] + W[OPEN + t.LISTING] + W[S_PRE_DEPTH] > 0


@inline_kernel
def note_name(data, W, blocks, b, out, o):  # type: ignore[no-untyped-def]
    """Write the name of the language of code block ``b`` behind it, once for each place that tells it: next o."""
    if W[S_LANG_LAST] != W[S_LANG_FROM]:
        W[S_LANG_LAST] = W[S_LANG_FROM]
        W[S_LANG_AT] = o
        for i in range(W[S_LANG_FROM], min(W[S_LANG_TO], W[S_LANG_FROM] + MAX_NAME)):
            c = data[i]
            if not (inline.is_alnum(c) or c == 35 or c == 43 or c == 45 or c == 46 or c == 95):
                break
            out[o] = c | 0x20 if 65 <= c <= 90 else c
            o += 1
        W[S_LANG_TO] = W[S_LANG_FROM] + o - W[S_LANG_AT]
    blocks[NAME_FROM, b] = W[S_LANG_AT]
    blocks[NAME_TO, b] = W[S_LANG_AT] + W[S_LANG_TO] - W[S_LANG_FROM]
    return o


@inline_kernel
def mark_code(W, blocks, o, is_end):  # type: ignore[no-untyped-def]
    """Note where inline code begins or ends."""
    blocks[MARK, W[S_MARKS]] = 2 * o + is_end
    W[S_MARKS] += 1


@inline_kernel
def end_block(data, W, blocks, out, o, strength):  # type: ignore[no-untyped-def]
    """Close the block of text that ends at ``o``, if there is any: next o."""
    start = W[S_TEXT]
    stop = o
    while stop > start and is_space(out[stop - 1]):
        stop -= 1
    if stop > start:
        for mark in range(S_LINK, S_LINK + 3):
            if W[mark] != _OFF:
                W[mark + 3] += max(0, stop - W[mark])
                W[mark] = stop
        b = W[S_BLOCKS]
        first = start
        while out[first] == 10:  # pre: empty lines at its beginning
            first += 1
        blocks[TEXT_START, b] = first
        blocks[TEXT_STOP, b] = stop
        blocks[NODE, b] = W[S_PRE_NODE] if W[S_PRE_DEPTH] > 0 else W[STACK_NODES + W[S_DEPTH] - 1]
        blocks[BREAK, b] = W[S_BREAK]
        blocks[LINK_BYTES, b] = min(W[S_LINK_BYTES], stop - first)
        blocks[NUM_LINKS, b] = W[S_LINKS]
        blocks[BOLD_BYTES, b] = min(W[S_BOLD_BYTES], stop - first)
        blocks[CODE_BYTES, b] = min(W[S_CODE_BYTES], stop - first)
        blocks[INLINE_HINTS, b] = W[S_HINTS]
        blocks[NUM_IMAGES, b] = W[S_IMAGES]
        blocks[NUM_TIMES, b] = W[S_TIMES]
        blocks[NAME_FROM, b] = 0
        blocks[NAME_TO, b] = 0
        if W[S_LANG_DEPTH] > 0 and in_code(W):
            stop = note_name(data, W, blocks, b, out, stop)
        blocks[MARKS_FROM, b] = W[S_MARKS_FROM]
        blocks[MARKS_TO, b] = W[S_MARKS]
        W[S_MARKS_FROM] = 2 * W[S_MARKS] + (W[S_CODE] != _OFF)
        W[S_BLOCKS] = b + 1
        W[S_HINTS] = 0
        W[S_LINKS] = 1 if W[S_LINK] != _OFF else 0
        W[S_IMAGES] = 0
        W[S_TIMES] = 0
        W[S_BREAK] = 0
    else:
        stop = start
        for mark in range(S_LINK, S_LINK + 3):
            if W[mark] != _OFF:
                W[mark] = stop
    W[S_SCRIPT] = 0
    W[S_LINK_BYTES] = 0
    W[S_BOLD_BYTES] = 0
    W[S_CODE_BYTES] = 0
    W[S_TEXT] = stop
    W[S_BREAK] = max(W[S_BREAK], strength)
    return stop


@inline_kernel
def pop_to(W, nodes, depth):  # type: ignore[no-untyped-def]
    """Close open elements until ``depth`` are left."""
    while W[S_DEPTH] > depth:
        W[S_DEPTH] -= 1
        W[OPEN + W[STACK_TAGS + W[S_DEPTH]]] -= 1
        nodes[LAST_BLOCK, W[STACK_NODES + W[S_DEPTH]]] = W[S_BLOCKS]
    if depth < W[S_REGION_DEPTH]:
        W[S_REGION_OVER] = 1
    if depth < W[S_PRE_DEPTH]:
        W[S_PRE_OVER] = 1
    if depth < W[S_LANG_DEPTH] and not W[S_PRE_OVER]:
        W[S_LANG_DEPTH] = 0


@inline_kernel
def find_open(W, T, first_tag, last_tag, boundary):  # type: ignore[no-untyped-def]
    """Stack place of the innermost open element from ``first_tag`` to ``last_tag``, not looking beyond a scope
    (``boundary`` SCOPE), beyond a table (0) or beyond a list (``boundary`` -1); -1 if there is none."""
    i = W[S_DEPTH] - 1
    while i > 0:
        tag = W[STACK_TAGS + i]
        if first_tag <= tag <= last_tag:
            return i
        if boundary > 0:
            if T[TAG_FLAGS + tag] & t.SCOPE:
                return -1
        elif tag == t.TABLE or (
            boundary < 0 and (tag == t.UL or tag == t.OL or tag == t.DL or T[TAG_FLAGS + tag] & t.SCOPE)
        ):
            return -1
        i -= 1
    return -1


@inline_kernel
def close_implied(W, nodes, T, tag):  # type: ignore[no-untyped-def]
    """What a start tag ends before it begins: a paragraph, a list item, a cell, a heading, ..."""
    if T[TAG_FLAGS + tag] & t.CLOSES_P and W[OPEN + t.P] > 0:
        i = find_open(W, T, t.P, t.P, t.SCOPE)
        if i > 0:
            pop_to(W, nodes, i)
    i = -1
    if t.H1 <= tag <= t.H6:
        i = W[S_DEPTH] - 1
        if not t.H1 <= W[STACK_TAGS + i] <= t.H6:
            i = -1
    elif tag == t.LI:
        if W[OPEN + t.LI] > 0:
            i = find_open(W, T, t.LI, t.LI, -1)
    elif tag == t.DD or tag == t.DT:
        if W[OPEN + t.DD] + W[OPEN + t.DT] > 0:
            i = find_open(W, T, t.DD, t.DT, -1)
    elif tag == t.BUTTON:
        if W[OPEN + t.BUTTON] > 0:
            i = find_open(W, T, t.BUTTON, t.BUTTON, 0)
    elif t.TABLE <= tag <= t.TFOOT and W[OPEN + t.TABLE] > 0:
        top = W[STACK_TAGS + W[S_DEPTH] - 1]
        if tag == t.TABLE:
            if top == t.TABLE or top == t.TR or t.TBODY <= top <= t.TFOOT:
                i = find_open(W, T, t.TABLE, t.TABLE, t.SCOPE)
        elif tag == t.TD or tag == t.TH:
            i = find_open(W, T, t.TD, t.CAPTION, 0)
        elif tag == t.TR:
            i = find_open(W, T, t.TR, t.TR, 0)
            if i < 0:
                i = find_open(W, T, t.TD, t.CAPTION, 0)
        else:
            i = W[S_DEPTH]
            while i > 1 and W[STACK_TAGS + i - 1] != t.TABLE:
                i -= 1
    if i > 0:
        pop_to(W, nodes, i)


@inline_kernel
def open_element(W, nodes, T, tag, hints, signature, kinds):  # type: ignore[no-untyped-def]
    """Push an element and make its node; too deep, it is only counted and False."""
    depth = W[S_DEPTH]
    if depth >= MAX_DEPTH:
        W[S_OVERFLOW] += 1
        return False
    node = W[S_NODES]
    parent = W[STACK_NODES + depth - 1] if depth > 0 else node
    nodes[TAG, node] = tag
    nodes[PARENT, node] = parent
    nodes[HINTS, node] = hints
    nodes[SIGNATURE, node] = signature
    nodes[FIRST_BLOCK, node] = W[S_BLOCKS]
    nodes[LAST_BLOCK, node] = W[S_BLOCKS]
    nodes[DEPTH, node] = depth
    W[STACK_TAGS + depth] = tag
    W[STACK_NODES + depth] = node
    W[OPEN + tag] += 1
    nodes[VALUE, node] = 0
    nodes[KINDS, node] = kinds
    W[S_NODES] = node + 1
    W[S_DEPTH] = depth + 1
    return True


@inline_kernel
def close_element(W, nodes, T, tag):  # type: ignore[no-untyped-def]
    """An end tag: close the innermost such element in scope; without one it closes nothing."""
    first, last = tag, tag
    if t.H1 <= tag <= t.H6:
        first, last = t.H1, t.H6
    if W[S_OVERFLOW] > 0:
        W[S_OVERFLOW] -= 1
        return
    is_open = False
    for k in range(first, last + 1):
        is_open |= W[OPEN + k] > 0
    if not is_open:
        return
    boundary = t.SCOPE
    if t.TABLE <= tag <= t.TFOOT:
        boundary = 0
    elif tag == t.LI:
        boundary = -1
    i = find_open(W, T, first, last, boundary)
    if i > 0:
        pop_to(W, nodes, i)


@inline_kernel
def cached_hints(data, start, stop, W, T):  # type: ignore[no-untyped-def]
    """(hints, and kinds above `KIND_SHIFT`; hash) of a class or id value."""
    stop = min(stop, start + HINT_BYTES)
    h = hash_span(data, start, stop)
    slot = (h >> 32) & (CACHE_SIZE - 1)
    if W[CACHE + slot] != h:
        W[CACHE + slot] = h
        W[CACHE + CACHE_SIZE + slot] = read_hints(data, start, stop, T) | read_kinds(data, start, stop, T) << KIND_SHIFT
    return W[CACHE + CACHE_SIZE + slot], h


@inline_kernel
def element_hints(data, W, T, found):  # type: ignore[no-untyped-def]
    """(hints, and kinds above `KIND_SHIFT`; hash of the class) of the tag whose attributes were just read."""
    hints, signature = 0, 0
    for which in range(t.CLASS, t.ITEMTYPE + 1):
        if (found >> which) & 1:
            more, h = cached_hints(data, W[SPANS + 2 * which], W[SPANS + 2 * which + 1], W, T)
            hints |= more if which == t.CLASS or which == t.ROLE else more & HINT_MASK
            if which == t.CLASS:
                signature = h
    if (found >> t.STYLE_ATTR) & 0b111:
        if (found >> t.HIDDEN) & 1:
            hints |= 1 << NOT_SHOWN
        if (found >> t.ARIA_HIDDEN) & 1 and W[SPANS + 2 * t.ARIA_HIDDEN] < W[SPANS + 2 * t.ARIA_HIDDEN + 1]:
            if data[W[SPANS + 2 * t.ARIA_HIDDEN]] | 0x20 == 116:
                hints |= 1 << NOT_SHOWN
        if (found >> t.STYLE_ATTR) & 1 and shows_nothing(
            data, W[SPANS + 2 * t.STYLE_ATTR], W[SPANS + 2 * t.STYLE_ATTR + 1]
        ):
            hints |= 1 << NOT_SHOWN
    return hints, signature


@inline_kernel
def shows_nothing(data, start, stop):  # type: ignore[no-untyped-def]
    """Whether a style holds ``display:none`` or ``visibility:hidden``."""
    i = start
    while i + 4 < stop:
        if data[i] == 58:
            k = i + 1
            while k < stop and data[k] == 32:
                k += 1
            if k + 4 <= stop and data[i - 1] | 0x20 == 121:
                if (
                    data[k] | 0x20 == 110
                    and data[k + 1] | 0x20 == 111
                    and data[k + 2] | 0x20 == 110
                    and data[k + 3] | 0x20 == 101
                ):
                    return True
                if data[k] | 0x20 == 104 and data[k + 1] | 0x20 == 105 and data[k + 2] | 0x20 == 100:
                    return True
        i += 1
    return False


@inline_kernel
def hash_value(data, start, stop):  # type: ignore[no-untyped-def]
    """FNV of a short attribute value, letters as small ones; longer than 40 bytes, of its beginning."""
    value = FNV_START
    for i in range(start, min(stop, start + 40)):
        b = data[i]
        value = mix(value, b | 0x20 if 65 <= b <= 90 else b)
    return value


@inline_kernel
def _is_linked_data(data, W):  # type: ignore[no-untyped-def]
    return hash_value(data, W[SPANS + 2 * t.TYPE], W[SPANS + 2 * t.TYPE + 1]) == _LINKED_DATA


@inline_kernel
def note_span(pages, d, row, start, stop):  # type: ignore[no-untyped-def]
    """Keep the first span that is not empty."""
    if pages[row, d] < 0 and start < stop:
        pages[row, d] = start
        pages[row + 1, d] = stop


@inline_kernel
def note_meta(data, W, T, found, pages, d):  # type: ignore[no-untyped-def]
    """A `meta`: its content as title, date or kind of page, if its name or property says so."""
    if not (found >> t.CONTENT) & 1 or not (found >> t.NAME) & 0b11:
        return
    which = t.PROPERTY if (found >> t.PROPERTY) & 1 else t.NAME
    a, b = W[SPANS + 2 * which], W[SPANS + 2 * which + 1]
    start, stop = W[SPANS + 2 * t.CONTENT], W[SPANS + 2 * t.CONTENT + 1]
    name = hash_value(data, a, b)
    if name == _OG_TITLE:
        note_span(pages, d, SOCIAL_TITLE_FROM, start, stop)
    elif name in (_OG_TYPE, _GENERATOR):
        pages[SCHEMA_HINTS, d] |= read_hints(data, start, min(stop, start + HINT_BYTES), T)
    elif name in (_PUBLISHED, _DATE):
        note_span(pages, d, DATE_FROM, start, stop)


@inline_kernel
def note_linked_data(data, pos, stop, T, pages, d):  # type: ignore[no-untyped-def]
    """Words of every ``"@type"`` of a JSON-LD script."""
    i = pos
    while i + 8 < stop:
        if data[i] == 64 and data[i + 1] == 116 and data[i + 2] == 121 and data[i + 3] == 112 and data[i + 4] == 101:
            i += 6
            while i < stop and data[i] != 34 and data[i] != 125:
                i += 1
            first = i
            i += 1
            while i < stop and i < first + 40 and data[i] != 34:
                i += 1
            pages[SCHEMA_HINTS, d] |= read_hints(data, first, min(i, stop), T)
        i += 1


@inline_kernel
def note_element(data, tag, W, T, found, pages, d):  # type: ignore[no-untyped-def]
    """What `html`, `body`, `meta`, `link` and linked licences say of the page."""
    if tag == t.META:
        note_meta(data, W, T, found, pages, d)
    elif tag == t.HTML:
        if (found >> t.LANG) & 1:
            note_span(pages, d, LANG_FROM, W[SPANS + 2 * t.LANG], W[SPANS + 2 * t.LANG + 1])
    elif tag == t.BODY:
        pages[BODY_HINTS, d] |= element_hints(data, W, T, found)[0] & HINT_MASK
    elif (found >> t.REL) & 1 and (found >> t.HREF) & 1:
        a, b = W[SPANS + 2 * t.REL], W[SPANS + 2 * t.REL + 1]
        rel = hash_value(data, a, b)
        if rel == _CANONICAL:
            note_span(pages, d, ADDRESS_FROM, W[SPANS + 2 * t.HREF], W[SPANS + 2 * t.HREF + 1])
        elif rel == _LICENSE:
            note_span(pages, d, LICENCE_FROM, W[SPANS + 2 * t.HREF], W[SPANS + 2 * t.HREF + 1])


@inline_kernel
def skip_dropped(data, pos, end, T, W):  # type: ignore[no-untyped-def]
    """Inside a dropped element: read one tag at ``pos``, or move on to the next; gives the next position.

    Ends the element at its end tag, or (svg, select) at a tag that cannot stand in it; such a tag is read again.
    """
    drop = W[S_DROPPED]
    closing = pos + 1 < end and data[pos + 1] == 47
    first = pos + 2 if closing else pos + 1
    if first >= end or not 97 <= data[first] | 0x20 <= 122:
        if first < end and data[pos + 1] != 47 and data[pos + 1] != 33 and data[pos + 1] != 63:
            return pos + 1
        if drop == t.SVG and is_cdata(data, pos, end):
            return find_cdata_end(data, pos, end)
        return skip_markup(data, pos, end)
    after, tag = read_tag_name(data, first, end, T)
    flags = T[TAG_FLAGS + tag]
    leaves = False
    if drop == t.SVG:
        leaves = W[S_INSIDE] == 0 and not closing and (flags & t.BREAKOUT) != 0
    elif drop == t.A or drop == t.SPAN or t.RT <= drop <= t.RTC:  # whose end tag may be missing
        leaves = (flags & t.BLOCK) != 0 or (tag == drop and drop != t.SPAN and not closing)
        leaves |= drop >= t.RT and tag != drop and (tag == t.RUBY or t.RT <= tag <= t.RBC)
    elif drop != t.TEMPLATE and tag != drop:
        # parts of a table end a drop-down that stands in one; outside they are nothing (standard: "in select in table")
        leaves = tag == t.INPUT or tag == t.TEXTAREA or tag == t.FORM or tag == t.BODY
        if t.TABLE <= tag <= t.TFOOT and W[OPEN + t.TABLE] > 0:
            leaves |= not closing or W[OPEN + tag] > 0
    elif drop == t.SELECT and tag == t.SELECT:
        leaves = not closing
    if leaves:
        W[S_DROPPED] = 0
        return pos
    after, found, empty = read_attributes(data, after, end, T, W)
    if after < 0:
        return end
    W[S_DRAWN_TEX] = found & (1 << t.DATA_LATEX) if drop == t.SVG and W[S_REGION] == inline.RENDERED_REGION else 0
    if tag == drop:
        if not (empty and drop == t.SVG and not closing):
            W[S_DROP_DEPTH] += -1 if closing else 1
        if W[S_DROP_DEPTH] == 0:
            W[S_DROPPED] = 0
    elif drop == t.SVG and tag == t.FOREIGNOBJECT and not empty:
        W[S_INSIDE] = max(0, W[S_INSIDE] + (-1 if closing else 1))
    elif not closing and flags & (t.RAW | t.ESCAPABLE) and (drop != t.SVG or W[S_INSIDE] > 0):
        return find_raw_end(data, after, end, T, tag)
    return after


@inline_kernel
def is_cdata(data, pos, end):  # type: ignore[no-untyped-def]
    """Whether ``<![CDATA[`` stands at ``pos``."""
    return (
        pos + 9 <= end and data[pos + 1] == 33 and data[pos + 2] == 91 and data[pos + 3] == 67 and data[pos + 8] == 91
    )


@inline_kernel
def find_cdata_end(data, pos, end):  # type: ignore[no-untyped-def]
    """Position after the ``]]>`` of the CDATA section at ``pos``."""
    i = pos + 9
    while i + 2 < end:
        if data[i] == 93 and data[i + 1] == 93 and data[i + 2] == 62:
            return i + 3
        i += 1
    return end


@inline_kernel
def copy_raw(data, pos, stop, W, nodes, blocks, T, out, o):  # type: ignore[no-untyped-def]
    """Text of `xmp` and `plaintext`: a preformatted block without tags and references. Next o."""
    open_element(W, nodes, T, t.PRE, 0, 0, 0)
    start = W[S_TEXT]
    while pos < stop:
        pos, o = copy_text(data, pos, stop, T, out, o, start, True)
        if pos < stop:
            out[o] = data[pos]
            o += 1
            pos += 1
    o = end_block(data, W, blocks, out, o, PARTS)
    close_element(W, nodes, T, t.PRE)
    return o


@inline_kernel
def is_permalink(data, href, pos, end):  # type: ignore[no-untyped-def]
    """Whether the link whose address begins at ``href`` leads into the page and its text, from ``pos`` on, is a mark
    alone: a pilcrow, as bytes or a reference, or `#`."""
    if href >= end or data[href] != 35:
        return False
    while pos < end and is_space(data[pos]):
        pos += 1
    if pos + 3 >= end:
        return False
    if data[pos] == 0xC2 and data[pos + 1] == 0xB6:  # ¶
        pos += 2
    elif data[pos] == 35 and is_name(data[href + 1]):
        pos += 1
    elif data[pos] == 38:  # &para; &#182; &#xB6;
        begin = pos
        while pos < end and data[pos] != 59 and pos - begin < 7:
            pos += 1
        if not _is_pilcrow(data, begin + 1, pos):
            return False
        pos += 1
    else:
        return False
    while pos < end and is_space(data[pos]):
        pos += 1
    return pos + 2 < end and data[pos] == 60 and data[pos + 1] == 47 and data[pos + 2] | 0x20 == 97


@inline_kernel
def is_name(byte):  # type: ignore[no-untyped-def]
    """Whether a byte may begin the name of a place in a page."""
    return byte >= 128 or byte == 95 or byte == 37 or 48 <= byte <= 57 or 97 <= byte | 0x20 <= 122


@inline_kernel
def _is_pilcrow(data, start, stop):  # type: ignore[no-untyped-def]
    h = FNV_START
    for i in range(start, stop):
        h = mix(h, data[i])
    return h in (_PARA, _NUMBER_182, _NUMBER_B6, _NUMBER_B6_SMALL)


@inline_kernel
def is_edit_link(data, start, stop):  # type: ignore[no-untyped-def]
    """Whether a class is MediaWiki's ``mw-editsection``: the links beside headings, ``[edit]`` in any language."""
    h = FNV_START
    while start < stop and is_space(data[start]):
        start += 1
    for i in range(start, min(stop, start + 14)):
        h = mix(h, data[i])
    return h == _EDIT_SECTION and (stop - start == 14 or is_space(data[start + 14]))


@inline_kernel
def start_inline(data, tag, found, hints, W, T, blocks, nodes, out, o):  # type: ignore[no-untyped-def]
    """A start tag that does not break the text: marks of links, bold, code and scripts, and hints for the block. Next o."""
    if found & 0b1111:
        W[S_HINTS] |= hints & HINT_MASK
    if tag == t.A:
        mark_off(W, S_LINK, o)
        if (found >> t.HREF) & 1:
            W[S_LINK] = o
            W[S_LINKS] += 1
            W[S_SCRIPT_LINK] = 1
    elif tag == t.B or tag == t.STRONG:
        if W[S_BOLD] == _OFF:
            W[S_BOLD] = o
    elif tag == t.CODE or tag == t.TT or tag == t.KBD or tag == t.SAMP:
        if W[S_CODE] == _OFF:
            W[S_CODE] = o
            mark_code(W, blocks, o, 0)
    elif tag == t.IMG:
        W[S_IMAGES] += 1
        o = inline.formula_image(data, found, hints >> KIND_SHIFT, T, W, out, o)
    elif tag == t.TIME:
        W[S_TIMES] += 1
    elif tag == t.SUP or tag == t.SUB:
        if not in_code(W) and W[S_REGION] != inline.TEX_REGION:
            inline.start_script(tag, W, o)
    return o


@inline_kernel
def end_inline(data, tag, after, end, W, blocks, out, o):  # type: ignore[no-untyped-def]
    """An end tag that does not break the text. Next o."""
    if tag == t.A:
        if W[S_LINK] != _OFF and W[S_LINK] >= W[S_TEXT] and 0 < o - W[S_LINK] <= 6:
            top = W[STACK_TAGS + W[S_DEPTH] - 1]
            if inline.is_sign(out, W[S_LINK], o, t.H1 <= top <= t.H6 or top == t.DT):
                o = W[S_LINK]
        mark_off(W, S_LINK, o)
    elif tag == t.B or tag == t.STRONG:
        mark_off(W, S_BOLD, o)
    elif tag == t.CODE or tag == t.TT or tag == t.KBD or tag == t.SAMP:
        if W[S_CODE] != _OFF:
            mark_code(W, blocks, o, 1)
        mark_off(W, S_CODE, o)
    elif tag == W[S_SCRIPT] and tag > 0 and W[S_SCRIPT_DEPTH] == W[S_DEPTH]:
        o = inline.end_script(data, after, end, W, out, o)
    return o


@inline_kernel
def read_integer(data, start, stop, most):  # type: ignore[no-untyped-def]
    """The whole number an attribute holds, at most ``most`` either way; 0 where it holds none."""
    negative = start < stop and data[start] == 45
    value = 0
    for i in range(start + negative, min(stop, start + 12)):
        if not 48 <= data[i] <= 57:
            break
        value = min(most, value * 10 + np.int64(data[i]) - 48)
    return -value if negative else value


@inline_kernel
def note_value(data, tag, found, W, nodes):  # type: ignore[no-untyped-def]
    """Number of an item, or how far a cell spans, into the node just opened."""
    node = W[S_NODES] - 1
    if tag == t.LI:
        holder = nodes[PARENT, node]
        if nodes[TAG, holder] == t.OL:
            number = nodes[VALUE, holder]
            if (found >> t.VALUE) & 1 and W[SPANS + 2 * t.VALUE] < W[SPANS + 2 * t.VALUE + 1]:
                number = read_integer(data, W[SPANS + 2 * t.VALUE], W[SPANS + 2 * t.VALUE + 1], 999999)
            nodes[VALUE, node] = IS_NUMBERED + number
            nodes[VALUE, holder] = number + 1
    elif tag == t.OL:
        nodes[VALUE, node] = 1
        if (found >> t.START) & 1:
            nodes[VALUE, node] = read_integer(data, W[SPANS + 2 * t.START], W[SPANS + 2 * t.START + 1], 999999)
    elif found & _VALUES:
        columns, rows = 1, 1
        if (found >> t.COLSPAN) & 1:
            columns = max(1, read_integer(data, W[SPANS + 2 * t.COLSPAN], W[SPANS + 2 * t.COLSPAN + 1], 1000))
        if (found >> t.ROWSPAN) & 1:
            a, b = W[SPANS + 2 * t.ROWSPAN], W[SPANS + 2 * t.ROWSPAN + 1]
            rows = read_integer(data, a, b, 65534)
            if rows == 0 and a < b and data[a] == 48:
                rows = 65534
            rows = max(1, rows)
        nodes[VALUE, node] = columns | rows << 20


@inline_kernel
def note_language(data, tag, found, kinds, W, T):  # type: ignore[no-untyped-def]
    """The language of code, as the tag just read tells it, until the element that is open now, or the code around it, ends."""
    start, stop = 0, 0
    is_code = tag == t.PRE or tag == t.CODE
    if tag == t.CODE and W[S_PRE_DEPTH] > 0 and W[S_LANG_DEPTH] > 0:
        return  # a word of code
    if not (found >> t.CLASS) & 1:
        kinds = 0
    if kinds & LANGUAGE or (kinds & NAMED and (is_code or kinds & (CODE_WORD | CODE))):
        start, stop = find_language(data, W[SPANS + 2 * t.CLASS], W[SPANS + 2 * t.CLASS + 1], T)
    if found & _LANG_ATTRIBUTES and (is_code or kinds & (CODE_WORD | CODE)):
        which = t.DATA_LANG
        while not (found >> which) & 1:
            which += 1
        if W[SPANS + 2 * which] < W[SPANS + 2 * which + 1]:
            start, stop = W[SPANS + 2 * which], W[SPANS + 2 * which + 1]
    if start < stop:
        depth = W[S_PRE_DEPTH] if W[S_PRE_DEPTH] > 0 else W[S_DEPTH]
        W[S_LANG_FROM], W[S_LANG_TO], W[S_LANG_DEPTH] = start, stop, depth


@inline_kernel
def start_region(W, kind, tag, is_stacked, is_block, o):  # type: ignore[no-untyped-def]
    """From here to the end of the element just begun, text is judged as `settle` says."""
    W[S_REGION] = kind
    W[S_REGION_TAG] = 0 if is_stacked else tag
    W[S_REGION_DEPTH] = W[S_DEPTH]
    W[S_REGION_COUNT] = 1
    W[S_REGION_FROM] = o
    W[S_REGION_BLOCK] = is_block
    W[S_SCRIPT] = 0


@inline_kernel
def unfolds(data, found, W, nodes):  # type: ignore[no-untyped-def]
    """Whether the hidden element just opened is one that a page shows on demand, or by its own script.

    Those are panels with a label, what stands in tabs, accordions, carousels and the like, what is hidden while it moves (a height or an opacity
    beside ``visibility``), ``until-found``, and the parts that React sends behind a page to be put into it (``id="S:0"``).
    """
    node, hints = W[S_NODES] - 1, 0
    for _ in range(4):
        hints |= nodes[HINTS, node]
        node = nodes[PARENT, node]
    if hints & _UNFOLDING or ((found >> t.LABELLED) & 1 and not (hints >> _CONSENT) & 1):
        return True
    if (found >> t.HIDDEN) & 1:
        a = W[SPANS + 2 * t.HIDDEN]
        if a < W[SPANS + 2 * t.HIDDEN + 1] and data[a] | 0x20 == 117:
            return True
    if (found >> t.ID) & 1:
        a = W[SPANS + 2 * t.ID]
        if a + 2 < W[SPANS + 2 * t.ID + 1] and data[a] == 83 and data[a + 1] == 58:
            return True
    if (found >> t.STYLE_ATTR) & 1 and not (found >> t.HIDDEN) & 1:
        for i in range(W[SPANS + 2 * t.STYLE_ATTR], W[SPANS + 2 * t.STYLE_ATTR + 1] - 7):
            b = data[i] | 0x20
            if (b == 104 and data[i + 1] | 0x20 == 101 and data[i + 2] | 0x20 == 105) or (
                b == 111 and data[i + 1] | 0x20 == 112
            ):
                return True  # height, opacity
    return False


@inline_kernel
def rendered_tex(data, found, W, T, out, o):  # type: ignore[no-untyped-def]
    """TeX in an attribute of what MathJax rendered: next o."""
    which = inline.attribute_with_tex(found)
    start, stop = W[SPANS + 2 * which], W[SPANS + 2 * which + 1]
    if W[S_TEX_SURE]:
        return o  # of a part of the formula
    W[S_TEX_SURE] = 1
    return inline.formula_span(data, start, stop, False, W[S_TEX_DISPLAY], inline.ATTRIBUTE, T, W, out, o)


@inline_kernel
def find_region(data, tag, found, kinds, after, end, W, T, nodes, out, o, is_stacked, is_block):  # type: ignore[no-untyped-def]
    """Begin a region if the tag just read is of an element that nobody sees, of line numbers or of a formula: next o."""
    hides = kinds & (UNSEEN | EXTRA) != 0 or (tag == t.BUTTON and in_code(W))
    if found & _HIDING and not kinds & SOURCE and not W[S_SHOW_ALL]:
        if (found >> t.HIDDEN) & 1 or (
            (found >> t.STYLE_ATTR) & 1
            and shows_nothing(data, W[SPANS + 2 * t.STYLE_ATTR], W[SPANS + 2 * t.STYLE_ATTR + 1])
        ):
            hides |= not (is_stacked and unfolds(data, found, W, nodes))
    if hides:
        is_sign = tag == t.A and not kinds & UNSEEN and not found & _HIDING
        start_region(W, inline.SIGN_REGION if is_sign else inline.HIDDEN_REGION, tag, is_stacked, is_block, o)
    elif kinds & GUTTER and tag != t.PRE and tag != t.CODE and inline.number_ahead(data, after, end):
        start_region(W, inline.NUMBER_REGION, tag, is_stacked, False, o)
    elif kinds & RENDERED or tag == t.MJX_CONTAINER or (kinds & GLYPHS and W[S_MATH_TO] == o):
        start_region(W, inline.RENDERED_REGION, tag, is_stacked, False, o)
        W[S_TEX_SURE] = 0
        W[S_TEX_DISPLAY] = (found >> t.DISPLAY) & 1 and data[W[SPANS + 2 * t.DISPLAY]] | 0x20 == 116
        if found & _TEX_ATTRIBUTES:
            o = rendered_tex(data, found, W, T, out, o)
    elif found & _TEX_ATTRIBUTES and not in_code(W):
        which = inline.attribute_with_tex(found)
        a, b = W[SPANS + 2 * which], W[SPANS + 2 * which + 1]
        if inline.is_tex(data, a, b, T, out, o):
            display = is_block or kinds & DISPLAY != 0
            o = inline.formula_span(data, a, b, False, display, inline.ATTRIBUTE, T, W, out, o)
            start_region(W, inline.RENDERED_REGION, tag, is_stacked, False, o)
    elif (kinds & (MATH | FORMULA) or tag == t.MATH_FIELD) and not in_code(W):
        start_region(W, inline.TEX_REGION, tag, is_stacked, False, o)
        W[S_TEX_SURE] = kinds & FORMULA != 0 or tag == t.MATH_FIELD
        W[S_TEX_DISPLAY] = is_block or kinds & DISPLAY != 0
    return o


@inline_kernel
def settle(data, W, blocks, nodes, out, o):  # type: ignore[no-untyped-def]
    """After elements were closed: judge the text of a region that is over, end code that is over. Next o."""
    if W[S_REGION_OVER]:
        kind, start = W[S_REGION], W[S_REGION_FROM]
        W[S_REGION] = W[S_REGION_OVER] = W[S_REGION_DEPTH] = 0
        if kind == inline.HIDDEN_REGION:
            W[S_HIDDEN_BYTES] += o - start
            o = start
        elif kind == inline.SIGN_REGION:
            o = start if o - start <= inline.MAX_SIGN else o
        elif kind == inline.NUMBER_REGION:
            o = start if inline.is_number_text(out, start, o) else o
        elif kind == inline.RENDERED_REGION:
            spaced = o > start and out[o - 1] == 32 and start > W[S_TEXT] and out[start - 1] > 32
            o = start + spaced
            out[start] = 32 if spaced else out[start]
        elif kind == inline.TEX_REGION:
            o = inline.end_tex(W, out, o, W[S_TEX_SURE], W[S_TEX_DISPLAY])
        if W[S_REGION_BLOCK]:
            o = end_block(data, W, blocks, out, o, PARTS)
    if W[S_PRE_OVER]:
        before = W[S_BLOCKS]
        o = end_block(data, W, blocks, out, o, PARTS)
        node, top = W[S_PRE_NODE], W[STACK_NODES + W[S_DEPTH] - 1]
        while W[S_BLOCKS] > before and node > top:
            nodes[LAST_BLOCK, node] = W[S_BLOCKS]
            node = nodes[PARENT, node]
        W[S_PRE_OVER] = W[S_PRE_DEPTH] = 0
        if W[S_DEPTH] < W[S_LANG_DEPTH]:
            W[S_LANG_DEPTH] = 0
    return o


@inline_kernel
def is_math_script(data, W, found):  # type: ignore[no-untyped-def]
    """1 for a script of type ``math/tex``, 2 for a displayed one, else 0."""
    start, stop = W[SPANS + 2 * t.TYPE], W[SPANS + 2 * t.TYPE + 1]
    if not (found >> t.TYPE) & 1 or stop - start < 8 or data[start + 4] != 47 or data[start] | 0x20 != 109:
        return 0
    if data[start + 5] | 0x20 != 116 or data[start + 6] | 0x20 != 101 or data[start + 7] | 0x20 != 120:
        return 0
    for i in range(start + 8, stop - 3):
        if data[i] | 0x20 == 100 and data[i + 1] | 0x20 == 105 and data[i + 2] | 0x20 == 115:
            return 2
    return 1


@inline_kernel
def begins_lines(data, W, nodes, kinds):  # type: ignore[no-untyped-def]
    """Whether a `div` of class ``line`` is the first thing in an element that shows code."""
    holder = W[STACK_NODES + W[S_DEPTH] - 1]
    if not kinds & LINES or W[S_DEPTH] < 2 or nodes[FIRST_BLOCK, holder] != W[S_BLOCKS]:
        return False
    return W[S_LANG_DEPTH] > 0 or (nodes[KINDS, holder] | nodes[KINDS, nodes[PARENT, holder]]) & (CODE_WORD | CODE) != 0


@inline_kernel
def start_tag(data, pos, end, T, W, blocks, nodes, pages, d, out, o):  # type: ignore[no-untyped-def]
    """Read the start tag at ``pos``: (position after it and any raw text, next o)."""
    after, tag = read_tag_name(data, pos + 1, end, T)
    after, found, empty = read_attributes(data, after, end, T, W)
    if after < 0:
        return end, o
    flags = T[TAG_FLAGS + tag]
    pages[NUM_TAGS, d] += 1
    if found & (1 << t.REL) or tag == t.META or tag == t.HTML or tag == t.BODY:
        note_element(data, tag, W, T, found, pages, d)
    if tag == t.MATH or tag == t.MML_MATH or tag == t.M_MATH:
        return (after, o) if empty else inline.formula_element(data, pos, after, end, found, T, W, nodes, out, o)
    hints, signature, kinds = 0, 0, 0
    if found & 0xFF:
        hints, signature = element_hints(data, W, T, found)
        kinds = hints >> KIND_SHIFT
    is_stacked, is_block = flags & t.STACKED != 0, flags & t.BLOCK != 0
    opened = not flags & (t.VOID | t.RAW | t.ESCAPABLE | t.DROPPED) and (is_stacked or (not is_block and tag > 0))
    if is_block:
        o = break_text(data, tag, False, W, blocks, T, out, o)
        if flags & t.CLOSES_P or t.TABLE <= tag <= t.TFOOT or tag == t.BUTTON:
            close_implied(W, nodes, T, tag)
            if W[S_REGION_OVER] + W[S_PRE_OVER] > 0:
                o = settle(data, W, blocks, nodes, out, o)
    if is_stacked:
        orphan = t.TABLE < tag <= t.TFOOT and W[OPEN + t.TABLE] == 0
        opened = not orphan and not (tag == t.FORM and W[OPEN + t.FORM] > 0)
        if opened:
            if kinds & LINES and not in_code(W) and tag == t.DIV and begins_lines(data, W, nodes, kinds):
                open_code(W, nodes)
            opened = open_element(W, nodes, T, tag, hints & HINT_MASK, signature, kinds)
            if opened and (tag == t.LI or tag == t.OL or found & _VALUES):
                note_value(data, tag, found, W, nodes)
            if opened and kinds & CODE and not in_code(W) and W[S_REGION] == 0:
                open_code(W, nodes)
    elif not is_block and (W[S_REGION] == 0 or W[S_REGION] == inline.TEX_REGION):
        o = start_inline(data, tag, found, hints, W, T, blocks, nodes, out, o)
    if kinds & (LANGUAGE | NAMED) or found & _LANG_ATTRIBUTES:
        note_language(data, tag, found, kinds, W, T)
    dropped = flags & t.DROPPED != 0 and not (tag == t.SVG and empty)
    dropped &= not (tag == t.TEMPLATE and (found >> t.SHADOWROOTMODE) & 1 != 0)
    if tag == t.A:
        dropped |= (found >> t.HREF) & 1 != 0 and is_permalink(data, W[SPANS + 2 * t.HREF], after, end)
        if dropped and W[S_LINK] != _OFF:
            W[S_LINK] = _OFF
            W[S_LINKS] -= 1
    elif tag == t.SPAN and (found >> t.CLASS) & 1:
        dropped |= is_edit_link(data, W[SPANS + 2 * t.CLASS], W[SPANS + 2 * t.CLASS + 1])
    if opened and not dropped and not (empty and W[S_XML]):
        if W[S_REGION] == 0:
            if (
                kinds | found & (_HIDING | _TEX_ATTRIBUTES)
                or tag == t.MJX_CONTAINER
                or tag == t.MATH_FIELD
                or tag == t.BUTTON
            ):
                o = find_region(data, tag, found, kinds, after, end, W, T, nodes, out, o, is_stacked, is_block)
        else:
            if tag == W[S_REGION_TAG] and W[S_DEPTH] == W[S_REGION_DEPTH]:
                W[S_REGION_COUNT] += 1
            if found & _TEX_ATTRIBUTES and W[S_REGION] == inline.RENDERED_REGION and tag == t.MJX_MATH:
                o = rendered_tex(data, found, W, T, out, o)
    pages[NUM_INPUTS, d] += tag == t.INPUT
    if flags & (t.RAW | t.ESCAPABLE):
        return start_raw(data, tag, found, empty, after, end, W, T, pages, d, out, o)
    if tag == t.XMP or tag == t.PLAINTEXT:
        stop = find_raw_end(data, after, end, T, tag) if tag == t.XMP else end
        return stop, copy_raw(data, after, stop, W, nodes, blocks, T, out, o)
    if dropped:
        W[S_DROPPED] = tag
        W[S_DROP_DEPTH] = 1
        W[S_INSIDE] = 0
    elif (tag == t.PRE or tag == t.LISTING) and after < end and data[after] == 10:
        after += 1
    return after, o


@inline_kernel
def open_code(W, nodes):  # type: ignore[no-untyped-def]
    """The innermost open element shows code, as `pre` does."""
    W[S_PRE_DEPTH] = W[S_DEPTH]
    W[S_PRE_NODE] = W[STACK_NODES + W[S_DEPTH] - 1]
    W[S_LINE_OVER] = _OFF
    nodes[KINDS, W[S_PRE_NODE]] |= CODE


@inline_kernel
def start_raw(data, tag, found, empty, after, end, W, T, pages, d, out, o):  # type: ignore[no-untyped-def]
    """Script, style, title and the like, whose start tag ends at ``after``: (position of the end tag, next o)."""
    if tag == t.SCRIPT and empty and W[S_XML]:
        return after, o
    stop = find_raw_end(data, after, end, T, tag)
    if tag == t.TITLE:
        note_span(pages, d, TITLE_FROM, after, stop)
    elif tag == t.SCRIPT:
        pages[NUM_SCRIPTS, d] += 1
        if (found >> t.TYPE) & 1:
            if _is_linked_data(data, W):
                note_linked_data(data, after, stop, T, pages, d)
            is_math = is_math_script(data, W, found)
            if is_math:
                o = inline.formula_span(data, after, stop, False, is_math == 2, inline.SCRIPT_SOURCE, T, W, out, o)
    return stop, o


@inline_kernel
def is_line_tag(tag, W):  # type: ignore[no-untyped-def]
    """Whether an element parts lines of code and not blocks of text."""
    if tag == t.DIV or tag == t.LI or tag == t.OL or tag == t.UL or t.TABLE <= tag <= t.TFOOT:
        return True
    return W[S_PRE_DEPTH] > 0 and (tag == t.PRE or tag == t.FIGURE)


@inline_kernel
def break_line(tag, closing, W, out, o):  # type: ignore[no-untyped-def]
    """A tag that parts lines of code: next o. An empty element is an empty line; cells stand in one line."""
    start = W[S_TEXT]
    if tag == t.TABLE or tag == t.TD or tag == t.TH or tag == t.CAPTION or t.TBODY <= tag <= t.TFOOT:
        last = o
        while last > max(start, W[S_LINE_FROM]) and is_space(out[last - 1]):
            last -= 1
        for i in range(last, o):
            if out[i] == 10 and not (W[S_LINE_OVER] == o or i + 1 == W[S_LINE_OVER]):
                return last  # between tags
        return o
    if closing:
        if W[S_LINE_OVER] == o:
            return o
        last = o
        while last > max(start, W[S_LINE_FROM]) and (out[last - 1] == 32 or out[last - 1] == 10 or out[last - 1] == 9):
            last -= 1
        if last > start or o > start:
            o = last
            out[o] = 10
            o += 1
        W[S_LINE_OVER] = o
        return o
    if W[S_LINE_OVER] >= start:
        last = o
        while last > W[S_LINE_OVER] and is_space(out[last - 1]):
            last -= 1
        if last == W[S_LINE_OVER]:
            o = last
    if o > start and out[o - 1] != 10:
        out[o] = 10
        o += 1
    W[S_LINE_FROM] = o
    W[S_LINE_OVER] = _OFF
    return o


@inline_kernel
def break_text(data, tag, closing, W, blocks, T, out, o):  # type: ignore[no-untyped-def]
    """A tag before or after which text stands apart: end the block, or write a line feed in code. Next o."""
    if W[S_REGION] != 0:
        if W[S_REGION] != inline.TEX_REGION:
            return o
        if tag != t.BR:
            if closing:
                o = inline.end_tex(W, out, o, W[S_TEX_SURE], W[S_TEX_DISPLAY])
            W[S_REGION] = W[S_REGION_DEPTH] = 0
    if in_code(W):
        if tag == t.BR:
            out[o] = 10
            return o + 1
        if is_line_tag(tag, W):
            return break_line(tag, closing, W, out, o)
    if tag == t.BR:
        return end_block(data, W, blocks, out, o, LINE)
    o = end_block(data, W, blocks, out, o, PARTS)
    if t.TD <= tag <= t.CAPTION or tag == t.TABLE:
        for mark in range(S_LINK, S_LINK + 3):
            W[mark] = _OFF
    return o


@inline_kernel
def end_tag(data, pos, end, T, W, blocks, nodes, out, o):  # type: ignore[no-untyped-def]
    """Read the end tag at ``pos``: (position after it, next o)."""
    after, tag = read_tag_name(data, pos + 2, end, T)
    after, _, _ = read_attributes(data, after, end, T, W)
    if after < 0:
        return end, o
    flags = T[TAG_FLAGS + tag]
    if flags & t.BLOCK:
        o = break_text(data, tag, True, W, blocks, T, out, o)
        if flags & t.STACKED:
            close_element(W, nodes, T, tag)
    elif flags & t.STACKED:
        close_element(W, nodes, T, tag)
    else:
        if tag > 0 and tag == W[S_REGION_TAG] and W[S_REGION] != 0 and W[S_DEPTH] == W[S_REGION_DEPTH]:
            W[S_REGION_COUNT] -= 1
            if W[S_REGION_COUNT] == 0:
                W[S_REGION_OVER] = 1
                o = settle(data, W, blocks, nodes, out, o)
        if W[S_REGION] == 0 or W[S_REGION] == inline.TEX_REGION:
            o = end_inline(data, tag, after, end, W, blocks, out, o)
    if W[S_REGION_OVER] + W[S_PRE_OVER] > 0:
        o = settle(data, W, blocks, nodes, out, o)
    return after, o


@inline_kernel
def read_markup(data, pos, end, T, W, blocks, nodes, pages, d, out, o):  # type: ignore[no-untyped-def]
    """Whatever begins with the ``<`` at ``pos``: (position after it, next o)."""
    c = data[pos + 1] if pos + 1 < end else 0
    if 97 <= c | 0x20 <= 122:
        return start_tag(data, pos, end, T, W, blocks, nodes, pages, d, out, o)
    if c == 47 and pos + 2 < end:
        if 97 <= data[pos + 2] | 0x20 <= 122:
            return end_tag(data, pos, end, T, W, blocks, nodes, out, o)
        return skip_markup(data, pos, end), o
    if c == 33 or c == 63:
        return skip_markup(data, pos, end), o
    out[o] = 60
    return pos + 1, o + 1


@inline_kernel
def begin_page(data, pos, end, W, nodes, pages, d, T, o):  # type: ignore[no-untyped-def]
    """Clear the state and open the root."""
    blocks_before, nodes_before, marks_before, show_all = W[S_BLOCKS], W[S_NODES], W[S_MARKS], W[S_SHOW_ALL]
    for i in range(NUM_SLOTS):
        W[i] = 0
    W[S_BLOCKS], W[S_NODES], W[S_MARKS], W[S_TEXT] = blocks_before, nodes_before, marks_before, o
    W[S_MARKS_FROM], W[S_SHOW_ALL] = 2 * marks_before, show_all
    W[S_MATH_TO] = W[S_LANG_LAST] = W[S_LINE_OVER] = _OFF
    for i in range(S_LINK, S_LINK + 3):
        W[i] = _OFF
    W[S_BREAK] = PARTS
    for i in range(OPEN, SPANS):
        W[i] = 0
    while pos < end and is_space(data[pos]):
        pos += 1
    W[S_XML] = (
        pos + 4 < end and data[pos] == 60 and data[pos + 1] == 63 and data[pos + 2] == 120 and data[pos + 3] == 109
    )
    for row in range(PAGE_ROWS):
        pages[row, d] = _OFF if TITLE_FROM <= row <= DATE_TO else 0
    pages[BLOCKS_FROM, d] = blocks_before
    pages[NODES_FROM, d] = nodes_before
    open_element(W, nodes, T, t.BODY, 0, 0, 0)


@inline_kernel
def scan_page(data, pos, end, T, W, blocks, nodes, pages, d, out, o):  # type: ignore[no-untyped-def]
    """Scan one page: next o."""
    begin_page(data, pos, end, W, nodes, pages, d, T, o)
    if end - pos >= 3 and data[pos] == 0xEF and data[pos + 1] == 0xBB and data[pos + 2] == 0xBF:
        pos += 3
    while pos < end:
        if W[S_DROPPED]:
            pos = find_byte(data, pos, end, 60)
            if pos < end:
                pos = skip_dropped(data, pos, end, T, W)
            if W[S_DRAWN_TEX]:
                o = rendered_tex(data, W[S_DRAWN_TEX], W, T, out, o)
                W[S_DRAWN_TEX] = 0
            continue
        pre = in_code(W)
        pos, o = copy_text(data, pos, end, T, out, o, W[S_TEXT], pre)
        if pos >= end:
            break
        if data[pos] == 38:
            before = o
            pos, o = read_reference(data, pos, end, T, out, o)
            o = fold_reference(out, before, o, W[S_TEXT], pre)
        else:
            pos, o = read_markup(data, pos, end, T, W, blocks, nodes, pages, d, out, o)
    if W[S_REGION] != 0:
        W[S_REGION_OVER] = 1
        o = settle(data, W, blocks, nodes, out, o)
    o = end_block(data, W, blocks, out, o, PARTS)
    pop_to(W, nodes, 0)
    pages[BLOCKS_TO, d] = W[S_BLOCKS]
    pages[NODES_TO, d] = W[S_NODES]
    return o


@kernel
def scan_pages(data, offsets, first, last, T, W, blocks, nodes, pages, out):  # type: ignore[no-untyped-def]
    """Scan pages ``first`` to ``last`` of a batch; page ``first + d`` fills column ``d`` of ``pages``.

    ``blocks``, ``nodes`` and ``pages`` are int64 with `BLOCK_ROWS`, `NODE_ROWS` and `PAGE_ROWS` rows, ``out`` uint8; see the
    module for what to reserve. Gives (number of blocks, of nodes, bytes of text).
    """
    W[S_BLOCKS] = W[S_NODES] = W[S_MARKS] = 0
    o = 0
    for d in range(last - first):
        pos, end = offsets[first + d], offsets[first + d + 1]
        blocks_before, nodes_before, marks_before = W[S_BLOCKS], W[S_NODES], W[S_MARKS]
        W[S_SHOW_ALL] = 0
        before, o = o, scan_page(data, pos, end, T, W, blocks, nodes, pages, d, out, o)
        if W[S_HIDDEN_BYTES] > max(MIN_HIDDEN, HIDDEN_SHARE * (o - before)):
            W[S_BLOCKS], W[S_NODES], W[S_MARKS] = blocks_before, nodes_before, marks_before
            W[S_SHOW_ALL] = 1
            o = scan_page(data, pos, end, T, W, blocks, nodes, pages, d, out, before)
    return W[S_BLOCKS], W[S_NODES], o
