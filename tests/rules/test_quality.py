"""`quality`: every column equals its slow twin on awkward texts and the public reference on real ones."""

from __future__ import annotations

import hashlib
import itertools
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stages import quality
from stages.kernels.columns.ragged import text_buffers
from stages.kernels.words import unspaced
from stages.kernels.words.c4_lines import c4_lines
from stages.rules import fineweb_cleaned
from tests.slow import rules as slow_rules
from tests.support import characters

TWINS = {
    "gopher_quality": slow_rules.gopher_quality,
    "gopher_repetition": slow_rules.gopher_repetition,
    "c4": slow_rules.c4,
    "c4_strict": slow_rules.c4_strict,
    "fineweb": slow_rules.fineweb,
    "refinedweb": slow_rules.refinedweb,
    "redpajama": slow_rules.redpajama,
    "privacy": slow_rules.privacy,
}

# Column of ours -> column of the reference (white-space words).
REFERENCE = {
    "gopher_num_tokens": "gq_n_tokens_ws",
    "gopher_num_words": "gq_n_words_ws",
    "gopher_mean_word_characters": "gq_mean_word_len_ws",
    "gopher_hashes_per_word": "gq_hash_ratio_ws",
    "gopher_ellipses_per_word": "gq_ellipsis_ratio_ws",
    "gopher_bullet_line_fraction": "gq_bullet_line_frac",
    "gopher_ellipsis_line_fraction": "gq_ellipsis_line_frac",
    "gopher_alphabetic_word_fraction": "gq_alpha_word_frac_ws",
    "gopher_num_stop_words": "gq_n_stop_words_ws",
    "repetition_paragraph_fraction": "gr_dup_para_frac",
    "repetition_paragraph_character_fraction": "gr_dup_para_char_frac",
    "repetition_line_fraction": "gr_dup_line_frac",
    "repetition_line_character_fraction": "gr_dup_line_char_frac",
    **{f"repetition_top_{n}_gram_fraction": f"gr_top_{n}gram_frac_ws" for n in (2, 3, 4)},
    "c4_num_lines": "c4_n_lines",
    "fineweb_num_lines": "fw_n_lines",
    "fineweb_punctuated_line_fraction": "fw_line_punct_ratio",
    "fineweb_short_line_fraction": "fw_short_line_ratio",
    "fineweb_repeated_line_character_fraction": "fw_char_dup_ratio",
    "fineweb_line_breaks_per_word": "fw_newline_ratio_ws",
    **{f"repetition_{n}_gram_fraction": f"gr_dup_{n}gram_frac_ws" for n in range(5, 11)},
}

AWKWARD = [
    "",
    " ",
    "\n\n\n",
    "\r\n\r\n",
    "a",
    "the",
    "...",
    "....... x",
    "The sum $\\frac{a}{b}$ is $${c}$$ or \\({d}\\) here.\nIt costs $5 {now} or $6 a piece.\nA \\[{x} and $y {z} $ w",
    "a ... \nb…\t\nc..",
    "- one\n  • two\n\u2028- three\x85x",
    "\ufeff\u200bזה שלום",
    "e\u0301 a\u0300",
    "\0\0 \0",
    "x" * 5000,
    "\n".join("abcabcddd" * 200),
    "one two\n\none two\n\none two\n\nthree",
    "a b " * 300,
    "ab c a bc " * 30,
    "磨坊坐落在河边。村里的人们。",
    "# ## #\n#",
    "One sentence. Two (here!) Three? Four... five. Six.\nIt uses javaScript now.\nlorem IPSUM dolor\na { b c",
    "See [1] this[23] text.[citation needed] Yes!\n[1] [2] [3]\n[edit] it [] now. [x]\nOur Privacy Policy is here.",
    "一。二！」三？\n完。。 四。\n" + "y" * 1001 + " a b c\n" + "é" * 1000 + " a b c.",
    "SHOUTING HERE\n12 34\n12\n3 Likes\n3likes\nword\nSign In now\nTo read more...\nNo Items in Cart today\nABC Def ÉÀ",
    "Mail a.b@c.example, éa@b.cd; @ x@ @y a@b. 8.8.8.8 and 10.0.0.1, 1.2.3.256.7 +44 20 7946 0958 (212) 555-0199",
    "Version 1.01.11.2 of 00.0.39.2 and 1.2.3.4.",
    "212-555-0199 is no 1212-555-01990. AKIA" + "ABCDEFGH" * 2 + " ghp_" + "a1" * 18 + " xoxb-123456789012",
    "-----BEGIN RSA PRIVATE KEY-----\nMII\n-----END RSA PRIVATE KEY----- AIza" + "x" * 35 + " sk_live_" + "y" * 24,
    "a b c \u212a. ...d e f... \nWe use cookies. Terms of use.\n. . .\n!? a b",
]
TEXTS = st.text(st.sampled_from("aabtheof. …\n\n\r\t #-•.!?{[]1,é中の。」\"'"), max_size=60) | characters.texts(40)


