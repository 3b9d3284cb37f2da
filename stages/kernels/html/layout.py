"""Rows of the tables that `stages.kernels.html.blocks` fills, and the numbers its parts share."""

from __future__ import annotations

from stages.kernels.html import tokens as t
from stages.kernels.html.hints import HINT_NAMES

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
TAG, PARENT, HINTS, SIGNATURE, FIRST_BLOCK, LAST_BLOCK, DEPTH, VALUE, KINDS, CLASS_AT, ID_AT, LEVEL = range(12)
NODE_ROWS = 12
NAME_SHIFT = 9
"""`VALUE`: columns and rows << 20 that a cell spans; of an ordered list its next number, of an item its own, both with `ZERO` added, and
bits of `LETTERS` ... `RELATIVE`; of an item `IS_NUMBERED` too, of a list also how many items it has << `COUNT_SHIFT`. `CLASS_AT`, `ID_AT`: where the attribute's
value begins << `NAME_SHIFT`, and its size, at most `HINT_BYTES`; 0: none. `LEVEL`: how much deeper a list or item stands than its elements say."""
# rows of pages_CD
(BLOCKS_FROM, BLOCKS_TO, NODES_FROM, NODES_TO, TITLE_FROM, TITLE_TO, SOCIAL_TITLE_FROM, SOCIAL_TITLE_TO,
 SCHEMA_HINTS, BODY_HINTS, NUM_TAGS, NUM_INPUTS, NUM_SCRIPTS) = range(13)  # fmt: skip
PAGE_ROWS = 13
# what separates a block from the one before it: the end of a line (`br`), an empty line (two or more of them), elements
LINE, EMPTY_LINE, PARTS = 1, 2, 3
OFF = -1
KIND_SHIFT = 40
HINT_MASK = (1 << KIND_SHIFT) - 1
assert len(HINT_NAMES) < KIND_SHIFT
ZERO = 1 << 27
"""Added to the number of an item, which may be negative."""
LETTERS, ROMAN, CAPITAL, REVERSED, RELATIVE = (1 << bit for bit in range(28, 33))
"""How an item is numbered; `RELATIVE`: the number counts from the number of items of a reversed list."""
IS_NUMBERED = 1 << 33
COUNT_SHIFT = 34
HIDING = 1 << t.STYLE_ATTR | 1 << t.HIDDEN
