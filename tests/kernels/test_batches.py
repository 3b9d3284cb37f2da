"""Every kernel that reads a column of texts says of a text what it says of it alone: whatever stands before and behind.

Texts are short and odd: empty, one byte, cut in a character, bytes that are no UTF-8, as long as the blocks kernels
take at a time. With NUMBA_BOUNDSCHECK=1 every index is checked as well, those before the first text too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from stages import language
from stages.kernels import byte_model
from stages.kernels.columns.ragged import Bytes, Offsets, read_only, text_buffers
from stages.kernels.dedup.anchors import find_anchors
from stages.kernels.dedup.minhash import minhash, permutations
from stages.kernels.dedup.shingles import shingle_sets
from stages.kernels.html.page_head import page_heads
from stages.kernels.unicode.lines import cut_lines, mostly_capitals
from stages.kernels.unicode.normalise import normalise
from stages.kernels.urls.keys import url_keys
from stages.kernels.words.as_written import split_as_written
from stages.kernels.words.c4_lines import c4_lines
from stages.kernels.words.code import code_facts
from stages.kernels.words.folded_words import fold_words
from stages.kernels.words.line_hashes import hash_lines
from stages.kernels.words.line_kinds import line_kinds
from stages.kernels.words.lines import split_lines
from stages.kernels.words.literals import find_literals, literals
from stages.kernels.words.mark_sentences import SPACED, mark_sentences
from stages.kernels.words.ngrams import repeated_ngrams
from stages.kernels.words.phrases import build_phrases, count_phrases
from stages.kernels.words.sieve import candidates
from stages.kernels.words.spacy_words import split_script_words, split_spacy_words
from stages.kernels.words.unspaced import mostly_unspaced
from stages.kernels.words.words import Words, split_words

PIECES = (
    *(
        b"",
        b"a",
        b" ",
        b"\n",
        b"\r\n",
        b".",
        b"...",
        b"A",
        b"1",
        b"$",
        b"\\",
        b"{",
        b"[1]",
        b"-",
        b"@",
        b"+1",
        b"&#",
        b"<",
    ),
    *("é", "É", "İ", "\u212a", "中", "か", "ก", "ན", "က္", "가", "א", "🙂", "𝐀"),
    *("\u0301", "\u200b", "\u2028", "\x85", "\0", "…", "’s", "。"),
    *(b"\xff", b"\x80", b"\xc2", b"\xe4\xb8", b"\xf0\x9f\x99", b"\xed\xa0\x80", b"\x80" * 70),
    *(b"the mill ", b"stood by the river. ", b"mill\n", b"don't ", b"US$5 ", b"10km ", b"javascript ", b"3 likes"),
    *(b"a" * 63, b"a" * 64, b" " * 65, b"ab " * 22, "中".encode() * 22, b"one two three " * 9),
    *(b"<meta name=date content=x>", b"8.8.8.8", b"http://a.b/c?d#e"),
)
TEXT = st.lists(st.sampled_from([p.encode() if isinstance(p, str) else p for p in PIECES]), max_size=6).map(b"".join)
PHRASES = build_phrases([("a", "mill", "the mill", "中"), ("É", "stood by", "か")], once=1)
LITERALS = literals({"the mill": "mil", "stood by the river.": "riv", "one two": "e t"})
PERMUTATIONS = permutations(4, 1)


def split(offsets: Offsets, bounds_D1: Offsets, *columns: Any, places: tuple[int, ...] = ()) -> list[Any]:
    """The rows of each text; columns that are numbered in ``places`` count from its first byte."""
    rows = []
    for d, base in enumerate(offsets[:-1].tolist()):
        first, behind = int(bounds_D1[d]), int(bounds_D1[d + 1])
        rows.append([(c[first:behind] - (base if k in places else 0)).tolist() for k, c in enumerate(columns)])
    return rows


def of_words(cut: Callable[..., Words]) -> Callable[[Bytes, Offsets], list[Any]]:
    def results(data: Bytes, offsets: Offsets) -> list[Any]:
        words = cut(data, offsets)
        bounds = words.bounds_W2 + offsets[0]
        found = split(offsets, words.words_D1, bounds, words.hashes_W, words.characters_W, words.kinds_W, places=(0,))
        repeated = repeated_ngrams(words)
        more = words.marks_D5, repeated.top_D3, repeated.repeated_D6, repeated.unique_D, repeated.clogc_D
        return [*zip(found, *(column.tolist() for column in more), strict=True)]

    return results


def of_lines(data: Bytes, offsets: Offsets) -> list[Any]:
    """All but `SPACED`, which says where to look closer and may say so of white space before the text."""
    c4, kinds, lines, marks = (f(data, offsets) for f in (c4_lines, line_kinds, split_lines, mark_sentences))
    numbers_S5 = marks.numbers_S6[:, :SPACED]
    hashed = hash_lines(data, offsets, np.full(len(offsets) - 1, 7, np.uint64))
    return [
        *zip(
            split(offsets, c4.lines_D1, c4.starts_L, c4.stops_L, c4.facts_L, c4.sentences_L, places=(0, 1)),
            split(offsets, kinds.lines_D1, kinds.starts_L, kinds.stops_L, kinds.words_L, kinds.kinds_L, places=(0, 1)),
            kinds.totals_D6.tolist(),
            split(offsets, lines.lines_D1, lines.characters_L, lines.kinds_L),
            split(offsets, lines.paragraphs_D1, lines.characters_P, lines.kinds_P),
            lines.totals_D3.tolist(),
            split(offsets, marks.sentences_D1, marks.starts_S, marks.stops_S, numbers_S5, places=(0, 1)),
            split(offsets, hashed.lines_D1, *hashed[1:], places=(0, 1)),
            strict=True,
        )
    ]


def of_columns(data: Bytes, offsets: Offsets) -> list[Any]:
    """Arrays with one value or row a text."""
    counts_KH, totals_KH = np.ones((3, 64), np.uint32), np.full((3, 64), 99, np.uint32)
    spans, names = page_heads(data, offsets)
    columns = (
        mostly_unspaced(data, offsets), count_phrases(data, offsets, PHRASES), code_facts(data, offsets), spans, names,
        *mostly_capitals(data, offsets), *url_keys(data, offsets), cut_lines(data, offsets, 40, 3, True)[2],
        np.nan_to_num(byte_model.bits_per_byte(data, offsets, counts_KH, totals_KH)),
    )  # fmt: skip
    return [*zip(language.text_scripts(data, offsets, 50), *(column.tolist() for column in columns), strict=True)]


def of_folded(data: Bytes, offsets: Offsets) -> list[Any]:
    words = fold_words(data, offsets)
    return split(offsets, words.offsets_D1, words.starts_W, words.stops_W, words.hashes_W, places=(0, 1))


def of_cut(data: Bytes, offsets: Offsets) -> list[Any]:
    cut, ends, _ = cut_lines(data, offsets, 40, 3, False)
    return split(ends, ends, cut)


def of_normalised(data: Bytes, offsets: Offsets) -> list[Any]:
    normal, ends, spaceless = normalise(data, offsets)
    minima, num = minhash(normal, ends, spaceless, 3, *PERMUTATIONS)
    hashes, bounds = shingle_sets(normal, ends, spaceless, 3)
    sets = split(ends, bounds, hashes)
    return [*zip(split(ends, ends, normal), spaceless.tolist(), minima.tolist(), num.tolist(), sets, strict=True)]


def of_anchors(data: Bytes, offsets: Offsets) -> list[Any]:
    rows = len(offsets) - 1
    found = find_anchors(data, offsets, np.full(rows, 3, np.uint64), np.ones(rows, np.bool_), 20, 8)
    return split(offsets, found.anchors_D1, *found[1:], places=(0,))


KERNELS: dict[str, Callable[[Bytes, Offsets], list[Any]]] = {
    "white space": of_words(split_words),
    "spacy": of_words(split_spacy_words),
    "script": of_words(split_script_words),
    "as written": of_words(split_as_written),
    "lines": of_lines,
    "columns": of_columns,
    "folded words": of_folded,
    "cut lines": of_cut,
    "normalised": of_normalised,
    "anchors": of_anchors,
}


def batches(texts: list[bytes]) -> Iterator[tuple[Bytes, Offsets]]:
    """The column as it is, and as a part of one with other texts before it and behind; memory ends where it does."""
    yield tight(texts)
    data, offsets = tight([b"\\a 1\xe4", *texts, b"\x80 a"])
    yield data, read_only(offsets[1:-1])


def tight(texts: list[bytes]) -> tuple[Bytes, Offsets]:
    _, offsets = text_buffers(pa.array(texts, pa.large_binary()))
    return read_only(np.frombuffer(b"".join(texts) or b"", np.uint8)), offsets


@pytest.mark.parametrize("name", KERNELS)
@settings(max_examples=60, deadline=None)
@example([])
@example([b""])
@example([b"", b"", b"a", b""])
@example([b"a" + b"\x80" * 200, b"\x80" * 200, "é".encode() * 100])
@example([b"a", b"a" * 63 + "’s".encode()])
@given(st.lists(TEXT, max_size=6))
def test_a_text_is_read_in_a_batch_as_alone(name: str, texts: list[bytes]) -> None:
    kernel = KERNELS[name]
    expected = [kernel(*tight([text]))[0] for text in texts]
    for data, offsets in batches(texts):
        assert kernel(data, offsets) == expected


@settings(max_examples=100, deadline=None)
@given(st.lists(TEXT, max_size=6))
def test_what_is_found_alone_is_found_in_a_batch(texts: list[bytes]) -> None:
    """A batch has more strings and candidates where they may reach over the end of a text."""
    for data, offsets in batches(texts):
        hits = find_literals(data, offsets, LITERALS)
        sieved, found = candidates(data, offsets).tolist(), [*zip(*(c.tolist() for c in hits), strict=True)]
        for text, base in zip(texts, offsets[:-1].tolist(), strict=True):
            alone = find_literals(*tight([text]), LITERALS)
            assert {(base + at, n) for at, n in zip(*(c.tolist() for c in alone), strict=True)} <= {*found}
            assert all([base + at, kind] in sieved for at, kind in candidates(*tight([text])).tolist())


CHARACTERS = (b"a", b" ", b"\n", b".", b"\x80", b"\xf0", "中".encode(), b"a ", b"a\n", b"-1")


@pytest.mark.parametrize("text", CHARACTERS, ids=repr)
@pytest.mark.parametrize("name", KERNELS)
def test_a_text_of_one_character_over_and_over_is_read(name: str, text: bytes) -> None:
    assert len(KERNELS[name](*tight([text * (200_000 // len(text))]))) == 1