def batch_of(texts: list[str]) -> pa.RecordBatch:
    return pa.RecordBatch.from_arrays([pa.array(texts, pa.large_string())], ["text"])


def measure(texts: list[str], **params: Any) -> pa.RecordBatch:
    settings_ = quality.Params(**params)
    measured = quality.prepare(settings_)(batch_of(texts))
    assert measured.schema == quality.schema(settings_)
    assert measured.num_rows == len(texts)
    return measured


def check(texts: list[str]) -> None:
    rows = measure(texts, unit="white_space").to_pylist()
    for text, row in zip(texts, rows, strict=True):
        expected: dict[str, Any] = {}
        for twin in TWINS.values():
            expected |= twin(text)
        for name, value in expected.items():
            close = pytest.approx(value, rel=1e-12, abs=1e-12) if value is not None else None
            assert row[name] == close, (name, text)


def test_every_family_has_a_twin() -> None:
    assert list(TWINS) == quality.measured_families(quality.Params())


def test_awkward_texts_equal_the_twins() -> None:
    check(AWKWARD)


@settings(max_examples=200, deadline=None)
@given(st.lists(TEXTS, max_size=5))
def test_any_texts_equal_the_twins(texts: list[str]) -> None:
    check(texts)


@pytest.mark.slow
@settings(max_examples=100, deadline=None)
@given(st.lists(TEXTS, max_size=5))
def test_pages_are_counted_as_their_script_is_written(texts: list[str]) -> None:
    texts = [*texts, "磨坊坐落在河边。村里的人们。", "a の", "のの a", ""]
    rows, spaced, cut = (measure(texts, unit=unit).to_pylist() for unit in ("as_written", "white_space", "script"))
    for text, row, by_space, by_script in zip(texts, rows, spaced, cut, strict=True):
        letters = [letter for letter in text if letter.isalpha()]
        theirs = [letter for letter in letters if 0 < unspaced.groups()[ord(letter)] < unspaced.EXTENDS]
        other = by_script if 2 * len(theirs) > len(letters) else by_space
        if other is by_space and any(mark in text for mark in slow_rules.OTHER_MARKS + "」』"):
            row, other = ({k: v for k, v in one.items() if "c4_strict" not in k} for one in (row, other))
        assert row == other, text


def test_invalid_utf8_has_defined_values() -> None:
    raw = [b"\xff\xfe the \xed\xa0\x80 of", b"abc \xe4", b"\xf4\x90\x80\x80", b"the mill"]
    text = pa.array(raw, pa.large_binary()).view(pa.large_string())
    measured = quality.prepare(quality.Params())(pa.RecordBatch.from_arrays([text], ["text"]))
    for column in measured.columns:
        assert not any(value != value for value in column.to_pylist() if value is not None)
    assert measured.column("gopher_num_tokens").to_pylist() == [4, 2, 1, 2]


def apply(text: str, spans: list[dict[str, Any]]) -> str:
    raw, at, parts = text.encode(), 0, []
    for span in spans:
        assert at <= span["start"] <= span["stop"], "sorted, not overlapping"
        parts += [raw[at : span["start"]], span["replacement"].encode()]
        at = span["stop"]
    return b"".join([*parts, raw[at:]]).decode()


