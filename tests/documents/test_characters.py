"""Soft hyphens, controls, line ends, marks beside headings, readings: words stay words."""

from __future__ import annotations

import json
import re
import unicodedata
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stages import quality
from stages.documents.characters import clean, cleaned
from tests.support.archives import read, record, whole, write

REST = "The river rises in the northern hills and flows through several villages before it reaches the sea."


def no_character(code: int) -> bool:
    """Code points that Unicode says are none, ever (23.7)."""
    return code & 0xFFFE == 0xFFFE or 0xFDD0 <= code <= 0xFDEF


def slow_clean(text: str) -> str:
    """`clean`, a character at a time and by Unicode's own categories."""
    out = []
    text = re.sub("\r\n|\r", "\n", text)
    text = re.sub("\x1b\\[[0-?]*[ -/]*[@-~]|\x9b[0-?]*[ -/]*[@-~]|\x1b\\][^\x07\x1b\n]*(\x07|\x1b\\\\)", "", text)
    for c in text:
        out.append("\n" if c in "\x0b\x0c\x85\u2028\u2029" else c)
    blank = all(
        c.isspace() or unicodedata.category(c) in ("Zs", "Cf")
        or c in "\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0"
        or unicodedata.name(c, "").startswith(("VARIATION SELECTOR-", "MONGOLIAN FREE VARIATION"))
        for c in out if not is_removed(c)
    )  # fmt: skip
    if blank:
        return ""
    return without_breaks("".join(c for c in without_empty_paragraphs("".join(out)) if not is_removed(c)))


def is_removed(c: str) -> bool:
    is_control = unicodedata.category(c) == "Cc" and c not in "\t\n"
    return is_control or c in "\xad\ufeff\u2060" or no_character(ord(c))


def without_empty_paragraphs(text: str) -> str:
    """The text without paragraphs of U+200B and what goes anyway, each with the empty line before it, the first ones
    with that behind them."""
    while (stop := end_of_nothing(text, 0)) and text[stop : stop + 2] == "\n\n":
        text = text[stop + 2 :]
    out, at = [], 0
    while at < len(text):
        stop = end_of_nothing(text, at + 2) if text[at : at + 2] == "\n\n" else 0
        if stop > at + 2 and text[stop : stop + 2] in ("\n\n", ""):
            at = stop
        else:
            out.append(text[at])
            at += 1
    return "".join(out)


def end_of_nothing(text: str, at: int) -> int:
    """End of the run of characters that do not show, and of spaces behind the first, that begins at ``at``."""
    stop = at
    while stop < len(text) and (text[stop] == "\u200b" or is_removed(text[stop]) or (text[stop] == " " and stop > at)):
        stop += 1
    return stop


def without_breaks(text: str) -> str:
    """The text without the runs of U+200B that part no words."""
    out, at = [], 0
    while at < len(text):
        end = at
        while text[end : end + 1] == "\u200b":
            end += 1
        before, after = text[max(0, at - 1) : at], text[end : end + 1]
        if end == at:
            out.append(text[at])
            at += 1
        elif at > 1 and before == after == " " and not text[at - 2].isspace():
            at = end + 1
        else:
            out.append(text[at:end] if is_unspaced(before) or is_unspaced(after) else "")
            at = end
    return "".join(out)


def is_unspaced(letter: str) -> bool:
    scripts = ("THAI", "LAO", "TIBETAN", "MYANMAR", "KHMER", "TAI ", "NEW TAI", "BALINESE", "SUNDANESE")
    return unicodedata.name(letter or " ", "").startswith(scripts)


STEERING = "m[]1;\x1b\x9b\x07"
ODD = st.sampled_from(
    STEERING + "ab \t\n\r\x00\x02\x0b\x0c\x1f\x7f\x85\x9f\xa0\xad\u2028\u2029\u200b\u200d\u2060\u3000\ufdd0\ufefffé漢"
    "\ufffa\ufffe\U0001ffff\U000e0041กខ"
)


@given(st.one_of(st.text(ODD, max_size=12), st.text(st.sampled_from("\n\n\u200b\ufeffก a"), max_size=16)))
def test_clean_equals_its_slow_twin(text: str) -> None:
    assert clean(text) == slow_clean(text)


