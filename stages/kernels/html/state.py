"""The state of the HTML scanner: slots of one int64 array W, which every kernel of the family passes on.

`blocks` says what they mean; arrays are passed as one because every further one costs the scanner time.
"""

from __future__ import annotations

# counters and marks of the page
(S_TEXT, S_BLOCKS, S_NODES, S_DEPTH, S_BREAK, S_HINTS, S_LINKS, S_IMAGES, S_TIMES, S_OVERFLOW, S_LINK, S_BOLD, S_CODE,
 S_LINK_BYTES, S_BOLD_BYTES, S_CODE_BYTES, S_DROPPED, S_DROP_DEPTH, S_INSIDE, S_XML) = range(20)  # fmt: skip
# a region: an element whose text is judged, or dropped, at its end (`regions`)
S_REGION, S_REGION_TAG, S_REGION_DEPTH, S_REGION_COUNT, S_REGION_FROM, S_REGION_OVER, S_REGION_BLOCK = range(20, 27)
# code that is no `pre`, the language of code, lines of code
S_PRE_DEPTH, S_LANG_FROM, S_LANG_TO, S_LANG_DEPTH, S_LANG_AT, S_LANG_LAST, S_LINE_FROM, S_LINE_OVER = range(27, 35)
# formulas: where the last one stands in the text, of which source; TeX and limit of the one that is read
S_MATH_FROM, S_MATH_TO, S_MATH_SOURCE, S_TEX_FROM, S_TEX_TO, S_LIMIT, S_FULL, S_COMMAND, S_DISPLAY, S_NO_END = range(
    35, 45
)
# raised and lowered text; marks of inline code; hidden bytes; page begins at
(
    S_SCRIPT,
    S_SCRIPT_FROM,
    S_SCRIPT_DEPTH,
    S_SCRIPT_LINK,
    S_MARKS,
    S_HIDDEN_BYTES,
    S_SHOW_ALL,
    S_PAGE_FROM,
    S_TEXT_FROM,
) = range(45, 54)
S_RULES, S_PRE_NODE, S_PRE_OVER, S_MARKS_FROM, S_UNUSED, S_TEX_SURE, S_TEX_DISPLAY, S_DRAWN_TEX = range(54, 62)
NUM_SLOTS = 64
# then: tag and node of each open element, how many of each element are open, spans of attributes, open elements of a formula,
# classes and ids that the page's own style hides, and hints of class values met before
STACK_TAGS = NUM_SLOTS
STACK_NODES = STACK_TAGS + 256
OPEN = STACK_NODES + 256
SPANS = OPEN + 160
MATH_STACK = SPANS + 128
MATH_DEPTH = 64
RULES = MATH_STACK + MATH_DEPTH + 8
RULE_SIZE = 256
CACHE = RULES + RULE_SIZE
CACHE_SIZE = 1024
WORK_SLOTS = CACHE + 2 * CACHE_SIZE
