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

import numpy as np
import pyarrow as pa

from stages.kernels.jit import lean_kernel
from stages.kernels.words import line_kinds
from stages.kernels.words.line_kinds import LineKinds
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
    num_documents = len(lines.lines_D1) - 1
    lines_6D = np.zeros((1 + len(KINDS), num_documents), np.int64)
    corrected_D = np.zeros(num_documents, np.int64)
    _count_kinds(lines.lines_D1, lines.kinds_L, lines.words_L, lines_6D, corrected_D)
    return [
        *(pa.array(lines_6D[kind]) for kind in KINDS.values()),
        fractions(corrected_D, lines.totals_D6[:, line_kinds.WORDS]),
    ]


@lean_kernel
def _count_kinds(lines_D1, kinds_L, words_L, lines_6D, corrected_D):  # type: ignore[no-untyped-def]
    """Lines of each kind, and the words of all that are not ordinary."""
    for d in range(len(lines_D1) - 1):
        for k in range(lines_D1[d], lines_D1[d + 1]):
            lines_6D[kinds_L[k], d] += 1
            corrected_D[d] += (kinds_L[k] != line_kinds.ORDINARY) * words_L[k]