@settings(deadline=None)  # the first call of Arrow's compute functions takes seconds on a busy machine
@given(st.lists(st.one_of(st.none(), st.text(ODD, max_size=6)), max_size=8))
def test_a_column_is_cleaned_row_for_row(texts: list[str | None]) -> None:
    found = cleaned(pa.array(texts, pa.large_string()))
    assert found.to_pylist() == [None if text is None else slow_clean(text) for text in texts]


@pytest.mark.parametrize(
    ("text", "right"),
    [
        ("Donau\xaddampf\xadschiff", "Donaudampfschiff"),
        ("wo\x02rd and \x00NUL", "word and NUL"),
        ("one\u2028two\u2029three\x0cfour\x85five", "one\ntwo\nthree\nfour\nfive"),
        ("\u200b\u3000\ufeff \n", ""),
        ("\u3164\u2800", ""),
        ("می\u200cخواهم", "می\u200cخواهم"),
        ("👩\u200d💻", "👩\u200d💻"),
        ("a\tb\r\nc", "a\tb\nc"),
        ("one\r\n\r\ntwo\rthree\r\r\nfour\n\rfive\r", "one\n\ntwo\nthree\n\nfour\n\nfive\n"),
        ("日\xad本\r\n語", "日本\n語"),
        ("\r\n \r", ""),
        ("\u200b.", "."),
        ("to \u200bbegin \u200b x\u200by\u200b\u200bz", "to begin xyz"),
        ("ភាសា\u200bខ្មែរ ไทย\u200bไทย ab\u200bខ \u200bab", "ភាសា\u200bខ្មែរ ไทย\u200bไทย ab\u200bខ ab"),
        ("Việ\u200bt ἐ\u200bν 漢\u200b字\u200b", "Việt ἐν 漢字"),
        ("if a:\n \u200b b\n\u200b\n", "if a:\n  b\n\n"),
        ("\u200b\n\none\n\n\u200b\u200b\n\n\u200b\n\ntwo\n\n\u200b\n\n\u200b", "one\n\ntwo"),
        ("\u2060\n\none\n\n\ufeff\n\n\u2060 \u200b\n\n\xad\n\ntwo\n\n\ufeff ", "one\n\ntwo"),
        ("one\u2029\u2029\u200b \u200b\u2029\u2029two\n\n\ufeffthree", "one\n\ntwo\n\nthree"),
        ("one\n\u200b\ntwo\n\n\u200b.\n\nthree", "one\n\ntwo\n\n.\n\nthree"),
        ("in\u2060vis\ufeffible", "invisible"),
        ("no\ufffe cha\ufdd0racter\U0010ffff", "no character"),
        ("\x1b[31;1mred\x1b[0m, \x9b4mlined\x9b0m", "red, lined"),
        ("\x1b]8;;https://a.example\x1b\\a link\x1b]8;;\x07", "a link"),
        ("an array[0], \x1bnot [31m", "an array[0], not [31m"),
        ("\U000e0041\U000e0042 \ufffa\ufff9", ""),
        ("🏴\U000e0067\U000e007f", "🏴\U000e0067\U000e007f"),
    ],
)
def test_characters_of_lines_and_pages(tmp_path: Path, text: str, right: str) -> None:
    (tmp_path / "a.jsonl").write_text(json.dumps({"text": text}))
    rows, _ = read(whole(tmp_path / "a.jsonl"))
    assert [row["text"] for row in rows] == [right]
    (tmp_path / "a.txt").write_text(text, "utf-8", newline="")
    rows, _ = read(whole(tmp_path / "a.txt"))
    assert [row["text"] for row in rows] == [right.removeprefix("\ufeff")]


