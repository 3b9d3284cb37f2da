"""Word lists per language: found as the published rule finds them, counted on every page, used by its language."""

from __future__ import annotations

import re
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline import recipe as recipes
from pipeline.recipe.yaml_file import ConfigError
from pipeline.store.storage import Store
from stages import kept, quality
from stages.kept.decide import own_column
from stages.kernels.columns.ragged import text_buffers
from stages.kernels.words.phrases import build_phrases, count_phrases
from stages.rules.names import CODES, LID176
from tests.support.corpora import write_mixture

LISTS = [["bad", "very bad", "ad", "x_y"], ["Über", "bad"], ["色情", "ก"]]
UNSPACED = [["色情", "色", "情色b"], ["ก", "情ad"]]
"""All begin with a character of a script without spaces: what lies between such characters is passed over."""


def slow(text: str, words: list[str]) -> tuple[int, int]:
    """C4's expression: every word between characters that are none, or anywhere where a script has no spaces."""
    found = [
        len(re.findall(f"(?={re.escape(w.lower())})", text.lower()))
        if re.search("[\u0e00-\u0e7f\u4e00-\u9fff]", w)
        else len(re.findall(rf"(?<!\w)(?={re.escape(w.lower())}(?!\w))", text.lower()))
        for w in words
    ]
    return sum(found), sum(count > 0 for count in found)


@pytest.mark.parametrize("lists", [LISTS, UNSPACED], ids=["mixed", "unspaced"])
@settings(max_examples=300, deadline=None)
@given(texts=st.lists(st.text("badvery x_üÜBR色情ก\n.é", max_size=24), max_size=6))
def test_the_kernel_agrees_with_the_published_expression(lists: list[list[str]], texts: list[str]) -> None:
    phrases = build_phrases([*lists, *lists], once=len(lists))
    counts = count_phrases(*text_buffers(pa.array(texts, pa.large_string())), phrases)
    for d, text in enumerate(texts):
        different, places = counts[d, : len(lists)], counts[d, len(lists) :]
        assert list(zip(places, different, strict=True)) == [slow(text, words) for words in lists]


def test_words_of_long_lists_are_all_found() -> None:
    """Whatever slots they get: each has two, and moves over for others."""
    words = [f"word{number}" for number in range(3_000)]
    texts = pa.array([" ".join(words[::2]), "word word3000 words1"], pa.large_string())
    counts = count_phrases(*text_buffers(texts), build_phrases([words, words[:1_000]], once=1))
    assert counts.tolist() == [[1_500, 500], [0, 0]]


@pytest.mark.parametrize("long", ["ẞ", "\u212a", "\u212b", "\u2126"], ids=["sharp s", "kelvin", "angstrom", "ohm"])
def test_capitals_of_more_bytes_than_their_small_letters_count_as_those(long: str) -> None:
    """Up to words of 16 bytes in small letters, which have up to 48 in capitals, and longer ones in the automaton."""
    for word in (long * 5, long + "a" * (16 - len(long.lower().encode())), "ab" + long, long + "a" * 16):
        texts = pa.array([word, f"a {word}, {word.lower()} {word}a", "-" * 63 + word], pa.large_string())
        counts = count_phrases(*text_buffers(texts), build_phrases([[word.lower()]]))
        assert counts[:, 0].tolist() == [1, 2, 1]


@settings(max_examples=300, deadline=None)
@given(
    st.lists(st.text("abA_ -.色é", min_size=1, max_size=5).filter(lambda word: word.strip()), min_size=1, max_size=6),
    st.lists(st.text("abA_ -.色é", max_size=40), max_size=4),
)
def test_phrases_within_phrases_are_counted(words: list[str], texts: list[str]) -> None:
    words = list(dict.fromkeys(word.strip().lower() for word in words))
    counts = count_phrases(*text_buffers(pa.array(texts, pa.large_string())), build_phrases([words, words], once=1))
    for d, text in enumerate(texts):
        assert (counts[d, 1], counts[d, 0]) == slow(text, words)


