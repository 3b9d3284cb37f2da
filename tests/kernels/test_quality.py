"""Every kernel of the comparison table says what its slow twin says; bad input has defined values."""

from __future__ import annotations

import math
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from stages import language, quality
from stages.kernels.columns.ragged import text_buffers
from stages.kernels.unicode import characters as characters_of_unicode
from stages.kernels.words import unspaced
from stages.kernels.words.unspaced import mostly_unspaced
from stages.rules import families
from tests.rules.test_quality import AWKWARD
from tests.slow import rules as slow_rules
from tests.slow import words as slow_words
from tests.support import characters
from tests.support.quality_kernels import FAMILIES, ROWS, Row

LONG = pytest.mark.slow
SPACY = [
    "(don't) I'm... she'd've 10km 5US$ $5 a--b a---b x——y foo.Bar e.g. U.S. (http://x.com/a?b=c) me@x.org 1-2 1+1 a,b",
    "a:b 'tis rock'n'roll end.) ''quoted'' \"x\". C++ c++. +5 + +a 5+ 20°C. $US A$5 ... .... …… ……… a…b Mr. Mr.' etc.",
    "x.y x.Y 3.14 a_b __init__ #tag @me <b>hi</b> 10am 10am. 7p.m. isnt cannot Cannot let's 50% %50 km² 5km² x=y x==y",
    "a=>b a->b foo() bar[0] {x} |y| 1/2 a/2 2/a a.'b\" --flag -x x- 'x-y-z' 1,000 a,b,c won't've a🙂🙂b foo()):",
    "磨坊坐落在河边。コンピューターの ใหม่มากๆ ကျွန်တော် ភាសាខ្មែរ བཀྲ་ཤིས་བདེ་ལེགས། ພາສາລາວ abc中文def mill's 水車ʼs",
    "http://a.b ftp://u:p@host.org:21/x?y#z a@b.c@d.ef .a.bc a..bc a.b-.cd x.com:1 x.com:123456 www.x.com/" + "a" * 80,
    "x" * 70 + ".com " + "'" * 40 + " " + "." * 70 + " " + "-" * 70 + " €5 5€ 5kg. 5kg 5kgs A.B.C. NASA. NASA.' S.A.",
]
CHUNKS = st.lists(
    st.sampled_from(
        [
            *"ab. ,'\"-–—:/@$€5+…()🙂中カのแ་က်្°ーMrC",
            "'s",
            "n't",
            "do",
            "10",
            "km",
            "US$",
            "...",
            "--",
            ".com",
            "http://",
        ]
    ),
    max_size=14,
).map("".join)


def same(found: Any, expected: Any) -> bool:
    if isinstance(expected, dict):
        return found.keys() == expected.keys() and all(same(found[key], expected[key]) for key in expected)
    if isinstance(expected, float):
        return found is not None and math.isclose(found, expected, rel_tol=1e-12, abs_tol=1e-12)
    return bool(found == expected)


def check(row: Row, texts: list[str]) -> None:
    for text, found in zip(texts, row.results(pa.array(texts, pa.large_string())), strict=True):
        expected = row.twin(text)
        assert same(found, expected), (row.name, text, found, expected)


@pytest.mark.parametrize(
    "row", [pytest.param(row, id=row.name, marks=LONG if row.name == "words by spacy" else ()) for row in ROWS]
)
def test_awkward_texts_equal_the_twin(row: Row) -> None:
    check(row, [*AWKWARD, *SPACY])


@pytest.mark.parametrize("row", [row for row in ROWS if row.name not in FAMILIES], ids=lambda row: row.name)
@settings(max_examples=60, deadline=None)
@given(st.lists(CHUNKS | characters.texts(30), max_size=4))
def test_any_texts_equal_the_twin(row: Row, texts: list[str]) -> None:
    check(row, texts)


SENTENCES = [
    "One. Two! Three? four",
    "e.g. this. A closer.) Next 'one.' And... no end ... but. This",
    "Wait.[1] What?[citation needed] now [2]. End of it [edit]",
    "Two spaces.  ) then. ) then a tab.\t\u201d none. \u201d more",
    "U.S. v. U.K. and a.b. C",
    "\u78e8\u574a\u5750\u843d\u5728\u6cb3\u8fb9\u3002 \u6751 \u91cc\uff01 \u7684?! and \u2026 on \u0964 x",
    ". . . a b c",
    "words of no end\u3000.\u3000here .\u00a0there",
]
PARTS = st.sampled_from(
    ["a", "b.", ". ", "[1]", " ", "  ", "\t", "?", "!x", "...", ")", "\n", "e.g.", "\u3002", "mill "]
)
TWINS = {"spacy": slow_words.spacy, "script": slow_words.script}