def fated(text: str, strict: bool = False) -> list[tuple[str, str]]:
    return [slow_rules.c4_line(line, strict) for line in text.splitlines()]


def test_fineweb_s_rules_see_what_c4_s_leave_of_a_page() -> None:
    text = "Menu\nHome page\nThe mill stands by the river.[1]\nHe owned two mills [2]\n"
    text += "Needs javascript to run.\n[3] [4] [5]"
    row = measure([text], families=("fineweb", "fineweb_cleaned"), unit="white_space").to_pylist()[0]
    assert (row["fineweb_num_lines"], row["fineweb_cleaned_num_lines"]) == (6, 2)
    assert (row["fineweb_punctuated_line_fraction"], row["fineweb_cleaned_punctuated_line_fraction"]) == (1 / 6, 0.5)
    assert (row["fineweb_short_line_fraction"], row["fineweb_cleaned_short_line_fraction"]) == (5 / 6, 1.0)
    assert (row["fineweb_line_breaks_per_word"], row["fineweb_cleaned_line_breaks_per_word"]) == (5 / 21, 1 / 10)
    assert measure(["Menu"], families=("fineweb_cleaned",)).to_pylist()[0] == {
        "fineweb_cleaned_num_lines": 0,
        **dict.fromkeys(measure(["Menu"], families=("fineweb_cleaned",)).schema.names[1:]),
    }


@settings(max_examples=200, deadline=None)
@given(
    TEXTS
    | st.lists(st.sampled_from(["one two three. ", "\n", "[1]", "a{b c d", " \r\n", "x [2] y. z", " "])).map("".join)
)
def test_cleaned_views_leave_what_the_twins_leave(text: str) -> None:
    names = ("c4_cleaned", "c4_strict_cleaned", "refinedweb_corrected")
    row = measure([text], families=(), views=names, unit="white_space").to_pylist()[0]
    for name, strict in (("c4_cleaned_spans", False), ("c4_strict_cleaned_spans", True)):
        assert apply(text, row[name]) == "\n".join(line for fate, line in fated(text, strict) if fate == "kept").strip()
    data, offsets = text_buffers(
        pa.array(["before it", "", text, "and one line behind it."], pa.large_string()).slice(1)
    )
    cleaned, bounds = fineweb_cleaned.cleaned(data, c4_lines(data, offsets))
    texts = ["", "\n".join(line for fate, line in fated(text) if fate == "kept").strip(), "and one line behind it."]
    assert cleaned.tobytes().decode() == "".join(texts)
    assert bounds.tolist() == [0, *itertools.accumulate(len(one.encode()) for one in texts)]
    kept = [line for line in text.split("\n") if slow_rules.line_kind(line) in (None, "ordinary")]
    assert apply(text, row["refinedweb_corrected_spans"]).split() == " ".join(kept).split()


def test_c4_cleaned_equals_the_reference(shared: Path) -> None:
    table = pq.read_table(
        shared / "reference" / "quality" / "dev.parquet", columns=["text", "c4_text_sha", "c4t_text_sha"]
    )
    texts = table.column("text").to_pylist()
    measured = measure(texts, families=(), views=("c4_cleaned", "c4_strict_cleaned"), unit="white_space")
    for ours, theirs in (("c4_cleaned_spans", "c4_text_sha"), ("c4_strict_cleaned_spans", "c4t_text_sha")):
        for text, spans, digest in zip(texts, measured.column(ours), table.column(theirs).to_pylist(), strict=True):
            if digest:
                assert hashlib.sha256(apply(text, spans.as_py()).encode()).hexdigest()[:16] == digest


def test_redaction_equals_the_reference(shared: Path) -> None:
    folder = shared / "reference" / "quality"
    constants = json.loads((folder / "constants.json").read_text())
    table = pq.read_table(folder / "dev.parquet", columns=["text", "pii_text"])
    texts = table.column("text").to_pylist()
    measured = measure(texts, families=("privacy",))
    num_others = 0  # by the deviations that `stages.rules.privacy` states
    for text, spans, expected in zip(texts, measured.column("privacy_spans"), table.column("pii_text"), strict=True):
        turns = {kind: itertools.cycle(constants[f"{kind}_replacements"]) for kind in ("email", "ip")}
        found = [s | {"replacement": next(turns[s["kind"]])} for s in spans.as_py() if s["kind"] in turns]
        if apply(text, found) != (expected.as_py() or text):
            assert re.search(r"\d\.\d+\.\d+\.\d+\.?\d|\d{4,}|[/?][^\s@]*@|@[\d.]+x?\b", text)
            num_others += 1
    assert num_others <= 0.01 * len(texts)


