"""PDFs: their words in order, without running heads; what has no text to read is dropped with its reason."""

from __future__ import annotations

import bisect
import faulthandler
import gzip
import io
import os
import random
import re
import tarfile
import zlib
from collections import Counter, defaultdict
from pathlib import Path

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.documents import pdf, pdf_bombs
from stages.documents.page import Page
from stages.extraction.pdf_layout import Line, text_of
from tests.support.archives import PAGE, read, record, whole, write

typst = pytest.importorskip("typst")
pytest.importorskip("pypdfium2")
PDF = ("application/pdf",)

TEXT = """the miller opened his gate at dawn and water began turning that heavy wheel while carts from every
neighbouring village waited under old chestnut trees for flour which bakers wanted before noon because their ovens were
already burning and nobody remembered a winter with so little snow or an autumn with such considerable difficulties"""
WORDS = TEXT.split()


def paragraphs(seed: int, count: int) -> list[str]:
    draw = random.Random(seed)
    return [" ".join(draw.choices(WORDS, k=draw.randrange(30, 90))).capitalize() + "." for _ in range(count)]


def document(columns: int = 1, count: int = 30, extra: str = "", head: str = "The old mill") -> tuple[bytes, list[str]]:
    """A PDF with running heads, page numbers, a footnote, a table and a heading; and its words in order."""
    texts = paragraphs(columns, count)
    body, words = [], []
    for number, text in enumerate(texts):
        if number == 4:
            body.append(f"= Grain and flour {number}")
            words += f"Grain and flour {number}".split()
        if number == 8:
            body.append("#table(columns: 3, [Year], [Sacks], [Price], [1851], [240], [3 marks], [1852], [], [4 marks])")
            words += ["Year", "Sacks", "Price", "1851", "240", "3", "marks", "1852", "4", "marks"]
        if number == 12:
            first, second = text.split(" ", 10)[:10], text.split(" ", 10)[10]
            body.append(f"{' '.join(first)}#footnote[Written down by a traveller.] {second}")
            words += text.split()
            words += ["Written", "down", "by", "a", "traveller."]
            continue
        body.append(text)
        words += text.split()
    source = (
        f'#set page(paper: "a5", columns: {columns}, header: [{head} #h(1fr) #context counter(page).display()],'
        " footer: align(center)[Mills and rivers])\n#set par(justify: true)\n#set text(size: 10pt, hyphenate: true)\n"
        f'#set document(title: "Of mills")\n{extra}\n'
    )
    return typst.compile((source + "\n\n".join(body)).encode()), words


def order_f1(expected: list[str], found: list[str]) -> float:
    """F1 of the longest common subsequence of words."""
    places: dict[str, list[int]] = defaultdict(list)
    for place, word in enumerate(found):
        places[word].append(place)
    tails: list[int] = []
    for word in expected:
        for place in reversed(places.get(word, [])):
            at = bisect.bisect_left(tails, place)
            tails[at : at + 1] = [place]
    return 2 * len(tails) / (len(expected) + len(found))


def of(body: bytes, tmp_path: Path, **params: object) -> tuple[list[dict], dict]:
    one = record(body, http="Content-Type: application/pdf", url="https://mills.example/a.pdf")
    return read(write(tmp_path / "a.warc.gz", [one]), **{"text_types": PDF, **params})


@pytest.mark.parametrize("columns", [1, 2])
def test_words_come_in_order_without_running_heads(tmp_path: Path, columns: int) -> None:
    body, words = document(columns)
    [row], _ = of(body, tmp_path)
    text = row["text"]
    assert order_f1(words, text.split()) >= 0.97
    assert sum((Counter(words) - Counter(text.split())).values()) <= 6
    assert "The old mill" not in text
    assert "Mills and rivers" not in text
    assert re.search(r"\nYear\s+Sacks\s+Price\n+1851\s240\s3 marks\n", text)
    assert not re.search(r"\w-\n|\u00ad|\ufb01", text)
    assert row["title"] == "Of mills"
    assert row["content_type"] == "application/pdf"
    assert int(row["pdf_pages"]) >= 4
    assert row["pdf_text_page_fraction"] == "1.0000"
    assert "typst" in row["pdf_producer"].lower()


