"""DOCX and EPUB: their text in order; what cannot be read is dropped with its reason, and bombs are small."""

from __future__ import annotations

import io
import random
import tarfile
import zipfile
from pathlib import Path

import pytest

from stages import documents
from stages.documents import office
from tests.support.archives import read, record, whole, write
from tests.support.mutations import mutate
from tests.support.office_files import W, chapter, docx, epub, packed, paragraph, run, table

TYPES = ("docx", "epub")


def of(body: bytes, folder: Path, kind: str, **params: object) -> tuple[list[dict], dict]:
    (folder / f"a.{kind}").write_bytes(body)
    return read(whole(folder / f"a.{kind}"), **{"text_types": TYPES, **params})


def text(body: bytes, folder: Path, kind: str = "docx", **params: object) -> str:
    [row], _ = of(body, folder, kind, **params)
    return row["text"]


def reason(body: bytes, folder: Path, kind: str = "docx") -> str:
    rows, report = of(body, folder, kind)
    assert rows == []
    assert report["records"] == 1
    [found] = report["dropped"]
    return found


NOTE = '<w:r><w:footnoteReference w:id="2"/></w:r>'
GONE = "<w:moveFrom><w:r><w:t>gone</w:t></w:r></w:moveFrom><w:del><w:r><w:delText>cut</w:delText></w:r></w:del>"
BLOCKS = (
    paragraph("Of mills", style="H1"),
    paragraph("Water &amp; wheels ", run("turn", "<w:b/>"), "ed.", run("hidden", "<w:vanish/>")),
    paragraph("Sacks", style="Own"),
    paragraph("flour", style="Listed"),
    paragraph("bran", style="Listed"),
    paragraph("third", number=(2, 0)),
    paragraph("inner", number=(2, 1)),
    paragraph("fourth", number=(2, 0)),
    table(("Year", "Sacks", ""), ("1851", "240", "3")),
    paragraph("An area of 10", run("6", '<w:vertAlign w:val="superscript"/>'), " m.", NOTE),
    paragraph("line one", "<w:r><w:br/></w:r>", "line", "<w:r><w:tab/></w:r>", "two"),
    f"<w:p>{GONE}{run('left')}</w:p>",
    paragraph("Contents 3", style="TOC1"),
    "<w:sdt><w:sdtContent>" + paragraph("in a field") + "</w:sdtContent></w:sdt>",
)
WRITTEN = """Of mills

Water & wheels turned.

Sacks

- flour
- bran
3. third
   - inner
4. fourth

Year | Sacks | ·
1851 | 240 | 3

An area of 10^6 m.

A traveller wrote it down.

line one
line two

left

in a field"""


def test_paragraphs_headings_lists_tables_and_notes_of_a_docx_in_order(tmp_path: Path) -> None:
    [row], _ = of(docx(*BLOCKS), tmp_path, "docx")
    assert [line.rstrip(" |") for line in row["text"].split("\n")] == [
        line.removesuffix(" | ·") for line in WRITTEN.split("\n")
    ]
    assert (row["title"], row["language_declared"], row["content_type"]) == ("Of mills", "en-GB", office.DOCX)
    marked = text(docx(*BLOCKS), tmp_path, markdown=True)
    assert marked.startswith("# Of mills\n")
    assert "\n## Sacks\n" in marked


def test_a_docx_of_the_least_parts_is_read(tmp_path: Path) -> None:
    body = packed({"word/document.xml": f"<w:document {W}><w:body>{BLOCKS[1]}</w:body></w:document>"})
    assert text(body, tmp_path) == "Water & wheels turned."


CHAPTERS = {
    "nav.xhtml": chapter("Contents", "One", "Two"),
    "b%20b.xhtml": chapter("Two", "Second part &amp; é."),
    "a.xhtml": chapter("One", "First part.", "More of it."),
}


def test_an_epub_is_read_in_the_order_of_its_spine(tmp_path: Path) -> None:
    body = epub(CHAPTERS, ["nav.xhtml", "a.xhtml", "b%20b.xhtml", "a.xhtml"])
    [row], _ = of(body, tmp_path, "epub")
    assert row["text"] == "One\n\nFirst part.\n\nMore of it.\n\nTwo\n\nSecond part & é."
    assert (row["title"], row["language_declared"], row["content_type"]) == ("The mill", "en", office.EPUB)
    [row], _ = of(epub(CHAPTERS | {"gone.xhtml": ""}), tmp_path, "epub")
    assert row["note"] == "truncated"