def test_odd_texts_have_counts() -> None:
    data = pa.array(["", "bad\0bad", "a" * 50_000 + " bad", "bad" * 1000], pa.large_string())
    places = count_phrases(*text_buffers(data), build_phrases(LISTS))
    assert places[:, 0].tolist() == [0, 2, 1, 0]
    broken = pa.array([b"bad\xff\xed\xa0\x80 bad"], pa.large_binary())
    assert count_phrases(*text_buffers(broken), build_phrases(LISTS)).tolist() == [[2, 2, 0]]


def measured(texts: list[str], languages: list[str], **lists: object) -> pa.Table:
    params = quality.Params.model_validate({"families": ("gopher_quality",), **lists})
    table = pa.table({"text": pa.array(texts, pa.large_string())})
    found = pa.Table.from_batches([quality.prepare(params)(table.to_batches()[0])])
    size = len(texts)
    for name, values in (("source", ["web"] * size), ("language", languages), ("confidence", [1.0] * size)):
        found = found.append_column(name, pa.array(values))
    return found.append_column("text_bytes", pa.array([len(text) for text in texts]))


def test_a_page_is_held_to_the_lists_of_its_language(tmp_path: Path) -> None:
    (tmp_path / "de.txt").write_text("# German\nder\nund\nist\n", encoding="utf-8")
    texts = [
        "Der Hund und die Katze",
        "the dog and the cat",
        "le chien et le chat",
        "le chien damn",
        "damn dog and the",
    ]
    pages = measured(
        texts,
        ["de", "en", "fr", "fr", "en"],
        stop_words={"de": str(tmp_path / "de.txt"), "fr": ("le", "et")},
        bad_words={"en": ("damn",), "all": ("dog",)},
    )
    assert pages.column("stop_words_de").to_pylist() == [2, 0, 0, 0, 0]
    params = kept.Params(families=("bad_words",), rules={"too_few_stop_words": True})
    decided = kept.prepare(params, [])(pages)
    assert decided.column("reason").to_pylist() == [
        None,
        "has_bad_words",  # of the list for all
        None,
        "too_few_stop_words",  # `damn` is a word of the English list
        "has_bad_words",
    ]
    assert [own_column(pages.slice(row, 1), "gopher_num_stop_words") for row in (0, 1)] == [
        "stop_words_de",
        "gopher_num_stop_words",
    ]
    assert own_column(pages.slice(3, 1), "bad_words") == "bad_words_all"


LABELS = {"sw": "swh", "ta": "tam", "ne": "npi", "az": "azj", "uz": "uzn", "et": "ekk", "ka": "kat", "no": "nob"}


@pytest.mark.parametrize("language", LABELS)
def test_lists_hold_for_pages_labelled_with_three_letters(language: str) -> None:
    lists = {language: ("kinu", "mto")}
    texts = ["kinu na mto", "kinu na mto", "maji kinu mto", "kinu na mto"]
    labels = [LABELS[language], language, LABELS[language], "xho"]
    pages = measured(texts, labels, stop_words=lists, bad_words={language: ("maji",)})
    params = kept.Params(families=("bad_words",), rules={"too_few_stop_words": True})
    assert kept.prepare(params, [])(pages).column("reason").to_pylist() == [None, None, "has_bad_words", None]
    pages = measured(["kinu"], [LABELS[language]], stop_words=lists)
    params = kept.Params(families=(), rules={"too_few_stop_words": True})
    assert kept.prepare(params, [])(pages).column("reason").to_pylist() == ["too_few_stop_words"]


def test_words_may_be_long_where_ordinary_ones_are() -> None:
    labels = ["ml", "mal", "tam", "kal", "gan", "zh", "te", "en"]
    pages = measured(["മനുഷ്യരെല്ലാവരും തുല്യാവകാശങ്ങളോടും " * 30] * len(labels), labels)

    def reasons(**more: object) -> list[str | None]:
        rules = {"rules": {"too_few_stop_words": False}}
        params = kept.Params.model_validate({"families": ["gopher_quality"], **rules, **more})
        found: list[str | None] = kept.prepare(params, [])(pages).column("reason").to_pylist()
        return found

    assert reasons() == [None] * 6 + ["words_too_long"] * 2
    limits: list[dict[str, object]] = [{"languages": ["ml"], "rules": {"words_too_long": 15}}]
    assert reasons(overrides=limits) == ["words_too_long", *[None] * 5, *["words_too_long"] * 2]
    limits[0]["rules"] = {"words_too_long": 30}
    assert reasons(overrides=limits) == [None] * 6 + ["words_too_long"] * 2
    on = {"too_few_stop_words": False, "words_too_long": True}
    assert reasons(rules=on) == ["words_too_long"] * 8


