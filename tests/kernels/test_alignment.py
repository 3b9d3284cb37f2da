"""Folded words and alignments equal their twins, on whatever text."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.kernels.columns.ragged import text_buffers
from stages.kernels.words.alignment import Aligner
from stages.kernels.words.fold_tables import hash_of
from stages.kernels.words.folded_words import fold_words
from stages.kernels.words.known_words import KnownWords
from stages.kernels.words.sequences import build
from tests.slow import alignment as slow

PIECES = [
    *("The", " ", "\n", "one", "2", "1,000", ".500", "'", "$", "dollars", "ﬁx", "É", "e\u0301", "日本", "ไทย", "한국"),
    *("<b>", "</b>", "<", ">", "&amp;", "&#233;", "&#x41;", "&", ";", "\\n", "\\u00e9", "\\", "\u00ad", "\u200b", "Ⅷ"),
    *(
        "x²",
        "½",
        "１２",
        "\u00a0",
        "ß",
        "İ",
        "_",
        "-",
        "\ufffd",
        "ǅ",
        "ª",
        "𝔘",
        "a" * 30,
        "мельница",
        "ГОД",
        "naïveté",
        "العربية",
        "الدَّوْلَة",
        "أ\u0640\u0654",
        "שָׁ",
        "हिन्दी",
    ),
]
WORDS = ["mill", "river", "stone", "wheel", "grain", "sack", "flour", "weir"]


def folded(texts: list[str]) -> list[list[tuple[int, int, int]]]:
    data, offsets = text_buffers(pa.array(texts, pa.large_string()))
    found = fold_words(data, offsets)
    rows = zip(found.hashes_W.tolist(), found.starts_W.tolist(), found.stops_W.tolist(), strict=True)
    flat = list(rows)
    bounds = found.offsets_D1.tolist()
    return [
        [(h, a - base, b - base) for h, a, b in flat[first:behind]]
        for first, behind, base in zip(bounds, bounds[1:], offsets.tolist(), strict=False)
    ]


@settings(max_examples=300, deadline=None)
@given(st.lists(st.lists(st.sampled_from(PIECES) | st.text(max_size=3), max_size=20).map("".join), max_size=3))
def test_folded_words_equal_their_twin(texts: list[str]) -> None:
    texts = [text.encode("utf-8", "replace").decode() for text in texts]
    assert folded(texts) == [[(hash_of(word), a, b) for word, a, b in slow.words(text)] for text in texts]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("It costs $1,000.", "IT COSTS 1000 dollars"),
        ("two of 1.000.000", "2 of 1,000,000"),
        ("ﬁve naïve cafés", "FIVE NAI\u0308VE cafe\u0301s"),
        ("so\u00adft x\u00b2 don\u2019t", "soft x 2 don't"),
        ("<p>Why&#39;s it <b>so</b>?</p>", "Why's it so?"),
        ('{"q": "Why\\nis it \\u00e9?"}', '{ "q" Why\nis it é'),
        ("a\u00a0b\u3000c １２", "a b c 12"),
        ("عَاصِمَةُ الدَّوْلَةِ هٰذا", "عاصـــمة الدولة هذا"),
        ("בְּרֵאשִׁית \ufb1d", "בראשית י"),
        ("ﻛ\ufe77ﺘ\ufcf3ﺐ", "كتب"),
    ],
)
def test_ways_to_write_the_same_are_the_same_words(one: str, other: str) -> None:
    left, right = folded([one, other])
    assert [word for word, _, _ in left] == [word for word, _, _ in right]


def test_letters_and_points_of_hebrew_and_arabic_equal_their_twin() -> None:
    texts = [f"ab{chr(cp)}ba" for cp in (*range(0x590, 0x700), *range(0xFB1D, 0xFB50), *range(0xFE70, 0xFEFD))]
    assert folded(texts) == [[(hash_of(word), a, b) for word, a, b in slow.words(text)] for text in texts]


def test_awkward_bytes_are_read_without_harm() -> None:
    raw = [b"", b"\xff\xfeab \xc3", b"&#99999999; <", b"\\u12", b"x" * 100_000, b"1" * 10_000 + b",000"]
    column = pa.array(raw, pa.large_binary())
    found = fold_words(*text_buffers(column))
    assert len(found.offsets_D1) == len(raw) + 1
    assert np.all(found.starts_W < found.stops_W)


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.lists(st.sampled_from(WORDS), max_size=9), max_size=4), st.sets(st.sampled_from(WORDS)), st.integers(0)
)
def test_known_words_are_found_in_the_texts_that_are_wanted(
    texts: list[list[str]], words: set[str], wanted: int
) -> None:
    known_V = np.array(sorted(hash_of(word) >> 32 for word in words), np.uint32)
    pages = fold_words(*text_buffers(pa.array([" ".join(text) for text in texts], pa.large_string())))
    wanted_D = np.array([wanted >> d & 1 for d in range(len(texts))], np.bool_)
    known = KnownWords(known_V)
    for _ in range(2):  # nothing stays of the last batch
        found, bounds = known.of_texts(pages.hashes_W, pages.offsets_D1, wanted_D)
        found_words = [found[first:behind].tolist() for first, behind in pairwise(bounds.tolist())]
        rows = [{hash_of(word) >> 32 for word in text} if w else set() for text, w in zip(texts, wanted_D, strict=True)]
        assert found_words == [[v for v, word in enumerate(known_V.tolist()) if word in row] for row in rows]


@pytest.mark.slow
@settings(max_examples=300, deadline=None)
@given(st.data())
def test_alignments_equal_their_twin(data: st.DataObject) -> None:
    word = st.sampled_from(WORDS)
    sequences = data.draw(st.lists(st.lists(word, max_size=24), min_size=1, max_size=4))
    pieces = st.one_of(word.map(lambda one: [one]), st.sampled_from(sequences), st.lists(word, min_size=3, max_size=9))
    drawn = data.draw(st.lists(st.lists(pieces, max_size=12), max_size=3))
    pages = [" ".join(one for piece in page for one in piece) for page in drawn]
    seeded = data.draw(st.lists(st.booleans(), min_size=len(sequences), max_size=len(sequences)))
    companions = [(n + 1, len(sequences)) if data.draw(st.booleans()) else (0, 0) for n in range(len(sequences))]
    known = fold_words(*text_buffers(pa.array([" ".join(one) for one in sequences], pa.large_string())))
    tokens = (known.hashes_W >> np.uint64(32)).astype(np.uint32)
    index = build(tokens, known.offsets_D1, np.array(seeded), np.array(companions, np.int32))
    buffers = text_buffers(pa.array(pages, pa.large_string()))
    aligner = Aligner(index)
    found = aligner.runs(fold_words(*buffers), buffers[1])
    expected = [[d, *run] for d, page in enumerate(pages) for run in slow.runs(page, sequences, seeded, companions)]
    assert found.tolist() == expected
    assert aligner.runs(fold_words(*buffers), buffers[1]).tolist() == expected, "nothing stays of the last batch"


def test_a_companion_does_not_go_on_in_the_next_page() -> None:
    """It begins with the words of its sequence, which are the last of a page; the next page has the rest of it."""
    sequence = ["what", "is", "the", "capital", "of", "the", "old", "country", "by", "the", "sea"]
    companion = [*sequence, "a", "port"]
    known = fold_words(*text_buffers(pa.array([" ".join(sequence), " ".join(companion)], pa.large_string())))
    tokens = (known.hashes_W >> np.uint64(32)).astype(np.uint32)
    index = build(tokens, known.offsets_D1, np.array([True, False]), np.array([[1, 2], [0, 0]], np.int32))
    pages = ["so " + " ".join(sequence), "a port", " ".join(sequence)]
    buffers = text_buffers(pa.array(pages, pa.large_string()))
    found = Aligner(index).runs(fold_words(*buffers), buffers[1])
    twin = [slow.runs(page, [sequence, companion], [True, False], [(1, 2), (0, 0)]) for page in pages]
    assert found.tolist() == [[d, *run] for d, runs in enumerate(twin) for run in runs]
    assert found[:, :2].tolist() == [[0, 0], [2, 0]]


def test_many_seeds_and_long_pages_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    """A page of one phrase over and over has more hits than words, and grows the scratch memory."""
    sequences = ["the mill stood by the river and the people of the mill stood by the river"] * 40
    known = fold_words(*text_buffers(pa.array(sequences, pa.large_string())))
    tokens = (known.hashes_W >> np.uint64(32)).astype(np.uint32)
    index = build(tokens, known.offsets_D1, np.ones(40, np.bool_), np.zeros((40, 2), np.int32))
    buffers = text_buffers(pa.array([" ".join(["the mill stood by the river and"] * 200)], pa.large_string()))
    found = Aligner(index).runs(fold_words(*buffers), buffers[1])
    assert set(found[:, 1].tolist()) <= set(range(40))


def enough(size: int, words: int) -> bool:
    """Whether so many first words of a text of that size, alone on a page, are an alignment."""
    text = ["mill" + chr(97 + n // 26) + chr(97 + n % 26) for n in range(size)]
    known = fold_words(*text_buffers(pa.array([" ".join(text)], pa.large_string())))
    tokens = (known.hashes_W >> np.uint64(32)).astype(np.uint32)
    index = build(tokens, known.offsets_D1, np.array([True]), np.zeros((1, 2), np.int32))
    buffers = text_buffers(pa.array([" ".join(["before", *text[:words], "behind"])], pa.large_string()))
    return len(Aligner(index).runs(fold_words(*buffers), buffers[1])) > 0


@pytest.mark.parametrize(
    ("size", "least"),
    [(4, 4), (6, 6), (7, 6), (12, 11), (13, 10), (14, 10), (20, 10), (25, 10), (27, 10), (28, 11), (35, 14), (300, 14)],
)
def test_so_many_words_are_an_alignment_and_one_fewer_is_none(size: int, least: int) -> None:
    """Of up to twelve words all but one in seven; of more words 10; of more than 25 two fifths, up to 14."""
    assert (enough(size, least), enough(size, least - 1)) == (True, False)