def spans_of(text: str) -> list[tuple[str, str]]:
    """Measurements of the second of three texts that begin and end like it: neighbours must not matter."""
    measured = measure([text, text, text], families=("privacy",)).column("privacy_spans").to_pylist()
    assert measured[0] == measured[1] == measured[2]
    raw = text.encode()
    return [(raw[span["start"] : span["stop"]].decode(), span["kind"]) for span in measured[1]]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("8.8.8.8", [("8.8.8.8", "ip")]),
        ("host.12.34.56.78.example", [("12.34.56.78", "ip")]),
        ("at .8.8.8.8 here", [("8.8.8.8", "ip")]),
        ("8.8.8.8:53, v8.8.4.4-rc", [("8.8.8.8", "ip"), ("8.8.4.4", "ip")]),
        ("1.2.3.4.5 and 8.8.8.8.8, 1.3.6.1.4.1.311", []),
        ("version 3.5.0.201409260305-r, 8.8.8.888", []),
        ("call +1 (555) 123-4567 now", [("+1 (555) 123-4567", "phone")]),
        ("+1-(555)-123-4567", [("+1-(555)-123-4567", "phone")]),
        ("+1 555-123-4567", [("+1 555-123-4567", "phone")]),
        ("(212) 555-0199", [("(212) 555-0199", "phone")]),
        ("1-212-555-0199", [("1-212-555-0199", "phone")]),
        ("1.212.555.0199", [("1.212.555.0199", "phone")]),
        ("1 (212) 555-0199, 1(212)555-0199", [("1 (212) 555-0199", "phone"), ("1(212)555-0199", "phone")]),
        ("212-555-0199x12", [("212-555-0199", "phone")]),
        ("212-555-0199xl, 2-212-555-0199, 1-212-555-01990", []),
        ("1. 212-555-0199", [("212-555-0199", "phone")]),
        ("+12 34 and 1 + (2) 3", []),
        ("https://e.org/a/b?email=joe@x.org&c=1", [("joe@x.org", "email")]),
        ("https://e.org/git/joe@x.org/", [("joe@x.org", "email")]),
        ("bounce+joe=x.org@y.org", [("bounce+joe=x.org@y.org", "email")]),
        ("mailto:joe@x.org?subject=a", [("joe@x.org", "email")]),
        ("https://e.org/@joe.name/x and /a/b/@joe.org", []),
        ("npm i react@18.2.0 @scope/pkg@1.2.3 logo@2x.png a@1.5x.webp", []),
        (
            "joe@x2.org, joe@2x.org, joe@[8.8.8.8]",
            [("joe@x2.org", "email"), ("joe@2x.org", "email"), ("joe@[8.8.8.8]", "email")],
        ),
        ("(+44) 20 7946 0958", [("(+44) 20 7946 0958", "phone")]),
        ("请联系joe@x.org或者電話", [("joe@x.org", "email")]),
        ("メールはa.b@x.co.jpまで, 메일joe@x.org으로", [("a.b@x.co.jp", "email"), ("joe@x.org", "email")]),
        ("josé@x.org, jöe.b@x.org", [("josé@x.org", "email"), ("jöe.b@x.org", "email")]),
        ("info@müller.example é joe@öl.example", [("info@müller.example", "email"), ("joe@öl.example", "email")]),
        ("世界@joe and ü@ and é@é", []),
        ("ghp_" + "a1" * 18 + "!", [("ghp_" + "a1" * 18, "secret")]),
        ("=github_pat_" + "a1" * 11 + "_" + "b" * 59 + ".", [("github_pat_" + "a1" * 11 + "_" + "b" * 59, "secret")]),
        ("github_pat_short, github_actions_is_no_key, half_" + "a" * 34, []),
        ("hf_" + "Ab" * 17, [("hf_" + "Ab" * 17, "secret")]),
        ("rk_live_" + "c" * 24, [("rk_live_" + "c" * 24, "secret")]),
        ("sk-proj-" + "A7_-" * 40, [("sk-proj-" + "A7_-" * 40, "secret")]),
        ("sk-ant-api03-" + "Ab" * 45, [("sk-ant-api03-" + "Ab" * 45, "secret")]),
        (
            "sk-" + "Ab" * 24 + " task-sk-learn risk-free-of-any-key-that-has-forty-characters-in-it",
            [("sk-" + "Ab" * 24, "secret")],
        ),
        ("xoxb-" + "1" * 150, [("xoxb-" + "1" * 150, "secret")]),
        (
            f"-----BEGIN PGP PRIVATE KEY BLOCK-----\n{'x' * 20_000}\n-----END PGP PRIVATE KEY BLOCK-----",
            [(f"-----BEGIN PGP PRIVATE KEY BLOCK-----\n{'x' * 20_000}\n-----END PGP PRIVATE KEY BLOCK-----", "secret")],
        ),
        (
            "/sk-proj-a-title-of-very-many-words-that-is-no-key.html sk-admin-dashboard-template-for-bootstrap-five",
            [],
        ),
        (
            "sk-ant-colony-simulation-library-for-teaching-people-about-ants xoxo-hugs-and-kisses xoxb-your-token-here",
            [],
        ),
        ("xoxs-12345678-12345678", [("xoxs-12345678-12345678", "secret")]),
        ("xoxb-" + "1a" * 400 + "!", [("xoxb-" + "1a" * 400, "secret")]),
        ("begins with -----BEGIN PRIVATE KEY----- and ends with -----END PRIVATE KEY-----", []),
        (
            "-----BEGIN PRIVATE KEY----- is cut\n-----BEGIN RSA PRIVATE KEY-----\nMII\n-----END RSA PRIVATE KEY-----",
            [("-----BEGIN RSA PRIVATE KEY-----\nMII\n-----END RSA PRIVATE KEY-----", "secret")],
        ),
        (
            '"-----BEGIN PRIVATE KEY-----\\n" +\n'
            + ('        "' + "Ab" * 32 + '\\n" +\n') * 9
            + '"-----END PRIVATE KEY-----"',
            [
                (
                    '-----BEGIN PRIVATE KEY-----\\n" +\n'
                    + ('        "' + "Ab" * 32 + '\\n" +\n') * 9
                    + '"-----END PRIVATE KEY-----',
                    "secret",
                )
            ],
        ),
        ("+49 (0)30 123456 or tel:+15551234567", [("+49 (0)30 123456", "phone"), ("+15551234567", "phone")]),
    ],
)
def test_personal_data_and_what_stands_beside_it(text: str, found: list[tuple[str, str]]) -> None:
    assert spans_of(text) == found


