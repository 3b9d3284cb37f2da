"""Characters of a page of a PDF to lines: turned, vertical and right to left, in whatever order a file has them."""

from __future__ import annotations

import math
import random
import re
import zlib

import pytest

from stages.documents.page import Page
from stages.extraction.pdf_layout import Line, text_of
from stages.extraction.pdf_lines import Box, lines_of
from stages.extraction.pdf_right_to_left import as_read


class Set:
    """Characters set by hand: each with its box, its room in the line, and its angle."""

    def __init__(self) -> None:
        self.found: list[tuple[int, Box, Box, float]] = []
        self.raised: set[int] = set()

    def codes(self) -> list[int]:
        return [one[0] for one in self.found]

    def text(self, index: int) -> str:
        return chr(self.found[index][0])

    def box(self, index: int) -> Box:
        return self.found[index][1]

    def room(self, index: int) -> Box:
        return self.found[index][2]

    def size(self, index: int) -> float:
        return 8.3 if index in self.raised else 10.0

    def origin(self, index: int) -> tuple[float, float]:
        return self.found[index][2][0], self.found[index][1][3]

    def angle(self, index: int) -> float:
        return self.found[index][3]

    def line(self, seen: str, x: float, y: float, order: list[int] | None = None) -> Set:
        """Characters seen from left to right, six points a character; held in the order of these places."""
        places = [
            (code, (x + 6 * n + 1, x + 6 * n + 5, y - 7, y), (x + 6 * n, x + 6 * n + 6, y - 9, y + 3))
            for n, code in enumerate(map(ord, seen))
        ]
        self.found += [(*places[n], 0.0) for n in (order or range(len(seen)))]
        self.found.append((10, (0, 0, 0, 0), (0, 0, 0, 0), 0.0))
        return self


def with_raised(text: str) -> Set:
    """Characters behind ^ are raised, as browsers print it; PDFium has the end of a line behind it."""
    page = Set()
    x = 50
    is_raised = False
    for char in text:
        if is_raised and not char.isdigit():
            page.found += [(code, (x, x, 96, 96), (x, x, 96, 96), 0.0) for code in (13, 10)]
        is_raised = char == "^" or (is_raised and char.isdigit())
        if char == "^":
            continue
        bottom = 96 if is_raised else 100
        if is_raised:
            page.raised.add(len(page.found))
        page.found.append((ord(char), (x + 1, x + 5, bottom - 7, bottom), (x, x + 6, bottom - 9, bottom + 3), 0.0))
        x += 6
    return page


def words_turned(seen: str) -> list[int]:
    """The words of a line from the right, the letters of each from the left: how some makers write."""
    found: list[int] = []
    stop = len(seen)
    while stop > 0:
        start = seen.rfind(" ", 0, stop) + 1
        found += [*range(start, stop), *([start - 1] if start else [])]
        stop = start - 1
    return found


HEBREW = "המחיר של 1,234.50 דולר או 20% הוא (בערך) של Apple Inc. בישראל"
SEEN = "לארשיב .Apple Inc לש )ךרעב( אוה 20% וא רלוד 1,234.50 לש ריחמה"


@pytest.mark.parametrize("order", [list(range(len(SEEN))), list(range(len(SEEN)))[::-1], words_turned(SEEN)])
def test_a_line_right_to_left_is_read_whatever_the_order_in_the_file(order: list[int]) -> None:
    (line,) = lines_of(Set().line(SEEN, 50, 100, order))
    assert line.text == HEBREW
    assert (line.x0, line.x1) == (-(50 + 6 * len(SEEN)), -50)


