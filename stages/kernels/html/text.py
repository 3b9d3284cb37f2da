"""Decide which blocks of a page are its text, and write them: paragraphs, lists, table rows, headings, code.

For `stages.extraction`, after `blocks.scan_pages`. `write_pages` is the whole second half in one call: features, first
classifier, context, second classifier, text.

Form of the text: blocks are parted by an empty line; items of a list begin with ``- `` or their number and stand on lines of their own,
those of inner lists behind spaces; rows of a data table are lines of cells joined by `` | `` (`rows`); lines that `br` ends stay lines, with an empty line
for two or more; code is kept as it is, without numbers of lines (`fences`). With ``markdown`` headings begin with ``#``, quotes with ``>`` and definitions with ``:``, code is fenced or
between ticks, and tables have bars and a rule.

Price: the text is copied once. Legend: B blocks, M nodes, D pages; X_FB features; see `features`.
"""

from __future__ import annotations

from stages.kernels.html import block_words as w
from stages.kernels.html import features as f
from stages.kernels.html import inherited as e
from stages.kernels.html import layout as h
from stages.kernels.html import tokens as t
from stages.kernels.html.context import CONTEXT, score_context
from stages.kernels.html.dollars import is_formula, shorten_dollars
from stages.kernels.html.fences import (
    are_numbers_of,
    close_fence,
    copy_text,
    fence_size,
    open_fence,
    write_code,
    write_inline,
)
from stages.kernels.html.hints import HINT_BITS
from stages.kernels.html.items import BULLET, MAX_MARK, NO_MARK, list_around, own_mark, put_mark
from stages.kernels.html.kinds import CODE_WORD
from stages.kernels.html.labels import MAX_LABEL, names_language, says_code, says_copy
from stages.kernels.html.measures import M_WORDS, SUM_CHARS
from stages.kernels.html.rows import end_of_element, holds_code, is_data, mark_tables, write_rows
from stages.kernels.html.signs import is_number_text
from stages.kernels.html.trees import byte_scores, sum_trees
from stages.kernels.jit import lean_inline_kernel as inline_kernel
from stages.kernels.jit import lean_kernel as kernel

WORDS_FROM = f.NUM_FEATURES + len(CONTEXT)
RUN_BLOCKS, RUN_NODES, RUN_PAGES = 512, 4096, 64
"""Pages that are judged together have at most so many, or are one page."""
MAX_SEPARATOR, MAX_CELL = 128, 96
"""Bytes that may be written around a block, and for a cell of a table, beside its own."""
SHORT_CODE, SHORT_TABLE = 512, 4096
"""Bytes of code, and of a table, that belong to the chosen text around them. Longer code, logs for example, is judged like any text: main text F1 is lower
with all of it."""
_HIDDEN = 1 << HINT_BITS["hidden"]


def room(num_bytes: int, num_blocks: int, num_nodes: int) -> int:
    """Bytes to reserve for the text of pages: a cell of bars that are each inline code grows to five halves."""
    return 3 * num_bytes + MAX_SEPARATOR * num_blocks + MAX_CELL * num_nodes + 256


@inline_kernel
def put(out, o, a, b, n):  # type: ignore[no-untyped-def]
    """Write ``n`` times byte ``a``, then ``b`` unless it is 0: next o."""
    for _ in range(n):
        out[o] = a
        o += 1
    if b:
        out[o] = b
        o += 1
    return o


@inline_kernel
def write_separator(out, o, before, block, blocks, nodes, node0, m, n, inherited):  # type: ignore[no-untyped-def]
    """Write the separator between written block ``before`` (node ``m``) and ``block`` (node ``n``): next o."""
    item, last_item = inherited[e.I_ITEM, n], inherited[e.I_ITEM, m]
    pre = inherited[e.I_PRE, n]
    if pre >= 0 and pre == inherited[e.I_PRE, m]:
        return put(out, o, 10, 0, 1)
    if item >= 0 and item != last_item and last_item >= 0:
        begins_terms = nodes[h.TAG, node0 + item] == t.DT and nodes[h.TAG, node0 + last_item] == t.LI
        begins_terms &= list_around(nodes, node0, item, block, inherited) < 0
        return put(out, o, 10, 0, 1 + begins_terms)
    if block == before + 1 and blocks[h.BREAK, block] == h.LINE:
        return put(out, o, 10, 0, 1)
    return put(out, o, 10, 0, 2)


