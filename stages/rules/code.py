"""Rules made for code, measured: StarCoder (Li et al. 2023, arXiv 2305.06161, section 3.2) and StarCoder2 (Lozhkov et
al. 2024, arXiv 2402.19173, section 2.3).

| rule (reason of a drop) | column | fails when | of |
|---|---|---|---|
| `too_many_lines` | `code_num_lines` | > 100,000 | StarCoder2 |
| `lines_too_long_on_average` | `code_mean_line_characters` | > 100 | both |
| `a_line_too_long` | `code_max_line_characters` | > 1,000 | both |
| `too_few_letters` | `code_letter_fraction` | < 0.25 | both |
| `xml_declaration` | `code_num_xml_declarations` | > 0 | StarCoder |
| `generated_file` | `code_num_generated_marks` | > 0 | StarCoder2 |
| `an_encoded_stretch_too_long` | `code_max_encoded_characters` | > 1,024 | StarCoder2 |
| `too_much_encoded_data` | `code_encoded_fraction` | > 0.5 | StarCoder2 |
| `raw_notebook` | `code_num_notebook_marks` | > 0 | both turn notebooks into scripts |

Equality keeps. Lines are what line feeds separate, blank ones too. The encoded fraction is that of the pattern
(`stages.kernels.words.code`) that covers most. Marks of generators are the five phrases of StarCoder2 in the first five
lines, in any case. What these papers ask of file names (XSLT may declare XML; HTML, JSON, Markdown, TeX and others may
have long lines; go-enry's list of generated files) is for `kept.overrides` and sources: text alone does not show it.

Price: two passes over the bytes, shared with `opencoder`.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from stages.kernels.words import code
from stages.kernels.words.code import Facts
from stages.rules.rule import Rule, fractions

FIELDS = (
    pa.field("code_num_lines", pa.int64(), nullable=False),
    pa.field("code_mean_line_characters", pa.float64()),
    pa.field("code_max_line_characters", pa.int64(), nullable=False),
    pa.field("code_letter_fraction", pa.float64()),
    pa.field("code_num_xml_declarations", pa.int64(), nullable=False),
    pa.field("code_num_generated_marks", pa.int64(), nullable=False),
    pa.field("code_max_encoded_characters", pa.int64(), nullable=False),
    pa.field("code_encoded_fraction", pa.float64()),
    pa.field("code_num_notebook_marks", pa.int64(), nullable=False),
)

RULES = (
    Rule("too_many_lines", "code_num_lines", "max", 100_000),
    Rule("lines_too_long_on_average", "code_mean_line_characters", "max", 100),
    Rule("a_line_too_long", "code_max_line_characters", "max", 1000),
    Rule("too_few_letters", "code_letter_fraction", "min", 0.25),
    Rule("xml_declaration", "code_num_xml_declarations", "max", 0),
    Rule("generated_file", "code_num_generated_marks", "max", 0),
    Rule("an_encoded_stretch_too_long", "code_max_encoded_characters", "max", 1024),
    Rule("too_much_encoded_data", "code_encoded_fraction", "max", 0.5),
    Rule("raw_notebook", "code_num_notebook_marks", "max", 0),
)


def mean_line(facts_DF: Facts) -> pa.Array:
    """Characters a line; null where there is none."""
    feeds = facts_DF[:, code.LINES] - 1 + facts_DF[:, code.FINAL_FEED]
    return fractions(facts_DF[:, code.CHARACTERS] - feeds, facts_DF[:, code.LINES])


def measure(facts_DF: Facts) -> list[pa.Array]:
    """One array per entry of `FIELDS`, a row per document."""
    encoded = np.maximum.reduce([facts_DF[:, kind] for kind in (code.BASE64, code.HEX, code.ESCAPES)])
    return [
        pa.array(facts_DF[:, code.LINES]),
        mean_line(facts_DF),
        pa.array(facts_DF[:, code.LONGEST_LINE]),
        fractions(facts_DF[:, code.LETTERS], facts_DF[:, code.CHARACTERS]),
        pa.array(facts_DF[:, code.XML]),
        pa.array(facts_DF[:, code.GENERATED]),
        pa.array(facts_DF[:, code.LONGEST_ENCODED]),
        fractions(encoded, facts_DF[:, code.CHARACTERS]),
        pa.array(facts_DF[:, code.NOTEBOOK]),
    ]