@pytest.mark.parametrize(
    ("seen", "read"),
    [
        ("ةملك )ةمهم( 12/2023 مقر", "رقم 12/2023 (مهمة) كلمة"),
        ("%50 ةبسنب", "بنسبة 50%"),
        ("01-01-2024 خيراتب", "بتاريخ 2024-01-01"),
        ("ךיראתב 2024-01-01", "2024-01-01 בתאריך"),
        ("English with םולש םלוע inside", "English with עולם שלום inside"),
        ("and )םלוע) inside", "and (עולם) inside"),
        ("\u200fםלוע", "עולם"),
        ("plain 12 (x)", "plain 12 (x)"),
        ("", ""),
    ],
)
def test_what_is_seen_is_read(seen: str, read: str) -> None:
    assert as_read(list(seen)) == read


def test_a_line_of_two_scripts_runs_as_its_page_does() -> None:
    line = "ןמז Windows 11 שדח"
    assert as_read(list(line), on_such_a_page=True) == "חדש Windows 11 זמן"
    assert as_read(list(line)) == "זמן Windows 11 חדש"
    assert as_read(list("English words with םולש םלוע הזה inside"), on_such_a_page=True).startswith("English words")
    assert as_read(list("English words with םולש inside"), on_such_a_page=True) == "English words with שלום inside"


def test_letters_of_one_glyph_and_marks_stay_with_it() -> None:
    page = Set().line("ةفاب", 50, 100, [3, 2, 1, 0])
    _code, box, room, angle = page.found[1]
    page.found[1:2] = [(ord("ا"), box, room, angle), (ord("ل"), box, room, angle)]  # lam-alef, turned with its line
    assert lines_of(page)[0].text == "بلافة"
    page = Set().line("םולש", 50, 100, [3, 2, 1, 0])
    _, _, (_x0, x1, top, bottom), _ = page.found[0]
    page.found.insert(3, (0x5C1, (x1 - 2, x1 - 1, 92, 93), (x1 - 2, x1 - 1, top, bottom), 0.0))
    assert lines_of(page)[0].text == "ש\u05c1לום"


def test_columns_and_cells_are_read_from_the_right() -> None:
    prose = "הלימ דועו הלימ דועו הלימ דועו הלימ"
    page = Set()
    for row in range(12):
        page.line(f"{prose} {chr(0x5D0 + row)}", 50, 100 + 12 * row)
        page.line(f"{prose} {chr(0x5D0 + row)}", 350, 100 + 12 * row)
    starts = [word for word in text_of([lines_of(page)]).split() if len(word) == 1]
    assert starts == [chr(0x5D0 + row) for row in range(12)] * 2
    table = Set()
    for row in range(3):
        table.line(f"ב{row}          א{row}", 50, 100 + 14 * row)
    assert text_of([lines_of(table)]).split("\n") == [f"{row}א\t{row}ב" for row in range(3)]


def test_vertical_writing_is_read_down_and_to_the_left() -> None:
    columns = ["日本語の文書です。これは試", "験のための文章であり、縦書", "きの例です。"]
    page = Set()
    for number in (2, 1, 0):  # PDFium gives the last first
        for n, char in enumerate(columns[number]):
            box: Box = (500 - 20 * number, 512 - 20 * number, 100 + 12 * n, 100 + 12 * n)
            page.found.append((ord(char), box, box, 0.0))
        page.found.append((10, (0, 0, 0, 0), (0, 0, 0, 0), 0.0))
    assert text_of([lines_of(page)]) == "".join(columns)


@pytest.mark.parametrize(
    ("lines", "text"),
    [
        (["这是一个测试的文档它有很", "多字。第二句。"], "这是一个测试的文档它有很多字。第二句。"),
        (["한국어 문서 시험입니다 이것은", "문장입니다"], "한국어 문서 시험입니다 이것은 문장입니다"),
        (["使用一种语言来写文档使用", "Python 来写"], "使用一种语言来写文档使用 Python 来写"),
    ],
)
def test_lines_are_joined_as_their_script_is_written(lines: list[str], text: str) -> None:
    assert text_of([[Line(one, 50, 100 + 12 * n, 250, 109 + 12 * n, 10) for n, one in enumerate(lines)]]) == text