def test_pages_beside_pdfs_keep_their_columns(tmp_path: Path) -> None:
    body, _ = document(count=6)
    split = write(tmp_path / "a.warc.gz", [record(PAGE), record(body, http="Content-Type: application/pdf")])
    rows, report = read(split, text_types=PDF)
    assert [row["pdf_pages"] is None for row in rows] == [True, False]
    assert report["rows"] == 2
    rows, report = read(split)
    assert [row["content_type"] for row in rows] == ["text/html"]
    assert "pdf_pages" not in rows[0]
    assert report["dropped"]["not_html"]["records"] == 1


def test_folders_and_tar_archives_hold_pdfs_too(tmp_path: Path) -> None:
    body, words = document(count=6)
    (tmp_path / "a.pdf").write_bytes(body)
    (tmp_path / "b.pdf.gz").write_bytes(gzip.compress(body))
    with tarfile.open(tmp_path / "c.tar", "w") as archive:
        entry = tarfile.TarInfo("d.pdf")
        entry.size = len(body)
        archive.addfile(entry, io.BytesIO(body))
    for name in ("a.pdf", "b.pdf.gz", "c.tar"):
        [row], _ = read(whole(tmp_path / name), text_types=PDF)
        assert order_f1(words, row["text"].split()) > 0.95
        rows, report = read(whole(tmp_path / name))
        assert rows == []
        assert report["dropped"]["not_text"]["records"] == 1


ENCRYPTED = (
    b"""%PDF-1.4
1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj
2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj
3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 9 9]>>endobj
4 0 obj<</Filter/Standard/V 1/R 2/P -4/O("""
    + b"a" * 32
    + b""")/U("""
    + b"b" * 32
    + b""")>>endobj
trailer<</Root 1 0 R/Encrypt 4 0 R/ID[(x)(x)]>>
%%EOF
"""
)


def drawn(content: bytes, packed: bytes = b"", filters: bytes = b"/FlateDecode") -> bytes:
    """A PDF of one page with this content, or with what is packed already."""
    packed = packed or zlib.compress(content, 9)
    page = b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 300 300]/Contents 4 0 R/Resources<</Font<</F1 5 0 R>>>>>>"
    objects = (
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        page,
        b"<</Length %d/Filter%b>>stream\n%b\nendstream" % (len(packed), filters, packed),
        b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>",
    )
    body = b"".join(b"%d 0 obj%b\nendobj\n" % (number, one) for number, one in enumerate(objects, 1))
    return b"%PDF-1.4\n" + body + b"trailer<</Size 6/Root 1 0 R>>\n%%EOF\n"


def test_bombs_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    words = b"(The mill stands by the river) Tj "
    start = b"BT /F1 12 Tf 10 10 Td "
    [row], _ = of(drawn(start + words + b" ET" + b" " * (50 << 20)), tmp_path)
    assert row["text"] == "The mill stands by the river"
    rows, report = of(drawn(start + words * (pdf.MAX_OBJECTS + 1) + b" ET"), tmp_path)
    assert rows == []
    assert list(report["dropped"]) == ["pdf_too_large"]
    monkeypatch.setattr(pdf, "MAX_CHARACTERS", 100)
    [row], _ = of(drawn(start + words * 1000 + b" ET"), tmp_path)
    assert len(row["text"]) <= 100


@pytest.mark.parametrize("layers", [1, 2])
def test_streams_that_unfold_to_too_much_are_not_given_to_pdfium(tmp_path: Path, layers: int) -> None:
    packer = zlib.compressobj(9)
    packed = b"".join(packer.compress(bytes(1 << 20)) for _ in range(129)) + packer.flush()
    for _ in range(layers - 1):
        packed = zlib.compress(packed, 9)
    body = drawn(b"", packed, b"[" + b"/FlateDecode" * layers + b"]")
    assert len(body) < 1 << 18
    monster, report = of(body, tmp_path)
    assert (monster, list(report["dropped"])) == ([], ["pdf_too_large"])