@inline_kernel
def write_prefix(nodes, node0, n, block, is_new_item, is_code, inherited, markdown, out, o):  # type: ignore[no-untyped-def]
    """Marks before a block: of its quote, item or heading. Next o."""
    tag = nodes[h.TAG, node0 + n]
    if markdown and inherited[e.I_QUOTE, n] >= 0 and not is_code:
        o = put(out, o, 62, 32, 1)
    item = inherited[e.I_ITEM, n]
    if item >= 0 and is_new_item:
        kind = nodes[h.TAG, node0 + item]
        if kind == t.LI:
            o = put(out, o, 32, 0, inherited[e.I_INDENT, n])
            o = put_mark(nodes, node0 + item, out, o)
        elif kind == t.DT and list_around(nodes, node0, item, block, inherited) >= 0:
            o = put(out, o, 32, 0, inherited[e.I_INDENT, n])
            o = put_mark(nodes, node0 + list_around(nodes, node0, item, block, inherited), out, o)
        elif kind == t.DD and markdown and not is_code:
            o = put(out, o, 58, 32, 1)
    if markdown and t.H1 <= tag <= t.H6 and not is_code:
        o = put(out, o, 35, 32, tag - t.H1 + 1)
    return o


@inline_kernel
def is_mark_cell(blocks, nodes, node0, block, inherited):  # type: ignore[no-untyped-def]
    """Whether a block is all of a cell, and the next one the beginning of another cell of the same row."""
    n, other = blocks[h.NODE, block] - node0, blocks[h.NODE, block + 1] - node0
    cell, next_cell = inherited[e.I_CELL, n], inherited[e.I_CELL, other]
    if cell < 0 or next_cell < 0 or cell == next_cell or inherited[e.I_ROW, n] != inherited[e.I_ROW, other]:
        return False
    return nodes[h.FIRST_BLOCK, node0 + cell] == block and nodes[h.FIRST_BLOCK, node0 + next_cell] == block + 1


@inline_kernel
def complete(text, blocks, nodes, node0, block0, num, inherited, chosen_B):  # type: ignore[no-untyped-def]
    """Choose the term of a chosen definition, and a displayed formula (its number aside) or short code between chosen blocks."""
    for b in range(num - 1):
        if chosen_B[b]:
            continue
        n = blocks[h.NODE, block0 + b] - node0
        pre = inherited[e.I_PRE, n]
        if pre >= 0 and b > 0 and chosen_B[b - 1] and not inherited[e.I_HINTS, n] & _HIDDEN:
            last = b + 1
            while (
                last < num and not chosen_B[last] and inherited[e.I_PRE, blocks[h.NODE, block0 + last] - node0] == pre
            ):
                last += 1
            size = blocks[h.TEXT_STOP, block0 + last - 1] - blocks[h.TEXT_START, block0 + b]
            if last < num and chosen_B[last] and size <= SHORT_CODE:
                chosen_B[b:last] = True
                continue
        if b > 0 and chosen_B[b - 1] and (chosen_B[b + 1] or (b + 2 < num and chosen_B[b + 2])):
            block = block0 + b
            chosen_B[b] = is_formula(text, blocks[h.TEXT_START, block], blocks[h.TEXT_STOP, block])
        if chosen_B[b] or not chosen_B[b + 1]:
            continue
        other = blocks[h.NODE, block0 + b + 1] - node0
        item, behind = inherited[e.I_ITEM, n], inherited[e.I_ITEM, other]
        if item >= 0 and behind >= 0 and nodes[h.TAG, node0 + item] == t.DT and nodes[h.TAG, node0 + behind] == t.DD:
            chosen_B[b] = True


