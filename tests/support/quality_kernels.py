"""The comparison table: every kernel of language and quality, its slow twin, and what it costs. One row each.

Tests check that both give the same (`tests/kernels/test_quality.py`), `python -m benchmarks.quality` prints speeds,
ratios to the twins and the cost a byte of large pages from it, and `docs/decisions/quality.md` lists it.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from stages import language, quality
from stages.kernels.columns.ragged import Bytes, Offsets, text_buffers
from stages.kernels.unicode import characters
from stages.kernels.words.alignment import Aligner
from stages.kernels.words.folded_words import fold_words
from stages.kernels.words.phrases import build_phrases, count_phrases
from stages.kernels.words.sequences import build
from stages.kernels.words.words import Words
from stages.rules import families
from tests.slow import alignment as slow_alignment
from tests.slow import rules as slow_rules
from tests.slow import words as slow_words

ITEMS = (
    "the mill stood by the river and the people",
    "Im Jahr 1851 brannte die alte Mühle ab",
    "磨坊坐落在河边村里的人们",
)
"""Benchmark items of the row `contamination`."""


@dataclass(frozen=True)
class Row:
    """One kernel, or the kernels of one rule family."""

    name: str
    modules: str
    """Its modules: names under `stages/kernels`."""
    run: Callable[[Bytes, Offsets], Any]
    """The kernel on a batch: what the benchmark times."""
    results: Callable[[pa.LargeStringArray], list[Any]]
    """Its result for each text, in a form to compare with the twin's."""
    twin: Callable[[str], Any]


def _family(name: str, modules: str, twin: Callable[[str], dict[str, Any]]) -> Row:
    params = quality.Params(families=(name,), unit="white_space")

    def results(texts: pa.LargeStringArray) -> list[dict[str, Any]]:
        rows = quality.prepare(params)(pa.RecordBatch.from_arrays([texts], ["text"])).to_pylist()
        known = twin("").keys()
        return [{key: value for key, value in row.items() if key in known} for row in rows]

    return Row(name, modules, lambda data, offsets: quality.measure_piece(data, offsets, params), results, twin)


def _unit(name: str, modules: str, twin: Callable[[str], list[str]]) -> Row:
    split: Callable[[Bytes, Offsets], Words] = quality.UNITS[name]  # type: ignore[assignment]

    def results(texts: pa.LargeStringArray) -> list[list[str]]:
        data, offsets = text_buffers(texts)
        words = split(data, offsets)
        base, raw = int(offsets[0]), data.tobytes()
        found = [raw[base + a : base + b].decode() for a, b in words.bounds_W2.tolist()]
        return [found[a:b] for a, b in zip(words.words_D1[:-1].tolist(), words.words_D1[1:].tolist(), strict=True)]

    return Row(f"words by {name}", modules, split, results, twin)


@functools.cache
def _aligner() -> Aligner:
    known = fold_words(*text_buffers(pa.array(ITEMS, pa.large_string())))
    tokens = (known.hashes_W >> np.uint64(32)).astype(np.uint32)
    ones = np.ones(len(ITEMS), np.bool_)
    return Aligner(build(tokens, known.offsets_D1, ones, np.zeros((len(ITEMS), 2), np.int64)))


def _runs(data: Bytes, offsets: Offsets) -> Any:
    return _aligner().runs(fold_words(data, offsets), offsets)


def _aligned(texts: pa.LargeStringArray) -> list[list[tuple[int, ...]]]:
    found = _runs(*text_buffers(texts))
    return [[tuple(run[1:]) for run in found[found[:, 0] == d].tolist()] for d in range(len(texts))]


def _slow_aligned(text: str) -> list[tuple[int, ...]]:
    items = [[word for word, _, _ in slow_alignment.words(item)] for item in ITEMS]
    return list(slow_alignment.runs(text, items, [True] * len(items), [(0, 0)] * len(items)))


LISTS = (("mill", "River", "the people"), ("磨坊", "Mühle"))
"""Words and phrases that the row `word lists` counts."""


def _phrases(data: Bytes, offsets: Offsets) -> list[list[int]]:
    return count_phrases(data, offsets, _listed(LISTS)).tolist()  # type: ignore[no-any-return]


def _slow_phrases(text: str) -> list[int]:
    def places(phrase: str) -> int:
        inside = "" if any(characters.classes()[ord(c)] & characters.UNSPACED for c in phrase) else r"[^\W]"
        pattern = rf"(?<!{inside})(?={re.escape(phrase.lower())}(?!{inside}))" if inside else rf"(?={phrase})"
        return len(re.findall(pattern, text.lower()))

    return [sum(places(phrase) for phrase in phrases) for phrases in LISTS]


_listed = functools.cache(build_phrases)
ROWS = (
    _family("gopher_quality", "bitmaps, words", slow_rules.gopher_quality),
    _family("gopher_repetition", "bitmaps, words, lines, grouping, ngrams", slow_rules.gopher_repetition),
    _family("c4", "bitmaps, c4_lines", slow_rules.c4),
    _family("c4_strict", "bitmaps, c4_lines", slow_rules.c4_strict),
    _family("fineweb", "bitmaps, words, lines", slow_rules.fineweb),
    _family("refinedweb", "bitmaps, line_kinds", slow_rules.refinedweb),
    _family("redpajama", "bitmaps, words, line_kinds, ngrams", slow_rules.redpajama),
    _family("privacy", "sieve", slow_rules.privacy),
    _family("code", "bitmaps, code", slow_rules.code),
    _family("madlad", "bitmaps, mark_sentences, literals, questionable", slow_rules.madlad),
    _family("chrome", "bitmaps, line_kinds, literals, chrome_lines", slow_rules.chrome),
    _family("opencoder", "bitmaps, code, lines", slow_rules.opencoder),
    _family("fineweb_cleaned", "bitmaps, c4_lines, c4_cleaned, words, lines", slow_rules.fineweb_cleaned),
    _unit("white_space", "bitmaps, words", slow_words.white_space),
    _unit("spacy", "bitmaps, spacy_words", slow_words.spacy),
    _unit("script", "bitmaps, spacy_words, unspaced", slow_words.script),
    Row("contamination", "folded_words, alignment", _runs, _aligned, _slow_aligned),
    Row("word lists", "phrases", _phrases, lambda texts: _phrases(*text_buffers(texts)), _slow_phrases),
    Row(
        "scripts",
        "characters",
        lambda data, offsets: language.text_scripts(data, offsets, 1 << 40),
        lambda texts: language.text_scripts(*text_buffers(texts), 1 << 40),
        slow_rules.script,
    ),
)
FAMILIES = tuple(row.name for row in ROWS if row.name in families.MEASURED)