@given(st.binary(max_size=3000), st.integers(1, 3), st.integers(-1, 1), st.binary(max_size=20))
def test_what_a_stream_unfolds_to_is_counted(data: bytes, layers: int, less: int, behind: bytes) -> None:
    packed, sizes = data, []
    for _ in range(layers):
        sizes.append(len(packed))
        packed = zlib.compress(packed, 9)
    most = max(sizes)  # of what comes out of any filter
    body = drawn(b"", packed + behind, b"[" + b"/Fl " * layers + b"]")
    assert pdf_bombs.unfolds(body, most - less) == (less > 0) or b"endstream" in data + packed
    assert not pdf_bombs.unfolds(drawn(b"", packed, b"/Fl/Subtype/Image"), 1)


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="memory is limited on Linux alone")
def test_what_unfolds_unseen_gets_no_more_memory_than_there_is_for_it() -> None:
    body = drawn(b" " * (100 << 20), filters=b"/FlateDecode/Subtype/Image")
    child = os.fork()
    if not child:  # which PDFium may end
        faulthandler.disable()
        try:
            with pdf_bombs.bounded(64 << 20):
                pdf.finish(Page(0, len(body)), body)
        finally:
            os._exit(0)
    _, _, used = os.wait4(child, 0)
    assert used.ru_maxrss * 1024 < psutil.Process().memory_info().rss + (80 << 20)