def test_records_and_tar_archives_hold_them_too(tmp_path: Path) -> None:
    bodies = {"docx": docx(*BLOCKS), "epub": epub(CHAPTERS)}
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        for kind, body in bodies.items():
            entry = tarfile.TarInfo(f"a.{kind}")
            entry.size = len(body)
            archive.addfile(entry, io.BytesIO(body))
    types = ("application/octet-stream", office.EPUB, "application/zip")
    records = [record(body, http=f"Content-Type: {kind}") for kind in types for body in bodies.values()]
    plain = packed({"a.txt": "no document"})
    split = write(tmp_path / "a.warc.gz", [*records, record(plain, http="Content-Type: application/zip")])
    expected = [text(body, tmp_path, kind) for kind, body in bodies.items()]
    for one, times in ((split, 3), (whole(tmp_path / "a.tar"), 1)):
        rows, _ = read(one, text_types=TYPES, max_html_bytes=1024)
        assert [row["text"] for row in rows] == expected * times
        rows, report = read(one)
        assert rows == []
        assert sum(count["records"] for count in report["dropped"].values()) == report["records"]


LOL = '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]>'


@pytest.mark.parametrize(
    ("expected", "body"),
    [
        ("docx_cut", docx(*BLOCKS)[:-100]),
        ("docx_encrypted", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 600),
        ("docx_damaged", b"PK no zip at all"),
        ("docx_damaged", packed({"a.txt": "x"})),
        ("docx_damaged", packed({"word/document.xml": "<w:document"})),
        ("docx_damaged", packed({"word/document.xml": f"{LOL}<w:document {W}>{paragraph('&b;')}</w:document>"})),
        ("docx_without_text", docx(paragraph(" "))),
        ("epub_cut", epub(CHAPTERS)[:-100]),
        ("epub_damaged", packed({"mimetype": "application/epub+zip"})),
        ("epub_damaged", epub({"gone.xhtml": ""})),
        (
            "epub_damaged",
            epub({"a.xhtml": CHAPTERS["a.xhtml"]}, **{"META-INF_container": LOL + "<container>&b;</container>"}),
        ),
        ("epub_without_text", epub({"nav.xhtml": CHAPTERS["nav.xhtml"], "a.xhtml": "<html><body></body></html>"})),
        (
            "epub_encrypted",
            epub(CHAPTERS, **{"META-INF_encryption": '<e><CipherReference URI="OEBPS/b%20b.xhtml"/></e>'}),
        ),
    ],
)
def test_what_cannot_be_read_is_dropped_with_its_reason(tmp_path: Path, expected: str, body: bytes) -> None:
    assert reason(body, tmp_path, expected.partition("_")[0]) == expected


def test_encrypted_fonts_harm_nobody(tmp_path: Path) -> None:
    body = epub(CHAPTERS, **{"META-INF_encryption": '<e><CipherReference URI="OEBPS/font.ttf"/></e>'})
    assert "First part." in text(body, tmp_path, "epub")


def test_a_part_with_a_password_is_encrypted(tmp_path: Path) -> None:
    body = bytearray(docx(*BLOCKS))
    at = body.rindex(b"word/document.xml")
    body[at - 46 + 8] |= 1
    assert reason(bytes(body), tmp_path) == "docx_encrypted"


def test_bombs_are_dropped_before_they_unfold(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(office, "MAX_PLAIN", 1 << 20)
    big = paragraph("x" * (1 << 20))
    assert reason(docx(big), tmp_path) == "docx_too_large"
    many = {f"{number}.xhtml": chapter("x", "y" * 100_000) for number in range(20)}
    assert reason(epub(many), tmp_path, "epub") == "epub_too_large"
    zeros = packed({"word/document.xml": b"\0" * (50 << 20)})
    assert len(zeros) < 1 << 16
    assert reason(zeros, tmp_path) == "docx_too_large"


def test_deep_nesting_is_read(tmp_path: Path) -> None:
    deep = "<w:tbl><w:tr><w:tc>" * 3000 + paragraph("bottom") + "</w:tc></w:tr></w:tbl>" * 3000
    assert "bottom" in text(docx(deep), tmp_path)


@pytest.mark.parametrize("kind", TYPES)
def test_any_bytes_give_rows_or_reasons(tmp_path: Path, kind: str) -> None:
    stored = {"docx": docx(*BLOCKS), "epub": epub(CHAPTERS)}[kind]
    with zipfile.ZipFile(io.BytesIO(stored)) as file:
        loose = packed({name: file.read(name) for name in file.namelist()}, zipfile.ZIP_STORED)
    draw = random.Random(3)
    found = set()
    for seed in range(150):
        rows, report = of(mutate(draw.choice((stored, loose)), seed), tmp_path, kind)
        assert report["records"] == len(rows) + sum(one["records"] for one in report["dropped"].values()) == 1
        found |= set(report["dropped"])
    assert len(found) > 1
    assert {one for one in found if not one.startswith(kind)} <= {"not_text"}


def test_wanting_them_changes_the_fingerprint_and_nothing_else_does() -> None:
    plain, wanting = documents.Params(), documents.Params(text_types=TYPES)
    assert set(documents.identity(wanting)) - set(documents.identity(plain)) == {"office", "office_html"}
    assert documents.Params(text_types=("docx",)).text_types == (office.DOCX,)