PAD = "a" * 55
"""Puts what follows over the end of the kernel's 64 bytes."""


@pytest.mark.parametrize(
    ("text", "phones", "ips"),
    [
        ("هاتف:+٩٦٦ ٥٠ ١٢٣ ٤٥٦٧، شكرا", ["+٩٦٦ ٥٠ ١٢٣ ٤٥٦٧"], []),
        ("+966 ٥٠ ١٢٣ ٤٥٦٧", ["+966 ٥٠ ١٢٣ ٤٥٦٧"], []),
        (f"{PAD} +966 ٥٠ ١٢٣ ٤٥٦٧", ["+966 ٥٠ ١٢٣ ٤٥٦٧"], []),
        (f"{PAD}aaaaa: +966 (٥٠) ١٢٣ ٤٥٦٧ {PAD}{PAD}", ["+966 (٥٠) ١٢٣ ٤٥٦٧"], []),
        ("+९१ ९८७६५ ४३२१०", ["+९१ ९८७६५ ४३२१०"], []),
        ("+৮৮০ ১৭১২ ৩৪৫৬৭৮ +๖๖ ๒ ๑๒๓ ๔๕๖๗", ["+৮৮০ ১৭১২ ৩৪৫৬৭৮", "+๖๖ ๒ ๑๒๓ ๔๕๖๗"], []),
        ("+۹۸ ۲۱ ۱۲۳۴ ۵۶۷۸ (۲۱۲) ۵۵۵-۰۱۹۹", ["+۹۸ ۲۱ ۱۲۳۴ ۵۶۷۸", "(۲۱۲) ۵۵۵-۰۱۹۹"], []),
        ("電話＋８１－３－１２３４－５６７８まで", ["＋８１－３－１２３４－５６７８"], []),
        ("＋81-3-1234-5678, （２１２）　５５５－０１９９", ["＋81-3-1234-5678", "（２１２）　５５５－０１９９"], []),
        ("٨.٨.٨.٨ و ٨.٨.٤.٤ و ١٩٢.١٦٨.١.١", [], ["٨.٨.٨.٨", "٨.٨.٤.٤"]),
        ("IP８．８．８．８、８.８.４.４", [], ["８．８．８．８", "８.８.４.４"]),
        (f"{PAD}.......{'８.８.４.４ ' * 9}", [], ["８.８.４.４"] * 9),
        ("١.٢.٣.٤.٥ ١٢.٣٤٥.٦٧٨ ١٠.٠٠٠.٠٠٠.٠٠٠ ١٬٢٣٤٫٥٦", [], []),
        ("٢٠٢٤-٠١-١٥ ١٥.٠١.٢٠٢٤ २०२४-०१-१५ ２０２４．０１．１５ ＋１２　＋３４５ ٣.٢.١", [], []),
        ("+٩٦٦ ९८७६५ ４３２１０", [], []),
    ],
)
def test_numbers_in_the_digits_of_other_scripts(text: str, phones: list[str], ips: list[str]) -> None:
    found = spans_of(text)
    assert [number for number, kind in found if kind == "phone"] == phones
    assert [number for number, kind in found if kind == "ip"] == ips
    assert len(found) == len(phones) + len(ips)