def test_paragraphs_without_capitals_go_on_in_the_next_column() -> None:
    def column(x: float, texts: list[str]) -> list[Line]:
        return [Line(text, x, 100 + 12 * n, x + 200, 109 + 12 * n, 10) for n, text in enumerate(texts)]

    left = ["这是一个测试的文档它有很", "多字而且没有结束"]
    assert text_of([column(50, left) + column(300, ["所以继续在这里写完。"])]).count("\n") == 0
    assert text_of([column(50, [*left[:1], "多字而且这里结束。"]) + column(300, ["下一段在这里。"])]).count("\n") > 0


def test_raised_digits_are_powers_and_marks_and_end_no_line() -> None:
    page = with_raised("about 10^12 and x^2 of H2O, see note^14. Area m^2")
    (line,) = lines_of(page)
    assert line.text == "about 10^12 and x^2 of H2O, see note 14. Area m^2"


def test_raised_digits_and_lines_with_letters_from_the_right_share_a_page() -> None:
    page = with_raised("about 10^12 and x^2 of it").line("", 0, 0).line("םולש םלוע", 50, 130)
    assert [line.text for line in lines_of(page)] == ["about 10^12 and x^2 of it", "עולם שלום"]


def drawn(content: str) -> bytes:
    """A PDF of one page with this content."""
    packed = zlib.compress(content.encode("latin-1"))
    objects = (
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 600 600]/Contents 4 0 R/Resources<</Font<</F1 5 0 R>>>>>>",
        b"<</Length %d/Filter/FlateDecode>>stream\n%b\nendstream" % (len(packed), packed),
        b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica/Encoding/WinAnsiEncoding>>",
    )
    body = b"".join(b"%d 0 obj%b\nendobj\n" % (number, one) for number, one in enumerate(objects, 1))
    return b"%PDF-1.4\n" + body + b"trailer<</Size 6/Root 1 0 R>>\n%%EOF\n"


@pytest.mark.parametrize(
    ("marked", "text"),
    [
        ("paging <12> and <13> of them", "paging 12 and 13 of them"),
        ("of 10^12^ and 10^-3^ kg", "of 10^12 and 10^-3 kg"),
        ("x^2^, x^-1^, 5 km^2^ and m^3^/s^2^ here", "x^2, x^-1, 5 km^2 and m^3/s^2 here"),
        ("as said^[4]^ by him^1,2^ and her.^3^ Next", "as said[4] by him 1,2 and her. 3 Next"),
        ("of ^235^U and ^14^C, Ca^2+^ and Cl^-^ too", "of 235U and 14C, Ca 2+ and Cl- too"),
    ],
)
@pytest.mark.parametrize("small", [7, 8.3])
def test_what_is_small_is_raised_where_it_stands_higher(marked: str, text: str, small: float) -> None:
    """Between < and > it is small; between two ^, small and raised."""
    parts = ["BT /F1 10 Tf 50 500 Td"]
    is_small = is_raised = False
    for part in re.split(r"([<>^])", marked):
        is_small = part == "<" or (is_small and part != ">")
        is_raised ^= part == "^"
        if part and part not in "<>^":
            parts.append(f"/F1 {small if is_small or is_raised else 10} Tf {4 * is_raised} Ts ({part}) Tj")
    assert text_by_pdfium(drawn("\n".join([*parts, "ET"]))) == text


@pytest.mark.parametrize("scale", [1, 0.75, 12, 0.01])
def test_sizes_are_those_that_are_seen(scale: float) -> None:
    """Many makers write a size of 1 and scale it, browsers three quarters of a larger one."""
    size = 12 / scale
    shown = "\n".join(
        f"BT /F1 {size} Tf {scale} 0 0 {scale} 50 {500 - 14 * n} Tm ({text}) Tj ET"
        for n, text in enumerate([PROSE[0]] * 3)
    )
    far = f"BT /F1 {size} Tf {scale} 0 0 {scale} 50 440 Tm (Another paragraph.) Tj ET"
    assert text_by_pdfium(drawn(f"{shown}\n{far}")).split("\n") == [" ".join([PROSE[0]] * 3), "", "Another paragraph."]


