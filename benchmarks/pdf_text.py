"""PDFs to text: words in order and pages a second, ours and other libraries, on documents of several makers.

``python -m benchmarks.pdf_text [--books FILE.jsonl.gz] [--count N] [--makers NAME ...]``: documents of one to three
columns with headings, footnotes, tables, running heads and page numbers are set from paragraphs of real texts by Typst,
and by LaTeX and LibreOffice where they are installed (``pdflatex``, ``soffice``). F1 is that of the longest common
subsequence of words against the source text, running heads left out. Seconds are of this process's CPU. pdfminer.six
and pypdf are compared where they can be imported.
"""

from __future__ import annotations

import argparse
import gzip
import importlib.util
import io
import json
import random
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import typst

from stages.documents import pdf
from stages.documents.page import Page
from tests.documents.test_pdf import order_f1
from tests.documents.test_pdf import paragraphs as words_at_random

HEAD = "The old mill"
PARAGRAPHS = 40


class Made(NamedTuple):
    """A PDF and the words of its text in their order."""

    maker: str
    columns: int
    body: bytes
    words: list[str]


def paragraphs(path: Path) -> list[str]:
    """Paragraphs of 30 to 150 words of plain ASCII, from JSON Lines."""
    found = []
    with gzip.open(path, "rt", encoding="utf-8") as file:
        for line in file:
            for block in re.split(r"\n\s*\n", json.loads(line)["text"]):
                text = " ".join(block.split())
                if re.fullmatch(r"[A-Za-z0-9 .,;:'()!?-]+", text) and 30 <= len(text.split()) <= 150:
                    found.append(text)
    return found


def pieces(texts: list[str]) -> Iterator[tuple[str, Any]]:
    """Pieces of a document: paragraphs with a heading, a table and a footnote now and then."""
    for number, text in enumerate(texts):
        if number % 10 == 4:
            yield "heading", f"Of part {number}"
        if number % 15 == 8:
            yield (
                "table",
                [["Year", "Sacks", "Price"], ["1851", str(240 + number), "3 marks"], ["1852", "250", "4 marks"]],
            )
        yield ("note", text) if number % 12 == 6 else ("text", text)


NOTE = "Written down by a traveller who saw it."


def words_of(texts: list[str]) -> list[str]:
    found = []
    for kind, piece in pieces(texts):
        found += piece.split() if kind != "table" else [word for row in piece for cell in row for word in cell.split()]
        found += NOTE.split() if kind == "note" else []
    return found


def by_typst(texts: list[str], columns: int, _: Path) -> bytes:
    body = []
    for kind, piece in pieces(texts):
        if kind == "table":
            body.append("#table(columns: 3, " + ", ".join(f"[{cell}]" for row in piece for cell in row) + ")")
            continue
        text = re.sub(r"([-+/=@#*_.])", r"\\\1", piece)
        first, _, rest = text.partition(" ")
        made = {"heading": f"= {text}", "text": text, "note": f"{first}#footnote[{NOTE}] {rest}"}
        body.append(made[kind])
    head = f'#set page(paper: "a4", columns: {columns}, header: [{HEAD} #h(1fr) #context counter(page).display()])\n'
    return typst.compile((head + "#set par(justify: true)\n#set text(size: 10pt)\n" + "\n\n".join(body)).encode())


def by_latex(texts: list[str], columns: int, folder: Path) -> bytes:
    body = []
    for kind, piece in pieces(texts):
        if kind == "table":
            rows = " \\\\ \\hline ".join(" & ".join(row) for row in piece)
            body.append(f"\\begin{{tabular}}{{|l|l|l|}} \\hline {rows} \\\\ \\hline \\end{{tabular}}")
            continue
        first, _, rest = piece.partition(" ")
        made = {"heading": f"\\section*{{{piece}}}", "text": piece, "note": f"{first}\\footnote{{{NOTE}}} {rest}"}
        body.append(made[kind])
    option = "twocolumn," if columns > 1 else ""
    source = (
        f"\\documentclass[{option}10pt,a4paper]{{article}}\n\\usepackage[T1]{{fontenc}}\n\\pagestyle{{myheadings}}\n"
        f"\\markright{{{HEAD}}}\n\\begin{{document}}\n" + "\n\n".join(body) + "\n\\end{document}\n"
    )
    (folder / "a.tex").write_text(source)
    command = ["pdflatex", "-interaction=batchmode", "-halt-on-error", "a.tex"]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    return (folder / "a.pdf").read_bytes()