def check_sentences(unit: str, texts: list[str]) -> None:
    batch = pa.RecordBatch.from_arrays([pa.array(texts, pa.large_string())], ["text"])
    found = quality.prepare(quality.Params(unit=unit, families=("c4",)))(batch)  # type: ignore[arg-type]
    for text, count in zip(texts, found.column("c4_num_sentences").to_pylist(), strict=True):
        unspaced = unit == "script" and bool(mostly_unspaced(*text_buffers(pa.array([text], pa.large_string())))[0])
        by_script = TWINS["script"] if unspaced else None
        fates = [slow_rules.c4_line(line, False, by_script) for line in text.splitlines()]
        lines = [line for fate, line in fates if fate == "kept"]
        assert count == sum(slow_rules.word_sentences(line, TWINS[unit]) for line in lines), (unit, text)


@pytest.mark.parametrize("unit", TWINS)
def test_sentences_by_words_equal_the_twin(unit: str) -> None:
    check_sentences(unit, [*SENTENCES, "\n".join(SENTENCES), *AWKWARD, *SPACY])


@pytest.mark.parametrize("unit", TWINS)
@settings(max_examples=60, deadline=None)
@given(st.lists(st.lists(PARTS, max_size=24).map("".join), max_size=3))
def test_sentences_of_any_texts_equal_the_twin(unit: str, texts: list[str]) -> None:
    check_sentences(unit, texts)


def test_what_a_sentence_is_follows_the_unit() -> None:
    texts = pa.array(["It is so.), she said", "It is so. Then it goes on"], pa.large_string())
    batch = pa.RecordBatch.from_arrays([texts], ["text"])
    counts = {
        unit: quality.prepare(quality.Params(unit=unit, families=("c4",)))(batch)["c4_num_sentences"].to_pylist()
        for unit in ("white_space", "spacy")
    }
    assert counts == {"white_space": [1, 2], "spacy": [2, 2]}
    assert quality.identity(quality.Params(unit="spacy")) != quality.identity(quality.Params())


def test_every_family_and_unit_has_a_row() -> None:
    assert list(FAMILIES) == list(families.MEASURED)
    cutting = set(quality.UNITS) - {"as_written"}  # which is one of two others, by the language of the page
    assert {row.name for row in ROWS} >= {f"words by {unit}" for unit in cutting}


def test_the_decision_page_lists_every_row() -> None:
    page = (Path(__file__).parents[2] / "docs" / "decisions" / "quality.md").read_text()
    assert not [row.name for row in ROWS if f"| {row.name} | {row.modules} |" not in page]


BAD = {
    "lone surrogate": b"the mill \xed\xa0\x80 stood\xed\xbf\xbf by",
    "invalid bytes": b"\xff\xfe abc \xe4 \xc3\x28 \xf4\x90\x80\x80 d\x80\x80",
    "cut in a character": "磨坊".encode()[:-1],
    "zeros": b"\0" * 300 + b" a\0b \0",
    "right to left": "\u202eשלום עולם. مرحبا بالعالم! ‏\u202c".encode(),
    "combining marks": ("e" + "\u0301" * 200 + " a\u0300 \u0301\u0302 x").encode(),
    "empty": b"",
    "white space": " \t\r\n\x0b\x0c\x1c\x85\u2028\u3000".encode(),
    "no characters but marks": "…!?.。'\"".encode() * 40,
}


@pytest.mark.parametrize("unit", quality.UNITS)
def test_bad_input_has_defined_values(unit: str) -> None:
    text = pa.array(list(BAD.values()), pa.large_binary()).view(pa.large_string())
    batch = pa.RecordBatch.from_arrays([text], ["text"])
    measured = quality.prepare(quality.Params(unit=unit))(batch)
    assert measured.num_rows == len(BAD)
    for column in measured.columns:
        if pa.types.is_floating(column.type):
            values = [value for value in column.to_pylist() if value is not None]
            assert all(math.isfinite(value) for value in values)
    for name, texts in BAD.items():  # alone as among others: nothing is read beyond the text
        alone = quality.prepare(quality.Params(unit=unit))(
            pa.RecordBatch.from_arrays([pa.array([texts], pa.large_binary()).view(pa.large_string())], ["text"])
        )
        assert alone.to_pylist() == measured.slice(list(BAD).index(name), 1).to_pylist(), name
    labelled = language.prepare(language.Params(top_k=3, segments=4))(batch)
    for row in labelled.to_pylist():
        assert 0 <= row["confidence"] <= 1
        assert all(0 <= value <= 1 for value in row["confidences"])
    assert labelled.column("language").to_pylist()[list(BAD).index("empty")] == "und"