def test_a_page_of_thousands_of_scattered_figures_is_laid_out_at_once() -> None:
    """A map or a plot; took a step for every two."""
    draw = random.Random(1)
    places = [(draw.uniform(0, 600), draw.uniform(0, 800), draw.choice([8, 10])) for _ in range(20_000)]
    lines = [Line(f"n{n}", x, y, x + 5, y + 7, size) for n, (x, y, size) in enumerate(places)]
    assert sorted(text_of([lines]).split()) == sorted(line.text for line in lines)


def test_thousands_of_marks_stand_with_their_letters() -> None:
    seen = "בָ" * 10_000
    page = Set()
    for n, char in enumerate(seen):
        x = 6 * (n // 2)
        page.found.append((ord(char), (x + 1, x + 5, 93, 100), (x, x + 6, 91, 103), 0.0))
    assert [line.text for line in lines_of(page)] == [seen]


# Turned pages, through PDFium

PROSE = [
    " ".join(random.Random(n).choices(["mill", "wheel", "flour", "water", "stone", "sack", "oven"], k=9))
    for n in range(8)
]


def turned_page(quarters: int, flag: int = 0, stamp: str = "") -> bytes:
    """A PDF of one page whose text runs as turned by quarters against the clock; ``flag``: what a viewer turns back."""
    cos, sin = [(1, 0), (0, 1), (-1, 0), (0, -1)][quarters]
    x, y = [(40, 500), (60, 40), (560, 100), (540, 560)][quarters]
    drawn = []
    for n, text in enumerate(PROSE):
        down = 14 * n
        drawn.append(f"BT /F1 11 Tf {cos} {sin} {-sin} {cos} {x + sin * down} {y - cos * down} Tm ({text}) Tj ET")
    if stamp:
        drawn.append(f"BT /F1 14 Tf 0 1 -1 0 20 100 Tm ({stamp}) Tj ET")
    content = zlib.compress("\n".join(drawn).encode())
    objects = (
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 600 600]/Rotate %d/Contents 4 0 R/Resources<</Font<</F1 5 0 R>>>>>>"
        % flag,
        b"<</Length %d/Filter/FlateDecode>>stream\n%b\nendstream" % (len(content), content),
        b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>",
    )
    body = b"".join(b"%d 0 obj%b\nendobj\n" % (number, one) for number, one in enumerate(objects, 1))
    return b"%PDF-1.4\n" + body + b"trailer<</Size 6/Root 1 0 R>>\n%%EOF\n"


def text_by_pdfium(body: bytes) -> str:
    pytest.importorskip("pypdfium2")
    from stages.documents import pdf

    page = Page(0, 0)
    assert pdf.finish(page, body) is True
    assert page.text is not None
    return page.text


@pytest.mark.parametrize("quarters", range(4))
@pytest.mark.parametrize("flag", [0, 90, 180, 270])
def test_turned_pages_are_read_along_their_lines(quarters: int, flag: int) -> None:
    assert text_by_pdfium(turned_page(quarters, flag)).split() == " ".join(PROSE).split()


def test_a_stamp_along_the_edge_is_one_line() -> None:
    text = text_by_pdfium(turned_page(0, stamp="hepth:9901001v2 12 Jan 1999"))
    assert "hepth:9901001v2 12 Jan 1999" in text.split("\n")
    assert " ".join(PROSE).split() == text.replace("hepth:9901001v2 12 Jan 1999", "").split()


def test_padding_behind_the_end_mark_cuts_nothing() -> None:
    assert text_by_pdfium(turned_page(0) + bytes(20_000)).split() == " ".join(PROSE).split()


def test_angles_between_are_read_as_they_were() -> None:
    page = Set().line("some words", 50, 100)
    page.found = [(code, box, room, math.radians(45)) for code, box, room, _ in page.found]
    assert [line.text for line in lines_of(page)] == ["some words"]