@inline_kernel
def mark_of_item(text, blocks, nodes, node0, block, inherited):  # type: ignore[no-untyped-def]
    """The mark of its `li` that the first block of one is, if more of the item, no code and no table, follows, or of the
    `dd` behind it a `dt`, or of the next cell one (`items.own_mark`)."""
    n, other = blocks[h.NODE, block] - node0, blocks[h.NODE, block + 1] - node0
    item = inherited[e.I_ITEM, n]
    if inherited[e.I_PRE, other] >= 0:
        return NO_MARK
    if is_mark_cell(blocks, nodes, node0, block, inherited):
        return own_mark(text, blocks[h.TEXT_START, block], blocks[h.TEXT_STOP, block])
    if item < 0:
        return NO_MARK
    if nodes[h.TAG, node0 + item] == t.DT:  # manual pages have their lists as `dl`
        behind = inherited[e.I_ITEM, other]
        if behind < 0 or nodes[h.TAG, node0 + behind] != t.DD or nodes[h.FIRST_BLOCK, node0 + behind] != block + 1:
            return NO_MARK
        return own_mark(text, blocks[h.TEXT_START, block], blocks[h.TEXT_STOP, block])
    if nodes[h.TAG, node0 + item] != t.LI or inherited[e.I_ITEM, other] != item:
        return NO_MARK
    if nodes[h.FIRST_BLOCK, node0 + item] != block or inherited[e.I_TABLE, other] != inherited[e.I_TABLE, n]:
        return NO_MARK
    return own_mark(text, blocks[h.TEXT_START, block], blocks[h.TEXT_STOP, block])


@inline_kernel
def is_gutter(text, blocks, block, last, inherited, node0):  # type: ignore[no-untyped-def]
    """Whether a block is nothing but the numbers of the lines of code beside it: in the same row of a table, or `pre` before `pre`."""
    n = blocks[h.NODE, block] - node0
    if block + 1 >= last:
        return False
    other = blocks[h.NODE, block + 1] - node0
    if (
        inherited[e.I_PRE, n] >= 0
        and inherited[e.I_PRE, other] >= 0
        and inherited[e.I_PRE, other] != inherited[e.I_PRE, n]
    ):
        start, stop = blocks[h.TEXT_START, block + 1], blocks[h.TEXT_STOP, block + 1]
        if are_numbers_of(text, blocks[h.TEXT_START, block], blocks[h.TEXT_STOP, block], start, stop):
            return True
    if inherited[e.I_ROW, n] < 0:
        return False
    if inherited[e.I_ROW, other] != inherited[e.I_ROW, n] or inherited[e.I_PRE, other] < 0:
        return False
    return inherited[e.I_CELL, other] != inherited[e.I_CELL, n] and is_number_text(
        text, blocks[h.TEXT_START, block], blocks[h.TEXT_STOP, block]
    )


@inline_kernel
def is_label(text, blocks, nodes, block, last, m, inherited, node0):  # type: ignore[no-untyped-def]
    """Whether a block is the title of a forum's code or the name of the language of the code behind it, or the button of code before or behind it (``m``: the node before)."""
    start, stop = blocks[h.TEXT_START, block], blocks[h.TEXT_STOP, block]
    if stop - start > MAX_LABEL or (block + 1 >= last and m < 0):
        return False
    tag, is_copy = nodes[h.TAG, blocks[h.NODE, block]], says_copy(text, start, stop)
    is_title = says_code(text, start, stop)
    in_box = tag == t.DT and nodes[h.KINDS, nodes[h.PARENT, blocks[h.NODE, block]]] & CODE_WORD != 0  # phpBB 3.0
    if (
        tag != t.DIV
        and tag != t.BUTTON
        and tag != t.FIGCAPTION
        and tag != t.FIGURE
        and not (is_copy and (tag == t.P or in_box))
        and not (is_title and (tag == t.TD or in_box))
    ):
        return False  # an author's words
    if is_copy and m >= 0 and inherited[e.I_PRE, m] >= 0:
        return True
    code = block + 1
    while code < last and code < block + 3 and inherited[e.I_PRE, blocks[h.NODE, code] - node0] < 0:
        if not says_copy(text, blocks[h.TEXT_START, code], blocks[h.TEXT_STOP, code]):
            return False
        code += 1
    if code >= last or inherited[e.I_PRE, blocks[h.NODE, code] - node0] < 0:
        return False
    if is_copy or is_title:
        return True
    return names_language(text, start, stop, text, blocks[h.NAME_FROM, code], blocks[h.NAME_TO, code])