@pytest.mark.parametrize(
    "text",
    [
        *("x" * 3_000_000, "a\n" * 300_000, "a b " * 300_000, "!?." * 300_000, "é@" * 200_000, "中" * 300_000),
        "a.b@c." * 90_000,
    ],
    ids=["one line", "lines of one character", "two words", "marks", "at signs", "no spaces", "addresses"],
)
def test_extreme_pages_are_measured(text: str) -> None:
    batch = pa.RecordBatch.from_arrays([pa.array([text], pa.large_string())], ["text"])
    for unit in quality.UNITS:
        (row,) = quality.prepare(quality.Params(unit=unit))(batch).to_pylist()
        assert all(math.isfinite(value) for value in row.values() if isinstance(value, float))
        assert row["gopher_num_tokens"] == len(row_words(unit, text))
    language.prepare(language.Params())(batch)


def row_words(unit: str, text: str) -> list[Any]:
    data, offsets = text_buffers(pa.array([text], pa.large_string()))
    words = quality.UNITS[unit](data, offsets, None)  # type: ignore[arg-type]
    return words.hashes_W.tolist()


MIXED = st.lists(
    st.builds(str.__mul__, st.text("aZé яعא中文カなไทย한ｱ… 1", max_size=12), st.integers(1, 20)), max_size=5
)
"""Some longer than the sixty-four bytes that kernels take at a time."""


@given(MIXED)
@settings(max_examples=300, deadline=None)
def test_pages_of_scripts_without_spaces_are_those_with_more_of_their_letters(texts: list[str]) -> None:
    """Whatever stands before them in the batch, and however many bytes their characters have."""
    kinds = unspaced.groups()
    letters = [[kinds[ord(c)] for c in text if c.isalpha()] for text in texts]
    ours = [sum(unspaced.SPACED < kind < unspaced.EXTENDS for kind in kinds_of) for kinds_of in letters]
    expected = [2 * count > len(kinds_of) for count, kinds_of in zip(ours, letters, strict=True)]
    column = pa.array(texts, pa.large_string())
    assert unspaced.mostly_unspaced(*text_buffers(column)).tolist() == expected


@given(
    st.lists(
        st.sampled_from(["The mill[1] stands. It turns!", "磨坊在河边[2]。水很快。", "", "mill 磨坊在河边。", "a\n"])
    )
)
@settings(max_examples=100, deadline=None)
def test_pages_of_both_kinds_are_measured_as_alone(texts: list[str]) -> None:
    """The unit `as_written`: each by script or white space, in its words, sentences and all that follows from them."""
    column = pa.array(texts, pa.large_string())
    measured = quality.prepare(quality.Params())(pa.RecordBatch.from_arrays([column], ["text"])).to_pylist()
    by_script = unspaced.mostly_unspaced(*text_buffers(column)).tolist()
    alone = {unit: quality.prepare(quality.Params(unit=unit)) for unit in ("white_space", "script")}
    for text, script, row in zip(texts, by_script, measured, strict=True):
        page = pa.RecordBatch.from_arrays([pa.array([text], pa.large_string())], ["text"])
        assert [row] == alone["script" if script else "white_space"](page).to_pylist()


@given(MIXED, st.integers(1, 200))
@example(["Z" * 64 + "я", "a" * 63 + "яяя", "中" * 22 + "カ" * 2], 200)
@settings(max_examples=300, deadline=None)
def test_the_script_of_a_text_has_most_bytes_of_its_letters(texts: list[str], most: int) -> None:
    names = characters_of_unicode.script_names()
    found = language.text_scripts(*text_buffers(pa.array(texts, pa.large_string())), most)
    for text, script in zip(texts, found, strict=True):
        cut = text.encode()[:most].decode("utf-8", "ignore")
        sizes: Counter[str] = Counter()
        for c in cut:
            if c.isalpha():
                sizes[names[characters_of_unicode.scripts()[ord(c)]]] += len(c.encode())
        kana = sizes.pop("Hira", 0) + sizes.pop("Kana", 0)
        sizes["Hani"] += kana
        sizes = Counter({name: size for name, size in sizes.items() if name not in ("Zyyy", "Zinh", "Zzzz")})
        best = max(sizes.values(), default=0)
        named = {name for name, size in sizes.items() if size == best}
        if best == 0:
            assert script == language.NO_SCRIPT
        elif script == "Jpan":
            assert "Hani" in named
            assert kana * 20 >= best
        else:
            assert script in named
            assert script != "Hani" or kana * 20 < best
