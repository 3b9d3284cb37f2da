"""`lines`: how much of a page is lines and paragraphs that recur: in the page, and on many pages of its source or host.

For `kept`, which drops by these columns or cuts those lines or paragraphs (views ``without_frequent_lines``,
``without_repeated_lines``, and the same of paragraphs), and for people, who read in ``summary.json`` which of them
recur most. Off by default: it reads all text twice more. Input: `documents` per split. Output: `schemas.LINES`, row for
row, one file per split.

A line is what stands between line feeds without the ASCII white space at its ends, a paragraph what stands between
lines of nothing but white space; paragraphs are equal when their lines are (`stages.kernels.words.line_hashes`). Either
is *frequent* where at least ``min_pages`` pages of its scope (the source, or one host of it) have it. Counts are exact:
they are exchanged by ranges of hashes, one page counts a line or paragraph once, and pages whose whole text is the same
count as one (`stages.text_copies`). Nothing depends on the order, number or division of the input.

The exchange (files in, files out; G groups of splits, R ranges of hashes, planned to keep a task to ``memory``):

    texts G, copies T, count G, frequent R, mark G, summary 1

Price: about 3 ns a byte in each of two passes over the text; of temporary disk 12 bytes per distinct line of a group,
and 24 per page.
Limit: two lines of one scope share a hash with a chance of 2**-64 a pair.
"""

from __future__ import annotations

from typing import Any

from stages.lines.params import EFFORT, LinesInput, Params
from stages.lines.planning import plan

VERSION = 5

__all__ = ["EFFORT", "VERSION", "LinesInput", "Params", "identity", "plan"]


def identity(params: Params) -> dict[str, Any]:
    """Nothing outside the parameters and the inputs decides the output."""
    return {}