@pytest.mark.parametrize(
    ("text", "addresses"),
    [
        ("Пишите: почта@пример.рф.", ["почта@пример.рф"]),
        (f"{PAD} почта@пример.рф, {PAD}почта@пример.рф", ["почта@пример.рф"]),  # 64 bytes are the longest name
        ("иван.петров1990@пример.рф ИВАН@ПРИМЕР.РФ", ["иван.петров1990@пример.рф", "ИВАН@ПРИМЕР.РФ"]),
        ("иван@gmail.example", ["иван@gmail.example"]),
        ("joe@例子.公司联系, 连络foo@例子.公司。", ["joe@例子.公司", "foo@例子.公司"]),
        ("用户@例子.公司 用户@例子.com联系", ["用户@例子.公司", "用户@例子.com"]),
        ("उपयोगकर्ता@उदाहरण.भारत χρήστης@παράδειγμα.ελ", ["उपयोगकर्ता@उदाहरण.भारत", "χρήστης@παράδειγμα.ελ"]),
        ("test@مثال.إختبار user@bücher.example", ["test@مثال.إختبار", "user@bücher.example"]),
        ("foo@sub.bar.пример.рф foo@bar.com.рф", ["foo@sub.bar.пример.рф", "foo@bar.com.рф"]),
        ("почта@пример.рф@почта@пример.рф", ["почта@пример.рф", "почта@пример.рф"]),
        ("https://пример.рф/a?mail=почта@пример.рф&c=1", ["почта@пример.рф"]),
        ("连络foo@bar.com。電話123456@qq.com", ["foo@bar.com", "123456@qq.com"]),
        ("Почтаfoo@bar.com.Москва foo@bar.com联系.公司", ["foo@bar.com", "foo@bar.com"]),
        ("Привет @имя. и @имя.фамилия, привет@имя.Сегодня https://пример.рф/@имя.рф", []),
        ("关注@joe.bsky.social 微博@小明.今天 转发@用户: .公司", []),
        ("картинка@2x.png пакет@18.2.0 почта@ @пример.рф почта@-пример.рф почта@пример..рф", []),
        ("用" * 30 + "@例子.公司", []),
    ],
)
def test_addresses_with_letters_of_other_scripts(text: str, addresses: list[str]) -> None:
    assert spans_of(text) == [(address, "email") for address in addresses]


