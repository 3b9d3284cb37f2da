"""Clusters of glyphs whose characters a PDF states come out as these, with the spaces and lines of the page."""

from __future__ import annotations

import time
import zlib
from pathlib import Path

import pytest

from stages.documents import pdf
from tests.support.archives import read, record, write

pytest.importorskip("pypdfium2")

EM = 12
WIDTH = 6
"""Points that an x of 12 points moves on."""


def body_of(content: str, unicode: dict[str, str] | None = None) -> bytes:
    """A PDF of one page; ``unicode``: what its font says that characters are."""
    packed = zlib.compress(content.encode())
    objects = [
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 600 300]/Contents 4 0 R/Resources<</Font<</F1 5 0 R>>>>>>",
        b"<</Length %d/Filter/FlateDecode>>stream\n%b\nendstream" % (len(packed), packed),
        b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>",
    ]
    if unicode:
        pairs = " ".join(f"<{ord(char):02x}> <{said.encode('utf-16-be').hex()}>" for char, said in unicode.items())
        table = f"1 begincodespacerange <00> <ff> endcodespacerange {len(unicode)} beginbfchar {pairs} endbfchar"
        objects[-1] = objects[-1].replace(b">>", b"/ToUnicode 6 0 R>>")
        objects.append(b"<</Length %d>>stream\n%b\nendstream" % (len(table), table.encode()))
    body = b"".join(b"%d 0 obj%b\nendobj\n" % (number, one) for number, one in enumerate(objects, 1))
    return b"%PDF-1.4\n" + body + b"trailer<</Size %d/Root 1 0 R>>\n%%%%EOF\n" % (len(objects) + 1)


def of(content: str, tmp_path: Path, unicode: dict[str, str] | None = None) -> str:
    one = record(body_of(content, unicode), http="Content-Type: application/pdf", url="https://mills.example/a.pdf")
    [row], _ = read(write(tmp_path / "a.warc.gz", [one]), text_types=["application/pdf"])
    return str(row["text"])


def glyph(x: float, y: float, what: str = "x") -> str:
    return f"1 0 0 1 {x} {y} Tm ({what}) Tj "


def cluster(text: str, *places: tuple[float, float]) -> str:
    stated = ("\ufeff" + text).encode("utf-16-be").hex()
    return f"/Span<</ActualText <{stated}> >> BDC " + "".join(glyph(x, y) for x, y in places) + "EMC "


def clusters(words: list[list[str]], x: float, y: float, runs_left: bool = False) -> str:
    """Words of clusters of two glyphs: the second of each lies behind the first, or over it."""
    content = ""
    step = -1 if runs_left else 1
    for number, word in enumerate(words):
        content += glyph(x, y, " ") if number else ""
        x += step * 4 if number else 0
        for each, text in enumerate(word):
            behind = (x + step * (WIDTH - 1), y) if each % 2 == 0 else (x + 1, y + 4)
            content += cluster(text, (x, y), behind)
            x += step * (2 * WIDTH - 1 if each % 2 == 0 else WIDTH)
    return content


def written(content: str) -> str:
    return f"BT /F1 {EM} Tf {content} ET"


@pytest.mark.parametrize(
    "words",
    [
        [["हि", "न्दी"], ["भा", "षा"], ["में"], ["क्ष", "त्रि", "य"]],
        [["ভা", "ষা", "য়"], ["কো", "থা", "য়"]],
        [["மொ", "ழி"], ["கௌ", "ர", "வ", "ம்"]],
        [["ที่", "มี", "ร", "ดั", "บ"], ["น้ำ"]],
        [["ភា", "សា", "ខ្មែ", "រ"]],
        [["မြ", "န်", "မာ"], ["ကျွ", "န်"]],
    ],
)
def test_clusters_are_said_once_and_hold_no_space(words: list[list[str]], tmp_path: Path) -> None:
    assert of(written(clusters(words, 20, 200)), tmp_path) == " ".join(map("".join, words))


