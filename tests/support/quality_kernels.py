"""The comparison table: every kernel of language and quality, its slow twin, and what it costs. One row each.

Tests check that both give the same (`tests/kernels/test_quality.py`), `python -m benchmarks.quality` prints speeds,
ratios to the twins and the cost a byte of large pages from it, and `docs/decisions/quality.md` lists it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from stages import language, quality
from stages.kernels.columns.ragged import Bytes, Offsets, text_buffers
from stages.kernels.unicode import characters
from stages.kernels.words.overlap import build_index, overlaps
from stages.kernels.words.phrases import build_phrases, count_phrases
from stages.kernels.words.words import Words
from stages.rules import families
from tests.slow import rules as slow_rules
from tests.slow import words as slow_words

ITEMS = (
    "the mill stood by the river and the people",
    "Im Jahr 1851 brannte die alte Mühle ab",
    "磨坊坐落在河边村里的人们",
)
"""What the row `contamination` looks for, seven words in a row."""
NGRAM = 7


@dataclass(frozen=True)
class Row:
    """One kernel, or the kernels of one rule family."""

    name: str
    modules: str
    """Where it is: names under `stages/kernels`."""
    run: Callable[[Bytes, Offsets], Any]
    """The kernel on a batch: what the benchmark times."""
    results: Callable[[pa.LargeStringArray], list[Any]]
    """What it says of each text, in a form to compare with the twin's."""
    twin: Callable[[str], Any]


def _family(name: str, modules: str, twin: Callable[[str], dict[str, Any]]) -> Row:
    params = quality.Params(families=(name,))

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


def _index() -> Any:
    return build_index(*text_buffers(pa.array(ITEMS, pa.large_string())), NGRAM)


def _overlaps(texts: pa.LargeStringArray) -> list[int]:
    found = overlaps(*text_buffers(texts), _index())[:, 0].tolist()
    return [found.count(d) for d in range(len(texts))]


def normalised_words(text: str) -> list[str]:
    """Runs of letters, digits and marks in small letters; Han characters each for itself."""
    return re.findall(r"[\u4e00-\u9fff]|(?:(?![\u4e00-\u9fff])[^\W_])+", text.lower())


def _slow_overlaps(text: str) -> int:
    def ngrams(text: str) -> list[tuple[str, ...]]:
        words = normalised_words(text)
        return [tuple(words[i : i + NGRAM]) for i in range(len(words) - NGRAM + 1)]

    known = {ngram for item in ITEMS for ngram in ngrams(item)}
    return sum(ngram in known for ngram in ngrams(text))


LISTS = (("mill", "River", "the people"), ("磨坊", "Mühle"))
"""What the row `word lists` counts."""


def _phrases(data: Bytes, offsets: Offsets) -> list[list[int]]:
    return count_phrases(data, offsets, PHRASES)[0].tolist()  # type: ignore[no-any-return]


def _slow_phrases(text: str) -> list[int]:
    def places(phrase: str) -> int:
        inside = "" if any(characters.classes()[ord(c)] & characters.UNSPACED for c in phrase) else r"[^\W]"
        pattern = rf"(?<!{inside})(?={re.escape(phrase.lower())}(?!{inside}))" if inside else rf"(?={phrase})"
        return len(re.findall(pattern, text.lower()))

    return [sum(places(phrase) for phrase in phrases) for phrases in LISTS]


INDEX = _index()
PHRASES = build_phrases(LISTS)
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
    _family("opencoder", "bitmaps, code, lines", slow_rules.opencoder),
    _unit("white_space", "bitmaps, words", slow_words.white_space),
    _unit("spacy", "bitmaps, spacy_words", slow_words.spacy),
    _unit("script", "bitmaps, spacy_words, unspaced", slow_words.script),
    Row("contamination", "overlap", lambda data, offsets: overlaps(data, offsets, INDEX), _overlaps, _slow_overlaps),
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
