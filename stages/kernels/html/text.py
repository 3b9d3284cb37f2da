"""Decide which blocks of a page are its text, and write them: paragraphs, lists, table rows, headings, code.

For `stages.extraction`, after `html_blocks.scan_pages`. `write_pages` is the whole second half in one call: features, first
classifier, context, second classifier, text.

Form of the text: blocks are parted by an empty line; items of a list begin with ``- `` and stand on lines of their own; cells
of a row of a data table are joined by `` | ``, rows stand on lines of their own; lines that `br` ends stay lines; `pre` is kept
as it is. With ``markdown`` headings begin with ``#`` and code is fenced. A table is for layout, and its cells are paragraphs,
when it holds another table, a heading or more than `MAX_CELL_BLOCKS` blocks a cell.

Price: the text is copied once. Legend: B blocks, M nodes, D pages; X_FB features; see `html_features`.
"""

from __future__ import annotations

from stages.kernels.html import blocks as h
from stages.kernels.html import features as f
from stages.kernels.html import tokens as t
from stages.kernels.html.trees import byte_scores, sum_trees
from stages.kernels.jit import lean_inline_kernel as inline_kernel
from stages.kernels.jit import lean_kernel as kernel
from stages.kernels.simd import copy_block

MAX_CELL_BLOCKS = 3
RUN_BLOCKS, RUN_NODES, RUN_PAGES = 512, 4096, 64
"""Pages that are judged together have at most so many, or are one page."""
MAX_SEPARATOR = 16
"""Bytes that may be written around a block beside its own."""


@inline_kernel
def mark_layout(nodes, first, last, layout_M):  # type: ignore[no-untyped-def]
    """Which tables are for layout: ``layout_M`` 1 at their nodes."""
    for n in range(first, last):
        layout_M[n - first] = 0
    for n in range(first, last):
        tag = nodes[h.TAG, n]
        if tag == t.TABLE or t.H1 <= tag <= t.H6 or tag == t.TD:
            held = nodes[h.LAST_BLOCK, n] - nodes[h.FIRST_BLOCK, n]
            if tag == t.TD and held <= MAX_CELL_BLOCKS:
                continue
            outer = nodes[h.PARENT, n]
            while outer != first and nodes[h.TAG, outer] != t.TABLE:
                outer = nodes[h.PARENT, outer]
            if nodes[h.TAG, outer] == t.TABLE and held > 0:
                layout_M[outer - first] = 1


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
def write_separator(out, o, before, block, blocks, m, n, inherited, layout_M, markdown):  # type: ignore[no-untyped-def]
    """What stands between written block ``before`` (node ``m``) and ``block`` (node ``n``): next o."""
    table = inherited[f.I_TABLE, n]
    is_data = table >= 0 and layout_M[table] == 0
    item, last_item = inherited[f.I_ITEM, n], inherited[f.I_ITEM, m]
    pre = inherited[f.I_PRE, n]
    if pre >= 0 and pre == inherited[f.I_PRE, m]:
        return put(out, o, 10, 0, 1)
    if markdown and inherited[f.I_PRE, m] >= 0:
        o = put(out, o, 10, 0, 1)
        o = put(out, o, 96, 0, 3)
    if is_data and table == inherited[f.I_TABLE, m]:
        row = inherited[f.I_ROW, n]
        if row >= 0 and row == inherited[f.I_ROW, m]:
            out[o] = 32
            if inherited[f.I_CELL, n] == inherited[f.I_CELL, m]:
                return o + 1
            out[o + 1] = 124
            out[o + 2] = 32
            return o + 3
        return put(out, o, 10, 0, 1)
    if item >= 0 and item != last_item and last_item >= 0:
        return put(out, o, 10, 0, 1)
    if block == before + 1 and blocks[h.BREAK, block] == h.LINE:
        return put(out, o, 10, 0, 1)
    return put(out, o, 10, 0, 2)