@pytest.mark.parametrize(
    "words",
    [
        [["بِ", "سْ", "مِ"], ["ا", "للَّهِ"], ["رَ", "بِّ"]],
        [["בְּ", "רֵ", "א", "שִׁ", "י", "ת"], ["בָּ", "רָ", "א"]],
        [["م", "ی\u200c", "خ", "و", "ا", "ه", "م"], ["ک", "ت", "ا", "ب"]],
    ],
)
def test_vowels_and_joiners_stand_where_they_were_written(words: list[list[str]], tmp_path: Path) -> None:
    """The glyphs of a word may come in the order in which they are seen, too."""
    said = " ".join(map("".join, words))
    assert of(written(clusters(words, 500, 200, runs_left=True)), tmp_path) == said
    x, seen = 300.0, ""
    for word in words:
        seen += "".join(cluster(one, (x + WIDTH * n, 200), (x + WIDTH * n, 206)) for n, one in enumerate(word[::-1]))
        x -= 4
        seen += glyph(x, 200, " ")
        x -= WIDTH * max(map(len, words))
    assert " ".join(of(written(seen), tmp_path).split()) == said


def test_a_gap_without_a_space_in_the_file_is_one_too(tmp_path: Path) -> None:
    content = cluster("हि", (20, 200), (25, 200)) + cluster("न्दी", (31, 200)) + cluster("भा", (41, 200), (46, 200))
    assert of(written(content), tmp_path) == "हिन्दी भा"


def test_lines_end_where_the_baseline_moves_and_not_at_raised_marks(tmp_path: Path) -> None:
    first = cluster("บ้", (20, 206), (20, 200)) + cluster("า", (26, 200)) + cluster("น", (32, 200))
    second = glyph(20, 140, "Mill") + cluster("ดี", (38, 140))
    assert of(written(first + second), tmp_path) == "บ้าน\n\nMillดี"


def test_latin_clusters_and_texts_of_whole_lines_are_left_to_the_library(tmp_path: Path) -> None:
    latin = cluster("office", (20, 200)) + glyph(26, 200, " mill and mill")
    assert of(written(latin), tmp_path) == "office mill and mill"
    long = "ที่นี่" * 20
    assert of(written(cluster(long, (20, 200))), tmp_path) == long
    assert len(long) > 64 < pdf.MAX_CHARACTERS


LATER = "".join(cluster(text, (20 + 6 * number, 120)) for number, text in enumerate(["च", "क्की", "च", "ल", "ती"]))
SAID_LATER = "\n\nचक्कीचलती"


def test_what_is_drawn_twice_is_said_once(tmp_path: Path) -> None:
    """Shadows and outlines draw a whole line again, a little beside."""
    words = [["हि", "न्दी"], ["भा", "षा"]]
    content = clusters(words, 20.6, 199.4) + clusters(words, 20, 200)
    assert of(written(content), tmp_path) == "हिन्दी भाषा"


def test_the_same_letter_beside_another_is_no_shadow(tmp_path: Path) -> None:
    thin = "".join(cluster(text, (20 + 3 * number, 200)) for number, text in enumerate(["हि", "।", "।", "।"]))
    assert of(written(thin + LATER), tmp_path) == "हि।।।" + SAID_LATER


def test_letters_of_one_glyph_are_all_said(tmp_path: Path) -> None:
    """A font says ``ff`` of a ligature, and both letters have its place; drawn twice they are said once."""
    line = glyph(60, 200, "oq oqu w") + glyph(60.5, 199.5, "oq oqu w")
    said = of(written(cluster("हि", (20, 200)) + line + LATER), tmp_path, {"q": "ff", "w": "क्क"})
    assert said.split() == ["हि", "off", "offu", "क्क", *SAID_LATER.split()]