PARTS = ["+", "٩٦٦", "८८", *"８8 .-．－＋(@яéx用", "8.8", ".рф", ".公司", "@x.org"]


@settings(max_examples=400, deadline=None)
@given(st.lists(st.lists(st.sampled_from(PARTS), max_size=40).map("".join), max_size=4))
def test_personal_data_of_any_script_equals_the_twin(texts: list[str]) -> None:
    measured = measure(texts, families=("privacy",))
    for row, text in zip(measured.to_pylist(), texts, strict=True):
        expected = slow_rules.privacy(text)
        assert {name: row[name] for name in expected} == expected
        for span in row["privacy_spans"]:
            text.encode()[span["start"] : span["stop"]].decode()  # spans cut no character


@pytest.mark.parametrize(("unit", "address"), [("joe@x.org@", "joe@x.org"), ("é@b.de, ", "é@b.de"), ("é@", None)])
def test_every_address_of_a_long_run_is_found_and_its_signs_are_looked_at_once(unit: str, address: str | None) -> None:
    (spans,) = measure([unit * 3000], families=("privacy",)).column("privacy_spans").to_pylist()
    size = len(unit.encode())
    stops = [k * size + len(address.encode()) for k in range(3000)] if address else []
    assert [(span["start"], span["stop"]) for span in spans] == list(
        zip(range(0, size * 3000, size), stops, strict=False)
    )


@pytest.mark.parametrize(
    ("unit", "num"),
    [
        ("-----BEGIN PRIVATE KEY-----", 0),
        ("-----BEGIN ", 0),
        ("sk-", 0),
        ("sk-proj-", 0),
        ("10.1.1.1..", 0),
        ("1.1..", 0),
        ("a-" * 990 + "a@a ", 0),
        ("a@" + "a-" * 99, 0),
        ("a@b.cd 8.8.8.8 ", 2),
        ("почта@пример.рф +٩٦٦ ٥٠ ١٢٣ ٤٥٦٧ ", 2),
        ("foo@bar.com.рф ", 1),
        ("я@", 0),
        ("я@я.", 0),
        ("٨.", 0),
        ("٨.٨.٨.٨..", 1),
        ("+٩", 0),
        ("+٩ 5-5 1.1. ", 0),
        ("ghp_" + "a1" * 18 + " 212-555-0199 ", 2),
    ],
)
def test_long_pages_of_one_kind_are_looked_through_once(unit: str, num: int) -> None:
    """Each took half a minute to hours, a step for every two places."""
    repeats = 1_000_000 // len(unit)
    (spans,) = measure([unit * repeats], families=("privacy",)).column("privacy_spans")
    assert len(spans) == num * repeats


def test_a_slice_and_a_division_into_pieces_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    batch = batch_of(AWKWARD)
    run = quality.prepare(quality.Params())
    whole = run(batch)
    assert run(batch.slice(3, 9)).equals(whole.slice(3, 9))
    monkeypatch.setattr(quality, "PIECE_BYTES", 16)
    assert run(batch).equals(whole)


def test_an_unknown_family_is_refused_with_the_nearest() -> None:
    with pytest.raises(ValueError, match="gopher_quality"):
        quality.Params(families=("gopher_qualty",))


def test_values_equal_the_reference(shared: Path) -> None:
    table = pq.read_table(shared / "reference" / "quality" / "dev.parquet", columns=["text", *REFERENCE.values()])
    measured = measure(table.column("text").to_pylist(), unit="white_space")
    for ours, theirs in REFERENCE.items():
        found = measured.column(ours).cast(pa.float64()).to_numpy(zero_copy_only=False)
        expected = table.column(theirs).cast(pa.float64()).combine_chunks().to_numpy(zero_copy_only=False)
        share = np.isclose(found, expected, rtol=1e-6, atol=0, equal_nan=True).mean()
        assert share >= 0.995, (ours, share)
