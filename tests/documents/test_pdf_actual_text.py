"""Clusters of glyphs whose characters a PDF states come out as these, with the spaces and lines of the page."""

from __future__ import annotations

import zlib
from pathlib import Path

import pytest

from stages.documents import pdf
from tests.support.archives import read, record, write

pytest.importorskip("pypdfium2")

EM = 12
WIDTH = 6
"""Points that an x of 12 points moves on."""


def of(content: str, tmp_path: Path) -> str:
    packed = zlib.compress(content.encode())
    objects = (
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 600 300]/Contents 4 0 R/Resources<</Font<</F1 5 0 R>>>>>>",
        b"<</Length %d/Filter/FlateDecode>>stream\n%b\nendstream" % (len(packed), packed),
        b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>",
    )
    body = b"".join(b"%d 0 obj%b\nendobj\n" % (number, one) for number, one in enumerate(objects, 1))
    body = b"%PDF-1.4\n" + body + b"trailer<</Size 6/Root 1 0 R>>\n%%EOF\n"
    one = record(body, http="Content-Type: application/pdf", url="https://mills.example/a.pdf")
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