@inline_kernel
def write_page(text, blocks, nodes, pages, d, chosen_B, inherited, layout_M, markdown, out, o):  # type: ignore[no-untyped-def]
    """Write the chosen blocks of page ``d``: next o."""
    block0, num = pages[h.BLOCKS_FROM, d], pages[h.BLOCKS_TO, d] - pages[h.BLOCKS_FROM, d]
    node0 = pages[h.NODES_FROM, d]
    mark_layout(nodes, node0, pages[h.NODES_TO, d], layout_M)
    before, m = -1, 0
    for b in range(num):
        if not chosen_B[b]:
            continue
        block = block0 + b
        node = blocks[h.NODE, block]
        n = node - node0
        tag = nodes[h.TAG, node]
        if before >= 0:
            o = write_separator(out, o, before, block, blocks, m, n, inherited, layout_M, markdown)
        item = inherited[f.I_ITEM, n]
        if item >= 0 and nodes[h.TAG, node0 + item] == t.LI and (before < 0 or item != inherited[f.I_ITEM, m]):
            o = put(out, o, 45, 32, 1)
        if markdown and t.H1 <= tag <= t.H6:
            o = put(out, o, 35, 32, tag - t.H1 + 1)
        pre = inherited[f.I_PRE, n]
        if markdown and pre >= 0 and (before < 0 or inherited[f.I_PRE, m] != pre):
            o = put(out, o, 96, 10, 3)
        for i in range(blocks[h.TEXT_START, block], blocks[h.TEXT_STOP, block], 64):
            copy_block(text, i, out, o + i - blocks[h.TEXT_START, block])
        o += blocks[h.TEXT_STOP, block] - blocks[h.TEXT_START, block]
        before, m = block, n
    if markdown and before >= 0 and inherited[f.I_PRE, m] >= 0:
        o = put(out, o, 10, 0, 1)
        o = put(out, o, 96, 0, 3)
    return o


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
        words = measures[f.M_WORDS, b]
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
def write_pages(text, blocks, nodes, pages, L, measures, inherited, slots, layout_M, X, features_1, limits_1, leaves_1,
                bias_1, features_2, limits_2, leaves_2, bias_2, index_B, sums_B, scores_B, odds_256,
                tally_2, strictness, keep_all, markdown, out, ends_D):  # type: ignore[no-untyped-def]  # fmt: skip
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
                    measures[f.SUM_CHARS, at + b] = 0
                f.inherit(nodes, pages[h.NODES_FROM, d], pages[h.NODES_TO, d], inherited[:, node:], L, 1,
                          measures[:, at:], pages[h.BLOCKS_FROM, d])  # fmt: skip
            elif num > 0:
                f.fill_features(X[:, base:], text, blocks, nodes, pages, d, L, measures[:, at:], inherited[:, node:],
                                slots[:, slot:])  # fmt: skip
        if keep_all:
            for b in range(num_run):
                scores_B[b] = 1
        else:
            sum_trees(X, num_run, features_1, limits_1, leaves_1, bias_1, index_B, sums_B)
            byte_scores(sums_B, num_run, scores_B)
            for d in range(first, last):
                at, slot = places_before(pages, first, d)
                base = pages[h.BLOCKS_FROM, d] - block0
                if pages[h.BLOCKS_TO, d] - pages[h.BLOCKS_FROM, d] > 0:
                    f.score_context(X[:, base:], f.NUM_FEATURES, scores_B[base:], blocks, nodes, pages, d,
                                    measures[:, at:], slots[:, slot:])  # fmt: skip
            sum_trees(X, num_run, features_2, limits_2, leaves_2, bias_2, index_B, sums_B)
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
                o = write_page(text, blocks, nodes, pages, d, scores_B[base:], inherited[:, node:], layout_M, markdown,
                               out, o)  # fmt: skip
            ends_D[d] = o
        first = last
    return o
