"""`madlad` and `chrome`: their twins on sentences and lines of their kinds, and texts that fail and pass each rule."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stages import quality
from stages.kernels.columns.ragged import text_buffers
from stages.kernels.jit import lean_kernel
from stages.kernels.simd import _counted_bits, bucket_bits
from stages.kernels.words.literals import find_literals, literals
from stages.rules import families
from stages.rules.madlad import CURSED
from tests.kernels.test_quality import check
from tests.support.quality_kernels import ROWS

GOOD = "The mill stood by the river and the people of the town brought their grain to it every week. "
LIST = "New York Los Angeles San Francisco Old Mill Red River Blue Lake and some more. "
PIECES = st.sampled_from(
    [
        *(
            GOOD,
            LIST,
            "Don't O’Neill stop!",
            "Aa Bb Cc Dd Ee Ff Gg ",
            "aa bb cc dd ee ff ",
            "\u2003",
            "?! ",
            "...",
            ". ",
            "\n",
            "é. ",
            "x",
        ),
        *(
            "12{}+/()> ",
            "orem ipsum ",
            " Ep.",
            "mp3",
            " a b c d e f g h i ",
            "黄色电影",
            " г. ",
            "|",
            "| ",
            "a_b 'c' d''e ",
            "�" * 3,
        ),
    ]
)
CHROME = st.sampled_from(
    [
        *(
            "12 likes",
            "1.5K shares and more",
            "(3,000 Views)",
            "½12 likes",
            "٣ followers",
            "12\u00a0comments",
            "k 12 likes",
            "MENU HERE",
        ),
        *(
            "ÉCOLE du",
            "12345",
            "12 345",
            "Home",
            "Sign-in to read",
            "sign-in now",
            "There are items in cart today",
            "items in cart",
        ),
        *(
            "This is it Read more...",
            "Read more... now",
            "an ordinary line of words",
            "  padded line \t",
            "",
            " ",
            "12\x1flikes",
            "x\x0by",
        ),
    ]
)


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.lists(PIECES, max_size=14).map("".join), max_size=3),
    st.lists(st.lists(CHROME, max_size=8).map("\n".join), max_size=3),
)
def test_both_families_equal_their_twins(sentences: list[str], lines: list[str]) -> None:
    rows = {row.name: row for row in ROWS}
    check(rows["madlad"], [*sentences, *lines])
    check(rows["chrome"], [*lines, *sentences])


def measured(family: str, *texts: str) -> list[dict[str, Any]]:
    params = quality.Params(families=(family,), unit="white_space")
    return quality.prepare(params)(
        pa.RecordBatch.from_arrays([pa.array(texts, pa.large_string())], ["text"])
    ).to_pylist()


@pytest.mark.parametrize(
    ("rule", "fails", "passes"),
    [
        ("too_few_marked_sentences", GOOD * 4, GOOD * 5),
        ("too_many_questionable_sentences", GOOD * 7 + LIST * 2, GOOD * 8 + LIST * 2),
        (
            "too_many_questionable_sentences",
            GOOD * 3 + "Download it here, the file is quite small. ",
            GOOD * 4 + "Upload it. ",
        ),
        ("too_much_page_chrome", GOOD + "\n12 likes\nHome\nMENU", GOOD * 4 + "\n12 likes\nHome\n"),
    ],
)
def test_each_rule_has_a_text_that_fails_it_and_a_neighbour_that_passes(rule: str, fails: str, passes: str) -> None:
    [(family, one)] = [(name, r) for name, rules in families.RULES.items() for r in rules if r.name == rule]
    bad, good = (row[one.column] for row in measured(family, fails, passes))
    wrong = [value < one.threshold if one.side == "min" else value > one.threshold for value in (bad, good)]
    assert wrong == [True, False]


@pytest.mark.parametrize("expression", CURSED)
def test_every_expression_is_found_and_is_not_when_a_character_of_it_is_missing(expression: str) -> None:
    plain = expression.replace(r"\s*", "").replace("[^ ]", "z").replace(r"\|", "|")
    plain = plain.replace(r"\.", "\0").replace(".", "a").replace("?", "").replace("\0", ".")
    text = "words" + (plain.removesuffix("$") if plain.endswith("$") else f"{plain} words")
    [row, other] = measured("madlad", text, text.replace(plain.removesuffix("$"), plain.removesuffix("$")[1:-1]))
    assert (row["madlad_num_cursed_sentences"], other["madlad_num_cursed_sentences"]) == (1, 0)


MARKED = {
    "水車小屋は川のほとりに立っています。": 6,
    "磨坊在哪里？！": 6,
    "他说：「磨坊坐落在河边。」": 6,
    "चक्की नदी के किनारे खड़ी है। ": 6,
    "چکی دریا کے کنارے کھڑی ہے۔": 6,
    "Ջրաղացը կանգնած է գետի ափին։ ": 6,
    "ወፍጮው በወንዙ ዳር ይገኛል። ": 6,
    "រោងម៉ាស៊ីនស្ថិតនៅមាត់ទន្លេ។": 6,
    "The mill stands.By the river": 1,
    "磨坊，在河边、": 1,
}


@pytest.mark.parametrize("sentence", MARKED)
def test_marks_of_other_scripts_end_sentences(sentence: str) -> None:
    [row] = measured("madlad", sentence * 6)
    assert row["madlad_num_sentences"] == MARKED[sentence]


MARKS = st.sampled_from(["。", "？", "।", "」", ")", "”", ".", "!", " ", "\n", "a", "É", "磨", "’", "\u0301", "x" * 61])


@settings(max_examples=200, deadline=None)
@given(st.lists(st.lists(MARKS, max_size=40).map("".join), max_size=6))
def test_sentences_of_mixed_marks_equal_the_twin(texts: list[str]) -> None:
    check(next(row for row in ROWS if row.name == "madlad"), texts)


SPACED = st.sampled_from([" ", " ", "a", "b", ".", "é", "日", "\n", " abc", " äbcd", " x"])
EVEN = st.sampled_from([" x", " é", " abc", " äbc", " abcd", " a日 d", "  ab"]).map(lambda one: one * 8)
COMMAS = st.sampled_from([", ab", ", ab,", ", äé", ", é ,", ",, a", ", a\nb", ",", " "])


@settings(max_examples=150, deadline=None)
@given(
    st.tuples(st.lists(SPACED, max_size=40).map("".join), EVEN, st.lists(SPACED, max_size=20).map("".join)),
    st.lists(COMMAS, max_size=16).map("".join),
)
def test_even_spaces_and_commas_are_those_of_the_expressions(spaces: tuple[str, ...], commas: str) -> None:
    row = next(row for row in ROWS if row.name == "madlad")
    check(row, ["".join(spaces), spaces[0], commas, f"x{commas}, ab, cd,, ef, gh, {commas}"])


APART = st.sampled_from(["don", "'", "’", "t", "T", "é", "É", "’s", "a'b", "O’N", " x", ". ", "_", "3", "\u0301", "m'"])


@settings(max_examples=200, deadline=None)
@given(st.lists(st.lists(APART, max_size=40).map("".join), max_size=6))
def test_words_end_with_their_document_and_apostrophes_join_none_of_two(texts: list[str]) -> None:
    check(next(row for row in ROWS if row.name == "madlad"), texts)


FOUND = {"abc": "abc", "xabcx": "abc", "bca": "bca", "aaa": "aaa", "né e": "né", "ZZ9": "ZZ9", "日本": "日"}
FOUND |= {f"w{n}d": f"w{n}d" for n in range(6)}


@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        st.lists(st.sampled_from([*FOUND, "a", "b", "c", "x", " ", "é", "日"]), max_size=60).map("".join), max_size=4
    )
)
def test_literals_are_found_wherever_they_stand(texts: list[str]) -> None:
    known = literals(FOUND)
    data, offsets = text_buffers(pa.array(["before", *texts], pa.large_string()).slice(1))
    places, strings = find_literals(data, offsets, known)
    found = {(int(place - known.prints_P[p]), list(FOUND)[p]) for place, p in zip(places, strings, strict=True)}
    start, whole = int(offsets[0]), data.tobytes()[: int(offsets[-1])]
    wanted = {(at, text) for text in FOUND for at in range(start, len(whole)) if whole.startswith(text.encode(), at)}
    assert found == wanted
    assert (np.diff(places) >= 0).all()


@lean_kernel
def both_ways(data, nibbles):  # type: ignore[no-untyped-def]
    return bucket_bits(data, 0, nibbles), _counted_bits(data, 0, nibbles)


@pytest.mark.slow
@settings(deadline=None)
@given(st.lists(st.sampled_from([*FOUND, "q", "\0", "\u00ff"]), min_size=66, max_size=66).map("".join))
def test_sixty_four_bytes_are_looked_up_as_one_by_one(text: str) -> None:
    data, nibbles = np.frombuffer(text.encode(), np.uint8), literals(FOUND).nibbles
    at_once, one_by_one = both_ways(data, nibbles)
    assert at_once == one_by_one


@pytest.mark.parametrize(
    "words", ["li\u212aes", "boo\u212amar\u212as", "LIKE\u017f", "\u017fhares", "DownLoads", "quoteS"]
)
def test_counters_are_found_in_letters_of_any_case(words: str) -> None:
    [row] = measured("chrome", f"12 {words}")
    assert row["chrome_num_counter_lines"] == 1


def test_the_view_cuts_chrome_and_nothing_else() -> None:
    text = f"MENU HERE\n{GOOD}\n12 likes\n\nSign-in to see what there are items in cart for\n"
    text += "Home\nitems in cart\nLast line of it"
    params = quality.Params(families=("chrome",), views=("chrome_cleaned",))
    batch = pa.RecordBatch.from_arrays([pa.array(["", text, "Home"], pa.large_string())], ["text"])
    spans = quality.prepare(params)(batch)["chrome_cleaned_spans"].to_pylist()
    left = []
    for page, cuts in zip(["", text, "Home"], spans, strict=True):
        data, at = page.encode(), 0
        parts = []
        for cut in cuts:
            parts += [data[at : cut["start"]], cut["replacement"].encode()]
            at = cut["stop"]
        left.append(b"".join([*parts, data[at:]]).decode())
    assert left == ["", f"{GOOD}\n\nto see what there are for\nLast line of it", ""]