@pytest.mark.parametrize(
    ("html", "right"),
    [
        ('<h1>How to install it<a class="headerlink" href="#i" title="Link">¶</a></h1>', "How to install it\n\n"),
        ('<h1>Install <a href="#install">&para;</a></h1>', "Install\n\n"),
        ('<h1>Install<a href="#install">&#182;</a></h1>', "Install\n\n"),
        ('<h1><a class="header-anchor" href="#i">#</a> How to install it</h1>', "How to install it\n\n"),
        *(
            (f'<h2>Install <a href="{href}">{mark}</a></h2>', "Install\n\n")
            for mark in ("[link]", "[Permalink]", "[#]", "[edit]", " [view source] ", "<small>[top]</small>")
            for href in ("#x", "/x")
        ),
        ('<dt>open <a href="/x">[source]</a></dt>', "open\n\n"),
        ('<h2>Where rivers rise in the hills<a href="#f">[1]</a></h2>', "Where rivers rise in the hills[1]\n\n"),
        ('<h2>How the river flows to the east <a href="#x">[T]</a></h2>', "How the river flows to the east [T]\n\n"),
        ('<p>See the <a href="#x">[link]</a>.</p>', "See the [link].\n\n"),
        ('<p>C<a href="/c">#</a> is a language.</p>', "C# is a language.\n\n"),
        ('<p>The sign ¶ is one; see <a href="#p">¶ signs</a>.</p>', "The sign ¶ is one; see ¶ signs.\n\n"),
        (
            '<h2>History<span class="mw-editsection"><span class="mw-editsection-bracket">[</span>'
            '<a href="/e">edit</a><span>]</span></span></h2>',
            "History\n\n",
        ),
        ('<h2>History<span class="mw-editsection">[<a href="/e">edit</a>]</h2>', "History\n\n"),
        ("<p>Write [edit] here.</p>", "Write [edit] here.\n\n"),
        ("<p><ruby>漢<rt>かん</rt>字<rt>じ</rt></ruby>を読む。</p>", "漢字を読む。\n\n"),
        ("<p><ruby>漢字<rp>(</rp><rt>かんじ</rt><rp>)</rp></ruby>を読む。</p>", "漢字を読む。\n\n"),
        ("<p><ruby><rb>漢<rb>字<rt>かん<rt>じ</ruby>を読む。</p>", "漢字を読む。\n\n"),
        ("<p><ruby>漢<rt>かん</p>", "漢\n\n"),
        ("<p>Donau&shy;dampf&#173;schiff\xadfahrt</p>", "Donaudampfschifffahrt\n\n"),
    ],
)
def test_marks_and_readings_of_pages(tmp_path: Path, html: str, right: str) -> None:
    body = f"<html><head><title>T</title></head><body><article>{html}<p>{REST}</p></article></body></html>"
    rows, _ = read(write(tmp_path / "a.warc.gz", [record(body.encode())]))
    assert [row["text"] for row in rows] == [right + REST]


def test_texts_that_differ_in_line_ends_are_one_text_with_one_measure(tmp_path: Path) -> None:
    text = f"The river\n\n{REST}\n\n{REST}\nThe river\n\nIt ends here."
    ways = {"lf": text, "crlf": text.replace("\n", "\r\n"), "cr": text.replace("\n", "\r")}
    (tmp_path / "a.jsonl").write_text("".join(json.dumps({"text": way}) + "\r\n" for way in ways.values()), newline="")
    table = "id,text\r\n" + "".join(f'{name},"{way}"\r\n' for name, way in ways.items())
    (tmp_path / "a.csv").write_text(table, newline="")
    pq.write_table(pa.table({"text": list(ways.values())}), tmp_path / "a.parquet")
    for name, way in ways.items():
        (tmp_path / f"{name}.txt").write_text(way, newline="")
    rows = [row for file in sorted(tmp_path.iterdir()) for row in read(whole(file))[0]]
    assert [row["text"] for row in rows] == [text] * 12
    assert len({row["text_hash"] for row in rows}) == 1
    measure = quality.prepare(quality.Params())
    [first, *others] = measure(
        pa.record_batch({"text": pa.array([row["text"] for row in rows], pa.large_string())})
    ).to_pylist()
    assert all(other == first for other in others)
    assert first["fineweb_num_lines"] == 5
    assert first["fineweb_punctuated_line_fraction"] == 0.6
    assert first["repetition_line_fraction"] == 0.4
    assert first["repetition_paragraph_fraction"] == 0.0
