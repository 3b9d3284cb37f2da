"""C4's rules, measured: Raffel et al. 2019 (arXiv 1910.10683), section 2.2.

| rule (reason of a drop) | column | fails when |
|---|---|---|
| `lorem_ipsum` | `c4_num_lorem_ipsum_lines` | > 0 |
| `curly_bracket` | `c4_num_curly_lines` | > 0 |
| `too_few_sentences` | `c4_num_sentences` (in the lines that stay) | < 5 |

Each line (``str.splitlines``, stripped) meets the first of these that holds; `c4_num_kept_lines` meet none:

| column | the line | what happens |
|---|---|---|
| `c4_num_long_word_lines` | has a word of more than 1,000 characters | it goes |
| (citation marks `[1]`, `[]`, `[edit]`, `[citation needed]` are cut from here on) | | |
| `c4_strict_num_unterminated_lines` | does not end with . ? ! " ' or ends with ... (`c4_strict` alone) | it goes |
| `c4_num_few_word_lines` | has fewer than 3 words, citations counted | it goes |
| `c4_num_lorem_ipsum_lines` | contains "lorem ipsum", in any case | the page fails |
| `c4_num_javascript_lines` | contains "javascript", in any case | it goes |
| `c4_num_curly_lines` | contains "{" outside formulas (`$...$`, `\\(...\\)`) | the page fails |
| `c4_num_policy_lines` | contains a phrase of a cookie or privacy notice | it goes |

Two families: `c4` without the test for a terminal mark, as the FineWeb recipe uses it, and `c4_strict` with it, as the
paper has it; its columns and reasons are named `c4_strict_...` and `..._in_terminated_lines`. Taking the lines out is
the view `c4_cleaned` of `kept`. Definitions are those of datatrove 0.10.1, its sentences too: of white-space text
(`stages.kernels.words.c4_lines`), or of words with `quality.unit` `spacy` or `script`
(`stages.kernels.words.word_sentences`). With the units `as_written` and `script` lines are as their script is written:
words of Chinese, Japanese, Thai, ... are cut before they are counted, and a line may end in a mark beyond ASCII
(`stages.kernels.words.script_lines`); the reference leaves no line of such a page. The strict rule is off for languages
whose lines need no mark (`stages.rules.names.UNMARKED`). Three more differences are deliberate: braces of formulas are
no sign of code (`stages.kernels.words.formulas`; text of 2019 had lost its TeX); columns count the whole page, where
the reference stops at the first line that fails it (so a page with a bracket has all its lines counted); and letters
beyond ASCII have no other case (the Kelvin sign is no k). Lists of bad words are `stages.rules.word_lists`.

Price: one pass over the bytes for both families.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from stages.kernels.jit import lean_inline_kernel, lean_kernel
from stages.kernels.words import c4_lines
from stages.kernels.words.c4_lines import C4Lines
from stages.rules.rule import Rule

_LINES = ("kept", "long_word", "unterminated", "few_word", "lorem_ipsum", "javascript", "curly", "policy")
KEPT, LONG_WORD, UNTERMINATED, FEW_WORDS, LOREM_IPSUM, JAVASCRIPT, CURLY, POLICY = range(8)
_SENTENCES = 8

_COUNTED = {
    "c4": tuple(k for k in range(8) if k != UNTERMINATED),
    "c4_strict": (KEPT, UNTERMINATED, FEW_WORDS, LOREM_IPSUM, JAVASCRIPT, CURLY, POLICY),
}


def _field(name: str) -> pa.Field:
    return pa.field(name, pa.int64(), nullable=False)


FIELDS = {
    "c4": (
        _field("c4_num_lines"),
        *(_field(f"c4_num_{_LINES[k]}_lines") for k in _COUNTED["c4"]),
        _field("c4_num_sentences"),
    ),
    "c4_strict": (
        *(_field(f"c4_strict_num_{_LINES[k]}_lines") for k in _COUNTED["c4_strict"]),
        _field("c4_strict_num_sentences"),
    ),
}

RULES = {
    "c4": (
        Rule("lorem_ipsum", "c4_num_lorem_ipsum_lines", "max", 0),
        Rule("curly_bracket", "c4_num_curly_lines", "max", 0),
        Rule("too_few_sentences", "c4_num_sentences", "min", 5),
    ),
    "c4_strict": (
        Rule("lorem_ipsum_in_terminated_lines", "c4_strict_num_lorem_ipsum_lines", "max", 0),
        Rule("curly_bracket_in_terminated_lines", "c4_strict_num_curly_lines", "max", 0),
        Rule("too_few_sentences_in_terminated_lines", "c4_strict_num_sentences", "min", 5, marked=True),
    ),
}


def measure(lines: C4Lines) -> list[pa.Array]:
    """One array per entry of the `FIELDS` of `c4`, a row per document."""
    return [pa.array(np.diff(lines.lines_D1)), *_counts(lines, "c4")]


def measure_strict(lines: C4Lines) -> list[pa.Array]:
    """One array per entry of the `FIELDS` of `c4_strict`, a row per document."""
    return _counts(lines, "c4_strict")


def _counts(lines: C4Lines, family: str) -> list[pa.Array]:
    counts_D9 = np.zeros((len(lines.lines_D1) - 1, 9), np.int64)
    _count(lines.lines_D1, lines.facts_L, lines.sentences_L, np.int64(family == "c4_strict"), counts_D9)
    return [pa.array(counts_D9[:, k]) for k in (*_COUNTED[family], _SENTENCES)]


def fates(lines: C4Lines, strict: bool) -> npt.NDArray[np.int64]:
    """Fate of each line: `KEPT`, `LONG_WORD`, ..."""
    fates_L = np.empty(len(lines.facts_L), np.int64)
    _fates(lines.facts_L, np.int64(strict), fates_L)
    return fates_L


@lean_inline_kernel
def _fate(facts, strict):  # type: ignore[no-untyped-def]
    if facts & c4_lines.LONG_WORD:
        return LONG_WORD
    if strict and not facts & c4_lines.TERMINATED:
        return UNTERMINATED
    if facts & c4_lines.FEW_WORDS:
        return FEW_WORDS
    if facts & c4_lines.LOREM_IPSUM:
        return LOREM_IPSUM
    if facts & c4_lines.JAVASCRIPT:
        return JAVASCRIPT
    if facts & c4_lines.CURLY:
        return CURLY
    if facts & c4_lines.POLICY:
        return POLICY
    return KEPT


@lean_kernel
def _fates(facts_L, strict, fates_L):  # type: ignore[no-untyped-def]
    for k in range(len(facts_L)):
        fates_L[k] = _fate(facts_L[k], strict)


@lean_kernel
def _count(lines_D1, facts_L, sentences_L, strict, counts_D9):  # type: ignore[no-untyped-def]
    for d in range(len(lines_D1) - 1):
        for k in range(lines_D1[d], lines_D1[d + 1]):
            fate = _fate(facts_L[k], strict)
            counts_D9[d, fate] += 1
            if fate == KEPT:
                counts_D9[d, _SENTENCES] += sentences_L[k]