@inline_kernel
def judge_tables(blocks, nodes, first, last, inherited, layout_M, block0, num, chosen_B):  # type: ignore[no-untyped-def]
    """A data table is kept whole or not at all: if three eighths of its text are chosen (half and a quarter give the same F1 within .0005), or if it
    stands between chosen blocks, is no longer than `SHORT_TABLE`, mostly no links and not hidden by a class."""
    for n in range(first, last):
        if nodes[h.TAG, n] != t.TABLE or not is_data(layout_M[n - first]):
            continue
        kept, held, linked = 0, 0, 0
        for b in range(nodes[h.FIRST_BLOCK, n], nodes[h.LAST_BLOCK, n]):
            size = blocks[h.TEXT_STOP, b] - blocks[h.TEXT_START, b]
            held += size
            linked += blocks[h.LINK_BYTES, b]
            kept += size if chosen_B[b - block0] else 0
        start, stop = nodes[h.FIRST_BLOCK, n] - block0, nodes[h.LAST_BLOCK, n] - block0
        within = 0 < start < stop < num and chosen_B[start - 1] and chosen_B[stop]
        within = within and not inherited[e.I_HINTS, n - first] & _HIDDEN
        chosen_B[start:stop] = 8 * kept >= 3 * held or (within and held <= SHORT_TABLE and 2 * linked < held)