def test_of_two_lists_that_hold_for_a_page_the_nearer_one_counts() -> None:
    words = {"no": ("ikke",), "nn": ("ikkje",)}
    for lists in (words, dict(reversed(words.items()))):
        pages = measured(["ikke"] * 4 + ["ikkje"] * 4, ["no", "nob", "nn", "nno"] * 2, bad_words=lists)
        params = kept.Params(families=("bad_words",))
        failed = [reason == "has_bad_words" for reason in kept.prepare(params, [])(pages).column("reason").to_pylist()]
        assert failed == [True, True, False, False, False, False, True, True]
        assert [own_column(pages.slice(row, 1), "bad_words") for row in (1, 3)] == ["bad_words_no", "bad_words_nn"]
    pages = measured(["ikke"], ["nno"], bad_words={"no": ("ikke",)})
    assert kept.prepare(kept.Params(families=("bad_words",)), [])(pages).column("reason").to_pylist() == [
        "has_bad_words"
    ]


def test_codes_of_languages_are_those_of_one_language() -> None:
    every = [code for first, codes in CODES.items() for code in codes if first == "nn" or code not in CODES["nn"]]
    assert len(every) == len(set(every)), "no code is of two languages"
    assert set(CODES) == {code for code in LID176 if len(code) == 2}
    assert LID176.intersection(every) == set(CODES), "no other language of lid.176 is meant"
    assert {len(code) for codes in CODES.values() for code in codes[1:] if code != "nn"} == {3}


def test_lists_are_known_by_their_words_and_wrong_ones_reported(tmp_path: Path) -> None:
    path = tmp_path / "words"
    path.write_text("one\ntwo\n")
    inline, named = (quality.Params.model_validate({"bad_words": {"en": w}}) for w in (("one", "two"), str(path)))
    assert quality.identity(inline) == quality.identity(named)
    mixture = write_mixture(tmp_path / "a.yaml", tmp_path)
    extra = "quality:\n  bad_words: {en: gone.txt, xx: [word]}\n"
    mixture.write_text(mixture.read_text() + extra)
    with pytest.raises(ConfigError, match="unknown language 'xx'"):
        recipes.load(mixture, Store(str(tmp_path)))
    mixture.write_text(mixture.read_text().replace(", xx: [word]", ""))
    with pytest.raises(ConfigError, match=r"quality\.bad_words\.en: "):
        recipes.load(mixture, Store(str(tmp_path)))


def test_a_rule_whose_measurement_is_off_is_reported_before_any_work(tmp_path: Path) -> None:
    mixture = write_mixture(tmp_path / "a.yaml", tmp_path)
    mixture.write_text(mixture.read_text().replace("[gopher_quality]", "[gopher_quality, contamination, bad_words]"))
    with pytest.raises(ConfigError) as caught:
        recipes.load(mixture, Store(str(tmp_path)))
    assert "'contamination_score' is measured in source web; give quality.benchmarks.files" in str(caught.value)
    assert "has_bad_words needs quality.bad_words" in str(caught.value)


def test_files_decide_by_their_content_wherever_they_lie(tmp_path: Path) -> None:
    prints = {}
    for folder, words in (("one", "bad\n"), ("two", "bad\n"), ("three", "worse\n")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "words.txt").write_text(words)
        (tmp_path / folder / "quiz.txt").write_text("one two three four five\n")
        mixture = write_mixture(tmp_path / folder / "a.yaml", tmp_path)
        extra = "quality: {bad_words: {en: words.txt}, benchmarks: {files: [{path: quiz.txt}]}}\n"
        mixture.write_text(mixture.read_text() + extra)
        prints[folder] = recipes.load(mixture, Store(str(tmp_path))).fingerprint("quality", "web").hex
    assert prints["one"] == prints["two"] != prints["three"]