@pytest.mark.parametrize("reason", ["pdf_cut", "pdf_encrypted", "pdf_damaged", "pdf_without_text"])
def test_what_cannot_be_read_is_dropped_with_its_reason(tmp_path: Path, reason: str) -> None:
    sound, _ = document(count=2)
    bodies = {
        "pdf_cut": sound[: len(sound) // 2],
        "pdf_encrypted": ENCRYPTED,
        "pdf_damaged": b"%PDF-1.4\nnothing\n%%EOF\n",
        "pdf_without_text": typst.compile(b"#rect(width: 3cm, height: 2cm)"),
    }
    rows, report = of(bodies[reason], tmp_path)
    assert rows == []
    assert report["dropped"] == {reason: {"records": 1, "bytes": report["raw_bytes"]}}


def test_a_payload_that_the_crawler_cut_is_no_document(tmp_path: Path) -> None:
    body, _ = document(count=2)
    one = record(body, http="Content-Type: application/pdf", extra="WARC-Truncated: length\r\n")
    rows, report = read(write(tmp_path / "a.warc.gz", [one]), text_types=PDF)
    assert rows == []
    assert list(report["dropped"]) == ["pdf_cut"]


def test_large_pdfs_are_not_cut_where_pages_are(tmp_path: Path) -> None:
    body, words = document(count=12)
    [row], _ = of(body, tmp_path, max_html_bytes=4096)
    assert order_f1(words, row["text"].split()) > 0.95


def test_any_bytes_give_rows_or_reasons(tmp_path: Path) -> None:
    draw = random.Random(7)
    sound = [document(columns, count=4)[0] for columns in (1, 2)] + [ENCRYPTED]
    records = []
    for number in range(120):
        body = bytearray(draw.choice(sound))
        for _ in range(draw.choice((1, 5, 50))):
            at = draw.randrange(len(body))
            kind = draw.randrange(3)
            if kind == 0:
                body[at] = draw.randrange(256)
            elif kind == 1:
                del body[at : at + draw.randrange(1, 40)]
            else:
                body[at:at] = body[draw.randrange(len(body)) :][: draw.randrange(1, 40)]
        if draw.random() < 0.7:
            body += b"\n%%EOF\n"
        body[:5] = b"%PDF-"
        records.append(record(bytes(body), http="Content-Type: application/pdf", url=f"https://a.example/{number}"))
    _, report = read(write(tmp_path / "a.warc.gz", records), text_types=PDF)
    assert report["records"] == 120
    assert report["rows"] > 10
    assert set(report["dropped"]) <= {"pdf_cut", "pdf_damaged", "pdf_encrypted", "pdf_without_text"}


# Layout alone


def column(x: float, texts: list[str], y: float = 100, width: float = 200, size: float = 10) -> list[Line]:
    return [Line(text, x, y + 12 * number, x + width, y + 12 * number + 9, size) for number, text in enumerate(texts)]


PROSE = [f"line {number} of one column of prose that is long" for number in range(12)]


def test_two_columns_of_prose_written_to_and_fro_are_read_one_after_the_other() -> None:
    left, right = column(50, PROSE), column(300, [text.replace("one", "two") for text in PROSE])
    mixed = [line for pair in zip(left, right, strict=True) for line in pair]
    assert text_of([mixed]).split() == " ".join(line.text for line in left + right).split()


def test_content_in_no_order_is_read_from_the_top() -> None:
    lines = column(50, PROSE)
    shuffled = random.Random(1).sample(lines, len(lines))
    assert text_of([shuffled]).split() == " ".join(PROSE).split()


def test_cells_of_a_row_stay_on_a_line() -> None:
    places = [(row, cell) for row in range(5) for cell in range(3)]
    rows = [Line(f"{r}{c}", 50 + 90 * c, 100 + 14 * r, 70 + 90 * c, 109 + 14 * r, 10) for r, c in places]
    assert text_of([rows]).split("\n") == [f"{row}0\t{row}1\t{row}2" for row in range(5)]


def test_lines_too_narrow_for_prose_stay_lines() -> None:
    rows = [f"row {n} {n * 7} some" for n in range(6)]
    assert text_of([column(50, rows, width=80)]).split("\n") == rows
    assert text_of([column(50, rows, width=120)]).count("\n") == 0


EDGES = st.sampled_from([-5.0, 0.0, 0.0, 3.0, 90.0, 500.0])


@given(st.lists(st.lists(st.tuples(*[EDGES] * 4), max_size=12), max_size=4))
def test_boxes_of_any_shape_give_all_their_words(pages: list[list[tuple[float, ...]]]) -> None:
    """Mutated files have lines without width, upside down or on one spot."""
    lines = [[Line(f"word{n}w", *box, 10.0) for n, box in enumerate(page)] for page in pages]  # type: ignore[arg-type]
    text_of(lines)
    single = [Line(f"word{n}w", *box, 10.0) for n, box in enumerate(pages[0] if pages else [])]  # type: ignore[arg-type]
    assert sorted(text_of([single]).split()) == sorted(line.text for line in single)


@pytest.mark.parametrize(
    ("lines", "text"),
    [
        (["a wheel that turns the con-", "siderable mill"], "a wheel that turns the considerable mill"),
        (["a well-known mill and its well-", "known miller"], "a well-known mill and its well-known miller"),
        (["it was known to the Anglo-", "Saxon people"], "it was known to the Anglo-Saxon people"),
        (["the of\ufb01ce of the \ufb02our tra\u00ad", "der"], "the office of the flour trader"),
        (["first of all • a list", "• second"], "first of all • a list\n• second"),
    ],
)
def test_words_cut_at_line_ends_are_mended(lines: list[str], text: str) -> None:
    assert text_of([column(50, lines)]) == text


def test_heads_that_recur_and_page_numbers_go_and_what_stands_once_stays() -> None:
    pages = []
    for number in range(4):
        head = Line(f"Chapter {number // 2 + 1}: mills", 50, 30, 150, 40, 9)
        foot = Line(f"- {number + 17} -", 140, 700, 160, 709, 9)
        pages.append([head, *column(50, [f"page {'abcd'[number]} {text}" for text in PROSE]), foot])
    text = text_of(pages)
    assert "Chapter" not in text
    assert not re.search(r"- \d+ -", text)
    assert text.count("line 0 of one column") == 4
    assert "17" in text_of(pages[:1])