@inline_kernel
def write_page(text, blocks, nodes, pages, d, chosen_B, inherited, layout_M, columns, markdown, out, o):  # type: ignore[no-untyped-def]
    """Write the chosen blocks of page ``d``: next o."""
    block0, num = pages[h.BLOCKS_FROM, d], pages[h.BLOCKS_TO, d] - pages[h.BLOCKS_FROM, d]
    node0, last_node = pages[h.NODES_FROM, d], pages[h.NODES_TO, d]
    any_table = mark_tables(text, blocks, nodes, node0, last_node, inherited, layout_M, block0, num)
    if any_table:
        judge_tables(blocks, nodes, node0, last_node, inherited, layout_M, block0, num, chosen_B)
    complete(text, blocks, nodes, node0, block0, num, inherited, chosen_B)
    before, m, fence, written_to, joined = -1, 0, 0, 0, False
    for b in range(num):
        block = block0 + b
        if not chosen_B[b] or block < written_to:
            continue
        node = blocks[h.NODE, block]
        n = node - node0
        pre, table = inherited[e.I_PRE, n], inherited[e.I_TABLE, n]
        if fence and pre != inherited[e.I_PRE, m]:
            o = close_fence(fence, out, o)
            fence = 0
        in_data = table >= 0 and is_data(layout_M[table])
        if in_data and inherited[e.I_CELL, n] >= 0 and nodes[h.TAG, node0 + inherited[e.I_CELL, n]] != t.CAPTION:
            o = put(out, o, 10, 0, 2 if before >= 0 else 0)
            end = end_of_element(nodes, node0 + table, last_node)
            o = write_rows(text, blocks, nodes, node0 + table, end, inherited, node0, columns, markdown, out, o)
            written_to = nodes[h.LAST_BLOCK, node0 + table]
            before, m = block, node0 + table - node0
            continue
        if (any_table or pre >= 0) and is_gutter(text, blocks, block, block0 + num, inherited, node0):
            continue
        if pre < 0 and is_label(text, blocks, nodes, block, block0 + num, m if before >= 0 else -1, inherited, node0):
            continue
        is_new_item = before < 0 or inherited[e.I_ITEM, n] != inherited[e.I_ITEM, m]
        start, stop = blocks[h.TEXT_START, block], blocks[h.TEXT_STOP, block]
        if before >= 0 and not joined:
            o = write_separator(out, o, before, block, blocks, nodes, node0, m, n, inherited)
        mark = NO_MARK
        may_be_mark = stop - start <= MAX_MARK and pre < 0 and (is_new_item or inherited[e.I_CELL, n] >= 0)
        if may_be_mark and b + 1 < num and chosen_B[b + 1]:
            mark = mark_of_item(text, blocks, nodes, node0, block, inherited)
        if mark:
            o = put(out, o, 32, 0, inherited[e.I_INDENT, n])
            o = put(out, o, 45, 32, 1) if mark == BULLET else put(out, copy_text(text, start, stop, out, o), 32, 0, 1)
            before, m, joined = block, n, True
            continue
        if not joined:
            o = write_prefix(nodes, node0, n, block, is_new_item, pre >= 0, inherited, markdown, out, o)
        joined = False
        if pre >= 0:
            if markdown and not fence:
                last = b
                while last < num and inherited[e.I_PRE, blocks[h.NODE, block0 + last] - node0] == pre:
                    last += 1
                fence = fence_size(text, start, blocks[h.TEXT_STOP, block0 + last - 1])
                o = open_fence(text, blocks, block, fence, out, o)
            o = write_code(text, start, stop, out, o)
        elif markdown:
            o = shorten_dollars(out, o, write_inline(text, blocks, block, out, o), False)
        else:
            o = shorten_dollars(out, o, copy_text(text, start, stop, out, o), holds_code(blocks, block))
        before, m = block, n
    return close_fence(fence, out, o) if fence else o


@inline_kernel
def find_limit(scores_B, num, measures, odds_256, tally_2):  # type: ignore[no-untyped-def]
    """The score from which on keeping blocks gives the best expected F1 over words (256: keep none).

    ``odds_256`` is the chance, in 4096ths, that a block of each score is wanted. With chances p and words w, keeping a set
    K gives about ``2 sum_K pw / (sum_K w + sum pw)``; the best set is all blocks from some score on (Lipton et al. 2014).
    """
    for score in range(256):
        tally_2[0, score] = 0
        tally_2[1, score] = 0
    wanted = 0
    for b in range(num):
        words = measures[M_WORDS, b]
        tally_2[0, scores_B[b]] += words
        tally_2[1, scores_B[b]] += words * odds_256[scores_B[b]]
        wanted += words * odds_256[scores_B[b]]
    best, limit, kept, hits = 0, 256, 0, 0
    for score in range(255, -1, -1):
        kept += tally_2[0, score]
        hits += tally_2[1, score]
        if tally_2[0, score] > 0:
            expected = (hits << 21) // max(1, (kept << 12) + wanted)
            if expected > best:
                best, limit = expected, score
    return limit


@inline_kernel
def end_of_run(pages, first):  # type: ignore[no-untyped-def]
    """The page after the last of the run that begins with page ``first``: `RUN_BLOCKS`, or one page."""
    num, last = pages.shape[1], first + 1
    while last < num and last - first < RUN_PAGES:
        if pages[h.BLOCKS_TO, last] - pages[h.BLOCKS_FROM, first] > RUN_BLOCKS:
            break
        if pages[h.NODES_TO, last] - pages[h.NODES_FROM, first] > RUN_NODES:
            break
        last += 1
    return last


@inline_kernel
def places_before(pages, first, d):  # type: ignore[no-untyped-def]
    """(columns of measures, of slots) that pages ``first`` to ``d`` of a run take."""
    num = pages[h.BLOCKS_FROM, d] - pages[h.BLOCKS_FROM, first]
    return num + d - first, 4 * num + 20 * (d - first)


