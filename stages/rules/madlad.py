"""MADLAD-400's rules of questionable sentences, measured: Kudugunta et al. 2023 (arXiv 2309.04662), section 2.3.

| rule (reason of a drop) | column | fails when |
|---|---|---|
| `too_few_marked_sentences` | `madlad_num_sentences` | < 5 |
| `too_many_questionable_sentences` | `madlad_list_or_cursed_fraction` | > 0.2 |

A sentence (`stages.kernels.words.mark_sentences`) is questionable by

| rule of the paper | column | when |
|---|---|---|
| 2 | `madlad_num_list_case_sentences` | it has 12 words or more, and more than half of them begin with a capital |
| 3 | `madlad_num_odd_size_sentences` | it has fewer than 20 or more than 500 characters |
| 4 | `madlad_num_technical_sentences` | more than 20% of its characters are ``0-9{}+/()>`` |
| 5 | `madlad_num_cursed_sentences` | one of `CURSED` is found in it |

The fraction that decides is that of sentences of rules 2 and 5, which Dolma 3 applies; `madlad_questionable_fraction`
counts those of rules 2 to 5, for a limit of one's own. Rule 1, the language of each sentence, is not measured. Equality
keeps, as in the paper; Dolma 3 drops a page at 0.2 itself and takes the expressions with a backslash by the letter,
which find nothing. The paper's languages have marks of their own: those of other scripts end a sentence too, and
`too_few_marked_sentences` is off for languages whose lines need none (`stages.rules.names.UNMARKED`).
Words are runs of letters and digits, and no tokens of a model.

Price: the sentences, and one pass for the fixed strings among the expressions (`ANYWHERE`, together with those of
other families); what else may be found, a kernel looks for where it can be (`stages.kernels.words.questionable`).
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from stages.kernels.columns.ragged import Bytes, Offsets
from stages.kernels.unicode.bitmaps import Planes
from stages.kernels.words.literals import Hits, Literals
from stages.kernels.words.mark_sentences import Sentences
from stages.kernels.words.questionable import ANY, LIST_CASE_OR_CURSED, questionable
from stages.rules.rule import Rule, fractions

LITERAL = (
    *(" №", "\ufffd\ufffd\ufffd", r"\|\s*$", r" nr\.$", "aute irure dolor ", " sunt in culpa qui ", "orem ipsum "),
    *(" quis nostrud ", " adipisicing ", " dolore eu ", " cupidatat ", "autem vel eum", "wisi enim ad"),
    *(" sex ", " porn ", "黄色电影", "mp3", "ownload", r"Vol\.", r" Ep\.", "Episode", r" г\.\s*$", r" кг\.\s*$"),
    *(r" шт\.", "Develop", "Facebook", " crusher ", " xxx ", ", ..,,? ..,,? ..,,? ..,,?"),
)
SPACED_OUT = (" ..." * 9, " ...." * 9, " [^ ]" * 9)
CURSED = (*LITERAL, *SPACED_OUT)
"""The paper's list of expressions (its appendix); a ``.`` without a backslash is any character."""

FIELDS = (
    pa.field("madlad_num_sentences", pa.int64(), nullable=False),
    pa.field("madlad_num_list_case_sentences", pa.int64(), nullable=False),
    pa.field("madlad_num_odd_size_sentences", pa.int64(), nullable=False),
    pa.field("madlad_num_technical_sentences", pa.int64(), nullable=False),
    pa.field("madlad_num_cursed_sentences", pa.int64(), nullable=False),
    pa.field("madlad_list_or_cursed_fraction", pa.float64()),
    pa.field("madlad_questionable_fraction", pa.float64()),
)

RULES = (
    Rule("too_few_marked_sentences", "madlad_num_sentences", "min", 5, marked=True),
    Rule("too_many_questionable_sentences", "madlad_list_or_cursed_fraction", "max", 0.2),
)
PRINTS = (
    *("\u2116", "\ufffd", "iru", "ulp", " ip", "rud", "dip", "dol", "upi", "eum", "wis", "sex", "orn", "黄", "mp3"),
    *("wnl", "ol.", "Ep.", "Epi", "\u0442.", "Dev", "ceb", "cru", " xx"),
)
"""Three bytes of each of `ANYWHERE` that are rare in text, for `stages.kernels.words.literals`."""
_PLAIN = {one: one.replace("\\", "") for one in LITERAL}
ENDINGS = tuple(_PLAIN[one].replace("s*", "").rstrip("$").encode() for one in LITERAL if one.endswith("$"))
"""Ends of sentences: no white space stands behind."""
ANYWHERE = dict(zip((_PLAIN[one] for one in LITERAL if "$" not in one and ".," not in one), PRINTS, strict=True))
"""Fixed strings, and of each what `PRINTS` has."""


def measure(
    data: Bytes, offsets: Offsets, planes_BK: Planes, sentences: Sentences, known: Literals, hits: Hits
) -> list[pa.Array]:
    """One array per entry of `FIELDS`, a row per document; the first of ``known`` are `ANYWHERE`."""
    totals_D6 = questionable(data, offsets, planes_BK, sentences, hits, known, len(ANYWHERE), ENDINGS)
    total = np.diff(sentences.sentences_D1)
    counts = [pa.array(np.ascontiguousarray(totals_D6[:, kind])) for kind in range(LIST_CASE_OR_CURSED)]
    return [pa.array(total), *counts, *(fractions(totals_D6[:, kind], total) for kind in (LIST_CASE_OR_CURSED, ANY))]