@pytest.mark.parametrize("percent", [30, 50, 100])
def test_letters_made_narrow_are_all_said(percent: int, tmp_path: Path) -> None:
    narrow = f"{percent} Tz " + glyph(160, 200, "fill all ill") + "100 Tz "
    assert "fill all ill" in of(written(cluster("हि", (20, 200)) + narrow + LATER), tmp_path)


def test_stated_texts_without_a_mark_are_in_the_encoding_of_pdf(tmp_path: Path) -> None:
    dash = "/Span<</ActualText <84>>> BDC " + glyph(26, 200) + "EMC "
    content = cluster("हि", (20, 200)) + dash + cluster("ल", (32, 200))
    assert of(written(content + LATER), tmp_path) == "हि—ल" + SAID_LATER


def test_many_letters_at_one_place_take_no_time(tmp_path: Path) -> None:
    """As a font without widths has them."""
    line = written(cluster("हि", (20, 200)) + glyph(60, 200, "q" * 2500) + LATER)
    begin = time.process_time()
    assert "l" * 30_000 in of(line, tmp_path, {"q": "l" * 12})
    assert time.process_time() - begin < 10


def test_a_mark_inside_another_is_part_of_it(tmp_path: Path) -> None:
    """The outermost text stands for all that is in it, and is said once."""
    inner = cluster("x", (26, 200))
    whole = cluster("हि", (20, 200)).replace("EMC ", inner + glyph(32, 200) + "EMC ")
    assert of(written(whole + cluster("न्दी", (38, 200)) + LATER), tmp_path) == "हिन्दी" + SAID_LATER


@pytest.mark.parametrize(
    ("stated", "said"),
    [
        (" हि", "मि हिल"),
        ("हि ", "मिहि ल"),
        ("\u00a0ि", "मि िल"),
        ("हि\0", "मिहिल"),
        ("\0\1हि", "मिहिल"),
        ("\u00adहि", "मिहिल"),
        ("\u001bhi\u001bहि", "मिहिल"),
        ("हि\nन्दी", "मिहि न्दील"),
        (" ", "मि ल"),
        ("", "मि ल"),
    ],
)
def test_spaces_and_controls_around_a_stated_text_hide_nothing_of_it(stated: str, said: str, tmp_path: Path) -> None:
    content = cluster("मि", (20, 200)) + cluster(stated, (26, 200)) + cluster("ल", (32, 200))
    assert of(written(content + LATER), tmp_path) == said + SAID_LATER


def test_a_word_over_two_lines_stands_where_it_begins(tmp_path: Path) -> None:
    content = cluster("हि", (20, 200)) + cluster("न्दी", (26, 200), (20, 180)) + cluster("भा", (26, 180))
    assert of(written(content + LATER), tmp_path).split() == ["हिन्दी", "भा", *SAID_LATER.split()]


@pytest.mark.parametrize("stated", ["\u2014", "\u2022", "\u00ad", "\U0001d465", "\U0001f600", "\u1ec7", "\u201c"])
def test_dashes_signs_and_formulas_that_a_page_states_are_left_to_the_library(
    stated: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Word, InDesign and LaTeX state them: of two columns, PDFium knows where a line ends."""
    content = glyph(20, 200, "mill and ") + cluster(stated, (60, 200)) + glyph(66, 200, " wheel")
    said = of(written(content), tmp_path)
    monkeypatch.setattr(pdf, "with_clusters", lambda page, found, most: found)
    assert of(written(content), tmp_path) == said


def test_marks_nested_without_end_and_texts_without_end_take_no_time(tmp_path: Path) -> None:
    deep = "/Span BMC " * 2000 + cluster("हि", (20, 200)) + "EMC " * 2000
    assert SAID_LATER.strip() in of(written(deep + LATER), tmp_path)
    huge = cluster("हि" * 100_000, (20, 200))
    assert SAID_LATER.strip() in of(written(huge + LATER), tmp_path)
