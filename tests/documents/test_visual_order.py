"""Hebrew in visual order, as its charset says, comes out in reading order; what is as read already stays."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from stages.documents.page import Page
from stages.documents.visual_order import in_reading_order
from tests.support.archives import read, record, write

LINES = (
    "הטחנה הזאת עומדת על שפת הנהר, והגלגלים שלה מסתובבים (יום ולילה).",
    "בשנת 1884 בנו אותה שלושה אחים, והם קראו לה Old Mill בשם אמם.",
    "החיטה באה מן הכפרים שבעמק: 40 שקים בכל חודש!",
)
MIRRORED = str.maketrans("()", ")(")


def seen(line: str) -> str:
    """The line from left to right as it looks: words of other letters and numbers stay as they are."""
    words = line.translate(MIRRORED)[::-1]
    return words.replace("lliM dlO", "Old Mill").replace("4881", "1884").replace("04", "40")


def page(lines: tuple[str, ...], title: str = "") -> bytes:
    title = title or lines[0][:30]
    body = "<br>\n".join(lines)
    return f"<html><head><title>{title}</title></head><body><p>{body}</p></body></html>".encode("iso-8859-8")


def row_of(body: bytes, charset: str, tmp_path: Path, **options: Any) -> dict[str, Any]:
    one = record(body, http=f"Content-Type: text/html; charset={charset}", url="https://mills.example/a.html")
    [row], _ = read(write(tmp_path / "a.warc.gz", [one]), **options)
    return row


def text_of(body: bytes, charset: str, tmp_path: Path) -> str:
    return str(row_of(body, charset, tmp_path)["text"])


@pytest.mark.parametrize("charset", ["iso-8859-8", "visual", "hebrew"])
def test_hebrew_as_it_is_seen_is_put_in_reading_order(charset: str, tmp_path: Path) -> None:
    assert text_of(page(tuple(map(seen, LINES))), charset, tmp_path) == "\n".join(LINES)


@pytest.mark.parametrize("charset", ["iso-8859-8", "iso-8859-8-i", "windows-1255"])
def test_hebrew_as_it_is_read_stays(charset: str, tmp_path: Path) -> None:
    assert text_of(page(LINES), charset, tmp_path) == "\n".join(LINES)


def test_other_charsets_are_as_their_pages_have_them(tmp_path: Path) -> None:
    """A browser shows them so, too."""
    lines = tuple(map(seen, LINES))
    assert text_of(page(lines), "windows-1255", tmp_path) == "\n".join(lines)


@pytest.mark.parametrize("mark", ["- ", "1. ", "  - ", "iv. ", "# ", "### ", "> ", "> - ", "- [x] "])
def test_marks_that_the_extractor_writes_stay_before_their_lines(mark: str) -> None:
    page = Page("a.warc.gz", 0, charset="iso-8859-8")
    texts = pa.array(["\n".join(mark + seen(line) for line in LINES)], pa.large_string())
    assert in_reading_order(texts, [page]).to_pylist() == ["\n".join(mark + line for line in LINES)]


ROWS = (("שם", "שנה", ""), ("1884", "40", "4"), ("", "5", "מים"), ("Old Mill", "", "גלגל"))


@pytest.mark.parametrize("mark", ["", "- ", "> "])
def test_all_rows_of_a_table_are_read_from_the_right(mark: str) -> None:
    """Those of numbers or Latin words too: else their cells stand under the heads of others."""
    page = Page("a.warc.gz", 0, charset="iso-8859-8")
    drawn = [mark + " | ".join(seen(cell) for cell in reversed(row)) for row in ROWS]
    latin = ["Home | Mill | 5", "Grain | Wheel | 6"]
    texts = pa.array(["\n".join([*map(seen, LINES), *drawn, "", *latin])], pa.large_string())
    read = [mark + " | ".join(row) for row in ROWS]
    assert in_reading_order(texts, [page])[0].as_py().split("\n") == [*LINES, *read, "", *latin]


TITLE = "הכפרים והטחנים של העמק"


@pytest.mark.parametrize("title", [TITLE, TITLE[::-1]])
def test_titles_are_put_in_order_by_their_own_letters(title: str, tmp_path: Path) -> None:
    """The window's frame showed them as read on the systems of their time."""
    body = page(tuple(map(seen, LINES)), title)
    assert row_of(body, "visual", tmp_path)["title"] == TITLE
