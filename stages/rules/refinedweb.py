"""RefinedWeb's line-wise corrections, measured: Penedo et al. 2023 (arXiv 2306.01116), section 3.1 and appendix G.2.

| rule (reason of a drop) | column | fails when |
|---|---|---|
| `too_many_corrected_words` (in the lines that would go) | `refinedweb_corrected_word_fraction` | > 0.05 |

A line goes when it is mainly upper case, nothing but digits, a counter ("3 likes"), a single word, or a short piece of
a page's frame ("sign in ...", "... read more...", "... items in cart ..."): `stages.kernels.words.line_kinds` has the
exact tests and the order in which one line is counted. Lines are cut at line feeds; those without a word do not count.
The view `refinedweb_corrected` of `kept` takes the lines out. The paper names the kinds of lines and gives examples;
the word lists are therefore ours, and the reference (datatrove) has no such family.

Price: one pass over the bytes, shared with `redpajama`.
"""

from __future__ import annotations

import pyarrow as pa

from stages.kernels.words import line_kinds
from stages.kernels.words.line_kinds import LineKinds
from stages.kernels.words.lines import sums
from stages.rules.rule import Rule, fractions

KINDS = {
    "uppercase": line_kinds.MAINLY_UPPERCASE,
    "digit": line_kinds.ONLY_DIGITS,
    "counter": line_kinds.COUNTER,
    "one_word": line_kinds.ONE_WORD,
    "boilerplate": line_kinds.BOILERPLATE,
}

FIELDS = (
    *(pa.field(f"refinedweb_num_{name}_lines", pa.int64(), nullable=False) for name in KINDS),
    pa.field("refinedweb_corrected_word_fraction", pa.float64()),
)

RULES = (Rule("too_many_corrected_words", "refinedweb_corrected_word_fraction", "max", 0.05),)


def measure(lines: LineKinds) -> list[pa.Array]:
    """One array per entry of `FIELDS`, a row per document."""
    corrected = sums((lines.kinds_L != line_kinds.ORDINARY) * lines.words_L, lines.lines_D1)
    return [
        *(pa.array(sums(lines.kinds_L == kind, lines.lines_D1)) for kind in KINDS.values()),
        fractions(corrected, lines.totals_D6[:, line_kinds.WORDS]),
    ]