def flat_document(texts: list[str], columns: int) -> str:
    """The document as a flat OpenDocument text."""
    body = []
    for kind, piece in pieces(texts):
        if kind == "table":
            rows = "".join(
                "<table:table-row>"
                + "".join(f"<table:table-cell><text:p>{cell}</text:p></table:table-cell>" for cell in row)
                + "</table:table-row>"
                for row in piece
            )
            body.append(f'<table:table><table:table-column table:number-columns-repeated="3"/>{rows}</table:table>')
            continue
        first, _, rest = piece.partition(" ")
        note = (
            '<text:note text:note-class="footnote"><text:note-citation>1</text:note-citation>'
            f"<text:note-body><text:p>{NOTE}</text:p></text:note-body></text:note>"
        )
        made = {
            "heading": f'<text:h text:outline-level="1">{piece}</text:h>',
            "text": f'<text:p text:style-name="P">{piece}</text:p>',
            "note": f'<text:p text:style-name="P">{first}{note} {rest}</text:p>',
        }
        body.append(made[kind])
    names = " ".join(
        f'xmlns:{name}="urn:oasis:names:tc:opendocument:xmlns:{space}"'
        for name, space in (
            ("office", "office:1.0"),
            ("text", "text:1.0"),
            ("table", "table:1.0"),
            ("style", "style:1.0"),
            ("fo", "xsl-fo-compatible:1.0"),
        )
    )
    layout = (
        '<style:page-layout style:name="L"><style:page-layout-properties fo:page-width="21cm" fo:page-height="29.7cm"'
        ' fo:margin="2cm">'
        f'<style:columns fo:column-count="{columns}" fo:column-gap="0.6cm"/></style:page-layout-properties>'
        '<style:header-style><style:header-footer-properties fo:min-height="1cm"/></style:header-style>'
        "</style:page-layout>"
    )
    paragraph = (
        '<style:style style:name="P" style:family="paragraph"><style:paragraph-properties fo:text-align="justify"'
        ' fo:margin-bottom="0.25cm"/><style:text-properties fo:font-size="10pt" fo:language="en" fo:country="US"'
        ' fo:hyphenate="true"/></style:style>'
    )
    head = f'<style:header><text:p>{HEAD} <text:page-number text:select-page="current"/></text:p></style:header>'
    return (
        f'<?xml version="1.0"?><office:document {names} office:version="1.2"'
        ' office:mimetype="application/vnd.oasis.opendocument.text">'
        f"<office:automatic-styles>{layout}{paragraph}</office:automatic-styles><office:master-styles>"
        f'<style:master-page style:name="Standard" style:page-layout-name="L">{head}</style:master-page>'
        f"</office:master-styles><office:body><office:text>{''.join(body)}</office:text></office:body></office:document>"
    )


def by_libreoffice(texts: list[str], columns: int, folder: Path, kind: str = "pdf") -> bytes:
    (folder / "a.fodt").write_text(flat_document(texts, columns))
    profile = f"-env:UserInstallation=file://{folder}/profile"
    command = ["soffice", profile, "--headless", "--convert-to", kind, "a.fodt"]
    subprocess.run(command, cwd=folder, check=True, capture_output=True, timeout=300)
    return (folder / f"a.{kind}").read_bytes()


MAKERS: dict[str, tuple[Callable[..., bytes], str, tuple[int, ...]]] = {
    "Typst": (by_typst, "", (1, 2, 3)),
    "LaTeX": (by_latex, "pdflatex", (1, 2)),
    "LibreOffice": (by_libreoffice, "soffice", (1, 2)),
}


def made(texts: list[str], count: int, makers: list[str]) -> Iterator[Made]:
    for name in makers:
        make, program, shapes = MAKERS[name]
        if program and shutil.which(program) is None:
            print(f"(no {program}: nothing by {name})")
            continue
        for number in range(count):
            columns = shapes[number % len(shapes)]
            chosen = random.Random(number).sample(texts, PARAGRAPHS)
            with tempfile.TemporaryDirectory() as folder:
                yield Made(name, columns, make(chosen, columns, Path(folder)), words_of(chosen))


def ours(body: bytes) -> str:
    page = Page(offset=0, raw_bytes=len(body))
    found = pdf.finish(page, body)
    assert found is True, found
    return page.text or ""


def pdfium(body: bytes) -> str:
    document = pdf.library().PdfDocument(body)
    return "\n".join(page.get_textpage().get_text_range() for page in document)


def pdfminer(body: bytes) -> str:
    from pdfminer.high_level import extract_text

    return str(extract_text(io.BytesIO(body)))


def pypdf(body: bytes) -> str:
    from pypdf import PdfReader

    return "\n".join(page.extract_text() for page in PdfReader(io.BytesIO(body)).pages)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--books", type=Path, default=Path("../shared/data/books/books.jsonl.gz"))
    parser.add_argument("--count", type=int, default=50, help="documents of each maker")
    parser.add_argument("--makers", nargs="+", choices=[*MAKERS], default=[*MAKERS])
    given = parser.parse_args()
    readers = {"ours": ours, "PDFium's order": pdfium}
    readers |= {
        name: read for name, read in (("pdfminer", pdfminer), ("pypdf", pypdf)) if importlib.util.find_spec(name)
    }
    texts = paragraphs(given.books)
    if len(texts) < PARAGRAPHS:
        texts += words_at_random(1, PARAGRAPHS)
    documents = list(made(texts, given.count, given.makers))
    print(f"{len(documents)} documents")
    print("| maker | columns | documents | pages | reader | mean F1 | least F1 | pages/s, one core |")
    print("|---|---|---|---|---|---|---|---|")
    for maker, columns in sorted({(one.maker, one.columns) for one in documents}):
        some = [one for one in documents if (one.maker, one.columns) == (maker, columns)]
        pages = sum(len(pdf.library().PdfDocument(one.body)) for one in some)
        for name, read in readers.items():
            begun = time.process_time()
            texts = [read(one.body) for one in some]
            seconds = time.process_time() - begun
            scores = [order_f1(one.words, text.split()) for one, text in zip(some, texts, strict=True)]
            print(
                f"| {maker} | {columns} | {len(some)} | {pages} | {name} | {sum(scores) / len(scores):.3f}"
                f" | {min(scores):.3f} | {pages / seconds:.0f} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
