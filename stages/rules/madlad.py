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
which find nothing. Words are runs of letters and digits, and no tokens of a model.

Price: one pass for the sentences, and one for those in which `LITERAL` may be found; RE2 reads these. `SPACED_OUT`
is looked for by a kernel: RE2 makes so many states of it that they take longer than the text.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from stages.kernels.columns.ragged import Bytes
from stages.kernels.words.grams import GRAM, may_hold, sieve
from stages.kernels.words.lines import sums
from stages.kernels.words.mark_sentences import (
    CAPITALISED,
    CHARACTERS,
    SPACED,
    TECHNICAL,
    WORDS,
    Sentences,
    evenly_spaced,
)
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
    Rule("too_few_marked_sentences", "madlad_num_sentences", "min", 5),
    Rule("too_many_questionable_sentences", "madlad_list_or_cursed_fraction", "max", 0.2),
)
GRAMS = (
    *(" №", "\ufffd\ufffd\ufffd", " nr.", "irur", "culp", "ipsu", "trud", "dipi", "lore", "upid", "utem", "wisi"),
    *(" sex", "porn", "黄色", "wnlo", "Vol.", " Ep.", "piso", " г.", "кг.", "шт.", "Deve", "cebo", "crus", " xxx"),
)
"""Characters of each of `LITERAL`, of which the last four bytes are hashed; ``mp3`` and commas are looked for apart."""
_LITERAL = "|".join(f"(?:{one})" for one in LITERAL)
_SIEVE = sieve([gram.encode()[-GRAM:] for gram in GRAMS], three=b"mp3", gap=10)


def measure(data: Bytes, sentences: Sentences) -> list[pa.Array]:
    """One array per entry of `FIELDS`, a row per document."""
    numbers = sentences.numbers_S5
    listed = (numbers[:, WORDS] >= 12) & (2 * numbers[:, CAPITALISED] > numbers[:, WORDS])
    odd = (numbers[:, CHARACTERS] < 20) | (numbers[:, CHARACTERS] > 500)
    technical = 5 * numbers[:, TECHNICAL] > numbers[:, CHARACTERS]
    bad = cursed(data, sentences)
    bounds = sentences.sentences_D1
    total = np.diff(bounds)
    counts = [sums(kind, bounds) for kind in (listed, odd, technical, bad)]
    of = [fractions(sums(kind, bounds), total) for kind in (listed | bad, listed | odd | technical | bad)]
    return [pa.array(total), *map(pa.array, counts), *of]


def cursed(data: Bytes, sentences: Sentences) -> npt.NDArray[np.bool_]:
    """The sentences in which one of `CURSED` is found."""
    if not len(sentences.starts_S):
        return np.zeros(0, np.bool_)
    bounds = np.column_stack([sentences.starts_S, sentences.stops_S]).reshape(-1)  # and what stands between them
    buffers = [None, pa.py_buffer(np.ascontiguousarray(bounds)), pa.py_buffer(np.ascontiguousarray(data))]
    texts = pa.Array.from_buffers(pa.large_string(), len(bounds) - 1, buffers)
    found = np.zeros(len(sentences.starts_S), np.bool_)
    ends = data[sentences.stops_S - 1]
    maybe = may_hold(data, sentences.starts_S, sentences.stops_S, _SIEVE) | (ends == ord("|")) | (ends <= ord(" "))
    rows = np.flatnonzero(maybe)
    if len(rows):
        found[rows] = pc.match_substring_regex(texts.take(pa.array(2 * rows)), _LITERAL)
    rows = np.flatnonzero((sentences.numbers_S5[:, SPACED] != 0) & ~found)  # where `SPACED_OUT` may be
    found[rows] = evenly_spaced(data, sentences.starts_S, sentences.stops_S, rows)
    return found
