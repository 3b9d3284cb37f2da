"""The state of the HTML scanner: slots of one int64 array W, which every kernel of the family passes on.

`blocks` says what they mean; arrays are passed as one because every further one costs the scanner time.
"""

from __future__ import annotations

# counters and marks of the page
(TEXT, BLOCKS, NODES, DEPTH, BREAK, HINTS, LINKS, IMAGES, TIMES, OVERFLOW, LINK, BOLD, CODE,
 LINK_BYTES, BOLD_BYTES, CODE_BYTES, DROPPED, DROP_DEPTH, INSIDE, XML) = range(20)  # fmt: skip
# a region: an element whose text is judged, or dropped, at its end (`regions`)
REGION, REGION_TAG, REGION_DEPTH, REGION_COUNT, REGION_FROM, REGION_OVER, REGION_BLOCK = range(20, 27)
HIDDEN_REGION, RENDERED_REGION, TEX_REGION, NUMBER_REGION, SIGN_REGION = 1, 2, 3, 4, 5  # what `REGION` may be, beside 0
# code that is no `pre`, the language of code, lines of code
PRE_DEPTH, LANG_FROM, LANG_TO, LANG_DEPTH, LANG_AT, LANG_LAST, LINE_FROM, LINE_OVER = range(27, 35)
# formulas: where the last one stands in the text, of which source; TeX and limit of the one that is read
MATH_FROM, MATH_TO, MATH_SOURCE, TEX_FROM, TEX_TO, LIMIT, FULL, COMMAND, DISPLAY, NO_END = range(35, 45)
# raised and lowered text; marks of inline code; hidden bytes; page begins at
(
    SCRIPT, SCRIPT_FROM, SCRIPT_DEPTH, SCRIPT_LINK, MARKS, HIDDEN_BYTES, SHOW_ALL, PAGE_FROM, TEXT_FROM,
) = range(45, 54)  # fmt: skip
PRE_NODE, PRE_OVER, MARKS_FROM, TEX_SURE, TEX_DISPLAY, DRAWN_TEX = range(54, 60)
# the alphabet of the last letter of a formula, and where it ends
STYLE, STYLE_TO = range(60, 62)
# whether the open link is a heading's to itself; the element that is code of several lines though it is no `pre`, and whether `br` parts them
SELF_LINK, CODE_TAG, HAS_BREAKS = range(62, 65)
# where the last element that is a line of code begins in the text; the end tag in the page behind which a line feed is missing
LINE_SPAN, LINE_END = 65, 66
# how many `q` are open, and where the outermost begins in the text
NUM_QUOTATIONS, QUOTATION = 67, 68
# paragraphs that are lines of code by their font: where the last ends in the page, and where the last that were read for it do
RUN_TO, RUN_SEEN = 69, 70
# the last cell that begins with an answer, and the answer (`answers`)
ANSWER_NODE, ANSWER = 71, 72
NUM_SLOTS = 73
# then: tag and node of each open element, how many of each element are open, spans of attributes, open elements of a formula, and of a drawn one,
# open blocks of a style sheet, classes and ids that the page's own style sheets hide (`style_sheets`), and hints of class values met before
STACK_TAGS = NUM_SLOTS
STACK_NODES = STACK_TAGS + 256
OPEN = STACK_NODES + 256
SPANS = OPEN + 160
MATH_STACK = SPANS + 128
MATH_DEPTH = 64
DRAWN = MATH_STACK + MATH_DEPTH + 8
DRAWN_DEPTH = 192
SHEET = DRAWN + 3 * DRAWN_DEPTH
SHEET_DEPTH, SHEET_COLUMNS = 16, 7
NUM_RULES = SHEET + SHEET_COLUMNS * SHEET_DEPTH
NUM_HIDDEN, HAS_TAGS, RULES_FULL, SHEETS = range(NUM_RULES + 1, NUM_RULES + 5)
RULES = SHEETS + 1
RULE_SIZE = 4096
ASKED = RULES + 4 * RULE_SIZE
ASKED_SIZE = 256
CACHE = ASKED + 3 * ASKED_SIZE
CACHE_SIZE = 1024
WORK_SLOTS = CACHE + 2 * CACHE_SIZE