@kernel
def write_pages(data, text, blocks, nodes, pages, L, measures, inherited, slots, titles_H, layout_M, X, features_1, limits_1, planes_1,
                bias_1, features_2, limits_2, planes_2, bias_2, text_weights, name_weights, biases_2, roots, places, held_HM,
                sums_B, scores_B, odds_256, tally_2, columns, strictness, keep_all, markdown, out, ends_D):  # type: ignore[no-untyped-def]  # fmt: skip
    """Choose and write the text of every page into ``out``; page ``d`` ends at ``ends_D[d]``.

    Pages are judged in runs (`end_of_run`): trees take `LANES` blocks at a time, and most pages have fewer. A page's limit is
    the one of best expected F1 (`find_limit`), raised by ``strictness`` score steps; with ``keep_all`` every block is kept and
    the classifiers are not asked. Gives the bytes written.
    """
    o, first = 0, 0
    while first < pages.shape[1]:
        last = end_of_run(pages, first)
        block0, node0 = pages[h.BLOCKS_FROM, first], pages[h.NODES_FROM, first]
        num_run = pages[h.BLOCKS_TO, last - 1] - block0
        for d in range(first, last):
            at, slot = places_before(pages, first, d)
            base, node = pages[h.BLOCKS_FROM, d] - block0, pages[h.NODES_FROM, d] - node0
            num = pages[h.BLOCKS_TO, d] - pages[h.BLOCKS_FROM, d]
            if keep_all:
                for b in range(num + 1):
                    measures[SUM_CHARS, at + b] = 0
                e.inherit(nodes, pages[h.NODES_FROM, d], pages[h.NODES_TO, d], inherited[:, node:], L, 1,
                          measures[:, at:], pages[h.BLOCKS_FROM, d])  # fmt: skip
            elif num > 0:
                f.fill_features(X[:, base:], data, text, blocks, nodes, pages, d, L, measures[:, at:], inherited[:, node:],
                                slots[:, slot:], titles_H)  # fmt: skip
        if keep_all:
            for b in range(num_run):
                scores_B[b] = 1
        else:
            sum_trees(X, num_run, features_1, limits_1, planes_1, bias_1, sums_B)
            byte_scores(sums_B, num_run, scores_B)
            for d in range(first, last):
                at, slot = places_before(pages, first, d)
                base = pages[h.BLOCKS_FROM, d] - block0
                if pages[h.BLOCKS_TO, d] - pages[h.BLOCKS_FROM, d] > 0:
                    score_context(X[:, base:], f.NUM_FEATURES, scores_B[base:], blocks, nodes, pages, d,
                                  measures[:, at:], slots[:, slot:])  # fmt: skip
                    w.score_words(X[:, base:], WORDS_FROM, scores_B[base:], data, text, blocks, nodes, pages, d,
                                  text_weights, name_weights, biases_2, roots, places, held_HM)  # fmt: skip
            sum_trees(X, num_run, features_2, limits_2, planes_2, bias_2, sums_B)
            byte_scores(sums_B, num_run, scores_B)
        for d in range(first, last):
            at, _ = places_before(pages, first, d)
            base, node = pages[h.BLOCKS_FROM, d] - block0, pages[h.NODES_FROM, d] - node0
            num = pages[h.BLOCKS_TO, d] - pages[h.BLOCKS_FROM, d]
            if num > 0:
                if not keep_all:
                    limit = find_limit(scores_B[base:], num, measures[:, at:], odds_256, tally_2) + strictness
                    for b in range(base, base + num):
                        scores_B[b] = scores_B[b] >= limit
                o = write_page(text, blocks, nodes, pages, d, scores_B[base:], inherited[:, node:], layout_M, columns,
                               markdown, out, o)  # fmt: skip
            ends_D[d] = o
        first = last
    return o
